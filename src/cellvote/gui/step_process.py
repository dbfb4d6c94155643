"""A long step in a process of its own: the command line, its progress as JSON lines, cancel on its input.

The window's process never computes, so the window stays live, and window, command line and cluster give the
same results.
"""

import atexit
import json
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Final, Literal

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QProcess, QProcessEnvironment, QTimer

from cellvote.progress import Progress

Outcome = Literal["done", "some failed", "bad input", "cancelled", "died"]

_OUTCOMES: Final[dict[int, Outcome]] = {0: "done", 1: "some failed", 2: "bad input", 130: "cancelled"}
_KILL_AFTER_MS: Final = 15_000
"""A step that was asked to stop finishes its field first; after this long it is killed (and can be resumed)."""

_PATIENCE_MS: Final = 2000
"""So long a step may take to end of itself when its window closes; what it has done is kept anyway."""

CELLVOTE: Final = (sys.executable, "-m", "cellvote")


@dataclass(frozen=True)
class StepResult:
    """How a step ended.

    Attributes
    ----------
    outcome
        After the exit code of the command line.
    answer
        The JSON value that it printed; None where it printed none.
    message
        One sentence for a person; empty where all went well.
    """

    outcome: Outcome
    answer: Any = None
    message: str = ""

    @property
    def failed_fields(self) -> list[dict[str, Any]]:
        """The fields that failed: ``plate``, ``well``, ``field``, ``error``."""
        return list(self.answer.get("failed", [])) if isinstance(self.answer, dict) else []


@dataclass
class _Output:
    """What a step has said so far."""

    answer: bytearray = field(default_factory=bytearray)
    unfinished: bytearray = field(default_factory=bytearray)
    error: str = ""
    others: deque[str] = field(default_factory=lambda: deque(maxlen=20))


_alive: set["StepProcess"] = set()
"""Keeps steps that run, whatever becomes of the dock that started them, until they are gone."""


class StepProcess:
    """Runs one command in a child process.

    Parameters
    ----------
    arguments
        Of ``cellvote``, such as ``["segment", "S.cellvote"]``.
    command
        What they are arguments of.
    """

    progressed = Signal(Progress)
    finished = Signal(StepResult)

    def __init__(self, arguments: Sequence[str], command: Sequence[str] = CELLVOTE) -> None:
        self.arguments = list(arguments)
        self._said = _Output()
        self._cancelled = False
        self._ended = False
        self._process = QProcess()
        self._process.setProgram(command[0])
        self._process.setArguments([*command[1:], *self.arguments])
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._on_output_ready)
        self._process.readyReadStandardError.connect(self._on_error_ready)
        self._process.finished.connect(self._on_process_finished)
        self._process.errorOccurred.connect(self._on_process_error)

    def start(self) -> None:
        """Start the child; ``finished`` is emitted when it has ended, whatever the reason."""
        _alive.add(self)
        _stop_all_on_quit()
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether the child is alive."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    @property
    def process_id(self) -> int:
        """The child's process id; 0 where there is none."""
        return int(self._process.processId())

    def cancel(self) -> None:
        """Ask the child to stop; it is killed where it does not."""
        if self._cancelled or not self.running:
            return
        self._cancelled = True
        self._process.write(b"cancel\n")
        self._kill_after(_KILL_AFTER_MS)

    def _kill_after(self, patience_ms: int) -> None:
        killer = QTimer(self._process)  # ends with the process object
        killer.setSingleShot(True)
        killer.timeout.connect(self._process.kill)
        killer.start(patience_ms)

    def stop(self, patience_ms: int = _PATIENCE_MS) -> None:
        """End the child, as its window is closing: ask now, kill later, wait for neither; nobody is told."""
        self._ended = True
        if not self.running:
            _alive.discard(self)
            return
        self._process.write(b"cancel\n")
        self._process.closeWriteChannel()
        self._kill_after(patience_ms)

    def wait(self, patience_ms: int = _PATIENCE_MS) -> None:
        """Wait until a child that was stopped is gone, as nobody will hear of it: the program ends."""
        with suppress(RuntimeError):  # Qt has taken it away already
            if self.running and not self._process.waitForFinished(patience_ms):
                self._process.kill()
                self._process.waitForFinished(patience_ms)
        _alive.discard(self)

    def _on_output_ready(self) -> None:
        self._said.answer += self._process.readAllStandardOutput().data()

    def _on_error_ready(self) -> None:
        self._said.unfinished += self._process.readAllStandardError().data()
        *lines, rest = self._said.unfinished.split(b"\n")
        self._said.unfinished = bytearray(rest)
        for line in lines:
            self._take_line(line.decode("utf-8", "replace").strip())

    def _take_line(self, line: str) -> None:
        said = _json(line)
        if isinstance(said, dict) and "error" in said:
            self._said.error = str(said["error"])
        elif isinstance(said, dict) and {"done", "total"} <= said.keys():
            progress = Progress(
                int(said["done"]), int(said["total"]), str(said.get("where", "")), str(said.get("message", ""))
            )
            if not self._ended:
                self.progressed.emit(progress)
        elif line:
            self._said.others.append(line)

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._said.error = f"{self._process.program()} could not be started: {self._process.errorString()}."
            self._end("died")

    def _on_process_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output_ready()
        self._on_error_ready()
        self._take_line(self._said.unfinished.decode("utf-8", "replace").strip())
        crashed = status != QProcess.ExitStatus.NormalExit
        outcome: Outcome = "died" if crashed else _OUTCOMES.get(code, "died")
        self._end("cancelled" if self._cancelled and outcome == "died" else outcome)

    def _end(self, outcome: Outcome) -> None:
        QTimer.singleShot(0, partial(_alive.discard, self))  # not within one of its own signals: Qt still uses it there
        if self._ended:
            return
        self._ended = True
        answer = _json(self._said.answer.decode("utf-8", "replace").strip())
        self.finished.emit(StepResult(outcome, answer, self._message(outcome)))

    def _message(self, outcome: Outcome) -> str:
        if outcome == "done":
            return ""
        if outcome == "cancelled":
            return "Cancelled. What was done is kept: start again to go on from there."
        if self._said.error:
            return self._said.error
        if outcome == "bad input":
            return " ".join(self._said.others).removeprefix("Error:").strip()
        if outcome == "some failed":
            return "Some fields failed."
        last = self._said.others[-1] if self._said.others else "it said nothing"
        return f"The step died ({last}). Run it in a terminal to see more: cellvote {' '.join(self.arguments)}"


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def stop_all() -> None:
    """End every child that is still running, as the program ends."""
    steps = list(_alive)
    for step in steps:
        step.stop()
    for step in steps:
        step.wait()


@lru_cache(maxsize=1)
def _stop_all_on_quit() -> None:
    atexit.register(stop_all)  # where the event loop was never left in order
    application = QCoreApplication.instance()
    if application is not None:
        application.aboutToQuit.connect(stop_all)
