"""Intervals of metrics, by drawing anew what was drawn: wells, or whole plates or compounds, never cells.

Ten thousand cells of twenty wells are twenty witnesses. Everything here works on counts of each cluster, so a million
cells cost no more than their wells.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Interval = list[float] | None

N_DRAWS: Final = 2000
LEAST_CLUSTERS: Final = 3
"""With fewer there is no interval."""

_PERCENTILES: Final = (2.5, 97.5)
_AT_ONCE: Final = 20_000_000
"""Numbers of a block of draws: what is held in memory at a time."""


def resample(totals: Floats, statistic: Callable[[Floats], Floats], seed: int = 0) -> Floats:
    """Give the values of a statistic of sums, with the clusters drawn anew (bootstrap).

    Parameters
    ----------
    totals
        (C, M) what each cluster adds to M sums.
    statistic
        From (B, M) sums of B draws to (B, S) values.

    Returns
    -------
    ndarray
        (`N_DRAWS`, S).
    """
    n = len(totals)
    random = np.random.default_rng(seed)
    step = max(1, min(N_DRAWS, _AT_ONCE // max(n, totals.shape[1], 1)))
    values = []
    for start in range(0, N_DRAWS, step):
        draws = random.multinomial(n, np.full(n, 1 / n), size=min(step, N_DRAWS - start))
        values.append(statistic(draws @ totals))
    return np.concatenate(values)


def percentile_intervals(values: Floats) -> list[Interval]:
    """95 % interval of each column of (B, S) drawn values; None where none was a number."""
    found: list[Interval] = []
    for column in values.T:
        known = column[np.isfinite(column)]
        found.append([float(x) for x in np.percentile(known, _PERCENTILES)] if len(known) else None)
    return found


def wilson(share: float, n: int) -> Interval:
    """95 % interval of a share of n independent entries (Wilson 1927)."""
    if n < 1:
        return None
    found = binomtest(round(n * share), n).proportion_ci(0.95, "wilson")
    return [float(found.low), float(found.high)]


def number_clusters(clusters: Ints) -> tuple[Ints, int]:
    """Number clusters from 0; give the numbers and how many there are."""
    names, cluster = np.unique(clusters, return_inverse=True)
    return np.asarray(cluster, np.int64).reshape(-1), len(names)


def paired_difference(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], clusters: Ints) -> Interval:
    """95 % interval of how much more often one is right than the other, on the same wells; None with too few.

    Parameters
    ----------
    one, other
        (W,) which wells each gets right.
    clusters
        (W,) what is drawn anew: the wells themselves, or the plates or compounds that they belong to.
    """
    cluster, n = number_clusters(clusters)
    if n < LEAST_CLUSTERS:
        return None
    more = np.bincount(cluster, weights=one.astype(float) - other, minlength=n)
    totals = np.stack([more, np.bincount(cluster, minlength=n).astype(np.float64)], axis=1)
    return percentile_intervals(resample(totals, lambda sums: sums[:, :1] / sums[:, 1:]))[0]
