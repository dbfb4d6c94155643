"""A pattern suggested from file names alone: wells look like wells, and letters before numbers say what they count."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from cellvote.plates.pattern_marks import (
    N_FITTED,
    Span,
    fit,
    key_of,
    pattern_of_marks,
    shape_of,
    spread,
    tokens_of,
    without_thumbnails,
)
from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS, row_number

_DYES: Final = (
    r"DAPI|Hoechst\d*|DRAQ\d|SYTO\w*|e?GFP|YFP|RFP|CFP|mCherry|tdTomato|FITC|TRITC|Texas ?Red|Cy\d(?:\.\d)?|DNA|ER|"
    r"RNA|AGP|Mito|Actin|Tubulin|Phalloidin|Alexa ?\d+|AF\d+|Brightfield|BF|DIC|TL"
)
_WELLS: Final = (
    r"(?<![A-Za-z0-9])[Rr](?:ow)?(?P<row>\d{1,2})[-_ ]?[Cc](?:ol)?(?P<column>\d{1,2})(?!\d)",
    r"(?<![A-Za-z0-9])(?P<well>[A-Za-z]{1,2}\d{1,2})(?![A-Za-z0-9])",
    r"(?<![A-Za-z0-9])(?P<row>[A-Za-z]{1,2}) ?[-_ ] ?(?P<column>\d{1,2})(?!\d)",
    r"(?<![A-Za-z0-9])(?P<column>\d{1,2})(?P<row>[A-Za-z])(?![A-Za-z0-9])",
    r"(?<![A-Za-z0-9])(?P<well>[A-Za-z]\d{1,2})(?!\d)",
    r"(?<![A-Za-z])(?P<well>[A-Pa-p]\d{2})(?!\d)",
)
"""What a well looks like, the surest first."""

_COUNTED: Final = {
    "channel": (
        r"(?P<channel>w\d)(?=[0-9A-Fa-f]{8}-)",
        r"(?P<channel>(?:channel|wavelength|ch|wv)[-_ ]?\d+|w\d+)",
        rf"(?P<channel>{_DYES})(?![A-Za-z])",
        r"(?P<channel>c\d+)",
        r"(?P<channel>d\d+)(?=\.)",
    ),
    "field": (
        r"(?:site|field|fld|fov|position|pos|point|series)[-_ ]?(?P<field>\d{1,5})(?!\d)",
        r"[sf](?P<field>\d{1,5})(?!\d)",
        r"p(?P<field>\d{1,5})(?!\d)",
    ),
    "z": (
        r"(?:zstep|zplane|slice|plane|stack|focus)[-_ ]?(?P<z>\d{1,5})(?!\d)",
        r"z(?P<z>\d{1,5})(?!\d)",
        r"p(?P<z>\d{1,5})(?!\d)",
    ),
    "timepoint": (
        r"(?:timepoint|time|frame|day|tp)[-_ ]?(?P<timepoint>\d{1,5})(?!\d)",
        r"t(?P<timepoint>\d{1,5})(?!\d)",
    ),
}
"""What stands before (or is) a channel, field, z-plane or time, the surest first."""

_MOST_WELLS: Final = 4
_MOST_EXAMPLES: Final = 3
_MOST_ROUNDS: Final = 3
_N_CHECKED: Final = 20_000
_N_ALIKE: Final = 20
_ENOUGH: Final = 0.3
_MOST_DIGITS: Final = 5
_WAVELENGTHS: Final = range(340, 900)
_COUNTING: Final = frozenset("swzctfpd")
"""Letters that stand before a number of something else more often than they name the row of a well."""


@dataclass(frozen=True)
class Suggestion:
    """A pattern, and the parts of an example that it was made of.

    Attributes
    ----------
    fitted, mixed
        How many of the ``tried`` names it fits, and how many of these it cannot tell from another.
    """

    example: str
    marks: dict[str, Span]
    pattern: str
    fitted: int = 0
    mixed: int = 0
    tried: int = 0


def suggest_pattern(names: Sequence[str]) -> Suggestion | None:
    """Suggest a pattern for image names; None where nothing in them looks like a well.

    Parameters
    ----------
    names
        Paths below the folder of the images.
    """
    names = without_thumbnails(names)
    sample = spread(names, N_FITTED)
    checked = spread(names, _N_CHECKED)
    suggestion = _best(sample)
    for _ in range(_MOST_ROUNDS):
        if suggestion is None:
            break
        alike = _mixed_up(suggestion.pattern, checked)
        if not alike:
            break
        sample = list(dict.fromkeys((*sample, *alike)))  # what it has mixed up, it has to tell apart now
        suggestion = _best(sample)
    return suggestion


def _best(sample: Sequence[str]) -> Suggestion | None:
    """Try the likeliest wells first, and be content with what tells all files of a common shape apart."""
    best: Suggestion | None = None
    for example in examples_of(sample):
        for wells in islice(_wells_in(example, sample), _MOST_WELLS):
            marks = _with_plate(example, _with_counted(example, wells))
            suggestion = _tell_apart(_suggestion(example, marks, sample), sample)
            if not suggestion.mixed and suggestion.fitted >= _ENOUGH * suggestion.tried:
                return suggestion
            if best is None or _worth(suggestion) > _worth(best):
                best = suggestion
    return best


def _mixed_up(pattern: str, names: Sequence[str]) -> list[str]:
    """A few of the names that a pattern cannot tell from one another."""
    compiled = re.compile(pattern)
    first: dict[tuple[str, ...], str] = {}
    alike: list[str] = []
    for name in names:
        key = key_of(compiled, name)
        other = name if key is None else first.setdefault(key, name)
        if other is not name:
            alike += (other, name)
        if len(alike) >= _N_ALIKE:
            break
    return alike


def examples_of(names: Sequence[str]) -> list[str]:
    """The first name of each of the commonest shapes."""
    first: dict[tuple[str, ...], str] = {}
    shapes = Counter(shape_of(name) for name in names)
    for name in names:
        first.setdefault(shape_of(name), name)
    ranked = sorted(first, key=lambda shape: -shapes[shape])
    return [first[shape] for shape in ranked[:_MOST_EXAMPLES]]


def _worth(one: Suggestion) -> tuple[float, int]:
    return one.fitted - 2 * one.mixed, len(one.marks)


def _suggestion(example: str, marks: dict[str, Span], names: Sequence[str]) -> Suggestion:
    pattern = pattern_of_marks(example, marks, names)
    fitted, mixed = fit(pattern, names)
    return Suggestion(example, marks, pattern, fitted, mixed, len(names))


def _wells_in(example: str, names: Sequence[str]) -> Iterator[dict[str, Span]]:
    """What could be the well, the likeliest first: what varies between names before what does not."""
    name_start = example.rfind("/") + 1
    found: list[tuple[int, dict[str, Span]]] = []
    for rank, spelling in enumerate(_WELLS):
        for match in re.finditer(spelling, example):
            marks = {role: match.span(role) for role in match.groupdict()}
            if not _is_a_place(match.groupdict()) or marks in [one for _, one in found]:
                continue
            in_folder = match.start() < name_start
            counts = match.group()[0] in _COUNTING
            unlikely = 3 * _never_varies(example, marks, names) + 20 * counts + 10 * in_folder
            found.append((rank + unlikely, marks))
    yield from (marks for _, marks in sorted(found, key=lambda one: one[0]))


def _is_a_place(groups: dict[str, str]) -> bool:
    text = groups.get("well", "")
    letters = groups.get("row") or text.rstrip("0123456789")
    digits = groups.get("column") or text[len(letters) :]
    row = int(letters) if letters.isdecimal() else row_number(letters)
    return 1 <= row <= MAX_ROWS and 1 <= int(digits) <= MAX_COLUMNS


def _never_varies(example: str, marks: dict[str, Span], names: Sequence[str]) -> bool:
    """Whether all names of this shape have the same in these places."""
    tokens = tokens_of(example)
    inside = [i for i, token in enumerate(tokens) for a, b in marks.values() if token.start < b and token.end > a]
    values = {tuple(tokens_of(name)[i].text for i in inside) for name in names if shape_of(name) == shape_of(example)}
    return len(values) < 2


def _with_counted(example: str, marks: dict[str, Span]) -> dict[str, Span]:
    """Add what letters say to be the channel, field, z and time."""
    marks = dict(marks)
    name_start = example.rfind("/") + 1
    for role in ("channel", "timepoint", "field", "z"):
        found = [
            match.span(role)
            for start, end in ((name_start, len(example)), (0, name_start))
            for spelling in _COUNTED[role]
            for match in _spelled(spelling).finditer(example, start, end)
        ]
        taken = list(marks.values())
        free = [span for span in found if not any(_overlap(span, other) for other in taken)]
        if free:
            marks[role] = free[0]
    return marks


@lru_cache
def _spelled(spelling: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z]){spelling}", re.IGNORECASE)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _with_plate(example: str, marks: dict[str, Span]) -> dict[str, Span]:
    """Where a folder tells z or time, the one above it is the plate's."""
    inner = min((a for a, _ in marks.values()), default=0)
    if "plate" in marks or inner > example.rfind("/"):
        return marks
    end = example.rfind("/", 0, inner)
    if end < 0:
        return marks
    return marks | {"plate": (example.rfind("/", 0, end) + 1, end)}


def _tell_apart(suggestion: Suggestion, names: Sequence[str]) -> Suggestion:
    """Where files read as one, look for the part that tells them apart: a number or word that has no role yet."""
    while suggestion.mixed:
        tried = [
            _suggestion(suggestion.example, suggestion.marks | {role: span}, names)
            for span in _free_parts(suggestion)
            if (role := _role_of(suggestion.example[span[0] : span[1]], suggestion.marks))
        ]
        better = max(tried, key=lambda one: one.fitted - 2 * one.mixed, default=suggestion)
        if better.fitted - 2 * better.mixed <= suggestion.fitted - 2 * suggestion.mixed:
            break
        suggestion = better
    return suggestion


def _free_parts(suggestion: Suggestion) -> list[Span]:
    parts = [(t.start, t.end) for t in tokens_of(suggestion.example) if t.kind in {"letters", "digits"}]
    last = suggestion.example.rfind(".")
    taken = suggestion.marks.values()
    return [span for span in parts if span[0] <= last and not any(_overlap(span, other) for other in taken)]


def _role_of(text: str, taken: dict[str, Span]) -> str:
    """What a part without a hint is likeliest to be: words are channels or plates, numbers are counted."""
    if not text.isdecimal() or int(text) in _WAVELENGTHS:
        order: tuple[str, ...] = ("channel", "plate")
    elif len(text) > _MOST_DIGITS:
        order = ("plate",)
    else:
        order = ("field", "channel", "z", "timepoint")
    return next((role for role in order if role not in taken), "")
