"""Reading in another thread, one thing at a time, the last asked for first; stale results are dropped."""

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker

from cellvote.errors import CellVoteError

Read = Callable[[], Any]
Take = Callable[[Any], None]


class Background:
    """Runs one read at a time in another thread; asking again replaces what waits.

    Holding an arrow key asks for dozens of fields: only the one that is read and the last asked for are
    ever done, and only the last asked for is shown.

    Parameters
    ----------
    take
        Called in the window's thread with what the last read gave, or with the `CellVoteError` that it raised.
    """

    def __init__(self, take: Take) -> None:
        self._take: Take | None = take
        self._waiting: Read | None = None
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether something is read or waits."""
        return self._busy

    def ask(self, read: Read) -> None:
        """Read this as soon as may be, and nothing that was asked for before."""
        if self._busy:
            self._waiting = read
        else:
            self._start(read)

    def close(self) -> None:
        """Take nothing more."""
        self._take = None
        self._waiting = None

    def _start(self, read: Read) -> None:
        self._busy = True
        create_worker(_caught, read, _connect={"returned": self._on_read_returned, "errored": self._on_read_errored})

    def _on_read_returned(self, result: Any) -> None:
        self._end(result)

    def _on_read_errored(self, error: Exception) -> None:
        del error  # a bug of ours: napari shows it
        self._end(None)

    def _end(self, result: Any) -> None:
        waiting, self._waiting = self._waiting, None
        self._busy = waiting is not None and self._take is not None
        if self._busy and waiting is not None:
            self._start(waiting)
        elif self._take is not None and result is not None:
            self._take(result)


def _caught(read: Read) -> Any:
    """Hand an error that the user can mend over as a value: it is shown where the result would be."""
    try:
        return read()
    except CellVoteError as error:
        return error
