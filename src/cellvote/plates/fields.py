"""Fields: all channels of one position as one array, z-stacks projected, channels combined as was asked for."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from cellvote.errors import ChannelError, ImageReadError, SettingsError
from cellvote.plates.acquisition import PROJECTION, FieldKey, channel_index
from cellvote.plates.pixels import Pixels, read_plane

Combine = Literal["median", "mean", "max", "min"]
Projection = Literal["max", "median", "projection"]

_COMBINE: Final[dict[str, Callable[..., Any]]] = {"median": np.median, "mean": np.mean, "max": np.max, "min": np.min}


class _Plane(NamedTuple):
    z: int
    path: Path
    page: int
    sample: int


class CombinedChannel(BaseModel, frozen=True):
    """A channel that is computed, pixel by pixel, from others."""

    name: str = Field(title="Name", description="Of the new channel", min_length=1)
    of: tuple[str, ...] = Field(title="Channels", description="Names of the channels that it is made of", min_length=2)
    how: Combine = Field("median", title="How", description="Median, mean, maximum or minimum of each pixel")


class FieldReading(BaseModel, frozen=True):
    """How the planes of a field become one image; chosen once for a study, the same in every step."""

    z: Projection | Annotated[int, Field(ge=0)] = Field(
        "max",
        title="z",
        description="What is made of a z-stack: max or median of its planes, the microscope's own projection, "
        "or the number of one plane",
    )
    combine: tuple[CombinedChannel, ...] = Field(
        (), title="Combined channels", description="Channels that are computed from others"
    )
    illumination: bool = Field(
        False,
        title="Correct illumination",
        description="Every step reads pixels divided by the illumination function of their plate and channel; "
        "the window shows them as they are",
    )

    def channels(self, channels: Sequence[str]) -> tuple[str, ...]:
        """All channels of a field: those on disk, then the combined ones."""
        return (*channels, *(one.name for one in self.combine))

    def check(self, channels: Sequence[str], z_planes: Sequence[int]) -> None:
        """See that images can be read so.

        Raises
        ------
        ChannelError
            Where a combined channel has a name that is taken, or is made of unknown ones.
        SettingsError
            Where there is no plane of the number that `z` says.
        """
        if isinstance(self.z, int) and self.z not in z_planes:
            there = f"{min(z_planes)} to {max(z_planes)}" if len(z_planes) > 1 else f"{min(z_planes)} only"
            raise SettingsError(f"there is no z-plane {self.z}; the images have {there}.")
        for one in self.combine:
            if one.name in channels or [other.name for other in self.combine].count(one.name) > 1:
                raise ChannelError(f"there is a channel {one.name!r} already: give the combined one another name.")
            for name in one.of:
                channel_index(channels, name)


def parse_combination(text: str) -> CombinedChannel:
    """Read ``NAME=median(A,B,C)``.

    Raises
    ------
    SettingsError
        Where the text is not of that form.
    """
    name, equals, rest = text.partition("=")
    how, bracket, inside = rest.strip().partition("(")
    parts = [part.strip() for part in inside.removesuffix(")").split(",")]
    if not (equals and bracket and inside.endswith(")") and name.strip() and all(parts)) or len(parts) < 2:
        raise SettingsError(f"{text!r} does not say how channels are combined: write NAME=median(CHANNEL,CHANNEL,…).")
    if how.strip() not in _COMBINE:
        raise SettingsError(f"channels cannot be combined by {how.strip()!r}: write one of {', '.join(_COMBINE)}.")
    return CombinedChannel(name=name.strip(), of=tuple(parts), how=how.strip())


def read_field(
    source: Path,
    planes: pd.DataFrame,
    channels: Sequence[str],
    key: FieldKey,
    reading: FieldReading | None = None,
) -> Pixels:
    """Read all channels of one field; of a time series the start is taken.

    Parameters
    ----------
    source
        The folder that the plane paths are relative to.
    planes
        The planes of this field.
    channels
        Names of the channels on disk, in order.
    key
        The field, for messages.
    reading
        What becomes of z-stacks, and which channels are combined; the maximum and none where it is not given.

    Returns
    -------
    ndarray
        CYX, with the dtype of the files: the channels on disk, then the combined ones.

    Raises
    ------
    ImageReadError
        Where a channel is missing, a file cannot be read, or sizes differ between the channels.
    """
    stack: list[Pixels] = []
    for one in read_channels(source, planes, channels, key, reading):
        if isinstance(one, ImageReadError):
            raise one
        stack.append(one)
    shapes = {plane.shape for plane in stack}
    if len(shapes) > 1:
        raise ImageReadError(f"{key}: the channels differ in size ({sorted(shapes)}). Exclude this field.")
    return np.stack(stack)


def read_channels(
    source: Path,
    planes: pd.DataFrame,
    channels: Sequence[str],
    key: FieldKey,
    reading: FieldReading | None = None,
    executor: Executor | None = None,
) -> list[Pixels | ImageReadError]:
    """Read each channel of one field by itself, so that those that are there can be seen; as `read_field` else.

    Parameters
    ----------
    executor
        Of threads, which read the channels side by side: decoders let other threads run. One after the other
        where it is not given.

    Returns
    -------
    list
        For each channel YX, or the error: it is missing, damaged, or made of one that is.
    """
    reading = reading or FieldReading()
    found = _start_of(source, planes, len(channels))

    def _read(index: int) -> Pixels | ImageReadError:
        where = f"{key} channel {channels[index]}"
        if not found[index]:
            return ImageReadError(f"{key}: channel {channels[index]} is missing. Copy its file, or exclude this field.")
        try:
            return _read_channel(found[index], where, reading.z)
        except ImageReadError as error:
            return error

    each = map if executor is None else executor.map
    read = list(each(_read, range(len(channels))))
    return [*read, *(_combined(one, read, channels, key) for one in reading.combine)]


def _start_of(source: Path, planes: pd.DataFrame, n_channels: int) -> list[list[_Plane]]:
    """Sort the planes of a field's first timepoint by channel."""
    names = ("timepoint", "channel", "z", "path", "page", "sample")
    columns = [planes[name].tolist() for name in names]  # plain lists: a click has no time for pandas
    start = min(columns[0], default=0)
    found: list[list[_Plane]] = [[] for _ in range(n_channels)]
    for timepoint, channel, z, path, page, sample in zip(*columns, strict=True):
        if timepoint == start:
            found[channel].append(_Plane(z, source / path, page, sample))
    return found


def _combined(
    one: CombinedChannel, read: Sequence[Pixels | ImageReadError], channels: Sequence[str], key: FieldKey
) -> Pixels | ImageReadError:
    parts: list[Pixels] = []
    for name in one.of:
        part = read[channel_index(channels, name)]
        if isinstance(part, ImageReadError):
            return part
        parts.append(part)
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        return ImageReadError(f"{key}: the channels differ in size ({sorted(shapes)}). Exclude this field.")
    return _cast(_COMBINE[one.how](parts, axis=0), np.result_type(*parts))


def _read_channel(found: list[_Plane], where: str, z: Projection | int) -> Pixels:
    """Read one channel: a single plane as it is, a stack as was asked for."""
    planes: list[Pixels] = []
    for one in _chosen(found, where, z):
        try:
            planes.append(read_plane(one.path, one.page, one.sample))
        except ImageReadError as error:
            raise ImageReadError(f"{where}: {error}") from error
        if planes[0].shape != planes[-1].shape:
            raise ImageReadError(
                f"{where}: the z-planes differ in size ({planes[0].shape} and {planes[-1].shape}). Exclude this field."
            )
    if len(planes) == 1:
        return planes[0]
    if z == "median":
        return _cast(np.median(planes, axis=0), np.result_type(*planes))
    projected = planes[0].copy()
    for plane in planes[1:]:
        np.maximum(projected, plane, out=projected)
    return projected


def _chosen(found: list[_Plane], where: str, z: Projection | int) -> list[_Plane]:
    if len(found) == 1:
        return found
    made = [plane for plane in found if plane.z == PROJECTION]
    stack = [plane for plane in found if plane.z != PROJECTION]
    if isinstance(z, int):
        chosen = [plane for plane in stack if plane.z == z]
        if not chosen:
            raise ImageReadError(f"{where}: has no z-plane {z}. Choose another, or exclude this field.")
        return chosen
    return made if made and (z == "projection" or not stack) else stack


def _cast(values: Any, dtype: np.dtype[Any]) -> Pixels:
    """Give computed pixels the dtype of the files; halves are rounded to the even number."""
    return np.rint(values).astype(dtype) if np.issubdtype(dtype, np.integer) else np.asarray(values, dtype)
