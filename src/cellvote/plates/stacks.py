"""The single planes of a field: what its z-planes and timepoints are, each read when it is looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import PROJECTION, FieldKey, channel_index
from cellvote.plates.fields import FieldReading, read_channels
from cellvote.plates.pixels import Pixels


def z_planes(planes: pd.DataFrame) -> tuple[int, ...]:
    """Give the z-planes to choose from; none where there is but one, or a projection."""
    z = np.unique(planes["z"].to_numpy())
    found = tuple(int(one) for one in z if one != PROJECTION)
    return found if len(found) > 1 else ()


def timepoints(planes: pd.DataFrame) -> tuple[int, ...]:
    """Give the timepoints to choose from; none where there is but one."""
    found = tuple(int(one) for one in np.unique(planes["timepoint"].to_numpy()))
    return found if len(found) > 1 else ()


class FieldStack:
    """The planes of one field, by timepoint and z.

    A channel of which there is a single z-plane (or only a projection) is the same at every z.

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
        What becomes of z-stacks where z is no axis, and which channels are combined.
    z, timepoints
        What lies along these axes; without z it is projected, without timepoints the start is taken.
    """

    def __init__(
        self,
        source: Path,
        planes: pd.DataFrame,
        channels: Sequence[str],
        key: FieldKey,
        reading: FieldReading,
        *,
        z: Sequence[int] = (),
        timepoints: Sequence[int] = (),
    ) -> None:
        self.key = key
        self.channels = reading.channels(channels)
        self._values = {name: tuple(values) for name, values in (("time", timepoints), ("z", z)) if values}
        self._source = source
        self._planes = planes if timepoints else planes[planes["timepoint"] == planes["timepoint"].min()]
        self._on_disk = tuple(channels)
        self._reading = reading

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes before y and x."""
        return tuple(self._values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of these axes."""
        return tuple(len(values) for values in self._values.values())

    def name(self, at: Sequence[int]) -> str:
        """Say where in the stack a place is: ``time 2 · z 3``."""
        return " · ".join(f"{axis} {self._values[axis][i]}" for axis, i in zip(self.axes, at, strict=True))

    def lacks(self, at: Sequence[int]) -> list[str]:
        """Name the channels on disk that have no plane at a place."""
        place = self._place(at)
        return [name for i, name in enumerate(self._on_disk) if not len(self._at(i, place))]

    def _place(self, at: Sequence[int]) -> dict[str, int]:
        return {axis: self._values[axis][i] for axis, i in zip(self.axes, at, strict=True)}

    def read(self, channel: int, at: Sequence[int] = ()) -> Pixels:
        """Read one channel at one place of the axes as YX.

        Raises
        ------
        ImageReadError
            Where there is no such plane, or its file is missing or damaged.
        """
        place = self._place(at)
        made_of, reading = [channel], FieldReading(z=self._reading.z)
        if channel >= len(self._on_disk):
            one = self._reading.combine[channel - len(self._on_disk)]
            made_of = [channel_index(self._on_disk, name) for name in one.of]
            renamed = one.model_copy(update={"of": tuple(self._on_disk[i] for i in made_of)})
            reading = FieldReading(z=self._reading.z, combine=(renamed,))
        names = [self._on_disk[i] for i in made_of]
        here = pd.concat([self._at(one, place).assign(channel=i) for i, one in enumerate(made_of)])
        read = read_channels(self._source, here, names, self.key, reading)[-1]
        if isinstance(read, ImageReadError):
            where = self.name(at)
            raise ImageReadError(f"{where}: {read}" if where else str(read))
        return read

    def _at(self, channel: int, place: dict[str, int]) -> pd.DataFrame:
        """Take the planes of a channel on disk at one place."""
        planes = self._planes[self._planes["channel"] == channel]
        if "time" in place:
            planes = planes[planes["timepoint"] == place["time"]]
        stack = planes[planes["z"] != PROJECTION]
        if "z" not in place or len(stack) == 0:
            return planes
        return stack if len(stack) == 1 else stack[stack["z"] == place["z"]]
