"""Measurements of every cell: shape and intensity, and what further sets are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import Pixels
from cellvote.profiling.correlation import correlation_measurements
from cellvote.profiling.granularity import granularity_measurements
from cellvote.profiling.intensities import Regions, intensity_measurements
from cellvote.profiling.local_patterns import pattern_measurements
from cellvote.profiling.neighbours import neighbour_measurements
from cellvote.profiling.objects import Columns, Objects
from cellvote.profiling.outline import outline_measurements
from cellvote.profiling.polar import polar_measurements
from cellvote.profiling.radial_distribution import radial_measurements
from cellvote.profiling.scale_space import scale_space_measurements
from cellvote.profiling.settings import MeasureSettings
from cellvote.profiling.shape import shape_measurements
from cellvote.profiling.texture import texture_measurements
from cellvote.settings import validated
from cellvote.study.masks import LabelImage

PLACE: Final = (
    "label_id",
    "centroid_y",
    "centroid_x",
    "bbox_y_min",
    "bbox_x_min",
    "bbox_y_max",
    "bbox_x_max",
    "touches_border",
    "degenerate",
)
"""Columns that say where a cell is, not what it looks like: never fed to a classifier."""

NOT_FED: Final = frozenset({"plate", "well", "field", "orientation", *PLACE})
"""Neither is how a cell lies: that is chance."""

_SETS: Final = {
    "texture": texture_measurements,
    "granularity": granularity_measurements,
    "radial_distribution": radial_measurements,
    "neighbours": neighbour_measurements,
    "correlation": correlation_measurements,
    "local_patterns": pattern_measurements,
    "scale_space": scale_space_measurements,
    "polar": polar_measurements,
    "outline": outline_measurements,
}


def measure_cells(
    image_cyx: Pixels,
    label_image: LabelImage,
    channel_names: Sequence[str],
    nuclei: LabelImage | None = None,
    *,
    sets: str | Sequence[str] = ("core",),
    **settings: Any,
) -> pd.DataFrame:
    """Measure every cell of one field.

    Parameters
    ----------
    image_cyx
        CYX, any real dtype.
    label_image
        YX, any integer dtype; 0 is background.
    channel_names
        One for each channel.
    nuclei
        YX, the nucleus of each cell with the label id of its cell.
    sets
        Beside ``core``: ``texture``, ``granularity``, ``radial_distribution``, ``neighbours``, ``correlation``,
        ``local_patterns``, ``scale_space``, ``polar``, ``outline``.
    **settings
        The other settings of `MeasureSettings`.

    Returns
    -------
    DataFrame
        One row per cell, by ascending ``label_id``. Shape as scikit-image's ``regionprops`` (px, px², radians);
        ``intensity_mean_…``, ``_min_``, ``_max_``, ``_std_`` by channel in grey values; with nuclei also
        ``nucleus_area``, ``nucleus_share``, and for each channel the mean intensity of nucleus and cytoplasm, their
        ratio, and of nucleus and the ring around it the ratio and the contrast: their difference in standard
        deviations of their pixels, which neither gain nor offset of the camera changes. Not a number where a
        cell lacks one of the two. Boxes are half open. ``touches_border``: a part of the cell may be missing;
        ``degenerate``: it is a pixel or a line, with no perimeter or no width. What further sets add is said by their
        functions. The same bits on any number of workers.

    Raises
    ------
    SegmentationError
        Where the shapes do not fit, or the channels are not as many as the names.
    SettingsError
        Where there is no such set or setting, or a value is not allowed.
    """
    chosen = validated(MeasureSettings, {"sets": sets, **settings})
    _check_shapes(image_cyx, label_image, channel_names, nuclei)
    return pd.DataFrame(measure_outlines(image_cyx, Outlines.of(label_image, nuclei), channel_names, chosen))


@dataclass(frozen=True)
class Outlines:
    """What the masks of a field tell without its pixels: cells, their regions, places and shapes."""

    cells: Objects
    regions: Regions
    columns: Columns

    @classmethod
    def of(cls, label_image: LabelImage, nuclei: LabelImage | None = None) -> Self:
        """Look at a YX label image, and at the nuclei where there are any."""
        cells = Objects.of(label_image)
        shape = shape_measurements(cells)
        flags = {"degenerate": (shape["perimeter"] == 0) | (shape["axis_minor_length"] == 0)}
        return cls(cells, Regions.of(cells, nuclei), _place(cells) | flags | shape)


def measure_outlines(
    image_cyx: Pixels, outlines: Outlines, channel_names: Sequence[str], settings: MeasureSettings
) -> Columns:
    """Measure the pixels inside outlines: the columns of `measure_cells`."""
    cells, channels = outlines.cells, tuple(channel_names)
    table = outlines.columns | intensity_measurements(cells, outlines.regions, image_cyx, channels)
    for name in settings.sets:
        if name != "core":
            table |= _SETS[name](cells, image_cyx, channels, settings)
    border, degenerate = (np.asarray(table[name], bool) for name in ("touches_border", "degenerate"))
    left_out = border & settings.exclude_border | degenerate & settings.exclude_degenerate
    return {name: values[~left_out] for name, values in table.items()} if left_out.any() else table


def _place(cells: Objects) -> Columns:
    box, centroid = cells.bounding_box.astype(np.int32), cells.centroid
    return {
        "label_id": cells.label_ids.astype(np.int32),
        "centroid_y": centroid[:, 0],
        "centroid_x": centroid[:, 1],
        "bbox_y_min": box[:, 0],
        "bbox_x_min": box[:, 1],
        "bbox_y_max": box[:, 2],
        "bbox_x_max": box[:, 3],
        "touches_border": cells.touches_border,
    }


def _check_shapes(
    image_cyx: Pixels, label_image: LabelImage, channel_names: Sequence[str], nuclei: LabelImage | None
) -> None:
    if image_cyx.ndim != 3 or image_cyx.shape[1:] != label_image.shape:
        raise SegmentationError(f"a label image of {label_image.shape} does not fit an image of {image_cyx.shape}.")
    if nuclei is not None and nuclei.shape != label_image.shape:
        raise SegmentationError(f"a nuclei image of {nuclei.shape} does not fit a label image of {label_image.shape}.")
    if len(channel_names) != len(image_cyx):
        raise SegmentationError(f"{len(channel_names)} channel names for {len(image_cyx)} channels.")


def feature_columns(cells: pd.DataFrame) -> list[str]:
    """Name the columns of a cells table that say what a cell looks like, in their order."""
    return [str(c) for c in cells if c not in NOT_FED and pd.api.types.is_numeric_dtype(cells[c])]
