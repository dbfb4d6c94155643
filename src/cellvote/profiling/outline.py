"""Outline: the shape of cells beyond that of an ellipse."""

from typing import Final

import numpy as np

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Objects
from cellvote.profiling.settings import MeasureSettings

_ANGLES: Final = 64
_HARMONICS: Final = 8


def outline_measurements(
    cells: Objects, _image_cyx: Pixels, _channel_names: tuple[str, ...], _settings: MeasureSettings
) -> Columns:
    """Measure the outline of every cell, whatever its place and however it lies.

    The moments of Hu, "Visual pattern recognition by moment invariants" (1962), with the values of scikit-image; and
    the Fourier amplitudes of the distance from the centre to the outline, by angle, after Zahn and Roskies, "Fourier
    descriptors for plane closed curves" (1972), in mean distances. In a direction in which the cell does not lie, the
    distance is 0.

    Returns
    -------
    dict
        ``moments_hu_1`` … ``_7``: the logarithm (base 10) of their size, with the sign of the moment times minus one;
        0 where it is less than 10⁻¹². ``radius_harmonic_1`` … ``_8``; ``radius_min`` and ``radius_max`` (px).
    """
    from cellvote.profiling.compiled.polar import outline_radii

    radii = outline_radii(cells.starts, cells.runs, cells.bounding_box, cells.centroid, _ANGLES)
    mean = np.maximum(radii.mean(axis=1), 0.5)
    waves = np.abs(np.fft.rfft(radii, axis=1))[:, 1 : _HARMONICS + 1] * (2 / _ANGLES) / mean[:, None]
    hu = _hu_moments(cells)
    logarithms = np.where(np.abs(hu) < 1e-12, 0.0, -np.sign(hu) * np.log10(np.maximum(np.abs(hu), 1e-12)))
    return {
        **{f"moments_hu_{k + 1}": logarithms[:, k] for k in range(7)},
        **{f"radius_harmonic_{k + 1}": waves[:, k] for k in range(_HARMONICS)},
        "radius_min": radii.min(axis=1),
        "radius_max": radii.max(axis=1),
    }


def _hu_moments(cells: Objects) -> Floats:
    """(N, 7) from the normalised central moments of second and third order."""
    lengths = cells.runs[:, 2] - cells.runs[:, 1]
    ends = np.cumsum(lengths)
    column = np.arange(len(cells.of_pixel)) - np.repeat(ends - lengths - cells.runs[:, 1], lengths)
    y = np.repeat(cells.runs[:, 0], lengths) - cells.centroid[cells.of_pixel, 0]
    x = column - cells.centroid[cells.of_pixel, 1]
    area = cells.area.astype(float)

    def eta(p: int, q: int) -> Floats:
        return np.asarray(cells.sum(y**p * x**q) / area ** (1 + (p + q) / 2))

    n20, n02, n11 = eta(2, 0), eta(0, 2), eta(1, 1)
    n30, n03, n21, n12 = eta(3, 0), eta(0, 3), eta(2, 1), eta(1, 2)
    a, b = n30 + n12, n21 + n03
    c, d = n30 - 3 * n12, 3 * n21 - n03
    return np.stack(
        [
            n20 + n02,
            (n20 - n02) ** 2 + 4 * n11**2,
            c**2 + d**2,
            a**2 + b**2,
            c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
            (n20 - n02) * (a**2 - b**2) + 4 * n11 * a * b,
            d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
        ],
        axis=1,
    )
