"""Whether a number of the wells hangs on where they lie: on the plate's edge, its rows, its columns.

All statistics are of wells, never of cells: cells of one well are no independent samples of positions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from cellvote.plates.wells import well_position

Axis = Literal["edge", "rows", "columns"]
AXES: Final[tuple[Axis, ...]] = ("edge", "rows", "columns")
GRADIENTS: Final[tuple[Axis, ...]] = ("rows", "columns")

LEAST_WELLS: Final = 8
"""With fewer wells that have a value nothing is tested."""

LEAST_GROUP: Final = 4
"""The edge is tested where at least so many wells lie on it and as many within; a gradient over as many places."""

_CONFOUNDED_P: Final = 0.01
_NORMAL: Final = 1.4826  # the standard deviation of a normal distribution, in median absolute deviations

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PositionEffect:
    """How strongly one aspect of the position shows.

    Attributes
    ----------
    size
        Of the edge: the median of the edge wells minus that of the inner wells, in robust standard deviations
        (1.4826 × the median absolute deviation from their own group's median). Of rows and columns: Spearman's
        rank correlation with the row or column number.
    p
        Two-sided, of the Mann–Whitney test or of the correlation, after Holm's correction for all that were
        tested together.
    n
        Wells.
    n_edge
        How many of these lie on the edge; 0 for gradients.
    """

    size: float
    p: float
    n: int
    n_edge: int = 0


PositionEffects = dict[Axis, PositionEffect]
"""What could be tested; an aspect for which there are too few wells is not in it."""


def position_effects(values: Mapping[str, float], shape: tuple[int, int]) -> PositionEffects:
    """Test the wells of one plate for an effect of the edge, and for gradients along rows and columns.

    Parameters
    ----------
    values
        Well name to number; wells without a finite number are left out.
    shape
        Rows and columns of the plate.

    Returns
    -------
    dict
        Empty where fewer than `LEAST_WELLS` wells have a number, or all have the same.
    """
    wells = [well for well, value in values.items() if np.isfinite(value)]
    numbers = np.array([values[well] for well in wells], float)
    if len(wells) < LEAST_WELLS or np.ptp(numbers) == 0:
        return {}
    places = _places(wells, shape)
    edge = places["edge"] == 1
    found: PositionEffects = {}
    if min(edge.sum(), (~edge).sum()) >= LEAST_GROUP:
        p = float(stats.mannwhitneyu(numbers[edge], numbers[~edge]).pvalue)
        found["edge"] = PositionEffect(_edge_size(numbers, edge), p, len(wells), int(edge.sum()))
    for axis in GRADIENTS:
        if len(np.unique(places[axis])) >= LEAST_GROUP:
            rho = stats.spearmanr(places[axis], numbers)
            found[axis] = PositionEffect(float(rho.statistic), float(rho.pvalue), len(wells))
    corrected = holm([effect.p for effect in found.values()])
    return {axis: replace(effect, p=p) for (axis, effect), p in zip(found.items(), corrected, strict=True)}


def _edge_size(numbers: Floats, edge: npt.NDArray[np.bool_]) -> float:
    middle = np.where(edge, np.median(numbers[edge]), np.median(numbers[~edge]))
    away = np.abs(numbers - middle)
    spread = _NORMAL * float(np.median(away)) or float(np.sqrt(np.mean(away**2)))
    difference = float(np.median(numbers[edge]) - np.median(numbers[~edge]))
    return difference / spread if spread else float(np.sign(difference)) * float("inf")


def holm(p_values: list[float]) -> list[float]:
    """Correct p-values for being tested together.

    After Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    corrected = [1.0] * len(p_values)
    so_far = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, p_values[i] * (len(p_values) - rank)))
        corrected[i] = so_far
    return corrected


def confounded_axes(treatments: Mapping[str, str], shape: tuple[int, int]) -> frozenset[Axis]:
    """Name the aspects of position that treatments go along with: there, one cannot be told from the other.

    Treatments in one well each count as one group beside those that were repeated, the controls mostly. An
    aspect is named where the groups lie differently (Kruskal–Wallis, p < 0.01).

    Parameters
    ----------
    treatments
        Well name to treatment, of one plate; wells without one are left out.
    """
    treated = {well: treatment for well, treatment in treatments.items() if treatment}
    repeats = Counter(treated.values())
    names = [treatment if repeats[treatment] > 1 else "" for treatment in treated.values()]
    groups = np.unique(names, return_inverse=True)[1]
    enough = np.bincount(groups, minlength=1)[groups] > 1  # a single well that was not repeated is no group
    groups = np.unique(groups[enough], return_inverse=True)[1]
    if len(groups) < LEAST_WELLS or groups.max() == 0:
        return frozenset()
    places = _places(list(treated), shape)
    return frozenset(axis for axis in AXES if _kruskal_p(places[axis][enough], groups) < _CONFOUNDED_P)


def _places(wells: list[str], shape: tuple[int, int]) -> dict[Axis, Ints]:
    """Say of each well whether it lies on the edge (1 or 0), its row and its column."""
    rows, columns = np.array([well_position(well) for well in wells], np.int64).reshape(-1, 2).T
    edge = (rows == 1) | (columns == 1) | (rows == shape[0]) | (columns == shape[1])
    return {"edge": edge.astype(np.int64), "rows": rows, "columns": columns}


def _kruskal_p(values: Ints, groups: Ints) -> float:
    """Test whether groups differ, as ``scipy.stats.kruskal`` does, which is slow where there are hundreds of them."""
    n, counts = len(values), np.bincount(groups)
    ties = np.unique(values, return_counts=True)[1].astype(float)
    correction = 1 - float((ties**3 - ties).sum()) / (n**3 - n)
    if correction <= 0:  # all in one place
        return 1.0
    sums = np.bincount(groups, weights=stats.rankdata(values))
    h = (12 / (n * (n + 1)) * float((sums**2 / counts).sum()) - 3 * (n + 1)) / correction
    return float(stats.chi2.sf(h, len(counts) - 1))
