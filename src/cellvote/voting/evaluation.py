"""Evaluation: held-out predictions against the truth, at every level, beside the baselines."""

from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import PredictionsError
from cellvote.plates.acquisition import FIELD, WELL, place_columns
from cellvote.voting.conformal import VoteCalibration
from cellvote.voting.intervals import LEAST_CLUSTERS
from cellvote.voting.metrics import Codes, codes_of, expected_calibration_error, score
from cellvote.voting.vote import LEVELS, VoteSettings, class_columns, that_have_a_say, vote

GROUP: Final = "group"
"""Column of what was held out together: a plate, a compound, …; not needed where that is the well."""

LEAST_GROUPS: Final = 5
"""Fewer plates or compounds than these are not drawn anew: the interval would be one of luck."""


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    treatments: pd.DataFrame | None = None,
    settings: VoteSettings | None = None,
    calibration: VoteCalibration | None = None,
    unit: str = "cell",
) -> dict[str, Any]:
    """Score held-out predictions as cells, fields, wells and treatments.

    Parameters
    ----------
    predictions
        One row per cell: ``plate``, ``well``, ``field``, ``truth`` and one probability column per class; `GROUP` too
        where more than wells were held out together. Only cells that no model was trained on belong here. Cells that
        have no say in votes are not scored either.
    treatments
        ``plate``, ``well``, ``treatment``; ``field`` too where images have no wells.
    calibration
        What votes were calibrated with, for attention and for decisions by conformal sets.
    unit
        What a row is: ``cell``, or ``field`` where these are classified as a whole; then there is no cell level.

    Returns
    -------
    dict
        ``classes``, then ``cell``, ``field``, ``well`` and ``treatment`` as in `voting.metrics.score` (null where
        it cannot be had, the reason in ``notes``), ``calibration``, and ``drawn``: what was drawn anew for the
        intervals (``well``, ``field`` or ``group``).

    Raises
    ------
    PredictionsError
        Where no cell has a known truth.
    """
    settings = settings or VoteSettings()
    predictions = that_have_a_say(predictions, settings)
    if predictions.empty:
        raise PredictionsError("no held-out cell has a known class: there is nothing to evaluate.")
    columns = class_columns(predictions)
    classes = tuple(columns)
    truth = codes_of(predictions["truth"], classes)
    probabilities = predictions[list(columns.values())].to_numpy(float)
    independent, notes = _independent(predictions)
    clusters = np.asarray(predictions.groupby(independent, sort=True).ngroup(), np.int64)
    result: dict[str, Any] = {"classes": list(classes)}
    second = probabilities[:, 1] if len(classes) == 2 else None
    result["cell"] = None
    if unit == "cell":
        result["cell"] = score(truth, probabilities.argmax(axis=1), len(classes), clusters, second)
    else:
        notes.append("cell: fields are classified as a whole, see the field level.")
    for level in ("field", "well", "treatment"):
        table = _with_treatment(predictions, treatments) if level == "treatment" else predictions
        result[level], note = _level(table, level, classes, settings, independent, calibration)
        notes += [note] if note else []
    result["calibration"] = {"ece": expected_calibration_error(probabilities, truth)}
    result["drawn"] = independent[-1]
    result["notes"] = notes
    return result


def _with_treatment(predictions: pd.DataFrame, treatments: pd.DataFrame | None) -> pd.DataFrame:
    if treatments is None:
        return predictions.iloc[:0].assign(treatment="")
    return predictions.merge(treatments, on=place_columns(treatments), how="inner")


def _places(table: pd.DataFrame) -> list[str]:
    """Name what stands for itself: wells, or fields where images have no wells."""
    return WELL if (table["well"] != "").all() else FIELD


def _independent(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Name what is drawn anew for intervals: what was held out whole, where there is enough of it; and notes."""
    places = _places(table)
    if GROUP not in table:
        return places, []
    n_groups, n_places = table[GROUP].nunique(), len(table[places].drop_duplicates())
    if n_groups == n_places:
        return places, []
    if n_groups >= LEAST_GROUPS:
        return [GROUP], []
    note = (
        f"intervals: {n_groups} groups were held out, too few to draw them anew; {places[-1]}s are drawn, so how "
        "groups differ is not in the intervals."
    )
    return places, [note]


def _level(
    table: pd.DataFrame,
    level: str,
    classes: tuple[str, ...],
    settings: VoteSettings,
    independent: list[str],
    calibration: VoteCalibration | None,
) -> tuple[dict[str, Any] | None, str]:
    by = LEVELS[level]
    if table.empty:
        return None, f"{level}: the plate map names none."
    if level == "well" and _places(table) != WELL:
        return None, "well: the images have none; each stands for itself, see the field level."
    groups = table.groupby(by, sort=True)
    truths = groups["truth"].agg(["first", "nunique"])
    if (truths["nunique"] > 1).any():
        mixed = truths.index[truths["nunique"] > 1][0]
        return None, f"{level}: {mixed} has wells of more than one class, so it has no single truth."
    votes = vote(table, by, settings, calibration)
    truth, said = codes_of(truths["first"], classes), codes_of(votes["class"], classes)
    clusters = _clusters(votes, groups, independent)
    few = len(np.unique(clusters)) < LEAST_CLUSTERS
    note = f"{level}: only {len(votes)}; no interval can be had." if few else ""
    second = votes[f"share_{classes[1]}"].to_numpy(float) if len(classes) == 2 else None
    return score(truth, said, len(classes), clusters, second), note


def _clusters(votes: pd.DataFrame, groups: Any, independent: list[str]) -> Codes:
    """Number what is drawn anew for each vote: its plate, compound or well, or the vote itself."""
    if independent == [GROUP]:
        found = groups[GROUP].agg(["first", "nunique"])
        names = np.where(found["nunique"] == 1, found["first"], [f"\0{i}" for i in range(len(votes))])
        return np.asarray(pd.factorize(names)[0], np.int64)
    if set(independent) < set(votes):
        return np.asarray(votes.groupby(independent, sort=True).ngroup(), np.int64)
    return np.arange(len(votes), dtype=np.int64)


def baseline_score(
    wells: pd.DataFrame,
    said: "np.ndarray[Any, np.dtype[np.int64]]",
    truth: "np.ndarray[Any, np.dtype[np.int64]]",
    level: str = "well",
    unit: str = "cell",
) -> dict[str, Any]:
    """Score one class said for each well, as wells and as cells (each cell is given the class of its well).

    Parameters
    ----------
    wells
        One row per well: ``n_cells``.
    said, truth
        (W,) class numbers.
    level
        What a row is: ``well``, or ``field`` where images have no wells.
    unit
        What is counted in wells: ``cell``, or ``field``.
    """
    right = said == truth
    n_cells = wells["n_cells"].to_numpy()
    shares = [float(right[truth == c].mean()) for c in np.unique(truth)]
    cells = [float(np.average(right[truth == c], weights=n_cells[truth == c])) for c in np.unique(truth)]
    return {
        unit: {
            "accuracy": float(np.average(right, weights=n_cells)),
            "balanced_accuracy": float(np.mean(cells)),
            "n": int(n_cells.sum()),
        },
        level: {
            "accuracy": float(right.mean()),
            "balanced_accuracy": float(np.mean(shares)),
            "n": len(wells),
        },
    }
