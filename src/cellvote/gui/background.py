"""Reading in another thread, one thing at a time, the last asked for first; stale results are dropped."""

import contextlib
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from cellvote.errors import CellVoteError

Read = Callable[[], Any]
Take = Callable[[Any], None]


class _Bridge(QObject):
    """Carries a result from the thread that read it to the window's thread."""

    done = Signal(object)


class Background:
    """Runs one read at a time in another thread; asking again replaces what waits.

    Holding an arrow key asks for dozens of fields: only the one that is being read and the last asked for are
    ever read, and only the last asked for is shown.

    Parameters
    ----------
    take
        Called in the window's thread with what the last read gave, or with the `CellVoteError` that it raised.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: Read | None = None
        self._reading: Future[Any] | None = None
        self._bridge = _Bridge()
        self._bridge.done.connect(self._on_read_done, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether something is read or waits."""
        return self._reading is not None

    def ask(self, read: Read) -> None:
        """Read this as soon as may be, and nothing that was asked for before."""
        if self._reading is None:
            self._start(read)
        else:
            self._waiting = read

    def forget(self) -> None:
        """Drop what waits, and what is being read when it comes."""
        self._waiting = None
        self._reading = None

    def _start(self, read: Read) -> None:
        self._reading = _threads().submit(read)
        bridge = weakref.ref(self._bridge)

        def _hand_over(future: Future[Any]) -> None:
            there = bridge()
            if there is not None:
                with contextlib.suppress(RuntimeError):  # the window was closed meanwhile
                    there.done.emit(future)

        self._reading.add_done_callback(_hand_over)

    def _on_read_done(self, future: Future[Any]) -> None:
        if future is not self._reading:
            return  # forgotten
        self._reading = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._start(waiting)
            return
        error = future.exception()
        if error is None:
            self._take(future.result())
        elif isinstance(error, CellVoteError):
            self._take(error)
        else:
            raise error  # a bug of ours: napari shows it


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="cellvote-read")
