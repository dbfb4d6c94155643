"""The pixels of objects one behind the other, in the order of their runs; and objects painted as an image."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.profiling.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def pixel_values(plane: npt.NDArray[Any], runs: npt.NDArray[np.int32], n_pixels: int) -> Floats:
    """(P,) the values of a YX plane in all runs."""
    values = np.empty(n_pixels, np.float64)
    n = 0
    for k in range(len(runs)):
        for x in range(runs[k, 1], runs[k, 2]):
            values[n] = plane[runs[k, 0], x]
            n += 1
    return values


@compiled
def numbered_image(starts: Ints, runs: npt.NDArray[np.int32], height: int, width: int) -> npt.NDArray[np.int32]:
    """(Y, X) 1 for the first object, 2 for the second, … and 0 for the background."""
    image = np.zeros((height, width), np.int32)
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            image[runs[k, 0], runs[k, 1] : runs[k, 2]] = i + 1
    return image


@compiled
def interpolated_means(
    plane: Floats, starts: Ints, runs: npt.NDArray[np.int32], step_y: float, step_x: float
) -> Floats:
    """(N,) mean over each object of a smaller plane, stretched over the image by linear interpolation.

    ``step_y`` and ``step_x`` say how far in the small plane one pixel of the image goes.
    """
    height, width = plane.shape
    means = np.empty(len(starts) - 1, np.float64)
    for i in range(len(starts) - 1):
        total, n = 0.0, 0
        for k in range(starts[i], starts[i + 1]):
            y = min(runs[k, 0] * step_y, height - 1.0)
            above = min(int(y), height - 2)
            part_y = y - above
            for column in range(runs[k, 1], runs[k, 2]):
                x = min(column * step_x, width - 1.0)
                left = min(int(x), width - 2)
                part_x = x - left
                upper = plane[above, left] * (1 - part_x) + plane[above, left + 1] * part_x
                lower = plane[above + 1, left] * (1 - part_x) + plane[above + 1, left + 1] * part_x
                total += upper * (1 - part_y) + lower * part_y
                n += 1
        means[i] = total / n
    return means
