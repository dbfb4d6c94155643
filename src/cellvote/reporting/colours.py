"""Colours on white paper: of classes, of shares and of channels; all told apart by colour-blind people too."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from cellvote.palette import CLASS_COLOURS, class_colours, hex_colour, rgb
from cellvote.plates.acquisition import looks_nuclear

__all__ = ["CLASS_COLOURS", "class_colours", "rgb"]

INK: Final = "#1d2733"
MUTED: Final = "#66717d"
RULE: Final = "#d5dae0"
PAPER: Final = "#ffffff"
WRONG: Final = "#d55e00"
BLUE: Final = "#0072b2"

_NUCLEAR: Final = "#20adf8"
_FREE: Final = ("#00ff00", "#ff00ff", "#f8ad20", "#ff3030", "#00ffff", "#ffff00", "#b0b0b0")


def mixed(colour: str, strength: float, towards: str = PAPER) -> str:
    """Mix a colour with another one; strength 1 is the pure colour."""
    strength = float(np.clip(strength, 0, 1))
    return hex_colour(rgb(towards) + (rgb(colour) - rgb(towards)) * strength)


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
