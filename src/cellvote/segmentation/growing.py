"""From nuclei to cells: which channel shows what, and each nucleus grown into its cell.

After Jones, Carpenter and Golland, "Voronoi-based segmentation of cells on image manifolds" (2005), which
CellProfiler's IdentifySecondaryObjects follows too; here on scikit-image's watershed.
"""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage
from skimage.filters import gaussian, sobel, threshold_otsu
from skimage.measure import label as label_regions
from skimage.measure import regionprops_table
from skimage.morphology import remove_small_holes
from skimage.segmentation import relabel_sequential, watershed

from cellvote.errors import SegmentationError
from cellvote.plates.acquisition import channel_index, looks_nuclear
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation
from cellvote.study.masks import LabelImage

FloatImage = npt.NDArray[np.float32]

NONE: Final = "none"
OTHERS: Final = "others"
LEAST_OBJECTS: Final = 5
"""Fewer objects than this say nothing about how large nuclei are."""

USUAL_GROWTH: Final = 1.2
"""How far a cell reaches beyond its nucleus where nobody says it, in nucleus diameters."""


class GrowthSettings(BaseModel, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """Which channels show nuclei and cells, and how far cells may reach: part of the settings of each such method."""

    nuclei_channel: str = Field(
        "",
        title="Nuclei channel",
        description="Where nuclei are bright; empty: found by name, else by looking",
    )
    cells_channel: str = Field(
        "",
        title="Cells channel",
        description="Where whole cells show; empty or 'others': all channels but the nuclei's, each scaled to its "
        "own range; 'none': nuclei only",
    )
    growth_px: float | None = Field(
        None,
        ge=0,
        le=500,
        title="Growth (px)",
        description="How far a cell may reach beyond its nucleus; empty: 1.2 nucleus diameters",
    )

    def with_channels(self, channels: tuple[str, ...], sample: Sequence[Pixels]) -> Self:
        """Fill in the channels that were left open, looking at CYX sample images where names tell nothing.

        Raises
        ------
        ChannelError
            Where a channel does not exist.
        """
        if self.nuclei_channel:
            nuclei = channel_index(channels, self.nuclei_channel)
        else:
            nuclei = find_nuclei_channel(channels, sample)
        if self.cells_channel and self.cells_channel not in {NONE, OTHERS}:
            cells = channels[channel_index(channels, self.cells_channel)]
        elif self.cells_channel == NONE or len(channels) == 1:
            cells = NONE
        else:
            cells = OTHERS if len(channels) > 2 else channels[1 - nuclei]
        return self.model_copy(update={"nuclei_channel": channels[nuclei], "cells_channel": cells})


def check_channels(image: Pixels, channels: tuple[str, ...]) -> None:
    """Hold an image against the channels that a segmenter was made for.

    Raises
    ------
    SegmentationError
        Where it is not CYX with as many channels.
    """
    if image.ndim != 3 or len(image) != len(channels):
        raise SegmentationError(
            f"an image of {len(channels)} channels (CYX) was expected, not of the shape {image.shape}."
        )


def with_cells(
    image: Pixels, nuclei: LabelImage, channels: tuple[str, ...], settings: GrowthSettings, diameter_px: float
) -> Segmentation:
    """Grow the nuclei of a CYX image into cells on the channel that the settings name, or leave them as they are."""
    if settings.cells_channel == NONE:
        return Segmentation(nuclei)
    if settings.cells_channel == OTHERS:
        own = channel_index(channels, settings.nuclei_channel)
        cellular = _together([plane for i, plane in enumerate(image) if i != own])
    else:
        cellular = image[channel_index(channels, settings.cells_channel)]
    reach_px = settings.growth_px if settings.growth_px is not None else USUAL_GROWTH * diameter_px
    return Segmentation(grow_cells(cellular, nuclei, diameter_px, reach_px), nuclei)


def grow_cells(cellular: Pixels, nuclei: LabelImage, diameter_px: float, reach_px: float) -> LabelImage:
    """Grow each nucleus into its cell on one channel (YX), up to its neighbours or the background.

    Cells keep the label ids of their nuclei. A cell that is dark in this channel still gets a rim around its
    nucleus, so that each cell has a cytoplasm to compare with.

    Parameters
    ----------
    diameter_px
        Of a usual nucleus.
    reach_px
        How far a cell may reach beyond its nucleus.
    """
    smooth = smoothed(cellular, diameter_px / 15)
    away = ndimage.distance_transform_edt(nuclei == 0)
    outside = smooth[nuclei == 0]
    if outside.size and outside.min() < outside.max():
        foreground = smooth > 0.7 * threshold_otsu(outside)
    else:
        foreground = np.zeros(nuclei.shape, bool)
    mask = (foreground & (away <= reach_px)) | (away <= min(reach_px, diameter_px / 5))
    mask = remove_small_holes(mask, max_size=round(diameter_px**2 / 2))
    edges = sobel(smooth)
    scale = float(np.percentile(edges, 99)) or 1.0
    return np.asarray(watershed(edges / scale + away / max(reach_px, 1.0), nuclei, mask=mask), np.int32)


def keep_between(labels: LabelImage, smallest_px: float, largest_px: float) -> LabelImage:
    """Drop objects outside an area range, and number the others from 1 without gaps."""
    areas = np.bincount(labels.ravel())
    keep = (areas >= smallest_px) & (areas <= largest_px)
    keep[0] = False
    kept, _, _ = relabel_sequential(np.where(keep[labels], labels, 0))
    return np.asarray(kept, np.int32)


def smoothed(plane: Pixels, sigma_px: float) -> FloatImage:
    """Smooth a YX image by a Gaussian of at least 0.7 px."""
    smooth: FloatImage = gaussian(plane.astype(np.float32), max(sigma_px, 0.7), preserve_range=True)
    return smooth


def find_objects(plane: Pixels) -> dict[str, npt.NDArray[np.float64]]:
    """Give ``area`` (px²) and ``solidity`` of what stands out of a YX image by Otsu's threshold."""
    smooth = smoothed(plane, 1.0)
    if smooth.min() == smooth.max():
        return {"area": np.empty(0), "solidity": np.empty(0)}
    regions = label_regions(smooth > threshold_otsu(smooth))
    table = regionprops_table(regions, properties=("area", "solidity"))
    big = table["area"] >= 20
    return {name: np.asarray(values, float)[big] for name, values in table.items()}


def find_nuclei_channel(channels: tuple[str, ...], sample: Sequence[Pixels]) -> int:
    """Take the channel whose name says so, else the one whose objects are most alike and most compact."""
    named = [i for i, name in enumerate(channels) if looks_nuclear(name)]
    if named or len(channels) == 1:
        return named[0] if named else 0
    scores = []
    for index in range(len(channels)):
        found = [find_objects(image[index]) for image in sample]
        alike = [
            np.median(o["solidity"]) * np.mean(np.abs(np.log(o["area"] / np.median(o["area"]))) < np.log(2))
            for o in found
            if len(o["area"]) >= LEAST_OBJECTS
        ]
        scores.append(float(np.median(alike)) if alike else 0.0)
    return int(np.argmax(scores))


def _together(planes: Sequence[Pixels]) -> FloatImage:
    """Put YX planes together, each scaled so that its background is 0 and its bright parts are 1."""
    total = np.zeros(planes[0].shape, np.float32)
    for plane in planes:
        grey = plane.astype(np.float32)
        low, high = np.percentile(grey, [10, 99])
        total += np.clip((grey - low) / max(high - low, 1e-6), 0, 1.5)
    return total / np.float32(len(planes))
