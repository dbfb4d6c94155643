"""Pyramids: planes halved again and again, so that a viewer reads no more than it shows."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[Any]
Halving = Callable[[Plane], Plane]

MAX_LEVELS: Final = 8
_SMALLEST_PX: Final = 256


def level_count(height: int, width: int) -> int:
    """Say how many levels an image has: halved until both sides are 256 px or less."""
    levels = 1
    while max(height, width) > _SMALLEST_PX and levels < MAX_LEVELS:
        height, width = -(-height // 2), -(-width // 2)
        levels += 1
    return levels


def halve_by_mean(plane: Plane) -> Plane:
    """Average blocks of 2 × 2 pixels; at an odd edge the last row or column counts twice.

    Parameters
    ----------
    plane
        YX, whole or real numbers; whole ones are rounded, halves up.
    """
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge") if height % 2 or width % 2 else plane
    whole = np.issubdtype(plane.dtype, np.integer)
    wide = np.int64 if plane.dtype.itemsize > 2 else np.int32
    parts: Plane = even.astype(wide if whole else np.float64)
    total = parts[::2, ::2] + parts[1::2, ::2] + parts[::2, 1::2] + parts[1::2, 1::2]
    return ((total + 2) // 4 if whole else total / 4).astype(plane.dtype)


def halve_by_nearest(plane: Plane) -> Plane:
    """Take every second pixel: label ids cannot be averaged."""
    return plane[::2, ::2]
