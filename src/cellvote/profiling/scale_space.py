"""Scale space: blobs and edges of several sizes inside cells."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import ndimage

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Objects
from cellvote.profiling.settings import MeasureSettings

SIGMAS_PX: Final = (1, 2, 3, 4)


def scale_space_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], _settings: MeasureSettings
) -> Columns:
    """Measure how strong blobs and edges of several sizes are in every cell.

    After Lindeberg, "Feature detection with automatic scale selection" (1998): the image is smoothed by Gaussians; a
    blob is where minus the Laplacian, times σ², is large (a hole where it is small), an edge where the gradient, times
    σ, is long. Both in standard deviations of the cell's pixels, so that neither gain nor offset of the camera matters.

    Returns
    -------
    dict
        ``blobs_mean_σpx_CHANNEL``, ``blobs_std_…``, ``blobs_min_…``, ``blobs_max_…``, and ``edges_mean_…``,
        ``edges_std_…``, ``edges_max_…``: not a number where all pixels of a cell have one value.
    """
    table: Columns = {}
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        _, unit = _mean_and_std(cells, cells.values(plane))
        unit[unit == 0] = np.nan
        for sigma_px, smooth in _smoothed(plane):
            blobs, edges = (cells.values(found) for found in _blobs_and_edges(smooth, sigma_px))
            for name, values in (("blobs", blobs), ("edges", edges)):
                mean, std = _mean_and_std(cells, values)
                ends = {"max": cells.largest(values)}
                if name == "blobs":
                    ends["min"] = cells.smallest(values)
                for what, of_cell in {"mean": mean, "std": std, **ends}.items():
                    table[f"{name}_{what}_{sigma_px}px_{channel}"] = of_cell / unit
    return table


def _smoothed(plane: Pixels) -> Iterator[tuple[int, Floats]]:
    """Smooth by wider and wider Gaussians; each goes on from the one before, for their variances add up."""
    smooth, before = plane.astype(np.float64), 0
    for sigma_px in SIGMAS_PX:
        smooth = ndimage.gaussian_filter(smooth, np.sqrt(sigma_px**2 - before**2), mode="nearest")
        before = sigma_px
        yield sigma_px, smooth


def _blobs_and_edges(smooth: Floats, sigma_px: int) -> tuple[Floats, Floats]:
    """Take minus the Laplacian and the length of the gradient, both normalised by scale, from neighbouring pixels."""
    padded = np.pad(smooth, 1, mode="edge")
    above, below, left, right = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    blobs = (4 * smooth - above - below - left - right) * sigma_px**2
    return blobs, np.hypot(below - above, right - left) * (sigma_px / 2)


def _mean_and_std(cells: Objects, values: Floats) -> tuple[Floats, Floats]:
    mean = cells.sum(values) / cells.area
    return mean, np.sqrt(cells.sum((values - mean[cells.of_pixel]) ** 2) / cells.area)
