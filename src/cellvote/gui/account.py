"""How a classifier did on what was held out, beside what needs no look at the cells; no window here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cellvote.study.atomic import read_json

LEVELS: Final = ("cell", "field", "well", "treatment")

ACCURACY, BALANCED = "accuracy", "balanced"
BASELINES: Final = ("chance", "majority", "position", "measurements")
HOLD, SET_SIZE = "sets hold it", "classes in a set"

_CAUTIONS: Final = ("the position on the plate alone", "the split leaks")
"""How notes begin that put the figures themselves in doubt."""


@dataclass(frozen=True)
class Figure:
    """One number, and its 95 % interval where there is one."""

    value: float
    interval: tuple[float, float] | None = None

    def words(self) -> str:
        """Write it, its interval below it."""
        return f"{self.value:.3f}" + (f"\n{self.interval[0]:.2f}–{self.interval[1]:.2f}" if self.interval else "")


@dataclass(frozen=True)
class Account:
    """The figures of a classifier.

    Attributes
    ----------
    split_by
        What was held out whole.
    levels
        How many cells, fields, wells and treatments were judged, where that can be done honestly.
    rows
        What is told of each level, by the name of the figure: first the classifier, then what knowing less gives.
    set_level
        How often conformal sets are to hold the true class; None where there are none.
    calibration
        How far probabilities are from shares, in words.
    cautions
        What the figures cannot show.
    notes
        What else a person should know before believing them.
    """

    split_by: str = ""
    levels: dict[str, int] = field(default_factory=dict)
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)
    set_level: float | None = None
    calibration: str = ""
    cautions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_account(model_folder: Path, evaluation: Mapping[str, Any] | None = None) -> Account:
    """Read the held-out figures of a classifier.

    Parameters
    ----------
    evaluation
        What ``cellvote evaluate`` said of it since: it has conformal sets, too.
    """
    info = read_json(model_folder / "model.json")
    metrics = evaluation or info.get("metrics") or {}
    found = {level: metrics[level] for level in LEVELS if (metrics.get(level) or {}).get("accuracy") is not None}
    one_each = "field" in found and found.get("well", {}).get("n") == found["field"].get("n")
    if one_each and found["well"]["accuracy"] == found["field"]["accuracy"]:
        del found["field"]  # one field in each well: the same figures twice
    rows = {
        ACCURACY: {level: _figure(one, "accuracy", "ci95") for level, one in found.items()},
        BALANCED: {level: _figure(one, "balanced_accuracy", "ci95_balanced") for level, one in found.items()},
    }
    baselines = metrics.get("baselines") or {}
    for name in BASELINES:
        one = baselines.get(name) or {}
        rows[name] = {level: _figure(one[level], "accuracy", "") for level in found if one.get(level)}
    conformal = metrics.get("conformal") or {}
    sets = {level: conformal[level] for level in found if conformal.get(level)}
    if sets:
        rows[HOLD] = {level: Figure(float(one["coverage"])) for level, one in sets.items()}
        rows[SET_SIZE] = {level: Figure(float(one["mean_set_size"])) for level, one in sets.items()}
    said = [*(info.get("metrics") or {}).get("notes", []), *metrics.get("notes", [])]  # training knows of leaks, too
    notes = list(dict.fromkeys(str(note) for note in said))
    cautions = tuple(note for note in notes if note.startswith(_CAUTIONS))
    return Account(
        split_by=str(metrics.get("split_by") or info.get("split_by", "")),
        levels={level: int(one.get("n", 0)) for level, one in found.items()},
        rows=rows,
        set_level=float(conformal["level"]) if sets else None,
        calibration=_calibration(metrics.get("calibration") or {}),
        cautions=tuple(f"{note[0].upper()}{note[1:]}" for note in cautions),
        notes=tuple(note for note in notes if note not in cautions),
    )


def _figure(found: Mapping[str, Any], name: str, interval: str) -> Figure:
    ends = found.get(interval)
    return Figure(float(found[name]), (float(ends[0]), float(ends[1])) if ends else None)


def _calibration(found: Mapping[str, Any]) -> str:
    if found.get("ece") is None:
        return ""
    without = found.get("ece_uncalibrated")
    rest = f", {without:.3f} before they were corrected" if without is not None else ""
    return f"Probabilities are off by {found['ece']:.3f} on average (ECE{rest})."
