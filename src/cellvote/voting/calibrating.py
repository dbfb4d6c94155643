"""Calibrate votes: conformal scores and attention, from predictions of wells by models that never saw them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ValidationError

from cellvote.errors import PredictionsError, StudyError
from cellvote.plates.acquisition import FIELD, WELL, place_columns
from cellvote.study.atomic import read_json, read_table, write_json, write_table
from cellvote.voting.ballots import ProbabilitiesError, probability_blocks
from cellvote.voting.conformal import VoteCalibration, folds_apart
from cellvote.voting.metrics import codes_of
from cellvote.voting.pooling import Pooling, fit_pooling
from cellvote.voting.set_scores import chance_of, score_classes
from cellvote.voting.settings import LEVELS, METHODS, SET_SCORES, SHARE, VoteSettings
from cellvote.voting.vote import class_columns, vote

Floats = npt.NDArray[np.float64]

MOST_CELLS_KEPT: Final = 1000
"""Of a well with more cells, so many scores are kept: each the highest of as many neighbours, on the safe side."""

FORMAT_VERSION: Final = 1
_NOTE, _SCORES = "votes.json", "votes.parquet"
_COLUMNS: Final = ("level", "method", "plate", "unit", "apart", "class_name", "n_cells", "weight", *SET_SCORES)


def fit_conformal(
    predictions: pd.DataFrame,
    treatments: pd.DataFrame | None = None,
    *,
    methods: Iterable[str] = METHODS,
    most_cells: int | None = MOST_CELLS_KEPT,
    pooling: Pooling | None = None,
) -> VoteCalibration:
    """Calibrate sets and votes at every level.

    Parameters
    ----------
    predictions
        One row per cell: ``plate``, ``well``, ``field``, ``truth``, one probability column per class (after any
        temperature scaling: calibrate what will be shown), and ``fold``: which fold held it out. Without that, each
        well is its own. Only cells that their models were not trained on belong here.
    treatments
        ``plate``, ``well``, ``treatment``; ``field`` too where images have no wells.
    methods
        The ways to vote that will be used.
    most_cells
        Cells kept of each well; None keeps all.
    pooling
        Attention that is learned already; it is learned here where it is not given.

    Raises
    ------
    PredictionsError
        Where no cell has a known class, or probabilities do not sum to 1.
    """
    columns = class_columns(predictions)
    classes = tuple(columns)
    unit_columns = WELL if (predictions["well"] != "").all() else FIELD
    well = np.asarray(predictions.groupby(unit_columns, sort=True, observed=True).ngroup(), np.int64)
    truth = codes_of(predictions["truth"], classes)
    known = truth >= 0
    if not known.any():
        raise PredictionsError("no held-out cell has a known class: there is nothing to calibrate votes with.")
    table = predictions if known.all() else predictions[known]
    well, truth = well[known], truth[known]
    _, well = np.unique(well, return_inverse=True)
    if "fold" not in table:
        table = table.assign(fold=well)
    unit = _joined(table, unit_columns)
    scores = [_cell_scores(table, columns, truth, well, unit, most_cells)]
    if pooling is None and "attention" in methods:
        pooling = _fit_attention(table, columns, truth, well)
    draft = VoteCalibration(classes, pd.DataFrame(columns=list(_COLUMNS)), pooling)
    for method in methods:
        settings = VoteSettings(method=method, min_cells=1, set_level=None)
        scores += [_vote_scores(table, level, settings, draft, unit_columns) for level in ("field", "well")]
        if treatments is not None:
            treated = table.merge(treatments, on=place_columns(treatments), how="inner")
            scores.append(_vote_scores(treated, "treatment", settings, draft, unit_columns))
    return VoteCalibration(classes, pd.concat([s for s in scores if len(s)], ignore_index=True), pooling)


def _joined(table: pd.DataFrame, by: list[str]) -> pd.Series:
    """Name the unit of each row."""
    result = table[by[0]].astype("str")
    for column in by[1:]:
        result = result.str.cat(table[column].astype("str"), sep="/")
    return result


def _cell_scores(
    table: pd.DataFrame,
    columns: dict[str, str],
    truth: npt.NDArray[np.int64],
    well: npt.NDArray[np.int64],
    unit: pd.Series,
    most_cells: int | None,
) -> pd.DataFrame:
    lac, aps, own = np.empty(len(table)), np.empty(len(table)), np.empty(len(table))
    try:
        for rows, block in probability_blocks([table[column].to_numpy() for column in columns.values()]):
            here = truth[rows]
            own[rows] = block[here, np.arange(block.shape[1])]
            lac[rows] = 1 - own[rows]
            aps[rows] = np.where(block > own[rows], block, 0).sum(axis=0)
    except ProbabilitiesError as error:
        raise error.naming(table) from error
    by_score = {"lac": lac, "aps": np.round(aps, 12), "aps-randomised": np.round(aps + chance_of(table) * own, 12)}
    first = np.unique(well, return_index=True)[1]
    about = table.iloc[first]
    described = pd.DataFrame(
        {
            "level": "cell",
            "method": "",
            "plate": about["plate"].astype("str").to_numpy(),
            "unit": unit.iloc[first].to_numpy(),
            "apart": folds_apart(about),
            "class_name": about["truth"].astype("str").to_numpy(),
        }
    )
    parts = []
    order = np.argsort(well, kind="stable")
    starts = np.flatnonzero(np.diff(well[order], prepend=-1))
    for number, rows in enumerate(np.split(order, starts[1:])):
        n = len(rows)
        kept = n if most_cells is None else min(n, most_cells)
        last = (np.arange(1, kept + 1) * n) // kept - 1
        part = pd.DataFrame({name: np.sort(values[rows])[last] for name, values in by_score.items()})
        parts.append(part.assign(number=number, n_cells=n, weight=np.diff(last, prepend=-1) / n))
    kept_scores = pd.concat(parts, ignore_index=True)
    return described.iloc[kept_scores.pop("number")].reset_index(drop=True).join(kept_scores)[list(_COLUMNS)]


def _fit_attention(
    table: pd.DataFrame, columns: dict[str, str], truth: npt.NDArray[np.int64], well: npt.NDArray[np.int64]
) -> Pooling | None:
    first = np.unique(well, return_index=True)[1]
    if len(np.unique(truth[first])) < 2:
        return None
    fold = table["fold"].to_numpy(np.int64)[first]
    return fit_pooling([table[column].to_numpy() for column in columns.values()], well, truth[first], fold)


def _vote_scores(
    table: pd.DataFrame, level: str, settings: VoteSettings, draft: VoteCalibration, unit_columns: list[str]
) -> pd.DataFrame:
    """Score the true class of each field, well or treatment by the shares of its vote."""
    by = LEVELS[level]
    if settings.method == "attention" and draft.pooling is None:
        return pd.DataFrame(columns=list(_COLUMNS))
    if table.empty or (level == "well" and unit_columns != WELL):
        return pd.DataFrame(columns=list(_COLUMNS))
    votes = vote(table, by, settings, draft)
    about = table.groupby(by, sort=True, observed=True).agg(
        truth=("truth", "first"), n_truths=("truth", "nunique"), fold=("fold", "first"), plate=("plate", "first")
    )
    about = about.reset_index() if "plate" not in by else about.drop(columns="plate").reset_index()
    single = (about["n_truths"] == 1).to_numpy()
    votes, about = votes[single].reset_index(drop=True), about[single].reset_index(drop=True)
    shares = votes[[f"{SHARE}{name}" for name in draft.classes]].to_numpy(float)
    rows, codes = np.arange(len(votes)), codes_of(about["truth"], draft.classes)
    chance = chance_of(votes)
    unit = about["treatment"].astype("str") if level == "treatment" else _joined(about, unit_columns)
    return pd.DataFrame(
        {
            "level": level,
            "method": settings.method,
            "plate": about["plate"].astype("str"),
            "unit": unit,
            "apart": unit.to_numpy(object) if level == "treatment" else folds_apart(about),
            "class_name": about["truth"].astype("str"),
            "n_cells": votes["n_cells"],
            "weight": 1 / unit.map(unit.value_counts()).astype(float),
            **{score: score_classes(shares, score, chance)[rows, codes] for score in SET_SCORES},
        }
    )


class _Note(BaseModel, frozen=True, extra="forbid"):
    """What ``votes.json`` beside a classifier holds."""

    format_version: int = FORMAT_VERSION
    classes: tuple[str, ...]
    pooling: Pooling | None = None


def write_calibration(folder: Path, calibration: VoteCalibration) -> None:
    """Write ``votes.parquet`` (scores) and ``votes.json`` (classes, attention) into a classifier's folder."""
    write_table(folder / _SCORES, calibration.scores)
    note = _Note(classes=calibration.classes, pooling=calibration.pooling)
    write_json(folder / _NOTE, note.model_dump(mode="json"))


def read_calibration(folder: Path, classes: Iterable[str]) -> VoteCalibration | None:
    """Read what a classifier's votes were calibrated with; None where they were not.

    Raises
    ------
    PredictionsError
        Where it is damaged, of another format or of other classes.
    """
    if not (folder / _NOTE).is_file():
        return None
    try:
        content = read_json(folder / _NOTE)
        found = content.get("format_version") if isinstance(content, dict) else None
        if found != FORMAT_VERSION:
            raise PredictionsError(
                f"{folder / _NOTE}: has the format {found!r}, and this CellVote reads {FORMAT_VERSION}. Train again."
            )
        note = _Note.model_validate(content)
        scores = read_table(folder / _SCORES)
    except (StudyError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise PredictionsError(f"{folder / _NOTE}: is damaged ({first}). Train again.") from error
    if list(scores.columns) != list(_COLUMNS) or not np.isfinite(scores[list(SET_SCORES)].to_numpy(float)).all():
        raise PredictionsError(f"{folder / _SCORES}: is not what CellVote wrote. Train again.")
    if note.classes != tuple(classes):
        raise PredictionsError(
            f"{folder / _NOTE}: is of the classes {', '.join(note.classes)}, and the classifier tells apart "
            f"{', '.join(classes)}. Copy the whole folder again, or train again."
        )
    return VoteCalibration(note.classes, scores, note.pooling)
