"""Local binary patterns: whether what lies around each pixel is darker or brighter, and how that changes around it."""

from typing import Final

import numpy as np

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Objects
from cellvote.profiling.settings import MeasureSettings

RADII_PX: Final = (1, 2, 4)
_PATTERNS: Final = (*(str(n) for n in range(9)), "mixed")


def pattern_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], _settings: MeasureSettings
) -> Columns:
    """Measure which local binary patterns the pixels of every cell have; brightness and how a cell lies change none.

    After Ojala, Pietikäinen and Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification with
    local binary patterns" (2002): the rotation-invariant uniform patterns of eight neighbours, at three radii.

    Returns
    -------
    dict
        ``pattern_N_RADIUSpx_CHANNEL``, the share of pixels of which N neighbours side by side are not darker;
        ``pattern_mixed_…``, the share of those whose darker neighbours lie in several places.
    """
    from cellvote.profiling.compiled.patterns import pattern_counts

    table: Columns = {}
    for channel, plane in zip(channel_names, image_cyx, strict=True):
        values = np.ascontiguousarray(plane, np.float64)
        for radius_px in RADII_PX:
            share = pattern_counts(values, cells.starts, cells.runs, float(radius_px)) / cells.area[:, None]
            table |= {f"pattern_{name}_{radius_px}px_{channel}": share[:, k] for k, name in enumerate(_PATTERNS)}
    return table
