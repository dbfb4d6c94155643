"""Texture: how grey levels follow one another inside cells."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Floats, Objects
from cellvote.profiling.settings import MeasureSettings

HARALICK: Final = (
    "angular_second_moment",
    "contrast",
    "correlation",
    "variance",
    "inverse_difference_moment",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "information_1",
    "information_2",
)


def texture_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], settings: MeasureSettings
) -> Columns:
    """Measure Haralick's texture of every cell, as the mean of four directions.

    After Haralick, Shanmugam and Dinstein, "Textural features for image classification" (1973); the matrix is
    symmetric, and entropies are in bits, as in mahotas and CellProfiler. The variance of differences is that of
    ``|i − j|``, as the paper's text has it (mahotas takes that of the histogram's heights, unless asked otherwise).

    Returns
    -------
    dict
        ``texture_MEASURE_SCALEpx_CHANNEL``: not a number where no two pixels of a cell lie so far apart.
    """
    from cellvote.profiling.compiled.texture import texture

    table: Columns = {}
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        levels = grey_levels(cells, plane, settings)
        for scale_px in settings.texture_scales_px:
            said = texture(levels, cells.starts, cells.runs, cells.bounding_box, settings.texture_levels + 1, scale_px)
            mean = said.mean(axis=1)
            table |= {f"texture_{name}_{scale_px}px_{channel}": mean[:, i] for i, name in enumerate(HARALICK)}
    return table


def grey_levels(cells: Objects, plane: Pixels, settings: MeasureSettings) -> npt.NDArray[np.int16]:
    """Divide the grey values of all cells' pixels into levels; 0 is left out of the texture.

    With the range of the cell, levels are 1 … n from its darkest to its brightest pixel. With that of the image, they
    are CellProfiler's 0 … n − 1: rounded to eight bits first, of which the black ones are left out (floats are taken
    to be within 0 and 1).
    """
    n = settings.texture_levels
    values = cells.values(plane)
    if settings.texture_range == "cell":
        least, most = cells.smallest(values), cells.largest(values)
        width = np.where(most > least, most - least, 1.0)[cells.of_pixel]
        with np.errstate(invalid="ignore"):  # pixels that are no number
            levels = np.floor((values - least[cells.of_pixel]) / width * n)
            return np.asarray(np.clip(np.nan_to_num(levels), 0, n - 1) + 1, np.int16)
    return np.asarray(np.floor(_eight_bits(values, plane.dtype) / 255 * (n - 1)), np.int16)


def _eight_bits(values: Floats, dtype: np.dtype[Any]) -> Floats:
    most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    return np.asarray(np.rint(np.clip(np.nan_to_num(values / most), 0, 1) * 255), float)
