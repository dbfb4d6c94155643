"""What every training shares: the cells, how they are held out, and the history."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split, inner_validation

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
