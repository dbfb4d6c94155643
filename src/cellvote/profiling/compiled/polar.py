"""Objects looked at from their centre: what lies on circles around it, and how far away the outline is."""

import numpy as np
import numpy.typing as npt

from cellvote.compiling import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def circle_values(plane: Floats, centres: Floats, radii: Floats, n_angles: int) -> Floats:
    """(N, R, angles) the values of a YX plane on circles: radii are (N, R) px.

    Between pixels they are interpolated linearly; beyond the image stands its edge.
    """
    height, width = plane.shape
    found = np.empty((len(centres), radii.shape[1], n_angles), np.float64)
    for i in range(len(centres)):
        for r in range(radii.shape[1]):
            for k in range(n_angles):
                angle = 2 * np.pi * k / n_angles
                y = min(max(centres[i, 0] + radii[i, r] * np.sin(angle), 0.0), height - 1.0)
                x = min(max(centres[i, 1] + radii[i, r] * np.cos(angle), 0.0), width - 1.0)
                top, left = int(y), int(x)
                bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                part_y, part_x = y - top, x - left
                upper = plane[top, left] * (1 - part_x) + plane[top, right] * part_x
                lower = plane[bottom, left] * (1 - part_x) + plane[bottom, right] * part_x
                found[i, r, k] = upper * (1 - part_y) + lower * part_y
    return found


@compiled
def outline_radii(starts: Ints, runs: npt.NDArray[np.int32], boxes: Ints, centres: Floats, n_angles: int) -> Floats:
    """(N, angles) how far from its centre, in px, each object ends; 0 where none of it lies in that direction."""
    found = np.zeros((len(starts) - 1, n_angles), np.float64)
    room = 0
    for i in range(len(starts) - 1):
        room = max(room, (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1]))
    window = np.empty(room, np.uint8)
    for i in range(len(starts) - 1):
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        window[: height * width] = 0
        for k in range(starts[i], starts[i + 1]):
            row = (runs[k, 0] - boxes[i, 0]) * width - boxes[i, 1]
            window[row + runs[k, 1] : row + runs[k, 2]] = 1
        far = 2 * int(np.ceil(np.hypot(float(height), float(width)))) + 1
        for k in range(n_angles):
            angle = 2 * np.pi * k / n_angles
            for half in range(far, 0, -1):
                middle = half / 2 - 0.25  # of the half pixel that ends there
                y = int(np.floor(centres[i, 0] - boxes[i, 0] + middle * np.sin(angle) + 0.5))
                x = int(np.floor(centres[i, 1] - boxes[i, 1] + middle * np.cos(angle) + 0.5))
                if 0 <= y < height and 0 <= x < width and window[y * width + x]:
                    found[i, k] = half / 2
                    break
    return found
