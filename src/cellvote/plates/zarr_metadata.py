"""Metadata of Zarr stores, formats 2 and 3: read with limits, nothing taken on trust, and no pixel touched."""

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, ValidationError, field_validator

from cellvote.errors import ImageReadError
from cellvote.plates.pixels import MAX_PLANE_BYTES

MAX_METADATA_BYTES: Final = 2**24
"""A plate of 1536 wells needs a hundredth of this."""

MAX_CHUNKS_PER_PLANE: Final = 65_536
MAX_PLANES_PER_ARRAY: Final = 1_000_000

_MARKERS: Final = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_MAX_DEPTH: Final = 8
_MAX_LISTED: Final = 10_000

# What decompresses or checks, and cannot do anything else; above all not "pickle", which runs what it reads.
_CODECS: Final = frozenset(
    {"adler32", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "fixedscaleoffset", "fletcher32", "gzip", "lz4"}
    | {"lzma", "packbits", "quantize", "sharding_indexed", "shuffle", "transpose", "zlib", "zstd"}
)
_COMPRESSORS: Final = frozenset({"blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"})
_DTYPE: Final = re.compile(r"[<>|](?:b1|[ui][1248]|f[248])")
_DATA_TYPES: Final = re.compile(r"bool|u?int(?:8|16|32|64)|float(?:16|32|64)")

_Length = Annotated[int, Field(ge=1, le=2**40)]


class _Codec(BaseModel, frozen=True):
    name: str = ""
    id: str = ""
    configuration: dict[str, Any] = {}


class _Separator(BaseModel, frozen=True):
    separator: Literal["/", "."] | None = None


class _KeyEncoding(BaseModel, frozen=True):
    name: Literal["default", "v2"]
    configuration: _Separator = _Separator()


class _ChunkShape(BaseModel, frozen=True):
    chunk_shape: list[_Length]


class _ChunkGrid(BaseModel, frozen=True):
    name: Literal["regular"]
    configuration: _ChunkShape


class _Format2(BaseModel, frozen=True):
    """``.zarray``."""

    zarr_format: Literal[2]
    shape: list[_Length]
    chunks: list[_Length]
    dtype: Any
    compressor: _Codec | None = None
    filters: list[_Codec] | None = None
    dimension_separator: Literal["/", "."] = "."


class _Format3(BaseModel, frozen=True):
    """``zarr.json`` of an array."""

    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: list[_Length]
    data_type: Any
    chunk_grid: _ChunkGrid
    chunk_key_encoding: _KeyEncoding
    codecs: list[_Codec]
    storage_transformers: list[Any] = Field([], max_length=0)

    @field_validator("codecs", mode="before")
    @classmethod
    def _name_alone(cls, codecs: Any) -> Any:
        if isinstance(codecs, list):
            return [_named(codec) for codec in codecs]
        return codecs


class ChunkPlace(NamedTuple):
    """A chunk file of one plane, and the rows and columns of the plane that it holds."""

    file: str
    rows: slice
    columns: slice


@dataclass(frozen=True)
class ZarrArray:
    """What the metadata of an array says, checked.

    Attributes
    ----------
    folder
        The folder of the array.
    zarr_format
        2 or 3.
    shape
        Of the array; the last two axes are Y and X.
    chunks
        Shape of what one file holds: a chunk, or a shard.
    dtype
        Of its numbers.
    prefix, separator
        How the files of the chunks are called.
    compressor
        Name of the codec that makes them small; empty where there is none. Of shards, that of the chunks within.
    inner
        Of shards the shape of a chunk within; else empty.
    """

    folder: Path
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[np.generic]
    prefix: str
    separator: str
    compressor: str = ""
    inner: tuple[int, ...] = ()

    @property
    def chunk_bytes(self) -> int:
        """How large a chunk (or shard) is when it is decoded."""
        return math.prod(self.chunks) * self.dtype.itemsize

    @property
    def n_planes(self) -> int:
        """How many planes it has along its leading axes."""
        return math.prod(self.shape[:-2])

    @property
    def n_chunks(self) -> int:
        """How many files a whole array has."""
        return math.prod(-(-n // chunk) for n, chunk in zip(self.shape, self.chunks, strict=True))

    def place_of(self, page: int) -> tuple[int, ...]:
        """Find where in the leading axes a plane is.

        Raises
        ------
        ImageReadError
            Where there is no such plane.
        """
        if not 0 <= page < self.n_planes:
            raise ImageReadError(
                f"{self.folder}: plane {page + 1} was expected, but the array has {self.n_planes}. Copy it again."
            )
        return tuple(int(i) for i in np.unravel_index(page, self.shape[:-2])) if len(self.shape) > 2 else ()

    def chunks_of(self, place: Sequence[int]) -> Iterator[ChunkPlace]:
        """Name the chunk files that hold a plane, relative to the folder."""
        leading = [str(i // chunk) for i, chunk in zip(place, self.chunks, strict=False)]
        (height, width), (rows, columns) = self.shape[-2:], self.chunks[-2:]
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                numbers = self.separator.join([*leading, str(y // rows), str(x // columns)])
                file = f"{self.prefix}{self.separator}{numbers}" if self.prefix else numbers
                yield ChunkPlace(file, slice(y, min(y + rows, height)), slice(x, min(x + columns, width)))


def store_of(folder: Path) -> Path:
    """Find the outermost Zarr group that a folder lies in; a gap of one folder is passed over."""
    store = folder
    gap = 0
    for parent in list(folder.parents)[:_MAX_DEPTH]:
        if any((parent / marker).exists() for marker in _MARKERS):
            store, gap = parent, 0
        elif gap:
            break
        else:
            gap = 1
    return store


def check_inside(path: Path, store: Path) -> None:
    """Raise an `ImageReadError` where a link leads out of the store."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(store)):
        raise ImageReadError(f"{path}: is a link that leads out of the store {store.name}: refused.")


def read_attributes(folder: Path, store: Path) -> dict[str, Any] | None:
    """Read the attributes of a group or array; what lies below ``ome`` (NGFF 0.5) is lifted up.

    Returns
    -------
    dict or None
        None where the folder is no part of a Zarr store.

    Raises
    ------
    ImageReadError
        Where the metadata are damaged, too large, or a link out of the store.
    """
    content = _read_json(folder / "zarr.json", store)
    if content is not None:
        attributes = content.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        ome = attributes.get("ome")
        return {**attributes, **ome} if isinstance(ome, dict) else attributes
    content = _read_json(folder / ".zattrs", store)
    if content is None and any((folder / marker).is_file() for marker in (".zgroup", ".zarray")):
        return {}
    return content


def read_array(folder: Path, store: Path) -> ZarrArray:
    """Read what the metadata of an array say.

    Raises
    ------
    ImageReadError
        Where it is no array, damaged, of numbers or codecs that are not allowed, or claims planes or chunks
        beyond `MAX_PLANE_BYTES`.
    """
    check_inside(folder, store)
    try:
        content = _read_json(folder / "zarr.json", store)
        array = _format_3(folder, content) if content is not None else None
        if array is None:
            content = _read_json(folder / ".zarray", store)
            if content is None:
                raise ImageReadError(f"{folder}: there is no Zarr array here. Copy the store again.")
            array = _format_2(folder, content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ImageReadError(f"{folder}: its Zarr metadata are damaged ({where}: {first['msg'][:100]}).") from error
    _check_sizes(array)
    return array


def any_chunk(folder: Path) -> bool:
    """Whether at least one chunk file of an array is there."""
    return count_chunks(folder, 1) > 0


def count_chunks(folder: Path, enough: int) -> int:
    """Count the chunk files of an array, up to ``enough``."""
    found = 0
    waiting: list[tuple[str, int]] = [(os.fspath(folder), 0)]
    listed = 0
    while waiting and listed < _MAX_LISTED:
        below, depth = waiting.pop()
        listed += 1
        try:
            with os.scandir(below) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "zarr.json":
                        continue
                    if not entry.is_dir(follow_symlinks=False):
                        found += 1
                    elif depth < _MAX_DEPTH:
                        waiting.append((entry.path, depth + 1))
                    if found >= enough:
                        return found
        except OSError:
            continue  # what cannot be listed cannot be read either
    return found


def _read_json(path: Path, store: Path) -> dict[str, Any] | None:
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            check_inside(path, store)
            status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageReadError(f"{path}: is no plain file: refused.")
        if status.st_size > MAX_METADATA_BYTES:
            raise ImageReadError(
                f"{path}: the metadata are {status.st_size / 2**20:.0f} MiB "
                f"(more than {MAX_METADATA_BYTES / 2**20:.0f}): refused."
            )
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ImageReadError:
        raise
    except OSError as error:
        raise ImageReadError(f"{path}: cannot be opened ({error.strerror}). Check your rights.") from error
    except (ValueError, RecursionError) as error:
        raise ImageReadError(f"{path}: the metadata are damaged ({type(error).__name__}). Copy it again.") from error
    if not isinstance(content, dict):
        raise ImageReadError(f"{path}: the metadata are damaged (no JSON object). Copy it again.")
    return content


def _format_2(folder: Path, content: dict[str, Any]) -> ZarrArray:
    found = _Format2.model_validate(content)
    if not (isinstance(found.dtype, str) and _DTYPE.fullmatch(found.dtype)):
        raise _wrong_dtype(folder, found.dtype)
    codecs = [codec for codec in (found.compressor, *(found.filters or ())) if codec is not None]
    return ZarrArray(
        folder,
        2,
        tuple(found.shape),
        tuple(found.chunks),
        np.dtype(found.dtype),
        "",
        found.dimension_separator,
        _compressor(folder, codecs),
    )


def _format_3(folder: Path, content: dict[str, Any]) -> ZarrArray:
    found = _Format3.model_validate(content)
    if not (isinstance(found.data_type, str) and _DATA_TYPES.fullmatch(found.data_type)):
        raise _wrong_dtype(folder, found.data_type)
    by_default = found.chunk_key_encoding.name == "default"
    shards = next((codec.configuration for codec in found.codecs if codec.name == "sharding_indexed"), {})
    inner = _ChunkShape.model_validate(shards).chunk_shape if shards else []
    return ZarrArray(
        folder,
        3,
        tuple(found.shape),
        tuple(found.chunk_grid.configuration.chunk_shape),
        np.dtype(found.data_type),
        "c" if by_default else "",
        found.chunk_key_encoding.configuration.separator or ("/" if by_default else "."),
        _compressor(folder, found.codecs),
        tuple(inner),
    )


def _wrong_dtype(folder: Path, dtype: object) -> ImageReadError:
    return ImageReadError(
        f"{folder}: holds {str(dtype)[:40]!r}, which are not the numbers of an image. Exclude this field."
    )


def _compressor(folder: Path, codecs: Sequence[_Codec], depth: int = 0) -> str:
    """Check that every codec is allowed, and name the one that makes the chunks small."""
    names = [(codec.id or codec.name).removeprefix("numcodecs.") for codec in codecs]
    wrong = next((name for name in names if name not in _CODECS), None)
    compressors = [name for name in names if name in _COMPRESSORS]
    if wrong is not None or len(compressors) > 1 or depth > 1:
        what = repr(wrong[:40]) if wrong is not None else "one codec within another"
        raise ImageReadError(
            f"{folder}: is compressed with {what}, which is not allowed: refused. "
            "Write it again with zstd, blosc or gzip."
        )
    for codec in codecs:
        if codec.name == "sharding_indexed":
            for inner in ("codecs", "index_codecs"):
                parts = codec.configuration.get(inner, [])
                parts = parts if isinstance(parts, list) else []
                found = _compressor(folder, [_Codec.model_validate(_named(part)) for part in parts], depth + 1)
                compressors += [found] if found and inner == "codecs" else []
    return compressors[0] if compressors else ""


def _named(codec: Any) -> Any:
    """Give a codec that is a name alone an empty configuration."""
    return {"name": codec} if isinstance(codec, str) else codec


def _check_sizes(array: ZarrArray) -> None:
    if not 2 <= len(array.shape) <= _MAX_DEPTH or len(array.chunks) != len(array.shape):
        raise ImageReadError(f"{array.folder}: has {len(array.shape)} axes, which no image has. Exclude this field.")
    for what, shape in (("planes", array.shape[-2:]), ("chunks", array.chunks)):
        n_bytes = math.prod(shape) * array.dtype.itemsize
        if n_bytes > MAX_PLANE_BYTES:
            raise ImageReadError(
                f"{array.folder}: its metadata claim {what} of {' × '.join(map(str, shape))} "
                f"({n_bytes / 2**30:.1f} GiB): refused."
            )
    per_plane = math.prod(-(-n // chunk) for n, chunk in zip(array.shape[-2:], array.chunks[-2:], strict=True))
    if per_plane > MAX_CHUNKS_PER_PLANE or array.n_planes > MAX_PLANES_PER_ARRAY:
        raise ImageReadError(
            f"{array.folder}: its metadata claim {array.n_planes} planes of {per_plane} chunks each: refused."
        )
