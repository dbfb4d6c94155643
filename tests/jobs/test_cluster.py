"""A dask cluster of real processes: the same bytes as here, whatever dies meanwhile."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import distributed
import pytest
from tests.jobs.dangerous_steps import KillWorker, Slowly, threads_of
from tests.tiny_plates import contents

from cellvote.errors import WorkerError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.measure import measure_study
from cellvote.jobs.over_fields import run_over_fields
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.ledger import Ledger

pytestmark = pytest.mark.slow

KEYS = [FieldKey("P", f"A{column:02d}", 1) for column in range(1, 9)]


@pytest.fixture(autouse=True)
def _usual_log_records() -> Iterator[None]:
    """Make log records as Python does: those of napari's plugin for pytest take no dictionary as their argument.

    The scheduler logs one where a worker dies with results that were waited for, and would fail in doing so.
    """
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(before)


@contextmanager
def cluster(n_workers: int = 2) -> Iterator[distributed.LocalCluster]:
    """Workers in processes of their own, which a nanny starts again when they die; a task may kill two of them."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as there,
    ):
        yield there


def results(study: Study) -> dict[str, bytes]:
    folder = study.segmentation_folder("watershed")
    return contents(folder / "masks") | contents(folder / "nuclei") | {"c": (folder / "cells.parquet").read_bytes()}


def test_two_steps_on_a_cluster_whose_worker_is_killed_give_the_bytes_of_a_local_run(
    new_study: Study, finished_study: Study
) -> None:
    killed: list[int] = []

    with cluster() as there:

        def kill_a_worker(progress: Progress) -> None:
            if progress.done == 3 and not killed:
                killed.append(next(iter(there.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        summary = segment_study(new_study, "watershed", scheduler=there.scheduler_address, report=kill_a_worker)
        assert (summary.fields, summary.failed) == (32, [])
        assert killed
        measured = measure_study(new_study, scheduler=there.scheduler_address)
    assert measured.failed == []
    assert results(new_study) == results(finished_study)


def test_the_field_that_kills_the_workers_of_a_cluster_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    with (
        cluster() as there,
        Ledger(tmp_path / "fields.parquet") as ledger,
        open_executor(scheduler=there.scheduler_address) as (executor, n),
    ):
        list(run_over_fields(KillWorker(("A03",)), KEYS, ledger, executor, n, CancelToken()))
    assert [record.key.well for record in ledger.failed()] == ["A03"]
    assert len(ledger.done()) == 7


def test_libraries_have_one_thread_on_the_workers_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    with cluster(1) as there, open_executor(scheduler=there.scheduler_address) as (executor, _):
        for library in ("numpy", "torch"):
            said = executor.submit(threads_of, library).result()
            assert set(said.values()) == {1}, said


def test_a_scheduler_that_is_lost_is_told_in_one_sentence_and_the_run_goes_on_later(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path)])}
    with subprocess.Popen(
        [*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True, env=environment
    ) as scheduler:
        assert scheduler.stderr is not None
        lines = iter(scheduler.stderr.readline, "")
        address = next(found[1] for line in lines if (found := re.search(r"Scheduler at:\s+(tcp://\S+)", line)))
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        with subprocess.Popen(worker, stderr=subprocess.DEVNULL, env=environment) as working:
            try:
                with distributed.Client(address, timeout="60s") as client:
                    client.wait_for_workers(1, timeout=60)

                def lose_the_scheduler() -> None:
                    with open_executor(scheduler=address) as (executor, n):
                        for progress in run_over_fields(Slowly(0.2), KEYS, ledger, executor, n, CancelToken()):
                            if progress.done == 2:
                                scheduler.kill()

                with (
                    Ledger(tmp_path / "fields.parquet") as ledger,
                    pytest.raises(WorkerError, match="was lost. What was done is kept.*it goes on from here"),
                ):
                    lose_the_scheduler()
            finally:
                working.terminate()
                scheduler.kill()
    done = Ledger(tmp_path / "fields.parquet").done()
    assert 2 <= len(done) < 8
    with Ledger(tmp_path / "fields.parquet") as ledger, open_executor(1) as (executor, n):
        rest = [key for key in KEYS if key not in done]
        list(run_over_fields(Slowly(0.0), rest, ledger, executor, n, CancelToken()))
    assert sorted(ledger.done()) == KEYS
