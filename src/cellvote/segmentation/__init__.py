"""Pixels to label images: segmenters, each with its settings model."""

import importlib
from typing import Any, Final

from pydantic import BaseModel

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import FieldSegmenter, Segmentation, Segmenter, SegmenterMaker
from cellvote.segmentation.cellpose import CellposeSettings, make_cellpose
from cellvote.segmentation.cellpose.weights import LICENCE_NOTE
from cellvote.segmentation.imported import ImportSettings, make_import
from cellvote.segmentation.nuclei import NucleiSettings, make_nuclei
from cellvote.segmentation.watershed import WatershedSettings, make_watershed

__all__ = [
    "DEFAULT_METHOD",
    "LICENCE_NOTES",
    "METHODS",
    "USES_TORCH",
    "FieldSegmenter",
    "Segmentation",
    "Segmenter",
    "is_loaded",
    "load_method",
    "make_segmenter",
    "segment_image",
]

DEFAULT_METHOD: Final = "nuclei"
"""Taken where no method is named."""

METHODS: dict[str, tuple[type[BaseModel], SegmenterMaker]] = {
    "nuclei": (NucleiSettings, make_nuclei),
    "cellpose": (CellposeSettings, make_cellpose),
    "watershed": (WatershedSettings, make_watershed),
    "import": (ImportSettings, make_import),
}
"""Every segmentation method: its settings model, and what makes its segmenter."""

LICENCE_NOTES: dict[str, str] = {"cellpose": LICENCE_NOTE}
"""What is to be shown where a method is chosen whose weights not everybody may use for everything."""


USES_TORCH: Final = frozenset({"nuclei", "cellpose"})
"""Methods with a network: their first field waits some seconds for PyTorch to be imported."""


def is_loaded(method: str) -> bool:
    """Whether a method computes at once, or has something to import first that takes seconds."""
    return method not in USES_TORCH or method in _loaded


def load_method(method: str) -> None:
    """Import what a method computes with, so that its first field does not wait for that; nothing where it is done."""
    if is_loaded(method):
        return
    if method == "nuclei":
        from cellvote.segmentation.nuclei.finding import load_networks

        load_networks()
    else:
        importlib.import_module("cellpose.dynamics")
    _loaded.add(method)


_loaded: Final[set[str]] = set()


def make_segmenter(method: str, settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> Segmenter:
    """Make the segmenter of a method, measuring on CYX sample images what the settings leave automatic.

    Raises
    ------
    SegmentationError
        Where there is no such method.
    SettingsError
        Where a setting is unknown or out of bounds.
    """
    if method not in METHODS:
        raise SegmentationError(f"there is no segmentation method {method!r}; there are: {', '.join(METHODS)}.")
    return METHODS[method][1](settings, channels, sample)


def segment_image(
    image_cyx: Pixels, method: str = DEFAULT_METHOD, *, channels: tuple[str, ...] | None = None, **settings: Any
) -> Segmentation:
    """Find the cells of one image.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype.
    method
        One of `METHODS`.
    channels
        Channel names; ``Channel1``, ``Channel2``, … where they are not given.
    settings
        Of the method's settings model; what is left out is measured on this image.

    Returns
    -------
    Segmentation
        ``label_image`` (YX int32), ``nuclei`` (YX int32 or None), ``flows`` (3YX float32 or None).
    """
    if image_cyx.ndim != 3:
        raise SegmentationError(f"a CYX image was expected, not one of the shape {image_cyx.shape}.")
    names = channels or tuple(f"Channel{i + 1}" for i in range(len(image_cyx)))
    return make_segmenter(method, settings, names, [image_cyx]).segment(image_cyx)
