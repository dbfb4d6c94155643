"""The settings of `nuclei`, and what makes its segmenter; nothing here needs torch."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pydantic import Field
from pydantic.config import JsonDict

from cellvote.plates.acquisition import channel_index
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation
from cellvote.segmentation.growing import NONE, GrowthSettings, check_channels, keep_between, with_cells
from cellvote.segmentation.nuclei.contrast import drop_faint
from cellvote.settings import validated

ADVANCED: Final[JsonDict] = {"advanced": True}
"""Marks settings that a form folds away."""

_SMALLEST: Final = 0.1
_SMALLEST_OF_A_CELL: Final = 0.35
"""Smaller objects than these shares of a usual nucleus are debris: by themselves, and as the nucleus of a cell."""

_LARGEST: Final = 12.0
"""Objects of more than this many usual areas are no nuclei."""


class NucleiSettings(GrowthSettings, frozen=True, extra="forbid"):
    """How the built-in network finds nuclei, and how cells grow from them."""

    nucleus_diameter_px: float | None = Field(
        None,
        gt=2,
        le=500,
        title="Nucleus diameter (px)",
        description="Empty: measured on each image by a network of its own",
    )
    usual_diameter_px: float | None = Field(
        None,
        gt=2,
        le=500,
        title="Usual diameter (px)",
        description="Taken for images that show too little to measure; empty: measured on a few images of the plate",
        json_schema_extra=ADVANCED,
    )
    cell_probability_threshold: float = Field(
        0.3,
        ge=-6,
        le=6,
        title="Cell probability threshold",
        description="Log-odds; lower finds dimmer and larger nuclei",
    )
    flow_threshold: float = Field(
        0.4,
        ge=0,
        le=3,
        title="Flow threshold",
        description="Nuclei whose shape disagrees more with the flows are dropped; 0 drops none",
    )
    smallest_nucleus: float | None = Field(
        None,
        ge=0,
        le=1,
        title="Smallest nucleus (share)",
        description="Smaller objects than this share of the usual area are debris; empty: 0.35 where cells are grown, "
        "0.1 where nuclei alone are wanted",
        json_schema_extra=ADVANCED,
    )
    least_contrast: float = Field(
        0.35,
        ge=0,
        le=1,
        title="Least contrast (share)",
        description="Objects that stand out of their surroundings less than this share of what is usual in the image "
        "are cytoplasm or glare; 0 keeps all",
        json_schema_extra=ADVANCED,
    )
    augment: bool = Field(
        False,
        title="Look four times",
        description="At the image and its mirror images, and takes the mean: a little better, four times as slow",
        json_schema_extra=ADVANCED,
    )


@dataclass(frozen=True)
class NucleiSegmenter:
    """The default segmenter: a small flow network.

    Parameters
    ----------
    settings
        As `make_nuclei` fills them in.
    channels
        Channel names of the images to come.
    """

    settings: NucleiSettings
    channels: tuple[str, ...]
    name: str = "nuclei"

    def segment(self, image: Pixels) -> Segmentation:
        """Find the cells of a CYX image.

        Raises
        ------
        SegmentationError
            Where the image has another number of channels than the segmenter was made for.
        """
        from cellvote.segmentation.nuclei.finding import find_nuclei

        check_channels(image, self.channels)
        chosen = self.settings
        nuclear = image[channel_index(self.channels, chosen.nuclei_channel)]
        nuclei, diameter_px = find_nuclei(nuclear, chosen)
        usual_px = np.pi * diameter_px**2 / 4
        nuclei = keep_between(nuclei, (chosen.smallest_nucleus or 0.0) * usual_px, _LARGEST * usual_px)
        nuclei = drop_faint(nuclear, nuclei, diameter_px, chosen.least_contrast)
        return with_cells(image, nuclei, self.channels, chosen, diameter_px)


def make_nuclei(settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> NucleiSegmenter:
    """Make the segmenter, measuring on a few CYX images what the settings left automatic.

    Raises
    ------
    SettingsError
        Where a setting is unknown or out of bounds.
    ChannelError
        Where a channel does not exist.
    """
    wanted = validated(NucleiSettings, settings).with_channels(channels, sample)
    usual = wanted.nucleus_diameter_px or wanted.usual_diameter_px
    if usual is None:
        from cellvote.segmentation.nuclei.finding import measure_diameter

        index = channels.index(wanted.nuclei_channel)
        measured = [measure_diameter(image[index]) for image in sample]
        usual = round(float(np.median([d for d in measured if d is not None] or [20.0])), 2)
    smallest = wanted.smallest_nucleus
    if smallest is None:
        smallest = _SMALLEST if wanted.cells_channel == NONE else _SMALLEST_OF_A_CELL
    filled = {"usual_diameter_px": usual, "smallest_nucleus": smallest}
    return NucleiSegmenter(wanted.model_copy(update=filled), channels)
