"""Corrections painted on the masks of the field that is shown: begun, kept, saved; no widget here.

The masks' layer is painted with napari's own tools. What is painted is kept when another field is shown, and when the
window is closed, until it is saved or discarded; nothing is asked in between.
"""

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from psygnal import Signal

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.field_content import FieldContent
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import MASKS, PREDICTIONS, mask_data
from cellvote.gui.state import State
from cellvote.gui.turns import Turns
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.corrections import (
    Correction,
    draft_path,
    fields_to_measure_again,
    read_drafts,
    save_corrected_masks,
)
from cellvote.study.masks import LabelImage, write_label_image

Painted = npt.NDArray[np.integer[Any]]

BRUSH_PX: Final = 8


@dataclass
class _Canvas:
    """The masks' layer while it can be painted, and the masks that the study has."""

    study: Study
    segmentation: str
    key: FieldKey
    layer: Labels
    saved: Painted
    features: Any
    touched: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything differs from what the study has."""
        return self.layer.data.shape == self.saved.shape and not np.array_equal(self.layer.data, self.saved)


@dataclass(frozen=True)
class _Known:
    """What is read of a segmentation: drafts, and the fields that were corrected since they were measured."""

    study: Study
    segmentation: str
    drafts: Mapping[FieldKey, LabelImage]
    to_measure: tuple[FieldKey, ...]
    generation: int


class Correcting:
    """What a person corrects in one window.

    Signals
    -------
    changed()
        Something that a widget shows is different now.
    told(str, bool)
        What came of saving; and whether it is an error.
    """

    changed = Signal()
    told = Signal(str, bool)

    def __init__(self, state: State, layers: FieldLayers) -> None:
        self._state, self._layers = state, layers
        self.active = False
        self.drafts: dict[FieldKey, LabelImage] = {}
        self.to_measure: tuple[FieldKey, ...] = ()
        self._canvas: _Canvas | None = None
        self._content: FieldContent | None = None
        self._visible_before: dict[str, bool] = {}
        self._saving = Background(self._on_saved)
        self._reading = Background(self._on_known)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cellvote-draft")
        self._writes: set[Any] = set()
        self._turns = Turns()
        self._generation = 0
        self._of: tuple[Study | None, str] = (None, "")
        state.events.study.connect(self._read)
        state.events.segmentation.connect(self._read)
        state.events.revision.connect(self._read)

    @property
    def busy(self) -> bool:
        """Whether something is being saved or read."""
        return self._saving.busy or self._reading.busy or self._turns.busy

    @property
    def saving(self) -> bool:
        """Whether corrections are being saved."""
        return self._saving.busy

    @property
    def can_paint(self) -> bool:
        """Whether the masks of a single field are shown, which can be painted."""
        content, state = self._content, self._state
        there = content is not None and content.masks is not None and content.scope == "field" and not content.axes
        return there and bool(state.segmentation)

    @property
    def unsaved(self) -> list[FieldKey]:
        """The fields with corrections that are not saved yet."""
        keys = set(self.drafts)
        if self._canvas is not None and self._canvas.touched:
            keys.add(self._canvas.key)
        return sorted(keys)

    # What is shown

    def show(self, content: FieldContent) -> None:
        """Take note of the field that is shown now, and let it be painted where that is wanted."""
        self._content = content
        if self.active and self.can_paint:
            self._begin(content)
        self.changed.emit()

    def start(self) -> None:
        """Let masks be painted from now on."""
        self.active = True
        self.changed.emit()  # whoever has hidden the masks below other cells shows them again first
        self._turns.add([self._start])

    def _start(self) -> None:
        if self.active and self._canvas is None and self._content is not None and self.can_paint:
            self._begin(self._content)
            self.changed.emit()

    def stop(self) -> None:
        """Let masks be painted no more; what was painted is kept, the study's masks are shown."""
        self.active = False
        canvas = self._canvas
        self.keep()
        if canvas is not None:
            self._show_saved(canvas)
        self.changed.emit()

    def _begin(self, content: FieldContent) -> None:
        layer, study = self._layers.layer(MASKS), self._state.study
        if not isinstance(layer, Labels) or study is None or content.masks is None:
            return
        saved = mask_data(content.masks)
        draft = self.drafts.get(content.key)
        if draft is not None and draft.shape != saved.shape:
            draft = None
        painted = saved if draft is None else _as(draft, saved.dtype)
        features, layer.features = layer.features, {}
        if layer.data is content.masks or not np.array_equal(layer.data, painted):
            layer.data = np.array(painted)
        saved = np.array(_as(saved, layer.data.dtype))
        layer.editable = True
        self._canvas = _Canvas(
            study, self._state.segmentation, content.key, layer, saved, features, touched=draft is not None
        )
        layer.events.labels_update.connect(self._on_painted)
        self._look_at_masks()
        steps = (self._choose_masks, self._take_brush)
        self._turns.add(partial(step, self._canvas) for step in steps)

    def _look_at_masks(self) -> None:
        """Show the masks without the classes, whose colours would hide them."""
        for role, visible in ((MASKS, True), (PREDICTIONS, False)):
            one = self._layers.layer(role)
            if one is not None:
                self._visible_before.setdefault(role, one.visible)
                one.visible = visible

    def _choose_masks(self, canvas: _Canvas) -> None:
        viewer = self._layers.viewer
        if viewer is not None and canvas is self._canvas:
            viewer.layers.selection.active = canvas.layer

    def _take_brush(self, canvas: _Canvas) -> None:
        layer = canvas.layer
        if canvas is not self._canvas:
            return
        layer.selected_label = int(layer.data.max(initial=0)) + 1
        layer.brush_size = BRUSH_PX if layer.brush_size == 10 else layer.brush_size  # 10: napari's own, never chosen
        layer.mode = "paint"

    def _on_painted(self) -> None:
        canvas = self._canvas
        if canvas is not None and not canvas.touched:
            canvas.touched = True
            self.changed.emit()

    # Keeping

    def keep(self) -> None:
        """Keep what was painted, as something else is about to be shown."""
        canvas, self._canvas = self._canvas, None
        if canvas is None:
            return
        layer = canvas.layer
        layer.events.labels_update.disconnect(self._on_painted)
        layer.editable = False
        for role, visible in self._visible_before.items():
            one = self._layers.layer(role)
            if one is not None:
                one.visible = visible
        self._visible_before = {}
        if canvas.changed:
            draft = layer.data.astype(np.int32)
            self.drafts[canvas.key] = draft
            self._write(partial(_write_draft, canvas.study, canvas.segmentation, canvas.key, draft))
        elif self.drafts.pop(canvas.key, None) is not None:
            self._write(partial(_remove_draft, canvas.study, canvas.segmentation, canvas.key))

    def leave(self) -> None:
        """Keep what was painted, as something is shown that cannot be corrected."""
        self.keep()
        self._content = None
        self.changed.emit()

    def _show_saved(self, canvas: _Canvas) -> None:
        layer = self._layers.layer(MASKS)
        if isinstance(layer, Labels) and layer.data.shape == canvas.saved.shape:
            if not np.array_equal(layer.data, canvas.saved):
                layer.data = canvas.saved
            layer.features = canvas.features
            layer.editable = False  # other pixels make it editable again

    def _write(self, write: Any) -> None:
        """Write to the disk in the order in which it was asked for, beside the window."""
        self._generation += 1
        future = self._writer.submit(write)
        self._writes.add(future)
        future.add_done_callback(self._writes.discard)

    def discard(self) -> None:
        """Forget what was painted on the field that is shown."""
        canvas = self._canvas
        if canvas is None:
            return
        canvas.layer.data = np.array(canvas.saved)
        canvas.touched = False
        if self.drafts.pop(canvas.key, None) is not None:
            self._write(partial(_remove_draft, canvas.study, canvas.segmentation, canvas.key))
        self.changed.emit()

    def close(self) -> None:
        """Keep everything, as the window is closing."""
        self.active = False
        self._turns.forget()
        self.keep()
        wait(list(self._writes), timeout=5)
        for one in (self._saving, self._reading):
            one.forget()

    # Saving

    def save(self) -> None:
        """Save the corrections of every field."""
        state, canvas = self._state, self._canvas
        if state.study is None or self.saving:
            return
        painted: dict[FieldKey, Painted] = dict(self.drafts)
        if canvas is not None:
            painted.pop(canvas.key, None)
            if canvas.changed:
                painted[canvas.key] = canvas.layer.data.copy()
        if not painted:
            if canvas is not None:
                canvas.touched = False
            self.told.emit("Nothing was changed.", False)
            self.changed.emit()
            return
        self._saving.ask(partial(_save, state.study, state.segmentation, painted, list(self._writes)))
        self.changed.emit()

    def _on_saved(self, saved: "_Saved") -> None:
        canvas = self._canvas
        self._generation += 1
        if saved.study is self._state.study and saved.segmentation == self._state.segmentation:
            for key, painted in saved.painted.items():
                if self.drafts.get(key) is None or np.array_equal(self.drafts[key], painted):
                    self.drafts.pop(key, None)
            if canvas is not None and canvas.key in saved.painted:
                # What was painted while it was being saved is not lost: only then it still differs.
                canvas.saved = _as(saved.painted[canvas.key], canvas.layer.data.dtype)
                canvas.touched = canvas.changed
        if saved.error:
            self.told.emit(saved.error, True)
        else:
            self.told.emit(
                " · ".join(
                    f"{one.key.well or one.key.plate} field {one.key.field} saved, {one}"
                    for one in saved.corrections[:3]
                ),
                False,
            )
        if saved.corrections:
            self._state.results_written(segmentation=saved.segmentation)
        self.changed.emit()

    # What is known of the segmentation

    def _read(self) -> None:
        state = self._state
        if self._of != (state.study, state.segmentation):
            self._of = (state.study, state.segmentation)
            self.drafts, self.to_measure = {}, ()
            self.changed.emit()
        if state.study is not None and state.segmentation:
            ask = (state.study, state.segmentation, list(self._writes), self._generation)
            self._reading.ask(partial(_known, *ask))

    def _on_known(self, known: _Known | CellVoteError) -> None:
        if isinstance(known, CellVoteError):
            return  # the field itself tells what is wrong
        if known.study is self._state.study and known.segmentation == self._state.segmentation:
            if known.generation != self._generation:
                self._read()  # something was painted meanwhile
                return
            self.drafts, self.to_measure = dict(known.drafts), known.to_measure
        self.changed.emit()


@dataclass(frozen=True)
class _Saved:
    """What was saved, and why the rest was not."""

    study: Study
    segmentation: str
    painted: dict[FieldKey, Painted]
    corrections: tuple[Correction, ...]
    error: str = ""


_one_at_a_time = threading.Lock()


def _save(study: Study, segmentation: str, painted: dict[FieldKey, Painted], writes: list[Any]) -> _Saved:
    wait(writes)  # drafts that are still being written
    done: dict[FieldKey, Painted] = {}
    corrections: list[Correction] = []
    with _one_at_a_time:
        for key, label_image in sorted(painted.items()):
            try:
                corrections.append(save_corrected_masks(study, segmentation, key, label_image))
            except CellVoteError as error:
                return _Saved(study, segmentation, done, tuple(corrections), str(error))
            done[key] = label_image
            _remove_draft(study, segmentation, key)
    return _Saved(study, segmentation, done, tuple(corrections))


def _known(study: Study, segmentation: str, writes: list[Any], generation: int) -> _Known:
    wait(writes)
    to_measure = tuple(fields_to_measure_again(study, segmentation))
    return _Known(study, segmentation, read_drafts(study, segmentation), to_measure, generation)


def _write_draft(study: Study, segmentation: str, key: FieldKey, draft: LabelImage) -> None:
    with contextlib.suppress(CellVoteError):  # it is kept in memory all the same; saving tells of a full disk
        write_label_image(draft_path(study, segmentation, key), draft)


def _remove_draft(study: Study, segmentation: str, key: FieldKey) -> None:
    draft_path(study, segmentation, key).unlink(missing_ok=True)


def _as(painted: Painted, dtype: Any) -> Painted:
    """Give label ids the type of the layer, where they fit."""
    return painted.astype(dtype) if int(painted.max(initial=0)) <= np.iinfo(dtype).max else painted
