"""Pixels of Zarr arrays: single planes, with the chunks that are missing told from those that are empty."""

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zarr
from zarr.storage import LocalStore

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import safe_relative
from cellvote.plates.chunk_claims import check_claim
from cellvote.plates.ngff import Image, parse
from cellvote.plates.pixels import Pixels, read_plane
from cellvote.plates.zarr_metadata import (
    ChunkPlace,
    ZarrArray,
    any_chunk,
    check_inside,
    read_array,
    read_attributes,
    store_of,
)

_N_OPEN: Final = 256
_LARGEST_LABEL: Final = np.iinfo(np.int32).max

# What zarr and its decoders raise on damaged chunks.
_DAMAGED: Final = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    OSError,
    MemoryError,
    AssertionError,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True)
class _Opened:
    """An array that is open, and the store that it lies in."""

    info: ZarrArray
    store: Path
    pixels: "zarr.Array[Any]"

    def missing(self, place: Sequence[int]) -> list[ChunkPlace]:
        """Check the chunk files of a plane; give those that are not there."""
        missing: list[ChunkPlace] = []
        for chunk in self.info.chunks_of(place):
            file = self.info.folder / chunk.file
            if file.is_symlink():
                check_inside(file, self.store)
            try:
                check_claim(file, self.info)
            except FileNotFoundError:
                missing.append(chunk)
            except ImageReadError:
                raise
            except OSError as error:
                raise ImageReadError(f"{file}: cannot be opened ({error.strerror}). Check your rights.") from error
        return missing

    def read(self, place: Sequence[int]) -> Pixels:
        """Read a plane; chunks that are not there are filled."""
        try:
            whole: tuple[int | slice, ...] = (*place, slice(None), slice(None))
            plane = np.asarray(self.pixels[whole])
        except _DAMAGED as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ImageReadError(
                f"{self.info.folder}: a chunk is damaged ({reason[:120]}). Copy it again, or exclude this field."
            ) from error
        return plane.astype(plane.dtype.newbyteorder("="), copy=False)


def read_zarr_plane(path: Path, page: int = 0) -> Pixels:
    """Read one plane of an array in a Zarr store, format 2 or 3.

    Chunks that are not there mean empty pixels in Zarr. That is believed only where no coarser level of the same
    image holds pixels there, and where at least one chunk of the array is there.

    Parameters
    ----------
    path
        The folder of the array, such as ``plate.zarr/B/03/0/0``.
    page
        Which plane, in C order over the leading axes, counted from 0.

    Returns
    -------
    ndarray
        YX, with the dtype of the array.

    Raises
    ------
    ImageReadError
        Where the array is missing, damaged, of a forbidden size or codec, or has lost chunks.
    """
    opened = _open(path)
    place = opened.info.place_of(page)
    missing = opened.missing(place)
    if missing:
        if not any_chunk(path):
            raise ImageReadError(f"{path}: holds no pixels: all of its chunks are missing. Copy the store again.")
        _refuse_lost(opened, place, missing)
    return opened.read(place)


def read_source_label(path: Path, page: int = 0) -> npt.NDArray[np.int32]:
    """Read a label image that lies beside the images of a source.

    Unlike an image, an array without any chunk may be a field without cells.

    Parameters
    ----------
    path, page
        As `Acquisition.label_images` has them: an array of a Zarr store, or an image file.

    Returns
    -------
    ndarray
        YX, int32; 0 is background.

    Raises
    ------
    ImageReadError
        Where it cannot be read, or its label ids are not whole numbers from 0 to 2³¹ − 1.
    """
    if path.is_dir():
        opened = _open(path)
        place = opened.info.place_of(page)
        missing = opened.missing(place)
        if missing:
            _refuse_lost(opened, place, missing)
        labels = opened.read(place)
    else:
        labels = read_plane(path, page)
    if labels.dtype.kind not in "uib":
        raise ImageReadError(f"{path}: label ids must be whole numbers, these are {labels.dtype}. Exclude this field.")
    if int(labels.min(initial=0)) < 0 or int(labels.max(initial=0)) > _LARGEST_LABEL:
        raise ImageReadError(f"{path}: has label ids below 0 or beyond {_LARGEST_LABEL}. Number the cells anew.")
    return labels.astype(np.int32)


def _open(path: Path) -> _Opened:
    """Open an array, or take the one that is open since its metadata are the same."""
    for name in ("zarr.json", ".zarray"):
        try:
            return _opened(path, (path / name).stat().st_mtime_ns)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            break
    raise ImageReadError(f"{path}: there is no Zarr array here. Copy the store again.")


@lru_cache(maxsize=_N_OPEN)
def _opened(path: Path, changed_ns: int) -> _Opened:
    del changed_ns
    store = store_of(path)
    info = read_array(path, store)
    try:
        pixels = zarr.open_array(LocalStore(path, read_only=True), mode="r", zarr_format=info.zarr_format)
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageReadError(f"{path}: its Zarr metadata are damaged ({reason[:120]}). Copy it again.") from error
    return _Opened(info, store, pixels)


def _refuse_lost(opened: _Opened, place: Sequence[int], missing: Sequence[ChunkPlace]) -> None:
    """Raise an `ImageReadError` where a coarser level holds pixels that a missing chunk should hold."""
    for path in _coarser_levels(opened):
        try:
            coarse = _open(path)
            if len(coarse.info.shape) != len(opened.info.shape):
                continue
            there = tuple(i * m // n for i, n, m in zip(place, opened.info.shape, coarse.info.shape, strict=False))
            missing_there = coarse.missing(there)
            plane = coarse.read(there)
        except ImageReadError:
            continue  # a level that cannot be read says nothing
        for chunk in missing:
            region = _inner(chunk, opened.info.shape, coarse.info.shape)
            if (plane[region] != coarse.pixels.fill_value).any():
                raise ImageReadError(
                    f"{opened.info.folder}: chunk {chunk.file} is missing, but the coarser level {path.name} holds "
                    "pixels there: the store is incomplete. Copy it again, or exclude this field."
                )
        if not missing_there:
            return


def _inner(chunk: ChunkPlace, shape: Sequence[int], coarse: Sequence[int]) -> tuple[slice, slice]:
    """Find a chunk in a coarser level, less a margin into which its neighbours may have been averaged."""
    spans: list[slice] = []
    for span, n, m in zip((chunk.rows, chunk.columns), shape[-2:], coarse[-2:], strict=True):
        start, stop = -(-span.start * m // n), span.stop * m // n
        spans.append(slice(start + 1 if span.start else 0, max(stop - 1, 0) if span.stop < n else m))
    return spans[0], spans[1]


def _coarser_levels(opened: _Opened) -> list[Path]:
    """List the levels of the same image that are coarser than an array, the finest first."""
    folder = opened.info.folder
    for group in list(folder.parents)[:4]:
        if not group.is_relative_to(opened.store):
            break
        try:
            attributes = read_attributes(group, opened.store)
            if not attributes or "multiscales" not in attributes:
                continue
            paths = [safe_relative(level.path) for level in parse(Image, attributes, group).multiscales[0].datasets]
        except (ImageReadError, ValueError):
            return []
        own = folder.relative_to(group).as_posix()
        return [group / path for path in paths[paths.index(own) + 1 :]] if own in paths else []
    return []
