"""Votes: the class of a field, well or treatment, from the predictions of its cells."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, Field

from cellvote.errors import PredictionsError
from cellvote.study.field_flags import FLAGS_COLUMN, Flag, has_flag

TIE: Final = "tie"
"""The class of a group where two classes lead."""

NO_VOTE: Final = "too few cells"
"""The class of a group with fewer cells than asked for."""

PREFIX: Final = "probability_"

LEVELS: Final[dict[str, list[str]]] = {
    "field": ["plate", "well", "field"],
    "well": ["plate", "well"],
    "treatment": ["treatment"],
}
"""What makes a group, by the name of the level."""

_NO_CLASSES: Final = frozenset({"plate", "well", "field", "treatment", "label_id", "fold", "probability"})


class VoteSettings(BaseModel, frozen=True, extra="forbid"):
    """How cells vote; the dock, the command line, recipes and the saved file are made from this."""

    method: Literal["majority", "mean-probability"] = Field(
        "majority",
        title="Method",
        description="majority: one cell, one vote; mean-probability: doubtful cells count less",
    )
    min_cells: int = Field(10, ge=1, le=1_000_000, title="Least cells", description="With fewer cells there is no vote")
    exclude_flags: tuple[Flag, ...] = Field(
        (),
        title="Leave out fields that are",
        description="Cells of fields with one of these flags of image quality have no say: empty, out_of_focus, "
        "saturated, uneven; empty: all have one",
    )


def class_columns(predictions: pd.DataFrame, by: Sequence[str] = ()) -> dict[str, str]:
    """Find the columns that hold class probabilities: class name to column name, in the table's order.

    These are the columns that start with ``probability_``; where there are none, every floating-point column
    that is not a key.

    Raises
    ------
    PredictionsError
        Where there are fewer than two.
    """
    named = {str(c).removeprefix(PREFIX): str(c) for c in predictions if str(c).startswith(PREFIX)}
    if not named:
        keys = _NO_CLASSES | set(by)
        named = {
            str(c): str(c)
            for c in predictions
            if c not in keys and not str(c).startswith("centroid_") and pd.api.types.is_float_dtype(predictions[c])
        }
    if len(named) < 2:
        raise PredictionsError("the predictions have no class probabilities: one column for each class is needed.")
    return named


def vote(
    predictions: pd.DataFrame, by: Sequence[str] = ("plate", "well"), settings: VoteSettings | None = None
) -> pd.DataFrame:
    """Let the cells of each group vote.

    Parameters
    ----------
    predictions
        One row per cell: the columns of ``by``, then one column per class (``probability_NAME`` or ``NAME``),
        rows summing to 1.
        With ``exclude_flags`` also ``flags``, as from `study.field_flags.with_flags`.
    by
        What makes a group, for example ``("plate", "well")``. A group none of whose cells has a say is not voted on.

    Returns
    -------
    DataFrame
        One row per group, sorted: the columns of ``by``; ``class`` (`NO_VOTE` below ``min_cells``, `TIE` where
        two lead), ``share`` of the winner, ``margin`` to the runner-up, ``n_cells``, ``agreement`` (which share
        of the wells of a treatment, or fields of a well, would vote the same; not a number where there is only
        one) and ``share_NAME`` of every class.

    Raises
    ------
    PredictionsError
        Where a column of ``by`` is missing, or a row does not sum to 1 (the first such cell is named), or flags are
        to be left out and not known.
    """
    settings = settings or VoteSettings()
    predictions = that_have_a_say(predictions, settings)
    by = list(by)
    missing = [column for column in by if column not in predictions]
    if missing:
        raise PredictionsError(f"the predictions have no column {missing[0]!r} to vote by.")
    classes = class_columns(predictions, by)
    probabilities = predictions[list(classes.values())].to_numpy(float)
    _check_sums(predictions, probabilities)
    ballots = _ballots(probabilities, settings.method)
    result = _count(predictions[by], ballots, list(classes), settings.min_cells)
    result.insert(len(by) + 4, "agreement", _agreement(predictions, by, ballots, list(classes), result))
    return result


def that_have_a_say(predictions: pd.DataFrame, settings: VoteSettings) -> pd.DataFrame:
    """Leave out the cells of fields with a flag that the settings name.

    Raises
    ------
    PredictionsError
        Where there is no column of flags.
    """
    if not settings.exclude_flags:
        return predictions
    if FLAGS_COLUMN not in predictions:
        raise PredictionsError(
            "fields are to be left out for their image quality, and the predictions do not know it: add the column "
            f"{FLAGS_COLUMN!r} with study.field_flags.with_flags."
        )
    return predictions[~has_flag(predictions[FLAGS_COLUMN], settings.exclude_flags)]


def _check_sums(predictions: pd.DataFrame, probabilities: npt.NDArray[np.float64]) -> None:
    wrong = ~(np.abs(probabilities.sum(axis=1) - 1) < 1e-3)
    if wrong.any():
        row = predictions.iloc[int(np.argmax(wrong))]
        where = ", ".join(f"{c} {row[c]}" for c in ("plate", "well", "field", "label_id") if c in row)
        raise PredictionsError(f"the class probabilities of the cell {where or row.name} do not sum to 1.")


def _ballots(probabilities: npt.NDArray[np.float64], method: str) -> npt.NDArray[np.float64]:
    """What each cell puts into the box: all for its likeliest class, or its probabilities; (N, K)."""
    if method == "mean-probability":
        return probabilities
    top = probabilities == probabilities.max(axis=1, keepdims=True)
    return np.asarray(top / top.sum(axis=1, keepdims=True))  # a cell that cannot decide splits its vote


def _count(groups: pd.DataFrame, ballots: npt.NDArray[np.float64], classes: list[str], min_cells: int) -> pd.DataFrame:
    by = list(groups.columns)
    table = groups.reset_index(drop=True).assign(**{f"share_{c}": ballots[:, i] for i, c in enumerate(classes)})
    grouped = table.groupby(by, sort=True, observed=True)
    shares = grouped.mean()
    counts = grouped.size().to_numpy()
    values = shares.to_numpy()
    ranked = np.sort(values, axis=1)[:, ::-1]
    margin = ranked[:, 0] - ranked[:, 1]
    names = np.array(classes, object)[values.argmax(axis=1)] if len(values) else np.array([], object)
    names = np.where(margin < 1e-9, TIE, names)
    names = np.where(counts < min_cells, NO_VOTE, names)
    result = shares.index.to_frame(index=False)
    result["class"] = pd.Series(names, dtype="str")
    result["share"], result["margin"], result["n_cells"] = ranked[:, 0], margin, counts
    return pd.concat([result, shares.reset_index(drop=True)], axis=1)


def _agreement(
    predictions: pd.DataFrame,
    by: list[str],
    ballots: npt.NDArray[np.float64],
    classes: list[str],
    result: pd.DataFrame,
) -> pd.Series:
    """Say which share of the parts of each group vote like the whole."""
    finer = next(
        (c for c in (["plate", "well"], ["field"]) if set(c) <= set(predictions) and not set(c) <= set(by)),
        [],
    )
    if not finer or "field" in by:
        return pd.Series(np.nan, index=result.index)
    parts = _count(predictions[list(dict.fromkeys([*by, *finer]))], ballots, classes, 1)
    joined = parts[[*by, "class"]].merge(result[[*by, "class"]], on=by, suffixes=("_part", ""))
    same = (joined["class_part"] == joined["class"]).groupby([joined[c] for c in by], sort=True)
    share = same.mean().where(same.size() > 1)
    said = (result["class"] != NO_VOTE).to_numpy()
    return pd.Series(np.where(said, share.to_numpy(), np.nan), index=result.index)


def votes_to_json(votes: pd.DataFrame) -> list[dict[str, object]]:
    """Write votes as plain values for ``cellvote vote --json``; what is not known is null."""
    keys = [c for c in ("plate", "well", "field", "treatment") if c in votes]
    others = [c for c in votes.columns[: list(votes.columns).index("class")] if c not in keys]
    shares = [c for c in votes if str(c).startswith("share_")]
    rows: list[dict[str, object]] = []
    for row in votes.to_dict("records"):
        plain: dict[str, object] = {c: row[c] for c in [*keys, *others]}
        plain |= {
            "class": row["class"],
            "share": row["share"],
            "margin": row["margin"],
            "n_cells": row["n_cells"],
        }
        plain["agreement"] = None if pd.isna(row["agreement"]) else row["agreement"]
        plain["set"] = None  # no conformal set is calibrated yet
        plain["shares"] = {str(c).removeprefix("share_"): row[c] for c in shares}
        rows.append(plain)
    return rows
