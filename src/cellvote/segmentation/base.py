"""What a segmenter is: pixels in, a label image out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.masks import LabelImage, count_cells

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
    note
        What a person should know of it; empty where there is nothing.
    """

    label_image: LabelImage
    nuclei: LabelImage | None = None
    flows: Flows | None = None
    note: str = ""

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return count_cells(self.label_image)


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


@runtime_checkable
class FieldSegmenter(Protocol):
    """A segmenter that needs to know which field it is: what it takes lies elsewhere than in the pixels."""

    def prepare(self, study: Study, folder: Path) -> tuple[str, ...]:
        """Look once, before any field is done, for what the fields need, and note it in the segmentation's folder.

        Returns
        -------
        tuple of str
            What a person should know.
        """
        ...

    def segment_field(self, image: Pixels, study: Study, key: FieldKey, folder: Path) -> Segmentation:
        """Give the cells of a field (its image is CYX), from what was noted in the folder."""
        ...


class SegmenterMaker(Protocol):
    """Makes a segmenter: fills in what the settings left automatic, from a few images of the plate."""

    def __call__(self, settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> Segmenter:
        """Make a segmenter from settings, channel names and CYX sample images."""
        ...
