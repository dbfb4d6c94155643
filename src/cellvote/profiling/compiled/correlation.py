"""How two channels go together inside each object."""

import numpy as np
import numpy.typing as npt

from cellvote.profiling.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def correlations(first: Floats, second: Floats, ends: Ints, threshold: float) -> Floats:
    """Compare two channels, pixel by pixel.

    Parameters
    ----------
    first, second
        (P,) the values of all objects' pixels, one object behind the other.
    ends
        (N + 1,) where each object's pixels start and end.
    threshold
        As a share of the object's brightest pixel, for all but Pearson's.

    Returns
    -------
    ndarray
        (N, 6) Pearson's correlation, overlap, k1, k2, Manders' coefficient of the first and of the second channel.
    """
    said = np.full((len(ends) - 1, 6), np.nan)
    for i in range(len(ends) - 1):
        a, b = first[ends[i] : ends[i + 1]], second[ends[i] : ends[i + 1]]
        mean_a, mean_b = a.mean(), b.mean()
        aa, bb, ab = 0.0, 0.0, 0.0
        for k in range(len(a)):
            aa += (a[k] - mean_a) ** 2
            bb += (b[k] - mean_b) ** 2
            ab += (a[k] - mean_a) * (b[k] - mean_b)
        if aa > 0 and bb > 0:
            said[i, 0] = ab / np.sqrt(aa * bb)
        least_a, least_b = threshold * a.max(), threshold * b.max()
        aa, bb, ab = 0.0, 0.0, 0.0
        total_a, total_b, both_a, both_b = 0.0, 0.0, 0.0, 0.0
        for k in range(len(a)):
            total_a += a[k] if a[k] >= least_a else 0.0
            total_b += b[k] if b[k] >= least_b else 0.0
            if a[k] >= least_a and b[k] >= least_b:
                both_a += a[k]
                both_b += b[k]
                aa += a[k] * a[k]
                bb += b[k] * b[k]
                ab += a[k] * b[k]
        if aa > 0 and bb > 0:
            said[i, 1], said[i, 2], said[i, 3] = ab / np.sqrt(aa * bb), ab / aa, ab / bb
        if total_a > 0:
            said[i, 4] = both_a / total_a
        if total_b > 0:
            said[i, 5] = both_b / total_b
    return said
