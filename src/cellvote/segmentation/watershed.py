"""Seeded watershed: nuclei by threshold and distance, cells grown from them on a second channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pydantic import Field
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label as label_regions
from skimage.segmentation import watershed

from cellvote.plates.acquisition import channel_index
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation
from cellvote.segmentation.growing import (
    LEAST_OBJECTS,
    USUAL_GROWTH,
    GrowthSettings,
    check_channels,
    find_objects,
    keep_between,
    smoothed,
    with_cells,
)
from cellvote.settings import validated
from cellvote.study.masks import LabelImage

_LARGEST: Final = 8.0
"""Objects of more than this many usual areas are no nuclei."""


class WatershedSettings(GrowthSettings, frozen=True, extra="forbid"):
    """How the watershed finds nuclei and grows cells from them."""

    nucleus_diameter_px: float | None = Field(
        None,
        gt=2,
        le=500,
        title="Nucleus diameter (px)",
        description="Empty: measured on a few images of the plate",
    )
    least_contrast: float | None = Field(
        None,
        ge=0,
        title="Least contrast (grey values)",
        description="Nuclei are at least this much brighter than the background; empty: measured on a few images",
    )
    threshold_factor: float = Field(
        0.85,
        gt=0,
        le=5,
        title="Threshold factor",
        description="Times Otsu's threshold; lower finds dimmer nuclei, higher splits and trims more",
    )
    smallest_nucleus: float = Field(
        0.35,
        ge=0,
        le=1,
        title="Smallest nucleus (share)",
        description="Smaller objects than this share of the usual area are debris",
    )


@dataclass(frozen=True)
class WatershedSegmenter:
    """The built-in segmenter that needs no weights.

    Parameters
    ----------
    settings
        With nothing left automatic; `make_watershed` fills it in.
    channels
        Channel names of the images to come.
    """

    settings: WatershedSettings
    channels: tuple[str, ...]
    name: str = "watershed"

    def segment(self, image: Pixels) -> Segmentation:
        """Find the cells of a CYX image.

        Raises
        ------
        SegmentationError
            Where the image has another number of channels than the segmenter was made for.
        """
        check_channels(image, self.channels)
        chosen = self.settings
        nuclei = find_nuclei(image[channel_index(self.channels, chosen.nuclei_channel)], chosen)
        return with_cells(image, nuclei, self.channels, chosen, chosen.nucleus_diameter_px or 0.0)


def find_nuclei(nuclear: Pixels, settings: WatershedSettings) -> LabelImage:
    """Find nuclei in one channel (YX): threshold, then split what touches by its distance to the edge."""
    diameter = settings.nucleus_diameter_px or 0.0
    smooth = smoothed(nuclear, diameter / 12)
    background = float(np.percentile(smooth, 10))
    otsu = threshold_otsu(smooth) if smooth.min() < smooth.max() else np.inf
    threshold = background + max((otsu - background) * settings.threshold_factor, settings.least_contrast or 0.0)
    mask = ndimage.binary_fill_holes(smooth > threshold)
    distance = ndimage.distance_transform_edt(mask)
    # The summit of a nucleus: far from its edge, and bright; smoothing keeps one summit a nucleus.
    height = gaussian(distance, diameter / 10, preserve_range=True)
    seeds = peak_local_max(
        height,
        min_distance=max(1, round(diameter / 3.2)),
        threshold_abs=diameter * 0.08,
        labels=label_regions(mask),
        exclude_border=False,
    )
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    nuclei = watershed(-height, markers, mask=mask)
    usual = np.pi * diameter**2 / 4
    return keep_between(nuclei, settings.smallest_nucleus * usual, _LARGEST * usual)


def make_watershed(settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> WatershedSegmenter:
    """Make the watershed segmenter, measuring on a few CYX images what the settings left automatic.

    Raises
    ------
    SettingsError
        Where a setting is unknown or out of bounds.
    ChannelError
        Where a channel does not exist.
    """
    wanted = validated(WatershedSettings, settings).with_channels(channels, sample)
    nuclei = channels.index(wanted.nuclei_channel)
    diameter = wanted.nucleus_diameter_px or _nucleus_diameter(sample, nuclei)
    contrast = wanted.least_contrast
    if contrast is None:
        contrast = round(0.25 * _contrast(sample, nuclei, diameter), 3)
    growth = wanted.growth_px if wanted.growth_px is not None else round(USUAL_GROWTH * float(diameter), 2)
    measured = {"nucleus_diameter_px": round(float(diameter), 2), "least_contrast": contrast, "growth_px": growth}
    return WatershedSegmenter(wanted.model_copy(update=measured), channels)


def _nucleus_diameter(sample: Sequence[Pixels], nuclei: int) -> float:
    """Take the usual diameter of compact objects over the sample, in pixels."""
    diameters: list[float] = []
    for image in sample:
        found = find_objects(image[nuclei])
        compact = found["area"][found["solidity"] > 0.9]
        if len(compact) >= LEAST_OBJECTS:
            big = compact[compact > 0.3 * np.median(compact)]
            diameters.append(float(np.sqrt(4 * np.median(big) / np.pi)))
    return float(np.clip(np.median(diameters), 4, 300)) if diameters else 20.0


def _contrast(sample: Sequence[Pixels], nuclei: int, diameter_px: float) -> float:
    """Take how far nuclei usually stand above the background; images without any say nothing."""
    contrasts = []
    for image in sample:
        smooth = smoothed(image[nuclei], diameter_px / 12)
        if len(find_objects(image[nuclei])["area"]) < LEAST_OBJECTS or smooth.min() == smooth.max():
            continue
        bright = smooth[smooth > threshold_otsu(smooth)]
        contrasts.append(float(np.median(bright) - np.percentile(smooth, 10)))
    return float(np.median(contrasts)) if contrasts else 0.0
