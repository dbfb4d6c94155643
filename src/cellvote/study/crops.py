"""Cutting crops: the pixels, the mask image and the flow image of each cell, as squares of one size."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.plates.pixels import Pixels
from cellvote.study.image_files import (
    Images,
    StoredPart,
    is_current,
    open_images,
)
from cellvote.study.masks import LabelImage
from cellvote.study.part_images import NO_FLOW, PartImage, outline_and_distance
from cellvote.study.resizing import resized, rounded
from cellvote.study.study import Study

__all__ = [
    "Crops",
    "Windows",
    "crops_are_current",
    "cut_crops",
    "cut_flow_images",
    "cut_mask_images",
    "cut_windows",
    "open_crops",
    "plain_crops",
    "usual_crop_size_px",
    "windows_of",
    "zero_background",
]

Crops = Images
Windows = npt.NDArray[np.int64]
"""(N, 3): the first row and column of each square, and its side, in pixels of the field."""

BOX: Final = ["bbox_y_min", "bbox_x_min", "bbox_y_max", "bbox_x_max"]

_STORED: Final = (np.uint8, np.uint16)


def usual_crop_size_px(cells: pd.DataFrame) -> int:
    """Take the smallest multiple of 8 px (32 … 128) that holds nine cells of ten."""
    sides = np.maximum(cells["bbox_y_max"] - cells["bbox_y_min"], cells["bbox_x_max"] - cells["bbox_x_min"])
    usual = float(np.percentile(sides, 90)) if len(sides) else 32.0
    return int(np.clip(np.ceil(usual / 8) * 8, 32, 128))


def cut_crops(image: Pixels, centroids: npt.NDArray[np.float64], size_px: int) -> Crops:
    """Cut a square around each cell; beyond the image its edge pixels are repeated.

    Parameters
    ----------
    image
        CYX; other dtypes than uint8 and uint16 become float32.
    centroids
        (N, 2) y and x.

    Returns
    -------
    ndarray
        N×C×H×W.
    """
    if image.dtype not in _STORED:
        image = image.astype(np.float32)
    return cut_windows(image, _around(centroids, size_px), size_px)


def windows_of(cells: pd.DataFrame, size_px: int, cut: Literal["pad", "rescale"]) -> Windows:
    """Say which square of its field each cell is cut from.

    Parameters
    ----------
    cells
        ``centroid_y``, ``centroid_x`` and the columns of `BOX`.
    cut
        ``pad``: of the size of the crops, around the centroid; ``rescale``: the square that just holds the cell.
    """
    if cut == "pad":
        return _around(cells[["centroid_y", "centroid_x"]].to_numpy(float), size_px)
    top, left, bottom, right = (cells[name].to_numpy(np.int64) for name in BOX)
    side = np.maximum(np.maximum(bottom - top, right - left), 1)
    return np.stack([(top + bottom - side) // 2, (left + right - side) // 2, side], axis=1)


def _around(centroids: npt.NDArray[np.float64], size_px: int) -> Windows:
    corners = np.floor(centroids).astype(np.int64) - size_px // 2
    return np.column_stack([corners, np.full(len(corners), size_px, np.int64)])


def cut_windows(image: Pixels, windows: Windows, size_px: int) -> Crops:
    """Cut squares out of a CYX image, and resize those that are of another size; edge pixels are repeated beyond it.

    Returns
    -------
    ndarray
        N×C×H×W of the image's dtype.
    """
    padded, moved = _padded(image, windows)
    crops = np.empty((len(windows), len(image), size_px, size_px), image.dtype)
    for i, (y, x, side) in enumerate(moved):
        own = padded[:, y : y + side, x : x + side]
        crops[i] = own if side == size_px else rounded(resized(own, size_px, size_px), image.dtype)
    return crops


def cut_mask_images(label_image: LabelImage, label_ids: npt.NDArray[np.int64], windows: Windows, size_px: int) -> Crops:
    """Draw the mask image of each cell: itself, other cells, its outline, how deep inside it each pixel is.

    Returns
    -------
    ndarray
        N×4×H×W uint8.
    """
    outline, distance = outline_and_distance(label_image)
    labels, moved = _padded(label_image[None], windows, 0)
    drawn, _ = _padded(np.stack([np.where(outline, np.uint8(255), np.uint8(0)), distance]), windows, 0)
    crops = np.empty((len(windows), 4, size_px, size_px), np.uint8)
    for i, (y, x, side) in enumerate(moved):
        window = labels[0, y : y + side, x : x + side]
        own = window == label_ids[i]
        image = np.empty((4, side, side), np.uint8)
        image[0] = 255 * own
        image[1] = 255 * ((window != 0) & ~own)
        image[2:] = drawn[:, y : y + side, x : x + side] * own
        crops[i] = image if side == size_px else rounded(resized(image, size_px, size_px), crops.dtype)
    return crops


def cut_flow_images(
    flows: PartImage, label_image: LabelImage, label_ids: npt.NDArray[np.int64], windows: Windows, size_px: int
) -> Crops:
    """Cut the flow image of each cell out of that of its field; its last channel becomes the cell itself.

    Parameters
    ----------
    flows
        4YX, as `part_images.flow_image` draws it.

    Returns
    -------
    ndarray
        N×4×H×W uint8.
    """
    around = np.array([NO_FLOW, NO_FLOW, 0, 0], np.uint8)[:, None, None]
    shifted, moved = _padded(flows - around, windows, 0)  # wraps around, and back again
    labels, _ = _padded(label_image[None], windows, 0)
    crops = np.empty((len(windows), 4, size_px, size_px), np.uint8)
    for i, (y, x, side) in enumerate(moved):
        image = np.asarray(shifted[:, y : y + side, x : x + side], np.uint8) + around
        image[3] = 255 * (labels[0, y : y + side, x : x + side] == label_ids[i])
        crops[i] = image if side == size_px else rounded(resized(image, size_px, size_px), crops.dtype)
    return crops


def zero_background(
    crops: Crops, label_image: LabelImage, label_ids: npt.NDArray[np.int64], windows: Windows, empty: tuple[int, ...]
) -> None:
    """Put, in place, what stands for nothing wherever a crop does not show its own cell.

    Parameters
    ----------
    empty
        For each channel.
    """
    size_px = crops.shape[-1]
    labels, moved = _padded(label_image[None], windows, 0)
    nothing = np.array(empty, crops.dtype)[:, None, None]
    for i, (y, x, side) in enumerate(moved):
        own = labels[0, y : y + side, x : x + side] == label_ids[i]
        if side != size_px:
            own = resized(own, size_px, size_px) >= 0.5
        crops[i] = np.where(own, crops[i], nothing)


def _padded(image: Pixels, windows: Windows, value: int | None = None) -> tuple[Pixels, Windows]:
    """Add what windows need beyond a CYX image: a value, or the pixels of its edge again; and move them along."""
    height, width = image.shape[1:]
    if not len(windows):
        return image, windows
    y, x, side = windows.T
    before = max(0, -int(y.min()), -int(x.min()))
    after = max(0, int((y + side).max()) - height, int((x + side).max()) - width)
    if not before and not after:
        return image, windows
    widths = ((0, 0), (before, after), (before, after))
    padded = np.pad(image, widths, mode="edge") if value is None else np.pad(image, widths, constant_values=value)
    return padded, windows + np.array([before, before, 0])


def plain_crops(segmentation: str, size_px: int) -> StoredPart:
    """Name the crops that are padded, with all that is around the cells: what galleries show."""
    return StoredPart("cell", "pixels", (size_px, size_px), segmentation)


def crops_are_current(study: Study, segmentation: str, size_px: int) -> bool:
    """Whether crops of this size are there, cut from the cells table as it is now."""
    return is_current(study, plain_crops(segmentation, size_px))


def open_crops(study: Study, segmentation: str, size_px: int) -> Crops:
    """Open the crops without reading them: N×C×H×W, memory-mapped.

    Raises
    ------
    StudyError
        Where they are missing or damaged.
    """
    return open_images(study, plain_crops(segmentation, size_px)).array
