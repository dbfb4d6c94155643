"""The cut of conformal sets: which scores still belong in, where whole wells or plates calibrate.

Cells of one well are no independent witnesses, so the unit that is exchangeable is the well, or the plate, and each
counts as one however many cells it holds (Dunn, Wasserman & Ramdas, *JASA* 118, 2023; Lee, Barber & Willett,
"Distribution-free inference with hierarchical data", arXiv:2306.06342). With K units the p-value of a score s is

    p(s) = [ Σ_k (share of unit k with a score ≥ s) + own(s) ] / (K + 1)

and a class is in the set where p > 1 − level. ``own`` is the share of the new unit itself with a score ≥ s. Of a new
plate nothing is known of that: own = 1, as in the papers. But all cells of a well have the same class, so under the
hypothesis that this is the class in question, the scores of the new well are all there, and ``own`` is counted. The
new cell is then one drawn from K + 1 exchangeable wells, all seen, so that P(p ≤ α) ≤ α holds exactly, and the sets are
no larger than they need be.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_EPSILON: Final = 1e-9


def least_units(level: float) -> int:
    """How many units can calibrate sets of a level: with fewer, no class could ever be left out.

    90 % takes 9, 95 % takes 19, 99 % takes 99.
    """
    return math.ceil(1 / (1 - level) - _EPSILON) - 1


@dataclass(frozen=True)
class Cut:
    """Where scores stop to belong in.

    Attributes
    ----------
    scores
        (M,) calibrating scores, ascending.
    above
        (M + 1,) summed weight of the scores that are at least this high; last 0.
    budget
        α (K + 1): a score belongs in where ``above`` and ``own`` come to more.
    sure, most
        A score up to ``sure`` belongs in whatever its own unit is like; one beyond ``most`` never does.
    """

    scores: Floats
    above: Floats
    budget: float
    sure: float
    most: float


def make_cut(scores: Floats, weights: Floats, n_units: int, level: float) -> Cut:
    """Sort the scores of K units; the weights of each unit sum to 1.

    Raises
    ------
    ValueError
        With fewer than `least_units`.
    """
    if n_units < least_units(level):
        raise ValueError(f"{n_units} units cannot calibrate {level}")
    order = np.argsort(scores, kind="stable")
    ascending = scores[order]
    above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    first = np.searchsorted(ascending, ascending, side="left")  # of equal scores, all count
    budget = (1 - level) * (n_units + 1)
    at_score = above[first]

    def last(enough: npt.NDArray[np.bool_]) -> float:
        return float(ascending[enough][-1]) if enough.any() else -np.inf

    return Cut(
        ascending,
        above,
        budget,
        sure=last(at_score > budget + _EPSILON),
        most=last(at_score + 1 > budget + _EPSILON),
    )


def belongs_in(
    scores: Floats, cut: Cut, unit: Codes | None = None, unit_sizes: Codes | None = None
) -> npt.NDArray[np.bool_]:
    """(N,) whether the class that the scores are of belongs in the set of each row.

    Parameters
    ----------
    scores
        (N,) of one class.
    unit, unit_sizes
        (N,) which new well each row is in, and (U,) their sizes, where all rows of a well are there; None where
        nothing is known of the rest of its unit.
    """
    held: npt.NDArray[np.bool_] = scores <= cut.sure
    possible = scores <= cut.most
    near = np.flatnonzero(possible & ~held)
    if not len(near):
        return held
    if unit is None or unit_sizes is None:
        held[near] = True
        return held
    beyond = unit_sizes - np.bincount(unit[possible], minlength=len(unit_sizes))
    own_unit, own = unit[near], scores[near].astype(np.float64)
    order = np.lexsort((-own, own_unit))
    in_unit, sorted_scores = own_unit[order], own[order]
    starts = np.flatnonzero(np.diff(in_unit, prepend=-1))
    start_of = np.repeat(starts, np.diff(starts, append=len(order)))
    run = np.flatnonzero(np.append((np.diff(in_unit) != 0) | (np.diff(sorted_scores) != 0), True))
    last_equal = run[np.searchsorted(run, np.arange(len(order)))]  # of equal scores, all count
    at_least = np.empty(len(near))
    at_least[order] = last_equal - start_of + 1
    share = (beyond[own_unit] + at_least) / unit_sizes[own_unit]
    above = cut.above[np.searchsorted(cut.scores, own, side="left")]
    held[near] = above + share > cut.budget + _EPSILON
    return held
