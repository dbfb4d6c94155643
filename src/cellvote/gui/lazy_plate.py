"""A plate folder as lazy stacks, one per channel: sliders for wells, fields, time and z; pixels are read when shown."""

import contextlib
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import Any, Final

import dask.array as da
import numpy as np

from cellvote.errors import ImageReadError
from cellvote.gui.colours import channel_colours
from cellvote.gui.contrast import spread, thinned
from cellvote.gui.vote_text import field_name
from cellvote.plates.acquisition import FIELD, Acquisition, FieldKey
from cellvote.plates.fields import FieldReading
from cellvote.plates.pixels import Pixels
from cellvote.plates.stacks import FieldStack, timepoints, z_planes

_YX: Final = ("y", "x")
_N_SAMPLE: Final = 4


class LazyPlate:
    """The images of an acquisition, arranged by well and field.

    Where every well has the same fields there is one axis for wells and one for fields, else a single axis of
    images; then one for timepoints and one for z-planes, where there are several.

    Parameters
    ----------
    acquisition
        As read from the folder; no pixels are read until they are shown.
    """

    def __init__(self, acquisition: Acquisition) -> None:
        self.acquisition = acquisition
        self._firsts: dict[str, Pixels] = {}

    @cached_property
    def grid(self) -> np.ndarray:
        """The fields: wells × fields, or a single axis where wells have different fields."""
        keys = self.acquisition.fields
        by_well: dict[tuple[str, str], list[FieldKey]] = {}
        for key in keys:
            by_well.setdefault((key.plate, key.well), []).append(key)
        numbers = {tuple(key.field for key in of_well) for of_well in by_well.values()}
        grid = np.empty(len(keys), object)
        grid[:] = keys
        regular = len(numbers) == 1 and len(next(iter(numbers))) > 1 and len(by_well) > 1
        return grid.reshape(len(by_well), -1) if regular else grid

    @property
    def names(self) -> np.ndarray:
        """What each image is called, as the grid has them."""
        several = len(self.acquisition.plates) > 1
        named = np.array([field_name(key, with_plate=several) for key in self.grid.flat], object)
        return named.reshape(self.grid.shape)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        one = "well" if len(self.grid) == len(self.acquisition.wells) else "image"
        fields = (one, "field") if self.grid.ndim == 2 else (one,)
        return (*fields, *self._values, *_YX)

    @cached_property
    def _values(self) -> dict[str, tuple[int, ...]]:
        """The timepoints and z-planes, where there are several."""
        planes = self.acquisition.planes
        both = {"time": timepoints(planes), "z": z_planes(planes)}
        return {axis: values for axis, values in both.items() if values}

    def name_of(self, at: Sequence[int]) -> str:
        """Name what the sliders are at: ``B07 field 1 · z 3``, and the channels that were not imaged there."""
        place = tuple(at[self.grid.ndim :])
        name = str(self.names[tuple(at[: self.grid.ndim])])
        if not place:
            return name
        stack = self._stack(self.grid[tuple(at[: self.grid.ndim])])
        lacking = stack.lacks(place)
        missing = f" · not imaged here: {', '.join(lacking)}" if lacking else ""
        return f"{name} · {stack.name(place)}{missing}"

    def _stack(self, key: FieldKey) -> FieldStack:
        values = self._values
        of = self.acquisition
        z, times = values.get("z", ()), values.get("time", ())
        return FieldStack(of.source, self._planes[key], of.channels, key, FieldReading(), z=z, timepoints=times)

    @property
    def channel_colours(self) -> list[tuple[str, str]]:
        """Each channel and the colormap that fits it."""
        channels = self.acquisition.channels
        return list(zip(channels, channel_colours(channels), strict=True))

    @cached_property
    def _planes(self) -> dict[Any, Any]:
        groups = self.acquisition.planes.groupby(FIELD, sort=False)
        return {key: rows for key, rows in groups}  # noqa: C416 (a FieldKey equals the plain tuple)

    def read(self, key: FieldKey, channel: str, at: Sequence[int] | None = None) -> Pixels:
        """Read one channel of one field as YX.

        Parameters
        ----------
        at
            Which timepoint and z-plane, counted from 0 along these axes; the first that is there where not given.

        Raises
        ------
        ImageReadError
            Where a file is missing or damaged.
        """
        index = self.acquisition.channels.index(channel)
        stack = self._stack(key)
        if at is None:
            places = product(*(range(n) for n in stack.shape))
            at = next((place for place in places if channel not in stack.lacks(place)), (0,) * len(stack.shape))
        return stack.read(index, at)

    def sample(self, channel: str) -> list[Pixels]:
        """Read a channel of a few images spread over the plate, thinned, to know how bright it is.

        Raises
        ------
        ImageReadError
            Where the first image cannot be read; others are passed over.
        """
        planes = [thinned(self._first(channel)[None])[0]]
        for key in spread(list(self.grid.flat), _N_SAMPLE)[1:]:
            with contextlib.suppress(ImageReadError):
                planes.append(thinned(self.read(key, channel)[None])[0])
        return planes

    def _first(self, channel: str) -> Pixels:
        if channel not in self._firsts:
            self._firsts[channel] = self.read(self.grid.flat[0], channel)
        return self._firsts[channel]

    def stack(self, channel: str) -> da.Array:
        """Give a channel as one lazy array, of the size and dtype of its first image.

        Raises
        ------
        ImageReadError
            Where the first image cannot be read.
        """
        first = self._first(channel)
        shape = (*self.grid.shape, *(len(values) for values in self._values.values()))
        chunks = (*((1,) * n for n in shape), *((n,) for n in first.shape))
        return da.map_blocks(
            self._read_block,
            chunks=tuple(chunks),
            dtype=first.dtype,
            meta=np.empty((0,) * len(chunks), first.dtype),
            channel=channel,
            shape=first.shape,
        )

    def _read_block(self, *, channel: str, shape: tuple[int, int], block_id: tuple[int, ...]) -> Pixels:
        n = self.grid.ndim
        key, at = self.grid[block_id[:n]], block_id[n:-2]
        if at and channel in self._stack(key).lacks(at):
            plane: Pixels = np.zeros(shape, self._first(channel).dtype)  # the canvas says that it was not imaged
        else:
            plane = self.read(key, channel, at)
        if plane.shape != shape:
            raise ImageReadError(
                f"{key} channel {channel}: it has {plane.shape[0]} × {plane.shape[1]} px, the first image "
                f"{shape[0]} × {shape[1]} px. Make a study of the folder to see each field in its own size."
            )
        return plane[(None,) * (len(block_id) - 2)]
