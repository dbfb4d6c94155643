"""Where steps run: here, or on a cluster that is there or is not."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import distributed
import pytest
from tests.tiny_plates import contents

from cellvote.errors import WorkerError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.segment import segment_study
from cellvote.study import Study


def test_one_worker_is_this_process() -> None:
    with open_executor(1) as (executor, n):
        assert isinstance(executor, ThreadPoolExecutor)
        assert n == 1
        assert executor.submit(divmod, 7, 2).result() == (3, 1)


def test_an_error_here_is_raised_where_its_result_is_read() -> None:
    with open_executor(1) as (executor, _):
        future = executor.submit(int, "x")
        with pytest.raises(ValueError, match="invalid literal"):
            future.result()


def test_without_distributed_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkerError, match=r'pip install "cellvote\[cluster\]"'), open_executor(scheduler="tcp://x:1"):
        pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients give up on a scheduler at once."""
    client = distributed.Client

    def connect(address: str, **options: Any) -> Any:
        return client(address, **options | {"timeout": "0.2s"})

    monkeypatch.setattr(distributed, "Client", connect)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://127.0.0.1:9", "tcp://no.such.host.invalid:8786"])
def test_a_scheduler_that_cannot_be_reached_is_named(address: str) -> None:
    with (
        pytest.raises(WorkerError, match=rf"the scheduler {address} cannot be reached"),
        open_executor(scheduler=address),
    ):
        pass


def cluster(n_workers: int) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="inproc"
    )


def test_a_cluster_gives_the_same_masks(new_study: Study, finished_study: Study) -> None:
    with cluster(1) as there:
        summary = segment_study(new_study, "watershed", scheduler=there.scheduler_address)
    assert (summary.fields, summary.failed) == (32, [])
    masks = [contents(one.segmentation_folder("watershed") / "masks") for one in (new_study, finished_study)]
    assert masks[0] == masks[1]


def test_a_cluster_without_workers_is_refused() -> None:
    with (
        cluster(0) as there,
        pytest.raises(WorkerError, match="has no workers. Start some: dask worker"),
        open_executor(scheduler=there.scheduler_address),
    ):
        pass
