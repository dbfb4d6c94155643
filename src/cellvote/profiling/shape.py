"""Shape of labelled objects, all objects at once, with the values of scikit-image's ``regionprops``."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from skimage.morphology import convex_hull_image

from cellvote.study.masks import LabelImage

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# Benkrid and Crookes, "Design and FPGA implementation of a perimeter estimator" (2000), as in scikit-image:
# the length that a border pixel stands for, by which of its neighbours are border pixels of the same object.
_PERIMETER_WEIGHTS: Final = np.zeros(50)
_PERIMETER_WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
_PERIMETER_WEIGHTS[[21, 33]] = np.sqrt(2)
_PERIMETER_WEIGHTS[[13, 23]] = (1 + np.sqrt(2)) / 2


def _weighted_counts(of_pixel: Ints, weights: npt.NDArray[np.generic], minlength: int) -> Floats:
    return np.asarray(np.bincount(of_pixel, weights=weights, minlength=minlength), np.float64)


@dataclass(frozen=True)
class Objects:
    """The pixels of every object of a label image, sorted by object.

    Attributes
    ----------
    label_ids
        (N,) the label id of each object, ascending.
    of_pixel
        (P,) which object each foreground pixel belongs to, 0 … N−1, ascending.
    flat
        (P,) where each foreground pixel is in the flattened image.
    starts
        (N,) where each object's pixels start.
    """

    label_image: LabelImage
    label_ids: Ints
    of_pixel: Ints
    flat: Ints
    starts: Ints

    @classmethod
    def of(cls, label_image: LabelImage) -> Self:
        """Sort the pixels of a YX label image by object."""
        labels = label_image.ravel()
        flat = np.flatnonzero(labels)
        order = np.argsort(labels[flat], kind="stable")
        flat = flat[order]
        label_ids, starts, of_pixel = np.unique(labels[flat], return_index=True, return_inverse=True)
        return cls(label_image, label_ids.astype(np.intp), of_pixel, flat, starts)

    def __len__(self) -> int:
        return len(self.label_ids)

    @cached_property
    def area(self) -> Ints:
        """Number of pixels."""
        return np.diff(np.append(self.starts, len(self.flat)))

    @cached_property
    def _yx(self) -> tuple[Ints, Ints]:
        y, x = np.divmod(self.flat, self.label_image.shape[1])
        return y, x

    def sum(self, values: npt.NDArray[np.generic]) -> Floats:
        """Add up a value of each pixel, by object."""
        return _weighted_counts(self.of_pixel, weights=values, minlength=len(self))

    def smallest(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Take the smallest value of each object."""
        return np.asarray(np.minimum.reduceat(values, self.starts))

    def largest(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Take the largest value of each object."""
        return np.asarray(np.maximum.reduceat(values, self.starts))

    @cached_property
    def bounding_box(self) -> npt.NDArray[np.int64]:
        """(N, 4) y and x of the first row and column, and of the first ones beyond."""
        y, x = self._yx
        ends = [self.smallest(y), self.smallest(x), np.add(self.largest(y), 1), np.add(self.largest(x), 1)]
        return np.stack(ends, axis=1).astype(np.int64)

    @cached_property
    def centroid(self) -> Floats:
        """(N, 2) y and x of the centre of mass."""
        y, x = self._yx
        return np.stack([self.sum(y), self.sum(x)], axis=1) / self.area[:, None]

    @cached_property
    def inertia(self) -> tuple[Floats, Floats, Floats]:
        """Variance of x, minus the covariance, variance of y: the inertia tensor of scikit-image.

        Sums are taken in whole numbers from each object's corner, so that a symmetric object has exactly
        equal variances, and its orientation does not hang on rounding.
        """
        y, x = self._yx
        y = y - self.bounding_box[self.of_pixel, 0]
        x = x - self.bounding_box[self.of_pixel, 1]
        n = self.area.astype(float)
        sum_y, sum_x = self.sum(y), self.sum(x)
        var_x = (n * self.sum(x * x) - sum_x**2) / n**2
        var_y = (n * self.sum(y * y) - sum_y**2) / n**2
        covariance = (n * self.sum(x * y) - sum_x * sum_y) / n**2
        return var_x, -covariance, var_y

    @cached_property
    def perimeter(self) -> Floats:
        """Length of the outline, in pixels."""
        padded = np.pad(self.label_image, 1)
        centre = padded[1:-1, 1:-1]
        straight = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        inner = np.logical_and.reduce([centre == neighbour for neighbour in straight])
        border = np.pad(np.where(inner, 0, centre), 1)
        # Only border pixels of objects matter: look at their eight neighbours, wherever they lie.
        width = border.shape[1]
        at = np.flatnonzero(border)
        flat, own = border.ravel(), border.ravel()[at]
        code = np.ones(len(at), np.int64)
        for weight, steps in (
            (2, (-width, width, -1, 1)),
            (10, (-width - 1, -width + 1, width - 1, width + 1)),
        ):
            for step in steps:
                code += weight * (flat[at + step] == own)
        of_pixel = np.searchsorted(self.label_ids, own)
        return _weighted_counts(of_pixel, weights=_PERIMETER_WEIGHTS[code], minlength=len(self))

    @cached_property
    def area_convex(self) -> Ints:
        """Number of pixels in the convex hull."""
        areas = np.empty(len(self), np.intp)
        for i, (y0, x0, y1, x1) in enumerate(self.bounding_box):
            own = self.label_image[y0:y1, x0:x1] == self.label_ids[i]
            areas[i] = np.count_nonzero(convex_hull_image(own))
        return areas


def shape_measurements(objects: Objects) -> dict[str, npt.NDArray[np.generic]]:
    """Measure the shape of every object; names and values are those of scikit-image's ``regionprops``.

    Returns
    -------
    dict
        ``area``, ``area_convex`` (px²), ``perimeter``, ``axis_major_length``, ``axis_minor_length`` (px),
        ``eccentricity``, ``solidity``, ``extent`` (shares), ``orientation`` (radians): (N,) each.
    """
    a, b, c = objects.inertia
    spread = np.hypot(a - c, 2 * b)
    large = np.clip((a + c + spread) / 2, 0, None)
    small = np.clip((a + c - spread) / 2, 0, None)
    ratio = np.divide(small, large, out=np.ones_like(small), where=large > 0)
    round_ones = np.where(b < 0, np.pi / 4, -np.pi / 4)
    box = objects.bounding_box
    box_area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    return {
        "area": objects.area.astype(float),
        "area_convex": objects.area_convex.astype(float),
        "perimeter": objects.perimeter,
        "eccentricity": np.sqrt(np.clip(1 - ratio, 0, 1)),
        "axis_major_length": 4 * np.sqrt(large),
        "axis_minor_length": 4 * np.sqrt(small),
        "orientation": np.where(a == c, round_ones, 0.5 * np.arctan2(-2 * b, c - a)),
        "solidity": objects.area / objects.area_convex,
        "extent": objects.area / box_area,
    }
