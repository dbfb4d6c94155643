"""The core measurements: shape, and intensity in each channel, of every cell."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import Pixels
from cellvote.profiling.shape import Objects, shape_measurements
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
)
"""Columns that say where a cell is, not what it looks like: never fed to a classifier."""

RING_WIDTH: Final = 0.2
"""Width of the ring around a nucleus, as a share of the nucleus' diameter."""


def measure_cells(
    image_cyx: Pixels,
    label_image: LabelImage,
    channel_names: Sequence[str],
    nuclei: LabelImage | None = None,
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

    Returns
    -------
    DataFrame
        One row per cell, by ascending ``label_id``. Shape as scikit-image's ``regionprops`` (px, px², radians);
        ``intensity_mean_…``, ``_min_``, ``_max_``, ``_std_`` by channel in grey values; with nuclei also
        ``nucleus_area``, ``nucleus_share``, and for each channel the mean intensity of nucleus and cytoplasm, their
        ratio, and of nucleus and the ring around it the ratio and the contrast: their difference in standard
        deviations of their pixels, which neither gain nor offset of the camera changes. Not a number where a
        cell lacks one of the two. Boxes are half open.

    Raises
    ------
    SegmentationError
        Where the shapes do not fit, or the channels are not as many as the names.
    """
    _check_shapes(image_cyx, label_image, channel_names, nuclei)
    cells = Objects.of(label_image)
    box = cells.bounding_box if len(cells) else np.zeros((0, 4), np.int64)
    height, width = label_image.shape
    centroid = cells.centroid if len(cells) else np.zeros((0, 2))
    table: dict[str, npt.NDArray[np.generic]] = {
        "label_id": cells.label_ids.astype(np.int32),
        "centroid_y": centroid[:, 0],
        "centroid_x": centroid[:, 1],
        "bbox_y_min": box[:, 0].astype(np.int32),
        "bbox_x_min": box[:, 1].astype(np.int32),
        "bbox_y_max": box[:, 2].astype(np.int32),
        "bbox_x_max": box[:, 3].astype(np.int32),
        "touches_border": (box[:, :2] == 0).any(axis=1) | (box[:, 2:] == (height, width)).any(axis=1),
    }
    if len(cells):
        table |= shape_measurements(cells)
        for channel, plane in zip(channel_names, image_cyx, strict=True):
            table |= _intensity(cells, plane, channel)
        if nuclei is not None:
            table |= _compartments(cells, nuclei, image_cyx, channel_names)
        return pd.DataFrame(table)
    return pd.DataFrame(table).reindex(columns=_columns(channel_names, with_nuclei=nuclei is not None))


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
    keys = {"plate", "well", "field", "orientation", *PLACE}  # how a cell lies is chance
    return [str(c) for c in cells if c not in keys and pd.api.types.is_numeric_dtype(cells[c])]


def _intensity(cells: Objects, plane: Pixels, channel: str) -> dict[str, npt.NDArray[np.generic]]:
    values = plane.ravel()[cells.flat].astype(float)
    mean = cells.sum(values) / cells.area
    deviation = values - mean[cells.of_pixel]
    return {
        f"intensity_mean_{channel}": mean,
        f"intensity_min_{channel}": cells.smallest(values),
        f"intensity_max_{channel}": cells.largest(values),
        f"intensity_std_{channel}": np.sqrt(cells.sum(deviation**2) / cells.area),
    }


def _compartments(
    cells: Objects, nuclei: LabelImage, image: Pixels, channel_names: Sequence[str]
) -> dict[str, npt.NDArray[np.generic]]:
    """Measure nucleus and cytoplasm apart: the cytoplasm is the cell without its own nucleus."""
    in_nucleus = nuclei.ravel()[cells.flat] == cells.label_ids[cells.of_pixel]
    nucleus_area = cells.sum(in_nucleus)
    cytoplasm_area = cells.area - nucleus_area
    in_ring = _ring(cells, nuclei, in_nucleus, nucleus_area)
    ring_area = cells.sum(in_ring)
    table: dict[str, npt.NDArray[np.generic]] = {
        "nucleus_area": nucleus_area,
        "nucleus_share": nucleus_area / cells.area,
    }
    for channel, plane in zip(channel_names, image, strict=True):
        values = plane.ravel()[cells.flat].astype(float)
        nucleus = _divide(cells.sum(values * in_nucleus), nucleus_area)
        cytoplasm = _divide(cells.sum(values * ~in_nucleus), cytoplasm_area)
        table[f"intensity_mean_nucleus_{channel}"] = nucleus
        table[f"intensity_mean_cytoplasm_{channel}"] = cytoplasm
        ring = _divide(cells.sum(values * in_ring), ring_area)
        table[f"nucleus_cytoplasm_ratio_{channel}"] = _divide(nucleus, cytoplasm)
        table[f"nucleus_ring_ratio_{channel}"] = _divide(nucleus, ring)
        both = in_nucleus | in_ring
        mean = _divide(cells.sum(values * both), nucleus_area + ring_area)
        deviation = np.where(both, values - mean[cells.of_pixel], 0.0)
        spread = np.sqrt(_divide(cells.sum(deviation**2), nucleus_area + ring_area))
        table[f"nucleus_ring_contrast_{channel}"] = _divide(nucleus - ring, spread)
    return table


def _ring(
    cells: Objects,
    nuclei: LabelImage,
    in_nucleus: npt.NDArray[np.bool_],
    nucleus_area: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    """Find the cytoplasm close around each nucleus, where translocation shows best.

    After Ding et al., "Characterization and quantitation of NF-kB nuclear translocation" (1998): the ring is
    as wide as `RING_WIDTH` times the diameter of the cell's own nucleus.
    """
    away = ndimage.distance_transform_edt(nuclei == 0).ravel()[cells.flat]
    width = RING_WIDTH * np.sqrt(4 * nucleus_area / np.pi)
    return ~in_nucleus & (away <= width[cells.of_pixel])


def _divide(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0))


def _columns(channel_names: Sequence[str], *, with_nuclei: bool) -> list[str]:
    """Name every column, by measuring one cell of one pixel."""
    one = np.ones((1, 1), np.int32)
    blank = np.ones((len(channel_names), 1, 1))
    return [str(c) for c in measure_cells(blank, one, channel_names, one if with_nuclei else None)]
