"""Shows the overview of a plate: opened in another thread, filled in the background, refreshed as wells come in."""

import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from napari.components import ViewerModel
from napari.components._viewer_mouse_bindings import double_click_to_zoom
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QTimer

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.canvas_text import CanvasText
from cellvote.gui.colours import channel_colours
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import channel_role, contrast_range, mark_of
from cellvote.gui.look import Look
from cellvote.gui.overview_filling import Filling
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
from cellvote.jobs.overview import open_overview
from cellvote.study import Study
from cellvote.study.overview import Overview

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
        self._to_do: deque[Callable[[ViewerModel], None]] = deque()
        self._hidden: dict[Layer, bool] = {}
        self._camera: tuple[Any, float] | None = None
        self._active: Any = None
        self._seen = (-1, "")
        self._frame = Frame()
        self._refreshes = 0
        self._turn = 0

    @property
    def busy(self) -> bool:
        """Whether it is being opened, or its layers made."""
        return self._opening.busy or bool(self._to_do)

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
        self._hide_field(viewer)
        same = self.overview is not None and self.overview.plan.plate == key.plate
        if same and self._of_plate():
            self._to_do.append(self._arrange)
            self._do_soon()
            return
        self._text.show(f"{key.plate} · the overview is opened …")
        self._opening.ask(partial(_open, study, key.plate, self._near()))

    def hide(self) -> None:
        """Show the field again as it was."""
        viewer = self._layers.viewer
        self._to_do.clear()
        self._opening.forget()
        if viewer is None:
            return
        self._take_keys_back(viewer)
        for layer in self._of_plate():
            layer.visible = False
        for channel, lows_highs in self._state.contrast.items():
            field = self._layers.layer(channel_role(channel))
            if field is not None:
                self._layers.set_limits(field, lows_highs)
        for layer, visible in self._hidden.items():
            if layer in viewer.layers:
                layer.visible = visible
        self._hidden = {}
        if self._camera is not None:
            viewer.scene.camera.center, viewer.scene.camera.zoom = self._camera
            self._camera = None
        if self._active in viewer.layers:
            viewer.layers.selection.active = self._active
        self._active = None

    def _hide_field(self, viewer: ViewerModel) -> None:
        if self._hidden:
            return
        self._camera = (viewer.scene.camera.center, viewer.scene.camera.zoom)
        self._active = viewer.layers.selection.active
        self._hidden = {layer: layer.visible for layer in self._layers.of_field()}
        for layer in self._hidden:
            layer.visible = False

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
        self._filling.start()
        for number, channel in enumerate(study.channels):
            self._to_do.append(partial(self._put_channel, study=study, number=number, channel=channel))
        if overview.plan.on_plate:
            self._to_do.append(partial(self._put_names, study=study))
        self._to_do.append(partial(self._put_wells, study=study))
        self._to_do.append(self._arrange)
        self._do_soon()

    def _do_soon(self) -> None:
        """Do one thing at a time, so that the window answers in between."""
        me = weakref.ref(self)

        def _go_on() -> None:
            view = me()
            if view is None or not view._to_do:  # noqa: SLF001 (our own)
                return
            viewer = view._layers.viewer  # noqa: SLF001
            step = view._to_do.popleft()  # noqa: SLF001
            if viewer is not None and view.overview is not None and view.shown:
                step(viewer)
            view._do_soon()  # noqa: SLF001

        if self._to_do:
            QTimer.singleShot(0, _go_on)

    def _put_channel(self, viewer: ViewerModel, study: Study, number: int, channel: str) -> None:
        overview = self._overview()
        layer = self._layers.layer(overview_role(channel))
        if isinstance(layer, Image) and layer.metadata["cellvote"]["plate"] == overview.plan.plate:
            return
        if layer is not None:
            layer.metadata["cellvote"]["plate"] = overview.plan.plate
            layer.data = channel_levels(overview, number)
            return
        field = self._layers.layer(channel_role(channel))
        colormap = field.colormap if field is not None else channel_colours(study.channels)[number]
        limits = self._state.contrast.get(channel) or (0.0, float(overview.levels[-1][number].max() or 1))
        layer = channel_layer(study, overview, self._frame, number, colormap, limits)
        layer.contrast_limits_range = contrast_range(limits)
        layer.visible = self._hidden.get(field, True)
        viewer.layers.append(layer)
        self._layers.follow_contrast(layer, channel)

    def _put_wells(self, viewer: ViewerModel, study: Study) -> None:
        layer = self._layers.layer(WELLS_ROLE)
        if layer is not None:
            viewer.layers.remove(layer)
        viewer.layers.append(wells_layer(study, self._overview(), self._frame, self._state.facts, self._near()))

    def _put_names(self, viewer: ViewerModel, study: Study) -> None:
        layer = self._layers.layer(NAMES_ROLE)
        if layer is None:
            viewer.layers.append(names_layer(study, self._overview(), self._frame))

    def _overview(self) -> Overview:
        if self.overview is None:
            raise RuntimeError("no overview is open")
        return self.overview

    def _arrange(self, viewer: ViewerModel) -> None:
        """Bring the plate into view, with the contrast of the fields; the mouse tells of wells now."""
        for layer in self._of_plate():
            role = str(mark_of(layer)["role"])
            channel = role.removeprefix("overview:")
            field = self._layers.layer(channel_role(channel))
            layer.visible = self._hidden.get(field, True)
            if channel in self._state.contrast:
                self._layers.set_limits(layer, self._state.contrast[channel])
        viewer.fit_to_view(layers=self._of_plate())
        wells = self._layers.layer(WELLS_ROLE)
        if wells is not None:
            viewer.layers.selection.active = wells
        self._give_keys(viewer)
        self.refresh()

    # Mouse and keys

    def _give_keys(self, viewer: ViewerModel) -> None:
        callbacks = viewer.mouse_double_click_callbacks
        if double_click_to_zoom in callbacks:
            callbacks.remove(double_click_to_zoom)
        if self._on_double_click not in callbacks:
            callbacks.append(self._on_double_click)
        viewer.keymap["Escape"] = self._on_escape

    def _take_keys_back(self, viewer: ViewerModel) -> None:
        callbacks = viewer.mouse_double_click_callbacks
        if self._on_double_click in callbacks:
            callbacks.remove(self._on_double_click)
            callbacks.append(double_click_to_zoom)
            viewer.keymap.pop("Escape", None)

    def _on_escape(self, viewer: ViewerModel) -> None:
        del viewer
        self._look.scope = "field"

    def _on_double_click(self, viewer: ViewerModel, event: Any) -> None:
        """Go to the well under the mouse."""
        del viewer
        y, x = event.position[-2:]
        tile = self.overview.tile_at(*self._frame.place(y, x)) if self.overview is not None else None
        if tile is None:
            return
        self._state.key = tile.keys[0]
        self._look.scope = "field"

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
        """Draw the wells that have come in since."""
        overview, viewer = self.overview, self._layers.viewer
        if overview is None or viewer is None or not self.shown:
            return
        now = (overview.revision, self._near())
        if now != self._seen:
            self._refreshes += 1
            if now[0] != self._seen[0]:
                for layer in self._of_plate():
                    if isinstance(layer, Image):
                        layer.refresh(extent=False, thumbnail=not self.filling)
            self._seen = now
            wells = self._layers.layer(WELLS_ROLE)
            if isinstance(wells, Labels):
                wells.data[...] = wells_image(overview, self._near())
                wells.refresh(extent=False, thumbnail=False)
                if not self.filling:
                    wells.features = wells_features(overview, self._state.facts)
        self._say(overview)
        if self._filling is not None and (self._filling.running or now[0] != overview.revision):
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

    def close(self) -> None:
        """Stop everything, as the window is closing or another study is opened."""
        self._to_do.clear()
        self._opening.forget()
        self.close_filling()
        self.overview = None
        self._hidden = {}


def _open(study: Study, plate: str, near: str) -> tuple[Study, Overview]:
    return study, open_overview(study, plate, near)
