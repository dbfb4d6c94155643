"""Run one step over many fields: any executor, progress, cancel, resume; one bad field stops nothing."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cellvote.errors import CellVoteError, WorkerError
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress
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

    Parameters
    ----------
    keys
        The fields to do; leave out those that the ledger says are done.
    ledger
        Open for writing.
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
    WorkerError
        Where a worker process died.
    """
    started, cells, done = time.monotonic(), 0, 0
    waiting = iter(keys)
    running: set[Future[FieldRecord]] = set()
    try:
        while True:
            while len(running) < 2 * at_a_time and (key := next(waiting, None)) is not None:
                cancel.raise_if_cancelled()
                running.add(executor.submit(_do_field, step, key))
                if at_a_time == 1:
                    break
            if not running:
                return
            finished, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            whole = [future.result() for future in finished if future.exception() is None]
            for record in sorted(whole, key=lambda r: r.key):
                ledger.append(record)
                done, cells = done + 1, cells + record.n_cells
                yield Progress(done, len(keys), str(record.key), record.error or rate(cells, started))
            for future in finished:
                future.result()  # raises where a worker died
            cancel.raise_if_cancelled()
    except (BrokenProcessPool, CancelledError) as error:
        raise worker_died() from error
    finally:
        for future in running:
            future.cancel()


def worker_died() -> WorkerError:
    """Say that a worker process died, and what to do."""
    return WorkerError(
        "a worker process died, most often for want of memory. What was done is kept: run again with fewer --workers."
    )


def rate(cells: int, started: float) -> str:
    """Write how many cells there are so far, and how fast they come."""
    per_second = cells / max(time.monotonic() - started, 1e-9)
    return f"{cells:,} cells · {per_second:,.0f} cells/s"


def failed_record(key: FieldKey, error: BaseException) -> FieldRecord:
    """Record a field that failed, with a sentence that names it."""
    message = str(error) if isinstance(error, CellVoteError) else f"{type(error).__name__}: {error}"
    return FieldRecord(*key, status="failed", error=message if str(key) in message else f"{key}: {message}")


def attempt(key: FieldKey, call: Callable[[], FieldRecord], seconds_before: float = 0.0) -> FieldRecord:
    """Do one field, or record why it failed; with the time that it took, and that it took before."""
    started = time.monotonic()
    try:
        record = call()
    except FIELD_ERRORS as error:
        record = failed_record(key, error)
    return replace(record, seconds=round(seconds_before + time.monotonic() - started, 4))


def _do_field(step: FieldStep, key: FieldKey) -> FieldRecord:
    return attempt(key, lambda: step(key))
