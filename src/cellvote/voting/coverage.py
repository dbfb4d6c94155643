"""How often conformal sets hold the true class, and how large they are, at every level."""

from typing import Any

import numpy as np
import pandas as pd

from cellvote.plates.acquisition import place_columns
from cellvote.voting.calibrating import fit_conformal
from cellvote.voting.conformal import Cuts, VoteCalibration, folds_apart, groups_apart
from cellvote.voting.cuts import least_units
from cellvote.voting.metrics import codes_of
from cellvote.voting.settings import IN_SET, LEVELS, NO_VOTE, VoteSettings
from cellvote.voting.vote import that_have_a_say, vote

_LEVELS = ("cell", *LEVELS)


def evaluate_sets(
    predictions: pd.DataFrame,
    *,
    treatments: pd.DataFrame | None = None,
    settings: VoteSettings | None = None,
    calibration: VoteCalibration | None = None,
    at_home: bool = True,
) -> tuple[dict[str, Any] | None, list[str]]:
    """Count how often the sets of wells that no model has seen hold their true class.

    Parameters
    ----------
    predictions
        As `evaluation.evaluate_predictions` takes them, with ``fold`` where they are those of the training study.
    calibration
        What the classifier's own study calibrated.
    at_home
        Whether these are held-out predictions of that study: they calibrate themselves, each fold by the wells of the
        others, as the votes are counted now. Attention stays as it was learned, without each fold's own wells.

    Returns
    -------
    dict
        ``level``, ``coverage`` and ``mean_set_size`` of cells, ``score``, ``per_class``; then each level by name:
        ``coverage``, ``coverage_of_units`` (the mean over wells, plates or treatments: what is promised),
        ``worst_unit``, ``mean_set_size``, ``single`` and ``empty`` (share of the sets that hold one class, none),
        ``accuracy_of_single``, ``coverage_of_classes``, ``n``, ``unit`` and ``n_units`` (what calibrated them). None
        where sets were not asked for, or can be had at no level.
    list of str
        Why levels are null, and what the others hold for.
    """
    settings = (settings or VoteSettings()).model_copy(update={"undecided_unless_single": False})
    if settings.set_level is None:
        return None, ["conformal: no sets were asked for (set_level)."]
    predictions = that_have_a_say(predictions, settings)
    if at_home:
        pooling = calibration.pooling if calibration is not None else None
        calibration = fit_conformal(
            predictions, treatments, methods=(settings.method,), most_cells=None, pooling=pooling
        )
    if calibration is None:
        return None, ["conformal: the classifier was trained before votes were calibrated. Train it again."]
    result: dict[str, Any] = {"level": settings.set_level, "coverage": None, "mean_set_size": None}
    result |= {"score": settings.set_score, "per_class": settings.set_per_class}
    notes, units = [], {}
    for level in _LEVELS:
        found = _level(predictions, level, treatments, settings, calibration)
        result[level] = None if isinstance(found, str) else found
        if isinstance(found, str):
            notes.append(f"conformal, {level}: {found}")
        else:
            units[level] = found["unit"]
    if result["cell"] is not None:
        result |= {name: result["cell"][name] for name in ("coverage", "mean_set_size")}
    if not units:
        return None, notes
    return result, [*notes, *_promises(units, settings.set_level)]


def _promises(units: dict[str, str], level: float) -> list[str]:
    by_wells = [name for name, unit in units.items() if unit == "well"]
    if not by_wells:
        return []
    note = (
        f"conformal: sets of {', '.join(by_wells)} were calibrated by wells: {100 * level:g} % is promised for further "
        f"wells like these. For plates never seen it would take {least_units(level)} plates to calibrate."
    )
    return [note]


def _level(
    predictions: pd.DataFrame,
    level: str,
    treatments: pd.DataFrame | None,
    settings: VoteSettings,
    calibration: VoteCalibration,
) -> dict[str, Any] | str:
    if level == "cell":
        sets = calibration.cell_sets(predictions, settings)
        if isinstance(sets, str):
            return sets
        found = calibration.cuts(level, settings, pd.unique(pd.Series(folds_apart(predictions))))
        return found if isinstance(found, str) else _count(predictions, sets, calibration.classes, found)
    if level == "treatment":
        if treatments is None:
            return "the plate map names no treatments."
        predictions = predictions.merge(treatments, on=place_columns(treatments), how="inner")
    if level == "well":
        predictions = predictions[predictions["well"] != ""]
    if predictions.empty:
        return f"there is no {level}."
    by = LEVELS[level]
    about = predictions.groupby(by, sort=True, observed=True).agg(
        truth=("truth", "first"), n_truths=("truth", "nunique"), of_plate=("plate", "first")
    )
    if (about["n_truths"] > 1).any():
        return f"a {level} has wells of more than one class, so it has no single truth."
    votes = vote(predictions, by, settings, calibration)
    apart = groups_apart(predictions, by, votes)
    voted = (votes["class"] != NO_VOTE).to_numpy()
    if not voted.any():
        return f"no {level} has enough cells to vote."
    found = calibration.cuts(level, settings, apart[voted])
    if isinstance(found, str):
        return found
    about = about.reset_index()
    about = about.assign(plate=about["of_plate"])
    return _count(about[voted], votes[voted], calibration.classes, found)


def _count(about: pd.DataFrame, sets: pd.DataFrame, classes: tuple[str, ...], cuts: Cuts) -> dict[str, Any]:
    held = sets[[f"{IN_SET}{name}" for name in classes]].to_numpy(bool)
    truth = codes_of(about["truth"], classes)
    covered = held[np.arange(len(truth)), truth]
    sizes = held.sum(axis=1)
    single = sizes == 1
    columns = {"well": ["plate", "well"], "plate": ["plate"], "treatment": ["treatment"]}[cuts.unit]
    if cuts.unit == "well" and (about["well"] == "").any():
        columns = ["plate", "well", "field"]
    of_units = pd.Series(covered, index=about.index).groupby([about[c] for c in columns], observed=True).mean()
    of_classes = [float(covered[truth == c].mean()) if (truth == c).any() else None for c in range(held.shape[1])]
    return {
        "coverage": float(covered.mean()),
        "coverage_of_units": float(of_units.mean()),
        "worst_unit": float(of_units.min()),
        "mean_set_size": float(sizes.mean()),
        "single": float(single.mean()),
        "empty": float((sizes == 0).mean()),
        "accuracy_of_single": float(covered[single].mean()) if single.any() else None,
        "coverage_of_classes": of_classes,
        "n": len(truth),
        "unit": cuts.unit,
        "n_units": cuts.n_units,
    }
