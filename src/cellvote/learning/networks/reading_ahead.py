"""Reading ahead: a thread copies batches out of memory-mapped files while the network computes."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cellvote.learning.examples import Images, IntArray, StoredImages, signed
from cellvote.progress import CancelToken

THREAD: Final = "cellvote-read-ahead"
"""What its thread is called."""

_PATIENCE_S: Final = 0.1
"""How long a batch is waited for before it is looked whether anybody still wants it."""


@dataclass
class _Batch:
    """One batch on its way: its images as stored."""

    index: IntArray
    images: list[Images] = field(default_factory=list)
    pinned: "_Buffer | None" = None


@dataclass
class _Buffer:
    """Pinned memory for one batch, and the event after which it may be written again."""

    tensors: list[Tensor]
    copied: torch.cuda.Event | None = None


def read_ahead(
    images: Sequence[StoredImages],
    batches: Sequence[IntArray],
    device: torch.device,
    ahead: int,
    cancel: CancelToken,
) -> Iterator[tuple[IntArray, list[Tensor]]]:
    """Give batches in order, as stored, on the device; uint16 comes as int16.

    Parameters
    ----------
    ahead
        How many batches are read before they are asked for, at most.

    Raises
    ------
    CancelledError
        Where it was cancelled.
    Exception
        Whatever reading raised, at the batch that it met.
    """
    reader = _Reader(images, batches, device, ahead)
    try:
        for _ in batches:
            batch = reader.next(cancel)
            yield batch.index, reader.to_device(batch)
    finally:
        reader.stop()


class _Reader:
    """The thread that reads, the batches that it was asked for, and the pinned memory that goes round."""

    def __init__(
        self, images: Sequence[StoredImages], batches: Sequence[IntArray], device: torch.device, ahead: int
    ) -> None:
        self.images, self.device = images, device
        self.to_come = iter(batches)
        self.pins = device.type == "cuda"
        self.stream = torch.cuda.Stream(device) if self.pins else None
        self.free: deque[_Buffer] = deque()
        if self.pins:
            largest = max((len(batch) for batch in batches), default=0)
            # One more than are asked for at a time: there is always one to read into.
            self.free.extend(_Buffer([_pinned(one, largest) for one in images]) for _ in range(ahead + 1))
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=THREAD)
        self.asked = deque(self.thread.submit(self._fill, index) for index in islice(self.to_come, ahead))

    def next(self, cancel: CancelToken) -> _Batch:
        """Wait for the next batch, and ask for one more; what went wrong in reading it is raised here."""
        future = self.asked.popleft()
        while not wait([future], _PATIENCE_S).done:
            cancel.raise_if_cancelled()
        cancel.raise_if_cancelled()
        batch = future.result()
        for index in islice(self.to_come, 1):
            self.asked.append(self.thread.submit(self._fill, index))
        return batch

    def to_device(self, batch: _Batch) -> list[Tensor]:
        """Copy a batch to the device, beside what computes there."""
        n = len(batch.index)
        if batch.pinned is None or self.stream is None:
            return [torch.from_numpy(one).to(self.device) for one in batch.images]
        now = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.stream):
            there = [tensor[:n].to(self.device, non_blocking=True) for tensor in batch.pinned.tensors]
            batch.pinned.copied = torch.cuda.Event()
            batch.pinned.copied.record()
        now.wait_stream(self.stream)
        for tensor in there:
            tensor.record_stream(now)
        self.free.append(batch.pinned)
        return there

    def stop(self) -> None:
        """End the thread; what it has read is dropped."""
        self.thread.shutdown(cancel_futures=True)

    def _fill(self, index: IntArray) -> _Batch:
        """Read a batch, in the thread."""
        if not self.pins:
            return _Batch(index, [signed(one.gather(index)) for one in self.images])
        buffer = self.free.popleft()
        if buffer.copied is not None:
            buffer.copied.synchronize()
        for one, tensor in zip(self.images, buffer.tensors, strict=True):
            out = tensor[: len(index)].numpy()
            one.gather(index, out.view(np.uint16) if one.array.dtype == np.uint16 else out)
        return _Batch(index, pinned=buffer)


def _pinned(images: StoredImages, n: int) -> Tensor:
    kinds = {"uint8": torch.uint8, "uint16": torch.int16, "float32": torch.float32}
    shape = (n, len(images.channels), *images.array.shape[2:])
    return torch.empty(shape, dtype=kinds[images.array.dtype.name], pin_memory=True)
