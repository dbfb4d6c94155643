"""The long steps of one window: one at a time, several in a row, seen by every dock; each in its own process."""

from dataclasses import dataclass
from typing import Final

from psygnal import Signal

from cellvote.gui.state import State
from cellvote.gui.step_process import CELLVOTE, StepProcess, StepResult
from cellvote.progress import Progress
from cellvote.study import Study

PROGRESS: Final = ("--progress", "json")
"""What makes a command tell its progress as JSON lines."""

_QUICK: Final = frozenset({"vote", "evaluate"})
"""Commands that tell no progress."""


@dataclass(frozen=True)
class Step:
    """One command, and what to look at once it is done.

    Attributes
    ----------
    title
        Such as ``Segmenting``.
    arguments
        Of ``command``.
    dock
        The dock that started it: there its result is told.
    segmentation, model
        Names of what it writes.
    study
        Path of the study that it creates.
    writes
        Whether it writes anything into the study that is open.
    """

    title: str
    arguments: tuple[str, ...]
    dock: str = ""
    segmentation: str = ""
    model: str = ""
    study: str = ""
    writes: bool = True
    command: tuple[str, ...] = CELLVOTE

    def writes_into(self, study: Study | None) -> bool:
        """Whether it writes into this study: another one may have been opened since it was started."""
        return self.writes and study is not None and str(study.path) in self.arguments


class StepRunner:
    """Runs steps one after the other, and tells whoever listens.

    Signals
    -------
    started(Step), progressed(Step, Progress)
        Of the step that runs now.
    finished(Step, StepResult)
        Of each step that ended.
    """

    started = Signal(Step)
    progressed = Signal(Step, Progress)
    finished = Signal(Step, StepResult)

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: list[Step] = []
        self._step: Step | None = None
        self._process: StepProcess | None = None
        self.last_progress: Progress | None = None

    @property
    def step(self) -> Step | None:
        """The step that runs now."""
        return self._step

    def run(self, *steps: Step) -> None:
        """Run steps in a row; the next starts only where the one before was done, or failed in some fields only.

        Raises
        ------
        RuntimeError
            Where steps run already: a study is written by one step at a time.
        """
        if self._step is not None:
            raise RuntimeError(f"{self._step.title} is still running")
        self._waiting = list(steps)
        self._start_next()

    def _start_next(self) -> None:
        self._step = step = self._waiting.pop(0)
        self.last_progress = None
        self._process = StepProcess([*step.arguments], step.command)
        self._process.progressed.connect(self._on_process_progressed)
        self._process.finished.connect(self._on_process_finished)
        self._state.running = step.title
        self.started.emit(step)
        self._process.start()

    def cancel(self) -> None:
        """Cancel the step that runs, and those that wait."""
        self._waiting.clear()
        if self._process is not None:
            self._process.cancel()

    def stop(self) -> None:
        """End everything now, without telling anyone: the window is closing."""
        self._waiting.clear()
        process, self._process, self._step = self._process, None, None
        if process is not None:
            process.stop()

    def _on_process_progressed(self, progress: Progress) -> None:
        self.last_progress = progress
        if self._step is not None:
            self.progressed.emit(self._step, progress)

    def _on_process_finished(self, result: StepResult) -> None:
        step, self._process, self._step = self._step, None, None
        if step is None:
            return
        wrote = result.outcome in {"done", "some failed"}
        goes_on = wrote and bool(self._waiting)
        if not goes_on:
            self._waiting.clear()
            self._state.running = ""
        if step.writes_into(self._state.study):
            self._state.results_written(step.model if wrote else "", step.segmentation if wrote else "")
        self.finished.emit(step, result)
        if goes_on:
            self._start_next()


def cellvote_step(
    title: str, *arguments: str, dock: str = "", segmentation: str = "", model: str = "", study: str = ""
) -> Step:
    """Make a step of ``cellvote`` that reports in JSON; see `Step`."""
    progress = () if arguments[0] in _QUICK else PROGRESS
    return Step(title, (*arguments, *progress, "--json"), dock, segmentation, model, study, writes=not study)
