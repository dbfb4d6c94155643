"""Asks a process of its own what lies in folders: the last asked for counts, and what went before is ended."""

import json
import sys
from functools import partial
from typing import Any, Final

from psygnal import Signal
from qtpy.QtCore import QProcess, QProcessEnvironment, QTimer

_ENDING: Final[set[QProcess]] = set()
"""Processes that have ended, or were told to; kept until Qt is done with them."""

_PATIENCE_MS: Final = 200


class FolderReader:
    """Reads folders by `folder_summary`.

    Signals
    -------
    answered(dict)
        What the last request gave; ``error`` in it where it could not be read.
    """

    answered = Signal(dict)

    def __init__(self) -> None:
        self._process: QProcess | None = None
        self._busy = False
        self._said = bytearray()

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._busy

    def warm_up(self) -> None:
        """Start the process, so that the first answer comes at once."""
        if self._process is not None:
            return
        self._said.clear()
        process = QProcess()
        process.setProgram(sys.executable)
        process.setArguments(["-m", "cellvote.gui.folder_summary"])
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._on_output_ready)
        process.finished.connect(self._on_process_finished)
        self._process = process
        process.start()

    def ask(self, request: dict[str, Any]) -> None:
        """Read what is asked for, and nothing that was asked for before."""
        if self._busy:
            self.stop()
        self.warm_up()
        if self._process is not None:
            self._busy = True
            self._process.write(json.dumps(request).encode() + b"\n")

    def stop(self) -> None:
        """End the process, not waiting until it is gone; nothing more is told."""
        process, self._process, self._busy = self._process, None, False
        if process is None:
            return
        process.readyReadStandardOutput.disconnect()
        process.finished.disconnect()
        if process.state() != QProcess.ProcessState.NotRunning:
            process.kill()
        _let_go(process)

    def close(self) -> None:
        """End the process and wait for that: the window is closing, and Qt may be gone soon."""
        process = self._process
        self.stop()
        if process is not None and process.state() != QProcess.ProcessState.NotRunning:
            process.waitForFinished(_PATIENCE_MS)

    def _on_output_ready(self) -> None:
        if self._process is None:
            return
        self._said += self._process.readAllStandardOutput().data()
        line, newline, rest = self._said.partition(b"\n")
        if newline:
            self._said = bytearray(rest)
            self._busy = False
            self.answered.emit(json.loads(line))

    def _on_process_finished(self) -> None:
        """Say that it died: it ends by itself only where something is wrong."""
        process, self._process = self._process, None
        if process is None:
            return
        _let_go(process)
        if self._busy:
            self._busy = False
            last = process.readAllStandardError().data().decode("utf-8", "replace").strip().splitlines()
            why = last[-1] if last else "it said nothing"
            self.answered.emit({"error": f"Reading the images died ({why}). Try cellvote inspect in a terminal."})


def _let_go(process: QProcess) -> None:
    """Forget a process, but never within one of its own signals: Qt still uses it there."""
    _ENDING.add(process)
    if process.state() == QProcess.ProcessState.NotRunning:
        QTimer.singleShot(0, partial(_ENDING.discard, process))
    else:  # it waits for a disk
        process.finished.connect(lambda: QTimer.singleShot(0, partial(_ENDING.discard, process)))
