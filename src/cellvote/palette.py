"""The colours of classes, the same in docks and reports; told apart by colour-blind people too."""

import colorsys
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

CLASS_COLOURS: Final = (
    "#56b4e9",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#f0e442",
    "#d55e00",
    "#0072b2",
    "#aa4499",
    "#44aa99",
    "#ddcc77",
    "#882255",
    "#999933",
    "#88ccee",
    "#ee8866",
    "#bbcc33",
    "#ffaabb",
    "#6699cc",
    "#997700",
    "#44bb99",
    "#994455",
)
"""Okabe and Ito's palette, blue and orange first, then Paul Tol's; grey is kept for what has no class."""


def class_colours(n: int) -> tuple[str, ...]:
    """Give colours to ``n`` classes, in their order; beyond the palette, hues at the golden angle."""
    more = (
        colorsys.hsv_to_rgb((0.11 + 0.61803 * i) % 1, 0.55, 0.9 if i % 2 else 0.65)
        for i in range(max(0, n - len(CLASS_COLOURS)))
    )
    return (*CLASS_COLOURS[:n], *(hex_colour(colour) for colour in more))


def rgb(colour: str) -> npt.NDArray[np.float64]:
    """Read ``#rrggbb`` as three numbers from 0 to 1."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def hex_colour(colour: Sequence[float] | npt.NDArray[np.float64]) -> str:
    """Write three numbers from 0 to 1 as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in colour)
