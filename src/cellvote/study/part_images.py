"""Mask images and flow images: what a network is fed of a segmentation, four channels of uint8 each."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cellvote.study.flows import Flows
from cellvote.study.masks import LabelImage

PartImage = npt.NDArray[np.uint8]

MASK_CHANNELS: Final = ("own cell", "other cells", "outline", "distance")
FLOW_CHANNELS: Final = ("flow y", "flow x", "cell probability", "own cell")

NO_FLOW: Final = 128
"""How a flow of 0 is stored; −1 is 1, and 1 is 255."""

MASK_LIMITS: Final = ((0, 0, 0, 0), (255, 255, 255, 255))
FLOW_LIMITS: Final = ((NO_FLOW, NO_FLOW, 0, 0), (255, 255, 255, 255))
"""What is stored for 0 and for 1, in each channel."""

FLOW_VECTORS: Final = ((0, 1),)
"""The channels of dY and dX."""

_FLOW_LENGTH: Final = 5.0
"""Of the flow inside a cell, in the units of Cellpose."""


def outline_and_distance(label_image: LabelImage) -> tuple[npt.NDArray[np.bool_], PartImage]:
    """Find the outline of each cell, and how far inside it each pixel is.

    Returns
    -------
    outline
        YX bool: pixels of a cell beside which (up, down, left or right) is another cell or none. Where the image cuts
        a cell there is no outline.
    distance
        YX uint8: from just above 0 at the outline to 255 where a cell is deepest; 0 outside of cells.
    """
    padded = np.pad(label_image, 1, mode="edge")
    alike = np.ones(label_image.shape, bool)
    for near in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        alike &= near == label_image
    inside = label_image > 0
    deep = ndimage.distance_transform_edt(alike & inside) + 1.0 if inside.any() else np.ones(label_image.shape)
    numbers = np.unique(label_image, return_inverse=True)[1].reshape(label_image.shape)
    deepest = np.ones(int(numbers.max(initial=0)) + 1)
    np.maximum.at(deepest, numbers.ravel(), deep.ravel())
    share = np.where(inside, deep / deepest[numbers], 0)
    return inside & ~alike, np.rint(255 * share).astype(np.uint8)


def mask_image(label_image: LabelImage) -> PartImage:
    """Draw the mask image of a whole field: all cells are its own, and none another's.

    Returns
    -------
    ndarray
        4YX, channels as in `MASK_CHANNELS`.
    """
    outline, distance = outline_and_distance(label_image)
    cells = np.where(label_image > 0, np.uint8(255), np.uint8(0))
    return np.stack([cells, np.zeros_like(cells), np.where(outline, np.uint8(255), np.uint8(0)), distance])


def flow_image(flows: Flows, label_image: LabelImage) -> PartImage:
    """Draw the flow image of a whole field.

    Parameters
    ----------
    flows
        3YX: dY, dX and cell probability (log odds), in the units of Cellpose.

    Returns
    -------
    ndarray
        4YX, channels as in `FLOW_CHANNELS`: flows by −1 … 1, cell probability by 0 … 1 (the sigmoid of its log odds).
    """
    image = np.empty((4, *label_image.shape), np.uint8)
    image[:2] = np.rint(NO_FLOW + 127 * np.clip(flows[:2] / _FLOW_LENGTH, -1, 1))
    image[2] = np.rint(255 / (1 + np.exp(-np.clip(flows[2], -30, 30))))
    image[3] = np.where(label_image > 0, 255, 0)
    return image
