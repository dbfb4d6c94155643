"""The z-planes and timepoints of a field as lazy arrays, one per channel; planes are read as sliders come to them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

import dask.array as da
import numpy as np

from cellvote.errors import ImageReadError
from cellvote.gui.field_content import FieldContent
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.plates.stacks import FieldStack, timepoints, z_planes
from cellvote.study import Study

_BUDGET_BYTES: Final = 512 * 2**20

Place = tuple[int, ...]


class LazyStack:
    """Reads the planes of a stack once each, as far as memory allows.

    Parameters
    ----------
    stack
        Where they come from.
    """

    def __init__(self, stack: FieldStack, budget_bytes: int = _BUDGET_BYTES) -> None:
        self.stack = stack
        self._budget = budget_bytes
        self._planes: OrderedDict[tuple[int, Place], Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def plane(self, channel: int, at: Place) -> Pixels:
        """Give one plane as YX.

        Raises
        ------
        ImageReadError
            Where it is not there, or damaged.
        """
        with self._lock:
            known = self._planes.get((channel, at))
            if known is not None:
                self._planes.move_to_end((channel, at))
                return known
        read = self.stack.read(channel, at)
        with self._lock:
            self._planes[channel, at] = read
            while len(self._planes) > 1 and sum(plane.nbytes for plane in self._planes.values()) > self._budget:
                self._planes.popitem(last=False)
        return read

    def first(self, channel: int) -> Pixels:
        """Give the middle plane, or else the first that can be read.

        Raises
        ------
        ImageReadError
            Where there is none.
        """
        error = None
        for at in self.places():
            try:
                return self.plane(channel, at)
            except ImageReadError as damage:
                error = error or damage
        raise error or ImageReadError(f"{self.stack.key}: has no planes.")

    def places(self) -> Iterator[Place]:
        """Give every place, the middle first: a slider starts there."""
        middle = self.middle
        every = list(product(*(range(n) for n in self.stack.shape)))
        yield from sorted(every, key=lambda at: sum(abs(i - m) for i, m in zip(at, middle, strict=True)))

    @property
    def middle(self) -> Place:
        """Where the sliders start: the first timepoint, the middle of z."""
        sizes = zip(self.stack.axes, self.stack.shape, strict=True)
        return tuple((n - 1) // 2 if axis == "z" else 0 for axis, n in sizes)

    def array(self, channel: int) -> da.Array:
        """Give a channel as a lazy array, its axes those of the stack, then y and x; 0 where there is no plane.

        Raises
        ------
        ImageReadError
            Where no plane of it can be read.
        """
        first = self.first(channel)
        chunks = (*((1,) * n for n in self.stack.shape), *((n,) for n in first.shape))
        return da.map_blocks(
            self._block,
            chunks=tuple(chunks),
            dtype=first.dtype,
            meta=np.empty((0,) * len(chunks), first.dtype),
            channel=channel,
            shape=first.shape,
            kind=first.dtype,
        )

    def _block(self, *, channel: int, shape: tuple[int, int], kind: np.dtype[Any], block_id: Place) -> Pixels:
        try:
            plane = self.plane(channel, block_id[:-2])
        except ImageReadError:
            plane = np.zeros(shape, kind)  # the canvas says that it is missing
        if plane.shape != shape:
            plane = np.zeros(shape, kind)
        return plane.astype(kind, copy=False)[(None,) * len(self.stack.shape)]

    def warm(self, outdated: Callable[[], bool]) -> None:
        """Read the planes ahead of the sliders, until something else is wanted or memory is full."""
        n_bytes = 0
        for at in self.places():
            for channel in range(len(self.stack.channels)):
                if outdated() or n_bytes > 0.8 * self._budget:
                    return
                try:
                    n_bytes += self.plane(channel, at).nbytes
                except ImageReadError:
                    continue


def stack_of(study: Study, key: FieldKey, *, by_z: bool, by_time: bool) -> FieldStack:
    """Give the stack of a field with the axes that are wanted and there."""
    planes = study.planes_of(key)
    z, times = z_planes(planes) if by_z else (), timepoints(planes) if by_time else ()
    return FieldStack(study.source, planes, study.info.channels, key, study.info.reading, z=z, timepoints=times)


def stack_content(lazy: LazyStack) -> FieldContent:
    """Show a stack: channels of which nothing can be read are left out, and it is said why."""
    image: list[Any] = []
    errors: list[str] = []
    for channel in range(len(lazy.stack.channels)):
        try:
            image.append(lazy.array(channel))
        except ImageReadError as error:
            image.append(None)
            errors.append(str(error))
    if all(one is None for one in image):
        return FieldContent(lazy.stack.key, error=errors[0])
    return FieldContent(lazy.stack.key, tuple(image), error=" ".join(errors), axes=lazy.stack.axes)
