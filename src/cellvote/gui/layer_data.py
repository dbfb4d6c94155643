"""How our layers are made and known again: the same for a field of a study and for what a reader gives napari."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from napari.layers import Layer
from napari.utils.colormaps import CyclicLabelColormap

from cellvote.gui.colours import channel_colours
from cellvote.gui.overlay import Overlay, overlay_colours
from cellvote.gui.state import ContrastLimits
from cellvote.study import Study
from cellvote.study.masks import LabelImage

MARK: Final = "cellvote"
"""Key of a layer's metadata: a dict with ``role`` and ``study``, or ``images`` for a folder that is no study yet."""

MASKS: Final = "masks"
PREDICTIONS: Final = "predictions"


def channel_role(channel: str) -> str:
    """Name the role of a channel's layer."""
    return f"channel:{channel}"


def source_labels_role(name: str) -> str:
    """Name the role of the layer of a label image that came with the images."""
    return f"labels:{name}"


def mark_of(layer: Layer) -> dict[str, Any]:
    """Read a layer's mark; empty for a layer that is not ours."""
    mark = layer.metadata.get(MARK, {})
    return mark if isinstance(mark, dict) else {}


def _mark(role: str, study: Study) -> dict[str, Any]:
    return {MARK: {"role": role, "study": str(study.path)}}


def channel_options(study: Study, channel: str, limits: ContrastLimits) -> dict[str, Any]:
    """Say how the layer of a channel is made: added to the others, in the colour of its dye."""
    colour = channel_colours(study.channels)[study.channels.index(channel)]
    return image_options(channel, colour, limits) | {"metadata": _mark(channel_role(channel), study)}


def image_options(name: str, colour: str, limits: ContrastLimits) -> dict[str, Any]:
    """Say how an image layer is made."""
    return {"name": name, "blending": "additive", "colormap": colour, "contrast_limits": limits}


def masks_options(study: Study, overlay: Overlay | None) -> dict[str, Any]:
    """Say how the masks' layer is made: hidden where the cells are coloured by class."""
    options = {"name": "Masks", "opacity": 0.35, "visible": overlay is None, "metadata": _mark(MASKS, study)}
    return options | {"features": mask_features(overlay)} if overlay is not None else options


def source_labels_options(study: Study, name: str, *, visible: bool) -> dict[str, Any]:
    """Say how the layer of a label image that came with the images is made."""
    return {
        "name": f"{name} (from the source)",
        "opacity": 0.35,
        "visible": visible,
        "metadata": _mark(source_labels_role(name), study),
    }


def overlay_options(study: Study, overlay: Overlay) -> dict[str, Any]:
    """Say how the layer of coloured cells is made."""
    return {
        "name": "Predictions",
        "opacity": 0.7,  # less, and bright channels tint a class until it looks like another one
        "colormap": class_colormap(len(overlay.classes)),
        "features": overlay.features,
        "metadata": _mark(PREDICTIONS, study),
    }


def mask_features(overlay: Overlay) -> Any:
    """Find the cells of the overlay by their label id instead of their overlay value."""
    return overlay.features.assign(index=overlay.features["cell"])


def mask_data(masks: LabelImage) -> npt.NDArray[np.integer[Any]]:
    """Hand label ids to the graphics card in two bytes where they fit."""
    return masks.astype(np.uint16) if masks.max(initial=0) < 2**16 else masks


def class_colormap(n_classes: int) -> CyclicLabelColormap:
    """Make the colormap of the overlay: one colour per class, whatever the number of cells."""
    return CyclicLabelColormap(colors=overlay_colours(n_classes), name="classes")


def contrast_range(limits: ContrastLimits) -> ContrastLimits:
    """Give the contrast slider room on both sides, without the empty far end of 16 bits."""
    low, high = limits
    return (min(0.0, low), high + (high - low))
