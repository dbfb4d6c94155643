"""Worker processes: they die, and the fields do not; they use one core each, and stop soon."""

import os
import time
from pathlib import Path

import pytest
from tests.jobs.dangerous_steps import Dawdle, FullDisk, KillWorker, threads_of

from cellvote.errors import CancelledError, StorageError, WorkerError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.over_fields import FieldStep, run_over_fields
from cellvote.plates.acquisition import FieldKey
from cellvote.processes import ONE_THREAD
from cellvote.progress import CancelToken
from cellvote.study.ledger import Ledger

pytestmark = pytest.mark.slow

KEYS = [FieldKey("P", f"A{column:02d}", 1) for column in range(1, 13)]


def run(step: FieldStep, ledger: Ledger, cancel: CancelToken | None = None, keys: list[FieldKey] = KEYS) -> None:
    with open_executor(2) as (executor, n):
        for _ in run_over_fields(step, keys, ledger, executor, n, cancel or CancelToken()):
            pass


def test_the_field_that_kills_its_worker_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    with Ledger(tmp_path / "fields.parquet") as ledger:
        run(KillWorker(("A03", "A10")), ledger)
    assert [record.key.well for record in ledger.failed()] == ["A03", "A10"]
    assert "P/A03 field 1: its worker process died" in ledger.failed()[0].error
    assert len(ledger.done()) == 10


def test_where_every_field_kills_its_worker_it_is_not_the_fields(tmp_path: Path) -> None:
    with Ledger(tmp_path / "fields.parquet") as ledger, pytest.raises(WorkerError, match="fewer --workers"):
        run(KillWorker(tuple(key.well for key in KEYS)), ledger)
    assert len(ledger.failed()) < 5


def test_cancelling_takes_no_longer_than_the_fields_at_work(tmp_path: Path) -> None:
    token = CancelToken()
    began: list[float] = []
    keys = [FieldKey("P", f"{row}{column:02d}", 1) for row in "ABCD" for column in range(1, 13)]

    def cancel_at_the_first() -> None:
        with open_executor(2) as (executor, n):
            for _ in run_over_fields(Dawdle(tmp_path, 1.0), keys, ledger, executor, n, token):
                began.append(time.monotonic())
                token.cancel()

    with Ledger(tmp_path / "fields.parquet") as ledger, pytest.raises(CancelledError):
        cancel_at_the_first()
    assert time.monotonic() - began[0] < 3
    # The two that were at work, and those that had been done: none of those that waited in the workers' queue.
    assert len(list(tmp_path.glob("[A-D]??"))) <= len(ledger.records) + 3


def test_a_full_disk_stops_the_run_and_is_no_fault_of_a_field(tmp_path: Path) -> None:
    with Ledger(tmp_path / "fields.parquet") as ledger, pytest.raises(StorageError, match="No space left"):
        run(FullDisk("A05"), ledger)
    assert ledger.failed() == []
    assert {key.well for key in ledger.done()} <= {"A01", "A02", "A03", "A04"}


def test_every_library_has_one_thread_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    with open_executor(2) as (executor, _):
        found = [executor.submit(threads_of, library).result() for library in ("numpy", "torch")]
    for said in found:
        assert said
        assert set(said.values()) == {1}, said
    assert not set(ONE_THREAD) & set(os.environ)  # only the workers' environment was changed
