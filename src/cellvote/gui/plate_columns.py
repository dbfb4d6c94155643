"""What a plate can be coloured by, and what each well has of it; no window here."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from cellvote.gui.facts import PlateFacts
from cellvote.gui.predicted import Predicted, Vote, Well, has_class
from cellvote.gui.vote_text import counted, number, percent, set_title
from cellvote.profiling.aggregate import Statistic
from cellvote.profiling.units import unit_of
from cellvote.quality.wells import FLAGGED, SHOWN_FIGURES
from cellvote.study.field_flags import FLAGS
from cellvote.voting.vote import NO_VOTE, TIE, UNDECIDED

MAP: Final = "map:"
SHARE_OF: Final = "share:"
MEASURED: Final = "measured:"
QUALITY: Final = "quality:"
TREATMENT: Final = "treatment"
CELLS: Final = "cells"
CELLS_PER_FIELD: Final = "cells-per-field"
FAILED_FIELDS: Final = "failed-fields"
FAILED_SHARE: Final = "failed-share"
VOTE: Final = "vote"
VOTE_SHARE: Final = "vote-share"
CORRECT: Final = "correct"
ACCURACY: Final = "accuracy"
MARGIN: Final = "margin"
AGREEMENT: Final = "agreement"
SET_SIZE: Final = "set-size"

RIGHT, WRONG = "right", "wrong"
_NO_TRUTH: Final = "true class not known, or no vote"

_FEW_NUMBERS: Final = 12
_DECADES: Final = 100
_NUMBER: Final = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]\d+)?")
_NO_ENTRY: Final = frozenset({"na", "n/a", "nan", "none", "null", "-", "."})


@dataclass(frozen=True)
class Choice:
    """One thing that a plate can be coloured by."""

    key: str
    title: str
    group: str


@dataclass(frozen=True)
class Measured:
    """One measurement of every well, as it was read from the cells."""

    name: str
    statistic: Statistic
    values: dict[Well, float]


@dataclass(frozen=True)
class PlateColumn:
    """One thing, and what each well of the study has of it.

    Attributes
    ----------
    numbers
        The wells that have a number.
    texts
        The wells that have a class, or an entry of a plate map; several wells may share one.
    order
        The texts, in their order.
    ranks
        The texts that are numbers, as numbers: few doses, for example.
    shares
        How sure each of the texts is, where they are votes with their share.
    ties
        Wells where two classes lead.
    undecided
        Wells whose vote names no class surely enough.
    log
        Whether numbers are coloured by their logarithm, as doses are that span decades.
    low, high
        Ends of the numbers' range where these are given by what they are, as of a share.
    no_value
        What it means that a well has nothing.
    of_cells
        Whether a well without cells cannot have a value.
    """

    key: str
    title: str = ""
    unit: str = ""
    numbers: dict[Well, float] = field(default_factory=dict)
    texts: dict[Well, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    ranks: dict[str, float] = field(default_factory=dict)
    shares: dict[Well, float] = field(default_factory=dict)
    ties: frozenset[Well] = frozenset()
    undecided: frozenset[Well] = frozenset()
    log: bool = False
    low: float | None = None
    high: float | None = None
    write: Callable[[float], str] = number
    no_value: str = "no entry"
    of_cells: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is shown with a colour bar, not with a legend of names."""
        return bool(self.numbers) and not self.order

    def words(self, well: Well) -> str:
        """Say what a well has: ``812 px²``, ``taxol``; empty where it has nothing."""
        if well in self.ties:
            return TIE
        if well in self.undecided:
            return UNDECIDED
        if well in self.texts:
            share = self.shares.get(well)
            return self.texts[well] + (f" ({percent(share)})" if share is not None else "")
        return self.write_with_unit(self.numbers[well]) if well in self.numbers else ""

    def write_with_unit(self, value: float) -> str:
        """Write a number of this kind with its unit."""
        return f"{self.write(value)} {self.unit}".rstrip()


def colourings(facts: PlateFacts) -> dict[str, Choice]:
    """List by what this plate can be coloured, by key: votes first, then cells, plate map, measurements."""
    choices: list[Choice] = []
    if facts.predicted is not None:
        choices += [Choice(VOTE_SHARE, "Vote and its share", "Votes"), Choice(VOTE, "Vote", "Votes")]
        if facts.predicted.truth:
            choices.append(Choice(CORRECT, "Vote right or wrong", "Votes"))
            choices.append(Choice(ACCURACY, f"Accuracy: share of {facts.predicted.unit}s right", "Votes"))
        choices += _of_doubt(facts.predicted)
        choices += [Choice(f"{SHARE_OF}{name}", f"Share of {name}", "Votes") for name in facts.predicted.classes]
    if facts.n_cells or facts.failed:
        choices.append(Choice(CELLS, "Cell count", "Cells"))
        if any(n > 1 for n in facts.n_fields.values()):
            choices.append(Choice(CELLS_PER_FIELD, "Cells per field", "Cells"))
            choices.append(Choice(FAILED_SHARE, "Share of fields that failed", "Cells"))
        choices.append(Choice(FAILED_FIELDS, "Failed fields", "Cells"))
    if facts.treatments and not any(_is_column(facts, name) for name in facts.columns):
        choices.append(Choice(TREATMENT, "Treatment", "Plate map"))
    choices += [Choice(f"{MAP}{name}", name, "Plate map") for name in facts.columns]
    choices += [Choice(f"{QUALITY}{name}", _quality_title(name), "Image quality") for name in facts.quality]
    choices += [Choice(f"{MEASURED}{name}", name, "Measurements") for name in facts.measurements]
    return {choice.key: choice for choice in choices}


def _of_doubt(predicted: Predicted) -> list[Choice]:
    """List what says how sure votes are: margins, and sets and agreement where there are any."""
    choices = [Choice(MARGIN, "Margin of the vote", "Votes")]
    if any(vote.agreement is not None for vote in predicted.wells.values()):
        choices.append(Choice(AGREEMENT, "Agreement of the fields", "Votes"))
    if any(vote.held is not None for vote in predicted.wells.values()):
        choices.append(Choice(SET_SIZE, "Size of the conformal set", "Votes"))
    return choices


def _is_column(facts: PlateFacts, name: str) -> bool:
    """Say whether a column of the plate map names the treatments by itself."""
    return all(row[name] == facts.treatments.get(well, "") for well, row in facts.wells.items())


def plate_column(facts: PlateFacts, by: str, measured: Measured | None = None) -> PlateColumn:
    """Look up what each well of the study has.

    Parameters
    ----------
    by
        A key of `colourings`; nothing where it is none.
    measured
        The measurement, where `by` is one.
    """
    if by.startswith(MAP) and by.removeprefix(MAP) in facts.columns:
        column = by.removeprefix(MAP)
        return _of_texts(by, column, {well: text for well, row in facts.wells.items() if (text := row[column])})
    if by == TREATMENT:
        return _of_texts(by, "Treatment", facts.treatments)
    if by.startswith(QUALITY):
        return _of_quality(by, facts)
    if by.startswith(MEASURED):
        return _of_measurement(by, measured)
    if by in {CELLS, CELLS_PER_FIELD, FAILED_FIELDS, FAILED_SHARE}:
        return _of_counts(facts, by)
    return _of_votes(facts.predicted, by) if facts.predicted is not None else PlateColumn(by)


def _of_measurement(by: str, measured: Measured | None) -> PlateColumn:
    name = by.removeprefix(MEASURED)
    if measured is None or measured.name != name:
        return PlateColumn(by, name, no_value="reading …")
    numbers = {well: value for well, value in measured.values.items() if np.isfinite(value)}
    title = f"{measured.statistic} {name}"
    return PlateColumn(by, title, unit_of(name), numbers, no_value="not measured", of_cells=True)


def _quality_title(name: str) -> str:
    """Say what a column of image quality is: ``Power slope (focus) · DNA``."""
    if name in {FLAGGED, *FLAGS}:
        return f"Share of fields {name.replace('_', ' ')}"
    figure = next((figure for figure in SHOWN_FIGURES if name.startswith(f"{figure}_")), "")
    return f"{SHOWN_FIGURES[figure]} · {name.removeprefix(f'{figure}_')}" if figure else name


def _of_quality(by: str, facts: PlateFacts) -> PlateColumn:
    name = by.removeprefix(QUALITY)
    values = {well: value for well, value in facts.quality.get(name, {}).items() if np.isfinite(value)}
    title, none = _quality_title(name), "image quality not assessed"
    if name in {FLAGGED, *FLAGS}:
        highest = max(0.1, *values.values()) if values else 1.0
        return PlateColumn(by, title, "", values, low=0, high=highest, write=percent, no_value=none)
    return PlateColumn(by, title, "", values, no_value="nothing to be seen" if facts.quality else none)


def _of_texts(by: str, title: str, texts: dict[Well, str]) -> PlateColumn:
    """Take entries that are numbers as such where they are many; identifiers such as ``001234`` stay text."""
    names = set(texts.values())
    numbers = numbers_of(names)
    if numbers is not None and len(numbers) > _FEW_NUMBERS:
        known = {well: numbers[text] for well, text in texts.items() if text in numbers}
        return PlateColumn(by, title, numbers=known, log=_spans_decades(list(numbers.values())))
    ranks = numbers or {}
    order = sorted(names, key=lambda text: (ranks.get(text, float("inf")), natural(text)))
    return PlateColumn(by, title, texts=texts, order=tuple(order), ranks=ranks)


def natural(text: str) -> list[tuple[int, str]]:
    """Sort ``drug 2`` before ``drug 10``, whatever the case."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text.casefold())] + [
        (0, text)
    ]


def _spans_decades(numbers: list[float]) -> bool:
    """Say whether numbers are doses of a dilution series, or like them; zero stands for no dose."""
    positive = [number for number in numbers if number > 0]
    return min(numbers, default=-1) >= 0 and max(positive) / min(positive) >= _DECADES if positive else False


def numbers_of(texts: Iterable[str]) -> dict[str, float] | None:
    """Read entries as numbers: None where one of them is none, or there are fewer than three.

    What stands for no entry, such as ``NA``, is left out; ``001234`` and ``12E3`` are identifiers.
    """
    entries = [text for text in texts if text.casefold() not in _NO_ENTRY]
    if len(entries) < 3 or not all(map(_NUMBER.fullmatch, entries)):
        return None
    numbers = {text: float(text) for text in entries}
    return numbers if all(map(np.isfinite, numbers.values())) else None


def _of_counts(facts: PlateFacts, by: str) -> PlateColumn:
    if by == CELLS:
        cells = {well: float(n) for well, n in facts.n_cells.items()}
        return PlateColumn(by, "Cell count", "cells", cells, write=_count, no_value="not segmented")
    if by == CELLS_PER_FIELD:
        density = {well: n / facts.segmented[well] for well, n in facts.n_cells.items()}
        return PlateColumn(by, "Cells per field", "cells", density, no_value="not segmented")
    failed = {well: len(errors) for well, errors in facts.failed_wells.items()}
    tried = {well: facts.segmented.get(well, 0) for well in {*facts.segmented, *failed}}
    if by == FAILED_FIELDS:
        counts = {well: float(failed.get(well, 0)) for well in tried}
        most = max(1, *failed.values()) if failed else 1
        return PlateColumn(by, "Failed fields", "", counts, low=0, high=most, write=_count, no_value="not segmented")
    shares = {well: _share_failed(facts, well, failed.get(well, 0)) for well in tried}
    highest = max(0.1, *shares.values()) if shares else 1.0
    return PlateColumn(
        by, "Share of fields that failed", "", shares, low=0, high=highest, write=percent, no_value="not segmented"
    )


def _share_failed(facts: PlateFacts, well: Well, failed: int) -> float:
    """Of the fields that were tried: one that could be segmented but not measured is among both."""
    tried = min(facts.segmented.get(well, 0) + failed, facts.n_fields.get(well, failed))
    return failed / tried if tried else 0.0


def _of_votes(predicted: Predicted, by: str) -> PlateColumn:
    votes = {well: vote for well, vote in predicted.wells.items() if vote.class_name != NO_VOTE}
    known = {well: vote for well, vote in votes.items() if predicted.truth.get(well)}
    if by.startswith(SHARE_OF):
        name = by.removeprefix(SHARE_OF)
        return _of_shares(by, f"Share of {name}", {well: vote.shares.get(name, 0.0) for well, vote in votes.items()})
    if by == ACCURACY:
        right = {well: vote.shares.get(predicted.truth[well], 0.0) for well, vote in known.items()}
        return _of_shares(by, "Accuracy", right, _NO_TRUTH)
    if by == MARGIN:
        margins = {well: vote.margin for well, vote in votes.items()}
        return _of_shares(by, "Margin", margins, write=lambda margin: f"{margin:.2f}")
    if by == AGREEMENT:
        agreed = {well: vote.agreement for well, vote in votes.items() if vote.agreement is not None}
        return _of_shares(by, "Agreement", agreed, "no vote, or a single field")
    if by == SET_SIZE:
        return _of_sets(votes, set_title(predicted))
    return _of_classes(predicted, by, votes, known)


def _of_classes(predicted: Predicted, by: str, votes: dict[Well, Vote], known: dict[Well, Vote]) -> PlateColumn:
    if by == CORRECT:
        said = {well: vote.class_name for well, vote in known.items() if has_class(vote)}
        hits = {well: (RIGHT, WRONG)[name != predicted.truth[well]] for well, name in said.items()}
        return PlateColumn(
            by,
            "Vote",
            texts=hits,
            order=(RIGHT, WRONG),
            ties=_that_say(TIE, known),
            undecided=_that_say(UNDECIDED, known),
            no_value=_NO_TRUTH,
            of_cells=True,
        )
    if by not in {VOTE, VOTE_SHARE}:
        return PlateColumn(by)
    won = {well: vote for well, vote in votes.items() if has_class(vote)}
    return PlateColumn(
        by,
        "Vote",
        texts={well: vote.class_name for well, vote in won.items()},
        order=predicted.classes,
        shares={well: vote.share for well, vote in won.items()} if by == VOTE_SHARE else {},
        ties=_that_say(TIE, votes),
        undecided=_that_say(UNDECIDED, votes),
        no_value="no vote",
        of_cells=True,
    )


def _of_sets(votes: dict[Well, Vote], title: str) -> PlateColumn:
    """Count the classes of each set: one is a clear answer, several are doubt, none is a well unlike all classes."""
    sizes = {well: len(vote.held) for well, vote in votes.items() if vote.held is not None}
    words = {size: "no class" if not size else counted(size, "class") for size in sorted(set(sizes.values()))}
    return PlateColumn(
        SET_SIZE,
        title,
        texts={well: words[size] for well, size in sizes.items()},
        order=tuple(words.values()),
        ranks={name: float(size) for size, name in words.items()},
        no_value="no set",
        of_cells=True,
    )


def _of_shares(
    by: str,
    title: str,
    shares: dict[Well, float],
    no_value: str = "no vote",
    write: Callable[[float], str] = percent,
) -> PlateColumn:
    known = {well: share for well, share in shares.items() if np.isfinite(share)}
    return PlateColumn(by, title, "", known, low=0, high=1, write=write, no_value=no_value, of_cells=True)


def _that_say(what: str, votes: dict[Well, Vote]) -> frozenset[Well]:
    return frozenset(well for well, vote in votes.items() if vote.class_name == what)


def _count(value: float) -> str:
    return f"{value:,.0f}"
