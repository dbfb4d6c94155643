"""Pixels: read single image planes, never trusting what a file says of itself."""

import hashlib
import stat
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from cellvote.errors import ImageReadError

Pixels = npt.NDArray[np.generic]

MAX_PLANE_BYTES: Final = 2**31
"""Larger planes are refused before any memory is taken: no camera of a screen makes them."""

TIFF_SUFFIXES: Final = frozenset({".tif", ".tiff"})
PICTURE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
CONTAINER_SUFFIXES: Final = frozenset({".czi", ".nd2", ".lif"})
IMAGE_SUFFIXES: Final = TIFF_SUFFIXES | PICTURE_SUFFIXES | CONTAINER_SUFFIXES

_UNCOMPRESSED: Final = 1
_N_SAMPLES: Final = (3, 4)
_GREY_MODES: Final = frozenset({"1", "L", "I", "I;16", "I;16B", "F"})

# What tifffile, its decoders and Pillow raise on damaged files.
_DAMAGED: Final = (
    tifffile.TiffFileError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    OSError,
    SyntaxError,
    MemoryError,
    Warning,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
)


def read_plane(path: Path, page: int = 0, sample: int = 0) -> Pixels:
    """Read one image plane.

    Parameters
    ----------
    path
        A TIFF, PNG, JPEG or BMP file; an array in a Zarr store; a CZI, ND2 or LIF file (extra ``containers``).
    page
        Which 2-D plane of a file with several, counted from 0.
    sample
        0 for a grey image; of a coloured one 1 for red, 2 for green, 3 for blue.

    Returns
    -------
    ndarray
        YX, with the dtype of the file.

    Raises
    ------
    ImageReadError
        Where the file is missing, truncated, damaged, of a forbidden size, or not a grey image.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ImageReadError(
            f"{path}: cannot be opened ({error.strerror}). Check that the disk is connected."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        from cellvote.plates.zarr_planes import read_zarr_plane

        return read_zarr_plane(path, page)
    suffix = path.suffix.lower()
    if suffix in CONTAINER_SUFFIXES:
        from cellvote.plates.container_planes import read_container_plane

        return read_container_plane(path, page)
    try:
        if suffix in TIFF_SUFFIXES:
            plane = _read_tiff(path, page, status.st_size)
        else:
            plane = _read_picture(path)
    except ImageReadError:
        raise
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageReadError(
            f"{path}: the file is damaged ({reason[:120]}). Copy it again, or exclude this field."
        ) from error
    if sample:
        plane = _take_sample(path, plane, sample)
    if plane.ndim != 2:
        raise ImageReadError(
            f"{path}: a grey image was expected, but it has the shape {plane.shape}. "
            "Save each channel as its own grey file."
        )
    return plane


def _take_sample(path: Path, plane: Pixels, sample: int) -> Pixels:
    """Take one colour of a picture; a grey one among coloured ones has all of them alike."""
    if plane.ndim == 2:
        return plane
    axis = 2 if plane.shape[2] in _N_SAMPLES else 0
    if plane.ndim != 3 or plane.shape[axis] < sample:
        raise ImageReadError(f"{path}: has no colour {sample}; its shape is {plane.shape}. Exclude this field.")
    return np.asarray(plane.take(sample - 1, axis))


def _read_tiff(path: Path, page: int, size_bytes: int) -> Pixels:
    with tifffile.TiffFile(path) as tiff:
        if page >= len(tiff.pages):
            raise ImageReadError(
                f"{path}: page {page + 1} was expected, but the file has {len(tiff.pages)}. Copy it again."
            )
        header = tiff.pages[page].aspage()
        _check_size(path, header.shape, header.dtype)
        _check_size(path, header.chunks, header.dtype)
        ends = [o + n for o, n in zip(header.dataoffsets, header.databytecounts, strict=False)]
        if ends and max(ends) > size_bytes:
            raise ImageReadError(
                f"{path}: the file is truncated ({size_bytes} of {max(ends)} bytes). "
                "Copy it again, or exclude this field."
            )
        # What is not there would be read as zeros, without a word.
        whole = len(header.dataoffsets) >= int(np.prod(header.chunked)) and 0 not in header.databytecounts
        row_bytes = -(-header.imagewidth * header.bitspersample * header.samplesperpixel // 8)  # packed bits count too
        least_bytes = row_bytes * header.imagelength if header.compression == _UNCOMPRESSED else 0
        if not whole or sum(header.databytecounts) < least_bytes:
            raise ImageReadError(
                f"{path}: the file is damaged (it holds less than the {' × '.join(map(str, header.shape))} pixels "
                "that it claims). Copy it again, or exclude this field."
            )
        return np.asarray(header.asarray())


def _read_picture(path: Path) -> Pixels:
    """Read a PNG, JPEG or BMP file: YX where it is grey, YXS where it has colours (a palette counts as these)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(path, formats=("PNG", "JPEG", "BMP")) as image:
            _check_size(path, (image.height, image.width), np.dtype(np.uint16))
            return np.asarray(image if image.mode in _GREY_MODES else image.convert("RGB"))


def _check_size(path: Path, shape: Sequence[int], dtype: np.dtype[np.generic] | None) -> None:
    n_bytes = int(np.prod([int(n) for n in shape], dtype=object)) * (dtype.itemsize if dtype else 1)
    if n_bytes > MAX_PLANE_BYTES or n_bytes <= 0:
        raise ImageReadError(
            f"{path}: its header claims an image of {' × '.join(map(str, shape))} "
            f"({n_bytes / 2**30:.1f} GiB): refused. The file is damaged, or not a single image plane."
        )


def image_hash(image: Pixels) -> str:
    """Name the pixels of a field, whatever its files are called and however they are compressed.

    Parameters
    ----------
    image
        CYX, any dtype.
    """
    digest = hashlib.blake2b(f"{image.shape}{image.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()
