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
    share = settings.granularity_subsampling
    small = _shrunk(plane.astype(float), share)
    if min(small.shape) < 2 or min(small.shape) * share < 1:
        return said
    mask = np.ascontiguousarray(_without_background(small, share, settings.granularity_background_px))
    step_y, step_x = ((n - 1) / max(size - 1, 1) for n, size in zip(small.shape, cells.shape, strict=True))
    start = cells.sum(cells.values(plane)) / cells.area
    before, worn = start, mask
    for step in range(settings.granularity_steps):
        worn = eroded(worn)
        after = interpolated_means(reconstructed(worn, mask), cells.starts, cells.runs, step_y, step_x)
        said[step] = (before - after) * 100 / np.maximum(start, np.finfo(float).eps)
        before = after
    return said


def _without_background(small: Floats, share: float, radius_px: int) -> Floats:
    """Take an opening off that is made on an image shrunk once more."""
    tiny = _shrunk(small, share)
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk = y * y + x * x <= radius_px * radius_px
    worn = ndimage.grey_erosion(tiny, footprint=disk, mode="constant", cval=np.inf)
    opened = ndimage.grey_dilation(worn, footprint=disk, mode="constant", cval=-np.inf)
    axes = [
        np.minimum(np.arange(size) * (size * share - 1) / (size - 1), n - 1)
        for size, n in zip(small.shape, tiny.shape, strict=True)
    ]
    background = ndimage.map_coordinates(opened, np.meshgrid(*axes, indexing="ij"), order=1)
    return np.maximum(small - background, 0)


def _shrunk(values: Floats, share: float) -> Floats:
    """Shrink by linear interpolation; the first row and column stay."""
    if share == 1:
        return values
    grid = np.meshgrid(*(np.arange(np.ceil(size * share)) / share for size in values.shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(values, grid, order=1, mode="nearest"))
