"""Puts a field into the viewer: a layer per channel, masks, coloured cells; in place, so what a person set stays."""

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from cellvote.gui.contrast import limits, thinned
from cellvote.gui.field_content import FieldContent
from cellvote.gui.layer_data import (
    MASKS,
    PREDICTIONS,
    channel_options,
    channel_role,
    class_colormap,
    contrast_range,
    mark_of,
    mask_data,
    mask_features,
    masks_options,
    overlay_options,
)
from cellvote.gui.overlay import Overlay
from cellvote.gui.state import ContrastLimits, State
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.masks import LabelImage


class FieldLayers:
    """The layers of the field that is shown.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.
    state
        Holds the contrast limits: layers that are made anew take them, and what a person sets goes there.
    """

    def __init__(self, viewer: ViewerModel, state: State) -> None:
        self._viewer = weakref.ref(viewer)
        self._state = state
        self._setting_contrast = False
        self._visible_before: dict[str, bool] = {}

    @property
    def viewer(self) -> ViewerModel | None:
        """The viewer; None once it is gone."""
        return self._viewer()

    def ours(self) -> list[Layer]:
        """Every layer that CellVote put there."""
        return [layer for layer in self.viewer.layers if mark_of(layer)] if self.viewer is not None else []

    def layer(self, role: str) -> Layer | None:
        """Find the layer with a role."""
        return next((layer for layer in self.ours() if mark_of(layer).get("role") == role), None)

    def adopt(self, study: Study) -> None:
        """Go on with the layers of this study that are there, and take out those of another."""
        viewer = self.viewer
        if viewer is None:
            return
        for layer in self.ours():
            mark = mark_of(layer)
            if mark.get("study") != str(study.path):
                viewer.layers.remove(layer)
            elif isinstance(layer, Image):
                self._follow_contrast(layer, str(mark["role"]).removeprefix("channel:"))

    def show(self, content: FieldContent) -> None:
        """Show a field; where it cannot be read, nothing, rather than the field before."""
        viewer, study = self.viewer, self._state.study
        if viewer is None or study is None:
            return
        if content.image is None:
            for layer in self.ours():
                self._blank(layer, layer.data.shape)
            return
        fresh = not self.ours()
        self._end_preview()
        for channel, plane in zip(study.channels, content.image, strict=True):
            self._show_channel(viewer, study, channel, plane)
        self._show_masks(viewer, study, content.masks, content.overlay, content.image.shape[1:])
        self._show_overlay(viewer, study, content.overlay, content.image.shape[1:])
        if fresh:
            viewer.reset_view()

    @staticmethod
    def _blank(layer: Layer, shape: tuple[int, ...]) -> None:
        if isinstance(layer, Labels):
            layer.features = {}
        layer.data = np.zeros(shape, layer.data.dtype)

    # Channels

    def _show_channel(self, viewer: ViewerModel, study: Study, channel: str, plane: Pixels) -> None:
        layer = self.layer(channel_role(channel))
        if layer is not None:
            layer.data = plane
            return
        lows_highs = self._state.contrast.get(channel) or limits([thinned(plane[None])[0]])
        layer = Image(plane, **channel_options(study, channel, lows_highs))
        layer.contrast_limits_range = contrast_range(lows_highs)
        viewer.layers.insert(min(study.channels.index(channel), len(viewer.layers)), layer)
        self._follow_contrast(layer, channel)

    def _follow_contrast(self, layer: Image, channel: str) -> None:
        """Keep the contrast limits that a person sets, for every well to come."""
        me = weakref.ref(self)

        def _on_layer_contrast_changed(event: Any) -> None:
            layers = me()
            if layers is not None:
                layers._keep_contrast(channel, event.source.contrast_limits)  # noqa: SLF001 (our own)

        layer.events.contrast_limits.connect(_on_layer_contrast_changed)

    def _keep_contrast(self, channel: str, chosen: tuple[float, float]) -> None:
        if not self._setting_contrast:
            self._state.contrast[channel] = (float(chosen[0]), float(chosen[1]))

    def set_contrast(self, contrast: dict[str, ContrastLimits]) -> None:
        """Show every channel with these limits, except where a person has set others already."""
        self._setting_contrast = True
        for channel, lows_highs in contrast.items():
            layer = self.layer(channel_role(channel))
            if channel not in self._state.contrast and isinstance(layer, Image):
                layer.contrast_limits_range = contrast_range(lows_highs)
                layer.contrast_limits = lows_highs
            self._state.contrast.setdefault(channel, lows_highs)
        self._setting_contrast = False

    # Cells

    def _show_masks(
        self,
        viewer: ViewerModel,
        study: Study,
        masks: LabelImage | None,
        overlay: Overlay | None,
        shape: tuple[int, ...],
    ) -> None:
        layer = self.layer(MASKS)
        if masks is None:
            if layer is not None:
                self._blank(layer, shape)
            return
        if layer is None:
            layer = viewer.add_layer(Labels(mask_data(masks), **masks_options(study, overlay)))
        else:
            _replace(layer, mask_data(masks), mask_features(overlay) if overlay is not None else {})
        layer.editable = False  # the study's masks change by segmenting again, not by painting

    def _show_overlay(self, viewer: ViewerModel, study: Study, overlay: Overlay | None, shape: tuple[int, ...]) -> None:
        layer = self.layer(PREDICTIONS)
        if overlay is None:
            if layer is not None:
                self._blank(layer, shape)
            return
        if layer is None:
            layer = viewer.add_layer(Labels(overlay.values, **overlay_options(study, overlay)))
            masks = self.layer(MASKS)
            if masks is not None:
                masks.visible = False  # the classes are what one looks at now
            viewer.layers.selection.active = layer  # the status bar tells of the cells of the active layer
        else:
            if len(layer.colormap.colors) != len(overlay.classes) + 1:
                layer.colormap = class_colormap(len(overlay.classes))
            _replace(layer, overlay.values, overlay.features)
        layer.editable = False

    def show_preview(self, masks: LabelImage) -> None:
        """Show masks that were tried on this field, in place of the study's, until another field is shown."""
        viewer, study = self.viewer, self._state.study
        if viewer is None or study is None:
            return
        self._end_preview()
        self._show_masks(viewer, study, masks, None, masks.shape)
        for role, visible in ((MASKS, True), (PREDICTIONS, False)):
            layer = self.layer(role)
            if layer is not None:
                self._visible_before[role] = layer.visible
                layer.visible = visible

    def _end_preview(self) -> None:
        for role, visible in self._visible_before.items():
            layer = self.layer(role)
            if layer is not None:
                layer.visible = visible
        self._visible_before = {}


def _replace(layer: Labels, data: npt.NDArray[Any], features: Any) -> None:
    """Put other cells into a layer; between the two steps no cell has another one's features."""
    layer.features = {}
    layer.data = data
    layer.features = features
