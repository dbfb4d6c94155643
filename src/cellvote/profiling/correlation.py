"""Correlation: how two channels go together inside cells."""

from itertools import combinations
from typing import Final

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Objects
from cellvote.profiling.settings import MeasureSettings

NAMES: Final = ("pearson", "overlap", "k1", "k2", "manders1", "manders2")


def correlation_measurements(
    cells: Objects, image_cyx: Pixels, channel_names: tuple[str, ...], settings: MeasureSettings
) -> Columns:
    """Compare every two channels, pixel by pixel, inside every cell.

    As CellProfiler's MeasureColocalization: Pearson's correlation of all pixels; Manders' coefficients, overlap, k1 and
    k2 of pixels that reach a share of the cell's brightest in both channels. After Manders, Verbeek and Aten,
    "Measurement of co-localization of objects in dual-colour confocal images" (1993). No background is taken off: on
    images with an offset all but Pearson's lie close to 1.

    Returns
    -------
    dict
        ``correlation_NAME_CHANNEL_CHANNEL``: not a number where a channel has no light, or the same everywhere.
    """
    from cellvote.profiling.compiled.correlation import correlations

    values = [cells.values(plane) for plane in image_cyx]
    table: Columns = {}
    for a, b in combinations(range(len(values)), 2):
        said = correlations(values[a], values[b], cells.pixel_starts, settings.correlation_threshold)
        pair = f"{channel_names[a]}_{channel_names[b]}"
        table |= {f"correlation_{name}_{pair}": said[:, i] for i, name in enumerate(NAMES)}
    return table
