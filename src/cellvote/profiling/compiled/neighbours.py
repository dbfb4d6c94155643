"""Which objects lie beside which."""

import numpy as np
import numpy.typing as npt

from cellvote.profiling.compiled import compiled

Ints = npt.NDArray[np.int64]


@compiled
def contacts(numbered: npt.NDArray[np.int32], starts: Ints, runs: npt.NDArray[np.int32], distance: int) -> Ints:
    """Look around from the border of every object.

    Parameters
    ----------
    numbered
        (Y, X) 1 for the first object, 2 for the second, …
    distance
        In pixels, from centre to centre.

    Returns
    -------
    ndarray
        (N, 4) how many others touch it (with a side or a corner), how many lie within the distance, how many
        pixels its border has, and how many of these touch another object. A border pixel has something else, or the
        end of the image, among its eight neighbours.
    """
    height, width = numbered.shape
    said = np.zeros((len(starts) - 1, 4), np.int64)
    touched, near = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    for i in range(len(starts) - 1):
        own = i + 1
        for k in range(starts[i], starts[i + 1]):
            y = runs[k, 0]
            for x in range(runs[k, 1], runs[k, 2]):
                at_border, touching = False, False
                for v in range(y - 1, y + 2):
                    for u in range(x - 1, x + 2):
                        if not (0 <= v < height and 0 <= u < width):
                            at_border = True
                            continue
                        other = numbered[v, u]
                        if other != own:
                            at_border = True
                            if other:
                                touching = True
                                if touched[other - 1] != own:
                                    touched[other - 1] = own
                                    said[i, 0] += 1
                if not at_border:
                    continue
                said[i, 2] += 1
                said[i, 3] += touching
                for v in range(max(0, y - distance), min(height, y + distance + 1)):
                    for u in range(max(0, x - distance), min(width, x + distance + 1)):
                        other = numbered[v, u]
                        within = (v - y) ** 2 + (u - x) ** 2 <= distance * distance
                        if within and other and other != own and near[other - 1] != own:
                            near[other - 1] = own
                            said[i, 1] += 1
    return said
