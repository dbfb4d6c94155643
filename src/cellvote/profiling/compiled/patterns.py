"""Local binary patterns of the pixels of objects."""

import numpy as np
import numpy.typing as npt

from cellvote.compiling import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def pattern_counts(plane: Floats, starts: Ints, runs: npt.NDArray[np.int32], radius: float) -> Ints:
    """Count the rotation-invariant uniform patterns of eight neighbours on a circle around each pixel of an object.

    A neighbour between pixels is interpolated linearly; beyond the image stands its edge. Neighbours are compared as
    differences to the pixel in the middle, so that in an even area none is darker by rounding.

    Returns
    -------
    ndarray
        (N, 10): pixels with 0 … 8 neighbours that are not darker and lie side by side, and pixels whose neighbours
        change between darker and not darker more than twice around the circle.
    """
    height, width = plane.shape
    step_y, step_x = np.empty(8, np.int64), np.empty(8, np.int64)
    part_y, part_x = np.empty(8), np.empty(8)
    for k in range(8):
        y, x = -radius * np.sin(k * np.pi / 4), radius * np.cos(k * np.pi / 4)
        y, x = np.round(y * 1e5) / 1e5, np.round(x * 1e5) / 1e5
        step_y[k], step_x[k] = int(np.floor(y)), int(np.floor(x))
        part_y[k], part_x[k] = y - step_y[k], x - step_x[k]
    counts = np.zeros((len(starts) - 1, 10), np.int64)
    for i in range(len(starts) - 1):
        for run in range(starts[i], starts[i + 1]):
            for x in range(runs[run, 1], runs[run, 2]):
                middle = plane[runs[run, 0], x]
                n_set, changes, first, before = 0, 0, False, False
                for k in range(8):
                    top = min(max(runs[run, 0] + step_y[k], 0), height - 1)
                    bottom = min(max(runs[run, 0] + step_y[k] + 1, 0), height - 1)
                    left = min(max(x + step_x[k], 0), width - 1)
                    right = min(max(x + step_x[k] + 1, 0), width - 1)
                    upper = (plane[top, left] - middle) * (1 - part_x[k]) + (plane[top, right] - middle) * part_x[k]
                    lower = (plane[bottom, left] - middle) * (1 - part_x[k])
                    lower += (plane[bottom, right] - middle) * part_x[k]
                    bit = upper * (1 - part_y[k]) + lower * part_y[k] >= 0
                    n_set += bit
                    if k == 0:
                        first = bit
                    elif bit != before:
                        changes += 1
                    before = bit
                changes += before != first
                counts[i, n_set if changes <= 2 else 9] += 1
    return counts
