"""Cellomics' own files (``.C01``): a Windows bitmap without a palette, packed by zlib behind four bytes."""

import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.plates.pixels import Pixels, check_size, damage_of

_MAGIC: Final = b"\x10\x00\x00\x00"
_HEADER_BYTES: Final = 52
_DTYPES: Final[dict[int, np.dtype[np.unsignedinteger]]] = {8: np.dtype("<u1"), 16: np.dtype("<u2"), 32: np.dtype("<u4")}


class _Header(NamedTuple):
    height: int
    width: int
    dtype: np.dtype[np.unsignedinteger]
    pixel_size_um: float | None

    @property
    def n_bytes(self) -> int:
        return self.height * self.width * self.dtype.itemsize


def read_c01_plane(path: Path) -> Pixels:
    """Read the pixels of a ``.C01`` file.

    Raises
    ------
    ImageReadError
        Where the file is missing, damaged, of another format or of a forbidden size.
    """
    with damage_of(path):
        packed = path.read_bytes()
        unpack = zlib.decompressobj()
        header = _header(path, packed, unpack)
        content = unpack.decompress(unpack.unconsumed_tail, header.n_bytes)
        if len(content) < header.n_bytes:
            raise ImageReadError(
                f"{path}: the file is truncated ({len(content)} of {header.n_bytes} bytes of pixels). "
                "Copy it again, or exclude this field."
            )
        plane = np.frombuffer(content, header.dtype).reshape(header.height, header.width)
        return plane.astype(header.dtype.newbyteorder("="))


def c01_pixel_size(path: Path) -> float | None:
    """Read the width of a pixel, in micrometres, from the header of a ``.C01`` file; None where it is not told.

    Raises
    ------
    ImageReadError
        Where the file is missing, damaged or of another format.
    """
    with damage_of(path), path.open("rb") as file:
        return _header(path, file.read(4096), zlib.decompressobj()).pixel_size_um


def _header(path: Path, packed: bytes, unpack: "zlib._Decompress") -> _Header:
    if not packed.startswith(_MAGIC):
        raise ImageReadError(f"{path}: is no Cellomics C01 file. Copy it again, or exclude this field.")
    head = unpack.decompress(packed[len(_MAGIC) :], _HEADER_BYTES)
    _, width, height, n_planes, bits, compression, _, per_metre = struct.unpack("<IiiHHIIi", head[:28])
    if n_planes != 1 or bits not in _DTYPES or compression:
        raise ImageReadError(
            f"{path}: holds {n_planes} planes of {bits} bits, which cannot be read. Export it as TIFF."
        )
    check_size(path, (height, width), _DTYPES[bits])
    return _Header(height, width, _DTYPES[bits], round(1e6 / per_metre, 6) if per_metre > 0 else None)
