"""Processes of our own: started afresh, one thread each, gone when their parent is gone."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.context import BaseContext, SpawnContext, SpawnProcess
from typing import Any, Final

from threadpoolctl import threadpool_limits

from cellvote.progress import CancelToken, quiet_decoders

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}
"""What numerical libraries read while they are loaded: one thread each, so that N workers keep N cores busy."""


def default_workers() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_start_processes() -> bool:
    """Whether this process may have children: the daemons among processes may not, as workers of dask are."""
    return not multiprocessing.current_process().daemon


class _LimitedProcess(SpawnProcess):
    """A process whose numerical libraries find `ONE_THREAD` when they are loaded, which is before any call of ours."""

    def start(self) -> None:
        with _start_lock, _environment(ONE_THREAD), _script_hidden():
            super().start()


class _LimitedContext(SpawnContext):
    """Starts processes afresh: fork is unsafe beside the threads of Qt and torch."""

    Process = _LimitedProcess


_start_lock = threading.Lock()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment for a moment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Let a new process not run the script of this one: it would do all of it once more, up to this very place.

    Python does so, for functions that a script defines and sends. We send none: what a worker is to do is part of
    CellVote. So a script needs no ``if __name__ == "__main__"``.
    """
    main = vars(sys.modules["__main__"])
    before: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main["__spec__"] = None
    main.pop("__file__", None)
    try:
        yield
    finally:
        main.update(before)


class WorkerPool(Executor):
    """A pool of local processes, each with one thread; `renew` makes it anew where one of them died.

    Parameters
    ----------
    n_workers
        How many; they are started as they are needed.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._context = _LimitedContext()
        self._stop = new_flag(self._context)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._n_workers, self._context, initializer=_start_worker, initargs=(self._stop,))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do a call in one of the processes; raises `BrokenProcessPool` once one has died.

        The function must be importable: those of the script that runs are not.
        """
        return self._pool.submit(_call, fn, *args, **kwargs)

    def renew(self) -> None:
        """Start anew, with what was handed over forgotten."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._new_pool()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, each after the call that it is at; those that it was handed already are not begun.

        A call that looks at `pool_token` is told to stop.
        """
        if cancel_futures:
            self._stop.value = True
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def new_flag(context: BaseContext) -> Any:
    """Make a flag that processes share: a byte without a lock, which a process that is killed could take with it.

    Parameters
    ----------
    context
        Of multiprocessing; the flag can be handed to processes as they are started, and not later.
    """
    return context.RawValue("b", False)


class SharedToken(CancelToken):
    """A cancel token that another process sets.

    Parameters
    ----------
    flag
        Of `new_flag`.
    """

    def __init__(self, flag: Any) -> None:
        super().__init__()
        self.flag = flag

    @property
    def cancelled(self) -> bool:
        """Whether this process or the other one was asked to stop."""
        return super().cancelled or bool(self.flag.value)


# Within a worker process

_stopped: Any = None
"""The flag that is set when no further call is to be begun."""


def pool_token() -> CancelToken:
    """Give the token that tells a call in a worker process that its pool is shut down and wants no result."""
    return CancelToken() if _stopped is None else SharedToken(_stopped)


def _call(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if _stopped is not None and _stopped.value:
        raise CancelledError
    return fn(*args, **kwargs)


def _start_worker(stopped: Any) -> None:
    """Prepare a worker process: one thread of each library, deaf to Ctrl-C, gone when its parent is gone."""
    global _stopped  # a process pool hands nothing else to its calls
    _stopped = stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what stops
    limit_threads()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent.sentinel,), daemon=True).start()


def _leave_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)  # the parent was killed: nobody waits for what this process does


_limited = threading.local()


def limit_threads() -> None:
    """Give this thread's numerical libraries one thread each: those that are loaded, and those that will be."""
    if getattr(_limited, "done", False):
        return
    quiet_decoders()
    os.environ.update(ONE_THREAD)
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    _limited.done = True
