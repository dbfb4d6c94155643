"""Label images on disk: plain compressed TIFF, which Fiji, CellProfiler and Cellpose open."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import read_plane
from cellvote.study.atomic import writing

LabelImage = npt.NDArray[np.int32]


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
