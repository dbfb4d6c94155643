"""The history of a training that runs or has run: one table, followed while it grows; no window here."""

import csv
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from cellvote.study.atomic import read_json

Point = tuple[float, float]


@dataclass(frozen=True)
class Curves:
    """What is drawn of a training.

    Attributes
    ----------
    loss, accuracy
        For each line (fold and what it was measured on) its points: epoch and value.
    latest
        The last epoch in words.
    """

    loss: dict[tuple[int, str], list[Point]] = field(default_factory=dict)
    accuracy: dict[tuple[int, str], list[Point]] = field(default_factory=dict)
    latest: str = ""

    @property
    def drawable(self) -> bool:
        """Whether any line has two points: forests learn in one go."""
        return any(len(points) > 1 for points in (*self.loss.values(), *self.accuracy.values()))


def read_history(path: Path) -> Curves:
    """Read ``history.csv``, whose last line may be half written; empty where there is none yet."""
    curves = Curves()
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except OSError:
        return curves
    latest = ""
    for row in rows:
        fold, epoch = _number(row.get("fold")), _number(row.get("epoch"))
        if fold is None or epoch is None:
            continue
        for lines, what in ((curves.loss, "loss"), (curves.accuracy, "accuracy")):
            for part in ("train", "validation"):
                value = _number(row.get(f"{part}_{what}"))
                if value is not None:
                    lines.setdefault((int(fold), part), []).append((epoch, value))
        latest = _latest(row, int(fold), int(epoch))
    return Curves(curves.loss, curves.accuracy, latest)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _latest(row: dict[str, str], fold: int, epoch: int) -> str:
    parts = [f"fold {fold + 1}", f"epoch {epoch}"]
    rate = _number(row.get("cells_per_s"))
    if rate:
        parts.append(f"{rate:,.0f} cells/s on {row.get('device', '')}")
    return " · ".join(parts)


@dataclass(frozen=True)
class Score:
    """One line of the result: a level, how well it was told, and what knowing nothing would give."""

    level: str
    accuracy: float
    interval: tuple[float, float] | None
    n: int
    majority: float | None
    position: float | None


def read_scores(model_folder: Path) -> tuple[list[Score], str, list[str]]:
    """Read the held-out figures of a classifier.

    Returns
    -------
    scores
        One per level that could be computed.
    split_by
        What was held out whole.
    notes
        What a person should know before believing the figures.
    """
    info = read_json(model_folder / "model.json")
    metrics = info.get("metrics") or {}
    baselines = metrics.get("baselines") or {}
    scores = []
    for level in ("cell", "field", "well", "treatment"):
        one = metrics.get(level)
        if not one or one.get("accuracy") is None:
            continue
        interval = one.get("ci95")
        scores.append(
            Score(
                level,
                float(one["accuracy"]),
                (float(interval[0]), float(interval[1])) if interval else None,
                int(one.get("n", 0)),
                _baseline(baselines, "majority", level),
                _baseline(baselines, "position", level),
            )
        )
    notes = [str(note) for note in metrics.get("notes", [])]
    return scores, str(info.get("split_by", "")), notes


def _baseline(baselines: dict[str, dict[str, dict[str, float]]], name: str, level: str) -> float | None:
    value = ((baselines.get(name) or {}).get(level) or {}).get("accuracy")
    return None if value is None else float(value)


def warnings_of(scores: list[Score]) -> list[str]:
    """Say where knowing nothing of the cells does as well as the classifier."""
    well = next((score for score in scores if score.level == "well"), None)
    if well is None or well.position is None or well.position < well.accuracy:
        return []
    sentence = (
        f"The position on the plate alone gets {well.position * 100:.0f} % of the held-out wells right: the classes "
        "are tied to places, so these figures cannot show that the classifier sees the cells."
    )
    return [sentence]
