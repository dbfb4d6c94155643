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

from cellvote.plates.wells import edge_distance, well_position

Axis = Literal["edge", "rows", "columns"]
AXES: Final[tuple[Axis, ...]] = ("edge", "rows", "columns")

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
    places = np.array([well_position(well) for well in wells])
    edge = np.array([edge_distance(well, shape) == 0 for well in wells])
    found: PositionEffects = {}
    if min(edge.sum(), (~edge).sum()) >= LEAST_GROUP:
        p = float(stats.mannwhitneyu(numbers[edge], numbers[~edge]).pvalue)
        found["edge"] = PositionEffect(_edge_size(numbers, edge), p, len(wells), int(edge.sum()))
    gradients: tuple[tuple[Axis, Ints], ...] = (("rows", places[:, 0]), ("columns", places[:, 1]))
    for axis, places_along in gradients:
        if len(np.unique(places_along)) >= LEAST_GROUP:
            rho = stats.spearmanr(places_along, numbers)
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
    groups: dict[str, list[str]] = {}
    for well, treatment in treated.items():
        groups.setdefault(treatment if repeats[treatment] > 1 else "", []).append(well)
    groups = {name: wells for name, wells in groups.items() if len(wells) > 1}
    if len(groups) < 2 or sum(map(len, groups.values())) < LEAST_WELLS:
        return frozenset()
    found: set[Axis] = set()
    for axis in AXES:
        places = [[_place(well, axis, shape) for well in wells] for wells in groups.values()]
        there = {place for group in places for place in group}
        if len(there) > 1 and stats.kruskal(*places).pvalue < _CONFOUNDED_P:
            found.add(axis)
    return frozenset(found)


def _place(well: str, axis: Axis, shape: tuple[int, int]) -> int:
    if axis == "edge":
        return int(edge_distance(well, shape) == 0)
    return well_position(well)[0 if axis == "rows" else 1]
