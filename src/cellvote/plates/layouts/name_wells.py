"""Which part of a file's name is the well: ``A01``, ``01A``, row and column apart and in either order."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cellvote.plates.layouts.name_columns import HINTS, Column
from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS, row_number, well_name

SPELLED, CLEAR, LIKELY, POSSIBLE, DOUBTFUL = 5, 4, 3, 2, 1
"""How sure a reading of the well is; a doubtful one may be a field or channel as well."""

_FORWARD: Final = re.compile(r"(?P<row>[A-Za-z]{1,2})(?P<column>\d{1,2})")
_REVERSED: Final = re.compile(r"(?P<column>\d{1,2})(?P<row>[A-Za-z]{1,2})")
_LETTER: Final = re.compile(r"[A-Z]|A[A-F]|[a-p]")
_ROW_CODE: Final = re.compile(r"(?:r|row)(\d{1,2})", re.IGNORECASE)
_COLUMN_CODE: Final = re.compile(r"(?:c|col)(\d{1,2})", re.IGNORECASE)
_MOST_COMMON_ROWS: Final = 16


@dataclass(frozen=True)
class WellReading:
    """One way to read wells from names.

    Attributes
    ----------
    places
        Indices of the columns that it takes.
    well
        The wells (``A01``), as a column.
    sureness
        From `DOUBTFUL` to `SPELLED`.
    """

    places: tuple[int, ...]
    well: Column
    sureness: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """What makes one reading better than another: sure, many different wells, early in the name."""
        return self.sureness, len(self.well.values), -self.places[0]


def read_wells(columns: Sequence[Column]) -> list[WellReading]:
    """Find every way to read wells, the best first."""
    found: list[WellReading] = []
    for i, column in enumerate(columns):
        word = columns[i - 1].values[0].casefold() if i and not columns[i - 1].varies else ""
        found += _in_one(i, column, HINTS.get(word, ""))
        found += _in_two(i, columns)
    return sorted(found, key=lambda one: one.rank, reverse=True)


def _in_one(i: int, column: Column, hint: str) -> Iterator[WellReading]:
    """Read a place that holds the whole well."""
    for spelling in (_FORWARD, _REVERSED):
        matches = [spelling.fullmatch(value) for value in column.values]
        if not all(matches):
            continue
        letters = [str(match["row"]) for match in matches if match]
        wells = _names([_row(letter) for letter in letters], [int(match["column"]) for match in matches if match])
        if wells is None:
            continue
        if hint == "well":
            sureness = SPELLED
        elif hint not in {"", "plate"}:
            continue
        elif len({letter.casefold() for letter in letters}) > 1:
            sureness = CLEAR
        else:
            sureness = _sureness_of(letters[0], reversed_=spelling is _REVERSED, varies=column.varies)
        if sureness:
            yield WellReading((i,), _as_column(column, wells), sureness)


def _sureness_of(letter: str, *, reversed_: bool, varies: bool) -> int:
    """Say how sure a well of always the same row is: ``s1`` is none, ``F01`` may be a field, ``B01`` is one."""
    if len(letter) > 1 or row_number(letter) > _MOST_COMMON_ROWS or (reversed_ and not varies):
        return 0
    hinted = letter.casefold() in HINTS
    if letter.islower():
        return 0 if hinted or not varies else DOUBTFUL
    if hinted:
        return DOUBTFUL
    return LIKELY if varies else POSSIBLE


def _in_two(i: int, columns: Sequence[Column]) -> Iterator[WellReading]:
    """Read two neighbouring places that hold the row and the column, in either order."""
    if i + 1 >= len(columns):
        return
    first, second = columns[i], columns[i + 1]
    rows, numbers = _numbers(first, _ROW_CODE), _numbers(second, _COLUMN_CODE)
    if rows and numbers:
        yield from _pair((i, i + 1), first, second, (rows, numbers), SPELLED)
    if columns[i - 1].values[0].casefold() == "row" and i and not columns[i - 1].varies and i + 2 < len(columns):
        between, last = columns[i + 1], columns[i + 2]
        if not between.varies and HINTS.get(between.values[0].casefold()) == "column":
            rows, numbers = _letters(first) or _numbers(first), _numbers(last)
            if rows and numbers:
                yield from _pair((i, i + 2), first, last, (rows, numbers), SPELLED)
    for row, column, places in ((first, second, (i, i + 1)), (second, first, (i + 1, i))):
        rows, numbers = _letters(row), _numbers(column)
        if rows and numbers and (row.varies or column.varies):
            sureness = CLEAR if row.varies and column.varies else POSSIBLE
            if column is first and not column.varies:  # the number before the rows may be of something else
                sureness = DOUBTFUL
            yield from _pair(places, row, column, (rows, numbers), sureness)


def _pair(
    places: tuple[int, int], row: Column, column: Column, read: tuple[list[int], list[int]], sureness: int
) -> Iterator[WellReading]:
    keys = row.codes.astype(np.int64) * len(column.values) + column.codes
    codes, pairs = pd.factorize(keys)
    wells = _names(
        [read[0][pair // len(column.values)] for pair in pairs], [read[1][pair % len(column.values)] for pair in pairs]
    )
    # Rows and columns of a plate make a grid; a running number beside the row does not.
    filled = len(pairs) / (len(row.values) * len(column.values))
    if wells is not None:
        yield WellReading(
            (min(places), max(places)),
            Column(tuple(wells), codes, row.token, row.in_folder),
            sureness if filled > 1 / 2 or sureness == SPELLED else DOUBTFUL,
        )


def _names(rows: Sequence[int], columns: Sequence[int]) -> list[str] | None:
    if not all(1 <= r <= MAX_ROWS for r in rows) or not all(1 <= c <= MAX_COLUMNS for c in columns):
        return None
    return [well_name(r, c) for r, c in zip(rows, columns, strict=True)]


def _as_column(column: Column, wells: list[str]) -> Column:
    """Make wells of what stands at a place; ``A1`` and ``A01`` are one."""
    codes, values = pd.factorize(np.array(wells, object))
    return Column(tuple(values), codes[column.codes], column.token, column.in_folder)


def _row(letters: str) -> int:
    return row_number(letters) if letters.isupper() or letters.islower() else 0


def _letters(column: Column) -> list[int] | None:
    return [row_number(v) for v in column.values] if all(map(_LETTER.fullmatch, column.values)) else None


def _numbers(column: Column, spelling: re.Pattern[str] | None = None) -> list[int] | None:
    read: Callable[[str], re.Match[str] | None] = (spelling or re.compile(r"(\d{1,2})")).fullmatch
    matches = [read(value) for value in column.values]
    return [int(match[1]) for match in matches if match] if all(matches) else None
