"""The layers of the Segment dock: cells that are tried, and those of the segmentation that they are compared with."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from napari.utils.colormaps import CyclicLabelColormap, label_colormap

from cellvote.gui.cell_outlines import Comparison, DrawnCells
from cellvote.gui.field_layers import FieldLayers
from cellvote.gui.layer_data import MASKS, PREDICTIONS
from cellvote.gui.turns import Step

PREVIEW: Final = "preview"
COMPARED: Final = "compared"

_OUTLINES_OPACITY: Final = 1.0
_CELL_COLOURS: Final = label_colormap(49, background_value=0)
"""napari's own colours of cells."""


class PreviewLayers:
    """Shows cells above the field, and hides the study's own meanwhile.

    Parameters
    ----------
    layers
        Of the field that is shown.
    """

    def __init__(self, layers: FieldLayers) -> None:
        self._layers = layers
        self._hidden: list[str] = []
        self._opacity = 1.0

    def showing(self, comparison: Comparison, *, preview: bool, compared_with: str) -> Iterator[Step]:
        """Give what is to be done to show a field's cells: a layer each, as napari takes long to make one.

        Parameters
        ----------
        preview
            Whether the cells that are compared are tried ones: those of the study have a layer of their own.
        compared_with
            Name of the other segmentation.
        """
        if preview:
            yield partial(self._show_preview, comparison.here)
        else:
            yield self._show_masks
        if comparison.there is not None:
            name = f"{compared_with} (compared)"
            yield partial(self._show, COMPARED, name, comparison.there, _OUTLINES_OPACITY)
        going = [role for role, wanted in ((PREVIEW, preview), (COMPARED, comparison.there is not None)) if not wanted]
        yield partial(self._layers.take_out, *going)

    def _show_preview(self, cells: DrawnCells) -> None:
        self._hide_masks()
        self._show(PREVIEW, "Preview (not kept)", cells, self._opacity)

    def clear(self) -> None:
        """Show nothing of the field before, until the cells of this one are there."""
        for role in (PREVIEW, COMPARED):
            layer = self._layers.layer(role)
            if layer is not None:
                layer.visible = False

    def take_out(self) -> None:
        """Take both layers out, and show the study's own again."""
        self._layers.take_out(PREVIEW, COMPARED)
        self._show_masks()

    def set_opacity(self, opacity: float) -> None:
        """Let the image shine through the cells that are tried."""
        self._opacity = opacity
        layer = self._layers.layer(PREVIEW)
        if layer is not None:
            layer.opacity = opacity

    def _show(self, role: str, name: str, cells: DrawnCells, opacity: float) -> None:
        colours = cells.colours
        colormap = _CELL_COLOURS if colours is None else CyclicLabelColormap(colors=colours, name="cells")
        self._layers.show_labels(role, cells.values, colormap, name=name, opacity=opacity)
        layer = self._layers.layer(role)
        if layer is not None and layer.name != name:
            layer.name = name

    def _hide_masks(self) -> None:
        """Hide the study's cells: two sets of cells one above the other cannot be told apart."""
        for role in (MASKS, PREDICTIONS):
            layer = self._layers.layer(role)
            if layer is not None and layer.visible and role not in self._hidden:
                layer.visible = False
                self._hidden.append(role)

    def _show_masks(self) -> None:
        hidden, self._hidden = self._hidden, []
        for role in hidden:
            layer = self._layers.layer(role)
            if layer is not None:
                layer.visible = True
