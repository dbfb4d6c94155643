"""Measurements of whole fields, without a segmentation: the image as one object, what is bright, and its middle."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from cellvote.plates.acquisition import looks_nuclear
from cellvote.plates.pixels import Pixels
from cellvote.profiling.measurements import NOT_FED, Outlines, measure_outlines
from cellvote.profiling.objects import Objects
from cellvote.profiling.settings import MeasureSettings
from cellvote.profiling.shape import shape_measurements
from cellvote.study.masks import LabelImage

VERSION: Final = 2
"""Raised where the same names get other values, so that fields are measured anew."""

_BASIC: Final = MeasureSettings(sets=("texture", "granularity", "radial_distribution"))
_CENTRAL: Final = MeasureSettings(sets=(*_BASIC.sets, "local_patterns", "scale_space", "polar", "outline"))
_LEAST_PX2: Final = 10
_LEAST_SHARE: Final = 0.01
_MARGIN_PX: Final = 32
"""So far beyond a part what is measured of it looks at most, or a whole size of it where that is more."""


def measure_field(image_cyx: Pixels, channel_names: Sequence[str]) -> dict[str, float]:
    """Measure a whole field.

    ``whole_…`` is measured on all of the image; ``bright_…`` on the pixels above Otsu's threshold, in the channel of
    nuclei where one is called so, else in the first; together they are one object, in however many parts.
    ``central_…`` is measured on the one of these parts that is nearest to the middle of the image: on the crop of a
    single cell, the cell that is meant; in a large field, one example.

    Parts of less than 10 px² are left out, and so are those of less than a hundredth of the size that half of the
    bright area reaches: specks of noise in a large field.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype.
    channel_names
        One for each channel.

    Returns
    -------
    dict
        By name; the same names for every field of the same channels. ``bright_share`` of the image, and
        ``bright_parts``, how many there are. Not a number where nothing is bright.
    """
    everything = np.ones(image_cyx.shape[1:], np.int32)
    whole = _measured(image_cyx, everything, channel_names, _BASIC)
    bright_yx = bright_pixels(image_cyx, channel_names)
    parts_yx = bright_parts(bright_yx)
    bright = _measured(image_cyx, bright_yx, channel_names, _BASIC)
    shape = shape_measurements(Objects.of(everything))  # that of the image: always the same
    share = bright["area"] / everything.size if np.isfinite(bright["area"]) else 0.0
    return {
        **{f"whole_{name}": value for name, value in whole.items() if name not in shape},
        **{f"bright_{name}": value for name, value in bright.items()},
        "bright_share": share,
        "bright_parts": float(parts_yx.max()),
        **{f"central_{name}": value for name, value in _central(image_cyx, parts_yx, channel_names).items()},
    }


def bright_pixels(image_cyx: Pixels, channel_names: Sequence[str]) -> LabelImage:
    """Find what is bright: YX int32, 1 above Otsu's threshold; nothing in an image of one value."""
    named = [i for i, name in enumerate(channel_names) if looks_nuclear(name)]
    plane = image_cyx[named[0] if named else 0]
    if plane.dtype not in (np.uint8, np.uint16):  # of these each grey value is counted, of others 256 ranges of them
        plane = plane.astype(np.float32)
    if plane.min() == plane.max():
        return np.zeros(plane.shape, np.int32)
    return np.asarray(plane > threshold_otsu(plane), np.int32)


def bright_parts(bright_yx: LabelImage) -> LabelImage:
    """Number the connected parts of what is bright, without those that are too small to be looked at: YX int32."""
    labels, n = ndimage.label(bright_yx)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    sizes[0] = 0
    by_size = np.sort(sizes)[::-1]
    common = by_size[np.searchsorted(np.cumsum(by_size), sizes.sum() / 2)]
    kept = sizes >= max(_LEAST_PX2, _LEAST_SHARE * common)
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return np.asarray(numbers[labels], np.int32)


def _central(image_cyx: Pixels, parts_yx: LabelImage, channel_names: Sequence[str]) -> dict[str, float]:
    """Measure the part nearest to the middle of the image, in a window: so a large field takes hardly longer."""
    window, number = (slice(0, _MARGIN_PX), slice(0, _MARGIN_PX)), 0  # where there is none
    if parts_yx.any():
        y, x = (np.arange(n) - (n - 1) / 2 for n in parts_yx.shape)
        away = np.where(parts_yx > 0, y[:, None] ** 2 + x**2, np.inf)
        number = int(parts_yx.flat[np.argmin(away)])
        rows, columns = ndimage.find_objects(parts_yx)[number - 1]
        margin = _MARGIN_PX + max(rows.stop - rows.start, columns.stop - columns.start)
        window = (_wider(rows, margin), _wider(columns, margin))
    own_yx = np.asarray((parts_yx[window] == number) & (number > 0), np.int32)
    return _measured(image_cyx[:, window[0], window[1]], own_yx, channel_names, _CENTRAL)


def _wider(pixels: slice, margin_px: int) -> slice:
    return slice(max(pixels.start - margin_px, 0), pixels.stop + margin_px)


def _measured(
    image_cyx: Pixels, object_yx: LabelImage, channel_names: Sequence[str], settings: MeasureSettings
) -> dict[str, float]:
    """Measure one object; where there is none, a square stands in for the names, and nothing is a number."""
    there = bool(object_yx.any())
    outlines = Outlines.of(object_yx if there else np.ones_like(object_yx))
    columns = measure_outlines(image_cyx, outlines, channel_names, settings)
    return {
        name: float(values[0]) if there else float("nan") for name, values in columns.items() if name not in NOT_FED
    }
