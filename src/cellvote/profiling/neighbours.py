"""Neighbours: how crowded it is around each cell."""

import numpy as np
from scipy.spatial import cKDTree

from cellvote.plates.pixels import Pixels
from cellvote.profiling.objects import Columns, Objects
from cellvote.profiling.settings import MeasureSettings


def neighbour_measurements(
    cells: Objects,
    image_cyx: Pixels,  # noqa: ARG001  (all sets are called alike)
    channel_names: tuple[str, ...],  # noqa: ARG001
    settings: MeasureSettings,
) -> Columns:
    """Count the neighbours of every cell, and measure how far the closest are.

    After CellProfiler's MeasureObjectNeighbors. These say as much of the well as of the cell: where treatments change
    the number of cells, they change these too.

    Returns
    -------
    dict
        ``neighbours_touching`` (with a side or a corner), ``neighbours_within_Dpx``, ``neighbours_touching_share`` of
        the cell's border pixels, and the distances in px from centroid to centroid of the closest and the second
        closest cell; not a number where there is none.
    """
    from cellvote.profiling.compiled.neighbours import contacts
    from cellvote.profiling.compiled.pixels import numbered_image

    numbered = numbered_image(cells.starts, cells.runs, *cells.shape)
    found = contacts(numbered, cells.starts, cells.runs, settings.neighbour_distance_px).astype(float)
    distances = np.full((len(cells), 3), np.nan)
    n = min(len(cells), 3)
    if n:
        distances[:, :n] = cKDTree(cells.centroid).query(cells.centroid, k=np.arange(1, n + 1))[0]
    return {
        "neighbours_touching": found[:, 0],
        f"neighbours_within_{settings.neighbour_distance_px}px": found[:, 1],
        "neighbours_touching_share": found[:, 3] / np.maximum(found[:, 2], 1),
        "neighbours_first_distance": distances[:, 1],
        "neighbours_second_distance": distances[:, 2],
    }
