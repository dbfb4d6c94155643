"""Training: one model for each fold, each kept as soon as it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError
from cellvote.learning.classic import ClassicModel, fit_forest, fit_logistic, read_models, write_models
from cellvote.learning.inputs import Features
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split, inner_validation
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study.atomic import write_bytes

OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingCells:
    """The cells that a classifier is trained on, and how they are held out.

    Attributes
    ----------
    codes
        (N,) class number of each cell.
    wells
        One row per well: ``plate``, ``well``, ``class_name``, ``group``.
    well
        (N,) row of ``wells`` that each cell is in.
    split
        Which of the wells each fold learns from: not always all that it does not hold out.
    """

    codes: npt.NDArray[np.int64]
    wells: pd.DataFrame
    well: npt.NDArray[np.int64]
    n_classes: int
    split: Split

    @property
    def n_folds(self) -> int:
        """How many models there will be."""
        return self.split.n_folds

    def learned_by(self, fold: int) -> npt.NDArray[np.bool_]:
        """(N,) which cells the model of a fold learns from."""
        return np.asarray(self.split.trains[fold][self.well], bool)

    def watched_by(self, fold: int, seed: int) -> npt.NDArray[np.bool_]:
        """(N,) which of the cells that a fold learns from are set aside, to stop early on."""
        watched = inner_validation(self.wells[self.split.trains[fold]], seed + fold)
        return np.isin(self.well, watched.index[watched])


class History:
    """``history.csv``: one row for each epoch, there for whoever wants a live curve.

    Opening it starts it anew: a resumed run writes the rows of its checkpoint again first.
    """

    columns = (
        "fold",
        "epoch",
        "train_loss",
        "validation_loss",
        "train_accuracy",
        "validation_accuracy",
        "learning_rate",
        "cells_per_s",
        "device",
        "seconds",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(self.columns) + "\n", encoding="utf-8")

    def append(self, row: dict[str, Any]) -> None:
        """Add an epoch."""
        entries = ("" if row.get(c) is None else str(row.get(c)) for c in self.columns)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(",".join(entries) + "\n")


def train_classic(
    cells: TrainingCells,
    features: Features,
    settings: TrainSettings,
    folder: Path,
    *,
    jobs: int,
    history: History,
    report: Report,
    cancel: CancelToken,
) -> list[ClassicModel]:
    """Fit a forest or logistic regression for each fold, going on from the folds that are done."""
    models: list[ClassicModel] = []
    for fold in range(cells.n_folds):
        cancel.raise_if_cancelled()
        path = folder / "checkpoint" / f"fold-{fold}.skops"
        train = cells.learned_by(fold)
        if path.exists():
            model = _read_checkpoint(path)
        else:
            if settings.architecture == "forest":
                model = fit_forest(features[train], cells.codes[train], settings.n_trees, settings.seed, jobs)
            else:
                model = fit_logistic(features[train], cells.codes[train], settings.seed)
            write_models(path, [model])
        models.append(model)
        said = model.classes_[model.predict_proba(features[train]).argmax(axis=1)]
        accuracy = float((said == cells.codes[train]).mean())
        history.append({"fold": fold, "epoch": 1, "train_accuracy": round(accuracy, 6), "device": "cpu"})
        report(Progress(fold + 1, cells.n_folds, f"fold {fold + 1}", f"{train.sum():,} cells learned"))
    write_models(folder / "model.skops", models)
    return models


def _read_checkpoint(path: Path) -> ClassicModel:
    models = read_models(path)
    if len(models) != 1:
        raise ClassifierError(f"{path}: should hold one model, not {len(models)}. Delete it, and train again.")
    return models[0]


def train_networks(
    cells: TrainingCells,
    crops: npt.NDArray[np.generic],
    limits: list[npt.NDArray[np.float32]],
    settings: TrainSettings,
    folder: Path,
    *,
    device: Any,
    history: History,
    report: Report,
    cancel: CancelToken,
) -> None:
    """Train a network for each fold, going on from its checkpoint, and write them into one safetensors file.

    Parameters
    ----------
    crops
        N×C×H×W, one for each cell.
    limits
        For each fold, (N, 2, C): what is black and white for each crop.
    device
        A ``torch.device``.
    """
    import safetensors.torch

    from cellvote.learning.networks.fit import TrainingCrops, fit_network

    tensors: dict[str, Any] = {}
    for fold in range(cells.n_folds):
        train = cells.learned_by(fold)
        validation = cells.watched_by(fold, settings.seed)[train]
        data = TrainingCrops(crops[train], cells.codes[train], limits[fold][train], validation)

        def tell(row: dict[str, Any], fold: int = fold) -> None:
            history.append(row)
            accuracy = row["validation_accuracy"] if row["validation_accuracy"] is not None else row["train_accuracy"]
            message = f"accuracy {accuracy:.3f} on inner validation wells · {row['cells_per_s']:,.0f} cells/s"
            done = fold * settings.epochs + row["epoch"]
            where = f"fold {fold + 1} of {cells.n_folds}, epoch {row['epoch']}"
            report(Progress(done, cells.n_folds * settings.epochs, where, message))

        best = fit_network(
            data,
            cells.n_classes,
            settings,
            fold=fold,
            device=device,
            checkpoint=folder / "checkpoint" / f"fold-{fold}",
            on_epoch=tell,
            cancel=cancel,
        )
        tensors |= {f"fold{fold}/{name}": tensor for name, tensor in best.items()}
    write_bytes(folder / "model.safetensors", safetensors.torch.save(tensors))
