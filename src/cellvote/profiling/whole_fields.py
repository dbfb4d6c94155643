"""Measurements of whole fields, without a segmentation: the image as one object, and what is bright in it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from skimage.filters import threshold_otsu

from cellvote.plates.acquisition import looks_nuclear
from cellvote.plates.pixels import Pixels
from cellvote.profiling.measurements import feature_columns, measure_cells
from cellvote.profiling.objects import Objects
from cellvote.profiling.shape import shape_measurements
from cellvote.study.masks import LabelImage

_SETS: Final = ("texture", "granularity", "radial_distribution")


def measure_field(image_cyx: Pixels, channel_names: Sequence[str]) -> dict[str, float]:
    """Measure a whole field.

    ``whole_…`` is measured on all of the image; ``bright_…`` on the pixels above Otsu's threshold, in the channel of
    nuclei where one is called so, else in the first; together they are one object, in however many parts.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype.
    channel_names
        One for each channel.

    Returns
    -------
    dict
        By name; the same names for every field of the same channels. Not a number where nothing is bright.
    """
    everything = np.ones(image_cyx.shape[1:], np.int32)
    whole = _measured(image_cyx, everything, channel_names)
    bright = _measured(image_cyx, bright_pixels(image_cyx, channel_names), channel_names)
    shape = shape_measurements(Objects.of(everything))  # that of the image: always the same
    share = bright["area"] / everything.size if np.isfinite(bright["area"]) else 0.0
    return {
        **{f"whole_{name}": value for name, value in whole.items() if name not in shape},
        **{f"bright_{name}": value for name, value in bright.items()},
        "bright_share": share,
    }


def bright_pixels(image_cyx: Pixels, channel_names: Sequence[str]) -> LabelImage:
    """Find what is bright: YX int32, 1 above Otsu's threshold; nothing in an image of one value."""
    named = [i for i, name in enumerate(channel_names) if looks_nuclear(name)]
    plane = image_cyx[named[0] if named else 0].astype(np.float32)
    if plane.min() == plane.max():
        return np.zeros(plane.shape, np.int32)
    return np.asarray(plane > threshold_otsu(plane), np.int32)


def _measured(image_cyx: Pixels, object_yx: LabelImage, channel_names: Sequence[str]) -> dict[str, float]:
    """Measure one object; where there is none, a square stands in for the names, and nothing is a number."""
    there = bool(object_yx.any())
    if not there:
        object_yx = np.ones_like(object_yx)
    table = measure_cells(image_cyx, object_yx, channel_names, sets=_SETS)
    return {name: float(table[name].iloc[0]) if there else float("nan") for name in feature_columns(table)}
