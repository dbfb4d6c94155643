"""Puts a field into the viewer: a layer per channel, masks, coloured cells; in place, so what a person set stays."""

import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from cellvote.gui.contrast import limits, thinned
from cellvote.gui.field_content import FieldContent
from cellvote.gui.layer_data import (
    MARK,
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
    source_labels_options,
    source_labels_role,
)
from cellvote.gui.layer_insertion import insert_layer
from cellvote.gui.state import ContrastLimits, State
from cellvote.gui.turns import Step, Turns
from cellvote.plates.pixels import Pixels
from cellvote.study import Study


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
        self._arranged: tuple[str, tuple[str, ...]] | None = None
        self._extent = (1, 1)
        self._turns = Turns()
        self._removals = Turns()
        self._leaving: list[Layer] = []
        self._fresh = True
        self._made: list[Layer] = []

    @property
    def busy(self) -> bool:
        """Whether layers are still being made, or taken out."""
        return self._turns.busy or self._removals.busy

    def close(self) -> None:
        """Make no more layers, and take none out, as the window is closing."""
        self._turns.forget()
        self._removals.forget()

    @property
    def viewer(self) -> ViewerModel | None:
        """The viewer; None once it is gone."""
        return self._viewer()

    def ours(self) -> list[Layer]:
        """Every layer that CellVote put there, without those that are just being taken out."""
        layers = self.viewer.layers if self.viewer is not None else ()
        return [layer for layer in layers if mark_of(layer) and layer not in self._leaving]

    def of_field(self) -> list[Layer]:
        """The layers of the field, or the well, that is shown."""
        return [layer for layer in self.ours() if _is_of_field(mark_of(layer).get("role", ""))]

    def layer(self, role: str) -> Layer | None:
        """Find the layer with a role."""
        return next((layer for layer in self.ours() if mark_of(layer).get("role") == role), None)

    @property
    def study(self) -> Study | None:
        """The study whose fields are shown."""
        return self._state.study

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of what is shown, in pixels of the images."""
        return self._extent

    def adopt(self, study: Study) -> None:
        """Go on with the layers of this study that are there, and take out those of another."""
        viewer = self.viewer
        if viewer is None:
            return
        self._turns.forget()
        self._arranged = None
        others = [layer for layer in self.ours() if mark_of(layer).get("study") != str(study.path)]
        if others:
            with viewer.layers.batched_update():  # napari collects garbage after each that is taken out by itself
                for layer in others:
                    viewer.layers.remove(layer)
        for layer in self.ours():
            if isinstance(layer, Image):
                self.follow_contrast(layer, str(mark_of(layer)["role"]).partition(":")[2])
        self._fresh = not self.of_field()

    def show(self, content: FieldContent, then: Step) -> None:
        """Show a field; where it cannot be read, nothing, rather than the field before.

        Parameters
        ----------
        then
            Done when it is shown: at once where all its layers are there; else they are made one after another.
        """
        viewer, study = self.viewer, self._state.study
        if viewer is None or study is None:
            return
        self._turns.forget()
        if content.image is None:
            for layer in self.of_field():
                self._blank(layer, layer.data.shape[-2:])
            then()
            return
        shape = content.shape
        self._extent = (shape[0] * content.step, shape[1] * content.step)
        steps: list[Step] = [*self._showing(viewer, study, content), partial(self._arrange, viewer, content), then]
        if not self._is_all_there(study, content):
            self._turns.add(steps)
            return
        for step in steps:
            step()

    def _showing(self, viewer: ViewerModel, study: Study, content: FieldContent) -> Iterator[Step]:
        for channel, plane in zip(study.channels, content.image or (), strict=True):
            yield partial(self._show_channel, viewer, study, channel, plane, content)
        yield partial(self._show_masks, viewer, study, content)
        yield partial(self._show_overlay, viewer, study, content)
        yield partial(self._show_source_labels, viewer, study, content)

    def _is_all_there(self, study: Study, content: FieldContent) -> bool:
        """Whether no layer need be made for this: then all channels change in one frame."""
        planes = zip(study.channels, content.image or (), strict=True)
        roles = [channel_role(channel) for channel, plane in planes if plane is not None]
        roles += [MASKS] * (content.masks is not None) + [PREDICTIONS] * (content.overlay is not None)
        roles += [source_labels_role(name) for name in content.source_labels]
        return {mark_of(layer).get("role") for layer in self.of_field()}.issuperset(roles)

    def _arrange(self, viewer: ViewerModel, content: FieldContent) -> None:
        """Bring it into view and start its sliders, where it is seen for the first time."""
        arranged = (content.scope, content.axes)
        if arranged != self._arranged:
            self._start_sliders(viewer, content)
        if self._fresh or (self._arranged is not None and self._arranged[0] != content.scope):
            viewer.reset_view(layers=self.of_field())
        self._fresh, self._arranged = False, arranged
        self._select_made(viewer)

    def _select_made(self, viewer: ViewerModel) -> None:
        """Select what was made last; the status bar tells of the cells of the selected layer."""
        made = [layer for layer in self._made if layer in viewer.layers]
        cells = [layer for layer in made if mark_of(layer)["role"] == PREDICTIONS]
        if made:
            viewer.layers.selection.active = (cells or made)[-1]
        self._made = []

    def _insert(self, viewer: ViewerModel, layer: Layer, index: int | None = None) -> None:
        insert_layer(viewer, layer, index)
        self._made.append(layer)

    def _blank(self, layer: Layer, shape: tuple[int, ...]) -> None:
        if isinstance(layer, Labels):
            layer.features = {}
        self._set(layer, np.zeros(shape, layer.data.dtype))

    def _set(self, layer: Layer, data: Any, step: int = 1, axes: tuple[str, ...] = ()) -> None:
        """Put other pixels into a layer; napari need not look at all layers anew where their size is the same."""
        viewer = self.viewer
        if data.shape == layer.data.shape and layer.scale[-1] == step and viewer is not None:
            with layer.events.data.blocker(viewer._on_layers_change):  # noqa: SLF001 (a fifth of the time of a click)
                layer.data = data
            return
        layer.data = data
        layer.scale = (1,) * len(axes) + (step, step)
        if axes:
            layer.axis_labels = (*axes, "y", "x")

    @staticmethod
    def _start_sliders(viewer: ViewerModel, content: FieldContent) -> None:
        """Put the sliders of a stack where one sees most: the middle of z, the first timepoint."""
        image = next(one for one in content.image or () if one is not None)
        for number, axis in enumerate(content.axes):
            n = image.shape[number]
            viewer.dims.set_current_step(number - image.ndim + viewer.dims.ndim, (n - 1) // 2 if axis == "z" else 0)

    # Channels

    def _show_channel(
        self, viewer: ViewerModel, study: Study, channel: str, plane: Any | None, content: FieldContent
    ) -> None:
        layer = self.layer(channel_role(channel))
        if plane is None:
            if layer is not None:
                self._blank(layer, content.shape)
            return
        if layer is not None:
            self._set(layer, plane, content.step, content.axes)
            return
        lows_highs = self._state.contrast.get(channel) or limits([thinned(_one_plane(plane)[None])[0]])
        layer = Image(plane, **channel_options(study, channel, lows_highs))
        layer.scale = (1,) * len(content.axes) + (content.step, content.step)
        if content.axes:
            layer.axis_labels = (*content.axes, "y", "x")
        layer.contrast_limits_range = contrast_range(lows_highs)
        self._insert(viewer, layer, min(study.channels.index(channel), len(viewer.layers)))
        self.follow_contrast(layer, channel)

    def follow_contrast(self, layer: Image, channel: str) -> None:
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

    def set_contrast(self, contrast: dict[str, ContrastLimits], *, reset: bool = False) -> None:
        """Show every channel with these limits, except where a person has set others already.

        Parameters
        ----------
        reset
            Forget what a person has set.
        """
        if reset:
            self._state.contrast.clear()
        for channel, lows_highs in contrast.items():
            if channel not in self._state.contrast:
                for role in (channel_role(channel), f"overview:{channel}"):
                    layer = self.layer(role)
                    if isinstance(layer, Image):
                        self.set_limits(layer, lows_highs)
            self._state.contrast.setdefault(channel, lows_highs)

    def set_limits(self, layer: Image, lows_highs: ContrastLimits) -> None:
        """Set the limits of a layer, not as a person does."""
        if not isinstance(layer, Image) or tuple(layer.contrast_limits) == lows_highs:
            return
        self._setting_contrast = True
        layer.contrast_limits_range = contrast_range(lows_highs)
        layer.contrast_limits = lows_highs
        self._setting_contrast = False

    # Cells

    def _show_masks(self, viewer: ViewerModel, study: Study, content: FieldContent) -> None:
        layer, masks, overlay = self.layer(MASKS), content.masks, content.overlay
        if masks is None:
            if layer is not None:
                self._blank(layer, content.shape)
            return
        if layer is None:
            self._insert(viewer, Labels(mask_data(masks), **masks_options(study, overlay)))
        else:
            known = overlay is not None and content.scope == "field"
            self._replace(layer, mask_data(masks), mask_features(overlay) if overlay and known else {}, content.step)
            layer.editable = False  # the study's masks change by segmenting again, not by painting

    def _show_overlay(self, viewer: ViewerModel, study: Study, content: FieldContent) -> None:
        layer, overlay = self.layer(PREDICTIONS), content.overlay
        if overlay is None:
            if layer is not None:
                self._blank(layer, content.shape)
            return
        if layer is None:
            self._insert(viewer, Labels(overlay.values, **overlay_options(study, overlay)))
            masks = self.layer(MASKS)
            if masks is not None:
                masks.visible = False  # the classes are what one looks at now
        else:
            if len(layer.colormap.colors) != len(overlay.classes) + 1:
                layer.colormap = class_colormap(len(overlay.classes))
            self._replace(layer, overlay.values, overlay.features, content.step)
            layer.editable = False

    def _show_source_labels(self, viewer: ViewerModel, study: Study, content: FieldContent) -> None:
        """Show label images that came with the images; hidden at first where the study has masks of its own."""
        for name, labels in content.source_labels.items():
            layer = self.layer(source_labels_role(name))
            if layer is None:
                options = source_labels_options(study, name, visible=content.masks is None)
                self._insert(viewer, Labels(mask_data(labels), **options))
            else:
                self._set(layer, mask_data(labels), content.step)
        for layer in self.of_field():
            role = mark_of(layer)["role"]
            if role.startswith(source_labels_role("")) and role.partition(":")[2] not in content.source_labels:
                self._blank(layer, content.shape)

    def _replace(self, layer: Labels, data: npt.NDArray[Any], features: Any, step: int) -> None:
        """Put other cells into a layer; between the two steps no cell has another one's features."""
        layer.features = {}
        self._set(layer, data, step)
        layer.features = features

    # Cells that are not the study's

    def show_labels(self, role: str, values: npt.NDArray[np.integer[Any]], colormap: Any, **options: Any) -> None:
        """Show cells in a layer of their own, made where it is not there: on top, of the size of the field."""
        viewer, study = self.viewer, self._state.study
        if viewer is None or study is None:
            return
        layer = self.layer(role)
        if layer is None:
            self.finish_taking_out()
            mark = {MARK: {"role": role, "study": str(study.path)}}
            insert_layer(viewer, Labels(values, colormap=colormap, metadata=mark, **options))
            return
        if layer.colormap != colormap:
            layer.colormap = colormap
        self._set(layer, values)
        layer.editable = False
        if not layer.visible:  # saying it again would draw everything again
            layer.visible = True

    def take_out(self, *roles: str) -> None:
        """Take layers out of the viewer, all together in a moment; those that are not there are not missed.

        napari looks through all memory for garbage each time that it has taken layers out, which takes 0.1 s.
        """
        layers = [layer for layer in self.ours() if mark_of(layer).get("role") in roles]
        if layers:
            self._leaving += layers
            self._removals.add([self.finish_taking_out])

    def finish_taking_out(self) -> None:
        """Take out what is to go now, as layers of the same names are about to be made."""
        viewer, leaving = self.viewer, self._leaving
        self._leaving = []
        there = [layer for layer in leaving if viewer is not None and layer in viewer.layers]
        if viewer is not None and there:
            with viewer.layers.batched_update():  # else napari collects garbage after each
                for layer in there:
                    viewer.layers.remove(layer)


def _is_of_field(role: str) -> bool:
    return role.startswith(("channel:", source_labels_role(""))) or role in {MASKS, PREDICTIONS}


def _one_plane(image: Any) -> Pixels:
    """Take one plane of what may be a lazy stack."""
    return np.asarray(image[tuple((n - 1) // 2 for n in image.shape[:-2])])
