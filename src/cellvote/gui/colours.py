"""Colours: of classes, of channels, and of numbers; all told apart by colour-blind people too."""

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
"""Okabe and Ito's palette, blue and orange first, then Paul Tol's; grey is kept for what has no class."""

UNKNOWN_COLOUR: Final = "#8a8f98"
"""Of what has no class, no number or no vote."""

RIGHT_COLOUR: Final = "#009e73"
WRONG_COLOUR: Final = "#d55e00"

_DYES: Final = (
    ("green", ("gfp", "fitc", "alexa488", "af488", "488", "er", "concanavalin", "fkhr", "tubulin", "cy2")),
    ("yellow", ("yfp", "rna", "syto14", "532", "venus", "citrine")),
    ("red", ("actin", "phalloidin", "agp", "rfp", "tritc", "cy3", "mcherry", "texas", "txred", "568", "594", "red")),
    ("magenta", ("mito", "cy5", "647", "640", "farred", "draq5")),
    ("cyan", ("cfp", "cerulean")),
    ("gray", ("bright", "bf", "phase", "dic", "trans", "dpc")),
)
_FREE: Final = ("green", "magenta", "bop blue", "yellow", "red", "cyan", "bop orange", "bop purple", "gray")

# matplotlib's viridis without its darkest part, which a dark window swallows: numbers keep their order in grey
# and for colour-blind people.
_SEQUENTIAL: Final = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")


def class_colours(n: int) -> tuple[str, ...]:
    """Give colours to ``n`` classes, in their order; beyond the palette, hues at the golden angle."""
    more = (
        colorsys.hsv_to_rgb((0.11 + 0.61803 * i) % 1, 0.55, 0.9 if i % 2 else 0.65)
        for i in range(max(0, n - len(CLASS_COLOURS)))
    )
    return (*CLASS_COLOURS[:n], *(_hex(colour) for colour in more))


def channel_colours(channels: Sequence[str]) -> tuple[str, ...]:
    """Name napari's colormap for each channel: after the dye where its name says one, else one that is free."""
    if len(channels) == 1:
        return ("gray",)
    chosen = [_dye_colour(name) for name in channels]
    free = [colour for colour in _FREE if colour not in chosen]
    return tuple(colour or (free.pop(0) if free else "gray") for colour in chosen)


def _dye_colour(channel: str) -> str:
    if looks_nuclear(channel) and "syto14" not in channel.casefold():
        return "bop blue"
    plain = "".join(c for c in channel.casefold() if c.isalnum())
    for colour, dyes in _DYES:
        if any(plain == dye if len(dye) == 2 else dye in plain for dye in dyes):
            return colour
    return ""


def sequential(share: float) -> str:
    """Give the colour of a number that lies at this share (0 to 1) of its range."""
    stops = np.array([rgb(colour) for colour in _SEQUENTIAL])
    at = float(np.clip(share, 0, 1)) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    return _hex(stops[low] + (stops[low + 1] - stops[low]) * (at - low))


def faded(colour: str, strength: float, towards: str = "#2b3038") -> str:
    """Mix a colour with the colour of an empty well; strength 1 is the pure colour."""
    strength = float(np.clip(strength, 0, 1))
    return _hex(rgb(towards) + (rgb(colour) - rgb(towards)) * strength)


def rgb(colour: str) -> npt.NDArray[np.float64]:
    """Read ``#rrggbb`` as three numbers from 0 to 1."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _hex(colour: Sequence[float] | npt.NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in colour)
