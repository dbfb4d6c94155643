"""A diameter as a circle on the canvas, in pixels of the image: one sees whether it fits the cells, and drags it."""

import weakref
from collections.abc import Generator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.components.cursor import CursorStyle
from napari.layers import Vectors
from psygnal import Signal

from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import MARK
from cellvote.gui.layer_insertion import insert_layer

CIRCLE: Final = "diameter"

_COLOUR: Final = "#ffe14d"
_N_PARTS: Final = 72
_WIDTH_SCREEN_PX: Final = 2.0
_GRIP_SCREEN_PX: Final = 6.0
_LEAST_PX: Final = 2.5


class DiameterCircle:
    """Draws one circle above the field; its edge can be dragged, elsewhere the mouse does what it always does.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.

    Signals
    -------
    dragged(float)
        The diameter that a person has set, in pixels of the image.
    """

    dragged = Signal(float)

    def __init__(self, viewer: ViewerModel, layers: FieldLayers) -> None:
        self._viewer = weakref.ref(viewer)
        self._layers = layers
        self._diameter_px: float | None = None
        self._centre: tuple[float, float] | None = None
        self._drawn: tuple[float, float, float] | None = None
        me = weakref.ref(self)

        def _on_mouse_pressed(viewer: ViewerModel, event: Any) -> Generator[None]:
            circle = me()
            if circle is not None and circle._is_at_edge(event.position):  # noqa: SLF001 (our own)
                yield from circle._dragging(viewer, event)  # noqa: SLF001

        def _on_mouse_moved(viewer: ViewerModel, event: Any) -> None:
            circle = me()
            if circle is not None:
                circle._show_grip(viewer, event.position)  # noqa: SLF001 (our own)

        self._on_mouse_pressed, self._on_mouse_moved = _on_mouse_pressed, _on_mouse_moved
        self._style_before: Any = None
        viewer.mouse_drag_callbacks.append(_on_mouse_pressed)
        viewer.mouse_move_callbacks.append(_on_mouse_moved)
        viewer.scene.camera.events.zoom.connect(self._on_zoomed)

    @property
    def diameter_px(self) -> float | None:
        """What is drawn; None for nothing."""
        return self._diameter_px if self._layers.layer(CIRCLE) is not None else None

    def show(self, diameter_px: float | None) -> None:
        """Draw a circle of this diameter where one looks, or none."""
        viewer, study = self._viewer(), self._layers.study
        self._diameter_px = diameter_px
        if viewer is None:
            return
        layer = self._layers.layer(CIRCLE)
        if diameter_px is None or study is None:
            if layer is not None:
                self._layers.take_out(CIRCLE)
            self._centre = None
            return
        if self._centre is None or not self._is_seen(viewer):
            self._centre = self._place(viewer)
        if layer is not None:
            self._redraw()
            return
        self._drawn = (*self._centre, diameter_px)
        self._layers.finish_taking_out()
        layer = Vectors(
            ring(self._centre, diameter_px),
            name="Diameter",
            edge_width=self._width(viewer),
            vector_style="line",
            edge_color=_COLOUR,
            metadata={MARK: {"role": CIRCLE, "study": str(study.path)}},
        )
        insert_layer(viewer, layer)

    def close(self) -> None:
        """Draw nothing more, and hear nothing more of the mouse."""
        viewer = self._viewer()
        if viewer is not None:
            if self._on_mouse_pressed in viewer.mouse_drag_callbacks:
                viewer.mouse_drag_callbacks.remove(self._on_mouse_pressed)
                viewer.mouse_move_callbacks.remove(self._on_mouse_moved)
            viewer.scene.camera.events.zoom.disconnect(self._on_zoomed)

    def _redraw(self) -> None:
        layer, viewer = self._layers.layer(CIRCLE), self._viewer()
        if layer is None or viewer is None or self._centre is None or self._diameter_px is None:
            return
        wanted = (*self._centre, self._diameter_px)
        if wanted != self._drawn:  # napari takes 50 ms for it
            self._drawn = wanted
            with layer.events.data.blocker(viewer._on_layers_change):  # noqa: SLF001 (it lies within the field)
                layer.data = ring(self._centre, self._diameter_px)
        if not layer.visible:
            layer.visible = True

    def _on_zoomed(self) -> None:
        """Keep the line as thin as it is: its width is one of the image, too."""
        layer, viewer = self._layers.layer(CIRCLE), self._viewer()
        if layer is not None and viewer is not None:
            layer.edge_width = self._width(viewer)

    @staticmethod
    def _width(viewer: ViewerModel) -> float:
        return float(_WIDTH_SCREEN_PX / max(viewer.scene.camera.zoom, 1e-6))

    def _place(self, viewer: ViewerModel) -> tuple[float, float]:
        """Choose a place within what is seen of the field: a little above its middle."""
        (top, bottom), (left, right) = self._seen(viewer)
        return top + 0.4 * (bottom - top), left + 0.5 * (right - left)

    def _is_seen(self, viewer: ViewerModel) -> bool:
        (top, bottom), (left, right) = self._seen(viewer)
        y, x = self._centre or (np.nan, np.nan)
        return top <= y <= bottom and left <= x <= right

    def _seen(self, viewer: ViewerModel) -> tuple[tuple[float, float], tuple[float, float]]:
        height, width = self._layers.extent
        _, y, x = viewer.scene.camera.center
        half_y, half_x = (n / 2 / max(viewer.scene.camera.zoom, 1e-6) for n in viewer.canvas.size)
        rows = float(np.clip(y - half_y, 0, height)), float(np.clip(y + half_y, 0, height))
        columns = float(np.clip(x - half_x, 0, width)), float(np.clip(x + half_x, 0, width))
        return rows, columns

    # Dragging

    def _is_at_edge(self, position: Any) -> bool:
        layer, viewer = self._layers.layer(CIRCLE), self._viewer()
        if layer is None or not layer.visible or viewer is None or self._centre is None or self._diameter_px is None:
            return False
        away = abs(self._distance(position) - self._diameter_px / 2)
        return away * viewer.scene.camera.zoom <= _GRIP_SCREEN_PX

    def _show_grip(self, viewer: ViewerModel, position: Any) -> None:
        """Show by the mouse pointer where the circle can be dragged."""
        at_edge = self._is_at_edge(position)
        if at_edge and self._style_before is None:
            self._style_before, viewer.cursor.style = viewer.cursor.style, CursorStyle.POINTING
        elif not at_edge and self._style_before is not None:
            viewer.cursor.style, self._style_before = self._style_before, None

    def _distance(self, position: Any) -> float:
        y, x = self._centre or (np.nan, np.nan)
        return float(np.hypot(position[-2] - y, position[-1] - x))

    def _dragging(self, viewer: ViewerModel, event: Any) -> Generator[None]:
        """Follow the mouse with the edge, and tell the diameter when the button is let go."""
        pan, viewer.scene.camera.mouse_pan = viewer.scene.camera.mouse_pan, False
        moved = False
        try:
            yield
            while event.type == "mouse_move":
                moved = True
                self._diameter_px = max(2 * self._distance(event.position), _LEAST_PX)
                self._redraw()
                yield
        finally:
            viewer.scene.camera.mouse_pan = pan
        if moved and self._diameter_px is not None:
            self.dragged.emit(round(self._diameter_px, 1))


def ring(centre: tuple[float, float], diameter_px: float) -> npt.NDArray[np.float64]:
    """Draw a circle as N×2×2 vectors: where each part starts, and how it goes on."""
    angles = np.linspace(0, 2 * np.pi, _N_PARTS + 1)
    points = np.stack([np.sin(angles), np.cos(angles)], axis=1) * diameter_px / 2 + np.asarray(centre)
    return np.stack([points[:-1], np.diff(points, axis=0)], axis=1)
