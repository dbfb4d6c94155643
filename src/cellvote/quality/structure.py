"""Whether there is anything on a plane: the share of its area that stands out from background and noise."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BIN_PX: Final = 4
_TILE_BINS: Final = 16
"""The background is looked at in tiles of this many bins."""

_STANDS_OUT: Final = 5.0
_LARGEST_CORRELATION: Final = 3.0
"""Noise that neighbours share may be this many times what independent pixels would leave after binning."""

_MAD: Final = 1.4826
_NOISE_OF_MEDIAN: Final = 0.45
"""What the median of three medians of three leaves of the noise of independent values."""

Binned = npt.NDArray[np.float32]


def bin_plane(plane: npt.NDArray[np.float32]) -> Binned:
    """Average a YX plane over squares of `BIN_PX`; the last rows and columns that fill none are left out."""
    size = min(BIN_PX, *plane.shape)
    height, width = (n // size * size for n in plane.shape)
    part = plane[:height, :width]
    rows = part[0::size].copy()
    for i in range(1, size):
        rows += part[i::size]
    binned = rows[:, 0::size].copy()
    for i in range(1, size):
        binned += rows[:, i::size]
    return np.asarray(binned / np.float32(size * size))


def pixel_noise(plane: npt.NDArray[np.float32]) -> float:
    """Estimate the noise of a pixel as standard deviation, from second differences along every 16th row."""
    rows = plane[::16]
    if rows.shape[1] < 3:
        return 0.0
    second = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    return float(_MAD * np.median(second) / np.sqrt(6))


def structure_percent(plane: npt.NDArray[np.float32], binned: Binned, grey_step: float = 0.0) -> float:
    """Give the share of a plane's area that stands out from its surroundings by five times the noise.

    Dim cells are found because pixels are averaged first, over 4 × 4, and looked at by the median of 3 × 3 of these,
    too. What is left of shading is taken off tile by tile. A hot pixel or a speck counts with no more than its own
    small area.

    Parameters
    ----------
    plane
        YX float32.
    binned
        The same, from `bin_plane`, without its illumination trend.
    grey_step
        Between two grey values that the camera tells apart: no noise is smaller than what rounding makes.

    Returns
    -------
    float
        Percent.
    """
    rest = binned - _background(binned)
    rounding = grey_step / np.sqrt(12)
    noise = max(pixel_noise(plane), rounding, float(np.finfo(np.float32).tiny)) / BIN_PX
    out = np.zeros(rest.shape, bool)
    for smooth, expected in ((rest, noise), (median_of_nine(rest), _NOISE_OF_MEDIAN * noise)):
        found = float(_MAD * np.median(np.abs(smooth)))
        out |= np.abs(smooth) > _STANDS_OUT * min(max(found, expected), _LARGEST_CORRELATION * expected)
    return float(100 * out.mean())


def median_of_nine(values: Binned) -> Binned:
    """Give each place the median of three medians of three, its neighbours': what stands alone vanishes."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        n = values.shape[axis]
        a, b, c = (padded.take(np.arange(i, i + n), axis) for i in range(3))
        values = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return values


def tile_medians(binned: Binned, tile: int) -> npt.NDArray[np.float64]:
    """Give the median of each tile of a binned plane.

    Tiles hold at least ``tile`` bins on each side, where the plane has as many; the last bins that fill no tile are
    left out.
    """
    counts = [max(1, n // tile) for n in binned.shape]
    sizes = [n // k for n, k in zip(binned.shape, counts, strict=True)]
    part = binned[: counts[0] * sizes[0], : counts[1] * sizes[1]]
    tiles = part.reshape(counts[0], sizes[0], counts[1], sizes[1]).swapaxes(1, 2).reshape(*counts, -1)
    return np.asarray(np.median(tiles, axis=-1), float)


def _background(binned: Binned) -> Binned:
    """Interpolate between the medians of tiles, each smoothed by its neighbours."""
    tiles = ndimage.median_filter(tile_medians(binned, _TILE_BINS), 3, mode="nearest")
    for axis in (0, 1):
        n, k = binned.shape[axis], tiles.shape[axis]
        at = np.clip((np.arange(n) + 0.5) * (k / n) - 0.5, 0, k - 1)
        low = np.minimum(at.astype(int), max(k - 2, 0))
        above = np.expand_dims(at - low, 1 - axis)
        high = np.minimum(low + 1, k - 1)
        tiles = tiles.take(low, axis) * (1 - above) + tiles.take(high, axis) * above
    return np.asarray(tiles, np.float32)
