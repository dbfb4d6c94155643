"""What the docks of one viewer share: state, layers, background reads, and the steps that run."""

import time
import weakref
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari.components import ViewerModel
from napari.utils.notifications import show_error

from cellvote.errors import CancelledError, CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.canvas_characters import drawing_characters
from cellvote.gui.canvas_text import CanvasText
from cellvote.gui.colours import class_colours
from cellvote.gui.contrast import contrast_of_study, kept_contrast
from cellvote.gui.correcting import Correcting
from cellvote.gui.facts import PlateFacts, read_facts, with_counts
from cellvote.gui.field_content import FieldContent, read_content, with_cells
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import mark_of
from cellvote.gui.layer_insertion import load_what_layers_need
from cellvote.gui.lazy_stack import LazyStack, stack_content, stack_of
from cellvote.gui.look import Look
from cellvote.gui.overview_view import OverviewView
from cellvote.gui.read_ahead import FieldCache, ReadAhead, channel_threads
from cellvote.gui.state import ContrastLimits, State
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, StepRunner
from cellvote.gui.turns import Turns
from cellvote.gui.vote_text import field_name
from cellvote.gui.well_view import neighbours, read_well, shown_text
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress
from cellvote.study import Study

if TYPE_CHECKING:
    from cellvote.gui.docks.dock import Dock

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
        self.look = Look()
        self.correcting = Correcting(self.state, self.layers)
        self.overview = OverviewView(self.state, self.look, self.layers, self.text)
        self._cache = FieldCache()
        self._ahead = ReadAhead(self._cache)
        self._stack: LazyStack | None = None
        self._asked = 0
        self._content: FieldContent | None = None
        self._counted_at = 0.0
        self._turns = Turns()
        self._n_docks = 0
        self._docks: weakref.WeakSet[Dock] = weakref.WeakSet()
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
        self.look.events.scope.connect(self._on_scope_changed)
        self.look.events.by_z.connect(self._on_axes_changed)
        self.look.events.by_time.connect(self._on_axes_changed)
        self.runner.progressed.connect(self._on_step_progressed)
        self.runner.finished.connect(self._on_step_finished)
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.dims.events.current_step.connect(self._name_what_is_shown)
        self._name_what_is_shown()
        self._turns.add(drawing_characters(viewer))

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is read and shown, here and in the docks."""
        ours = (self._opening, self._facts, self._field, self._contrast, self.layers, self.overview, self.correcting)
        return not any(one.busy for one in (*ours, *self._docks))

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
        """Write on the canvas where the sliders are: in a plate folder that is no study yet, or in a stack."""
        viewer = self.layers.viewer
        if viewer is None:
            return
        if self.state.study is not None:
            if self._content is not None and self._content.axes and self.look.scope == "field":
                self._show_text(self._content)
            return
        layer = next((layer for layer in self.layers.ours() if "name_of" in mark_of(layer)), None)
        if layer is not None:
            at = viewer.dims.current_step[-layer.ndim : -2]
            self.text.show(str(mark_of(layer)["name_of"](at)))

    def _on_study_opened(self, opened: tuple[Study, FieldKey | None] | CellVoteError) -> None:
        if isinstance(opened, CellVoteError):
            show_error(str(opened))
        else:
            self.state.show_study(*opened)

    def _on_study_changed(self, study: Study) -> None:
        self.correcting.keep()
        self._content = None
        self._stack = None
        self._ahead.stop()
        self._cache.clear()
        self.overview.leave()
        self.look.scope = "field"
        self.layers.adopt(study)
        self.text.clear()
        self._read_facts()
        self._contrast.ask(partial(_contrast, study))

    def _on_contrast_read(self, read: tuple[Study, dict[str, ContrastLimits], bool] | CellVoteError) -> None:
        if not isinstance(read, CellVoteError) and read[0] is self.state.study:
            self.layers.set_contrast(read[1], reset=read[2])

    def reset_contrast(self) -> None:
        """Choose the contrast limits of every channel anew, on a sample of the plate."""
        if self.state.study is not None:
            self._contrast.ask(partial(_contrast, self.state.study, reset=True))

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
        state, look = self.state, self.look
        if state.study is None or state.key is None:
            return
        self._asked += 1
        self._ahead.stop()
        self.overview.hold()
        ask = (state.study, state.key, state.segmentation, state.facts)
        if look.scope == "well":
            turn = self._asked
            keys = [state.key._replace(field=n) for n in state.fields_of(state.key.plate, state.key.well)]
            ask_well = (state.study, keys, state.segmentation, state.facts)
            if len(keys) > 1 and (self._content is None or self._content.key[:2] != state.key[:2]):
                self.text.show(f"{state.key.well or state.key.plate} · {len(keys)} fields are read …")
            self._field.ask(partial(read_well, *ask_well, self._cache, channel_threads(), lambda: turn != self._asked))
            return
        axes = self._axes()
        known = (
            self._content if self._content is not None and self._content.same_pixels(ask[1], "field", axes) else None
        )
        if axes:
            self._field.ask(partial(_read_stack, *ask, known, self._stack, look.by_z, look.by_time))
        else:
            self._field.ask(partial(read_content, *ask, known, self._cache, channel_threads()))
        if look.scope == "plate":
            self.overview.follow()

    def _axes(self) -> tuple[str, ...]:
        """Name the sliders that the field has: those that are wanted and there."""
        state, look = self.state, self.look
        if state.study is None or state.key is None or not (look.by_z or look.by_time):
            return ()
        return stack_of(state.study, state.key, by_z=look.by_z, by_time=look.by_time).axes

    def _on_content_read(self, content: FieldContent | tuple[FieldContent, LazyStack] | CellVoteError) -> None:
        self.overview.go_on()
        if isinstance(content, CellVoteError):
            if not isinstance(content, CancelledError):
                self.text.show(str(content), error=True)
            return
        if isinstance(content, tuple):
            content, self._stack = content
        wanted = self.state.key
        if wanted is None or content.key[:2] != wanted[:2] or (content.scope == "field" and content.key != wanted):
            return
        self.correcting.keep()
        self._content = content
        self.layers.show(content, partial(self._on_content_shown, content))

    def _on_content_shown(self, content: FieldContent) -> None:
        if self.look.scope == "plate":
            self.overview.keep_field_hidden()
            return
        self._show_text(content)
        self.correcting.show(content)
        self._read_ahead(content)

    def _read_ahead(self, content: FieldContent) -> None:
        """Read what is likely to be asked for next."""
        state = self.state
        if state.study is None or state.key is None:
            return
        if content.axes and self._stack is not None:
            self._ahead.warm(self._stack)
        elif content.scope == "field":
            self._ahead.start(state.study, neighbours(state))

    def _show_text(self, content: FieldContent) -> None:
        state = self.state
        if content.image is None:
            name = field_name(content.key, with_plate=state.several_plates)
            self.text.show(f"{name} cannot be shown\n{content.error}", error=True)
            self.text.show_legend([], [])
            return
        lines = [shown_text(content, state), self._where_in_stack(content), content.error]
        self.text.show("\n".join(line for line in lines if line))
        if content.overlay is None:
            self.text.show_legend([], [])
            return
        counts = Counter(content.overlay.features["class"])
        classes = content.overlay.classes
        words = [f"{name} · {counts[name]:,} {'cell' if counts[name] == 1 else 'cells'}" for name in classes]
        self.text.show_legend(words, class_colours(len(classes)))

    def _where_in_stack(self, content: FieldContent) -> str:
        """Say where the sliders are, and which channels have nothing there."""
        viewer = self.layers.viewer
        if not content.axes or self._stack is None or viewer is None:
            return ""
        n = len(content.axes)
        steps = viewer.dims.current_step[-n - 2 : -2]
        if len(steps) < n:
            return ""  # the layers are just being changed
        at = [min(step, size - 1) for step, size in zip(steps, self._stack.stack.shape, strict=True)]
        lacking = self._stack.stack.lacks(at)
        missing = f" · not imaged here: {', '.join(lacking)}" if lacking else ""
        return self._stack.stack.name(at) + missing

    # How one looks at it

    def _on_scope_changed(self, scope: str, before: str) -> None:
        if before == "plate":
            self.overview.hide()
        if scope == "plate":
            self.overview.show()
        else:
            self._read_field()

    def _on_axes_changed(self) -> None:
        if self.look.scope == "field":
            self._read_field()
        else:
            self.look.scope = "field"

    # Steps

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        if step.study and result.outcome == "done":
            self.open_study(step.study)

    # The life of the window

    def attach(self, dock: "Dock") -> None:
        """Count a dock in; when the last one is gone, the window is closing or nobody watches: stop."""
        self._n_docks += 1
        self._docks.add(dock)
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
        self._asked += 1
        self._ahead.stop()
        self._turns.forget()
        self.correcting.close()
        self.layers.close()
        self.overview.close()
        for one in (self._opening, self._facts, self._field, self._contrast):
            one.forget()


def _open_study(path: Path, key: FieldKey | None) -> tuple[Study, FieldKey | None]:
    """Open a study and read the tables that showing it needs."""
    load_what_layers_need()
    study = Study.open(path)
    if study.fields and len(study.plate_map):
        study.planes_of(study.fields[0])
    return study, key


def _contrast(study: Study, *, reset: bool = False) -> tuple[Study, dict[str, ContrastLimits], bool]:
    """Choose the contrast limits; anew where they are reset."""
    return study, (contrast_of_study if reset else kept_contrast)(study, executor=channel_threads()), reset


def _read_stack(
    study: Study,
    key: FieldKey,
    segmentation: str,
    facts: PlateFacts | None,
    known: FieldContent | None,
    lazy: LazyStack | None,
    by_z: bool,
    by_time: bool,
) -> tuple[FieldContent, LazyStack]:
    """Give a field with its sliders; the stack is kept where it is the same."""
    if known is None or lazy is None:
        lazy = LazyStack(stack_of(study, key, by_z=by_z, by_time=by_time))
        known = stack_content(lazy)
    return with_cells(known, study, segmentation, facts), lazy


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
