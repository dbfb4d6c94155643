"""Run a network over many fields with its batches full: fields are read ahead, and masks made behind.

Tiles of fields are taken in the order of the fields, and a batch holds those of as many fields as it takes. The
contracts are those of `cellvote.jobs.over_fields`: each field is recorded as it is done, one bad field stops no
other, and cancelling takes no longer than a field. What becomes of a field does not depend on those beside it (see
`TileRunner`), so that a run that was killed goes on to the same bytes.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from cellvote.jobs.executors import open_executor
from cellvote.jobs.over_fields import FIELD_ERRORS, attempt, failed_record, rate, worker_died
from cellvote.plates.acquisition import FieldKey
from cellvote.processes import default_workers
from cellvote.progress import CancelToken, Progress
from cellvote.segmentation.base import TileNetwork, TilePixels, Tiles
from cellvote.study.ledger import FieldRecord, Ledger

_TOLD_EVERY_S: Final = 2.0
_N_READERS: Final = 4


class PooledStep(Protocol):
    """A step over fields in two parts, with a network between them; picklable."""

    def prepare(self, key: FieldKey) -> tuple[Tiles, Any]:
        """Read a field: its tiles, and what `finish` needs beside their outputs."""
        ...

    def finish(self, key: FieldKey, plan: Any, note: Any, outputs: TilePixels, device: str) -> FieldRecord:
        """Write what comes of a field, from the outputs for its tiles; ``device`` computed them."""
        ...


@dataclass
class _Field:
    """A field whose tiles wait for the network, or are on their way through it."""

    key: FieldKey
    tiles: Tiles
    note: Any
    seconds: float
    outputs: list[TilePixels] = field(default_factory=list)
    devices: dict[str, None] = field(default_factory=dict)
    n_taken: int = 0

    @property
    def n_left(self) -> int:
        """Tiles that the network has not seen."""
        return len(self.tiles.pixels) - self.n_taken


def run_pooled(
    step: PooledStep,
    keys: Sequence[FieldKey],
    ledger: Ledger,
    network: TileNetwork,
    finishers: Executor,
    n_finishers: int,
    cancel: CancelToken,
) -> Iterator[Progress]:
    """Run a step over fields, recording each in the ledger as it comes.

    Parameters
    ----------
    keys
        The fields to do; leave out those that the ledger says are done.
    ledger
        Open for writing.
    network
        Runs in the thread that iterates; reading and finishing go on beside it.
    finishers
        Makes masks and writes them, ``n_finishers`` fields at a time: see `open_finishers`.

    Yields
    ------
    Progress
        After each field, every few seconds while the network is at a field, and with each notice of the network.

    Raises
    ------
    CancelledError
        Where it was cancelled; what was done is in the ledger.
    DeviceError
        Where the network's device fails.
    WorkerError
        Where a worker process died.
    """
    n_readers = min(_N_READERS, max(1, default_workers() - 1), len(keys) or 1)
    with ThreadPoolExecutor(n_readers) as readers:
        run = _PooledRun(step, keys, ledger, network, finishers, n_finishers, cancel, readers, 2 * n_readers)
        try:
            yield from run.go()
        except (BrokenProcessPool, CancelledError) as error:
            raise worker_died() from error
        finally:
            run.drop()


def open_finishers(
    device: str, workers: int | None = None, *, processes: bool = False
) -> AbstractContextManager[tuple[Executor, int]]:
    """Open what makes masks behind the network: threads, unless it is said otherwise.

    Threads let a GPU move the pixels, and torch leaves Python to the others while a CPU does. Processes bring a second
    torch each, and the outputs have to be sent to them: see ``benchmarks/cellpose_throughput.py --masks-in``.

    Parameters
    ----------
    device
        The network's: on a CPU it takes the cores itself, so that fewer masks are made beside it.
    workers
        How many; with 1 always a thread of this process.
    """
    n = workers or (max(1, default_workers() // 2) if device == "cpu" else min(4, default_workers()))
    return open_executor(n) if processes and n > 1 else _open_threads(n)


@contextmanager
def _open_threads(n: int) -> Iterator[tuple[Executor, int]]:
    with ThreadPoolExecutor(n) as threads:
        yield threads, n


class _PooledRun:
    """One run: what is being read, what waits for the network, and what is being finished."""

    def __init__(
        self,
        step: PooledStep,
        keys: Sequence[FieldKey],
        ledger: Ledger,
        network: TileNetwork,
        finishers: Executor,
        n_finishers: int,
        cancel: CancelToken,
        readers: Executor,
        n_ahead: int,
    ) -> None:
        self.step, self.ledger, self.network, self.cancel = step, ledger, network, cancel
        self.finishers, self.n_finishers, self.readers, self.n_ahead = finishers, n_finishers, readers, n_ahead
        self.to_read = iter(keys)
        self.reading: deque[tuple[FieldKey, Future[tuple[Tiles, Any, float]]]] = deque()
        self.waiting: deque[_Field] = deque()
        self.finishing: set[Future[FieldRecord]] = set()
        self.total, self.done, self.cells, self.n_notices = len(keys), 0, 0, 0
        self.started = self.told = time.monotonic()

    def go(self) -> Iterator[Progress]:
        """Do every field."""
        while True:
            yield from self._record_finished()
            self.cancel.raise_if_cancelled()
            self._read_ahead()
            ready = sum(one.n_left for one in self.waiting)
            if self.reading and ready < self.network.tiles_at_once:
                yield from self._take_read()
            elif ready and len(self.finishing) < 2 * self.n_finishers:
                self._run_batch()
                yield from self._tell_of_network()
            elif self.finishing:
                wait(self.finishing, timeout=0.2, return_when=FIRST_COMPLETED)
            else:
                return

    def drop(self) -> None:
        """Let go of what has not begun."""
        for _, reading in self.reading:
            reading.cancel()
        for finishing in self.finishing:
            finishing.cancel()

    def _read_ahead(self) -> None:
        while len(self.reading) < self.n_ahead and (key := next(self.to_read, None)) is not None:
            self.reading.append((key, self.readers.submit(_prepare, self.step, key)))

    def _take_read(self) -> Iterator[Progress]:
        """Take the next field in order, once it is read."""
        key, future = self.reading[0]
        if not future.done():
            awaited: set[Future[Any]] = {future, *self.finishing}
            wait(awaited, timeout=0.2, return_when=FIRST_COMPLETED)
            return
        self.reading.popleft()
        try:
            tiles, note, seconds = future.result()
        except FIELD_ERRORS as error:
            yield self._record(failed_record(key, error))
            return
        self.waiting.append(_Field(key, tiles, note, seconds))

    def _run_batch(self) -> None:
        """Run one batch of tiles, and hand fields on whose last tile was in it."""
        taken: list[tuple[_Field, int]] = []
        room = self.network.tiles_at_once
        for one in self.waiting:
            if not room:
                break
            n = min(room, one.n_left)
            taken.append((one, n))
            room -= n
        batch = np.concatenate([one.tiles.pixels[one.n_taken : one.n_taken + n] for one, n in taken])
        started = time.monotonic()
        outputs = self.network(batch)
        seconds_a_tile = (time.monotonic() - started) / len(batch)
        at = 0
        for one, n in taken:
            one.outputs.append(outputs[at : at + n])
            one.devices[self.network.device] = None
            one.seconds += n * seconds_a_tile
            one.n_taken += n
            at += n
        while self.waiting and not self.waiting[0].n_left:
            self._finish(self.waiting.popleft())

    def _finish(self, one: _Field) -> None:
        outputs = one.outputs[0] if len(one.outputs) == 1 else np.concatenate(one.outputs)
        device = "+".join(one.devices)
        arguments = (one.key, one.tiles.plan, one.note, outputs, device)
        self.finishing.add(self.finishers.submit(_finish, self.step, one.seconds, *arguments))

    def _record_finished(self) -> Iterator[Progress]:
        finished = {future for future in self.finishing if future.done()}
        self.finishing -= finished
        whole = [future.result() for future in finished if future.exception() is None]
        for record in sorted(whole, key=lambda r: r.key):
            yield self._record(record)
        for future in finished:
            future.result()  # raises where a worker died

    def _record(self, record: FieldRecord) -> Progress:
        self.ledger.append(record)
        self.done, self.cells = self.done + 1, self.cells + record.n_cells
        return self._progress(str(record.key), record.error or rate(self.cells, self.started))

    def _tell_of_network(self) -> Iterator[Progress]:
        for notice in self.network.notices[self.n_notices :]:
            yield self._progress("", notice)
        self.n_notices = len(self.network.notices)
        if self.waiting and time.monotonic() - self.told > _TOLD_EVERY_S:
            one = self.waiting[0]
            yield self._progress(str(one.key), f"tile {one.n_taken} of {len(one.tiles.pixels)}")

    def _progress(self, where: str, message: str) -> Progress:
        self.told = time.monotonic()
        return Progress(self.done, self.total, where, message)


def _prepare(step: PooledStep, key: FieldKey) -> tuple[Tiles, Any, float]:
    started = time.monotonic()
    tiles, note = step.prepare(key)
    return tiles, note, time.monotonic() - started


def _finish(
    step: PooledStep, seconds: float, key: FieldKey, plan: Any, note: Any, outputs: TilePixels, device: str
) -> FieldRecord:
    return attempt(key, lambda: step.finish(key, plan, note, outputs, device), seconds)
