"""Sharpness of a plane: how its power falls off towards fine detail."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

_FIRST_RADIUS: Final = 2
_LEAST_RADII: Final = 3
_PART_OF_SIDE: Final = 8
"""Frequencies up to one cycle in this many pixels: beyond, noise has the say."""

_ABOVE_NOISE: Final = 2.0
"""Rings count as long as their mean power is this many times that of the noise."""


def power_slope(plane: npt.NDArray[np.float32]) -> float:
    """Fit a line to the power spectrum in double logarithm: the lower its slope, the more blurred the plane.

    Parameters
    ----------
    plane
        YX float32.

    Returns
    -------
    float
        About −1 to −3 for cells in focus, lower when blurred. Stains differ, so only planes of the same channel can
        be compared. Not a number where the plane has no power or is smaller than 48 pixels.

    Notes
    -----
    After Bray et al. (2012), J. Biomol. Screen. 17, 266, and the measurement PowerLogLogSlope of CellProfiler, which
    also sums the power in rings of one frequency step each. Two things differ, because without them the slope rises
    again where the blur is strong. The plane fades out towards its edges (Hann window): else the jump between
    opposite edges looks like fine detail. And the line ends where the power sinks into the noise, as estimated from
    second differences: else the noise does.

    Of frequencies that are not looked at, nothing is computed. Rings are those of the shorter side, so that a plane
    that is not square is measured as a square one.
    """
    height, width = plane.shape
    n_radii = min(height, width) // _PART_OF_SIDE
    if n_radii < _FIRST_RADIUS + _LEAST_RADII + 1:
        return float("nan")
    rings, n_rows, n_columns = _rings(height, width, n_radii)
    rows, columns = _fade(height), _fade(width)
    faded = (plane - plane.mean(dtype=np.float64).astype(np.float32)) * rows[:, None]
    faded *= columns
    along_x = fft.rfft(faded, axis=1)[:, :n_columns]
    spectrum = fft.fft(np.ascontiguousarray(along_x.T), axis=1)
    part = np.concatenate([spectrum[:, :n_rows], spectrum[:, -n_rows + 1 :]], axis=1)
    twice = np.broadcast_to(_both_halves(n_columns, width), rings.shape)
    power = (part.real.astype(np.float64) ** 2 + part.imag.astype(np.float64) ** 2) * twice
    summed = np.bincount(rings.ravel(), power.ravel(), n_radii + 1)[_FIRST_RADIUS:n_radii]
    counted = np.bincount(rings.ravel(), twice.ravel(), n_radii + 1)[_FIRST_RADIUS:n_radii]
    noise = _noise_variance(plane) * float((rows.astype(float) ** 2).sum() * (columns.astype(float) ** 2).sum())
    drowned = np.flatnonzero(summed <= _ABOVE_NOISE * noise * counted)
    n = max(int(drowned[0]) if len(drowned) else len(summed), _LEAST_RADII)
    if not (summed[:n] > 0).all():
        return float("nan")
    radii = np.arange(_FIRST_RADIUS, n_radii)[:n]
    return float(np.polyfit(np.log(radii), np.log(summed[:n]), 1)[0])


@lru_cache(maxsize=4)
def _fade(n: int) -> npt.NDArray[np.float32]:
    return np.hanning(n).astype(np.float32)


def _noise_variance(plane: npt.NDArray[np.float32]) -> float:
    """Estimate the variance of the noise, that of bright places included, and of the finest detail with it."""
    rows = plane[::4]
    second = rows[:, :-2] - 2 * rows[:, 1:-1]
    second += rows[:, 2:]
    return float(np.square(second, out=second).mean(dtype=np.float64) / 6)


@lru_cache(maxsize=4)
def _rings(height: int, width: int, n_radii: int) -> tuple[npt.NDArray[np.intp], int, int]:
    """Number the ring of each frequency, (columns, rows); those beyond the last share one number."""
    side = min(height, width)
    n_rows, n_columns = (min(n // 2, -(-n_radii * n // side)) + 1 for n in (height, width))
    rows = np.r_[np.arange(n_rows), np.arange(-n_rows + 1, 0)] * (side / height)
    columns = np.arange(n_columns) * (side / width)
    radius = np.floor(np.hypot(columns[:, None], rows[None, :])).astype(np.intp) + 1
    return np.minimum(radius, n_radii), n_rows, n_columns


def _both_halves(n_columns: int, width: int) -> npt.NDArray[np.float64]:
    """Count columns of a real transform twice that stand for two of the full one."""
    twice = np.full((n_columns, 1), 2.0)
    twice[0] = 1
    if width % 2 == 0 and n_columns == width // 2 + 1:
        twice[-1] = 1
    return twice


def laplacian_variance(plane: npt.NDArray[np.float32]) -> float:
    """Give the variance of the Laplacian of a YX plane: fine detail, and noise; 0 for less than 3 × 3 pixels.

    Every fourth row is looked at, with its neighbours: a quarter of the work, and of a million pixels enough.
    """
    if min(plane.shape) < 3:
        return 0.0
    centre = plane[1:-1:4]
    laplacian = plane[:-2:4, 1:-1] + plane[2::4, 1:-1][: len(centre)]
    laplacian += centre[:, :-2]
    laplacian += centre[:, 2:]
    laplacian -= 4 * centre[:, 1:-1]
    return float(laplacian.var(dtype=np.float64))
