"""Reads the wells of an overview in a thread of its own, with a core left to the window."""

import os
import threading

from qtpy.QtCore import QCoreApplication

from cellvote.errors import CancelledError, CellVoteError
from cellvote.jobs.overview import fill_overview
from cellvote.progress import CancelToken
from cellvote.study import Study
from cellvote.study.overview import Overview


def _workers() -> int:
    """Leave a core to the window."""
    return max(1, min((os.cpu_count() or 1) - 1, 4))


class Filling:
    """Fills an overview in a thread of its own.

    Parameters
    ----------
    near
        The well whose neighbours come first.
    """

    def __init__(self, study: Study, overview: Overview, near: str) -> None:
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error = ""
        self._cancel = CancelToken()
        self._thread = threading.Thread(
            target=self._fill, args=(study, overview, near), name="cellvote-filling", daemon=True
        )
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._cancel.cancel)

    def start(self) -> None:
        """Begin, unless it has."""
        if self._thread.ident is None:
            self._thread.start()

    @property
    def running(self) -> bool:
        """Whether wells are still being read."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End soon; the wells that are being read are kept."""
        self._cancel.cancel()

    def _fill(self, study: Study, overview: Overview, near: str) -> None:
        try:
            for _ in fill_overview(study, overview, near, self._cancel, self.may_go_on, _workers()):
                pass
        except CancelledError:
            return
        except CellVoteError as error:
            self.error = str(error)
