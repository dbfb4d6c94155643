"""Training networks: one for each fold, tuned further for each value of a column where that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.learning.examples import Examples, IntArray
from cellvote.learning.settings import TrainSettings
from cellvote.learning.training import History, TrainingCells
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study.atomic import write_bytes

if TYPE_CHECKING:
    import torch
    from torch import nn

FINE_TUNED_RATE: Final = 0.1
"""What is tuned further takes smaller steps than what is learned anew."""

_LEAST_WELLS: Final = 2


@dataclass(frozen=True)
class Stages:
    """The second step of two-step training (report 002): a column whose values each get a network of their own.

    Attributes
    ----------
    column
        Of the plate map: the cell type, for example. Empty: there is no second step.
    values
        What is in the column, in the order of ``code``.
    code
        (N,) number of each cell's value; −1 where it has none.
    """

    column: str = ""
    values: tuple[str, ...] = ()
    code: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, column: str, values: pd.Series) -> Self:
        """Number what stands in the column for each cell; what is empty has no number."""
        names = tuple(sorted(set(values) - {""}))
        return cls(column, names, pd.Index(names).get_indexer(pd.Index(values)).astype(np.int64))


@dataclass(frozen=True)
class NetworkTraining:
    """All that the networks of a classifier are trained from.

    Attributes
    ----------
    cells
        What is learned, and how it is held out.
    examples_of
        Gives the examples as the network of a fold sees them: (N) of them, scaled by what that fold learns from.
    build
        Makes the network of a fold as it is to start.
    plate
        (N,) number of the plate of each cell.
    data_name
        Digest of cells, classes and images.
    """

    cells: TrainingCells
    examples_of: Callable[[int], Examples]
    build: "Callable[[int], nn.Module]"
    plate: IntArray
    settings: TrainSettings
    data_name: str
    stages: Stages = field(default_factory=Stages)


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes
    ----------
    tuned
        For each fold the values of the column that got a network of their own.
    notes
        What a person should know: values that did not, memory that was full, losses that were no numbers.
    """

    tuned: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def train_networks(
    training: NetworkTraining,
    folder: Path,
    *,
    device: "torch.device",
    history: History,
    report: Report,
    cancel: CancelToken,
) -> Trained:
    """Train the network of each fold, going on from its checkpoint, and write them all into one file.

    Parameters
    ----------
    folder
        Of the classifier: ``model.safetensors`` and ``checkpoint/`` are written there.

    Raises
    ------
    CancelledError
        Where it was cancelled; run again to go on.
    """
    import safetensors.torch

    run = _Networks(training, folder, device, history, report, cancel)
    tensors: dict[str, Any] = {}
    tuned: list[tuple[str, ...]] = []
    for fold in range(training.cells.n_folds):
        base, special = run.fold(fold)
        tensors |= {f"fold{fold}/{name}": tensor for name, tensor in base.items()}
        for value, weights in special.items():
            tensors |= {f"fold{fold}.{value}/{name}": tensor for name, tensor in weights.items()}
        tuned.append(tuple(special))
    write_bytes(folder / "model.safetensors", safetensors.torch.save(tensors))
    return Trained(tuple(tuned), tuple(dict.fromkeys(run.notes)))


class _Networks:
    """The networks of all folds, one after the other."""

    def __init__(
        self,
        training: NetworkTraining,
        folder: Path,
        device: "torch.device",
        history: History,
        report: Report,
        cancel: CancelToken,
    ) -> None:
        self.training, self.folder, self.device = training, folder, device
        self.history, self.report, self.cancel = history, report, cancel
        self.notes: list[str] = []
        settings = training.settings
        self.tuning = settings.model_copy(
            update={
                "epochs": settings.fine_tune_epochs,
                "learning_rate": settings.learning_rate * FINE_TUNED_RATE,
                "schedule": "cosine",
            }
        )
        self.total = training.cells.n_folds * (settings.epochs + len(training.stages.values) * self.tuning.epochs)
        self.before = 0

    def fold(self, fold: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Train the network of a fold, and tune it further for each value: (weights, weights of each value)."""
        training = self.training
        cells, examples = training.cells, training.examples_of(fold)
        learned = np.flatnonzero(cells.learned_by(fold))
        watched = cells.watched_by(fold, training.settings)
        base = self._train(fold, examples, learned, watched, training.settings)
        special = {}
        for number, value in enumerate(training.stages.values):
            own = learned[training.stages.code[learned] == number]
            if self._can_be_tuned(fold, value, own):
                special[value] = self._train(fold, examples, own, watched, self.tuning, value, base)
            else:
                self.before += self.tuning.epochs
        return base, special

    def _can_be_tuned(self, fold: int, value: str, rows: IntArray) -> bool:
        cells = self.training.cells
        classes = np.unique(cells.codes[rows])
        wells = len(np.unique(cells.well[rows]))
        if len(classes) >= 2 and wells >= _LEAST_WELLS * len(classes):
            return True
        self.notes.append(
            f"{self.training.stages.column} = {value}: {wells} wells of {len(classes)} class(es) are too few to tune a "
            f"network for in fold {fold + 1}; the network that learned from all predicts them."
        )
        return False

    def _train(
        self,
        fold: int,
        examples: Examples,
        rows: IntArray,
        watched: npt.NDArray[np.bool_],
        settings: TrainSettings,
        value: str = "",
        start: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        from cellvote.learning.networks.fit import Fit, TrainingSet, fit_network

        training, cells = self.training, self.training.cells
        number = training.stages.values.index(value) if value else None
        name = f"fold-{fold}" + (f"-{number}" if number is not None else "")
        network = training.build(fold)
        if start is not None:
            network.load_state_dict(start)
        data = TrainingSet(examples.take(rows), cells.codes[rows], watched[rows], training.plate[rows], cells.n_classes)
        where = f"fold {fold + 1} of {cells.n_folds}" + (f", {value}" if value else "")

        def tell(row: dict[str, Any]) -> None:
            self.history.append(row)
            self.notes.extend(f"{where}: {note}" for note in row["notes"].split("; ") if note)
            self.report(_progress(row, where, self.before, self.total))

        fit = Fit(settings, fold, self.device, self.folder / "checkpoint" / name, training.data_name, value)
        best = fit_network(network, data, fit, on_epoch=tell, cancel=self.cancel)
        self.before += settings.epochs
        return best


def _progress(row: dict[str, Any], where: str, before: int, total: int) -> Progress:
    watched = row["validation_accuracy"]
    accuracy, of = (watched, "inner validation") if watched is not None else (row["train_accuracy"], "training")
    message = f"accuracy {accuracy:.3f} on {of} · {row['cells_per_s']:,.0f} cells/s"
    return Progress(before + row["epoch"], total, f"{where}, epoch {row['epoch']}", message)
