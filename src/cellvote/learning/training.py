"""Training: one model for each fold, each kept as soon as it is done."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError
from cellvote.learning.classic import ClassicModel, fit_classic, read_models, write_models
from cellvote.learning.inputs import Features
from cellvote.learning.sampling import DRAWN, downsampled, drawn_by_class
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split, inner_validation
from cellvote.progress import CancelToken, Progress, Report

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

    def watched_by(self, fold: int, settings: TrainSettings) -> npt.NDArray[np.bool_]:
        """(N,) which of the cells that a fold learns from are set aside, to stop early on."""
        watched = inner_validation(self.wells[self.split.trains[fold]], settings.seed + fold, settings.validation_share)
        return np.isin(self.well, watched.index[watched])


class History:
    """``history.csv``: one row for each epoch, there for whoever wants a live curve.

    Opening it starts it anew: a resumed run writes the rows of its checkpoint again first.
    """

    columns = (
        "fold",
        "stage",
        "epoch",
        "train_loss",
        "validation_loss",
        "train_accuracy",
        "validation_accuracy",
        "validation_balanced_accuracy",
        "learning_rate",
        "cells_per_s",
        "device",
        "seconds",
        "notes",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(self.columns) + "\n", encoding="utf-8")

    def append(self, row: dict[str, Any]) -> None:
        """Add an epoch."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow("" if row.get(c) is None else row[c] for c in self.columns)


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
    """Fit a model on measurements, or the head on embeddings, for each fold, going on from the folds that are done."""
    models: list[ClassicModel] = []
    for fold in range(cells.n_folds):
        cancel.raise_if_cancelled()
        path = folder / "checkpoint" / f"fold-{fold}.skops"
        train = cells.learned_by(fold)
        if path.exists():
            model = _read_checkpoint(path)
        else:
            rows = _balanced(np.flatnonzero(train), cells.codes, settings, fold)
            model = fit_classic(features[rows], cells.codes[rows], settings, jobs)
            write_models(path, [model])
        models.append(model)
        said = model.classes_[model.predict_proba(features[train]).argmax(axis=1)]
        accuracy = float((said == cells.codes[train]).mean())
        history.append({"fold": fold, "epoch": 1, "train_accuracy": round(accuracy, 6), "device": "cpu"})
        report(Progress(fold + 1, cells.n_folds, f"fold {fold + 1}", f"{train.sum():,} cells learned"))
    write_models(folder / "model.skops", models)
    return models


def _balanced(
    rows: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], settings: TrainSettings, fold: int
) -> npt.NDArray[np.int64]:
    """Leave out, or draw more often, what the balance asks for; weights are left to the models."""
    random = np.random.default_rng((settings.seed, fold))
    if settings.balance in DRAWN:
        return rows[np.sort(drawn_by_class(codes[rows], settings.balance, random))]
    return rows[downsampled(codes[rows], settings.balance, random)]


def _read_checkpoint(path: Path) -> ClassicModel:
    models = read_models(path)
    if len(models) != 1:
        raise ClassifierError(f"{path}: should hold one model, not {len(models)}. Delete it, and train again.")
    return models[0]
