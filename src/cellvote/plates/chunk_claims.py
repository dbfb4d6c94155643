"""Chunks that would swell: what a compressed chunk holds is compared with what it should, before it is decoded."""

import bz2
import lzma
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.plates.pixels import MAX_PLANE_BYTES
from cellvote.plates.zarr_metadata import ZarrArray

_SLACK_BYTES: Final = 2**16
_HEAD_BYTES: Final = 14
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_UNKNOWN: Final = -1
_INDEX_ENTRY_BYTES: Final = 16
_CRC_BYTES: Final = 4

# How much a byte can become, and what decodes only as much as it is asked for.
_SWELLING: Final[dict[str, tuple[int, Callable[[], Any]]]] = {
    "gzip": (1_032, lambda: zlib.decompressobj(31)),
    "zlib": (1_032, lambda: zlib.decompressobj(15)),
    "bz2": (MAX_PLANE_BYTES, bz2.BZ2Decompressor),
    "lzma": (MAX_PLANE_BYTES, lzma.LZMADecompressor),
}
_ZSTD_RATIO: Final = 33_000


def check_claim(file: Path, array: ZarrArray) -> None:
    """Check that a chunk file holds no more than a chunk.

    Blosc and lz4 cannot hold more than 2 GiB; the others can swell without a limit.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ImageReadError
        Where the file, or what it would become, is far larger than its chunk.
    """
    n_bytes = array.chunk_bytes
    with file.open("rb") as content:
        size = claimed = content.seek(0, 2)
        content.seek(0)
        if array.inner:
            claimed = max(size, _sharded_bytes(content, size, array))
        elif array.compressor == "zstd":
            claimed = _zstd_bytes(content.read(_HEAD_BYTES))
            if claimed == _UNKNOWN and size * _ZSTD_RATIO > MAX_PLANE_BYTES:
                content.seek(0)
                claimed = _decoded_zstd_bytes(content.read(), n_bytes)
        elif array.compressor in _SWELLING:
            ratio, decompressor = _SWELLING[array.compressor]
            if size * ratio > MAX_PLANE_BYTES:
                claimed = _decoded_bytes(decompressor(), content.read(2 * n_bytes + _SLACK_BYTES), n_bytes)
    if size > 2 * n_bytes + _SLACK_BYTES or claimed > 2 * n_bytes + _SLACK_BYTES:
        raise ImageReadError(
            f"{file}: would become {max(size, claimed) / 2**20:.1f} MiB or more, its chunk has "
            f"{n_bytes / 2**20:.1f} MiB: refused. Copy it again, or exclude this field."
        )


def _sharded_bytes(content: BinaryIO, size: int, array: ZarrArray) -> int:
    """Add up what the zstd chunks of a shard claim, by its index at the end or the start."""
    n_inner = math.prod(-(-n // inner) for n, inner in zip(array.chunks, array.inner, strict=False))
    if array.compressor != "zstd" or not 0 < n_inner * _INDEX_ENTRY_BYTES + _CRC_BYTES <= size:
        return 0
    claimed = 0
    for start in (size - n_inner * _INDEX_ENTRY_BYTES - _CRC_BYTES, size - n_inner * _INDEX_ENTRY_BYTES, 0):
        content.seek(start)
        offsets = np.frombuffer(content.read(n_inner * _INDEX_ENTRY_BYTES), "<u8").reshape(-1, 2)[:, 0]
        told = 0
        for offset in offsets[offsets < size - _HEAD_BYTES].tolist():
            content.seek(offset)
            told += max(0, _zstd_bytes(content.read(_HEAD_BYTES)))
        claimed = max(claimed, told)
    return claimed


def _zstd_bytes(head: bytes) -> int:
    """Read the content size from the header of a zstd frame (RFC 8878, 3.1.1.1)."""
    if head[:4] != _ZSTD or len(head) < _HEAD_BYTES:
        return 0  # too short to be a frame that swells, or none: the decoder says so
    descriptor = head[4]
    single, dictionary = descriptor >> 5 & 1, (0, 1, 2, 4)[descriptor & 3]
    width = (single, 2, 4, 8)[descriptor >> 6]
    if not width:
        return _UNKNOWN
    start = 5 + (0 if single else 1) + dictionary
    value = int.from_bytes(head[start : start + width], "little")
    return value + 256 if width == 2 else value


def _decoded_zstd_bytes(content: bytes, n_bytes: int) -> int:
    """Decode a frame that does not tell its size into a buffer of twice its chunk."""
    import imagecodecs

    try:
        return len(imagecodecs.zstd_decode(content, out=2 * n_bytes + _SLACK_BYTES))
    except imagecodecs.ZstdError:
        return 2 * n_bytes + 2 * _SLACK_BYTES  # too large, or damaged


def _decoded_bytes(decompressor: Any, content: bytes, n_bytes: int) -> int:
    """Decode no more than twice a chunk, and say how much that was."""
    limit = 2 * n_bytes + _SLACK_BYTES + 1
    try:
        return len(decompressor.decompress(content, limit))
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
        return 0  # damaged: the decoder says so
