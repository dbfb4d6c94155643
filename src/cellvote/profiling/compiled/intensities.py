"""Sums of grey values over the runs of objects, whole or by region."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.compiling import compiled

Ints = npt.NDArray[np.int64]


@compiled
def grey_sums(
    plane: npt.NDArray[Any],
    starts: Ints,
    runs: npt.NDArray[np.int32],
    pivots: npt.NDArray[Any],
    sums: npt.NDArray[Any],
    squares: npt.NDArray[Any],
    least: npt.NDArray[Any],
    most: npt.NDArray[Any],
) -> None:
    """Add up the grey values of every object, and their squares, by region.

    Parameters
    ----------
    plane
        YX.
    starts, runs
        Where the runs of each object start; (R, 4) y, first x, first x beyond, region.
    pivots
        (N,) a value of a pixel of each object: it is taken off every value first. As the variance is then at
        least a share 1/n of what is added up, no accuracy is lost by taking squares.
    sums, squares
        (N, regions) filled in; of 64-bit integers for integer planes, which makes them exact.
    least, most
        (N,) the smallest and largest value, filled in; of the pivots' type.
    """
    sums[:] = 0
    squares[:] = 0
    for i in range(len(starts) - 1):
        pivot = pivots[i]
        low = high = pivot
        for k in range(starts[i], starts[i + 1]):
            region = runs[k, 3]
            row = plane[runs[k, 0], runs[k, 1] : runs[k, 2]]
            total = square = pivot - pivot
            for x in range(len(row)):
                value = row[x] + (pivot - pivot)
                away = value - pivot
                total += away
                square += away * away
                low = min(low, value)
                high = max(high, value)
            sums[i, region] += total
            squares[i, region] += square
        least[i], most[i] = low, high


@compiled
def _column_distances(nuclei: npt.NDArray[np.int32], far: int) -> npt.NDArray[np.int32]:
    """(Y, X) how far the next nucleus is, up or down."""
    height, width = nuclei.shape
    away = np.empty((height, width), np.int32)
    for x in range(width):
        away[0, x] = 0 if nuclei[0, x] != 0 else far
    for y in range(1, height):
        for x in range(width):
            away[y, x] = 0 if nuclei[y, x] != 0 else min(away[y - 1, x] + 1, far)
    for y in range(height - 2, -1, -1):
        for x in range(width):
            away[y, x] = min(away[y, x], away[y + 1, x] + 1)
    return away


@compiled
def _mark_near(away: npt.NDArray[np.int32], y: int, begin: int, end: int, reach: Ints, near: Ints) -> None:
    """Mark which pixels of a part of a row lie within reach of a nucleus.

    ``reach[g]`` is how far to the sides a pixel reaches that has its next nucleus g up or down.
    """
    near[: end - begin + 1] = 0
    widest = len(reach) - 1
    for x in range(max(0, begin - widest), min(away.shape[1], end + widest)):
        g = away[y, x]
        if g <= widest:
            first, last = max(x - reach[g], begin), min(x + reach[g], end - 1)
            if first <= last:
                near[first - begin] += 1
                near[last + 1 - begin] -= 1
    for k in range(1, end - begin):
        near[k] += near[k - 1]


@compiled
def split_runs(
    nuclei: npt.NDArray[np.int32],
    label_ids: Ints,
    starts: Ints,
    runs: npt.NDArray[np.int32],
    nucleus_areas: Ints,
    ring_width: float,
) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Split runs where the region changes: 0 cytoplasm beyond the ring, 1 nucleus, 2 ring.

    Parameters
    ----------
    nuclei
        YX, the nucleus of each cell with the label id of its cell.
    nucleus_areas
        (N,) pixels of each cell's own nucleus.
    ring_width
        As a share of the diameter of a disk as large as the nucleus. The ring holds what lies that close to any
        nucleus and is not the cell's own.

    Returns
    -------
    starts, runs
        As given, but (R', 4): y, first x, first x beyond, region.
    """
    largest = 0
    for i in range(len(label_ids)):
        largest = max(largest, nucleus_areas[i])
    far = int(ring_width * np.sqrt(4 * largest / np.pi)) + 2
    away = _column_distances(nuclei, far)
    split_starts = np.zeros(len(starts), np.int64)
    split = np.empty((2 * len(runs) + 16, 4), np.int32)
    near = np.zeros(nuclei.shape[1] + 1, np.int64)
    n = 0
    for i in range(len(label_ids)):
        width = ring_width * np.sqrt(4 * nucleus_areas[i] / np.pi)
        reach = np.empty(int(width) + 1, np.int64)
        for g in range(len(reach)):
            reach[g] = 0
            while np.sqrt(float(g * g + (reach[g] + 1) ** 2)) <= width:
                reach[g] += 1
        for k in range(starts[i], starts[i + 1]):
            y, begin, end = runs[k, 0], runs[k, 1], runs[k, 2]
            _mark_near(away, y, begin, end, reach, near)
            if n + end - begin > len(split):
                longer = np.empty((2 * len(split) + end - begin, 4), np.int32)
                longer[:n] = split[:n]
                split = longer
            last = -1
            for x in range(begin, end):
                region = 1 if nuclei[y, x] == label_ids[i] else (2 if near[x - begin] > 0 else 0)
                if region != last:
                    split[n, 0], split[n, 1], split[n, 3] = y, x, region
                    n += 1
                    last = region
                split[n - 1, 2] = x + 1
        split_starts[i + 1] = n
    return split_starts, split[:n].copy()


@compiled
def count_own(nuclei: npt.NDArray[np.int32], label_ids: Ints, starts: Ints, runs: npt.NDArray[np.int32]) -> Ints:
    """(N,) how many pixels of each cell bear its own label id in another image."""
    counts = np.zeros(len(label_ids), np.int64)
    for i in range(len(label_ids)):
        label_id = label_ids[i]
        n = 0
        for k in range(starts[i], starts[i + 1]):
            row = nuclei[runs[k, 0], runs[k, 1] : runs[k, 2]]
            for x in range(len(row)):
                n += row[x] == label_id
        counts[i] = n
    return counts
