"""Grey values of a plane, counted once: percentiles, and pixels that pile up at the camera's end.

A camera of 12 bits writes 4095 into files of 16 bits, and software may shift or scale that. So saturation is not
looked for at the end of the data type but in the counts: a tail thins out towards the largest grey value, while
light beyond the camera's end piles up at it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels

PILE_UP: Final = 4.0
"""Saturated: this many times as many pixels at the largest grey value as at a usual one of the upper tail."""

_TAIL_PERCENT: Final = 1.0
_LEAST_PILED: Final = 4


@dataclass(frozen=True)
class GreyValues:
    """What the counts of the grey values of a plane say."""

    minimum: float
    median: float
    maximum: float
    mean: float
    variance: float
    mad: float
    percentile_1: float
    percentile_99: float
    minimal_percent: float
    maximal_percent: float
    saturated_percent: float
    step: float
    """Smallest difference between two grey values that there are; 0 where pixels are real numbers."""

    def figures(self) -> dict[str, float]:
        """Give those that stand in the table."""
        kept = vars(self).copy()
        del kept["mean"], kept["variance"], kept["step"]
        return kept


def count_grey_values(plane: Pixels) -> GreyValues:
    """Count the grey values of a YX plane; what is not finite is left out."""
    values, counts = _histogram(plane)
    n = counts.sum()
    total = np.cumsum(counts)
    mean = float(values @ counts / n)
    median = _quantile(values, total, 0.5)
    away = np.abs(values - median)
    order = np.argsort(away, kind="stable")
    return GreyValues(
        minimum=float(values[0]),
        median=median,
        maximum=float(values[-1]),
        mean=mean,
        variance=float((values - mean) ** 2 @ counts / n),
        mad=_quantile(away[order], np.cumsum(counts[order]), 0.5),
        percentile_1=_quantile(values, total, 0.01),
        percentile_99=_quantile(values, total, 0.99),
        minimal_percent=float(100 * counts[0] / n),
        maximal_percent=float(100 * counts[-1] / n),
        saturated_percent=float(100 * counts[-1] / n) if _piles_up(values, counts) else 0.0,
        step=float(np.diff(values).min()) if len(values) > 1 and plane.dtype.kind != "f" else 0.0,
    )


def _histogram(plane: Pixels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give the grey values that there are, ascending, and how many pixels hold each."""
    flat = plane.ravel()
    if flat.dtype.kind == "u" and flat.dtype.itemsize <= 2:
        counts = np.bincount(flat)
        there = np.flatnonzero(counts)
        return there.astype(float), counts[there]
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
        if not len(flat):
            return np.zeros(1), np.ones(1, np.int64)
    values, counts = np.unique(flat, return_counts=True)
    return values.astype(float), counts


def _quantile(values: npt.NDArray[np.float64], total: npt.NDArray[np.int64], share: float) -> float:
    return float(values[np.searchsorted(total, share * total[-1])])


def _piles_up(values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> bool:
    """Say whether more pixels hold the largest grey value than the tail below it leads one to expect.

    The tail is the brightest hundredth of the other pixels, or the grey values nearest below: the more crowded of
    the two counts, so that a dark plane of five grey values is not taken for a bright one.
    """
    at_end, below = int(counts[-1]), counts[:-1]
    if at_end < _LEAST_PILED:
        return False
    if not len(below):
        return bool(values[-1] > 0)  # of one grey value: black is not saturated
    reverse = np.cumsum(below[::-1])
    n_tail = max(1, int(np.searchsorted(reverse, _TAIL_PERCENT / 100 * reverse[-1])))
    tail = below[::-1][:n_tail]
    return at_end > PILE_UP * max(float(tail.mean()), float(below[-1]))
