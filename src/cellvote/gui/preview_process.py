"""One process that computes previews: started warm, spoken to in JSON lines, killed without regret."""

import atexit
import json
import sys
import tempfile
from collections import deque
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QProcess, QProcessEnvironment, QTimer

from cellvote.gui.preview_worker import STARTING, Request

WORKER: Final = (sys.executable, "-m", "cellvote.gui.preview_worker")

_PATIENCE_MS: Final = 2000

_alive: set["PreviewProcess"] = set()
"""Keeps processes whatever becomes of the dock that started them, until they are gone."""


class PreviewProcess:
    """A preview process that lives until it is ended.

    Parameters
    ----------
    command
        What is started.
    method
        The segmentation method that it makes ready before it says that it is; empty for none.

    Signals
    -------
    ready
        It has imported what it needs: requests are computed at once.
    said(dict)
        An answer.
    died(str)
        It ended though nobody wanted it to; with its last words.
    """

    ready = Signal()
    said = Signal(dict)
    died = Signal(str)

    def __init__(self, command: tuple[str, ...] = WORKER, method: str = "") -> None:
        self.is_ready = False
        self.importing = False
        self.number: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="cellvote-preview-", ignore_cleanup_errors=True)
        self._ended = False
        self._unfinished = b""
        self._last_words: deque[str] = deque(maxlen=5)
        self._process = QProcess()
        self._process.setProgram(command[0])
        self._process.setArguments([*command[1:], method] if method else list(command[1:]))
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONIOENCODING", "utf-8")
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._on_output_ready)
        self._process.readyReadStandardError.connect(self._on_error_ready)
        self._process.finished.connect(self._on_process_finished)
        self._process.errorOccurred.connect(self._on_process_error)
        _alive.add(self)
        _end_all_on_quit()
        self._process.start()

    @property
    def process_id(self) -> int:
        """The process's id; 0 where it does not run."""
        return int(self._process.processId())

    @property
    def ended(self) -> bool:
        """Whether it is gone, for whatever reason."""
        return self._ended

    @property
    def busy(self) -> bool:
        """Whether it has been asked for something, and has neither finished nor left off."""
        return self.number is not None

    def masks_path(self, number: int) -> str:
        """Where the label image of a request is to be written; the folder goes with the process."""
        return f"{self._folder.name}/{number}"

    def send(self, request: Request) -> None:
        """Ask for a field."""
        self.number = request.number
        self._process.write(request.to_line().encode() + b"\n")

    def warm_up(self, method: str) -> None:
        """Have it import what a method computes with, as soon as it has nothing else to do."""
        self._process.write(json.dumps({"warm": method}).encode() + b"\n")

    def leave_off(self) -> None:
        """Ask it to leave off what it computes; it says when it has."""
        if self.busy:
            self._process.write(b'{"cancel": true}\n')

    def end(self) -> None:
        """Kill it, not waiting until it is gone; then what it has written is taken away, and nothing of it is kept."""
        if self._ended:
            return
        self._ended = True
        if self._process.state() == QProcess.ProcessState.NotRunning:
            self._clean_up()
        else:
            self._process.kill()

    def wait(self) -> None:
        """Wait until it is gone, as nobody will hear of it: the program ends."""
        with suppress(RuntimeError):  # Qt has taken it away already
            if self._process.state() != QProcess.ProcessState.NotRunning:
                self._process.waitForFinished(_PATIENCE_MS)
        self._folder.cleanup()
        _alive.discard(self)

    def _clean_up(self) -> None:
        self._folder.cleanup()
        QTimer.singleShot(0, partial(_alive.discard, self))  # not within one of its own signals: Qt still uses it there

    def _on_output_ready(self) -> None:
        *lines, self._unfinished = (self._unfinished + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            if self._ended:
                return
            if "ready" in said:
                self.is_ready = True
                self.ready.emit()
                continue
            self.importing = said.get("doing") == STARTING
            if said["id"] == self.number and {"done", "error", "cancelled"} & said.keys():
                self.number = None
            self.said.emit(said)

    def _on_error_ready(self) -> None:
        text = self._process.readAllStandardError().data().decode("utf-8", "replace")
        self._last_words.extend(line.strip() for line in text.splitlines() if line.strip())

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._last_words.append(self._process.errorString())
            self._die()

    def _on_process_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._ended:
            self._clean_up()
            return
        self._on_error_ready()
        if status != QProcess.ExitStatus.NormalExit:
            self._last_words.append(f"it was killed, perhaps for want of memory (signal {code})")
        self._die()

    def _die(self) -> None:
        if self._ended:
            return
        self.end()
        self.died.emit(self._last_words[-1] if self._last_words else "it said nothing")


def end_all() -> None:
    """End every process that is still there, as the program ends."""
    processes = list(_alive)
    for process in processes:
        process.end()
    for process in processes:
        process.wait()


@lru_cache(maxsize=1)
def _end_all_on_quit() -> None:
    atexit.register(end_all)  # where the event loop was never left in order
    application = QCoreApplication.instance()
    if application is not None:
        application.aboutToQuit.connect(end_all)
