"""Which columns of profiles say something, and something of their own."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cellvote.profiling.sphering import has_spread

Floats = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]


class Selection(NamedTuple):
    """What was chosen of the columns, and how many were dropped for which reason."""

    kept: Chosen
    n_missing: int
    n_constant: int
    n_correlated: int

    def __str__(self) -> str:
        return (
            f"{int(self.kept.sum())} of {len(self.kept)} columns selected: {self.n_missing} are missing in many wells, "
            f"{self.n_constant} constant, {self.n_correlated} nearly the same as another"
        )


def select_columns(profiles: Floats, max_missing: float, max_correlation: float) -> Selection:
    """Drop columns that are missing in many wells, constant, or nearly the same as another.

    Of two columns whose absolute correlation is above ``max_correlation`` the one that is more like all others goes,
    as in pycytominer's ``feature_select`` (which looks at positive correlations only).

    Parameters
    ----------
    profiles
        (wells, columns), of the wells that have a profile; not a number where a number is missing.
    """
    there = np.isfinite(profiles)
    n_wells = max(len(profiles), 1)
    missing = (~there).sum(axis=0) / n_wells > max_missing
    missing |= ~there.any(axis=0)
    varying = np.zeros(profiles.shape[1], np.bool_)
    known = np.where(there, profiles, np.nan)[:, ~missing]
    if known.size:
        varying[~missing] = has_spread(np.nanstd(known, axis=0), np.nanmean(known, axis=0))
    candidates = np.flatnonzero(varying)
    dropped = _too_alike(profiles[:, candidates], max_correlation)
    kept = varying.copy()
    kept[candidates[dropped]] = False
    n_constant = int((~missing & ~varying).sum())
    return Selection(kept, int(missing.sum()), n_constant, int(dropped.sum()))


def _too_alike(profiles: Floats, max_correlation: float) -> Chosen:
    n = profiles.shape[1]
    if n < 2 or len(profiles) < 2:
        return np.zeros(n, np.bool_)
    correlation = np.abs(_correlations(profiles))
    likeness = correlation.sum(axis=0)
    # Ties fall on the later column, so that the same ones go on every machine.
    order = np.lexsort((np.arange(n), np.round(likeness, 9)))
    rank = np.empty(n, np.intp)
    rank[order] = np.arange(n)
    alike = correlation > max_correlation
    np.fill_diagonal(alike, val=False)
    return np.asarray((alike & (rank[None, :] < rank[:, None])).any(axis=1))


def _correlations(profiles: Floats) -> Floats:
    """Correlate columns pairwise over the wells in which both have a number; 0 where these do not tell."""
    there = np.isfinite(profiles)
    if there.all():
        return np.asarray(np.corrcoef(profiles, rowvar=False), np.float64)
    scale = np.nanmax(np.abs(profiles), axis=0)
    x = np.where(there, profiles / np.where(scale > 0, scale, 1), 0.0)
    x -= np.where(there, x.sum(axis=0) / there.sum(axis=0), 0.0)
    weight = there.astype(np.float64)
    n = weight.T @ weight
    sum_a, sum_b = x.T @ weight, weight.T @ x
    square_a, square_b = (x**2).T @ weight, weight.T @ (x**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = x.T @ x - sum_a * sum_b / n
        spread = np.sqrt((square_a - sum_a**2 / n) * (square_b - sum_b**2 / n))
        return np.asarray(np.nan_to_num(covariance / spread, nan=0.0, posinf=0.0, neginf=0.0), np.float64)
