"""Puts a layer into a viewer at the least cost: napari takes 40 ms for one, and twice that with what is not needed."""

from typing import Final

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

_FOR_PAINTING: Final = ("polygon", "brush_stroke")


def load_what_layers_need() -> None:
    """Make a layer of each kind, for nothing: with its first one napari reads its table of units, for 0.3 s.

    Called in another thread, before there are layers.
    """
    Image(np.zeros((2, 2), np.uint8))
    Labels(np.zeros((2, 2), np.uint8))


def insert_layer(viewer: ViewerModel, layer: Layer, index: int | None = None) -> None:
    """Put a layer into a viewer, on top where no index is given; what is selected stays selected.

    Labels are not to be painted on: what napari makes for painting is left out.
    """
    if isinstance(layer, Labels):
        layer.editable = False
        for name in _FOR_PAINTING:
            if name in layer._overlays:  # noqa: SLF001 (there is no other way; napari makes them where they are visible)
                layer._overlays[name].visible = False  # noqa: SLF001
    selection = viewer.layers.selection
    with selection.events.blocker_all():  # else the controls of each layer are laid out and shown in passing
        active = selection.active
        viewer.layers.insert(len(viewer.layers) if index is None else index, layer)
        selection.active = active
