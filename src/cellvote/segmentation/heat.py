"""Flows of a label image by heat that spreads from the middle of each cell: Cellpose's definition, compiled.

Cellpose computes them on a GPU, for all cells at once; on a processor its way is slow, as every step gathers nine
neighbours of every pixel through index tables. Cell by cell, all that is needed stays in the processor's cache.
"""

import numpy as np
import numpy.typing as npt

from cellvote.compiling import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def flow_directions(label_image: npt.NDArray[np.integer]) -> Floats:
    """Give each pixel of a cell the direction to the middle of the cell, along the cell.

    As ``cellpose.dynamics.masks_to_flows_gpu`` (Stringer et al., "Cellpose", Nature Methods 2021): heat is put in
    at the pixel nearest to the mean of the cell's pixels, and spreads as the mean of a pixel and its eight
    neighbours in the same cell; its gradient is scaled to unit length.

    Parameters
    ----------
    label_image
        YX, any label ids.

    Returns
    -------
    ndarray
        2YX float64: dY and dX, zero outside of cells.
    """
    padded = np.pad(label_image, 1)
    pixels, starts = _pixels_of_cells(padded)
    directions = np.zeros((2, padded.size))
    if len(starts) > 1:
        _spread(pixels, starts, padded.shape[1], np.zeros(padded.size, np.int64), np.zeros(padded.size), directions)
    return directions.reshape(2, *padded.shape)[:, 1:-1, 1:-1]


def drop_unlike_flows(
    label_image: npt.NDArray[np.int32], flows: npt.NDArray[np.float32], threshold: float
) -> npt.NDArray[np.int32]:
    """Drop the cells whose shape disagrees with the flows that made them: Cellpose's check of quality.

    Parameters
    ----------
    label_image
        YX.
    flows
        2YX, unit vectors as the network sees them.
    threshold
        The largest mean squared difference between these and the flows of the shape.
    """
    error = ((flow_directions(label_image) - flows) ** 2).sum(axis=0)
    area = np.bincount(label_image.ravel())
    total = np.bincount(label_image.ravel(), error.ravel())
    keep = total <= threshold * np.maximum(area, 1)
    keep[0] = False
    return np.where(keep[label_image], label_image, 0).astype(np.int32)


def _pixels_of_cells(padded: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Give the flat positions of all pixels cell by cell, and where each cell's begin."""
    flat = padded.ravel()
    pixels = np.flatnonzero(flat)
    pixels = pixels[np.argsort(flat[pixels], kind="stable")]
    change = np.flatnonzero(np.diff(flat[pixels])) + 1
    return pixels.astype(np.int64), np.concatenate([[0], change, [len(pixels)]] if len(pixels) else [[0]]).astype(
        np.int64
    )


@compiled
def _spread(pixels: Ints, starts: Ints, width: int, place: Ints, heat: Floats, directions: Floats) -> None:
    """Fill in ``directions``; ``place`` and ``heat`` are zeros of the padded image's size."""
    n_cells = len(starts) - 1
    middles = np.empty(n_cells, np.int64)
    n_steps = 0
    largest = 0
    for i in range(n_cells):
        own = pixels[starts[i] : starts[i + 1]]
        n = len(own)
        largest = max(largest, n)
        top, bottom, left, right = own[0] // width, own[0] // width, own[0] % width, own[0] % width
        sum_y, sum_x = 0, 0
        for p in own:
            y, x = p // width, p % width
            sum_y += y
            sum_x += x
            top, bottom, left, right = min(top, y), max(bottom, y), min(left, x), max(right, x)
        n_steps = max(n_steps, 2 * (bottom - top + right - left + 4))
        middle_y, middle_x = round(sum_y / n - top) + top, round(sum_x / n - left) + left
        nearest = -1
        for k in range(n):
            away = (own[k] // width - middle_y) ** 2 + (own[k] % width - middle_x) ** 2
            if nearest < 0 or away < nearest:
                nearest = away
                middles[i] = k
    around = np.array([0, -width, width, -1, 1, -width - 1, -width + 1, width - 1, width + 1])
    neighbours = np.empty((largest, 9), np.int64)
    now, after = np.zeros(largest + 1), np.zeros(largest + 1)
    for i in range(n_cells):
        own = pixels[starts[i] : starts[i + 1]]
        n = len(own)
        for k in range(n):
            place[own[k]] = k + 1
        for k in range(n):
            for j in range(9):
                there = place[own[k] + around[j]]
                neighbours[k, j] = there - 1 if there > 0 else n  # at n it is always cold
        now[: n + 1] = 0
        for _ in range(n_steps):
            now[middles[i]] += 1
            for k in range(n):
                total = 0.0
                for j in range(9):
                    total += now[neighbours[k, j]]
                after[k] = total / 9
            now[:n] = after[:n]
        for k in range(n):
            place[own[k]] = 0
            heat[own[k]] = now[k]
    for p in pixels:  # as in Cellpose, the heat of a cell that touches counts too
        dy, dx = heat[p + width] - heat[p - width], heat[p + 1] - heat[p - 1]
        length = 1e-60 + (dy * dy + dx * dx) ** 0.5
        directions[0, p] = dy / length
        directions[1, p] = dx / length
