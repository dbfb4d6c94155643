"""Where a step over fields runs: in this process, on a local process pool, or on a dask cluster."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection

from threadpoolctl import threadpool_limits

from cellvote.errors import WorkerError
from cellvote.progress import quiet_decoders


def default_workers() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_executor(workers: int | None = None, scheduler: str | None = None) -> Iterator[tuple[Executor, int]]:
    """Open an executor, and say how many calls it runs at a time.

    Parameters
    ----------
    workers
        Local processes; one for each core where it is not given; with 1 all is done in this process.
    scheduler
        Address of a dask scheduler, such as ``tcp://host:8786``; its workers must see the same folders.

    Raises
    ------
    WorkerError
        Where the cluster cannot be reached, has no workers, or ``distributed`` is not installed.
    """
    if scheduler:
        yield from _open_cluster(scheduler)
        return
    workers = workers or default_workers()
    if workers == 1:
        with ThreadPoolExecutor(1) as thread:
            yield thread, 1
        return
    context = multiprocessing.get_context("spawn")  # fork is unsafe beside Qt and torch threads
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker)
    try:
        yield pool, workers
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _open_cluster(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client
    except ImportError as error:
        raise WorkerError('--scheduler needs dask.distributed: pip install "cellvote[cluster]"') from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise WorkerError(f"the scheduler {address} cannot be reached ({error}). Is it running?") from error
    with client:
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise WorkerError(f"the scheduler {address} has no workers. Start some: dask worker {address}")
        yield client.get_executor(pure=False), n_threads


def _start_worker() -> None:
    """Prepare a worker process: one thread of BLAS, deaf to Ctrl-C, gone when its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what stops
    threadpool_limits(1)
    quiet_decoders()
    os.environ["OMP_NUM_THREADS"] = "1"
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)  # the parent was killed: nobody waits for what this process does
