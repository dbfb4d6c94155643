"""Greyscale reconstruction, the step that granularity repeats."""

import numpy as np
import numpy.typing as npt

from cellvote.profiling.compiled import compiled

Floats = npt.NDArray[np.float64]


@compiled
def eroded(image: Floats) -> Floats:
    """Take the smallest of each pixel and its four neighbours."""
    height, width = image.shape
    result = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            least = image[y, x]
            if y > 0:
                least = min(least, image[y - 1, x])
            if y + 1 < height:
                least = min(least, image[y + 1, x])
            if x > 0:
                least = min(least, image[y, x - 1])
            if x + 1 < width:
                least = min(least, image[y, x + 1])
            result[y, x] = least
    return result


@compiled
def reconstructed(seed: Floats, mask: Floats) -> Floats:
    """Dilate a seed by its four neighbours, never beyond the mask, until nothing changes.

    The hybrid method of Vincent, "Morphological grayscale reconstruction in image analysis" (1993): a sweep down, a
    sweep up, then a queue of what may still change. The seed is nowhere above the mask.
    """
    height, width = seed.shape
    level = seed.copy()
    for y in range(height):
        for x in range(width):
            best = level[y, x]
            if y > 0:
                best = max(best, level[y - 1, x])
            if x > 0:
                best = max(best, level[y, x - 1])
            level[y, x] = min(best, mask[y, x])
    # A ring that holds each pixel once at most.
    queue, waits = np.empty(height * width, np.int64), np.zeros(height * width, np.bool_)
    first, n = 0, 0
    for y in range(height - 1, -1, -1):
        for x in range(width - 1, -1, -1):
            best = level[y, x]
            if y + 1 < height:
                best = max(best, level[y + 1, x])
            if x + 1 < width:
                best = max(best, level[y, x + 1])
            best = min(best, mask[y, x])
            level[y, x] = best
            if (y + 1 < height and level[y + 1, x] < best and level[y + 1, x] < mask[y + 1, x]) or (
                x + 1 < width and level[y, x + 1] < best and level[y, x + 1] < mask[y, x + 1]
            ):
                queue[n], waits[y * width + x] = y * width + x, True
                n += 1
    while n:
        place = queue[first]
        first, n = (first + 1) % len(queue), n - 1
        waits[place] = False
        y, x = place // width, place % width
        here = level[y, x]
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and level[v, u] < here and level[v, u] != mask[v, u]:
                level[v, u] = min(here, mask[v, u])
                if not waits[v * width + u]:
                    queue[(first + n) % len(queue)], waits[v * width + u] = v * width + u, True
                    n += 1
    return level
