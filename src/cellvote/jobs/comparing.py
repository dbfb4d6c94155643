"""Compare every compound with the negative controls: whether its cells can be told from theirs at all."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassesError, PlateMapError
from cellvote.learning.baselines import measurement_probabilities, position_votes
from cellvote.learning.inputs import Features, Inputs, feature_matrix
from cellvote.learning.splits import Split, make_split
from cellvote.plates.acquisition import place_columns
from cellvote.plates.plate_map import CONTROL_TYPE, find_column
from cellvote.profiling.measurements import feature_columns
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.corrections import refuse_unmeasured_corrections
from cellvote.study.illumination import check_cells_are_current
from cellvote.voting.metrics import Codes, codes_of, score

IntArray = npt.NDArray[np.int64]

ALL: Final = "all compounds"
"""The row of all compounds together against the controls."""


def compare_with_control(
    study: Study,
    column: str = "compound",
    *,
    segmentation: str = "",
    split_by: str = "well",
    folds: int = 5,
    seed: int = 0,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Ask of each compound whether logistic regression on measurements tells its cells from the negative controls.

    The check of a screen before anything else is trained: where a compound cannot be told from DMSO, no classifier of
    mechanisms has anything to go by. Each class weighs the same, so an accuracy of 0.5 is chance; brightnesses are
    relative to their plate; wells are held out whole.

    Parameters
    ----------
    column
        Of the plate map, whose values are compared one by one: ``compound``, ``treatment``, ``gene``, …
    split_by, folds
        What is held out, as in training. Compounds of which there is too little to hold any out have no figures, and
        ``note`` says why.

    Returns
    -------
    DataFrame
        One row for all compounds together (`ALL`), then one for each, most different first: ``wells``, ``cells``,
        ``accuracy`` (of cells, balanced) with ``low`` and ``high`` (95 % interval over wells), ``auc``,
        ``well_accuracy`` (balanced, by majority of the cells), ``position_accuracy`` (what the place of a well alone
        gives, balanced) and ``note``.

    Raises
    ------
    PlateMapError
        Where the plate map has no such column or no negative controls.
    ClassesError
        Where no well but the controls has an entry there.
    """
    cancel = cancel or CancelToken()
    name = study.one_segmentation(segmentation)
    check_cells_are_current(study, name)
    refuse_unmeasured_corrections(study, name)
    wells = _wells(study, column)
    table = study.read_cells(name)
    columns = tuple(feature_columns(table))
    inputs = Inputs(parts=("measurements",), columns=columns, channels=study.channels, scale="plate")
    features = feature_matrix(table, inputs)
    keys = place_columns(wells)
    well = pd.MultiIndex.from_frame(wells[keys]).get_indexer(pd.MultiIndex.from_frame(table[keys])).astype(np.int64)
    compounds = sorted(set(wells["compound"]) - {""})
    rows: list[dict[str, Any]] = []
    for done, compound in enumerate([ALL, *compounds], start=1):
        cancel.raise_if_cancelled()
        own, of_cells, place = _wells_of(compound, wells, well)
        rows.append({"compound": compound, **_compare(own, study, features[of_cells], place, split_by, folds, seed)})
        report(Progress(done, len(compounds) + 1, compound, f"{len(of_cells):,} cells"))
    ranked = sorted(rows[1:], key=lambda row: -np.nan_to_num(row["auc"], nan=-1))
    return pd.DataFrame([rows[0], *ranked])


def _wells_of(compound: str, wells: pd.DataFrame, well: IntArray) -> tuple[pd.DataFrame, IntArray, IntArray]:
    """Take the wells of a compound and of the controls that have cells.

    Parameters
    ----------
    well
        (N,) row of ``wells`` that each cell is in; −1 for other wells.

    Returns
    -------
    DataFrame, ndarray, ndarray
        These wells with ``class_name``; which cells are in them; and in which of them each of these is.
    """
    taken = (wells["compound"] == compound) | (wells["compound"] == "") if compound != ALL else wells["plate"] != ""
    chosen = np.flatnonzero(taken & np.isin(np.arange(len(wells)), well))
    of_cells = np.flatnonzero(np.isin(well, chosen))
    own = wells.iloc[chosen].reset_index(drop=True)
    own["class_name"] = np.where(own["compound"] == "", "control", "compound")
    return own, of_cells, np.searchsorted(chosen, well[of_cells]).astype(np.int64)


def _wells(study: Study, column: str) -> pd.DataFrame:
    """Imaged wells with ``compound``: empty for the negative controls."""
    plate_map = study.plate_map[study.plate_map["imaged"]]
    named = find_column(plate_map, column)
    if CONTROL_TYPE not in plate_map or not (plate_map[CONTROL_TYPE] == "negative").any():
        raise PlateMapError(
            "no imaged well is a negative control: name them in the column control_type of the plate map (negative)."
        )
    negative = (plate_map[CONTROL_TYPE] == "negative").to_numpy()
    compound = plate_map[named].fillna("").mask(negative, "")
    wells = plate_map[place_columns(plate_map)].assign(compound=compound)[negative | (compound != "").to_numpy()]
    if not (wells["compound"] != "").any():
        raise ClassesError(f"no imaged well but the negative controls has an entry in {named!r}: nothing to compare.")
    return wells.reset_index(drop=True)


def _compare(
    wells: pd.DataFrame,
    study: Study,
    features: Features,
    well: Codes,
    split_by: str,
    folds: int,
    seed: int,
) -> dict[str, object]:
    truth_of_well = codes_of(wells["class_name"], ("control", "compound"))
    n = {"wells": int(truth_of_well.sum()), "cells": int(truth_of_well[well].sum())}
    try:
        split: Split = make_split(wells, study.plate_map, split_by, folds=folds, seed=seed)
    except ClassesError as error:
        nothing = dict.fromkeys(("accuracy", "low", "high", "auc", "well_accuracy", "position_accuracy"), np.nan)
        return {**n, **nothing, "note": str(error)}
    truth = truth_of_well[well]
    said = measurement_probabilities(features, truth, split, well, 2, seed)
    cells = score(truth, said.argmax(axis=1), 2, well, said[:, 1])
    indices = np.arange(len(wells))
    n_said = np.bincount(well, weights=said.argmax(axis=1), minlength=len(wells))
    share = n_said / np.bincount(well, minlength=len(wells))
    by_well = score(truth_of_well, (share > 0.5).astype(np.int64), 2, indices)
    by_place = score(truth_of_well, position_votes(wells, truth_of_well, split, seed), 2, indices)
    low, high = cells["ci95_balanced"] or (np.nan, np.nan)
    return {
        **n,
        "accuracy": cells["balanced_accuracy"],
        "low": low,
        "high": high,
        "auc": cells["auc"],
        "well_accuracy": by_well["balanced_accuracy"],
        "position_accuracy": by_place["balanced_accuracy"],
        "note": " ".join(split.notes),
    }
