"""Colours on white paper: of classes, of shares and of channels; all told apart by colour-blind people too."""

import colorsys
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.acquisition import looks_nuclear

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
"""Okabe and Ito's palette, blue and orange first, then Paul Tol's; the docks use the same ones in the same order."""

INK: Final = "#1d2733"
MUTED: Final = "#66717d"
RULE: Final = "#d5dae0"
PAPER: Final = "#ffffff"
WRONG: Final = "#d55e00"
BLUE: Final = "#0072b2"

_NUCLEAR: Final = "#20adf8"
_FREE: Final = ("#00ff00", "#ff00ff", "#f8ad20", "#ff3030", "#00ffff", "#ffff00", "#b0b0b0")


def class_colours(n: int) -> tuple[str, ...]:
    """Give colours to ``n`` classes, in their order; beyond the palette, hues at the golden angle."""
    more = (
        colorsys.hsv_to_rgb((0.11 + 0.61803 * i) % 1, 0.55, 0.9 if i % 2 else 0.65)
        for i in range(max(0, n - len(CLASS_COLOURS)))
    )
    return (*CLASS_COLOURS[:n], *(_hex(colour) for colour in more))


def mixed(colour: str, strength: float, towards: str = PAPER) -> str:
    """Mix a colour with another one; strength 1 is the pure colour."""
    strength = float(np.clip(strength, 0, 1))
    return _hex(rgb(towards) + (rgb(colour) - rgb(towards)) * strength)


def share_tint(colour: str, share: float, n_classes: int) -> str:
    """Colour of a winner by its share: pale where it only just leads among ``n_classes``, full at 1."""
    chance = 1 / max(n_classes, 2)
    return mixed(colour, 0.3 + 0.7 * float(np.clip((share - chance) / (1 - chance), 0, 1)))


def share_scale(colour: str) -> tuple[str, str, str]:
    """Give three stops of a scale from no cell to all cells of a class: it darkens steadily, also in grey."""
    return ("#f7f8fa", mixed(colour, 0.8), mixed(colour, 0.6, towards=INK))


def is_dark(colour: str) -> bool:
    """Whether white text reads better on this colour than dark text."""
    return float(rgb(colour) @ np.array([0.299, 0.587, 0.114])) < 0.5


def channel_colours(channels: Sequence[str]) -> tuple[str, ...]:
    """Give each channel a colour to be added to the others: blue for a nuclear stain, else green, magenta, …."""
    if len(channels) == 1:
        return ("#ffffff",)
    free = list(_FREE)
    chosen = []
    for name in channels:
        if looks_nuclear(name) and _NUCLEAR not in chosen:
            chosen.append(_NUCLEAR)
        else:
            chosen.append(free.pop(0) if free else "#b0b0b0")
    return tuple(chosen)


def rgb(colour: str) -> npt.NDArray[np.float64]:
    """Read ``#rrggbb`` as three numbers from 0 to 1."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _hex(colour: Sequence[float] | npt.NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in colour)
