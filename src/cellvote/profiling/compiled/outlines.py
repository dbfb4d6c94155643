"""Objects as runs of pixels, and what follows from these alone: extent, moments, perimeter, convex hull."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.compiling import compiled

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@compiled
def find_runs(labels: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], int]:
    """Find the runs of equal foreground pixels along the rows of a YX label image.

    Returns
    -------
    found
        (R, 4) label id, y, first x, and the first x beyond; by place.
    largest
        The largest label id; 0 where there is none.
    """
    height, width = labels.shape
    found = np.empty((16 * height + width, 4), np.int32)  # runs of most images; where there are more, it grows
    n, largest = 0, 0
    for y in range(height):
        if n + width > len(found):
            longer = np.empty((2 * len(found) + width, 4), np.int32)
            longer[:n] = found[:n]
            found = longer
        row = labels[y]
        before = np.int32(0)
        for x in range(width):
            label = row[x]
            if label != before:
                if before > 0:
                    found[n, 3] = x
                    n += 1
                if label > 0:
                    found[n, 0], found[n, 1], found[n, 2] = label, y, x
                    largest = max(largest, label)
                before = label
        if before > 0:
            found[n, 3] = width
            n += 1
    return found[:n], largest


@compiled
def sort_runs(found: npt.NDArray[np.int32], largest: int) -> tuple[Ints, Ints, npt.NDArray[np.int32]]:
    """Sort the runs of `find_runs` by label id, then by place.

    Returns
    -------
    label_ids
        (N,) ascending.
    starts
        (N + 1,) where the runs of each object start.
    runs
        (R, 3) y, first x, and the first x beyond.
    """
    counts = np.zeros(largest + 2, np.int64)
    for k in range(len(found)):
        counts[found[k, 0]] += 1
    n_objects = np.count_nonzero(counts)
    label_ids, starts = np.empty(n_objects, np.int64), np.zeros(n_objects + 1, np.int64)
    i = 0
    for label in range(largest + 1):
        if counts[label]:
            label_ids[i] = label
            starts[i + 1] = starts[i] + counts[label]
            counts[label] = starts[i]  # from now on: where its next run goes
            i += 1
    runs = np.empty((len(found), 3), np.int32)
    for k in range(len(found)):
        place = counts[found[k, 0]]
        counts[found[k, 0]] += 1
        runs[place, 0], runs[place, 1], runs[place, 2] = found[k, 1], found[k, 2], found[k, 3]
    return label_ids, starts, runs


@compiled
def bounding_boxes(starts: Ints, runs: npt.NDArray[np.int32]) -> Ints:
    """(N, 4) y and x of the first row and column, and of the first ones beyond."""
    boxes = np.empty((len(starts) - 1, 4), np.int64)
    for i in range(len(starts) - 1):
        first, last = starts[i], starts[i + 1]
        left, right = runs[first, 1], runs[first, 2]
        for k in range(first + 1, last):
            left, right = min(left, runs[k, 1]), max(right, runs[k, 2])
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = runs[first, 0], left, runs[last - 1, 0] + 1, right
    return boxes


@compiled
def moments(starts: Ints, runs: npt.NDArray[np.int32], boxes: Ints) -> Ints:
    """(N, 6) number of pixels and the sums of y, x, y², yx, x² from the corner of each bounding box."""
    sums = np.zeros((len(starts) - 1, 6), np.int64)
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            n = np.int64(runs[k, 2] - runs[k, 1])
            y, x = runs[k, 0] - boxes[i, 0], runs[k, 1] - boxes[i, 1]
            steps = n * (n - 1) // 2
            sum_x = n * x + steps
            sums[i, 0] += n
            sums[i, 1] += n * y
            sums[i, 2] += sum_x
            sums[i, 3] += n * y * y
            sums[i, 4] += y * sum_x
            sums[i, 5] += n * x * x + 2 * x * steps + steps * (2 * n - 1) // 3
    return sums


@compiled
def border_pixels(starts: Ints, runs: npt.NDArray[np.int32], boxes: Ints) -> Ints:
    """(N, 3) how many border pixels of each object stand for a length of 1, of √2, and of (1 + √2) / 2.

    After Benkrid and Crookes, "Design and FPGA implementation of a perimeter estimator" (2000), as scikit-image
    has it: a border pixel has one of its four neighbours outside the object; its length goes by how many of its
    eight neighbours are border pixels too.
    """
    kind = np.zeros(50, np.int64)
    for code in (5, 7, 15, 17, 25, 27):
        kind[code] = 1
    for code in (21, 33):
        kind[code] = 2
    for code in (13, 23):
        kind[code] = 3
    counts = np.zeros((len(starts) - 1, 4), np.int64)
    room = 0
    for i in range(len(starts) - 1):
        room = max(room, (boxes[i, 2] - boxes[i, 0] + 2) * (boxes[i, 3] - boxes[i, 1] + 2))
    own, border = np.zeros(room, np.uint8), np.zeros(room, np.uint8)
    edge = np.empty(room, np.int64)
    for i in range(len(starts) - 1):
        width = boxes[i, 3] - boxes[i, 1] + 2
        size = (boxes[i, 2] - boxes[i, 0] + 2) * width
        own[:size] = 0
        border[:size] = 0
        for k in range(starts[i], starts[i + 1]):
            row = (runs[k, 0] - boxes[i, 0] + 1) * width - boxes[i, 1] + 1
            own[row + runs[k, 1] : row + runs[k, 2]] = 1
        n_edge = 0
        for k in range(starts[i], starts[i + 1]):
            row = (runs[k, 0] - boxes[i, 0] + 1) * width - boxes[i, 1] + 1
            for p in range(row + runs[k, 1], row + runs[k, 2]):
                if not own[p - 1] & own[p + 1] & own[p - width] & own[p + width]:
                    border[p] = 1
                    edge[n_edge] = p
                    n_edge += 1
        for k in range(n_edge):
            p = edge[k]
            straight = border[p - 1] + border[p + 1] + border[p - width] + border[p + width]
            above, below = p - width, p + width
            slanted = border[above - 1] + border[above + 1] + border[below - 1] + border[below + 1]
            counts[i, kind[1 + 2 * straight + 10 * slanted]] += 1
    return counts[:, 1:]


@compiled
def _turn(rows: Ints, edge: Ints, a: int, b: int, c: int) -> Any:
    """Tell on which side of the line from a to c the point b lies: positive where its edge lies beyond."""
    side: np.int64 = (edge[b] - edge[a]) * (rows[c] - rows[a]) - (edge[c] - edge[a]) * (rows[b] - rows[a])
    return side


@compiled
def _hull(rows: Ints, edge: Ints, n: int, side: int, chain: Ints) -> int:
    """Fill in which points are corners of the hull on one side (−1 left, 1 right), and return how many there are."""
    size = 0
    for point in range(n):
        while size > 1 and side * _turn(rows, edge, chain[size - 2], chain[size - 1], point) <= 0:
            size -= 1
        chain[size] = point
        size += 1
    return size


@compiled
def _trace(rows: Ints, edge: Ints, chain: Ints, size: int, side: int, limits: Ints) -> None:
    """Fill in, for each row of pixels, the last pixel whose centre the hull covers on one side."""
    for corner in range(size - 1):
        a, b = chain[corner], chain[corner + 1]
        steps, change = rows[b] - rows[a], edge[b] - edge[a]
        for row in range(rows[a] + (rows[a] & 1), rows[b] + 1, 2):
            place = edge[a] * steps + change * (row - rows[a])  # times steps; half pixels
            limits[row // 2] = place // (2 * steps) if side > 0 else -(-place // (2 * steps))


@compiled
def convex_areas(starts: Ints, runs: npt.NDArray[np.int32], boxes: Ints) -> Ints:
    """(N,) pixels in the convex hull of the middles of all pixel edges, as scikit-image counts.

    Monotone chains, after Andrew, "Another efficient algorithm for convex hulls in two dimensions" (1979), of the
    outermost points of each half row. All is in whole numbers of half pixels, so that nothing is rounded.
    """
    areas = np.empty(len(starts) - 1, np.int64)
    tallest = 0
    for i in range(len(starts) - 1):
        tallest = max(tallest, boxes[i, 2] - boxes[i, 0])
    far = np.int64(2) ** 40
    left, right = np.empty(2 * tallest + 1, np.int64), np.empty(2 * tallest + 1, np.int64)
    rows, lefts, rights = np.empty_like(left), np.empty_like(left), np.empty_like(left)
    chain = np.empty_like(left)
    first, last = np.empty(tallest, np.int64), np.empty(tallest, np.int64)
    for i in range(len(starts) - 1):
        height = boxes[i, 2] - boxes[i, 0]
        # Half row 2y + 1 runs through the centres of the pixels of row y; those beside it touch their tops.
        for half in range(2 * height + 1):
            left[half], right[half] = far, -far
        for k in range(starts[i], starts[i + 1]):
            middle = 2 * (runs[k, 0] - boxes[i, 0]) + 1
            begin = 2 * np.int64(runs[k, 1] - boxes[i, 1])
            end = 2 * np.int64(runs[k, 2] - 1 - boxes[i, 1])
            left[middle], right[middle] = min(left[middle], begin - 1), max(right[middle], end + 1)
            for half in (middle - 1, middle + 1):
                left[half], right[half] = min(left[half], begin), max(right[half], end)
        n = 0
        for half in range(2 * height + 1):
            if left[half] < far:
                rows[n], lefts[n], rights[n] = half - 1, left[half], right[half]  # the first row of pixels is 0
                n += 1
        _trace(rows, lefts, chain, _hull(rows, lefts, n, -1, chain), -1, first)
        _trace(rows, rights, chain, _hull(rows, rights, n, 1, chain), 1, last)
        area = 0
        for y in range(height):
            area += last[y] - first[y] + 1
        areas[i] = area
    return areas
