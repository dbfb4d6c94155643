"""The live preview: always of the newest settings and field, never queued, computed in warm processes.

A change asks the process to leave off what it computes, which it does at the next line of Python code. Where that
takes too long (one call into compiled code), it is killed as soon as a spare that is warm can take over. A spare is
kept only where computing has shown to be slow: it takes memory.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from psygnal import Signal
from qtpy.QtCore import QTimer

from cellvote.gui.preview_process import WORKER, PreviewProcess
from cellvote.gui.preview_worker import FINDING, STARTING, Request
from cellvote.plates.acquisition import FieldKey

REST_MS: Final = 180
"""So long settings rest before they are tried: between two steps of a spin box is less, between two thoughts more."""

KILL_AFTER_MS: Final = 400
SLOW_MS: Final = 1500
"""A computation that takes longer than this may not leave off quickly either: a spare process is kept ready."""

IDLE_MS: Final = 600_000
"""A process that nobody has asked for anything for so long is ended: with a network in it, it takes memory."""


@dataclass(frozen=True)
class PreviewAnswer:
    """The masks of the field that was asked for.

    Attributes
    ----------
    masks
        The label image as an ``.npy`` file; gone when the next field is asked for.
    seconds
        How long finding the cells took.
    settings
        What was used, nothing left automatic.
    sure
        Whether `cellvote segment` would use these settings; else the automatic ones were measured on less.
    """

    number: int
    key: FieldKey
    method: str
    masks: Path
    n_cells: int
    seconds: float
    settings: dict[str, Any]
    sure: bool


class LivePreview:
    """Computes previews.

    Parameters
    ----------
    command
        What is started as a preview process.

    Signals
    -------
    answered(PreviewAnswer)
        Masks are there, of the newest request.
    measured(str, dict)
        What the automatic settings come to: method, and all settings with nothing left automatic.
    doing(str)
        What is being computed now; empty when nothing is.
    failed(str)
        Why there is no preview, in one sentence.
    """

    answered = Signal(PreviewAnswer)
    measured = Signal(str, dict)
    doing = Signal(str)
    failed = Signal(str)

    def __init__(self, command: tuple[str, ...] = WORKER) -> None:
        self._command = command
        self._process: PreviewProcess | None = None
        self._spare: PreviewProcess | None = None
        self._number = 0
        self._wanted: Request | None = None
        self._current: Request | None = None
        self._said_doing = ""
        self._method = ""
        self._rest = _timer(REST_MS, self._send_when_free)
        self._kill = _timer(KILL_AFTER_MS, self._on_kill_time)
        self._slow = _timer(SLOW_MS, self._on_slow_time)
        self._idle = _timer(IDLE_MS, self._on_idle_time)

    @property
    def busy(self) -> bool:
        """Whether something is asked for that has not been answered in full."""
        return self._wanted is not None or self._current is not None

    @property
    def what(self) -> str:
        """What is being computed now; empty when nothing is."""
        return self._said_doing

    @property
    def method(self) -> str:
        """The segmentation method that the process is made ready for."""
        return self._method

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes that run: one, and a spare at times."""
        return [one.process_id for one in (self._process, self._spare) if one is not None and one.process_id]

    def start(self, method: str) -> None:
        """Have a process ready for a method, so that the first answer does not wait for one."""
        if self._process is None:
            self._method = method
            self._process = self._started()
        elif method != self._method:
            self._method = method
            self._process.warm_up(method)
        self._idle.start()

    def ask(self, study: Path, key: FieldKey, method: str, asked: dict[str, Any]) -> None:
        """Ask for a field with these settings; nothing that was asked for before is answered any more."""
        self.start(method)
        self._number += 1
        self._wanted = Request(self._number, study, key, method, dict(asked), "")
        self._leave_off()
        self._rest.start()
        ready = self._process is not None and self._process.is_ready
        self._say_doing(FINDING if ready else STARTING)

    def forget(self) -> None:
        """Answer nothing that was asked for."""
        self._wanted = None
        self._rest.stop()
        self._leave_off()
        self._say_doing("")

    def rest(self) -> None:
        """Answer nothing that was asked for, and end the spare; the process stays warm for a while."""
        self.forget()
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.end()

    def stop(self) -> None:
        """End the processes; asking for something starts them anew."""
        self._wanted = self._current = None
        for timer in (self._rest, self._kill, self._slow, self._idle):
            with suppress(RuntimeError):  # Qt has taken it away already, as the program ends
                timer.stop()
        process, spare, self._process, self._spare = self._process, self._spare, None, None
        for one in (process, spare):
            if one is not None:
                one.end()
        self._said_doing = ""

    # What is asked for

    def _started(self) -> PreviewProcess:
        process = PreviewProcess(self._command, self._method)
        process.ready.connect(self._on_ready)
        process.said.connect(self._on_said)
        process.died.connect(self._on_died)
        return process

    def _leave_off(self) -> None:
        self._current = None
        self._slow.stop()
        if self._process is not None and self._process.busy and not self._kill.isActive():
            self._process.leave_off()
            self._kill.start()

    def _send_when_free(self) -> None:
        """Ask the process for what is wanted, as soon as it has rested and nothing else is computed."""
        process = self._process
        if self._wanted is None or self._rest.isActive() or process is None or not process.is_ready or process.busy:
            return
        self._current = replace(self._wanted, masks=process.masks_path(self._wanted.number))
        self._wanted = None
        process.send(self._current)

    def _on_kill_time(self) -> None:
        """Take the spare where the process does not leave off; never kill before there is a warm one to go on with."""
        process, spare = self._process, self._spare
        if process is None or not process.busy:
            return
        if process.importing:  # another one would have to import the same
            self._kill.start()
        elif spare is None:
            self._spare = self._started()
        elif spare.is_ready:
            process.end()
            self._process, self._spare = spare, None
            self._send_when_free()

    def _on_ready(self) -> None:
        if self._current is None and not self._kill.isActive() and self._wanted is not None:
            self._on_kill_time()
        self._send_when_free()

    def _on_idle_time(self) -> None:
        if self.busy:
            self._idle.start()
        else:
            self.stop()

    def _on_slow_time(self) -> None:
        if self._spare is None and self._process is not None:
            self._spare = self._started()

    # What comes back

    def _on_said(self, said: dict[str, Any]) -> None:
        if self._process is not None and not self._process.busy:
            self._kill.stop()
        current = self._current
        if current is not None and said["id"] == current.number:
            self._take(current, said)
        self._send_when_free()

    def _take(self, current: Request, said: dict[str, Any]) -> None:
        if "doing" in said:
            if said["doing"] == FINDING:
                self._slow.start()
            self._say_doing(str(said["doing"]))
        elif "masks" in said:
            self._slow.stop()
            self.answered.emit(
                PreviewAnswer(
                    current.number,
                    current.key,
                    current.method,
                    Path(said["masks"]),
                    int(said["cells"]),
                    float(said["seconds"]),
                    dict(said["settings"]),
                    bool(said["sure"]),
                )
            )
        elif "done" in said:
            self._current = None
            self._say_doing("")
            self.measured.emit(current.method, dict(said["settings"]))
        elif "error" in said:
            self._fail(str(said["error"]))

    def _on_died(self, last_words: str) -> None:
        """Start anew where it died at work; where it cannot even start, only asking again tries again."""
        if self._spare is not None and self._spare.ended:
            self._spare = None
        process = self._process
        if process is None or not process.ended:
            return
        self._kill.stop()
        self._process, self._spare = self._spare, None
        if self._process is None and process.is_ready:
            self._process = self._started()
        if self._wanted is not None and process.is_ready:
            self._send_when_free()  # it died while it left off what nobody waits for
            return
        self._wanted = None
        self._fail(f"The preview's process died ({last_words}). Change a setting to try again.")

    def _fail(self, why: str) -> None:
        self._current = None
        self._slow.stop()
        self._say_doing("")
        self.failed.emit(why)

    def _say_doing(self, what: str) -> None:
        if what != self._said_doing:
            self._said_doing = what
            self.doing.emit(what)


def _timer(after_ms: int, slot: Any) -> QTimer:
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(after_ms)
    timer.timeout.connect(slot)
    return timer
