"""One file of masks to a label image: what is none is refused, with the reason and the way out."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import (
    TIFF_SUFFIXES,
    check_size,
    count_pages,
    damage_of,
    open_tiff,
    read_colours,
    read_plane,
)
from cellvote.plates.zarr_planes import read_source_label
from cellvote.segmentation.imported.settings import BinaryMasks
from cellvote.study.masks import LabelImage

MASK_SUFFIXES: Final = TIFF_SUFFIXES | {".png", ".bmp"}
"""Files that masks are read from: what keeps each number as it is."""

LOSSY_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jp2"})

PICKLED: Final = (
    "is Cellpose's _seg.npy, a pickle: loading one runs whatever program is hidden in it, so CellVote never does. In "
    "Cellpose, open it and choose File > Save masks as PNG/tif (or run Cellpose with --save_tif), and import these"
)

_LARGEST_LABEL: Final = np.iinfo(np.int32).max
_ALIKE: Final = 0.5
_TOUCHING: Final = np.ones((3, 3), bool)


def read_mask(path: Path, page: int | None = None, binary: BinaryMasks = "refuse") -> LabelImage:
    """Read the label image of one field.

    Parameters
    ----------
    path
        A TIFF, PNG or BMP file of 8, 16 or 32 bits, or of floating point that holds whole numbers; or an array in a
        Zarr store.
    page
        Which plane of it, counted from 0; None for a file that must have just one.
    binary
        What becomes of masks of a single value, see `ImportSettings`.

    Returns
    -------
    ndarray
        YX int32; label ids are those of the file.

    Raises
    ------
    ImageReadError
        Where it is missing or damaged.
    SegmentationError
        Where it holds no label image: a pickle, colours, fractions, a photograph, one value for many cells, …
    """
    if path.is_dir():
        return with_cells_apart(path, read_source_label(path, page or 0), binary)
    suffix = path.suffix.lower()
    if path.name.endswith(".npy") or suffix in {".pkl", ".pickle"}:
        raise SegmentationError(f"{path}: {PICKLED}.")
    if suffix in LOSSY_SUFFIXES:
        raise SegmentationError(f"{path}: JPEG does not keep label ids as they are. Save the masks as TIFF or PNG.")
    if suffix not in MASK_SUFFIXES:
        raise SegmentationError(f"{path}: no label images are read from such a file. Save the masks as TIFF or PNG.")
    values = _read_tiff(path, page) if suffix in TIFF_SUFFIXES else _read_picture(path)
    labels = whole_numbers(path, values)
    _refuse_photograph(path, labels)
    return with_cells_apart(path, labels, binary)


def _read_tiff(path: Path, page: int | None) -> npt.NDArray[Any]:
    with open_tiff(path) as tiff:
        n_pages = count_pages(tiff)
        coloured = "S" in tiff.pages[0].aspage().axes
    if page is None and n_pages > 1:
        raise SegmentationError(
            f"{path}: has {n_pages} planes; one label image in 2-D was expected. Save the masks of each field, or of "
            "the projection, as a file of their own."
        )
    if not coloured:
        return read_plane(path, page or 0)
    samples = [read_plane(path, page or 0, sample) for sample in (1, 2, 3)]
    if not all(np.array_equal(samples[0], other) for other in samples[1:]):
        raise _coloured(path)
    return samples[0]


def _read_picture(path: Path) -> npt.NDArray[Any]:
    with damage_of(path), Image.open(path, formats=("PNG", "BMP")) as image:
        check_size(path, (image.height, image.width), np.dtype(np.uint16))
        if image.mode == "P":  # the numbers behind the colours are the label ids
            return np.asarray(image)
    values = read_colours(path)
    if values.ndim != 2:
        raise _coloured(path)
    return values


def _coloured(path: Path) -> SegmentationError:
    return SegmentationError(
        f"{path}: is a coloured picture (an overlay, or masks drawn in colours): which colour is which cell cannot be "
        "told. Save label images: in CellProfiler ConvertObjectsToImage with the format uint16, then SaveImages as "
        "16-bit TIFF; in Cellpose File > Save masks as PNG/tif."
    )


def whole_numbers(path: Path, values: npt.NDArray[Any]) -> LabelImage:
    """Take pixel values for label ids, where they can be.

    Raises
    ------
    SegmentationError
        Where some are not whole numbers from 0 to 2³¹ − 1.
    """
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise SegmentationError(
                f"{path}: holds values that are no numbers (NaN or infinite): it is no label image."
            )
        if (values != np.rint(values)).any():
            if float(values.min()) >= 0 and float(values.max()) <= 1:
                raise SegmentationError(
                    f"{path}: holds fractions from 0 to 1, not label ids (CellProfiler's grayscale objects saved in "
                    "floating point look so). Save label ids: ConvertObjectsToImage with the format uint16, then "
                    "SaveImages as 16-bit TIFF."
                )
            raise SegmentationError(f"{path}: holds fractions such as {_a_fraction(values):g}: it is no label image.")
    elif values.dtype.kind not in "uib":
        raise SegmentationError(f"{path}: label ids must be whole numbers, these are {values.dtype}.")
    least, largest = int(values.min(initial=0)), int(values.max(initial=0))
    if least < 0:
        raise SegmentationError(f"{path}: has label ids below 0 ({least}). Number the cells from 1; 0 is background.")
    if largest > _LARGEST_LABEL:
        raise SegmentationError(
            f"{path}: has label ids up to {largest:,}; the highest that can be kept is {_LARGEST_LABEL:,}. "
            "Number the cells anew from 1."
        )
    return values.astype(np.int32)


def _a_fraction(values: npt.NDArray[Any]) -> float:
    return float(values[values != np.rint(values)].flat[0])


def _refuse_photograph(path: Path, labels: LabelImage) -> None:
    """Refuse what is an image of cells rather than their masks: in masks, neighbours mostly have the same label id."""
    left, right = labels[:, :-1], labels[:, 1:]
    either = (left > 0) & (right > 0)
    n = int(np.count_nonzero(either))
    if n < 100:
        return
    if np.count_nonzero((left == right) & either) < _ALIKE * n:
        raise SegmentationError(
            f"{path}: looks like an image of cells, not like their masks (most neighbouring pixels differ). Choose the "
            "masks with --set suffix=… or --set pattern=…, or give another folder."
        )


def with_cells_apart(path: Path, labels: LabelImage, binary: BinaryMasks) -> LabelImage:
    """Decide what masks of a single value are: several cells in one value cannot be told apart by it.

    Raises
    ------
    SegmentationError
        Where that value lies in several pieces, and nothing was said of such masks.
    """
    largest = int(labels.max(initial=0))
    if binary == "keep" or largest == 0 or not np.isin(labels, (0, largest)).all():
        return labels
    pieces, n_pieces = ndimage.label(labels, _TOUCHING)
    if binary == "split":
        return pieces.astype(np.int32)
    if n_pieces > 1:
        raise SegmentationError(
            f"{path}: has a single value ({largest}) in {n_pieces} separate pieces: a binary mask. Say "
            "--set binary=split where each connected piece is a cell (cells that touch become one), or "
            "--set binary=keep where all of it is one cell."
        )
    return labels
