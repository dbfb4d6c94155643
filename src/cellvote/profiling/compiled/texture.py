"""Co-occurrence of grey levels inside objects, and what Haralick made of it."""

import numpy as np
import numpy.typing as npt

from cellvote.profiling.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def _entropy(shares: Floats) -> float:
    total = 0.0
    for share in shares:
        if share > 0:
            total -= share * np.log2(share)
    return total


@compiled
def _haralick(counts: npt.NDArray[np.int64], n_pairs: int, low: int, high: int, said: Floats) -> None:
    """Fill in the thirteen measures of a symmetric matrix of counts between two levels."""
    n = high - low + 1
    marginal, sums, differences = np.zeros(n), np.zeros(2 * n - 1), np.zeros(n)
    second_moment, homogeneity, entropy, product = 0.0, 0.0, 0.0, 0.0
    for a in range(n):
        for b in range(n):
            count = counts[low + a, low + b]
            if count:
                share = count / n_pairs
                marginal[a] += share
                sums[a + b] += share
                differences[abs(a - b)] += share
                second_moment += share * share
                homogeneity += share / (1 + (a - b) ** 2)
                entropy -= share * np.log2(share)
                product += share * a * b
    mean, square, contrast, difference = 0.0, 0.0, 0.0, 0.0
    for a in range(n):
        mean += a * marginal[a]
        square += a * a * marginal[a]
        contrast += a * a * differences[a]
        difference += a * differences[a]
    variance = max(square - mean * mean, 0.0)
    sum_square = 0.0
    for k in range(2 * n - 1):
        sum_square += (k - 2 * mean) ** 2 * sums[k]
    level_entropy = _entropy(marginal)
    # The matrix is symmetric: rows and columns have the same shares, and both cross entropies are 2 H.
    said[0] = second_moment
    said[1] = contrast
    said[2] = (product - mean * mean) / variance if variance > 0 else 1.0
    said[3] = variance
    said[4] = homogeneity
    said[5] = 2 * (mean + low)
    said[6] = sum_square
    said[7] = _entropy(sums)
    said[8] = entropy
    said[9] = max(contrast - difference * difference, 0.0)
    said[10] = _entropy(differences)
    said[11] = (entropy - 2 * level_entropy) / level_entropy if level_entropy > 0 else 0.0
    said[12] = np.sqrt(max(1 - np.exp(-2 * (2 * level_entropy - entropy)), 0.0))


@compiled
def texture(
    levels: npt.NDArray[np.int16],
    starts: Ints,
    runs: npt.NDArray[np.int32],
    boxes: Ints,
    n_levels: int,
    distance: int,
) -> Floats:
    """Measure the texture of every object in four directions.

    Parameters
    ----------
    levels
        (P,) the grey level of each pixel, in the order of the runs; 0 is left out.
    n_levels
        The highest grey level is below it.
    distance
        Of the compared pixels: along rows and columns, and as many steps along both diagonals.

    Returns
    -------
    ndarray
        (N, 4, 13): directions 0°, 45°, 90° and 135° as rows go down; not a number where no two pixels lie so.
    """
    said = np.full((len(starts) - 1, 4, 13), np.nan)
    room = 0
    for i in range(len(starts) - 1):
        room = max(room, (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1]))
    window = np.zeros(room, np.int16)
    counts = np.zeros((n_levels, n_levels), np.int64)
    n = 0
    for i in range(len(starts) - 1):
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        window[: height * width] = 0
        low, high = n_levels, 0
        for k in range(starts[i], starts[i + 1]):
            row = (runs[k, 0] - boxes[i, 0]) * width - boxes[i, 1]
            for x in range(runs[k, 1], runs[k, 2]):
                level = levels[n]
                window[row + x] = level
                n += 1
                if level > 0:
                    low, high = min(low, level), max(high, level)
        for direction in range(4):
            down = 0 if direction == 0 else distance
            right = (distance, distance, 0, -distance)[direction]
            counts[low : high + 1, low : high + 1] = 0
            n_pairs = 0
            for y in range(height - down):
                for x in range(max(0, -right), width - max(0, right)):
                    a = window[y * width + x]
                    b = window[(y + down) * width + x + right]
                    if a > 0 and b > 0:
                        counts[a, b] += 1
                        counts[b, a] += 1
                        n_pairs += 2
            if n_pairs:
                _haralick(counts, n_pairs, low, high, said[i, direction])
    return said
