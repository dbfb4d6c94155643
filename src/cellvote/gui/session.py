"""What the docks of one viewer share: state, layers, background reads, and the steps that run."""

import time
import weakref
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Final

from napari.components import ViewerModel
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QWidget

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.canvas_text import CanvasText
from cellvote.gui.colours import class_colours
from cellvote.gui.contrast import contrast_of_study
from cellvote.gui.facts import PlateFacts, read_facts, with_counts
from cellvote.gui.field_content import FieldContent, read_content
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import mark_of
from cellvote.gui.state import ContrastLimits, State
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, StepRunner
from cellvote.gui.vote_text import field_name, field_text
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress
from cellvote.study import Study

_COUNT_EVERY_S: Final = 2.0


class Session:
    """Ties the state of one viewer to what is read and shown.

    Parameters
    ----------
    viewer
        Only weak references to it are kept.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.state = State()
        self.layers = FieldLayers(viewer, self.state)
        self.text = CanvasText(viewer)
        self.runner = StepRunner(self.state)
        self._content: FieldContent | None = None
        self._counted_at = 0.0
        self._n_docks = 0
        self._opening = Background(self._on_study_opened)
        self._facts = Background(self._on_facts_read)
        self._field = Background(self._on_content_read)
        self._contrast = Background(self._on_contrast_read)
        events = self.state.events
        events.study.connect(self._on_study_changed)
        events.key.connect(self._read_field)
        events.segmentation.connect(self._read_facts)
        events.model.connect(self._read_facts)
        events.revision.connect(self._on_results_written)
        self.runner.progressed.connect(self._on_step_progressed)
        self.runner.finished.connect(self._on_step_finished)
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.dims.events.current_step.connect(self._name_what_is_shown)
        self._name_what_is_shown()

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is read and shown."""
        return not any(one.busy for one in (self._opening, self._facts, self._field, self._contrast))

    @property
    def content(self) -> FieldContent | None:
        """The field that is shown."""
        return self._content

    # Opening a study

    def open_study(self, path: str | Path, key: FieldKey | None = None) -> None:
        """Open a study, its tables read in another thread, and show a field, the first where none is named."""
        self._opening.ask(partial(_open_study, Path(path), key))

    def _on_layer_inserted(self, event: Any) -> None:
        """Follow a study, or a plate folder, whose layers a reader puts into the viewer."""
        self._name_what_is_shown()
        path = mark_of(event.value).get("study", "")
        shown = self.state.study
        if path and (shown is None or str(shown.path) != path) and not self._opening.busy:
            self.open_study(path)

    def _name_what_is_shown(self) -> None:
        """Write on the canvas which field of a plate folder the sliders are at; it is no study yet."""
        viewer = self.layers.viewer
        if viewer is None or self.state.study is not None:
            return
        layer = next((layer for layer in self.layers.ours() if "names" in mark_of(layer)), None)
        if layer is not None:
            names = mark_of(layer)["names"]
            at = viewer.dims.current_step[-layer.ndim :][: names.ndim]
            self.text.show(str(names[tuple(at)]))

    def _on_study_opened(self, opened: tuple[Study, FieldKey | None] | CellVoteError) -> None:
        if isinstance(opened, CellVoteError):
            show_error(str(opened))
        else:
            self.state.show_study(*opened)

    def _on_study_changed(self, study: Study) -> None:
        self._content = None
        self.layers.adopt(study)
        self.text.clear()
        self._read_facts()
        self._contrast.ask(partial(_contrast, study))

    def _on_contrast_read(self, read: tuple[Study, dict[str, ContrastLimits]] | CellVoteError) -> None:
        if not isinstance(read, CellVoteError) and read[0] is self.state.study:
            self.layers.set_contrast(read[1])

    # What is known of the plate

    def _read_facts(self) -> None:
        state = self.state
        if state.study is not None:
            self._facts.ask(partial(_facts, state.study, state.segmentation, state.model))

    def _on_facts_read(self, read: tuple[Study, PlateFacts] | CellVoteError) -> None:
        if isinstance(read, CellVoteError):
            show_error(str(read))
        elif read[0] is self.state.study:
            before, self.state.facts = self.state.facts, read[1]
            same = before is not None and before.predicted is read[1].predicted and before.problem == read[1].problem
            if not same or self._content is None:
                self._read_field()

    def _on_results_written(self) -> None:
        self._content = None  # its masks may be others now
        self._read_facts()

    def _on_step_progressed(self, step: Step, progress: Progress) -> None:
        """Let the plate fill while fields are segmented."""
        del progress
        state, now = self.state, time.monotonic()
        late = now - self._counted_at > _COUNT_EVERY_S
        if late and step.segmentation and state.study and state.facts and step.writes_into(state.study):
            self._counted_at = now
            self._facts.ask(partial(_counted, state.study, state.facts, step.segmentation))

    # The field that is shown

    def _read_field(self) -> None:
        state = self.state
        if state.study is None or state.key is None:
            return
        known = self._content if self._content is not None and self._content.key == state.key else None
        self._field.ask(partial(read_content, state.study, state.key, state.segmentation, state.facts, known))

    def _on_content_read(self, content: FieldContent | CellVoteError) -> None:
        if isinstance(content, CellVoteError):
            self.text.show(str(content), error=True)
        elif content.key == self.state.key:
            self._content = content
            self.layers.show(content)
            self._show_text(content)

    def _show_text(self, content: FieldContent) -> None:
        state = self.state
        predicted = state.facts.predicted if state.facts else None
        if content.image is None:
            name = field_name(content.key, with_plate=state.several_plates)
            self.text.show(f"{name} cannot be shown\n{content.error}", error=True)
            self.text.show_legend([], [])
            return
        text = field_text(
            content.key,
            predicted,
            content.n_cells,
            with_plate=state.several_plates,
            n_fields=len(state.fields_of(content.key.plate, content.key.well)),
        )
        self.text.show(f"{text}\n{content.error}" if content.error else text)
        if content.overlay is None:
            self.text.show_legend([], [])
            return
        counts = Counter(content.overlay.features["class"])
        classes = content.overlay.classes
        words = [f"{name} · {counts[name]:,} {'cell' if counts[name] == 1 else 'cells'}" for name in classes]
        self.text.show_legend(words, class_colours(len(classes)))

    def show_preview(self, masks: Any, message: str) -> None:
        """Show masks that were tried on the field that is shown."""
        self.layers.show_preview(masks)
        self._content = None  # coming back to this field shows what the study has
        self.text.show(message)
        self.text.show_legend([], [])

    # Steps

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        if step.study and result.outcome == "done":
            self.open_study(step.study)

    # The life of the window

    def attach(self, dock: QWidget) -> None:
        """Count a dock in; when the last one is gone, the window is closing or nobody watches: stop."""
        self._n_docks += 1
        me = weakref.ref(self)

        def _on_dock_destroyed() -> None:
            session = me()
            if session is not None:
                session._detach()  # noqa: SLF001 (our own)

        dock.destroyed.connect(_on_dock_destroyed)

    def _detach(self) -> None:
        self._n_docks -= 1
        if self._n_docks == 0:
            self.close()

    def close(self) -> None:
        """Stop what runs, and forget what is being read; asking for something begins anew."""
        self.runner.stop()
        for one in (self._opening, self._facts, self._field, self._contrast):
            one.forget()


def _open_study(path: Path, key: FieldKey | None) -> tuple[Study, FieldKey | None]:
    """Open a study and read the tables that showing it needs."""
    study = Study.open(path)
    if study.fields and len(study.plate_map):
        study.planes_of(study.fields[0])
    return study, key


def _contrast(study: Study) -> tuple[Study, dict[str, ContrastLimits]]:
    return study, contrast_of_study(study)


def _facts(study: Study, segmentation: str, model: str) -> tuple[Study, PlateFacts]:
    return study, read_facts(study, segmentation, model)


def _counted(study: Study, facts: PlateFacts, segmentation: str) -> tuple[Study, PlateFacts]:
    return study, with_counts(facts, study, segmentation)


_sessions: "weakref.WeakKeyDictionary[ViewerModel, Session]" = weakref.WeakKeyDictionary()


def session_of(viewer: ViewerModel) -> Session:
    """Give the session of a viewer, made when first asked for; docks of one viewer share it."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy, a new one each time
    if viewer not in _sessions:
        _sessions[viewer] = Session(viewer)
    return _sessions[viewer]
