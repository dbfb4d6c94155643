"""Votes: the class of a field, well or treatment, from the predictions of its cells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import PredictionsError
from cellvote.study.field_flags import FLAGS_COLUMN, has_flag
from cellvote.voting.ballots import ProbabilitiesError, Tally, count_ballots
from cellvote.voting.settings import (
    IN_SET,
    LEVELS,
    NO_CLASS,
    NO_VOTE,
    PREFIX,
    SHARE,
    TIE,
    UNDECIDED,
    VoteSettings,
)

if TYPE_CHECKING:
    from cellvote.voting.conformal import VoteCalibration

__all__ = [
    "LEVELS",
    "NO_CLASS",
    "NO_VOTE",
    "PREFIX",
    "TIE",
    "UNDECIDED",
    "VoteSettings",
    "check_learned",
    "class_columns",
    "that_have_a_say",
    "vote",
    "votes_to_json",
]

_KEYS: Final = frozenset({"plate", "well", "field", "treatment", "label_id", "fold", "probability"})
_EQUAL: Final = 1e-9
"""Shares that differ by less lead together."""


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
        keys = _KEYS | set(by)
        named = {
            str(c): str(c)
            for c in predictions
            if c not in keys and not str(c).startswith("centroid_") and pd.api.types.is_float_dtype(predictions[c])
        }
    if len(named) < 2:
        raise PredictionsError("the predictions have no class probabilities: one column for each class is needed.")
    return named


def vote(
    predictions: pd.DataFrame,
    by: Sequence[str] = ("plate", "well"),
    settings: VoteSettings | None = None,
    calibration: "VoteCalibration | None" = None,
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
    calibration
        What was learned from wells whose class is known, as from `conformal.fit_conformal`: conformal sets, and
        the vote by attention. Cells with a ``fold`` of 0 or more are judged by the wells of the other folds alone.

    Returns
    -------
    DataFrame
        One row per group, sorted: the columns of ``by``; ``class`` (`NO_VOTE` below ``min_cells``, `TIE` where
        two lead, `UNDECIDED` where margin, agreement or set ask for it), ``share`` of the winner, ``margin`` to the
        runner-up, ``n_cells``, ``agreement`` (which share of the wells of a treatment, or fields of a well, would
        vote the same; not a number where there is only one), ``share_NAME`` of every class and, where sets can be
        had at this level, ``in_set_NAME``.

    Raises
    ------
    PredictionsError
        Where a column of ``by`` is missing, or a row does not sum to 1 (the first such cell is named), flags are
        to be left out and not known, or attention was not learned.
    """
    settings = settings or VoteSettings()
    check_learned(settings, calibration)
    predictions = that_have_a_say(predictions, settings)
    by = list(by)
    missing = [column for column in by if column not in predictions]
    if missing:
        raise PredictionsError(f"the predictions have no column {missing[0]!r} to vote by.")
    classes = class_columns(predictions, by)
    unplaced = predictions[by].isna().any(axis=1)
    if unplaced.any():
        predictions = predictions[~unplaced]
    result = _Box(predictions, by, classes, settings, calibration).result()
    if calibration is not None and settings.set_level is not None:
        result = calibration.add_sets(result, predictions, by, settings)
    if settings.undecided_unless_single:
        result["class"] = _decided_by_sets(result, list(classes))
    return result


def check_learned(settings: VoteSettings, calibration: "VoteCalibration | None") -> None:
    """See that what was learned in training is there where a vote asks for it.

    Raises
    ------
    PredictionsError
        Where it is not.
    """
    if settings.method == "attention" and (calibration is None or calibration.pooling is None):
        raise PredictionsError(
            "votes by attention are learned when a classifier is trained, and this one has learned none. Train it "
            "again, or choose another --method."
        )
    if settings.undecided_unless_single and calibration is None:
        raise PredictionsError(
            "votes are to be decided by conformal sets, and this classifier was trained before votes were calibrated. "
            "Train it again, or vote with --set undecided_unless_single=false."
        )


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


class _Box:
    """The ballots of one vote: counted once, by the finest parts that are asked about, then put together."""

    def __init__(
        self,
        predictions: pd.DataFrame,
        by: list[str],
        classes: dict[str, str],
        settings: VoteSettings,
        calibration: "VoteCalibration | None",
    ) -> None:
        self.predictions, self.by, self.settings = predictions, by, settings
        self.names = np.array(list(classes), object)
        self.columns = [predictions[column].to_numpy() for column in classes.values()]
        self.pooling = calibration.pooling if calibration is not None else None
        finer = next(
            (c for c in (["plate", "well"], ["field"]) if set(c) <= set(predictions) and not set(c) <= set(by)), []
        )
        self.finer = [] if "field" in by else [c for c in finer if c not in by]
        keys = [*by, *self.finer]
        grouped = predictions.groupby(keys, sort=True, observed=True)
        self.part_of_cell = np.asarray(grouped.ngroup(), np.int64)
        self.parts = grouped.size().index.to_frame(index=False)
        outer = self.parts.groupby(by, sort=True, observed=True)
        self.group_of_part = np.asarray(outer.ngroup(), np.int64)
        self.groups = outer.size().index.to_frame(index=False)[by]

    def count(self, method: str, rows: npt.NDArray[np.bool_] | None = None) -> Tally:
        """Count the ballots of all cells, or of some, by part."""
        fold = self.predictions["fold"].to_numpy(np.int64) if "fold" in self.predictions else None
        columns, parts = self.columns, self.part_of_cell
        if rows is not None:
            columns, parts = [column[rows] for column in columns], parts[rows]
            fold = None if fold is None else fold[rows]
        try:
            return count_ballots(columns, parts, len(self.parts), method, pooling=self.pooling, fold=fold)
        except ProbabilitiesError as error:
            raise error.naming(self.predictions) from error

    def result(self) -> pd.DataFrame:
        """Say what every group voted."""
        by_part = self.count(self.settings.method)
        whole = by_part.merged(self.group_of_part, len(self.groups))
        shares = whole.shares()
        said, margin = self._winners(shares, self.group_of_part)
        agreement = self._agreement(by_part, said)
        names = np.append(self.names, TIE)[said]
        with np.errstate(invalid="ignore"):
            doubtful = (margin < self.settings.min_margin - _EQUAL) | (agreement < self.settings.min_agreement - _EQUAL)
        names = np.where(doubtful & (names != TIE), UNDECIDED, names)
        few = whole.n_cells < self.settings.min_cells
        result = self.groups.copy()
        result["class"] = pd.Series(np.where(few, NO_VOTE, names), dtype="str")
        result["share"], result["margin"] = shares.max(axis=1, initial=0.0), margin
        result["n_cells"] = whole.n_cells
        result["agreement"] = np.where(few, np.nan, agreement)
        table = pd.DataFrame(shares, columns=[f"{SHARE}{name}" for name in self.names])
        return pd.concat([result, table], axis=1)

    def _winners(
        self, shares: npt.NDArray[np.float64], of_part: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(G,) number of the class that leads in each group, −1 for a tie, and by how much; ``of_part``: its parts."""
        if not len(shares):
            return np.zeros(0, np.int64), np.zeros(0)
        ranked = np.partition(shares, -2, axis=1)[:, -2:]
        margin = ranked[:, 1] - ranked[:, 0]
        said = np.where(margin < _EQUAL, -1, shares.argmax(axis=1))
        tied = said < 0
        if self.settings.tie_rule == "mean-probability" and tied.any():
            tally = self.count("mean-probability", tied[of_part[self.part_of_cell]])
            means = np.where(shares >= ranked[:, 1:] - _EQUAL, tally.merged(of_part, len(shares)).shares(), -1.0)
            best = np.partition(means, -2, axis=1)[:, -2:]
            said = np.where(tied & (best[:, 1] - best[:, 0] >= _EQUAL), means.argmax(axis=1), said)
        return said, margin

    def _agreement(self, by_part: Tally, said: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(G,) which share of the parts of each group votes like the whole."""
        n_groups = len(self.groups)
        if not self.finer or not n_groups:
            return np.full(n_groups, np.nan)
        of_part, _ = self._winners(by_part.shares(), np.arange(len(self.parts)))
        same = np.bincount(self.group_of_part, weights=of_part == said[self.group_of_part], minlength=n_groups)
        n_parts = np.bincount(self.group_of_part, minlength=n_groups)
        return np.where(n_parts > 1, same / n_parts, np.nan)


def _decided_by_sets(votes: pd.DataFrame, classes: list[str]) -> pd.Series:
    """Leave a class only to those whose set holds it, and no other; to none where no sets can be had."""
    columns = [f"{IN_SET}{name}" for name in classes]
    there = columns[0] in votes
    held = votes[columns].to_numpy(bool) if there else np.zeros((len(votes), len(classes)), bool)
    own = np.zeros(len(votes), bool)
    for number, name in enumerate(classes):
        own |= held[:, number] & (votes["class"] == name).to_numpy()
    single = own & (held.sum(axis=1) == 1)
    return votes["class"].where(single | votes["class"].isin(NO_CLASS).to_numpy(), UNDECIDED)


def votes_to_json(votes: pd.DataFrame) -> list[dict[str, object]]:
    """Write votes as plain values for ``cellvote vote --json``; what is not known is null."""
    keys = [c for c in ("plate", "well", "field", "treatment") if c in votes]
    others = [c for c in votes.columns[: list(votes.columns).index("class")] if c not in keys]
    shares = [c for c in votes if str(c).startswith(SHARE)]
    sets = [c for c in votes if str(c).startswith(IN_SET)]
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
        known = bool(sets) and row["class"] != NO_VOTE
        plain["set"] = [str(c).removeprefix(IN_SET) for c in sets if row[c]] if known else None
        plain["shares"] = {str(c).removeprefix(SHARE): row[c] for c in shares}
        rows.append(plain)
    return rows
