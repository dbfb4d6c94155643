"""How a plate is coloured: by any column of the plate map, cell count, vote, or truth; no window here."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from cellvote.gui.colours import (
    RIGHT_COLOUR,
    UNKNOWN_COLOUR,
    WRONG_COLOUR,
    class_colours,
    faded,
    sequential,
)
from cellvote.gui.facts import PlateFacts, Predicted, Well
from cellvote.gui.vote_text import percent
from cellvote.plates.wells import plate_shape
from cellvote.voting.vote import NO_VOTE, TIE

Mark = Literal["", "missing", "failed", "unknown", "tie"]
"""What a well is drawn as where a colour alone would lie: not imaged, failed, without a value, a tie."""

MAP: Final = "map:"
SHARE_OF: Final = "share:"
CELLS: Final = "cells"
VOTE: Final = "vote"
VOTE_SHARE: Final = "vote-share"
CORRECT: Final = "correct"

_FEW_NUMBERS: Final = 12


@dataclass(frozen=True)
class WellLook:
    """How one well is drawn."""

    colour: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class LegendEntry:
    """One colour, or one mark, and what it says."""

    name: str
    colour: str
    count: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class ColourBar:
    """A range of numbers and its colours, from low to high."""

    low: str
    high: str
    colours: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class PlateColouring:
    """A coloured plate: its shape, its wells by name, and the legend."""

    shape: tuple[int, int] = (8, 12)
    wells: dict[str, WellLook] = field(default_factory=dict)
    entries: tuple[LegendEntry, ...] = ()
    bars: tuple[ColourBar, ...] = ()


def colourings(facts: PlateFacts) -> dict[str, str]:
    """List by what this plate can be coloured: key to title, votes first."""
    choices: dict[str, str] = {}
    if facts.predicted is not None:
        choices |= {VOTE_SHARE: "Vote and its share", VOTE: "Vote"}
        if facts.predicted.truth:
            choices[CORRECT] = "Vote right or wrong"
        choices |= {f"{SHARE_OF}{name}": f"Share of {name}" for name in facts.predicted.classes}
    if facts.n_cells or facts.failed:
        choices[CELLS] = "Cell count"
    return choices | {f"{MAP}{name}": name for name in facts.columns}


def colour_plate(facts: PlateFacts, plate: str, by: str) -> PlateColouring:
    """Colour the wells of a plate.

    Parameters
    ----------
    by
        A key of `colourings`; wells are drawn plain where it is none.
    """
    wells = [well for well in facts.wells if well[0] == plate and well[1]]
    looks, entries, bars = _coloured(facts, wells, by)
    shown: dict[str, WellLook] = {}
    for well in wells:
        if well not in facts.imaged:
            shown[well[1]] = WellLook(mark="missing")
        elif well in facts.failed_wells and well not in facts.n_cells:
            shown[well[1]] = WellLook(mark="failed")
        else:
            look = looks.get(well, WellLook(mark="unknown" if by else ""))
            shown[well[1]] = WellLook(look.colour, "failed") if well in facts.failed_wells else look
    marks: Counter[Mark] = Counter(look.mark for look in shown.values() if look.mark)
    words: dict[Mark, str] = {"tie": "tie", "unknown": _no_value(by), "failed": "failed", "missing": "not imaged"}
    also = tuple(
        LegendEntry(name, UNKNOWN_COLOUR, str(marks[mark]), mark) for mark, name in words.items() if marks[mark]
    )
    return PlateColouring(plate_shape(well[1] for well in wells), shown, (*entries, *also), bars)


def _no_value(by: str) -> str:
    if by in {VOTE, VOTE_SHARE, CORRECT} or by.startswith(SHARE_OF):
        return "true class not known" if by == CORRECT else "no vote"
    return "not segmented" if by == CELLS else "no entry"


Coloured = tuple[dict[Well, WellLook], tuple[LegendEntry, ...], tuple[ColourBar, ...]]


def _coloured(facts: PlateFacts, wells: list[Well], by: str) -> Coloured:
    """Colour what has a value; the other wells are left out."""
    if by.startswith(MAP) and by.removeprefix(MAP) in facts.columns:
        column = by.removeprefix(MAP)
        return _by_text({well: text for well in wells if (text := facts.wells[well][column])})
    if by == CELLS:
        return _by_number({w: float(facts.n_cells[w]) for w in wells if w in facts.n_cells}, "{:,.0f}".format)
    predicted = facts.predicted
    if predicted is None:
        return {}, (), ()
    if by.startswith(SHARE_OF):
        name = by.removeprefix(SHARE_OF)
        shares = {w: v.shares[name] for w in wells if (v := predicted.wells.get(w)) and v.class_name != NO_VOTE}
        return _by_number(shares, percent, 0.0, 1.0)
    if by == CORRECT:
        return _by_truth(predicted, wells)
    if by in {VOTE, VOTE_SHARE}:
        return _by_vote(predicted, wells, with_share=by == VOTE_SHARE)
    return {}, (), ()


def _by_text(texts: dict[Well, str]) -> Coloured:
    """Give each entry of a column a colour; numbers keep their order, and many of them get a colour bar."""
    counts = Counter(texts.values())
    numbers = _numbers(counts)
    if numbers is not None and len(counts) > 2:
        if len(counts) > _FEW_NUMBERS:
            return _by_number({well: numbers[text] for well, text in texts.items()}, "{:g}".format)
        ordered = sorted(counts, key=lambda text: numbers[text])
        colours = {text: sequential(i / (len(ordered) - 1)) for i, text in enumerate(ordered)}
    else:
        ordered = sorted(counts, key=str.casefold)
        colours = dict(zip(ordered, class_colours(len(ordered)), strict=True))
    entries = tuple(LegendEntry(text, colours[text], str(counts[text])) for text in ordered)
    return {well: WellLook(colours[text]) for well, text in texts.items()}, entries, ()


def _numbers(texts: Iterable[str]) -> dict[str, float] | None:
    try:
        return {text: float(text) for text in texts}
    except ValueError:
        return None


def _by_number(
    values: dict[Well, float], write: Callable[[float], str], low: float | None = None, high: float | None = None
) -> Coloured:
    if not values:
        return {}, (), ()
    low = min(values.values()) if low is None else low
    high = max(values.values()) if high is None else high
    span = (high - low) or 1.0
    looks = {well: WellLook(sequential((value - low) / span)) for well, value in values.items()}
    bar = ColourBar(write(low), write(high), tuple(sequential(i / 15) for i in range(16)))
    return looks, (), (bar,)


def _by_vote(predicted: Predicted, wells: list[Well], *, with_share: bool) -> Coloured:
    """Colour by the winning class; with its share, the surer the vote the stronger the colour."""
    colours = dict(zip(predicted.classes, class_colours(len(predicted.classes)), strict=True))
    least = 1 / len(predicted.classes)
    looks: dict[Well, WellLook] = {}
    counts: Counter[str] = Counter()
    for well in wells:
        vote = predicted.wells.get(well)
        if vote is None or vote.class_name == NO_VOTE:
            continue
        counts[vote.class_name] += 1
        if vote.class_name == TIE:
            looks[well] = WellLook(mark="tie")
        else:
            strength = _strength(vote.share, least) if with_share else 1.0
            looks[well] = WellLook(faded(colours[vote.class_name], strength))
    if not with_share:
        return looks, tuple(LegendEntry(name, colours[name], str(counts[name])) for name in colours), ()
    steps = [least + (1 - least) * i / 15 for i in range(16)]
    bars = tuple(
        ColourBar(
            percent(least), "100 %", tuple(faded(colours[n], _strength(s, least)) for s in steps), f"{n} ({counts[n]})"
        )
        for name in colours
        for n in (name,)
    )
    return looks, (), bars


def _strength(share: float, least: float) -> float:
    """How strong a colour says a share: a hair's breadth above chance still shows which class won."""
    return 0.25 + 0.75 * (share - least) / (1 - least)


def _by_truth(predicted: Predicted, wells: list[Well]) -> Coloured:
    looks: dict[Well, WellLook] = {}
    right = 0
    for well in wells:
        vote, truth = predicted.wells.get(well), predicted.truth.get(well, "")
        if not truth or vote is None or vote.class_name == NO_VOTE:
            continue
        if vote.class_name == TIE:
            looks[well] = WellLook(mark="tie")
            continue
        right += vote.class_name == truth
        looks[well] = WellLook(RIGHT_COLOUR if vote.class_name == truth else WRONG_COLOUR)
    wrong = sum(look.colour == WRONG_COLOUR for look in looks.values())
    entries = (LegendEntry("right", RIGHT_COLOUR, str(right)), LegendEntry("wrong", WRONG_COLOUR, str(wrong)))
    return looks, entries, ()
