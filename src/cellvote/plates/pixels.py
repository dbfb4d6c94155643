"""Pixels: read single image planes, never trusting what a file says of itself."""

import hashlib
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from cellvote.errors import CellVoteError, ImageReadError

Pixels = npt.NDArray[np.generic]

MAX_PLANE_BYTES: Final = 2**31
"""Larger planes are refused before any memory is taken: no camera of a screen makes them."""

MAX_PAGES: Final = 10**6
"""A file that claims more planes is damaged."""

TIFF_SUFFIXES: Final = frozenset({".tif", ".tiff"})
PICTURE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".jp2", ".bmp"})
CONTAINER_SUFFIXES: Final = frozenset({".czi", ".nd2", ".lif"})
CELLOMICS_SUFFIX: Final = ".c01"
IMAGE_SUFFIXES: Final = TIFF_SUFFIXES | PICTURE_SUFFIXES | CONTAINER_SUFFIXES | {CELLOMICS_SUFFIX}

_UNCOMPRESSED: Final = 1
_ZARR_ARRAY_MARKERS: Final = (".zarray", "zarr.json")
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
        A TIFF, PNG, JPEG, BMP or C01 file; an array in a Zarr store; a CZI, ND2 or LIF file (extra ``containers``).
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
        if not any((path / marker).is_file() for marker in _ZARR_ARRAY_MARKERS):
            raise ImageReadError(f"{path}: is a folder, neither an image nor a Zarr array. Exclude this field.")
        from cellvote.plates.zarr_planes import read_zarr_plane

        return read_zarr_plane(path, page)
    suffix = path.suffix.lower()
    if suffix in CONTAINER_SUFFIXES:
        from cellvote.plates.container_planes import read_container_plane

        plane = read_container_plane(path, page)
    elif suffix == CELLOMICS_SUFFIX:
        from cellvote.plates.c01_planes import read_c01_plane

        plane = read_c01_plane(path)
    elif suffix in TIFF_SUFFIXES:
        with open_tiff(path) as tiff:
            plane = _read_tiff(path, tiff, page, status.st_size)
    else:
        plane = read_colours(path)
    if sample and plane.ndim == 3:
        if plane.shape[2] < sample:
            raise ImageReadError(f"{path}: has no colour {sample}; its shape is {plane.shape}. Exclude this field.")
        return np.ascontiguousarray(plane[..., sample - 1])
    if plane.ndim != 2:
        raise ImageReadError(
            f"{path}: a grey image was expected, but it has the shape {plane.shape}. "
            "Save each channel as its own grey file."
        )
    return plane


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file to look into it; whatever goes wrong while it is open becomes an `ImageReadError`."""
    with damage_of(path), tifffile.TiffFile(path) as tiff:
        yield tiff


@contextmanager
def damage_of(path: Path) -> Iterator[None]:
    """Turn whatever the readers of images raise on damaged files into an `ImageReadError` that names the file."""
    try:
        yield
    except CellVoteError:
        raise
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageReadError(
            f"{path}: the file is damaged ({reason[:120]}). Copy it again, or exclude this field."
        ) from error


def count_pages(tiff: tifffile.TiffFile) -> int:
    """Count the 2-D planes of a TIFF file; ImageJ writes large stacks behind one single header.

    Raises
    ------
    ImageReadError
        Where it claims more than `MAX_PAGES`.
    """
    n_pages = len(tiff.pages)
    if n_pages == 1 and tiff.is_imagej:
        n_pages = max(1, int((tiff.imagej_metadata or {}).get("images", 1)))
    if n_pages > MAX_PAGES:
        raise ImageReadError(f"{tiff.filename}: its header claims {n_pages} planes: refused. The file is damaged.")
    return n_pages


def _read_tiff(path: Path, tiff: Any, page: int, size_bytes: int) -> Pixels:
    """Read one page: YX where it is grey, YXS where it has colours."""
    n_headers = len(tiff.pages)
    n_pages = n_headers if page < n_headers else count_pages(tiff)
    if page >= n_pages:
        raise ImageReadError(f"{path}: page {page + 1} was expected, but the file has {n_pages}. Copy it again.")
    header = tiff.pages[page if page < n_headers else 0].aspage()
    check_size(path, header.shape, header.dtype)
    check_size(path, header.chunks, header.dtype)
    if page >= n_headers:
        return _read_behind(path, header, page, size_bytes)
    ends = [o + n for o, n in zip(header.dataoffsets, header.databytecounts, strict=False)]
    if ends and max(ends) > size_bytes:
        raise _truncated(path, size_bytes, max(ends))
    # What is not there would be read as zeros, without a word.
    whole = len(header.dataoffsets) >= int(np.prod(header.chunked)) and 0 not in header.databytecounts
    row_bytes = -(-header.imagewidth * header.bitspersample * header.samplesperpixel // 8)  # packed bits count too
    least_bytes = row_bytes * header.imagelength if header.compression == _UNCOMPRESSED else 0
    if not whole or sum(header.databytecounts) < least_bytes:
        raise ImageReadError(
            f"{path}: the file is damaged (it holds less than the {' × '.join(map(str, header.shape))} pixels "
            "that it claims). Copy it again, or exclude this field."
        )
    plane = np.asarray(header.asarray())
    return np.moveaxis(plane, 0, 2) if header.axes == "SYX" else plane


def _read_behind(path: Path, header: Any, page: int, size_bytes: int) -> Pixels:
    """Read a plane of an ImageJ stack whose planes lie one behind the other, with a header for the first one only."""
    if header.compression != _UNCOMPRESSED or not header.is_contiguous or header.axes not in {"YX", "YXS"}:
        raise ImageReadError(f"{path}: page {page + 1} was expected, but the file has 1. Copy it again.")
    dtype = header.dtype.newbyteorder(header.parent.byteorder)
    n_values = int(np.prod(header.shape))
    start = header.dataoffsets[0] + page * n_values * dtype.itemsize
    end = start + n_values * dtype.itemsize
    if end > size_bytes:
        raise _truncated(path, size_bytes, end)
    plane = np.fromfile(path, dtype, n_values, offset=start).reshape(header.shape)
    return plane.astype(header.dtype.newbyteorder("="), copy=False)


def _truncated(path: Path, size_bytes: int, expected_bytes: int) -> ImageReadError:
    return ImageReadError(
        f"{path}: the file is truncated ({size_bytes} of {expected_bytes} bytes). Copy it again, or exclude this field."
    )


def read_colours(path: Path) -> Pixels:
    """Read a PNG, JPEG, JPEG 2000 or BMP file: YX where all its colours are alike (it is grey), else YXS.

    Raises
    ------
    ImageReadError
        Where the file is missing, damaged or of a forbidden size.
    """
    with damage_of(path):
        plane = _read_picture(path)
    if plane.ndim == 3 and (plane[..., :1] == plane[..., 1:]).all():
        return np.ascontiguousarray(plane[..., 0])
    return plane


def _read_picture(path: Path) -> Pixels:
    """Read a picture: YX where it is grey, YXS where it has colours (a palette counts as these)."""
    # Warnings are not made errors here: the filters are those of all threads, and this runs in several at once.
    with Image.open(path, formats=("PNG", "JPEG", "JPEG2000", "BMP")) as image:
        check_size(path, (image.height, image.width), np.dtype(np.uint16))
        return np.asarray(image if image.mode in _GREY_MODES else image.convert("RGB"))


def check_size(path: Path, shape: Sequence[int], dtype: np.dtype[np.generic] | None) -> None:
    """Refuse an image, before memory is taken for it, that claims more than `MAX_PLANE_BYTES` or nothing."""
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
