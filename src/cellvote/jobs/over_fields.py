"""Run one step over many fields: any executor, progress, cancel, resume; one bad field stops nothing."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cellvote.errors import CellVoteError, StorageError, WorkerError
from cellvote.jobs.executors import ClusterExecutor, is_death, open_executor
from cellvote.plates.acquisition import FieldKey
from cellvote.processes import WorkerPool
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study.ledger import FieldRecord, Ledger

FieldStep = Callable[[FieldKey], FieldRecord]
"""A picklable, pure function of a field: reads the study, writes the field's own files, says what it did."""

# What a field's own pixels can make a numerical library raise.
FIELD_ERRORS: Final = (
    CellVoteError,
    ValueError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
)
"""What makes one field fail, and no other."""

_MOST_DEATHS: Final = 5
"""Where so many fields in a row take their worker with them, it is not the fields."""

_TOLD_FROM_S: Final = 2.0


@dataclass(frozen=True)
class StepSummary:
    """What a step over fields did; ``to_json`` is what the command line prints."""

    fields: int
    failed: list[FieldRecord]
    cells: int
    seconds: float
    device: str = "cpu"
    skipped: int = field(default=0)
    """Fields that an earlier run had done."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was computed, one sentence each."""

    def to_json(self) -> dict[str, Any]:
        """As DESIGN section 7 has it, with ``notes`` where there are any."""
        failed = [{"plate": r.plate, "well": r.well, "field": r.field, "error": r.error} for r in self.failed]
        return {
            "fields": self.fields,
            "failed": failed,
            "cells": self.cells,
            "device": self.device,
            "seconds": round(self.seconds, 3),
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def devices_of(records: Iterable[FieldRecord]) -> str:
    """Name the devices that fields were computed on, such as ``cuda`` or ``cuda+cpu``."""
    used = dict.fromkeys(part for record in records if record.status == "done" for part in record.device.split("+"))
    return "+".join(used) or "cpu"


def run_over_fields(
    step: FieldStep,
    keys: Sequence[FieldKey],
    ledger: Ledger,
    executor: Executor,
    at_a_time: int,
    cancel: CancelToken,
) -> Iterator[Progress]:
    """Run a step over fields, recording each in the ledger as it comes.

    Where a worker process dies, the fields that were at work are tried again one by one, so that the one that takes its
    worker with it is known: it is recorded as failed, and all others are done.

    Parameters
    ----------
    keys
        The fields to do; leave out those that the ledger says are done.
    ledger
        Open for writing.
    executor
        From `open_executor`.
    at_a_time
        How many calls the executor runs at once; only twice as many are ever handed over, so that
        cancelling takes no longer than a field.

    Yields
    ------
    Progress
        After each field.

    Raises
    ------
    CancelledError
        Where it was cancelled; what was done is in the ledger.
    StorageError
        Where the disk is full: every further field would meet the same.
    WorkerError
        Where the cluster is lost, or workers die whatever field they are at.
    """
    yield from _Run(step, keys, ledger, executor, at_a_time, cancel).go()


def run_on_workers(
    step: FieldStep,
    keys: Sequence[FieldKey],
    ledger: Ledger,
    *,
    workers: int | None,
    scheduler: str | None,
    report: Report,
    cancel: CancelToken | None,
) -> None:
    """Run a step over fields as `run_over_fields` does, on as many workers as there are fields at the most.

    Parameters
    ----------
    workers, scheduler
        As for `open_executor`; nothing is opened where there is no field to do.
    """
    if not keys:
        return
    with open_executor(min(workers, len(keys)) if workers else None, scheduler) as (executor, n):
        for progress in run_over_fields(step, keys, ledger, executor, n, cancel or CancelToken()):
            report(progress)


class _Run:
    """One run: what waits, what is at work, and which fields may have killed their worker."""

    def __init__(
        self,
        step: FieldStep,
        keys: Sequence[FieldKey],
        ledger: Ledger,
        executor: Executor,
        at_a_time: int,
        cancel: CancelToken,
    ) -> None:
        self.step, self.ledger, self.executor, self.cancel = step, ledger, executor, cancel
        self.most_running = 2 * at_a_time if at_a_time > 1 else 1
        self.waiting = iter(keys)
        self.running: dict[Future[FieldRecord], FieldKey] = {}
        self.suspects: list[FieldKey] = []
        self.alone: FieldKey | None = None
        self.broken = False
        self.total, self.done, self.cells, self.deaths = len(keys), 0, 0, 0
        self.started = time.monotonic()

    def go(self) -> Iterator[Progress]:
        """Do every field."""
        try:
            while self._hand_over():
                yield from self._take_finished()
                self.cancel.raise_if_cancelled()
                if isinstance(self.executor, ClusterExecutor):
                    self.executor.check()
        finally:
            for future in self.running:
                future.cancel()

    def _hand_over(self) -> bool:
        """Give the executor what it can take: a suspect alone, other fields side by side; False where none is left."""
        if self.suspects or self.alone:
            if not self.running:
                self._renew()
                self.alone = self.suspects.pop(0) if self.suspects else None
            if self.alone and not self.running:
                self._submit(self.alone)
            if self.alone or self.running:
                return True
        while len(self.running) < self.most_running and not self.suspects:
            self.cancel.raise_if_cancelled()
            key = next(self.waiting, None)
            if key is None:
                break
            self._submit(key)
        return bool(self.running or self.suspects)

    def _submit(self, key: FieldKey) -> None:
        try:
            self.running[self.executor.submit(_do_field, self.step, key)] = key
        except BrokenExecutor:
            self.broken = True
            self.suspects.append(key)

    def _renew(self) -> None:
        if self.broken and isinstance(self.executor, WorkerPool):
            self.executor.renew()
        self.broken = False

    def _take_finished(self) -> Iterator[Progress]:
        finished, _ = wait(self.running, timeout=0.2, return_when=FIRST_COMPLETED)
        errors: list[BaseException] = []  # raised once all that was done is recorded
        for future in sorted(finished, key=lambda one: self.running[one]):
            key = self.running.pop(future)
            error = CancelledError() if future.cancelled() else future.exception()
            if error is None:
                yield self._record(future.result())
            elif is_death(error):
                self.broken = True
                yield from self._suspect(key, error)
            elif isinstance(error, CancelledError):
                errors.append(self.executor.lost() if isinstance(self.executor, ClusterExecutor) else worker_died())
            else:
                errors.append(error)
        if errors:
            raise errors[0]

    def _suspect(self, key: FieldKey, error: BaseException) -> Iterator[Progress]:
        """Try a field alone whose worker died; where it was alone, it is the one that killed it."""
        if key != self.alone:
            self.suspects.append(key)
            return
        self.deaths += 1
        if self.deaths == _MOST_DEATHS:
            raise worker_died() from error
        yield self._record(
            failed_record(
                key,
                WorkerError(
                    "its worker process died, also when nothing else was at work: most often for want of memory. "
                    "Exclude this field, or do it on a machine with more memory."
                ),
            )
        )

    def _record(self, record: FieldRecord) -> Progress:
        self.ledger.append(record)
        if record.key == self.alone:
            self.alone = None
        if record.status == "done":
            self.deaths = 0
        self.done, self.cells = self.done + 1, self.cells + record.n_cells
        said = record.error or rate(self.cells, self.started, self.done, self.total)
        return Progress(self.done, self.total, str(record.key), said)


def worker_died() -> WorkerError:
    """Say that a worker process died, and what to do."""
    return WorkerError(
        "a worker process died, most often for want of memory. What was done is kept: run again with fewer --workers."
    )


def rate(cells: int, started: float, done: int = 0, total: int = 0) -> str:
    """Write how many cells there are so far, how fast they come, and when the rest will be done.

    Parameters
    ----------
    started
        By `time.monotonic`.
    done, total
        Fields, where the time left is to be told.
    """
    seconds = max(time.monotonic() - started, 1e-9)
    said = f"{cells:,} cells · {cells / seconds:,.0f} cells/s"
    if not 0 < done < total or seconds < _TOLD_FROM_S:
        return said
    return f"{said} · {_duration(seconds * (total - done) / done)} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def failed_record(key: FieldKey, error: BaseException) -> FieldRecord:
    """Record a field that failed, with a sentence that names it."""
    message = str(error) if isinstance(error, CellVoteError) else f"{type(error).__name__}: {error}"
    return FieldRecord(*key, status="failed", error=message if str(key) in message else f"{key}: {message}")


def attempt(key: FieldKey, call: Callable[[], FieldRecord], seconds_before: float = 0.0) -> FieldRecord:
    """Do one field, or record why it failed; with the time that it took, and that it took before.

    Raises
    ------
    StorageError
        Where the disk is full: that is no fault of the field.
    """
    started = time.monotonic()
    try:
        record = call()
    except StorageError:
        raise
    except FIELD_ERRORS as error:
        record = failed_record(key, error)
    return replace(record, seconds=round(seconds_before + time.monotonic() - started, 4))


def _do_field(step: FieldStep, key: FieldKey) -> FieldRecord:
    return attempt(key, lambda: step(key))
