"""The objects of a label image: where the pixels of each one lie."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels
from cellvote.study.masks import LabelImage

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[np.generic]]
"""The measurements of all objects, by name: (N,) each."""

_TABLE_SHARE: Final = 4
"""Label ids up to so many times the number of pixels are sorted by counting."""


@dataclass(frozen=True)
class Objects:
    """The objects of a label image as runs of pixels along its rows, sorted by object, then by place.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    label_ids
        (N,) the label id of each object, ascending.
    starts
        (N + 1,) where the runs of each object start.
    runs
        (R, 3) int32: y, first x, and the first x beyond.
    """

    shape: tuple[int, int]
    label_ids: Ints
    starts: Ints
    runs: npt.NDArray[np.int32]

    @classmethod
    def of(cls, label_image: LabelImage) -> Self:
        """Find the objects of a YX label image of any integer dtype; what is not above 0 is background."""
        from cellvote.profiling.compiled.outlines import find_runs, sort_runs

        names = None
        if label_image.dtype.itemsize > 4 or label_image.dtype == np.uint32:
            names, label_image = _renumbered(label_image)
        labels = np.ascontiguousarray(label_image, np.int32)
        found, largest = find_runs(labels)
        if largest > _TABLE_SHARE * labels.size + 2**16:
            names, labels = _renumbered(labels)
            found, largest = find_runs(labels)
        label_ids, starts, runs = sort_runs(found, largest)
        return cls((labels.shape[0], labels.shape[1]), label_ids if names is None else names[label_ids], starts, runs)

    def __len__(self) -> int:
        return len(self.label_ids)

    @cached_property
    def bounding_box(self) -> Ints:
        """(N, 4) y and x of the first row and column, and of the first ones beyond."""
        from cellvote.profiling.compiled.outlines import bounding_boxes

        return bounding_boxes(self.starts, self.runs)

    @cached_property
    def moments(self) -> Ints:
        """(N, 6) number of pixels and the sums of y, x, y², yx, x² from the corner of each bounding box."""
        from cellvote.profiling.compiled.outlines import moments

        return moments(self.starts, self.runs, self.bounding_box)

    @property
    def area(self) -> Ints:
        """(N,) number of pixels."""
        return self.moments[:, 0]

    @cached_property
    def centroid(self) -> Floats:
        """(N, 2) y and x of the centre of mass."""
        return (self.bounding_box[:, :2] * self.area[:, None] + self.moments[:, 1:3]) / self.area[:, None]

    @property
    def touches_border(self) -> npt.NDArray[np.bool_]:
        """(N,) whether an object reaches the edge of the image, so that a part of it may be missing."""
        box = self.bounding_box
        return np.asarray((box[:, :2] == 0).any(axis=1) | (box[:, 2:] == self.shape).any(axis=1))

    # Pixels one behind the other, in the order of the runs

    @cached_property
    def of_pixel(self) -> Ints:
        """(P,) which object each pixel belongs to, 0 … N−1, ascending."""
        return np.repeat(np.arange(len(self)), self.area)

    @cached_property
    def pixel_starts(self) -> Ints:
        """(N + 1,) where the pixels of each object start and end."""
        return np.concatenate([[0], np.cumsum(self.area)]).astype(np.int64)

    def values(self, plane: Pixels) -> Floats:
        """(P,) the values of a YX plane at all pixels of objects."""
        from cellvote.profiling.compiled.pixels import pixel_values

        exact = plane.dtype in (np.uint8, np.uint16)
        plane = np.ascontiguousarray(plane) if exact else np.ascontiguousarray(plane, np.float64)
        return pixel_values(plane, self.runs, len(self.of_pixel))

    def sum(self, values: Floats) -> Floats:
        """(N,) add up a value of each pixel."""
        return np.asarray(np.bincount(self.of_pixel, weights=values, minlength=len(self)), float)

    def smallest(self, values: Floats) -> Floats:
        """(N,) the smallest value of each object."""
        return np.asarray(np.minimum.reduceat(values, self.pixel_starts[:-1])) if len(self) else np.empty(0)

    def largest(self, values: Floats) -> Floats:
        """(N,) the largest value of each object."""
        return np.asarray(np.maximum.reduceat(values, self.pixel_starts[:-1])) if len(self) else np.empty(0)


def _renumbered(label_image: npt.NDArray[np.integer]) -> tuple[Ints, LabelImage]:
    """Give objects the numbers 1, 2, … in the order of their label ids."""
    ids, places = np.unique(label_image, return_inverse=True)
    n_background = int(np.searchsorted(ids, 0, side="right"))
    numbers = np.maximum(np.arange(len(ids)) - n_background + 1, 0).astype(np.int32)
    names = np.concatenate([[0], ids[n_background:]]).astype(np.int64)
    return names, numbers[places].reshape(label_image.shape)
