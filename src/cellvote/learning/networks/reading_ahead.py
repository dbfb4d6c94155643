"""Reading ahead: a thread copies batches out of memory-mapped files while the network computes."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cellvote.learning.examples import Images, IntArray, StoredImages, signed
from cellvote.progress import CancelToken

_PATIENCE_S: Final = 0.1
"""How long either side waits before it looks whether the other has stopped."""


@dataclass
class _Batch:
    """One batch on its way: its images as stored, or what went wrong in reading them."""

    index: IntArray
    images: list[Images] = field(default_factory=list)
    pinned: "_Buffer | None" = None
    error: BaseException | None = None


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
    """The thread that reads, its queue of batches, and the pinned memory that goes round."""

    def __init__(
        self, images: Sequence[StoredImages], batches: Sequence[IntArray], device: torch.device, ahead: int
    ) -> None:
        self.images, self.batches, self.device = images, batches, device
        self.ready: queue.Queue[_Batch] = queue.Queue(maxsize=ahead)
        self.free: queue.Queue[_Buffer] = queue.Queue()
        self.stopped = threading.Event()
        self.pins = device.type == "cuda"
        self.stream = torch.cuda.Stream(device) if self.pins else None
        if self.pins:
            largest = max((len(batch) for batch in batches), default=0)
            for _ in range(ahead + 1):
                self.free.put(_Buffer([_pinned(one, largest) for one in images]))
        self.thread = threading.Thread(target=self._read, name="cellvote-read-ahead", daemon=True)
        self.thread.start()

    def next(self, cancel: CancelToken) -> _Batch:
        """Wait for the next batch."""
        while True:
            cancel.raise_if_cancelled()
            try:
                batch = self.ready.get(timeout=_PATIENCE_S)
            except queue.Empty:
                continue
            if batch.error is not None:
                raise batch.error
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
        self.free.put(batch.pinned)
        return there

    def stop(self) -> None:
        """End the thread; what it has read is dropped."""
        self.stopped.set()
        self.thread.join()

    def _read(self) -> None:
        for index in self.batches:
            batch = _Batch(index)
            try:
                self._fill(batch)
            except Exception as error:  # noqa: BLE001 (raised again where the batch is asked for)
                batch.error = error
            if not self._put(batch) or batch.error is not None:
                return

    def _fill(self, batch: _Batch) -> None:
        if not self.pins:
            batch.images = [signed(one.gather(batch.index)) for one in self.images]
            return
        buffer = self._take_buffer()
        if buffer is None:
            return
        if buffer.copied is not None:
            buffer.copied.synchronize()
        for one, tensor in zip(self.images, buffer.tensors, strict=True):
            out = tensor[: len(batch.index)].numpy()
            one.gather(batch.index, out.view(np.uint16) if one.array.dtype == np.uint16 else out)
        batch.pinned = buffer

    def _take_buffer(self) -> _Buffer | None:
        while not self.stopped.is_set():
            try:
                return self.free.get(timeout=_PATIENCE_S)
            except queue.Empty:
                continue
        return None

    def _put(self, batch: _Batch) -> bool:
        while not self.stopped.is_set():
            try:
                self.ready.put(batch, timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return True
        return False


def _pinned(images: StoredImages, n: int) -> Tensor:
    kinds = {"uint8": torch.uint8, "uint16": torch.int16, "float32": torch.float32}
    shape = (n, len(images.channels), *images.array.shape[2:])
    return torch.empty(shape, dtype=kinds[images.array.dtype.name], pin_memory=True)
