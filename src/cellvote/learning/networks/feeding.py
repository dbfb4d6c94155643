"""Feeding: batches of examples, scaled, on the device, there before they are needed and without loader processes.

A data set that fits goes to the device whole, as stored, and batches are gathered there. Else a thread reads ahead
from the memory-mapped file, into pinned memory where the device is a GPU, so that copying overlaps with computing. On
the CPU nothing is copied but the batch itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cellvote.learning.examples import Examples, Images, IntArray, StoredImages, StreamLayout, signed
from cellvote.learning.networks.augmentation import Streams, augmented
from cellvote.learning.networks.reading_ahead import read_ahead
from cellvote.progress import CancelToken

__all__ = ["Examples", "Feed", "StoredImages", "StreamLayout", "Streams", "augmented", "scaled"]

_SHARE_OF_MEMORY: Final = 0.4
"""Of the device's free memory: the rest is for the network."""

_UPLOAD_BYTES: Final = 256 * 2**20
_AHEAD: Final = 3


class Feed:
    """Gives batches of examples, scaled, on a device.

    Parameters
    ----------
    examples
        What is fed.
    device
        Where the batches are wanted.
    whole
        Whether all images are put on the device first; where not given, if they fit into its free memory. Never on
        the CPU, where they are used where they lie.
    cancel
        Stops the thread that reads ahead, too.
    """

    def __init__(
        self,
        examples: Examples,
        device: torch.device,
        *,
        whole: bool | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self.examples, self.device, self.cancel = examples, device, cancel or CancelToken()
        self.whole = device.type != "cpu" and (_fits(examples, device) if whole is None else whole)
        self._images = [images for stream in examples.streams for images in stream]
        self._limits = [torch.from_numpy(images.limits).to(device) for images in self._images]
        self._groups = [torch.from_numpy(images.group).to(device) for images in self._images]
        self._measurements: Tensor | None = None
        if examples.measurements is not None:
            self._measurements = torch.from_numpy(np.ascontiguousarray(examples.measurements)).to(device)
        self._stored: list[tuple[Tensor, Tensor]] = []
        if self.whole:
            try:
                self._stored = [_upload(images, device) for images in self._images]
            except torch.OutOfMemoryError:  # something else took the memory in the meantime
                self.whole, self._stored = False, []

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.examples)

    @property
    def layouts(self) -> tuple[StreamLayout, ...]:
        """What the channels of each stream of images are, for `augmented`."""
        return self.examples.layouts

    def batches(self, batches: Sequence[IntArray]) -> Iterator[Streams]:
        """Give batches in order.

        Parameters
        ----------
        batches
            Which examples each batch is made of.

        Yields
        ------
        tuple of Tensor
            For each stream of images N×C×H×W float32, scaled; then N×F measurements where there are any.

        Raises
        ------
        CancelledError
            Where it was cancelled.
        OSError
            Where the file of the images can no longer be read.
        """
        if self.whole or not self._images:
            for batch in batches:
                self.cancel.raise_if_cancelled()
                where = torch.from_numpy(batch).to(self.device)
                stored = [values.index_select(0, place[where]) for values, place in self._stored]
                yield self._streams(stored, where)
            return
        if self.device.type == "cpu" and not any(_lies_on_disk(images.array) for images in self._images):
            for batch in batches:
                self.cancel.raise_if_cancelled()
                stored = [torch.from_numpy(signed(images.gather(batch))) for images in self._images]
                yield self._streams(stored, torch.from_numpy(batch))
            return
        for batch, stored in read_ahead(self._images, batches, self.device, _AHEAD, self.cancel):
            yield self._streams(stored, torch.from_numpy(batch).to(self.device))

    def _streams(self, stored: Sequence[Tensor], where: Tensor) -> Streams:
        """Scale what was gathered, and stack it into streams."""
        parts = iter(
            scaled(_unsigned(one) if images.array.dtype == np.uint16 else one, limits[group[where]], images.curve)
            for one, images, limits, group in zip(stored, self._images, self._limits, self._groups, strict=True)
        )
        streams = []
        for stream in self.examples.streams:
            own = [next(parts) for _ in stream]
            streams.append(own[0] if len(own) == 1 else torch.cat(own, dim=1))
        if self._measurements is not None:
            streams.append(self._measurements[where])
        return tuple(streams)


def scaled(stored: Tensor, limits: Tensor, curve: str = "root") -> Tensor:
    """Scale N×C×H×W stored images so that the first limit is 0 and the second 1: N×2×C, or 2×C for all."""
    low, high = limits.unbind(-2)
    low, high = low[..., None, None], high[..., None, None]
    images = torch.sub(stored, low).mul_(1 / (high - low))
    return images.clamp_(0.0, 4.0).sqrt_() if curve == "root" else images


def _upload(images: StoredImages, device: torch.device) -> tuple[Tensor, Tensor]:
    """Put the images that are used on the device: their values as stored, and where each example's are."""
    used, place = np.unique(images.rows, return_inverse=True)
    alone = replace(images, rows=used, group=np.zeros(len(used), np.int64))
    shape = (len(used), len(images.channels), *images.array.shape[2:])
    values: Tensor | None = None
    step = max(1, _UPLOAD_BYTES // max(images.example_bytes, 1))
    for start in range(0, len(used), step):
        part = torch.from_numpy(signed(alone.gather(np.arange(start, min(start + step, len(used))))))
        if values is None:
            values = torch.empty(shape, dtype=part.dtype, device=device)
        values[start : start + len(part)] = part.to(device)
    if values is None:
        values = torch.empty(shape, device=device)
    return values, torch.from_numpy(place.astype(np.int64)).to(device)


def _fits(examples: Examples, device: torch.device) -> bool:
    """Whether the images that are used fit into the memory that is free on the device."""
    images = [one for stream in examples.streams for one in stream]
    needed = sum(one.example_bytes * len(np.unique(one.rows)) for one in images)
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        return False
    return needed <= _SHARE_OF_MEMORY * free


def _lies_on_disk(array: Images) -> bool:
    return isinstance(array, np.memmap)


def _unsigned(stored: Tensor) -> Tensor:
    """Read int16 as the uint16 that it stands for."""
    if stored.device.type == "cpu":
        return stored.view(torch.uint16).float()  # one pass; not every device converts uint16
    return stored.int().bitwise_and_(0xFFFF)
