"""Polar pattern: what lies around the centre of a cell, in it and beside it, ring by ring."""

from typing import Final

import numpy as np

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Objects
from cellvote.profiling.settings import MeasureSettings

_RINGS: Final = 8
_ZONES: Final = 4
_HARMONICS: Final = 4
_ANGLES: Final = 32
_REACH: Final = 2.0
"""Radius of the outermost circle, in radii of the circle as large as the cell."""


def polar_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], _settings: MeasureSettings
) -> Columns:
    """Measure the light on circles around the centre of every cell: up to twice as far as its own edge would be.

    The amplitudes of circular harmonics do not hang on how a cell lies: after Hsu and Arsenault, "Optical pattern
    recognition using circular harmonic expansion" (1982). Grey values are taken in standard deviations of the cell's
    pixels, from their mean. Beyond the image stands its edge.

    Returns
    -------
    dict
        ``polar_mean_RINGof8_CHANNEL``, the mean on each circle, and ``polar_harmonic_K_ZONEof4_CHANNEL``, the amplitude
        of K waves around the circle, as the mean of two neighbouring circles: not a number where all pixels of a cell
        have one value.
    """
    from cellvote.profiling.compiled.polar import circle_values

    table: Columns = {}
    reach = np.arange(1, _RINGS + 1) * (_REACH / _RINGS)
    radii = np.asarray(np.sqrt(cells.area / np.pi)[:, None] * reach, np.float64)
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        values = cells.values(plane)
        mean = cells.sum(values) / cells.area
        unit = np.sqrt(cells.sum((values - mean[cells.of_pixel]) ** 2) / cells.area)
        unit[unit == 0] = np.nan
        circles = circle_values(np.ascontiguousarray(plane, np.float64), cells.centroid, radii, _ANGLES)
        circles = (circles - mean[:, None, None]) / unit[:, None, None]
        waves = np.abs(np.fft.rfft(circles, axis=2))[:, :, 1 : _HARMONICS + 1] * (2 / _ANGLES)
        zones = waves.reshape(len(cells), _ZONES, _RINGS // _ZONES, _HARMONICS).mean(axis=2)
        of_ring = circles.mean(axis=2)
        table |= {f"polar_mean_{r + 1}of{_RINGS}_{channel}": of_ring[:, r] for r in range(_RINGS)}
        for k in range(_HARMONICS):
            table |= {
                f"polar_harmonic_{k + 1}_{zone + 1}of{_ZONES}_{channel}": zones[:, zone, k] for zone in range(_ZONES)
            }
    return table
