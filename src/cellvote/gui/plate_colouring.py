"""How a plate is coloured: from what each well has to colours, marks and a legend; no window here."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from cellvote.gui.colours import (
    CONTROL_COLOURS,
    RIGHT_COLOUR,
    UNKNOWN_COLOUR,
    WRONG_COLOUR,
    class_colours,
    faded,
    sequential,
)
from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import CORRECT, Measured, PlateColumn, plate_column
from cellvote.gui.predicted import Well
from cellvote.gui.vote_text import percent
from cellvote.plates.wells import plate_shape
from cellvote.voting.settings import TIE, UNDECIDED

Mark = Literal["", "missing", "failed", "partly", "empty", "unknown", "tie", "undecided"]
"""What a well is drawn as where a colour alone would lie: not imaged, failed, some of its fields failed, without
cells, without a value, a tie, a vote that is not sure enough."""

_BAR_STEPS: Final = 16
_BEYOND: Final = 0.25
"""Numbers may lie so far outside the middle 96 %, in widths of these, before the colour bar is cut there."""


@dataclass(frozen=True)
class WellLook:
    """How one well is drawn.

    Attributes
    ----------
    colour
        ``#rrggbb``; empty where it has no value.
    mark
        Drawn on it.
    name
        The legend entry that it belongs to.
    at
        Where its number lies on the colour bar, 0 to 1; negative where it has none.
    text
        Its value, written into wells that are large enough.
    """

    colour: str = ""
    mark: Mark = ""
    name: str = ""
    at: float = -1.0
    text: str = ""


@dataclass(frozen=True)
class LegendEntry:
    """One colour, or one mark, and what it says."""

    name: str
    colour: str
    count: str = ""
    mark: Mark = ""

    def names(self, look: WellLook) -> bool:
        """Whether a well is one of those that this entry stands for."""
        return look.mark == self.mark if self.mark else look.name == self.name


@dataclass(frozen=True)
class ColourBar:
    """A range of numbers and its colours, from low to high.

    Attributes
    ----------
    name
        Stands beside it, where there are several.
    note
        Stands between its ends: what lies beyond them.
    """

    low: str
    high: str
    colours: tuple[str, ...]
    name: str = ""
    note: str = ""


@dataclass(frozen=True)
class PlateColouring:
    """A coloured plate: its shape, its wells by name, and the legend."""

    shape: tuple[int, int] = (8, 12)
    wells: dict[str, WellLook] = field(default_factory=dict)
    entries: tuple[LegendEntry, ...] = ()
    bars: tuple[ColourBar, ...] = ()


def colour_plate(facts: PlateFacts, plate: str, by: str, measured: Measured | None = None) -> PlateColouring:
    """Colour the wells of a plate by a key of `colourings`; wells are drawn plain where it is none."""
    return colour_by_column(facts, plate, plate_column(facts, by, measured))


def colour_by_column(facts: PlateFacts, plate: str, column: PlateColumn) -> PlateColouring:
    """Colour the wells of a plate; a range of numbers and the colours of names are the same on every plate."""
    wells = facts.wells_of.get(plate, [])
    if column.is_number:
        looks, bars = _by_number(column, wells)
        entries: tuple[LegendEntry, ...] = ()
    else:
        looks, entries, bars = _by_text(column, wells, facts.imaged)
    no_value: Mark = "unknown" if column.key else ""
    shown: dict[str, WellLook] = {}
    for well in wells:
        look = looks.get(well)
        if well not in facts.imaged:
            look = WellLook(mark="missing", name=look.name if look else "")
        elif facts.wholly_failed(well):
            look = WellLook(look.colour if look else "", "failed", look.name if look else "")
        elif look is None:
            look = WellLook(mark="empty" if column.of_cells and facts.n_cells.get(well) == 0 else no_value)
        elif not look.mark and well in facts.failed_wells:
            look = WellLook(look.colour, "partly", look.name, look.at, look.text)
        shown[well[1]] = look
    marks = Counter(look.mark for look in shown.values())
    words: dict[Mark, str] = {
        "tie": TIE,
        "undecided": UNDECIDED,
        "empty": "no cells",
        "unknown": column.no_value,
        "partly": "some fields failed",
        "failed": "failed",
        "missing": "not imaged",
    }
    also = tuple(LegendEntry(words[mark], UNKNOWN_COLOUR, str(marks[mark]), mark) for mark in words if marks[mark])
    return PlateColouring(plate_shape(well[1] for well in wells), shown, (*entries, *also), bars)


def robust_range(numbers: list[float]) -> tuple[float, float]:
    """Give the range that colours span: all numbers, or, where a few lie far out, the range of most.

    A single bright well would otherwise leave all others the same colour.
    """
    least, most = min(numbers), max(numbers)
    low, high = np.percentile(numbers, [2, 98])
    if low == high:  # most are the same: those that are not are what is to be seen
        return least, most
    width = float(high - low) * _BEYOND
    return max(least, float(low) - width), min(most, float(high) + width)


def _by_number(column: PlateColumn, wells: list[Well]) -> tuple[dict[Well, WellLook], tuple[ColourBar, ...]]:
    everywhere = list(column.numbers.values())
    least, most = min(everywhere), max(everywhere)
    if column.low is not None and column.high is not None:
        low, high = column.low, column.high
    elif column.log:
        low, high = min(value for value in everywhere if value > 0), most
    else:
        low, high = robust_range(everywhere)
    looks: dict[Well, WellLook] = {}
    for well in wells:
        if well in column.numbers:
            value = column.numbers[well]
            at = _share(value, low, high, log=column.log)
            looks[well] = WellLook(sequential(at), at=at, text=column.write(value))
    beyond = [f"min {column.write(least)}"] if least < low else []
    beyond += [f"max {column.write(most)}"] if most > high else []
    bar = ColourBar(
        ("≤ " if least < low else "") + column.write(low),
        ("≥ " if most > high else "") + column.write_with_unit(high),
        tuple(sequential(i / (_BAR_STEPS - 1)) for i in range(_BAR_STEPS)),
        note=" · ".join((["log scale"] if column.log else []) + beyond),
    )
    return looks, (bar,)


def _share(value: float, low: float, high: float, *, log: bool) -> float:
    """Say where a number lies in a range, 0 to 1; beyond it, at the nearer end."""
    if value <= low or high <= low:
        return 0.0
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return min(share, 1.0)


Coloured = tuple[dict[Well, WellLook], tuple[LegendEntry, ...], tuple[ColourBar, ...]]


def _by_text(column: PlateColumn, wells: list[Well], imaged: frozenset[Well]) -> Coloured:
    """Give each text a colour; with its share, the surer the vote the stronger the colour."""
    colours = _colours_of(column)
    counts = Counter(column.texts[well] for well in wells if well in column.texts and well in imaged)
    looks = {well: WellLook(mark="tie") for well in wells if well in column.ties}
    looks |= {well: WellLook(mark="undecided") for well in wells if well in column.undecided}
    least = 1 / max(len(column.order), 1)
    for well in wells:
        name = column.texts.get(well, "")
        if name and column.shares:
            strength = _strength(column.shares[well], least)
            looks[well] = WellLook(faded(colours[name], strength), name=name, text=percent(column.shares[well]))
        elif name:
            looks[well] = WellLook(colours[name], name=name, text=name)
    if not column.shares:
        listed = [name for name in column.order if counts[name] or column.of_cells]
        return looks, tuple(LegendEntry(name, colours[name], str(counts[name])) for name in listed), ()
    steps = [_strength(least + (1 - least) * i / (_BAR_STEPS - 1), least) for i in range(_BAR_STEPS)]
    bars = tuple(
        ColourBar(percent(least), "100 %", tuple(faded(colours[name], step) for step in steps), name, str(counts[name]))
        for name in column.order
    )
    return looks, (), bars


def _colours_of(column: PlateColumn) -> dict[str, str]:
    """Choose the colours of names: numbers keep their order, right and wrong and the controls are always the same."""
    order = column.order
    if column.key == CORRECT:
        return dict(zip(order, (RIGHT_COLOUR, WRONG_COLOUR), strict=True))
    if column.ranks:
        ranked = [name for name in order if name in column.ranks]
        known = {name: sequential(i / max(len(ranked) - 1, 1)) for i, name in enumerate(ranked)}
    else:
        known = {name: CONTROL_COLOURS[name] for name in order if name in CONTROL_COLOURS} if _is_control(order) else {}
    rest = [name for name in order if name not in known]
    free = [colour for colour in class_colours(len(order)) if colour not in known.values()]
    return known | dict(zip(rest, free, strict=False))


def _is_control(order: tuple[str, ...]) -> bool:
    return "negative" in order and len(order) <= 4


def _strength(share: float, least: float) -> float:
    """How strong a colour says a share: a hair's breadth above chance still shows which class won."""
    return 0.25 + 0.75 * (share - least) / (1 - least) if least < 1 else 1.0
