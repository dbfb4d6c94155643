"""Training networks: one for each fold, tuned further for each value of a column where that is asked for."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd

from cellvote.learning.examples import Examples, IntArray
from cellvote.learning.settings import TrainSettings
from cellvote.learning.training import History, TrainingCells
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study.atomic import write_bytes

if TYPE_CHECKING:
    import torch
    from torch import nn

    from cellvote.learning.networks.side_by_side import SharedCores

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
class PlannedNetwork:
    """A network that is to be trained.

    Attributes
    ----------
    rows
        The cells that it learns from, and is watched on.
    value
        Of the column that it is tuned further for; empty where it learns from all that the fold does.
    name
        Of its checkpoint.
    """

    fold: int
    rows: IntArray
    settings: TrainSettings
    value: str
    name: str


@dataclass(frozen=True)
class FoldPlan:
    """The networks of a fold.

    Attributes
    ----------
    networks
        One that learns from all that the fold does, and those that are tuned further from it.
    notes
        Which values get none, and why.
    """

    fold: int
    networks: tuple[PlannedNetwork, ...]
    notes: tuple[str, ...] = ()


def plan_fold(training: NetworkTraining, fold: int) -> FoldPlan:
    """Say which networks a fold has: those of values with too few wells are left out."""
    settings, stages = training.settings, training.stages
    learned = np.flatnonzero(training.cells.learned_by(fold))
    networks, notes = [PlannedNetwork(fold, learned, settings, "", f"fold-{fold}")], []
    tuning = settings.model_copy(
        update={
            "epochs": settings.fine_tune_epochs,
            "learning_rate": settings.learning_rate * FINE_TUNED_RATE,
            "schedule": "cosine",
        }
    )
    for number, value in enumerate(stages.values):
        own = learned[stages.code[learned] == number]
        n_classes = len(np.unique(training.cells.codes[own]))
        n_wells = len(np.unique(training.cells.well[own]))
        if n_classes >= 2 and n_wells >= _LEAST_WELLS * n_classes:
            networks.append(PlannedNetwork(fold, own, tuning, value, f"fold-{fold}-{number}"))
            continue
        notes.append(
            f"{stages.column} = {value}: {n_wells} wells of {n_classes} class(es) are too few to tune a network for in "
            f"fold {fold + 1}; the network that learned from all predicts them."
        )
    return FoldPlan(fold, tuple(networks), tuple(notes))


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
    cores: "SharedCores | None" = None,
) -> Trained:
    """Train the networks of each fold, going on from their checkpoints, and write them all into one file.

    Parameters
    ----------
    folder
        Of the classifier: ``model.safetensors`` and ``checkpoint/`` are written there.
    cores
        On a CPU, how many folds are trained at a time and on how many threads each; one after the other, on as many
        threads as torch takes by itself, where it is not given.

    Raises
    ------
    CancelledError
        Where it was cancelled; run again to go on.
    WorkerError
        Where a process that trained a fold died.
    """
    import safetensors.torch

    from cellvote.learning.networks.folds import train_fold
    from cellvote.learning.networks.side_by_side import keeping_threads, train_side_by_side

    plans = [plan_fold(training, fold) for fold in range(training.cells.n_folds)]
    told = _Account(plans, history, report)
    tensors: dict[str, Any] = {}
    with keeping_threads(cores, folder) if cores else nullcontext() as shared:
        if shared is not None and shared.at_once > 1:
            train_side_by_side(training, plans, folder, shared, on_epoch=told.add, on_folds=told.go_on, cancel=cancel)
        for plan in plans:  # those that are trained already are only read
            told.go_on([plan.fold])
            told.notes.extend(plan.notes)
            trained = train_fold(training, plan, folder, device, on_epoch=told.add_with_notes, cancel=cancel)
            for planned, weights in zip(plan.networks, trained, strict=True):
                prefix = f"fold{plan.fold}.{planned.value}" if planned.value else f"fold{plan.fold}"
                tensors |= {f"{prefix}/{name}": tensor for name, tensor in weights.items()}
    write_bytes(folder / "model.safetensors", safetensors.torch.save(tensors))
    tuned = tuple(tuple(one.value for one in plan.networks[1:]) for plan in plans)
    return Trained(tuned, tuple(dict.fromkeys(told.notes)))


class _Account:
    """What is told of the epochs, in whichever order and process the networks are trained."""

    def __init__(self, plans: Sequence[FoldPlan], history: History, report: Report) -> None:
        self.history, self.report, self.n_folds = history, report, len(plans)
        self.epochs = {(one.fold, one.value): one.settings.epochs for plan in plans for one in plan.networks}
        self.done = dict.fromkeys(self.epochs, 0)
        self.folds: tuple[int, ...] = ()
        self.notes: list[str] = []

    def go_on(self, folds: Sequence[int]) -> None:
        """Go on to these folds, side by side where they are several; those that were trained until now are done."""
        for network in self.done:
            if network[0] in set(self.folds).difference(folds):
                self.done[network] = self.epochs[network]  # also where it stopped early
        self.folds = tuple(folds)
        if len(folds) > 1:
            self.report(Progress(*self._count(), f"folds {_listed(folds)} of {self.n_folds}", "training side by side"))

    def add(self, row: dict[str, Any]) -> None:
        """Tell an epoch, unless it was told before."""
        fold, value, epoch = int(row["fold"]), str(row["stage"]), int(row["epoch"])
        if epoch <= self.done[fold, value]:
            return
        self.done[fold, value] = epoch
        self.history.append(row)
        self.report(self._progress(row, self._where(row)))

    def add_with_notes(self, row: dict[str, Any]) -> None:
        """Tell an epoch, and keep its notes: to be called for one fold after the other, to have them in order."""
        self.notes.extend(f"{self._where(row)}: {note}" for note in row["notes"].split("; ") if note)
        self.add(row)

    def _where(self, row: dict[str, Any]) -> str:
        return f"fold {row['fold'] + 1} of {self.n_folds}" + (f", {row['stage']}" if row["stage"] else "")

    def _progress(self, row: dict[str, Any], where: str) -> Progress:
        watched = row["validation_accuracy"]
        accuracy, of = (watched, "inner validation") if watched is not None else (row["train_accuracy"], "training")
        message = f"accuracy {accuracy:.3f} on {of} · {row['cells_per_s']:,.0f} cells/s"
        if len(self.folds) > 1:
            message += f" · folds {_listed(self.folds)} side by side"
        return Progress(*self._count(), f"{where}, epoch {row['epoch']}", message)

    def _count(self) -> tuple[int, int]:
        """Count the epochs that are done, and all."""
        return sum(self.done.values()), sum(self.epochs.values())


def _listed(folds: Sequence[int]) -> str:
    return ", ".join(str(fold + 1) for fold in folds)
