"""Flows on disk: compressed TIFF of three pages (dY, dX, cell probability), which Fiji opens as a stack."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import tifffile

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import read_plane
from cellvote.study.atomic import writing

Flows = npt.NDArray[np.float32]

_KEPT_BITS: Final = 8
"""Of a mantissa of 23. A simulated field of noisy flows takes 1.72 bytes a value, against 3.64 with all bits and 1.73
as float16, which ImageJ does not open; no flow is off by more than 0.3 % of a cell's, and masks that are made of them
again are the same in every pixel."""


def write_flows(path: Path, flows: Flows) -> None:
    """Write 3YX flows atomically, as float32 rounded to what is worth keeping."""
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            _rounded(flows),
            compression="zlib",  # without a predictor: ImageJ knows none for floats
            photometric="minisblack",
            metadata=None,
            software=False,
        )


def read_flows(path: Path) -> Flows:
    """Read 3YX float32 flows: dY, dX, cell probability.

    Raises
    ------
    SegmentationError
        Where there are none.
    ImageReadError
        Where the file is damaged.
    """
    if not path.exists():
        raise SegmentationError(f"{path}: this field has no flows. Segment it with --flows.")
    return np.stack([read_plane(path, page) for page in range(3)]).astype(np.float32)


def _rounded(flows: Flows) -> Flows:
    """Round to `_KEPT_BITS` of the mantissa: the zeros behind them compress to nothing."""
    drop = 23 - _KEPT_BITS
    bits = np.ascontiguousarray(flows, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(1 << (drop - 1))) >> drop << drop
    return np.asarray(rounded, np.uint32).view(np.float32)
