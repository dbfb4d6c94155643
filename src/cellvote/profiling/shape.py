"""Shape of the objects of a label image, with the values of scikit-image's ``regionprops``."""

from typing import Final

import numpy as np

from cellvote.profiling.objects import Columns, Floats, Objects

_BORDER_LENGTHS: Final = np.array([1, np.sqrt(2), (1 + np.sqrt(2)) / 2])


def shape_measurements(objects: Objects) -> Columns:
    """Measure the shape of every object; names and values are those of scikit-image's ``regionprops``.

    Returns
    -------
    dict
        ``area``, ``area_convex`` (px²), ``perimeter``, ``axis_major_length``, ``axis_minor_length`` (px),
        ``eccentricity``, ``solidity``, ``extent`` (shares), ``orientation`` (radians): (N,) each.
    """
    from cellvote.profiling.compiled.outlines import border_pixels, convex_areas

    outline = (objects.starts, objects.runs, objects.bounding_box)
    a, b, c = inertia(objects)
    spread = np.hypot(a - c, 2 * b)
    large = np.clip((a + c + spread) / 2, 0, None)
    small = np.clip((a + c - spread) / 2, 0, None)
    ratio = np.divide(small, large, out=np.ones_like(small), where=large > 0)
    round_ones = np.where(b < 0, np.pi / 4, -np.pi / 4)
    box = objects.bounding_box
    area_convex = convex_areas(*outline)
    return {
        "area": objects.area.astype(float),
        "area_convex": area_convex.astype(float),
        "perimeter": border_pixels(*outline) @ _BORDER_LENGTHS,
        "eccentricity": np.sqrt(np.clip(1 - ratio, 0, 1)),
        "axis_major_length": 4 * np.sqrt(large),
        "axis_minor_length": 4 * np.sqrt(small),
        "orientation": np.where(a == c, round_ones, 0.5 * np.arctan2(-2 * b, c - a)),
        "solidity": objects.area / area_convex,
        "extent": objects.area / ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])),
    }


def inertia(objects: Objects) -> tuple[Floats, Floats, Floats]:
    """Give the variance of x, minus the covariance, and the variance of y: the inertia tensor of scikit-image.

    Sums are whole numbers from each object's corner, so that a symmetric object has exactly equal variances, and
    its orientation does not hang on rounding.
    """
    n, y, x, yy, yx, xx = objects.moments.astype(float).T
    return (n * xx - x**2) / n**2, -(n * yx - y * x) / n**2, (n * yy - y**2) / n**2
