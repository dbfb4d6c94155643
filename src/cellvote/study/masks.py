"""Label images on disk: plain compressed TIFF, which Fiji, CellProfiler and Cellpose open."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import tifffile

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import read_plane
from cellvote.study.atomic import writing

LabelImage = npt.NDArray[np.int32]

_COUNTED_FAST: Final = 2**22


def write_label_image(path: Path, label_image: LabelImage) -> None:
    """Write a YX label image atomically, as uint16 where its label ids fit, else as int32."""
    largest = int(label_image.max(initial=0))
    stored = label_image.astype(np.uint16 if largest < 2**16 else np.int32)
    with writing(path) as temporary:
        tifffile.imwrite(temporary, stored, compression="zlib", predictor=True, metadata=None, software=False)


def read_label_image(path: Path) -> LabelImage:
    """Read a YX label image as int32.

    Raises
    ------
    SegmentationError
        Where there is none.
    ImageReadError
        Where the file is damaged.
    """
    if not path.exists():
        raise SegmentationError(f"{path}: this field has no masks. Segment it first.")
    return read_plane(path).astype(np.int32)


def count_cells(label_image: LabelImage) -> int:
    """Count the label ids of a label image, however high they are."""
    if int(label_image.max(initial=0)) < _COUNTED_FAST:
        return int(np.count_nonzero(np.bincount(label_image.ravel())[1:]))
    return int(np.count_nonzero(np.unique(label_image)))


def give_nuclei_the_ids_of_cells(nuclei: LabelImage, cells: LabelImage) -> LabelImage:
    """Give each nucleus the label id of the cell that most of it lies in, and cut off what lies outside of that cell.

    A cell may have several nuclei: all take its label id. A nucleus that lies in no cell is dropped.

    Parameters
    ----------
    nuclei, cells
        YX int32, of one size; their label ids need not agree.

    Returns
    -------
    ndarray
        YX int32.
    """
    inside = (nuclei > 0) & (cells > 0)
    ids, numbers = np.unique(nuclei, return_inverse=True)
    numbers = numbers.reshape(nuclei.shape)
    pairs, n_px = np.unique(np.stack([numbers[inside], cells[inside]]), axis=1, return_counts=True)
    order = np.lexsort((-pairs[1], n_px))  # of equal overlaps, the cell with the lower label id
    cell_of: LabelImage = np.zeros(len(ids), np.int32)
    cell_of[pairs[0][order]] = pairs[1][order]  # the largest overlap is written last
    wanted = cell_of[numbers]
    return np.where((wanted == cells) & inside, wanted, 0).astype(np.int32)
