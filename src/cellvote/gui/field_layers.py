"""Puts a field into the viewer: a layer per channel, masks, coloured cells; in place, so what a person set stays."""

import weakref
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap

from cellvote.gui.colours import channel_colours
from cellvote.gui.contrast import limits, thinned
from cellvote.gui.field_content import FieldContent
from cellvote.gui.overlay import overlay_colours
from cellvote.gui.state import State
from cellvote.study import Study

MARK: Final = "cellvote"
"""Key of a layer's metadata: a dict with ``role`` (``channel:NAME``, ``masks``, ``predictions``) and ``study``."""

MASKS, PREDICTIONS = "masks", "predictions"
MASKS_NAME, PREDICTIONS_NAME = "Masks", "Predictions"


def channel_role(channel: str) -> str:
    """Name the role of a channel's layer."""
    return f"channel:{channel}"


def layer_mark(role: str, study: str) -> dict[str, Any]:
    """Make the metadata by which a layer of ours is known again."""
    return {MARK: {"role": role, "study": study}}


def mark_of(layer: Layer) -> dict[str, Any]:
    """Read a layer's mark; empty for a layer that is not ours."""
    mark = layer.metadata.get(MARK, {})
    return mark if isinstance(mark, dict) else {}


class FieldLayers:
    """The layers of the field that is shown.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.
    state
        Holds the contrast limits, which it follows and which follow the layers.
    """

    def __init__(self, viewer: ViewerModel, state: State) -> None:
        self._viewer = weakref.ref(viewer)
        self._state = state
        self._setting_contrast = False

    def layer(self, role: str) -> Layer | None:
        """Find the layer with a role."""
        viewer = self._viewer()
        if viewer is None:
            return None
        return next((layer for layer in viewer.layers if mark_of(layer).get("role") == role), None)

    def adopt(self, study: Study) -> None:
        """Go on with the layers of this study that are there, and take out those of another."""
        viewer = self._viewer()
        if viewer is None:
            return
        for layer in [layer for layer in viewer.layers if mark_of(layer)]:
            if mark_of(layer)["study"] != str(study.path):
                viewer.layers.remove(layer)
            elif isinstance(layer, Image):
                self._follow_contrast(layer, mark_of(layer)["role"].removeprefix("channel:"))

    def show(self, content: FieldContent) -> None:
        """Show a field; where it cannot be read, nothing, rather than the field before."""
        viewer, study = self._viewer(), self._state.study
        if viewer is None or study is None:
            return
        if content.image is None:
            self._blank()
            return
        fresh = not any(mark_of(layer) for layer in viewer.layers)
        for index, channel in enumerate(study.channels):
            self._show_channel(viewer, index, channel, content.image[index])
        self._show_masks(viewer, content)
        self._show_overlay(viewer, content)
        if fresh:
            viewer.reset_view()
            self._activate(viewer)

    def _activate(self, viewer: ViewerModel) -> None:
        """Select the layer whose cells the status bar is to tell of."""
        top = self.layer(PREDICTIONS) or self.layer(MASKS)
        if top is not None:
            viewer.layers.selection.active = top

    def _blank(self) -> None:
        viewer = self._viewer()
        for layer in viewer.layers if viewer is not None else ():
            if mark_of(layer):
                layer.data = np.zeros_like(layer.data)
                if isinstance(layer, Labels):
                    layer.features = {}

    # Channels

    def _show_channel(self, viewer: ViewerModel, index: int, channel: str, plane: np.ndarray) -> None:
        layer = self.layer(channel_role(channel))
        if layer is not None:
            layer.data = plane
            return
        study = self._state.study
        if study is None:
            return
        lows_highs = self._state.contrast.get(channel) or limits([thinned(plane[None])[0]])
        layer = Image(
            plane,
            name=channel,
            blending="additive",
            colormap=channel_colours(study.channels)[index],
            contrast_limits=lows_highs,
            metadata=layer_mark(channel_role(channel), str(study.path)),
        )
        layer.contrast_limits_range = _range(lows_highs)
        self._insert(viewer, layer, index)
        self._follow_contrast(layer, channel)

    @staticmethod
    def _insert(viewer: ViewerModel, layer: Layer, index: int) -> None:
        """Add a channel below what is on top of the channels already."""
        viewer.layers.insert(min(index, len(viewer.layers)), layer)

    def _follow_contrast(self, layer: Image, channel: str) -> None:
        """Keep the contrast limits that a person sets, for every well to come."""
        me = weakref.ref(self)

        def _on_layer_contrast_changed(event: Any) -> None:
            layers = me()
            if layers is not None and not layers._setting_contrast:  # noqa: SLF001 (our own)
                low, high = event.source.contrast_limits
                layers._state.contrast[channel] = (float(low), float(high))  # noqa: SLF001

        layer.events.contrast_limits.connect(_on_layer_contrast_changed)

    def set_contrast(self, contrast: dict[str, tuple[float, float]]) -> None:
        """Show every channel with these limits, except where a person has set others already."""
        for channel, lows_highs in contrast.items():
            if channel in self._state.contrast:
                continue
            self._state.contrast[channel] = lows_highs
            layer = self.layer(channel_role(channel))
            if isinstance(layer, Image):
                self._setting_contrast = True
                layer.contrast_limits_range = _range(lows_highs)
                layer.contrast_limits = lows_highs
                self._setting_contrast = False

    # Cells

    def _labels(
        self, viewer: ViewerModel, role: str, make: Callable[[], Labels], data: np.ndarray
    ) -> Labels:
        """Put data into the layer with a role, made where it is not there."""
        layer = self.layer(role)
        if not isinstance(layer, Labels):
            layer = make()
            viewer.add_layer(layer)
        else:
            layer.features = {}
            layer.data = data
        layer.editable = False  # the study's own masks change by segmenting again
        return layer

    def _show_masks(self, viewer: ViewerModel, content: FieldContent) -> None:
        study = self._state.study
        if study is None or content.image is None:
            return
        if content.masks is None:
            self._hide(MASKS, content.image.shape[1:])
            return
        small = content.masks.max(initial=0) < 2**16
        data = content.masks.astype(np.uint16) if small else content.masks
        first = self.layer(MASKS) is None

        def make() -> Labels:
            mark = layer_mark(MASKS, str(study.path))
            return Labels(data, name=MASKS_NAME, opacity=0.35, visible=content.overlay is None, metadata=mark)

        layer = self._labels(viewer, MASKS, make, data)
        if content.overlay is not None:
            layer.features = content.overlay.features.assign(index=content.overlay.features["cell"])
        if first:
            layer.contour = 0

    def _show_overlay(self, viewer: ViewerModel, content: FieldContent) -> None:
        study, overlay = self._state.study, content.overlay
        if study is None or content.image is None:
            return
        if overlay is None:
            self._hide(PREDICTIONS, content.image.shape[1:])
            return
        first = self.layer(PREDICTIONS) is None

        def make() -> Labels:
            mark = layer_mark(PREDICTIONS, str(study.path))
            colormap = class_colormap(len(overlay.classes))
            return Labels(overlay.values, name=PREDICTIONS_NAME, opacity=0.5, colormap=colormap, metadata=mark)

        layer = self._labels(viewer, PREDICTIONS, make, overlay.values)
        if not first and len(layer.colormap.colors) != len(overlay.classes) + 1:
            layer.colormap = class_colormap(len(overlay.classes))
        layer.features = overlay.features
        if first:
            masks = self.layer(MASKS)
            if masks is not None:
                masks.visible = False
            viewer.layers.selection.active = layer

    def _hide(self, role: str, shape: tuple[int, ...]) -> None:
        """Empty a layer of cells that this field does not have."""
        layer = self.layer(role)
        if layer is not None:
            layer.features = {}
            layer.data = np.zeros(shape, layer.data.dtype)

    def show_preview(self, masks: np.ndarray) -> None:
        """Show masks that were tried on this field, without their being the study's."""
        viewer = self._viewer()
        if viewer is None or self._state.study is None:
            return
        mark = layer_mark(MASKS, str(self._state.study.path))
        layer = self._labels(
            viewer, MASKS, lambda: Labels(masks, name=MASKS_NAME, opacity=0.35, metadata=mark), masks
        )
        layer.visible = True
        overlay = self.layer(PREDICTIONS)
        if overlay is not None:
            overlay.visible = False


def class_colormap(n_classes: int) -> CyclicLabelColormap:
    """Make the colormap of the overlay: one colour per class, whatever the number of cells."""
    return CyclicLabelColormap(colors=overlay_colours(n_classes), name="classes")


def _range(lows_highs: tuple[float, float]) -> tuple[float, float]:
    """Give the contrast slider room on both sides, without the empty far end of 16 bits."""
    low, high = lows_highs
    return (min(0.0, low), high + (high - low))
