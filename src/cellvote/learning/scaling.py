"""What grey values and measurements are relative to: robust, from a bounded sample, kept with the classifier."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from cellvote.learning.examples import Images, IntArray, Limits
from cellvote.learning.inputs import Features

BLACK_PERCENT: Final = 1.0
WHITE_PERCENT: Final = 99.8

_MOST_PIXELS: Final = 4_000_000
_LEAST_IMAGES: Final = 200
_CHUNK: Final = 64
_FARTHEST: Final = 10.0
"""Measurements farther from the mean of training, in standard deviations, are taken for this far."""


class FeedingConstants(BaseModel, frozen=True):
    """What the inputs of one model are relative to, learned from its training examples; kept in ``model.json``.

    Attributes
    ----------
    black, white
        Grey values of each channel, where these are used on every plate alike; else empty.
    medians
        What stands in for a measurement that is missing.
    means, deviations
        What measurements are standardised by.
    """

    black: tuple[float, ...] = ()
    white: tuple[float, ...] = ()
    medians: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    def with_measurements(self, features: Features) -> Self:
        """Learn the constants of measurements from those of training examples, N×F with gaps as not-a-number."""
        known = np.isfinite(features).any(axis=0)
        medians = np.zeros(features.shape[1])
        medians[known] = np.nanmedian(np.where(np.isfinite(features), features, np.nan)[:, known], axis=0)
        filled = np.where(np.isfinite(features), features, medians)
        deviations = filled.std(axis=0, dtype=np.float64)
        return self.model_copy(
            update={
                "medians": tuple(medians.tolist()),
                "means": tuple(filled.mean(axis=0, dtype=np.float64).tolist()),
                "deviations": tuple(np.where(deviations > 0, deviations, 1.0).tolist()),
            }
        )

    def standardised(self, features: Features) -> Features:
        """Fill the gaps of N×F measurements, and give them the mean 0 and the standard deviation 1 of training."""
        filled = np.where(np.isfinite(features), features, np.asarray(self.medians))
        standard = (filled - np.asarray(self.means)) / np.asarray(self.deviations)
        return np.asarray(np.clip(standard, -_FARTHEST, _FARTHEST), np.float32)


def sampled_limits(array: Images, rows: IntArray, channels: Sequence[int]) -> Limits:
    """Find black and white of some images, in the units in which they are stored.

    Where there are many, every so-many-th image is looked at, and of large ones every so-many-th pixel: the same
    ones each time.

    Parameters
    ----------
    array
        N×C×H×W, may be memory-mapped.
    rows
        Of the images, at least one.

    Returns
    -------
    ndarray
        (2, c): the 1st and the 99.8th percentile of each channel, white always above black.
    """
    n_pixels = int(np.prod(array.shape[2:]))
    n_images = min(len(rows), max(_LEAST_IMAGES, _MOST_PIXELS // n_pixels))
    chosen = rows[np.linspace(0, len(rows) - 1, n_images).round().astype(np.intp)]
    step = int(np.ceil(np.sqrt(n_images * n_pixels / _MOST_PIXELS))) if n_images * n_pixels > _MOST_PIXELS else 1
    if array.dtype.kind != "u":
        sample = np.stack([array[row, :, ::step, ::step] for row in chosen])[:, list(channels)]
        values = np.moveaxis(sample, 1, 0).reshape(len(channels), -1).astype(np.float64)
        limits = np.percentile(values, [BLACK_PERCENT, WHITE_PERCENT], axis=1).astype(np.float32)
        limits[1] = np.maximum(limits[1], np.nextafter(limits[0] + np.float32(1e-3), np.float32(np.inf)))
        return limits
    counts = np.zeros((len(channels), np.iinfo(array.dtype.name).max + 1), np.int64)
    for start in range(0, len(chosen), _CHUNK):
        part = np.stack([array[row, :, ::step, ::step] for row in chosen[start : start + _CHUNK]])
        for i, channel in enumerate(channels):
            counts[i] += np.bincount(part[:, channel].ravel(), minlength=counts.shape[1])
    return limits_of_counts(counts)


def limits_of_counts(counts: npt.NDArray[np.int64]) -> Limits:
    """Find black and white of histograms, (c, grey values) to (2, c)."""
    totals = counts.cumsum(axis=1)
    limits = np.empty((2, len(counts)), np.float32)
    for i, total in enumerate(totals):
        limits[0, i] = np.searchsorted(total, BLACK_PERCENT / 100 * total[-1], side="left")
        limits[1, i] = np.searchsorted(total, WHITE_PERCENT / 100 * total[-1], side="left")
    limits[1] = np.maximum(limits[1], limits[0] + 1)
    return limits
