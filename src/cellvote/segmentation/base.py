"""What a segmenter is: pixels in, a label image out; and what one is whose tiles can be pooled over a plate."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.study import Study
from cellvote.study.flows import Flows
from cellvote.study.masks import LabelImage, count_cells

TilePixels = npt.NDArray[np.float32]


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
        3YX float32, or None: dY, dX (positive downwards and to the right, five times a unit vector) and cell
        probability (log odds), as Cellpose gives them.
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


@dataclass(frozen=True)
class Tiles:
    """One image, made ready for a network.

    Attributes
    ----------
    pixels
        NCYX float32: its tiles; every image of one segmenter gives tiles of the same C, Y and X.
    plan
        What `PooledSegmenter.assemble` needs beside the outputs; picklable.
    """

    pixels: TilePixels
    plan: Any


class TileNetwork(Protocol):
    """A network on a device, which takes tiles of any number of images at once."""

    @property
    def device(self) -> str:
        """Where it computes now, such as ``cuda``."""
        ...

    @property
    def tiles_at_once(self) -> int:
        """How many tiles it takes at its best."""
        ...

    @property
    def notices(self) -> list[str]:
        """What a person should know of how it computes, such as that memory ran out; one sentence each."""
        ...

    def __call__(self, tiles: TilePixels) -> TilePixels:
        """Run NCYX tiles; the outputs are NKYX, each that of its own tile whatever it is run beside."""
        ...


@runtime_checkable
class PooledSegmenter(Segmenter, Protocol):
    """A segmenter in three parts, so that the network can be kept busy with tiles of many fields.

    ``assemble(tiles.plan, network(tiles.pixels))`` of ``tiles = prepare(image)`` is ``segment(image)``: the network
    sees each tile by itself. The segmenter is picklable, and `prepare` and `assemble` may run in other threads and
    processes than the network.
    """

    @property
    def light(self) -> bool:
        """Whether every worker process may have a network of its own on the CPU."""
        ...

    @property
    def gives_flows(self) -> bool:
        """Whether its segmentations have flows."""
        ...

    @property
    def provenance(self) -> dict[str, str]:
        """What the result depends on beside the settings: versions of packages, and ``weights`` (a fingerprint)."""
        ...

    def prepare(self, image: Pixels) -> Tiles:
        """Cut a CYX image into tiles."""
        ...

    def open_network(self, device: str = "auto") -> TileNetwork:
        """Load the network onto a device: auto, cpu, cuda or mps.

        Raises
        ------
        DeviceError
            Where the device asked for is not there.
        """
        ...

    def assemble(self, plan: Any, outputs: TilePixels, device: str = "cpu") -> Segmentation:
        """Make the label image of one image from the outputs for its tiles; ``device`` may help with that."""
        ...


def segment_with(segmenter: PooledSegmenter, image: Pixels, network: TileNetwork) -> Segmentation:
    """Find the cells of one CYX image with an open network."""
    tiles = segmenter.prepare(image)
    return segmenter.assemble(tiles.plan, network(tiles.pixels), network.device)
