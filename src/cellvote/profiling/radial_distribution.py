"""Radial distribution: how the light of a cell is spread from its centre to its edge."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Objects
from cellvote.profiling.settings import MeasureSettings

_WEDGES = 8


def radial_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], settings: MeasureSettings
) -> Columns:
    """Measure light in rings from the centre of every cell to its edge.

    The measurements of CellProfiler's MeasureObjectIntensityDistribution: the centre is the pixel farthest from the
    edge, and rings are equally wide shares of the way from there to the edge, inside the cell.

    Returns
    -------
    dict
        For each ring and channel ``radial_fraction_…``, the share of the cell's light that lies in the ring;
        ``radial_mean_…``, that share by the ring's share of the cell's pixels; ``radial_cv_…``, the spread between the
        ring's means in eight wedges, by their mean. Not a number where a cell has no light; an empty ring is 0.
    """
    from cellvote.profiling.compiled.radial import rings_and_wedges

    n, height, width = settings.radial_rings, *cells.shape
    rings, wedges = rings_and_wedges(
        cells.starts, cells.runs, cells.bounding_box, height, width, n, len(cells.of_pixel)
    )
    known = rings >= 0
    place = ((cells.of_pixel * n + rings) * _WEDGES + wedges)[known]
    pixels = np.bincount(place, minlength=len(cells) * n * _WEDGES).astype(np.float64).reshape(len(cells), n, _WEDGES)
    table: Columns = {}
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        values = cells.values(plane)[known]
        light = np.bincount(place, weights=values, minlength=pixels.size).reshape(pixels.shape)
        fraction, mean, cv = _rings(pixels, light)
        for ring in range(n):
            name = f"{ring + 1}of{n}_{channel}"
            table[f"radial_fraction_{name}"] = fraction[:, ring]
            table[f"radial_mean_{name}"] = mean[:, ring]
            table[f"radial_cv_{name}"] = cv[:, ring]
    return table


def _rings(pixels: npt.NDArray[Any], light: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Sum (N, rings, wedges) up to a share, a mean and a spread of each ring."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = light.sum(axis=2) / light.sum(axis=(1, 2))[:, None]
        share = pixels.sum(axis=2) / pixels.sum(axis=(1, 2))[:, None]
        mean = np.where(share > 0, fraction / share, 0.0)
        mean[~np.isfinite(fraction)] = np.nan
        there = pixels > 0
        n = there.sum(axis=2)
        wedge = np.where(there, light / pixels, 0.0)
        middle = wedge.sum(axis=2) / n
        spread = np.sqrt(np.where(there, (wedge - middle[..., None]) ** 2, 0.0).sum(axis=2) / n)
        cv = np.where(n > 0, spread / middle, 0.0)
    return fraction, mean, np.where(np.isfinite(cv), cv, np.nan)
