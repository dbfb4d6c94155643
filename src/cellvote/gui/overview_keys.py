"""The mouse and the keys while the plate is shown: a double-click goes to a well, Escape goes back."""

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.components._viewer_mouse_bindings import double_click_to_zoom

from cellvote.gui.look import Look
from cellvote.gui.state import State
from cellvote.study.overview import Tile


class PlateKeys:
    """What the mouse and the keys do in one viewer.

    Parameters
    ----------
    tile_at
        Finds the well at a place (y, x) in the viewer.
    """

    def __init__(self, state: State, look: Look, tile_at: Callable[[float, float], Tile | None]) -> None:
        self._state, self._look, self._tile_at = state, look, tile_at

    def give(self, viewer: ViewerModel) -> None:
        """Listen to the mouse and the keys."""
        callbacks = viewer.mouse_double_click_callbacks
        if double_click_to_zoom in callbacks:
            callbacks.remove(double_click_to_zoom)
        if self._on_double_click not in callbacks:
            callbacks.append(self._on_double_click)
        viewer.keymap["Escape"] = self._on_escape

    def take_back(self, viewer: ViewerModel) -> None:
        """Leave them to napari."""
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
        tile = self._tile_at(y, x)
        if tile is None:
            return
        self._state.key = tile.keys[0]
        self._look.scope = "field"
