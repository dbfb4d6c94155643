"""Shows the overview of a plate: opened in another thread, filled in the background, refreshed as wells come in."""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QTimer

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.canvas_text import CanvasText
from cellvote.gui.colours import channel_colours
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import MARK, channel_role, contrast_range, mark_of
from cellvote.gui.layer_insertion import insert_layer
from cellvote.gui.look import Look
from cellvote.gui.overview_filling import Filling
from cellvote.gui.overview_keys import PlateKeys
from cellvote.gui.overview_layer import (
    NAMES_ROLE,
    WELLS_ROLE,
    Frame,
    channel_layer,
    channel_levels,
    is_of_overview,
    names_layer,
    overview_role,
    wells_features,
    wells_image,
    wells_layer,
)
from cellvote.gui.state import State
from cellvote.gui.turns import Step, Turns
from cellvote.jobs.overview import open_overview
from cellvote.study import Study
from cellvote.study.overview import Overview, Tile

_FIRST_MS: Final = 120
_LATER_MS: Final = 1200
_SOON: Final = 5
"""So often the first wells are shown at once; after that, drawing anew takes no more than a part of the time."""


class OverviewView:
    """The overview in one viewer.

    Parameters
    ----------
    layers
        Of the field; they are hidden while the plate is shown.
    """

    def __init__(self, state: State, look: Look, layers: FieldLayers, text: CanvasText) -> None:
        self._state, self._look, self._layers, self._text = state, look, layers, text
        self.overview: Overview | None = None
        self._filling: Filling | None = None
        self._opening = Background(self._on_opened)
        self._keys = PlateKeys(state, look, self._tile_at)
        self._turns = Turns()
        self._hidden: dict[Layer, bool] = {}
        self._before: _Before | None = None
        self._seen = (-1, "")
        self._frame = Frame()
        self._refreshes = 0
        self._turn = 0

    @property
    def busy(self) -> bool:
        """Whether it is being opened, or layers are being made, shown, hidden or drawn anew."""
        return self._opening.busy or self._turns.busy

    @property
    def filling(self) -> bool:
        """Whether wells are still being read."""
        return self._filling is not None and self._filling.running

    @property
    def shown(self) -> bool:
        """Whether the plate is on the canvas."""
        return self._look.scope == "plate"

    # Showing and hiding

    def show(self) -> None:
        """Show the plate of the well that is looked at."""
        study, key, viewer = self._state.study, self._state.key, self._layers.viewer
        if study is None or key is None or viewer is None:
            return
        self._turns.forget()
        self._turns.add(self._hiding_field(viewer))
        if self.overview is not None and self.overview.plan.plate == key.plate:
            self._turns.add(self._putting(study))
            return
        self._text.show(f"{key.plate} · the overview is opened …")
        self._opening.ask(partial(_open, study, key.plate, self._near()))

    def hide(self) -> None:
        """Show the field again as it was."""
        viewer = self._layers.viewer
        self._turns.forget()
        self._opening.forget()
        if viewer is None:
            return
        self._start_filling()
        self._keys.take_back(viewer)
        if self._before is not None:
            self._before.left_at = _camera(viewer)
        self._turns.add(partial(_set_visible, layer, False) for layer in self._of_plate())
        for channel, lows_highs in self._state.contrast.items():
            field = self._layers.layer(channel_role(channel))
            if field is not None:
                self._turns.add([partial(self._layers.set_limits, field, lows_highs)])
        self._turns.add([self._give_view_back])
        self._turns.add(partial(_set_visible, layer, visible) for layer, visible in self._hidden.items())
        self._turns.add([self._hidden.clear])

    def _give_view_back(self) -> None:
        """Look where one looked before, unless the field has been brought into view meanwhile."""
        viewer, before = self._layers.viewer, self._before
        if viewer is None or before is None:
            return
        self._before = None
        if before.left_at == _camera(viewer):
            viewer.scene.camera.center, viewer.scene.camera.zoom = before.camera
        if before.active in viewer.layers:
            viewer.layers.selection.active = before.active

    def _hiding_field(self, viewer: ViewerModel) -> Iterator[Step]:
        if self._before is None:
            self._before = _Before(_camera(viewer), viewer.layers.selection.active)
        for layer in self._layers.of_field():
            self._hidden.setdefault(layer, layer.visible)
            yield partial(_set_visible, layer, False)

    def follow(self) -> None:
        """Show the well that is looked at now: its frame, or its plate."""
        if self.overview is None or self._state.key is None:
            return
        if self.overview.plan.plate != self._state.key.plate:
            self.show()
        else:
            self.refresh()

    def keep_field_hidden(self) -> None:
        """Hide what was put there meanwhile."""
        for layer in self._layers.of_field():
            if layer not in self._hidden:
                self._hidden[layer] = layer.visible
                layer.visible = False

    def _of_plate(self) -> list[Layer]:
        return [layer for layer in self._layers.ours() if is_of_overview(mark_of(layer))]

    def _near(self) -> str:
        key = self._state.key
        if key is None:
            return ""
        return key.well or f"field {key.field}"

    # Opening

    def _on_opened(self, opened: tuple[Study, Overview] | CellVoteError) -> None:
        viewer = self._layers.viewer
        if isinstance(opened, CellVoteError):
            self._text.show(str(opened), error=True)
            return
        study, overview = opened
        if viewer is None or study is not self._state.study:
            return
        self.close_filling()
        self.overview = overview
        if not self._of_plate():
            self._frame = Frame.within(overview, self._layers.extent)
        self._seen, self._refreshes = (-1, ""), 0
        self._filling = Filling(study, overview, self._near())
        self._turns.add(self._putting(study))

    def _putting(self, study: Study) -> Iterator[Step]:
        """Give what is to be done until the plate is on the canvas; what is there already stays."""
        overview, made = self._overview(), list[Labels]()
        for number, channel in enumerate(study.channels):
            yield self._step(self._put_channel, study, number, channel)
        if overview.plan.on_plate:
            yield self._step(self._put_names, study)
        yield self._step(self._make_wells, study, made)
        yield self._step(self._put_wells, made)
        for channel in study.channels:
            yield self._step(self._arrange_channel, channel)
        yield self._step(self._arrange)
        yield self._step(self._choose_wells)
        yield self._start_filling  # not before: it would take the processor from what a person waits for
        yield self.refresh

    def _step(self, what: Callable[..., None], *arguments: Any) -> Step:
        """Do this in its turn, if there is still a plate to show."""

        def _do() -> None:
            viewer = self._layers.viewer
            if viewer is not None and self.overview is not None and self.shown:
                what(viewer, *arguments)

        return _do

    def _start_filling(self) -> None:
        if self._filling is not None:
            self._filling.start()

    def _put_channel(self, viewer: ViewerModel, study: Study, number: int, channel: str) -> None:
        overview = self._overview()
        layer = self._layers.layer(overview_role(channel))
        if isinstance(layer, Image) and layer.metadata[MARK]["plate"] == overview.plan.plate:
            return
        if layer is not None:
            layer.metadata[MARK]["plate"] = overview.plan.plate
            layer.data = channel_levels(overview, number)
            return
        field = self._layers.layer(channel_role(channel))
        colormap = field.colormap if field is not None else channel_colours(study.channels)[number]
        limits = self._state.contrast.get(channel) or (0.0, float(overview.levels[-1][number].max() or 1))
        layer = channel_layer(study, overview, self._frame, number, colormap, limits)
        layer.contrast_limits_range = contrast_range(limits)
        layer.visible = self._hidden.get(field, True)
        insert_layer(viewer, layer)
        self._layers.follow_contrast(layer, channel)

    def _put_names(self, viewer: ViewerModel, study: Study) -> None:
        layer = self._layers.layer(NAMES_ROLE)
        if layer is None:
            insert_layer(viewer, layer := names_layer(study, self._overview(), self._frame))
        layer.visible = True

    def _make_wells(self, viewer: ViewerModel, study: Study, made: list[Labels]) -> None:
        del viewer
        overview, layer = self._overview(), self._layers.layer(WELLS_ROLE)
        if layer is None:
            made.append(wells_layer(study, overview, self._frame, self._state.facts, self._near()))
            return
        if layer.metadata[MARK]["plate"] != overview.plan.plate:
            layer.metadata[MARK]["plate"] = overview.plan.plate
            layer.data = wells_image(overview, self._near())
            layer.features = wells_features(overview, self._state.facts)
        layer.visible = True

    def _put_wells(self, viewer: ViewerModel, made: list[Labels]) -> None:
        for layer in made:
            insert_layer(viewer, layer)

    def _overview(self) -> Overview:
        if self.overview is None:
            raise RuntimeError("no overview is open")
        return self.overview

    def _arrange_channel(self, viewer: ViewerModel, channel: str) -> None:
        """Show a channel of the plate if that of the field was shown, with the same contrast."""
        del viewer
        layer = self._layers.layer(overview_role(channel))
        if layer is None:
            return
        _set_visible(layer, self._hidden.get(self._layers.layer(channel_role(channel)), True))
        if channel in self._state.contrast:
            self._layers.set_limits(layer, self._state.contrast[channel])

    def _arrange(self, viewer: ViewerModel) -> None:
        """Bring the plate into view; the mouse tells of wells now."""
        viewer.fit_to_view(layers=self._of_plate())
        self._keys.give(viewer)

    def _choose_wells(self, viewer: ViewerModel) -> None:
        viewer.layers.selection.active = self._layers.layer(WELLS_ROLE)

    def _tile_at(self, y: float, x: float) -> Tile | None:
        return self.overview.tile_at(*self._frame.place(y, x)) if self.overview is not None else None

    # Following what is read

    def hold(self) -> None:
        """Let what a person waits for go first."""
        if self._filling is not None:
            self._filling.may_go_on.clear()

    def go_on(self) -> None:
        """Read on."""
        if self._filling is not None:
            self._filling.may_go_on.set()

    def _look_again(self, after_ms: int) -> None:
        """Refresh later; asking again puts it off."""
        self._turn += 1
        me, turn = weakref.ref(self), self._turn

        def _look() -> None:
            view = me()
            if view is not None and view._turn == turn:  # noqa: SLF001 (our own)
                view._on_time_passed()  # noqa: SLF001

        QTimer.singleShot(after_ms, _look)

    def _on_time_passed(self) -> None:
        if self._layers.viewer is None:
            self.close_filling()
        elif self.shown and not self.busy:
            self.refresh()

    def refresh(self) -> None:
        """Draw the wells that have come in since: a layer at a time, and none that is hidden."""
        overview, viewer = self.overview, self._layers.viewer
        if overview is None or viewer is None or not self.shown:
            return
        now = (overview.revision, self._near())
        if now != self._seen:
            self._refreshes += 1
            if now[0] != self._seen[0]:
                images = [layer for layer in self._of_plate() if isinstance(layer, Image) and layer.visible]
                self._turns.add(self._step(self._draw_channel, layer) for layer in images)
            self._turns.add([self._step(self._draw_wells)])
            self._seen = now
        self._turns.add([self._step(self._end_refresh, now[0])])

    def _draw_channel(self, viewer: ViewerModel, layer: Image) -> None:
        del viewer
        layer.refresh(extent=False, highlight=False, thumbnail=not self.filling)

    def _draw_wells(self, viewer: ViewerModel) -> None:
        del viewer
        overview, wells = self._overview(), self._layers.layer(WELLS_ROLE)
        if not isinstance(wells, Labels):
            return
        image = wells_image(overview, self._near())
        if not np.array_equal(image, wells.data):
            wells.data[...] = image
            wells.refresh(extent=False, highlight=False, thumbnail=False)
        if not self.filling:
            wells.features = wells_features(overview, self._state.facts)

    def _end_refresh(self, viewer: ViewerModel, drawn: int) -> None:
        del viewer
        overview = self._overview()
        self._say(overview)
        if self._filling is not None and (self._filling.running or drawn != overview.revision):
            self._look_again(_FIRST_MS if self._refreshes < _SOON else _LATER_MS)

    def _say(self, overview: Overview) -> None:
        done, total = len(overview.done), len(overview.plan.tiles)
        one = "well" if overview.plan.on_plate else "image"
        what = one if total == 1 else f"{one}s"
        failed = sum(bool(record.error) for record in overview.done.values())
        parts = [overview.plan.plate, f"{total:,} {what}" if done == total else f"{done:,} of {total:,} {what}"]
        if failed:
            parts.append(f"{failed:,} not readable")
        error = self._filling.error if self._filling is not None else ""
        parts.append(error or f"double-click {'an' if one == 'image' else 'a'} {one} to see it, Esc to go back")
        self._text.show(" · ".join(parts), error=bool(error))
        self._text.show_legend([], [])

    # The end

    def close_filling(self) -> None:
        """Read no more wells; what was read is kept."""
        self._turn += 1
        if self._filling is not None:
            self._filling.stop()
            self._filling = None

    def leave(self) -> None:
        """Read no more of this study's plates: another study is opened."""
        self._opening.forget()
        self.close_filling()
        self.overview = None

    def close(self) -> None:
        """Stop everything, as the window is closing."""
        self._turns.forget()
        self.leave()
        self._hidden = {}


@dataclass
class _Before:
    """Where one looked before the plate was shown, what was selected then, and where one looked as one left it."""

    camera: tuple[Any, float]
    active: Any
    left_at: tuple[Any, float] | None = None


def _camera(viewer: ViewerModel) -> tuple[Any, float]:
    return viewer.scene.camera.center, viewer.scene.camera.zoom


def _set_visible(layer: Layer, visible: bool) -> None:
    layer.visible = visible


def _open(study: Study, plate: str, near: str) -> tuple[Study, Overview]:
    return study, open_overview(study, plate, near)
