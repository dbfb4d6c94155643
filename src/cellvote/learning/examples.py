"""Examples: what a network is fed, cells or fields, as it lies on disk; nothing is read or copied here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.generic]
IntArray = npt.NDArray[np.int64]
Limits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StoredImages:
    """Images as they lie in a file, and how they become what a network sees.

    Attributes
    ----------
    array
        N×C×H×W uint8, uint16 or float32; may be memory-mapped.
    rows
        (M,) which of its rows the examples are.
    channels
        (c,) which of its channels, in the network's order.
    limits
        (G, 2, c) float32: the grey values that become 0 and 1, for each group of images.
    group
        (M,) row of `limits` of each example.
    vectors
        Pairs of channels, counted in the network's order, that hold dY and dX: they turn and flip with the image.
    curve
        ``root``: clipped to 0 … 4 and the square root taken, which evens out the noise of counted photons, and lets a
        network see dim cells too. ``linear``: as it is.
    jittered
        Whether these are grey values, that may be made brighter and darker.
    """

    array: Images
    rows: IntArray
    channels: IntArray
    limits: Limits
    group: IntArray
    vectors: tuple[tuple[int, int], ...] = ()
    curve: Literal["root", "linear"] = "root"
    jittered: bool = True

    def take(self, index: npt.NDArray[np.integer | np.bool_]) -> Self:
        """Choose some of the examples; pixels are not copied."""
        return replace(self, rows=self.rows[index], group=self.group[index])

    def gather(self, batch: IntArray, out: Images | None = None) -> Images:
        """Copy the images of some examples, as stored: N×c×H×W.

        Parameters
        ----------
        out
            Where to; a new array where it is not given.
        """
        array, rows = np.asarray(self.array), self.rows[batch]
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(array):
            raise IndexError(f"the images have {len(array)} rows, not {int(rows.max()) + 1}.")
        if np.array_equal(self.channels, np.arange(array.shape[1])):
            return np.take(array, rows, axis=0, out=out, mode="clip")  # checked above; with "raise" it would buffer
        picked = array[rows[:, None], self.channels]
        if out is None:
            return picked
        out[...] = picked
        return out

    @property
    def example_bytes(self) -> int:
        """How many bytes an example takes as stored."""
        return int(np.prod(self.array.shape[2:])) * len(self.channels) * self.array.dtype.itemsize


def signed(array: Images) -> Images:
    """See uint16 as int16, which torch can gather and copy on every device."""
    return array.view(np.int16) if array.dtype == np.uint16 else array


@dataclass(frozen=True)
class StreamLayout:
    """What the channels of one stream are: what augmentation must know.

    Attributes
    ----------
    vectors
        Pairs of channels that hold dY and dX.
    jittered
        The channels that hold grey values.
    """

    vectors: tuple[tuple[int, int], ...] = ()
    jittered: tuple[int, ...] = ()


@dataclass(frozen=True)
class Examples:
    """What a network is fed: streams of images, and measurements as the last stream.

    Attributes
    ----------
    streams
        Each one tensor for the network: its images are stacked along channels.
    measurements
        (M, F) float32, gaps filled and standardised; None where the network takes none.
    """

    streams: tuple[tuple[StoredImages, ...], ...]
    measurements: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """How many examples there are."""
        if self.streams:
            return len(self.streams[0][0].rows)
        return 0 if self.measurements is None else len(self.measurements)

    def take(self, index: npt.NDArray[np.integer | np.bool_]) -> Self:
        """Choose some of the examples, in the order of the index; pixels are not copied."""
        streams = tuple(tuple(images.take(index) for images in stream) for stream in self.streams)
        measurements = None if self.measurements is None else self.measurements[index]
        return replace(self, streams=streams, measurements=measurements)

    @property
    def layouts(self) -> tuple[StreamLayout, ...]:
        """What the channels of each stream of images are."""
        return tuple(_layout(stream) for stream in self.streams)

    @property
    def n_channels(self) -> tuple[int, ...]:
        """How many channels each stream of images has."""
        return tuple(sum(len(images.channels) for images in stream) for stream in self.streams)

    @property
    def n_measurements(self) -> int:
        """How many measurements each example has."""
        return 0 if self.measurements is None else self.measurements.shape[1]

    @property
    def example_bytes(self) -> int:
        """How many bytes an example takes as stored."""
        return sum(images.example_bytes for stream in self.streams for images in stream)


def _layout(stream: Sequence[StoredImages]) -> StreamLayout:
    vectors: list[tuple[int, int]] = []
    jittered: list[int] = []
    start = 0
    for images in stream:
        vectors += [(start + dy, start + dx) for dy, dx in images.vectors]
        jittered += range(start, start + len(images.channels)) if images.jittered else ()
        start += len(images.channels)
    return StreamLayout(tuple(vectors), tuple(jittered))
