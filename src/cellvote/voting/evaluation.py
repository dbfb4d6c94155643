"""Evaluation: held-out predictions against the truth, at every level, beside the baselines."""

from typing import Any

import numpy as np
import pandas as pd

from cellvote.errors import PredictionsError
from cellvote.plates.acquisition import FIELD, WELL, place_columns
from cellvote.voting.conformal import VoteCalibration
from cellvote.voting.metrics import codes_of, expected_calibration_error, score
from cellvote.voting.vote import LEVELS, VoteSettings, class_columns, that_have_a_say, vote


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    treatments: pd.DataFrame | None = None,
    settings: VoteSettings | None = None,
    calibration: VoteCalibration | None = None,
) -> dict[str, Any]:
    """Score held-out predictions as cells, fields, wells and treatments.

    Parameters
    ----------
    predictions
        One row per cell: ``plate``, ``well``, ``field``, ``truth`` and one probability column per class. Only
        cells that no model was trained on belong here. Cells that have no say in votes are not scored either.
    treatments
        ``plate``, ``well``, ``treatment``; ``field`` too where images have no wells.
    calibration
        What votes were calibrated with, for attention and for decisions by conformal sets.

    Returns
    -------
    dict
        ``classes``, then ``cell``, ``field``, ``well`` and ``treatment`` as in `voting.metrics.score` (null where
        it cannot be had, the reason in ``notes``), and ``calibration``.

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
    wells = np.asarray(predictions.groupby(_independent(predictions), sort=True).ngroup(), np.int64)
    result: dict[str, Any] = {"classes": list(classes)}
    result["cell"] = score(truth, probabilities.argmax(axis=1), len(classes), wells)
    notes: list[str] = []
    for level in ("field", "well", "treatment"):
        table = predictions
        if level == "treatment":
            table = _with_treatment(predictions, treatments)
        result[level], note = _level(table, level, classes, settings, calibration)
        notes += [note] if note else []
    result["calibration"] = {"ece": expected_calibration_error(probabilities, truth)}
    result["notes"] = notes
    return result


def _with_treatment(predictions: pd.DataFrame, treatments: pd.DataFrame | None) -> pd.DataFrame:
    if treatments is None:
        return predictions.iloc[:0].assign(treatment="")
    return predictions.merge(treatments, on=place_columns(treatments), how="inner")


def _independent(table: pd.DataFrame) -> list[str]:
    """Name what counts as independent: wells, or fields where images have no wells."""
    return WELL if (table["well"] != "").all() else FIELD


def _level(
    table: pd.DataFrame,
    level: str,
    classes: tuple[str, ...],
    settings: VoteSettings,
    calibration: VoteCalibration | None,
) -> tuple[dict[str, Any] | None, str]:
    by = LEVELS[level]
    if table.empty:
        return None, f"{level}: the plate map names none."
    if level == "well" and _independent(table) != WELL:
        return None, "well: the images have none; each stands for itself, see the field level."
    truths = table.groupby(by, sort=True)["truth"].agg(["first", "nunique"])
    if (truths["nunique"] > 1).any():
        mixed = truths.index[truths["nunique"] > 1][0]
        return None, f"{level}: {mixed} has wells of more than one class, so it has no single truth."
    votes = vote(table, by, settings, calibration)
    truth, said = codes_of(truths["first"], classes), codes_of(votes["class"], classes)
    if level == "field":
        clusters = np.asarray(votes.groupby(_independent(votes), sort=True).ngroup(), np.int64)
    else:
        clusters = np.arange(len(votes), dtype=np.int64)
    note = f"{level}: only {len(votes)}; no interval can be had." if len(np.unique(clusters)) < 3 else ""
    return score(truth, said, len(classes), clusters), note


def baseline_score(
    wells: pd.DataFrame,
    said: "np.ndarray[Any, np.dtype[np.int64]]",
    truth: "np.ndarray[Any, np.dtype[np.int64]]",
    level: str = "well",
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
    """
    right = said == truth
    n_cells = wells["n_cells"].to_numpy()
    shares = [float(right[truth == c].mean()) for c in np.unique(truth)]
    cells = [float(np.average(right[truth == c], weights=n_cells[truth == c])) for c in np.unique(truth)]
    return {
        level: {
            "accuracy": float(right.mean()),
            "balanced_accuracy": float(np.mean(shares)),
            "n": len(wells),
        },
        "cell": {
            "accuracy": float(np.average(right, weights=n_cells)),
            "balanced_accuracy": float(np.mean(cells)),
            "n": int(n_cells.sum()),
        },
    }
