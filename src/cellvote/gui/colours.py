"""Colours: of classes, of channels, and of numbers; all told apart by colour-blind people too."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from cellvote.palette import CLASS_COLOURS, class_colours, hex_colour, rgb
from cellvote.plates.acquisition import looks_nuclear

__all__ = ["CLASS_COLOURS", "class_colours", "rgb"]

UNKNOWN_COLOUR: Final = "#8a8f98"
"""Of what has no class, no number or no vote."""

CONTROL_COLOURS: Final = {"negative": "#56b4e9", "positive": "#e69f00"}

RIGHT_COLOUR: Final = "#009e73"
WRONG_COLOUR: Final = "#d55e00"

_DYES: Final = (
    ("magenta", ("cy5", "647", "640", "633", "farred", "cy7", "750", "irfp", "mirfp", "draq5", "atto655")),
    ("red", ("rfp", "tritc", "cy3", "mcherry", "texas", "txred", "568", "594", "555", "546", "tdtomato", "tmrm")),
    ("yellow", ("yfp", "syto14", "532", "venus", "citrine")),
    ("cyan", ("cfp", "cerulean", "turquoise")),
    ("bop blue", ("dapi", "hoechst", "bfp", "405", "350")),
    ("green", ("gfp", "fitc", "488", "cy2", "calcein", "mneongreen")),
)
"""Fluorescent dyes and proteins, by parts of their names."""

_STAINED: Final = (
    ("green", ("er", "concanavalin", "cona", "fkhr", "tubulin")),
    ("yellow", ("rna",)),
    ("red", ("actin", "phalloidin", "agp", "wga", "golgi", "red")),
    ("magenta", ("mito",)),
    ("gray", ("bright", "bf", "phase", "dic", "trans", "dpc")),
    ("green", ("green",)),
)
"""What is stained, where the dye is not named."""

_FREE: Final = ("green", "magenta", "bop blue", "yellow", "red", "cyan", "bop orange", "bop purple", "gray")

# matplotlib's viridis without its darkest part, which a dark window swallows: numbers keep their order in grey
# and for colour-blind people.
_SEQUENTIAL: Final = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")


def channel_colours(channels: Sequence[str]) -> tuple[str, ...]:
    """Name napari's colormap for each channel: after the dye where its name says one, else one that is free.

    Of several channels of one dye, the first keeps its colour: two of one colour cannot be told apart.
    """
    if len(channels) == 1:
        return ("gray",)
    wanted = [_dye_colour(name) for name in channels]
    chosen = [
        colour if colour == "gray" or colour not in wanted[:number] else "" for number, colour in enumerate(wanted)
    ]
    free = [colour for colour in _FREE if colour not in chosen]
    return tuple(colour or (free.pop(0) if free else "gray") for colour in chosen)


def _dye_colour(channel: str) -> str:
    plain = "".join(c for c in channel.casefold() if c.isalnum())
    colour = _named_in(plain, _DYES)
    if not colour and looks_nuclear(channel):
        return "bop blue"
    return colour or _named_in(plain, _STAINED)


def _named_in(plain: str, table: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    for colour, names in table:
        if any(plain == name if len(name) == 2 else name in plain for name in names):
            return colour
    return ""


@lru_cache(maxsize=1)
def _steps() -> tuple[str, ...]:
    """256 colours from low to high: a plate of 1536 wells is coloured by looking up."""
    stops = np.array([rgb(colour) for colour in _SEQUENTIAL])
    at = np.linspace(0, len(stops) - 1, 256)
    parts = [np.interp(at, np.arange(len(stops)), stops[:, part]) for part in range(3)]
    return tuple(hex_colour(colour) for colour in np.stack(parts, axis=1))


def sequential(share: float) -> str:
    """Give the colour of a number that lies at this share (0 to 1) of its range; beyond, that of the nearer end."""
    return _steps()[round(min(max(share, 0.0), 1.0) * 255)]


def faded(colour: str, strength: float, towards: str = "#2b3038") -> str:
    """Mix a colour with the colour of an empty well; strength 1 is the pure colour."""
    return _mixed(colour, round(min(max(strength, 0.0), 1.0) * 255), towards)


@lru_cache(maxsize=8192)
def _mixed(colour: str, step: int, towards: str) -> str:
    return hex_colour(rgb(towards) + (rgb(colour) - rgb(towards)) * (step / 255))


def ink_on(colour: str) -> str:
    """Choose black or white, whichever is read better on a colour."""
    red, green, blue = rgb(colour)
    return "#101216" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"
