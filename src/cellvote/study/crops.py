"""Crops of the cells: one memory-mapped N×C×H×W file, a row for each row of the cells table."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import StudyError
from cellvote.plates.pixels import Pixels
from cellvote.study.atomic import file_checksum, read_json, write_json
from cellvote.study.study import Study

Crops = npt.NDArray[np.generic]

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
    before, after = size_px // 2, size_px - size_px // 2
    padded = np.pad(image, ((0, 0), (before, after), (before, after)), mode="edge")
    corners = np.floor(centroids).astype(int)
    crops = np.empty((len(corners), len(image), size_px, size_px), image.dtype)
    for i, (y, x) in enumerate(corners):
        crops[i] = padded[:, y : y + size_px, x : x + size_px]
    return crops


def crops_path(study: Study, segmentation: str, size_px: int) -> Path:
    """Where the crops of a size are."""
    return study.segmentation_folder(segmentation) / f"crops-{size_px}.npy"


def describe_crops(study: Study, segmentation: str, size_px: int) -> dict[str, Any]:
    """Say what the crops were cut from: what is compared before they are used again."""
    return {
        "size_px": size_px,
        "channels": list(study.channels),
        "cells_checksum": file_checksum(study.cells_path(segmentation)),
    }


def crops_are_current(study: Study, segmentation: str, size_px: int) -> bool:
    """Whether crops of this size are there, cut from the cells table as it is now."""
    path = crops_path(study, segmentation, size_px)
    note = path.with_suffix(".json")
    wanted = describe_crops(study, segmentation, size_px)
    return path.exists() and note.exists() and read_json(note) == wanted


def note_crops(study: Study, segmentation: str, size_px: int) -> None:
    """Write beside the crops what they were cut from."""
    path = crops_path(study, segmentation, size_px).with_suffix(".json")
    write_json(path, describe_crops(study, segmentation, size_px))


def open_crops(study: Study, segmentation: str, size_px: int) -> Crops:
    """Open the crops without reading them: N×C×H×W, memory-mapped.

    Raises
    ------
    StudyError
        Where they are missing or damaged.
    """
    path = crops_path(study, segmentation, size_px)
    try:
        crops: Crops = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StudyError(
            f"{path}: the crops cannot be opened ({error}). Train or predict again to cut them."
        ) from error
    return crops
