"""Two views of one field side by side: left what one works on, right the same channels below other cells.

napari's grid of two boxes: both follow one camera, so moving or zooming in one moves the other. A box takes so
many layers in a row, so the right box has copies of the channels, which share their pixels and follow their look.
"""

import weakref
from contextlib import suppress
from functools import partial
from typing import Any, Final

from napari.components import ViewerModel
from napari.experimental import link_layers
from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import MARK, mark_of
from cellvote.gui.layer_insertion import insert_layer
from cellvote.gui.preview_layers import COMPARED
from cellvote.gui.turns import Turns

COPY: Final = "copy:"
_FOLLOWED: Final = (
    "contrast_limits",
    "contrast_limits_range",
    "gamma",
    "colormap",
    "visible",
    "opacity",
    "interpolation2d",
)


class SideBySide:
    """Splits the canvas in two while it is wanted.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.
    """

    def __init__(self, viewer: ViewerModel, layers: FieldLayers) -> None:
        self._viewer = weakref.ref(viewer)
        self._layers = layers
        self._on = False
        self._before: dict[str, Any] = {}
        self._turns = Turns()
        self._settle = QTimer()
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._arrange)
        viewer.layers.events.inserted.connect(self._on_layers_changed)
        viewer.layers.events.removed.connect(self._on_layers_changed)
        viewer.layers.events.reordered.connect(self._on_layers_changed)

    @property
    def on(self) -> bool:
        """Whether the canvas is split."""
        return self._on

    @property
    def busy(self) -> bool:
        """Whether the canvas is still being split."""
        return self._turns.busy or self._settle.isActive()

    def split(self) -> None:
        """Split the canvas; where it is split already, mend what has changed since."""
        viewer = self._viewer()
        if viewer is None:
            return
        if not self._on:
            self._on = True
            self._turns.forget()  # it was just about to be joined
            self._layers.finish_taking_out()
        if not self._before:
            grid = viewer.canvas.grid
            self._before = {"stride": grid.stride, "shape": grid.shape, "enabled": grid.enabled}
        channels = [layer for layer in self._layers.of_field() if isinstance(layer, Image)]
        there = {mark_of(layer).get("role") for layer in self._layers.ours()}
        missing = [layer for layer in channels if _copy_role(layer) not in there]
        self._turns.add([*(partial(self._copy, viewer, layer) for layer in missing), self._arrange])

    def join(self) -> None:
        """Make it one canvas again."""
        if not self._on:
            return
        self._on = False
        self._turns.forget()
        self._settle.stop()
        self._turns.add([self._unsplit])
        self._layers.take_out(*(role for role in self._roles() if role.startswith(COPY)))

    def _unsplit(self) -> None:
        """Give the grid back as it was; of its changes only the last is drawn, for each draws everything anew."""
        viewer, before = self._viewer(), self._before
        self._before = {}
        if viewer is None or not before:
            return
        grid = viewer.canvas.grid
        with grid.events.blocker_all():
            grid.stride, grid.shape = before["stride"], before["shape"]
        grid.enabled = before["enabled"]

    def close(self) -> None:
        """Do nothing more, as the window is closing."""
        self._turns.forget()
        with suppress(RuntimeError):  # Qt has taken it away already, as the program ends
            self._settle.stop()
        viewer = self._viewer()
        if viewer is not None:
            for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
                event.disconnect(self._on_layers_changed)

    def _roles(self) -> list[str]:
        return [str(mark_of(layer).get("role", "")) for layer in self._layers.ours()]

    def _copy(self, viewer: ViewerModel, layer: Image) -> None:
        """Show a channel a second time; its pixels are the same array."""
        if layer not in viewer.layers:
            return
        mark = {MARK: {**mark_of(layer), "role": _copy_role(layer)}}
        copy = Image(
            layer.data,
            name=f"{layer.name} (right)",
            scale=layer.scale,
            blending=layer.blending,
            colormap=layer.colormap,
            contrast_limits=layer.contrast_limits,
            gamma=layer.gamma,
            opacity=layer.opacity,
            visible=layer.visible,
            interpolation2d=layer.interpolation2d,
            metadata=mark,
        )
        insert_layer(viewer, copy)
        link_layers([layer, copy], _FOLLOWED)
        shown = weakref.ref(copy)

        def _on_pixels_changed(event: Any) -> None:
            there = shown()
            if there is not None:
                there.data = event.source.data
                there.scale = event.source.scale

        layer.events.data.connect(_on_pixels_changed)

    def _on_layers_changed(self) -> None:
        if self._on and not self._turns.busy:
            self._settle.start(0)

    def _arrange(self) -> None:
        """Put the layers of the right box last, and let the left box take all others."""
        viewer = self._viewer()
        if viewer is None or not self._on:
            return
        right = sorted((layer for layer in viewer.layers if _is_right(layer)), key=_is_compared)  # cells on top
        n_left = len(viewer.layers) - len(right)
        if right and list(viewer.layers)[n_left:] != right:
            viewer.layers.move_multiple([viewer.layers.index(layer) for layer in right], len(viewer.layers))
        grid = viewer.canvas.grid
        for name, value in (("stride", max(n_left, 1)), ("shape", (1, 2)), ("enabled", bool(right))):
            if getattr(grid, name) != value:
                setattr(grid, name, value)


def _copy_role(layer: Layer) -> str:
    return f"{COPY}{mark_of(layer).get('role', '')}"


def _is_compared(layer: Layer) -> bool:
    return mark_of(layer).get("role") == COMPARED


def _is_right(layer: Layer) -> bool:
    role = str(mark_of(layer).get("role", ""))
    return role.startswith(COPY) or role == COMPARED
