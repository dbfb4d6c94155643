"""Granularity: how much of the light of a cell is in grains of each size."""

import numpy as np
from scipy import ndimage

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Objects
from cellvote.profiling.settings import MeasureSettings


def granularity_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], settings: MeasureSettings
) -> Columns:
    """Measure the spectrum of granularity of every cell, as CellProfiler's MeasureGranularity does.

    The image is shrunk, its background (an opening of an image shrunk once more) taken off. Then, step by step, bright
    spots one pixel wide are worn off by erosion and reconstruction; each step's loss of a cell's mean is given in
    per cent of its mean grey value. After Ravkin and Temov (1988), and Vincent, "Granulometries and opening trees"
    (2000).

    Returns
    -------
    dict
        ``granularity_STEP_CHANNEL``: not a number where the image is too small to be shrunk.
    """
    table: Columns = {}
    steps = range(1, settings.granularity_steps + 1)
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        spectrum = _spectrum(cells, plane, settings)
        table |= {f"granularity_{step:02d}_{channel}": spectrum[step - 1] for step in steps}
    return table


def _spectrum(cells: Objects, plane: Pixels, settings: MeasureSettings) -> Floats:
    """(steps, N) per cent of each cell's mean that every step takes away."""
    from cellvote.profiling.compiled.pixels import interpolated_means
    from cellvote.profiling.compiled.reconstruction import eroded, reconstructed

    said = np.full((settings.granularity_steps, len(cells)), np.nan)
    values = plane.astype(float)
    small = _shrunk(values, settings.granularity_subsampling)
    tiny = _shrunk(small, settings.granularity_subsampling)
    if min(small.shape) < 2 or min(tiny.shape) < 1:
        return said
    mask = np.ascontiguousarray(_without_background(small, tiny, settings.granularity_background_px))
    step_y, step_x = ((n - 1) / max(size - 1, 1) for n, size in zip(small.shape, cells.shape, strict=True))
    start = cells.sum(cells.values(plane)) / cells.area
    before, worn = start, mask
    for step in range(settings.granularity_steps):
        worn = eroded(worn)
        after = interpolated_means(reconstructed(worn, mask), cells.starts, cells.runs, step_y, step_x)
        said[step] = (before - after) * 100 / np.maximum(start, np.finfo(float).eps)
        before = after
    return said


def _without_background(small: Floats, tiny: Floats, radius_px: int) -> Floats:
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk = y * y + x * x <= radius_px * radius_px
    opened = ndimage.grey_dilation(
        ndimage.grey_erosion(tiny, footprint=disk, mode="constant", cval=np.inf),
        footprint=disk,
        mode="constant",
        cval=-np.inf,
    )
    return np.maximum(small - _stretched(opened, (small.shape[0], small.shape[1])), 0)


def _shrunk(values: Floats, share: float) -> Floats:
    """Shrink by linear interpolation."""
    if share == 1:
        return values
    shape = [int(size * share) for size in values.shape]
    grid = np.mgrid[: shape[0], : shape[1]] / share
    return np.asarray(ndimage.map_coordinates(values, grid, order=1))


def _stretched(values: Floats, shape: tuple[int, int]) -> Floats:
    """Stretch over a larger shape by linear interpolation, corner to corner."""
    scale = [(n - 1) / max(size - 1, 1) for n, size in zip(values.shape, shape, strict=True)]
    y, x = (np.minimum(np.arange(size) * s, n - 1) for size, s, n in zip(shape, scale, values.shape, strict=True))
    return np.asarray(ndimage.map_coordinates(values, np.meshgrid(y, x, indexing="ij"), order=1))
