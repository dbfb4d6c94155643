"""Pixels: read single image planes and whole fields, never trusting what a file says of itself."""

import hashlib
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import tifffile
from PIL import Image

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import FieldKey

Pixels = npt.NDArray[np.generic]

MAX_PLANE_BYTES: Final = 2**31
"""Larger planes are refused before any memory is taken: no camera of a screen makes them."""

TIFF_SUFFIXES: Final = frozenset({".tif", ".tiff"})
IMAGE_SUFFIXES: Final = TIFF_SUFFIXES | {".png"}

_UNCOMPRESSED: Final = 1
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


def read_plane(path: Path, page: int = 0) -> Pixels:
    """Read one image plane.

    Parameters
    ----------
    path
        A TIFF or PNG file.
    page
        Page of a multi-page TIFF, counted from 0.

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
        size_bytes = path.stat().st_size
    except OSError as error:
        raise ImageReadError(
            f"{path}: cannot be opened ({error.strerror}). Check that the disk is connected."
        ) from error
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            plane = _read_tiff(path, page, size_bytes)
        else:
            plane = _read_png(path)
    except ImageReadError:
        raise
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageReadError(
            f"{path}: the file is damaged ({reason[:120]}). Copy it again, or exclude this field."
        ) from error
    if plane.ndim != 2:
        raise ImageReadError(
            f"{path}: a grey image was expected, but it has the shape {plane.shape}. "
            "Save each channel as its own grey file."
        )
    return plane


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


def _read_png(path: Path) -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(path, formats=("PNG",)) as image:
            _check_size(path, (image.height, image.width), np.dtype(np.uint16))
            if image.mode not in _GREY_MODES:
                raise ImageReadError(
                    f"{path}: a grey image was expected, but it has colours ({image.mode}). "
                    "Save each channel as its own grey file."
                )
            return np.asarray(image)


def _check_size(path: Path, shape: Sequence[int], dtype: np.dtype[np.generic] | None) -> None:
    n_bytes = int(np.prod([int(n) for n in shape], dtype=object)) * (dtype.itemsize if dtype else 1)
    if n_bytes > MAX_PLANE_BYTES or n_bytes <= 0:
        raise ImageReadError(
            f"{path}: its header claims an image of {' × '.join(map(str, shape))} "
            f"({n_bytes / 2**30:.1f} GiB): refused. The file is damaged, or not a single image plane."
        )


def read_field(source: Path, planes: pd.DataFrame, channels: Sequence[str], key: FieldKey) -> Pixels:
    """Read all channels of one field; a z-stack becomes its maximum projection, time stays at its start.

    Parameters
    ----------
    source
        The folder that the plane paths are relative to.
    planes
        The planes of this field.
    channels
        All channel names, in order.
    key
        The field, for messages.

    Returns
    -------
    ndarray
        CYX, with the dtype of the files.

    Raises
    ------
    ImageReadError
        Where a channel is missing, a file cannot be read, or sizes differ between the channels.
    """
    planes = planes[planes["timepoint"] == planes["timepoint"].min()]
    stack: list[Pixels] = []
    for index, name in enumerate(channels):
        of_channel = planes[planes["channel"] == index]
        if of_channel.empty:
            raise ImageReadError(f"{key}: channel {name} is missing. Copy its file, or exclude this field.")
        plane: Pixels | None = None
        for path, page in zip(of_channel["path"], of_channel["page"], strict=True):
            try:
                one = read_plane(source / path, int(page))
            except ImageReadError as error:
                raise ImageReadError(f"{key} channel {name}: {error}") from error
            if plane is not None and plane.shape != one.shape:
                raise ImageReadError(
                    f"{key} channel {name}: the z-planes differ in size ({plane.shape} and {one.shape}). "
                    "Exclude this field."
                )
            plane = one if plane is None else np.maximum(plane, one)
        assert plane is not None  # noqa: S101 - of_channel is not empty
        stack.append(plane)
    shapes = {plane.shape for plane in stack}
    if len(shapes) > 1:
        raise ImageReadError(f"{key}: the channels differ in size ({sorted(shapes)}). Exclude this field.")
    return np.stack(stack)


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
