"""The history of a training that runs or has run: one table, followed while it grows; no window here."""

import csv
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final

Point = tuple[float, float]

Line = tuple[int, str, str]
"""Fold, stage (empty, or the value that a network was tuned further for), and what it was measured on."""

Lines = dict[Line, list[Point]]

TRAIN, VALIDATION, BALANCED = "train", "validation", "balanced"

_LOSS: Final = {"train_loss": TRAIN, "validation_loss": VALIDATION}
_ACCURACY: Final = {
    "train_accuracy": TRAIN,
    "validation_accuracy": VALIDATION,
    "validation_balanced_accuracy": BALANCED,
}
_MOST_NOTES: Final = 8


@dataclass(frozen=True)
class Curves:
    """What is drawn of a training.

    Attributes
    ----------
    loss, accuracy
        The points of each line: epoch and value. Epochs of a second stage are counted on from the first.
    latest
        The last epoch in words.
    notes
        What happened on the way, the last of it: memory that was full, a loss that was no number.
    """

    loss: Lines = field(default_factory=dict)
    accuracy: Lines = field(default_factory=dict)
    latest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def drawable(self) -> bool:
        """Whether any line has two points: forests learn in one go."""
        return any(len(points) > 1 for points in (*self.loss.values(), *self.accuracy.values()))

    @property
    def folds(self) -> list[int]:
        """The folds that have begun."""
        return sorted({fold for fold, _, _ in (*self.loss, *self.accuracy)})


def read_history(path: Path, unit: str = "cell") -> Curves:
    """Read ``history.csv``, whose last line may be half written; empty where there is none yet."""
    curves = Curves()
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except OSError:
        return curves
    latest, notes, before = "", [], dict[int, float]()
    for row in rows:
        fold, epoch, stage = _number(row.get("fold")), _number(row.get("epoch")), row.get("stage") or ""
        if fold is None or epoch is None:
            continue
        if not stage:
            before[int(fold)] = epoch
        at = epoch + (before.get(int(fold), 0) if stage else 0)
        for lines, columns in ((curves.loss, _LOSS), (curves.accuracy, _ACCURACY)):
            for column, part in columns.items():
                value = _number(row.get(column))
                if value is not None:
                    lines.setdefault((int(fold), stage, part), []).append((at, value))
        where = ", ".join(part for part in (f"fold {int(fold) + 1}", stage, f"epoch {int(epoch)}") if part)
        notes += [f"{where}: {note}" for note in (row.get("notes") or "").split("; ") if note]
        latest = _latest(row, int(fold), stage, int(epoch), unit)
    return Curves(curves.loss, curves.accuracy, latest, tuple(notes[-_MOST_NOTES:]))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _latest(row: dict[str, str], fold: int, stage: str, epoch: int, unit: str) -> str:
    parts = [f"fold {fold + 1}", stage, f"epoch {epoch}"]
    accuracy, balanced = _number(row.get("validation_accuracy")), _number(row.get("validation_balanced_accuracy"))
    if accuracy is not None:
        parts.append(f"validation {accuracy:.3f}" + (f" (balanced {balanced:.3f})" if balanced is not None else ""))
    rate = _number(row.get("cells_per_s"))
    if rate:
        parts.append(f"{rate:,.0f} {unit}s/s on {row.get('device', '')}")
    return " · ".join(part for part in parts if part)
