"""A step over fields: one bad field stops nothing, and a cancelled run goes on where it was."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from cellvote.errors import CancelledError, ImageReadError, StorageError, WorkerError
from cellvote.jobs.over_fields import StepSummary, rate, run_over_fields
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress
from cellvote.study.ledger import FieldRecord, Ledger

KEYS = [FieldKey("P", f"A{column:02d}", 1) for column in range(1, 9)]


def count_cells(key: FieldKey) -> FieldRecord:
    return FieldRecord(*key, status="done", n_cells=10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "fields.parquet") as ledger:
        yield ledger


def run(step: Any, ledger: Ledger, cancel: CancelToken | None = None, keys: list[FieldKey] = KEYS) -> list[Progress]:
    return list(run_over_fields(step, keys, ledger, ThreadPoolExecutor(1), 1, cancel or CancelToken()))


def test_every_field_is_done_recorded_and_told_of(ledger: Ledger) -> None:
    told = run(count_cells, ledger)
    assert [progress.done for progress in told] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {progress.total for progress in told} == {8}
    assert told[0].where == "P/A01 field 1"
    assert told[-1].message.startswith("80 cells")
    assert sorted(ledger.done()) == KEYS


@pytest.mark.parametrize(
    "error",
    [ImageReadError("A03: truncated"), ValueError("x"), MemoryError(), IndexError("x"), OSError("x"), RuntimeError("x"),
     ZeroDivisionError()],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_bad_field_is_recorded_and_stops_no_other(ledger: Ledger, error: Exception) -> None:
    def fail_at_a03(key: FieldKey) -> FieldRecord:
        if key.well == "A03":
            raise error
        return count_cells(key)

    told = run(fail_at_a03, ledger)
    assert len(ledger.done()) == 7
    (failed,) = ledger.failed()
    assert failed.key == KEYS[2]
    assert "A03" in failed.error
    assert told[2].message == failed.error


def test_every_field_may_be_bad(ledger: Ledger) -> None:
    def fail(key: FieldKey) -> FieldRecord:
        raise ValueError("no")

    assert len(run(fail, ledger)) == 8
    assert [record.key for record in ledger.failed()] == KEYS


def test_without_fields_nothing_is_told(ledger: Ledger) -> None:
    assert run(count_cells, ledger, keys=[]) == []


def test_cancelling_stops_before_the_next_field_and_what_was_done_is_kept(ledger: Ledger) -> None:
    token, started = CancelToken(), []

    def cancel_at_the_third(key: FieldKey) -> FieldRecord:
        started.append(key)
        if len(started) == 3:
            token.cancel()
        return count_cells(key)

    with pytest.raises(CancelledError, match="Run the same command again to go on"):
        run(cancel_at_the_third, ledger, token)
    assert started == KEYS[:3]
    assert sorted(ledger.done()) == KEYS[:3]
    run(count_cells, ledger, keys=[key for key in KEYS if key not in ledger.done()])
    assert sorted(ledger.done()) == KEYS


def test_no_more_fields_are_handed_over_than_can_be_waited_for(tmp_path: Path) -> None:
    handed: list[FieldKey] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            handed.append(args[1])
            return super().submit(fn, *args, **kwargs)

    token = CancelToken()
    with Ledger(tmp_path / "f.parquet") as ledger, Counting(2) as executor:
        told = run_over_fields(count_cells, KEYS, ledger, executor, 2, token)
        next(told)
        token.cancel()
        with pytest.raises(CancelledError):
            list(told)
    assert len(handed) <= 4
    assert 1 <= len(ledger.done()) <= 4


def test_many_at_a_time_record_the_same_as_one(tmp_path: Path, ledger: Ledger) -> None:
    run(count_cells, ledger)
    with Ledger(tmp_path / "many.parquet") as many, ThreadPoolExecutor(3) as executor:
        assert len(list(run_over_fields(count_cells, KEYS, many, executor, 3, CancelToken()))) == 8
        without_times = [{k: {**vars(v), "seconds": 0} for k, v in one.records.items()} for one in (ledger, many)]
    assert without_times[0] == without_times[1]


class DyingPool(Executor):
    """Its worker dies at some of the calls."""

    def __init__(self, dies_at: Callable[[int], bool]) -> None:
        self.n = 0
        self.dies_at = dies_at

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.n += 1
        future: Future[Any] = Future()
        if self.dies_at(self.n):
            future.set_exception(BrokenProcessPool("died"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("at_a_time", [1, 4])
def test_a_field_whose_worker_died_is_tried_again_alone(ledger: Ledger, at_a_time: int) -> None:
    pool = DyingPool(lambda n: n == 3)
    assert len(list(run_over_fields(count_cells, KEYS, ledger, pool, at_a_time, CancelToken()))) == 8
    assert sorted(ledger.done()) == KEYS
    assert pool.n == 9


def test_a_field_that_kills_its_worker_twice_is_recorded_as_failed(ledger: Ledger) -> None:
    told = list(run_over_fields(count_cells, KEYS, ledger, DyingPool(lambda n: n in {3, 4}), 1, CancelToken()))
    assert [record.key for record in ledger.failed()] == [KEYS[2]]
    assert len(ledger.done()) == 7
    assert told[2].message.startswith("P/A03 field 1: its worker process died")


def test_where_workers_die_whatever_they_do_the_run_stops_and_what_was_done_is_kept(ledger: Ledger) -> None:
    with pytest.raises(WorkerError, match="fewer --workers"):
        list(run_over_fields(count_cells, KEYS, ledger, DyingPool(lambda n: n > 2), 1, CancelToken()))
    assert sorted(ledger.done()) == KEYS[:2]


def test_a_full_disk_fails_no_field(ledger: Ledger) -> None:
    def fill_up(key: FieldKey) -> FieldRecord:
        if key == KEYS[2]:
            raise StorageError("masks: cannot be written (No space left on device).")
        return count_cells(key)

    with pytest.raises(StorageError):
        run(fill_up, ledger)
    assert sorted(ledger.records) == KEYS[:2]


def test_the_time_left_is_told_once_there_is_something_to_tell_it_from() -> None:
    ago = time.monotonic() - 60
    assert rate(600, ago, 30, 90) == "600 cells · 10 cells/s · 2 min left"
    assert rate(600, ago, 90, 120) == "600 cells · 10 cells/s · 20 s left"
    assert rate(600, ago, 1, 120) == "600 cells · 10 cells/s · 2.0 h left"
    assert rate(600, ago, 90, 90) == "600 cells · 10 cells/s"
    assert "left" not in rate(10, time.monotonic() - 0.1, 1, 100)


def test_a_summary_has_the_documented_keys() -> None:
    failed = FieldRecord("P", "A02", 3, status="failed", error="why")
    assert StepSummary(8, [failed], 70, 1.23456, "cpu", 2).to_json() == {
        "fields": 8,
        "failed": [{"plate": "P", "well": "A02", "field": 3, "error": "why"}],
        "cells": 70,
        "device": "cpu",
        "seconds": 1.235,
    }
    assert StepSummary(8, [], 70, 1.0, notes=("why",)).to_json()["notes"] == ["why"]
