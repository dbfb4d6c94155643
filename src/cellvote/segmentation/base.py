"""What a segmenter is: pixels in, a label image out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from cellvote.plates.pixels import Pixels
from cellvote.study.masks import LabelImage

Flows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Segmentation:
    """The cells of one image.

    Attributes
    ----------
    label_image
        YX int32: one label id per cell, 0 for background.
    nuclei
        YX int32, or None: the nucleus of each cell, with the label id of its cell.
    flows
        3YX float32, or None: dY, dX and cell probability, as Cellpose gives them.
    """

    label_image: LabelImage
    nuclei: LabelImage | None = None
    flows: Flows | None = None

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(np.count_nonzero(np.bincount(self.label_image.ravel())[1:]))


class Segmenter(Protocol):
    """Finds the cells of an image."""

    @property
    def name(self) -> str:
        """What the method is called."""
        ...

    @property
    def settings(self) -> BaseModel:
        """Everything that decides the result, nothing left automatic."""
        ...

    def segment(self, image: Pixels) -> Segmentation:
        """Find the cells of a CYX image."""
        ...


class SegmenterMaker(Protocol):
    """Makes a segmenter: fills in what the settings left automatic, from a few images of the plate."""

    def __call__(self, settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> Segmenter:
        """Make a segmenter from settings, channel names and CYX sample images."""
        ...
