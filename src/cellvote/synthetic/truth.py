"""Hold measured cells against the simulator's truth."""

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cellvote.plates.acquisition import FIELD


def match_truth(cells: pd.DataFrame, truth: pd.DataFrame, within_px: float = 8.0) -> pd.Series:
    """Find the true phenotype of each measured cell: that of the simulated nucleus at its centre.

    Parameters
    ----------
    cells
        ``plate``, ``well``, ``field``, ``centroid_y``, ``centroid_x`` (px).
    truth
        As `write_plate` gives it.
    within_px
        A nucleus further from the cell's centre than this is another's.

    Returns
    -------
    Series of str
        Aligned with the cells; empty where no simulated nucleus is near (debris, a wrong split).
    """
    found = pd.Series("", index=cells.index, dtype="str")
    of_field = dict(iter(truth.groupby(["well", "field"])))
    for (_, well, field), rows in cells.groupby(FIELD):
        known = of_field.get((well, field))
        if known is None:
            continue
        tree = KDTree(known[["y", "x"]].to_numpy(float))
        distance, nearest = tree.query(rows[["centroid_y", "centroid_x"]].to_numpy(float))
        near = distance <= within_px
        names = known["phenotype"].to_numpy(object)[np.where(near, nearest, 0)]
        found[rows.index] = np.where(near, names, "")
    return found
