"""Where a step over fields runs: in this process, on a local process pool, or on a dask cluster."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final

from cellvote import __version__
from cellvote.errors import WorkerError
from cellvote.processes import WorkerPool, default_workers, limit_threads

_ASKED_EVERY_S: Final = 1.0
_WITHOUT_WORKERS_S: Final = 120.0
"""Nannies start dead workers again; where none is there for so long, nobody does."""


@contextmanager
def open_executor(workers: int | None = None, scheduler: str | None = None) -> Iterator[tuple[Executor, int]]:
    """Open an executor, and say how many calls it runs at a time.

    Leaving the block lets the calls that run finish, and drops all others.

    Parameters
    ----------
    workers
        Local processes; one for each core where it is not given; with 1 all is done in this process.
    scheduler
        Address of a dask scheduler, such as ``tcp://host:8786``; its workers must see the same folders.

    Raises
    ------
    WorkerError
        Where the cluster cannot be reached, has no workers, another CellVote, or ``distributed`` is not installed.
    """
    if scheduler:
        yield from _open_cluster(scheduler)
        return
    workers = workers or default_workers()
    if workers == 1:
        with ThreadPoolExecutor(1) as thread:
            yield thread, 1
        return
    pool = WorkerPool(workers)
    try:
        yield pool, workers
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def is_death(error: BaseException) -> bool:
    """Whether an error says that the process which did the call died."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"  # dask's, not imported here


# A dask cluster


def _open_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client
    except ImportError as error:
        raise WorkerError('--scheduler needs dask.distributed: pip install "cellvote[cluster]"') from error
    try:
        client = Client(address, timeout="10s", set_as_default=False)  # else dask arrays would compute there
    except (OSError, ValueError) as error:
        raise WorkerError(f"the scheduler {address} cannot be reached ({error}). Is it running?") from error
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)  # of a scheduler that is lost, our own error tells
    try:
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise WorkerError(f"the scheduler {address} has no workers. Start some: dask worker {address}")
        _check_versions(client, address)
        yield ClusterExecutor(client, address), n_threads
    finally:
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            client.close(timeout="2s")
        log.setLevel(level)


def _check_versions(client: Any, address: str) -> None:
    """See that the workers have the same CellVote: another one may write other bytes."""
    try:
        versions = set(client.run(worker_version).values())
    except (ImportError, AttributeError) as error:
        raise WorkerError(
            f"the workers of {address} cannot import CellVote ({error}). Install version {__version__} where they run."
        ) from error
    if versions != {__version__}:
        there = ", ".join(sorted(versions - {__version__}))
        raise WorkerError(f"workers of {address} have CellVote {there}, this is {__version__}. Install the same there.")


def worker_version() -> str:
    """Give the version of CellVote that a worker has."""
    return __version__


class ClusterExecutor(Executor):
    """Hands calls to a dask cluster, and notices where its scheduler or all of its workers are gone.

    Parameters
    ----------
    client
        Connected; closed by whoever made it.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._executor = client.get_executor(pure=False)
        self._asked = self._seen = time.monotonic()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do a call on one of the workers."""
        future: Future[Any] = self._executor.submit(_call_with_one_thread, fn, *args, **kwargs)
        return future

    def check(self) -> None:
        """See that there still is somebody to do the calls.

        Raises
        ------
        WorkerError
            Where the scheduler is gone, or has had no worker for two minutes.
        """
        if self._client.status != "running":
            raise self.lost()
        now = time.monotonic()
        if now - self._asked < _ASKED_EVERY_S:
            return
        self._asked = now
        try:
            there = bool(self._client.nthreads())
        except (OSError, TimeoutError) as error:
            raise self.lost() from error
        self._seen = now if there else self._seen
        if now - self._seen > _WITHOUT_WORKERS_S:
            raise WorkerError(
                f"the scheduler {self._address} has no workers any more. What was done is kept. Start some (dask "
                f"worker {self._address}), and run the same command again: it goes on from here."
            )

    def lost(self) -> WorkerError:
        """Say that the scheduler is gone."""
        return WorkerError(
            f"the scheduler {self._address} was lost. What was done is kept. Start it anew, or leave out --scheduler, "
            "and run the same command again: it goes on from here."
        )


def _call_with_one_thread(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    limit_threads()  # a nanny may have started this worker a moment ago
    return fn(*args, **kwargs)
