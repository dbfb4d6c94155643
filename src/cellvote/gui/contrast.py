"""Contrast limits that are the same on every well: from a few fields spread over the study, chosen once."""

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ValidationError

from cellvote.errors import ImageReadError, StudyError
from cellvote.gui.state import ContrastLimits
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.fields import read_channels
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.atomic import read_json, write_json

N_FIELDS: Final = 12
_LOW, _HIGH = 1.0, 99.8
_PIXELS_PER_FIELD: Final = 65_536


class _Kept(BaseModel, frozen=True):
    """What ``contrast.json`` in a study holds; other channels or another reading, other limits."""

    reading: str
    limits: dict[str, ContrastLimits]


def contrast_of_study(
    study: Study, n_fields: int = N_FIELDS, executor: Executor | None = None
) -> dict[str, ContrastLimits]:
    """Choose each channel's contrast limits on fields spread over the study; what is damaged is passed over.

    Returns
    -------
    dict
        Channel name to (low, high), without the channels of which no image can be read.
    """
    by_channel: list[list[Pixels]] = [[] for _ in study.channels]
    for key in spread(study.fields, n_fields):
        planes = study.planes_of(key)
        read = read_channels(study.source, planes, study.info.channels, key, study.info.reading, executor)
        for of_channel, one in zip(by_channel, read, strict=True):
            if not isinstance(one, ImageReadError):
                of_channel.append(thinned(one[None])[0])
    return {name: limits(images) for name, images in zip(study.channels, by_channel, strict=True) if images}


def kept_contrast(study: Study, executor: Executor | None = None) -> dict[str, ContrastLimits]:
    """Give the contrast limits that were chosen for a study before, or choose and keep them in it."""
    path, reading = _path(study), study.info.reading.model_dump_json(exclude={"illumination"})
    with suppress(StudyError, ValidationError):
        kept = _Kept.model_validate(read_json(path))
        if kept.reading == reading and set(kept.limits) == set(study.channels):
            return kept.limits
    chosen = contrast_of_study(study, executor=executor)
    with suppress(StudyError):  # a study that cannot be written is looked at all the same
        write_json(path, _Kept(reading=reading, limits=chosen).model_dump(mode="json"))
    return chosen


def _path(study: Study) -> Path:
    return study.path / "contrast.json"


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
