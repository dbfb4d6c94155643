"""OME-Zarr groups and images on disk, in Zarr format 2 (NGFF 0.4) or 3 (NGFF 0.5)."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numcodecs import Zstd
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.array_spec import ArrayConfigParams
from zarr.storage import LocalStore

from cellvote.exporting.ngff_metadata import NgffVersion, versioned
from cellvote.exporting.pyramids import Halving, Plane

_WHOLE_PX: Final = 2048
"""Planes up to this size are one chunk: a field is read whole."""

_CHUNK_PX: Final = 1024
_ZSTD_LEVEL: Final = 3


def write_group(folder: Path, attributes: dict[str, Any], version: NgffVersion) -> None:
    """Write the metadata of a group; nothing where it is no part of the NGFF itself, such as a row of wells."""
    zarr.create_group(
        LocalStore(folder),
        zarr_format=2 if version == "0.4" else 3,
        attributes=versioned(attributes, version) if attributes else {},
    )


def write_levels(
    folder: Path,
    axes: str,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    planes: Iterable[tuple[tuple[int, ...], Plane]],
    n_levels: int,
    halving: Halving,
    version: NgffVersion,
) -> None:
    """Write an image in several resolutions, one plane after the other.

    Every chunk has a checksum, so that a byte that flips is noticed, and empty chunks are written too: one that is
    missing is one that was lost.

    Parameters
    ----------
    axes
        Such as ``cyx``; the planes lie in the last two.
    planes
        Each with its place in the leading axes.
    halving
        Makes a level from the finer one.
    """
    levels = [_create(folder / str(level), axes, _halved(shape, level), dtype, version) for level in range(n_levels)]
    for place, plane in planes:
        for number, level in enumerate(levels):
            if number:
                plane = halving(plane)
            level[_in_plane(place)] = plane


def _in_plane(place: Sequence[int]) -> tuple[int | slice, ...]:
    return (*place, slice(None), slice(None))


def _halved(shape: Sequence[int], level: int) -> tuple[int, ...]:
    return (*shape[:-2], *(-(-n // 2**level) for n in shape[-2:]))


def _create(
    folder: Path, axes: str, shape: tuple[int, ...], dtype: np.dtype[Any], version: NgffVersion
) -> "zarr.Array[Any]":
    edges = shape[-2:] if max(shape[-2:]) <= _WHOLE_PX else tuple(min(n, _CHUNK_PX) for n in shape[-2:])
    chunks = (*(1 for _ in shape[:-2]), *edges)
    always: ArrayConfigParams = {"write_empty_chunks": True}
    if version == "0.4":
        return zarr.create_array(
            LocalStore(folder),
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            compressors=Zstd(level=_ZSTD_LEVEL, checksum=True),
            zarr_format=2,
            chunk_key_encoding={"name": "v2", "separator": "/"},
            config=always,
        )
    return zarr.create_array(
        LocalStore(folder),
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        compressors=[ZstdCodec(level=_ZSTD_LEVEL), Crc32cCodec()],
        zarr_format=3,
        dimension_names=tuple(axes),
        config=always,
    )


def clear(folder: Path) -> None:
    """Remove what a run that was killed left half written."""
    if folder.exists():
        shutil.rmtree(folder)
