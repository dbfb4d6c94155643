"""One OME-Zarr image: which of its levels is whole, what its axes are, and which label images it has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import safe_relative
from cellvote.plates.ngff import AXES, Image, Labels, Multiscale, channel_labels, parse
from cellvote.plates.zarr_metadata import ZarrArray, any_chunk, count_chunks, read_array, read_attributes

MAX_COUNTED_CHUNKS: Final = 64
"""In arrays with more chunk files these are not counted, only whether there are any."""


class SourceLabel(NamedTuple):
    """A label image beside an image, as a path below the image."""

    name: str
    path: str


@dataclass(frozen=True)
class ZarrImage:
    """What is known of one image without reading a pixel.

    Attributes
    ----------
    path
        Of the array that is read, relative to the image's group.
    level
        Which level that is; 0 is full resolution.
    shape
        Of that array, whose axes are ``axes``.
    channels
        Names of the channels; empty where none are told.
    pixel_size_um
        Height and width of a pixel; None where they are not known.
    origin_um
        Where the first pixel lies, y and x; None where it is not told.
    unit_assumed
        Whether the axes have no unit, and micrometres are assumed.
    n_chunks, n_missing
        How many chunk files that array should have, and how many are missing (of very many: all or none).
    is_stitched
        Whether a table beside it says that it is made of several fields.
    labels, labels_left_out
        Label images beside it; names of those that cannot be read.
    """

    path: str
    level: int
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float] | None
    origin_um: tuple[float, float] | None
    unit_assumed: bool
    n_chunks: int
    n_missing: int
    is_stitched: bool = False
    labels: tuple[SourceLabel, ...] = ()
    labels_left_out: tuple[str, ...] = ()

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[-2], self.shape[-1]

    @property
    def n_channels(self) -> int:
        """How many channels it has; one where it has no such axis."""
        return self.shape[self.axes.index("c")] if "c" in self.axes else 1

    def planes(self) -> pd.DataFrame:
        """One row per plane: ``channel`` counted from 0, ``z`` and ``timepoint`` from 1, ``page``."""
        leading = self.shape[:-2]
        n_planes = math.prod(leading)
        places = np.indices(leading).reshape(len(leading), n_planes)
        table = pd.DataFrame({"page": np.arange(n_planes, dtype=np.int32)})
        for column, axis, first in (("channel", "c", 0), ("z", "z", 1), ("timepoint", "t", 1)):
            table[column] = places[self.axes.index(axis)] + first if axis in self.axes else first
        return table


def read_image(folder: Path, store: Path, *, whole_level: bool = True) -> ZarrImage:
    """Read the metadata of an image.

    Parameters
    ----------
    folder
        The group of the image.
    store
        The store that it lies in; nothing outside is read.
    whole_level
        Whether a coarser level is taken where full resolution has no chunk at all.

    Raises
    ------
    ImageReadError
        Where there is no image, or its metadata are damaged or not allowed.
    LayoutError
        Where a path in them leaves the image.
    """
    attributes = read_attributes(folder, store)
    if attributes is None or "multiscales" not in attributes:
        raise ImageReadError(f"{folder}: there is no OME-Zarr image here. Copy the store again.")
    multiscale = parse(Image, attributes, folder).multiscales[0]
    level, array = _level_to_read(folder, store, multiscale, whole_level=whole_level)
    if len(array.shape) != len(multiscale.axes):
        raise ImageReadError(
            f"{folder}: has {len(multiscale.axes)} axes by its metadata, {len(array.shape)} in its array. "
            "Write it again, or exclude this field."
        )
    _check_axes(folder, multiscale.names, array.shape)
    pixel_size, assumed = _pixel_size_um(multiscale, level)
    enough = array.n_chunks if array.n_chunks <= MAX_COUNTED_CHUNKS else 1
    labels, left_out = _read_labels(folder, store, array.shape[-2:])
    return ZarrImage(
        path=safe_relative(multiscale.datasets[level].path),
        level=level,
        axes=multiscale.names,
        shape=array.shape,
        channels=channel_labels(attributes),
        pixel_size_um=pixel_size,
        origin_um=_origin_um(multiscale, level),
        unit_assumed=assumed,
        n_chunks=array.n_chunks,
        n_missing=(enough - count_chunks(array.folder, enough)) * array.n_chunks // enough,
        is_stitched=(folder / "tables" / "FOV_ROI_table").is_dir(),
        labels=labels,
        labels_left_out=left_out,
    )


def _level_to_read(folder: Path, store: Path, multiscale: Multiscale, *, whole_level: bool) -> tuple[int, ZarrArray]:
    """Take full resolution, or the finest level that holds pixels at all where it holds none."""
    paths = [safe_relative(dataset.path) for dataset in multiscale.datasets]
    finest = read_array(folder / paths[0], store)
    if not whole_level or any_chunk(finest.folder):
        return 0, finest
    for level, path in enumerate(paths[1:], start=1):
        if any_chunk(folder / path):
            return level, read_array(folder / path, store)
    return 0, finest


def _check_axes(folder: Path, names: Sequence[str], shape: Sequence[int]) -> None:
    unknown = [name for name, length in zip(names, shape, strict=True) if name not in AXES and length > 1]
    if unknown or tuple(names[-2:]) != ("y", "x") or len(set(names)) < len(names):
        raise ImageReadError(
            f"{folder}: has the axes {', '.join(names)}; those that are read are {', '.join(AXES)}, the last two "
            "being y and x. Write it again, or exclude this field."
        )


def _pixel_size_um(multiscale: Multiscale, level: int) -> tuple[tuple[float, float] | None, bool]:
    """Give height and width of a pixel, and whether their unit was assumed."""
    y = len(multiscale.axes) - 2
    sizes: list[float] = []
    assumed = False
    for axis in (y, y + 1):
        size = multiscale.scale_of(level, axis)
        unit = multiscale.unit_um(axis)
        if size is None or not 0 < size < math.inf:
            return None, False
        if unit is None:
            # Without a unit, a scale of 1 at full resolution only says that nobody knows.
            if multiscale.axes[axis].unit or multiscale.scale_of(0, axis) == 1:
                return None, False
            unit, assumed = 1.0, True
        sizes.append(round(size * unit, 9))
    return (sizes[0], sizes[1]), assumed


def _origin_um(multiscale: Multiscale, level: int) -> tuple[float, float] | None:
    y = len(multiscale.axes) - 2
    found: list[float] = []
    for axis in (y, y + 1):
        at = multiscale.translation_of(level, axis)
        unit = multiscale.unit_um(axis)
        if at is None or unit is None or not math.isfinite(at):
            return None
        found.append(at * unit)
    return found[0], found[1]


def _read_labels(
    folder: Path, store: Path, size_px: tuple[int, ...]
) -> tuple[tuple[SourceLabel, ...], tuple[str, ...]]:
    """Find the label images that have the size of the image that is read."""
    attributes = read_attributes(folder / "labels", store)
    if not attributes or "labels" not in attributes:
        return (), ()
    found: list[SourceLabel] = []
    left_out: list[str] = []
    for name in dict.fromkeys(parse(Labels, attributes, folder / "labels").labels):
        below = PurePosixPath("labels", safe_relative(name))
        try:
            path = _label_level(folder / below, store, size_px)
        except ImageReadError:
            path = None
        if path is None:
            left_out.append(name)
        else:
            found.append(SourceLabel(name, f"{below}/{path}"))
    return tuple(found), tuple(left_out)


def _label_level(folder: Path, store: Path, size_px: tuple[int, ...]) -> str | None:
    """Find the level of a label image that has the size of the image, and is one plane of whole numbers."""
    attributes: dict[str, Any] | None = read_attributes(folder, store)
    if attributes is None or "multiscales" not in attributes:
        return None
    multiscale = parse(Image, attributes, folder).multiscales[0]
    for dataset in multiscale.datasets:
        path = safe_relative(dataset.path)
        array = read_array(folder / path, store)
        if array.shape[-2:] == size_px:
            several = any(
                length > 1 and name != "t" for name, length in zip(multiscale.names, array.shape[:-2], strict=False)
            )
            return path if array.dtype.kind in "uib" and not several else None
    return None
