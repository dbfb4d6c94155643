"""Conformal sets: for each cell, field, well or treatment the classes that it may well be.

The set holds the true class in at least the asked share of cases, whatever the classifier, as long as what is new is
like what calibrated: another well of such plates, or another such plate (`cuts` has the method, and docs/votes.md what
it promises). It is calibrated on predictions by models that never saw the well. Whoever is predicted held out is
judged by the wells of other folds alone (cross-conformal, Vovk, *Ann. Math. Artif. Intell.* 74, 2015).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.plates.acquisition import FIELD, WELL
from cellvote.voting.cuts import Cut, belongs_in, least_units, make_cut
from cellvote.voting.pooling import Pooling
from cellvote.voting.set_scores import chance_of, score_classes
from cellvote.voting.settings import IN_SET, LEVELS, NO_VOTE, SHARE, VoteSettings
from cellvote.voting.vote import class_columns

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NEW: Final = ""
"""Left out together with nothing: what no model was trained on."""

_CELLS_AT_ONCE: Final = 100_000


@dataclass(frozen=True)
class Cuts:
    """The cuts of one level.

    Attributes
    ----------
    unit
        What calibrates, and what the sets hold for: ``well``, ``plate`` or ``treatment``.
    n_units
        How many do, of all; those that are left out for a held-out well are among them.
    of
        For what is left out together, one cut for each class; the same one where classes are not told apart.
    """

    unit: str
    n_units: int
    of: dict[str, list[Cut]]


@dataclass(frozen=True)
class VoteCalibration:
    """What was learned of votes from wells whose class is known.

    Attributes
    ----------
    classes
        In the classifier's order.
    scores
        One row per calibrating cell, field, well and treatment: ``level``, ``method`` (empty for cells), ``plate``,
        ``unit`` (well, or treatment), ``apart`` (what is left out together: the fold, or the treatment),
        ``class_name``, ``n_cells``, ``weight`` (its share of the unit) and a score of the true class by each of
        `settings.SET_SCORES`.
    pooling
        Which cells to listen to; None where it was not learned.
    """

    classes: tuple[str, ...]
    scores: pd.DataFrame
    pooling: Pooling | None = None

    def cuts(self, level: str, settings: VoteSettings, apart: Iterable[str] = (NEW,)) -> Cuts | str:
        """Cut the scores of a level; where that cannot be done honestly, say why.

        Parameters
        ----------
        apart
            Those that are to be judged, by what they are left out with; `NEW` for what no model has seen.
        """
        if settings.set_level is None:
            return "no sets were asked for."
        method = "" if level == "cell" else settings.method
        own = self.scores[(self.scores["level"] == level) & (self.scores["method"] == method)]
        own = own[own["n_cells"] >= settings.min_cells] if method else own
        groups = list(dict.fromkeys(apart)) or [NEW]
        if own.empty:
            return f"no {level or 'group of this kind'} of a known class calibrates them."
        reason = ""
        for unit in _units(level, settings):
            found, short = _cut_by(unit, own, settings, groups, self.classes)
            if found is not None:
                return found
            reason = short
        return reason

    def add_sets(
        self, votes: pd.DataFrame, predictions: pd.DataFrame, by: list[str], settings: VoteSettings
    ) -> pd.DataFrame:
        """Give votes their sets: ``in_set_NAME`` of every class; none are added where they cannot be had.

        Parameters
        ----------
        votes
            As from `vote.vote`: the groups of ``by``, sorted.
        predictions
            The cells that voted.
        """
        level = next((name for name, keys in LEVELS.items() if keys == by), "")
        groups = groups_apart(predictions, by, votes)
        voted = (votes["class"] != NO_VOTE).to_numpy()
        found = self.cuts(level, settings, groups[voted])
        if isinstance(found, str):
            return votes
        shares = votes[[f"{SHARE}{name}" for name in self.classes]].to_numpy(float)[voted]
        held = np.zeros((len(votes), len(self.classes)), bool)
        table = votes[voted]
        wells = _codes(table, WELL if (table["well"] != "").all() else FIELD) if level == "field" else None
        scores = score_classes(shares, settings.set_score, chance_of(table))
        held[voted] = _sets(scores, found, groups[voted], wells)
        return pd.concat([votes, pd.DataFrame(held, votes.index, self._columns())], axis=1)

    def cell_sets(self, predictions: pd.DataFrame, settings: VoteSettings) -> pd.DataFrame | str:
        """Give every cell its set; where that cannot be done honestly, say why.

        Parameters
        ----------
        predictions
            As `vote.vote` takes them; every predicted cell of a well should be there.

        Returns
        -------
        DataFrame
            ``plate``, ``well``, ``field``, ``label_id`` (where it is known) and ``in_set_NAME`` of every class.
        """
        apart = folds_apart(predictions)
        found = self.cuts("cell", settings, pd.unique(pd.Series(apart)))
        if isinstance(found, str):
            return found
        columns = class_columns(predictions)
        arrays = [predictions[columns[name]].to_numpy() for name in self.classes]
        wells = _codes(predictions, _unit_columns(predictions)) if len(predictions) else np.zeros(0, np.int64)
        if settings.set_score == "lac":
            parts = _parts(found, apart, wells)
            held = [_held(1 - array, number, parts) for number, array in enumerate(arrays)]
        else:
            held = list(self._cell_sets_by_wells(predictions, arrays, found, settings, apart, wells).T)
        keys = [c for c in (*FIELD, "label_id") if c in predictions]
        sets = pd.DataFrame(dict(zip(self._columns(), held, strict=True)), index=predictions.index)
        return pd.concat([predictions[keys], sets], axis=1)

    def _cell_sets_by_wells(
        self,
        predictions: pd.DataFrame,
        arrays: list[npt.NDArray[Any]],
        found: Cuts,
        settings: VoteSettings,
        apart: npt.NDArray[np.object_],
        wells: npt.NDArray[np.int64],
    ) -> Bools:
        """Score all classes together, some whole wells at a time: the scores of all cells need not fit in memory."""
        result = np.zeros((len(wells), len(arrays)), bool)
        order = np.argsort(wells, kind="stable")
        starts = np.flatnonzero(np.diff(wells[order], prepend=-1))
        chance = chance_of(predictions)
        begin = 0
        for end in [*starts[1:].tolist(), len(order)]:
            if end - begin < _CELLS_AT_ONCE // len(arrays) and end < len(order):
                continue
            rows = order[begin:end]
            some = np.stack([array[rows] for array in arrays], axis=1).astype(float)
            scores = score_classes(some, settings.set_score, chance[rows])
            result[rows] = _sets(scores, found, apart[rows], wells[rows])
            begin = end
        return result

    def _columns(self) -> list[str]:
        return [f"{IN_SET}{name}" for name in self.classes]


def folds_apart(predictions: pd.DataFrame) -> npt.NDArray[np.object_]:
    """(N,) what each cell is left out with: the fold that held it out, `NEW` where it took no part in training."""
    if "fold" not in predictions:
        return np.full(len(predictions), NEW, object)
    folds, rows = np.unique(predictions["fold"].to_numpy(np.int64), return_inverse=True)
    names = np.array([str(fold) if fold >= 0 else NEW for fold in folds], object)
    return np.asarray(names[rows], object)


def groups_apart(predictions: pd.DataFrame, by: list[str], votes: pd.DataFrame) -> npt.NDArray[np.object_]:
    """(G,) what each group of ``by`` is left out with: its fold; a treatment, spread over folds, with itself."""
    if "fold" not in predictions or votes.empty:
        return np.full(len(votes), NEW, object)
    fold = predictions.groupby(by, sort=True, observed=True)[["fold"]].max().reset_index()
    if by != LEVELS["treatment"]:
        return folds_apart(fold)
    return np.where(fold["fold"] >= 0, fold["treatment"].astype("str").to_numpy(object), NEW)


def _unit_columns(table: pd.DataFrame) -> list[str]:
    """Name what counts as a well: where images have none, each image."""
    return WELL if (table["well"] != "").all() else FIELD


def _codes(table: pd.DataFrame, by: list[str]) -> npt.NDArray[np.int64]:
    return np.asarray(table.groupby(by, sort=True, observed=True).ngroup(), np.int64)


def _units(level: str, settings: VoteSettings) -> tuple[str, ...]:
    """Name what may calibrate a level, what promises most first."""
    if level == "treatment":
        return ("treatment",)
    return ("plate", "well") if settings.set_unit == "auto" else (settings.set_unit,)


def _cut_by(
    unit: str, own: pd.DataFrame, settings: VoteSettings, groups: list[str], classes: tuple[str, ...]
) -> tuple[Cuts | None, str]:
    level, least = settings.set_level or 0.0, least_units(settings.set_level or 0.0)
    names = own["plate"] if unit == "plate" else own["unit"]
    of: dict[str, list[Cut]] = {}
    for group in groups:
        there = own[(own["apart"] != group) | (group == NEW)]
        parts = [there[there["class_name"] == name] for name in classes] if settings.set_per_class else [there]
        cuts = []
        for number, part in enumerate(parts):
            n_units = names[part.index].nunique()
            if n_units < least:
                which = f"{unit}s of {classes[number]!r}" if settings.set_per_class else f"{unit}s"
                others = " besides itself" if unit == "treatment" else " of the other folds"
                among = others if group != NEW else ""
                return None, (
                    f"sets of {100 * level:g} % take at least {least} {which}{among} to calibrate, and there are "
                    f"{n_units}."
                )
            cuts.append(make_cut(part[settings.set_score].to_numpy(), _weights(part, unit), n_units, level))
        of[group] = cuts if settings.set_per_class else cuts * len(classes)
    return Cuts(unit, int(names.nunique()), of), ""


def _weights(scores: pd.DataFrame, unit: str) -> Floats:
    """(M,) weights that sum to 1 in each unit; of a plate, every well counts alike."""
    kept = scores.groupby("unit")["weight"].transform("sum").to_numpy(float)  # of some, fields have too few cells
    weights = scores["weight"].to_numpy(float) / kept
    if unit == "plate":
        wells_of_plate = scores.groupby("plate")["unit"].nunique()
        weights = weights / scores["plate"].map(wells_of_plate).to_numpy(float)
    return np.asarray(weights, np.float64)


@dataclass(frozen=True)
class _Part:
    """Rows that are judged by the same cuts; with the well of each, where the rows of a well are judged together."""

    rows: Any
    cuts: list[Cut]
    unit: npt.NDArray[np.int64] | None
    sizes: npt.NDArray[np.int64] | None


def _parts(cuts: Cuts, apart: npt.NDArray[np.object_], wells: npt.NDArray[np.int64] | None) -> list[_Part]:
    parts = []
    for group, of_class in cuts.of.items():
        chosen = apart == group
        rows = slice(None) if chosen.all() else np.flatnonzero(chosen)
        together = wells is not None and cuts.unit == "well"
        unit = np.unique(wells[rows], return_inverse=True)[1] if wells is not None and together else None
        sizes = np.bincount(unit).astype(np.int64) if unit is not None else None
        parts.append(_Part(rows, of_class, unit, sizes))
    return parts


def _held(scores: npt.NDArray[np.floating[Any]], number: int, parts: list[_Part]) -> Bools:
    """(N,) whether a class of these scores belongs in the set of each row."""
    result = np.zeros(len(scores), bool)
    for part in parts:
        result[part.rows] = belongs_in(scores[part.rows], part.cuts[number], part.unit, part.sizes)
    return result


def _sets(scores: Floats, cuts: Cuts, apart: npt.NDArray[np.object_], wells: npt.NDArray[np.int64] | None) -> Bools:
    """(N, K) which classes belong in."""
    parts = _parts(cuts, apart, wells)
    columns = [_held(scores[:, number], number, parts) for number in range(scores.shape[1])]
    return np.stack(columns, axis=1)
