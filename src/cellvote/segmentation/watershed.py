"""Seeded watershed: nuclei by threshold and distance, cells grown from them on a second channel.

After Jones, Carpenter and Golland, "Voronoi-based segmentation of cells on image manifolds" (2005), which
CellProfiler's IdentifySecondaryObjects follows too; here on scikit-image's watershed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, sobel, threshold_otsu
from skimage.measure import label as label_regions
from skimage.measure import regionprops_table
from skimage.morphology import remove_small_holes
from skimage.segmentation import relabel_sequential, watershed

from cellvote.errors import SegmentationError
from cellvote.plates.acquisition import channel_index, looks_nuclear
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation
from cellvote.settings import validated
from cellvote.study.masks import LabelImage

FloatImage = npt.NDArray[np.float32]

NONE: Final = "none"
OTHERS: Final = "others"
_LEAST_OBJECTS: Final = 5


class WatershedSettings(BaseModel, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """How the watershed finds nuclei and grows cells from them."""

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
    growth_px: float | None = Field(
        None,
        ge=0,
        le=500,
        title="Growth (px)",
        description="How far a cell may reach beyond its nucleus; empty: 1.2 nucleus diameters",
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
        if image.ndim != 3 or len(image) != len(self.channels):
            raise SegmentationError(
                f"an image of {len(self.channels)} channels (CYX) was expected, not of the shape {image.shape}."
            )
        chosen = self.settings
        nuclear = image[channel_index(self.channels, chosen.nuclei_channel)]
        nuclei = find_nuclei(nuclear, chosen)
        if chosen.cells_channel == NONE:
            return Segmentation(nuclei)
        if chosen.cells_channel == OTHERS:
            own = channel_index(self.channels, chosen.nuclei_channel)
            cellular = _together([plane for i, plane in enumerate(image) if i != own])
        else:
            cellular = image[channel_index(self.channels, chosen.cells_channel)]
        return Segmentation(grow_cells(cellular, nuclei, chosen), nuclei)


def find_nuclei(nuclear: Pixels, settings: WatershedSettings) -> LabelImage:
    """Find nuclei in one channel (YX): threshold, then split what touches by its distance to the edge."""
    diameter = settings.nucleus_diameter_px or 0.0
    smooth = _smooth(nuclear, diameter / 12)
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
    return _keep(nuclei, settings.smallest_nucleus * usual, 8 * usual)


def grow_cells(cellular: Pixels, nuclei: LabelImage, settings: WatershedSettings) -> LabelImage:
    """Grow each nucleus into its cell on one channel (YX), up to its neighbours or the background.

    Cells keep the label ids of their nuclei. A cell that is dark in this channel still gets a rim around its
    nucleus, so that each cell has a cytoplasm to compare with.
    """
    diameter = settings.nucleus_diameter_px or 0.0
    reach = settings.growth_px if settings.growth_px is not None else 1.2 * diameter
    smooth = _smooth(cellular, diameter / 15)
    away = ndimage.distance_transform_edt(nuclei == 0)
    outside = smooth[nuclei == 0]
    if outside.size and outside.min() < outside.max():
        foreground = smooth > 0.7 * threshold_otsu(outside)
    else:
        foreground = np.zeros(nuclei.shape, bool)
    mask = (foreground & (away <= reach)) | (away <= min(reach, diameter / 5))
    mask = remove_small_holes(mask, max_size=round(diameter**2 / 2))
    edges = sobel(smooth)
    scale = float(np.percentile(edges, 99)) or 1.0
    return np.asarray(watershed(edges / scale + away / max(reach, 1.0), nuclei, mask=mask), np.int32)


def make_watershed(settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> WatershedSegmenter:
    """Make the watershed segmenter, measuring on a few CYX images what the settings left automatic.

    Raises
    ------
    SettingsError
        Where a setting is unknown or out of bounds.
    ChannelError
        Where a channel does not exist.
    """
    wanted = validated(WatershedSettings, settings)
    if wanted.nuclei_channel:
        nuclei = channel_index(channels, wanted.nuclei_channel)
    else:
        nuclei = _nuclei_channel(channels, sample)
    diameter = wanted.nucleus_diameter_px or _nucleus_diameter(sample, nuclei)
    contrast = wanted.least_contrast
    if contrast is None:
        contrast = round(0.25 * _contrast(sample, nuclei, diameter), 3)
    filled = wanted.model_copy(
        update={
            "nuclei_channel": channels[nuclei],
            "nucleus_diameter_px": round(float(diameter), 2),
            "least_contrast": contrast,
        }
    )
    if wanted.cells_channel and wanted.cells_channel not in {NONE, OTHERS}:
        cells = channels[channel_index(channels, wanted.cells_channel)]
    elif wanted.cells_channel == NONE or len(channels) == 1:
        cells = NONE
    else:
        cells = OTHERS if len(channels) > 2 else channels[1 - nuclei]
    growth = wanted.growth_px if wanted.growth_px is not None else round(1.2 * float(diameter), 2)
    return WatershedSegmenter(filled.model_copy(update={"cells_channel": cells, "growth_px": growth}), channels)


def _together(planes: Sequence[Pixels]) -> FloatImage:
    """Put YX planes together, each scaled so that its background is 0 and its bright parts are 1."""
    total = np.zeros(planes[0].shape, np.float32)
    for plane in planes:
        grey = plane.astype(np.float32)
        low, high = np.percentile(grey, [10, 99])
        total += np.clip((grey - low) / max(high - low, 1e-6), 0, 1.5)
    return total / np.float32(len(planes))


def _smooth(plane: Pixels, sigma_px: float) -> FloatImage:
    smoothed: FloatImage = gaussian(plane.astype(np.float32), max(sigma_px, 0.7), preserve_range=True)
    return smoothed


def _keep(labels: LabelImage, smallest_px: float, largest_px: float) -> LabelImage:
    """Drop objects outside an area range, and number the others from 1 without gaps."""
    areas = np.bincount(labels.ravel())
    keep = (areas >= smallest_px) & (areas <= largest_px)
    keep[0] = False
    kept, _, _ = relabel_sequential(np.where(keep[labels], labels, 0))
    return np.asarray(kept, np.int32)


def _objects(plane: Pixels) -> dict[str, npt.NDArray[np.float64]]:
    """Area and solidity of what stands out by Otsu's threshold."""
    smooth = _smooth(plane, 1.0)
    if smooth.min() == smooth.max():
        return {"area": np.empty(0), "solidity": np.empty(0)}
    regions = label_regions(smooth > threshold_otsu(smooth))
    table = regionprops_table(regions, properties=("area", "solidity"))
    big = table["area"] >= 20
    return {name: np.asarray(values, float)[big] for name, values in table.items()}


def _nuclei_channel(channels: tuple[str, ...], sample: list[Pixels]) -> int:
    """Take the channel whose name says so, else the one whose objects are most alike and most compact."""
    named = [i for i, name in enumerate(channels) if looks_nuclear(name)]
    if named or len(channels) == 1:
        return named[0] if named else 0
    scores = []
    for index in range(len(channels)):
        found = [_objects(image[index]) for image in sample]
        alike = [
            np.median(o["solidity"]) * np.mean(np.abs(np.log(o["area"] / np.median(o["area"]))) < np.log(2))
            for o in found
            if len(o["area"]) >= _LEAST_OBJECTS
        ]
        scores.append(float(np.median(alike)) if alike else 0.0)
    return int(np.argmax(scores))


def _nucleus_diameter(sample: list[Pixels], nuclei: int) -> float:
    """Take the usual diameter of compact objects over the sample, in pixels."""
    diameters: list[float] = []
    for image in sample:
        found = _objects(image[nuclei])
        compact = found["area"][found["solidity"] > 0.9]
        if len(compact) >= _LEAST_OBJECTS:
            big = compact[compact > 0.3 * np.median(compact)]
            diameters.append(float(np.sqrt(4 * np.median(big) / np.pi)))
    return float(np.clip(np.median(diameters), 4, 300)) if diameters else 20.0


def _contrast(sample: list[Pixels], nuclei: int, diameter_px: float) -> float:
    """Take how far nuclei usually stand above the background; images without any say nothing."""
    contrasts = []
    for image in sample:
        smooth = _smooth(image[nuclei], diameter_px / 12)
        if len(_objects(image[nuclei])["area"]) < _LEAST_OBJECTS or smooth.min() == smooth.max():
            continue
        bright = smooth[smooth > threshold_otsu(smooth)]
        contrasts.append(float(np.median(bright) - np.percentile(smooth, 10)))
    return float(np.median(contrasts)) if contrasts else 0.0
