"""Sharpness of a plane: how its power falls off towards fine detail."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

_FIRST_RADIUS: Final = 2
_PART_OF_SIDE: Final = 8
"""Frequencies up to one cycle in this many pixels: beyond, noise and the edges of the image have the say."""


def power_slope(plane: npt.NDArray[np.float32]) -> float:
    """Fit a line to the power spectrum in double logarithm: the lower its slope, the more blurred the plane.

    Parameters
    ----------
    plane
        YX float32.

    Returns
    -------
    float
        The power in rings of one frequency step each is summed, as in the measurement ``PowerLogLogSlope`` of
        CellProfiler's MeasureImageQuality: about +1 for noise, −1 to −2 for cells in focus, lower when blurred.
        Not a number where the plane has no power or is smaller than 32 pixels.

    Notes
    -----
    Bray et al. (2012), J. Biomol. Screen. 17, 266. Of frequencies that are not looked at, nothing is computed:
    that takes half the time, and changes no value. Rings are those of the shorter side, so that a plane that is not
    square is measured as a square one.
    """
    height, width = plane.shape
    side = min(height, width)
    n_radii = side // _PART_OF_SIDE
    if n_radii <= _FIRST_RADIUS + 1:
        return float("nan")
    rings, n_rows, n_columns = _rings(height, width, n_radii)
    along_x = fft.rfft(plane - plane.mean(dtype=np.float64).astype(np.float32), axis=1)[:, :n_columns]
    spectrum = fft.fft(np.ascontiguousarray(along_x.T), axis=1)
    part = np.concatenate([spectrum[:, :n_rows], spectrum[:, -n_rows + 1 :]], axis=1)
    power = (part.real.astype(np.float64) ** 2 + part.imag.astype(np.float64) ** 2) * _both_halves(n_columns, width)
    summed = np.bincount(rings.ravel(), power.ravel(), n_radii + 1)[_FIRST_RADIUS:n_radii]
    radii = np.arange(_FIRST_RADIUS, n_radii)
    there = summed > 0
    if there.sum() < 3:
        return float("nan")
    return float(np.polyfit(np.log(radii[there]), np.log(summed[there]), 1)[0])


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
