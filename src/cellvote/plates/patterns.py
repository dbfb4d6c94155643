"""Patterns over file names, told from the outside: what is wrong with one, and what it gives for each name.

Kept free of pandas and Qt: a process of its own that reads names by a pattern starts in a moment.
"""

import re
import warnings
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

ROLES: Final = ("plate", "well", "row", "column", "field", "channel", "z", "timepoint")
"""What a part of a file name can tell; the names of a pattern's groups."""

MAX_PATTERN: Final = 2000
MAX_NAME: Final = 4096

READ, NO_MATCH, UNREADABLE, TWICE = 0, 1, 2, 3
"""What came of a name: read; not matched; matched, but no well or number; read as the same plane as another."""

_MAX_NUMBER: Final = 10**6
_NUMBERS: Final = ("field", "z", "timepoint")
_PASSED_OVER: Final = frozenset({"images", "orig"})
_SAID: Final = (
    (r"missing \), unterminated subpattern", "a bracket ( is opened here and never closed"),
    (r"unbalanced parenthesis", "a bracket ) is closed here that was never opened"),
    (r"unterminated character set", "a bracket [ is opened here and never closed"),
    (r"nothing to repeat|multiple repeat", "a *, + or ? stands here with nothing before it to repeat"),
    (r"redefinition of group name '(\w+)'", r"the group {0} stands in the pattern twice"),
    (r"bad escape \(end of pattern\)", "the pattern ends in a lone backslash"),
    (r"bad escape (\S+)", "the backslash here means nothing ({0}): write two for a real one"),
    (r"missing >, unterminated name|missing group name", "a group's name is not closed: write (?P<well>…)"),
    (r"bad character in group name '?([^']*)'?", "a group cannot be called {0!r}: use letters only"),
    (r"unknown extension \?(\S+)", "(?{0} means nothing here: a group is written (?P<well>…)"),
    (r"look-behind requires fixed-width pattern", "what a look-behind looks for must have a fixed length"),
    (r"min repeat greater than max repeat", "the numbers in {…} are the wrong way round"),
)


class PatternProblem(NamedTuple):
    """Why a pattern cannot be used, in words, and where in it (counted from 0; None for the whole)."""

    message: str
    position: int | None = None


def problem_of(pattern: str) -> PatternProblem | None:
    """Say what is wrong with a pattern; None where it can be used."""
    if not pattern.strip():
        return PatternProblem("mark the well in the example name, or write a pattern.")
    if len(pattern) > MAX_PATTERN:
        return PatternProblem(f"the pattern has more than {MAX_PATTERN:,} characters.")
    try:
        groups = set(compiled(pattern).groupindex)
    except re.error as error:
        return PatternProblem(f"{_in_words(error.msg)}.", error.pos)
    except (OverflowError, RecursionError):
        return PatternProblem("the pattern is nested, or repeats, more than can be computed.")
    if "well" not in groups and not {"row", "column"} <= groups:
        half = next((name for name in ("row", "column") if name in groups), "")
        missing = {"row": "column", "column": "row"}.get(half, "well (or row and column)")
        return PatternProblem(f"it does not say yet which well an image is of: mark the {missing}.")
    return None


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; that a future Python may read ``[[`` otherwise does not matter today."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(pattern)


def _in_words(message: str) -> str:
    for said, words in _SAID:
        found = re.search(said, message)
        if found:
            return words.format(*found.groups())
    return message


def match_name(pattern: re.Pattern[str], name: str) -> tuple[re.Match[str], int] | None:
    """Fit a pattern to a whole path, else to the file's name; the number is where what was fitted starts."""
    whole = pattern.fullmatch(name)
    if whole is not None:
        return whole, 0
    start = name.rfind("/") + 1
    found = pattern.fullmatch(name[start:])
    return None if found is None else (found, start)


@dataclass(frozen=True)
class NamesRead:
    """What a pattern gives for many names.

    Attributes
    ----------
    roles
        The groups of the pattern that have a meaning, in the order of `ROLES`.
    state
        One of `READ`, `NO_MATCH`, `UNREADABLE`, `TWICE` for each name.
    partner
        For each name that is read twice, the number of the name that gave the same; −1 elsewhere.
    spans
        For each name and role, first and last (exclusive) character; −1 where there is none.
    shifts
        What is added to ``field`` and ``z`` as shown: 1 where they are counted from 0.
    counts
        How many different plates, wells, fields (of a well), channels, z and timepoints there are.
    """

    roles: tuple[str, ...]
    state: bytes
    partner: "array[int]"
    spans: "array[int]"
    shifts: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def span(self, index: int, role: str) -> tuple[int, int] | None:
        """Where a role lies in a name; None where it does not."""
        if role not in self.roles:
            return None
        at = 2 * (index * len(self.roles) + self.roles.index(role))
        start, end = self.spans[at], self.spans[at + 1]
        return None if start < 0 else (start, end)

    def texts(self, index: int, name: str) -> dict[str, str]:
        """What each role is in a name, as it is written there."""
        spans = {role: self.span(index, role) for role in self.roles}
        return {role: name[span[0] : span[1]] for role, span in spans.items() if span is not None}

    def number_of(self, state: int) -> int:
        """How many names this came of."""
        return self.state.count(state)


def plate_of_folders(folders: Sequence[str]) -> str:
    """Name a plate after the innermost of its folders that is not called Images or the like."""
    return next((name for name in reversed(folders) if name.casefold() not in _PASSED_OVER), "plate")


def well_of(texts: dict[str, str]) -> str:
    """Read the well that the texts of a name tell.

    Raises
    ------
    ValueError
        Where they are no well.
    """
    if "well" in texts:
        return _well(texts["well"])
    return well_name(_row(texts.get("row", "")), _column(texts.get("column", "")))


_well: Callable[[str], str] = lru_cache(maxsize=4096)(parse_well)
_row: Callable[[str], int] = lru_cache(maxsize=256)(parse_row)
_column: Callable[[str], int] = lru_cache(maxsize=256)(parse_column)


def number_of(text: str) -> int:
    """Read the number of a field, z-plane or timepoint; nothing is 1.

    Raises
    ------
    ValueError
        Where it is none, or beyond any microscope.
    """
    if not text:
        return 1
    number = int(text)
    if not 0 <= number <= _MAX_NUMBER:
        raise ValueError(f"{text!r} is beyond any microscope")
    return number


def read_names(pattern: str, folders: Sequence[tuple[str, Sequence[str]]]) -> NamesRead:
    """Read many names by a pattern, as reading the images by it would.

    Parameters
    ----------
    folders
        Folders that are read together: the folder itself, and the paths below it.
    """
    groups = compiled(pattern)
    roles = tuple(role for role in ROLES if role in groups.groupindex)
    total = sum(len(names) for _, names in folders)
    read = _Reading(roles, total)
    for folder, names in folders:
        above = PurePosixPath(folder).parts[1:]
        for name in names:
            read.take(name, above, match_name(groups, name) if len(name) <= MAX_NAME else None)
    return read.result()


class _Reading:
    """Takes names one by one."""

    def __init__(self, roles: tuple[str, ...], total: int) -> None:
        self._roles = roles
        self._state = bytearray(total)
        self._partner = array("i", [-1]) * total
        self._spans = array("h", [-1]) * (2 * total * len(roles))
        self._first: dict[tuple[str | int, ...], int] = {}
        self._plates: dict[str, str] = {}
        self._zero: dict[str, int] = {}
        self._at = 0

    def take(self, name: str, above: tuple[str, ...], found: tuple[re.Match[str], int] | None) -> None:
        """Read one name."""
        at, self._at = self._at, self._at + 1
        if found is None:
            self._state[at] = NO_MATCH
            return
        texts = self._note_spans(at, *found)
        told = {name.count("/", 0, found[1] + found[0].start(role)) for role in texts}
        try:
            key = self._key(name, above, texts, told)
        except ValueError:
            self._state[at] = UNREADABLE
            return
        first = self._first.setdefault(key, at)
        if first != at:
            self._state[at] = self._state[first] = TWICE
            self._partner[at] = first
            if self._partner[first] < 0:
                self._partner[first] = at

    def _note_spans(self, at: int, match: re.Match[str], offset: int) -> dict[str, str]:
        texts: dict[str, str] = {}
        for i, role in enumerate(self._roles):
            start, end = match.span(role)
            if start >= 0:
                place = 2 * (at * len(self._roles) + i)
                self._spans[place], self._spans[place + 1] = start + offset, end + offset
                texts[role] = match[role]
        return texts

    def _key(self, name: str, above: tuple[str, ...], texts: dict[str, str], told: set[int]) -> tuple[str | int, ...]:
        well = well_of(texts)
        if "channel" in self._roles and "channel" not in texts:
            raise ValueError("no channel")
        numbers = [number_of(texts.get(role, "")) for role in _NUMBERS]
        for role, number in zip(_NUMBERS, numbers, strict=True):
            if number == 0 and role != "timepoint":
                self._zero[role] = 1
        plate = texts.get("plate") or self._plate(name, above, told)
        return (plate, well, *numbers, texts.get("channel", ""))

    def _plate(self, name: str, above: tuple[str, ...], told: set[int]) -> str:
        """Name the plate after the folders, but for those (counted from 0) that tell something else."""
        folders = name.split("/")[:-1]
        below = "/".join((*above, *folders))
        if below not in self._plates:
            parts = [part for i, part in enumerate(folders) if i not in told]
            self._plates[below] = plate_of_folders([part for part in (*above, *parts) if part])
        return self._plates[below]

    def result(self) -> NamesRead:
        """Count what was read."""
        columns = list(zip(*self._first, strict=True)) or [()] * 6
        kinds = ("plates", "wells", "fields", "z", "timepoints", "channels")
        counts = {kind: len(set(column)) for kind, column in zip(kinds, columns, strict=True)}
        counts["wells"] = len(set(zip(columns[0], columns[1], strict=True)))
        return NamesRead(self._roles, bytes(self._state), self._partner, self._spans, self._zero, counts)
