"""Layers that are put into a viewer at the least cost."""

import numpy as np
from napari.layers import Image, Labels

from cellvote.gui.layer_insertion import insert_layer


def test_a_layer_is_put_where_it_belongs_and_what_was_selected_stays_selected(viewer) -> None:
    first = viewer.add_image(np.zeros((4, 4)))
    heard = []
    viewer.layers.selection.events.changed.connect(heard.append)
    below, above = Image(np.ones((4, 4))), Image(np.ones((4, 4)))
    insert_layer(viewer, below, 0)
    insert_layer(viewer, above)
    assert list(viewer.layers) == [below, first, above]
    assert viewer.layers.selection.active is first
    assert not heard
    viewer.layers.selection.active = above
    assert heard


def test_napari_makes_nothing_for_painting_labels_that_are_not_painted(viewer) -> None:
    layer = Labels(np.zeros((4, 4), int))
    insert_layer(viewer, layer)
    visuals = viewer.window._qt_viewer.canvas._layer_overlay_to_visual
    assert not visuals[layer]
    assert visuals[viewer.add_labels(np.zeros((4, 4), int))], "what is left out, napari makes by itself"
    assert not layer.editable
