"""How well two label images of one field agree: their cells matched by overlap, all at once from a joint histogram."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from cellvote.errors import SegmentationError

LabelIds = npt.NDArray[np.int64]
Labels = npt.NDArray[np.integer[Any]]

LEAST_IOU: Final = 0.5
"""From here on a cell can be matched with one other only, so that no choice is hidden in the figures."""


@dataclass(frozen=True)
class Agreement:
    """The cells of two label images, matched.

    Attributes
    ----------
    matched
        N×2: label ids of the cells that are in both, of the first image and of the second.
    iou
        Their intersections over unions, N.
    only_first, only_second
        Label ids of the cells that have no partner.
    """

    matched: LabelIds
    iou: npt.NDArray[np.float64]
    only_first: LabelIds
    only_second: LabelIds

    @property
    def n_first(self) -> int:
        """How many cells the first image has."""
        return len(self.matched) + len(self.only_first)

    @property
    def n_second(self) -> int:
        """How many cells the second image has."""
        return len(self.matched) + len(self.only_second)

    @property
    def f1(self) -> float:
        """Matched cells as a share of the mean number of cells; NaN where neither image has any."""
        n = self.n_first + self.n_second
        return 2 * len(self.matched) / n if n else float("nan")

    @property
    def precision(self) -> float:
        """Which share of the first image's cells are in the second; NaN without cells."""
        return len(self.matched) / self.n_first if self.n_first else float("nan")

    @property
    def recall(self) -> float:
        """Which share of the second image's cells are in the first; NaN without cells."""
        return len(self.matched) / self.n_second if self.n_second else float("nan")


def match_label_images(first: Labels, second: Labels, least_iou: float = LEAST_IOU) -> Agreement:
    """Match the cells of two label images that overlap by at least this intersection over union.

    Parameters
    ----------
    first, second
        YX (or ZYX), of one shape: 0 is background.
    least_iou
        0.5 to 1. Two cells of an image never share a pixel, so from 0.5 on a cell has one partner at most; where
        it is cut into two exact halves (0.5 each), the half with the lower label id is its partner.

    Raises
    ------
    SegmentationError
        Where the shapes differ, or a label id is negative.
    ValueError
        Where ``least_iou`` is below 0.5 or above 1.
    """
    if first.shape != second.shape:
        raise SegmentationError(f"label images of one size were expected, not {first.shape} and {second.shape}.")
    if not LEAST_IOU <= least_iou <= 1:
        raise ValueError(f"least_iou is {least_iou}: it lies between {LEAST_IOU} and 1")
    ids_first, areas_first, places_first = _cells(first)
    ids_second, areas_second, places_second = _cells(second)
    shared = _overlaps(first, second, places_first, places_second, (len(ids_first), len(ids_second)))
    iou = shared.data / (areas_first[shared.row] + areas_second[shared.col] - shared.data)
    good = np.flatnonzero(iou >= least_iou)
    best = good[np.lexsort((shared.col[good], shared.row[good], -iou[good]))]
    _, once = np.unique(shared.row[best], return_index=True)
    best = best[np.sort(once)]
    _, once = np.unique(shared.col[best], return_index=True)
    best = best[np.sort(once)]
    best = best[np.argsort(shared.row[best])]
    rows, columns = shared.row[best], shared.col[best]
    return Agreement(
        matched=np.stack([ids_first[rows], ids_second[columns]], axis=1),
        iou=iou[best],
        only_first=np.delete(ids_first, rows),
        only_second=np.delete(ids_second, columns),
    )


def _cells(labels: Labels) -> tuple[LabelIds, npt.NDArray[np.int64], LabelIds]:
    """Give label ids and areas, and a table from label id to the place among them."""
    if labels.size and int(labels.min()) < 0:
        raise SegmentationError(f"a label image holds {int(labels.min())}: label ids are 1 and more.")
    areas = np.bincount(labels.ravel(), minlength=1)
    areas[0] = 0
    ids = np.flatnonzero(areas)
    places = np.zeros(len(areas), np.int64)
    places[ids] = np.arange(len(ids))
    return ids.astype(np.int64), areas[ids].astype(np.int64), places


def _overlaps(
    first: Labels, second: Labels, places_first: LabelIds, places_second: LabelIds, shape: tuple[int, int]
) -> sparse.coo_array:
    """Count the pixels that each cell of one image shares with each of the other: the joint histogram, sparse."""
    both = (first > 0) & (second > 0)
    rows, columns = places_first[first[both]], places_second[second[both]]
    counted = sparse.coo_array((np.ones(len(rows), np.int64), (rows, columns)), shape=shape)
    return counted.tocsr().tocoo()
