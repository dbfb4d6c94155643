"""Contrast limits that are the same on every well: from a few fields spread over the study."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.gui.state import ContrastLimits
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.study import Study

N_FIELDS: Final = 12
_LOW, _HIGH = 1.0, 99.8
_PIXELS_PER_FIELD: Final = 65_536


def contrast_of_study(study: Study, n_fields: int = N_FIELDS) -> dict[str, ContrastLimits]:
    """Choose each channel's contrast limits on fields spread over the study; damaged ones are passed over.

    Returns
    -------
    dict
        Channel name to (low, high); empty where no field can be read.
    """
    images = []
    for key in spread(study.fields, n_fields):
        try:
            images.append(thinned(study.read_field(key)))
        except ImageReadError:
            continue
    return {name: limits([image[i] for image in images]) for i, name in enumerate(study.channels)} if images else {}


def spread(keys: Sequence[FieldKey], n: int) -> list[FieldKey]:
    """Take ``n`` of the fields, evenly spread."""
    at = np.unique(np.linspace(0, max(len(keys) - 1, 0), min(n, len(keys))).round().astype(int))
    return [keys[i] for i in at]


def thinned(image: Pixels) -> Pixels:
    """Keep every so many pixels of a CYX image: enough to know how bright it is."""
    step = max(1, int((image[0].size / _PIXELS_PER_FIELD) ** 0.5))
    return image[:, ::step, ::step]


def limits(planes: Sequence[Pixels]) -> ContrastLimits:
    """Choose the limits of one channel: the background black, the brightest few pixels white."""
    pixels = np.concatenate([plane.ravel() for plane in planes])
    low, high = (float(v) for v in np.percentile(pixels, (_LOW, _HIGH)))
    return (low, high) if high > low else (low, low + 1.0)
