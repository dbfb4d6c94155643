"""What Segment, Train and Predict share: they start steps, show how far these are, and need an open study."""

from typing import ClassVar

from napari.components import ViewerModel
from pydantic import BaseModel

from cellvote.errors import CellVoteError
from cellvote.gui.dock_words import in_dock_words
from cellvote.gui.docks.dock import Dock, text_label
from cellvote.gui.step_box import StepBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress


class StepDock(Dock):
    """A dock that starts steps.

    Parameters
    ----------
    viewer
        Given by napari.
    name
        By which the steps of this dock are known.
    """

    def __init__(self, viewer: ViewerModel, name: str) -> None:
        super().__init__(viewer)
        self.name = name
        self.needs = text_label("Open a study in the Plate dock first.", quiet=True)
        self.step_box = StepBox()
        self.step_box.reword = self.reword
        self.step_box.cancelClicked.connect(self.session.runner.cancel)
        self.step_box.fieldClicked.connect(self._on_failed_field_clicked)
        runner = self.session.runner
        self.listen(runner.started, self._on_step_started)
        self.listen(runner.progressed, self._on_step_progressed)
        self.listen(runner.finished, self._on_step_finished)
        self.listen(self.state.events.running, self._on_running_changed)
        self.listen(self.state.events.study, self._on_study_changed)
        self.listen(self.state.events.revision, self._on_results_written)

    def show_now(self) -> None:
        """Show what is so as the dock opens; to be called at the end of ``__init__``."""
        self._on_study_changed()
        step = self.session.runner.step
        if step is not None:
            self._on_step_started(step)
        self._on_running_changed()

    def run(self, *steps: Step) -> None:
        """Start steps, or say why not."""
        try:
            self.session.runner.run(*steps)
        except RuntimeError as error:
            self.step_box.say(f"{error}: wait for it, or cancel it.", error=True)

    def refuse(self, error: CellVoteError | str) -> None:
        """Say why nothing was started."""
        self.step_box.say(str(error), error=True)

    def reword(self, text: str) -> str:
        """Put what the command line says into the words of this dock."""
        return in_dock_words(text, self.settings_model(), self.option_words)

    # To be filled by each dock

    option_words: ClassVar[dict[str, str]] = {}
    """What this dock calls options of the command line that are no settings."""

    def settings_model(self) -> type[BaseModel] | None:
        """The settings that the dock's form shows."""
        return None

    def _on_study_changed(self) -> None:
        """Show what the study has to offer."""

    def _on_results_written(self) -> None:
        """Show what a step has written."""

    def _on_running_changed(self) -> None:
        """Let nobody start a step while another runs."""

    def said_of(self, step: Step, result: StepResult) -> str:
        """Say what came of a step that went well."""
        del step, result
        return "Done."

    # Slots

    def _on_step_started(self, step: Step) -> None:
        if step.dock == self.name:
            self.step_box.show_started(step)

    def _on_step_progressed(self, step: Step, progress: Progress) -> None:
        if step.dock == self.name:
            self.step_box.show_progress(step, progress)

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        if step.dock == self.name:
            wrote = result.outcome in {"done", "some failed"}
            self.step_box.show_result(result, self.said_of(step, result) if wrote else "")

    def _on_failed_field_clicked(self, key: FieldKey) -> None:
        if self.state.study is not None and key in self.state.study.fields:
            self.state.key = key
