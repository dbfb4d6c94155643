"""How far nuclei stand out of what is around them, and which stand out too little to be nuclei."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cellvote.plates.pixels import Pixels
from cellvote.segmentation.growing import LEAST_OBJECTS, keep_between
from cellvote.study.masks import LabelImage

_LEAST_RING_PX: Final = 2
_RING: Final = 1 / 6
"""Half of this share of a nucleus on either side tells what is around it."""


def contrasts(nuclear: Pixels, nuclei: LabelImage, diameter_px: float) -> npt.NDArray[np.float64]:
    """Measure how much brighter each nucleus is than a ring around it.

    Parameters
    ----------
    nuclear
        YX, the channel that shows nuclei.
    nuclei
        YX, numbered from 1 without gaps.
    diameter_px
        Of a usual nucleus.

    Returns
    -------
    ndarray
        (N,) grey values; NaN for nuclei that others surround so closely that no ring is left.
    """
    reach_px = 1 + max(_LEAST_RING_PX, round(_RING * diameter_px))
    touched = ndimage.maximum_filter(nuclei, 3) > 0  # the blurred border belongs to neither
    ring = np.where(touched, 0, ndimage.maximum_filter(nuclei, 2 * reach_px + 1)).ravel()
    grey, owner, n = nuclear.ravel().astype(np.float64), nuclei.ravel(), int(nuclei.max()) + 1
    with np.errstate(invalid="ignore"):
        inside = np.bincount(owner, grey, n) / np.bincount(owner, minlength=n)
        around = np.bincount(ring, grey, n) / np.bincount(ring, minlength=n)
    return np.asarray((inside - around)[1:], np.float64)


def drop_faint(nuclear: Pixels, nuclei: LabelImage, diameter_px: float, least_share: float) -> LabelImage:
    """Drop what stands out less than a share of the median contrast of an image, and number the others anew.

    Such objects are cytoplasm that takes up some of the stain, glare of bright nuclei, or nuclei far out of focus. An
    image with few objects says nothing about what is usual, and keeps them all.
    """
    if nuclei.max() < LEAST_OBJECTS or least_share <= 0:
        return nuclei
    contrast = contrasts(nuclear, nuclei, diameter_px)
    known = contrast[~np.isnan(contrast)]
    faint = contrast < least_share * (np.median(known) if len(known) else 0.0)
    return keep_between(np.where(np.concatenate([[False], faint])[nuclei], 0, nuclei), 1, np.inf)
