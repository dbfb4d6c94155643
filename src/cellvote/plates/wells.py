"""Well names: ``A01`` in any spelling, and the plates that hold them."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

MAX_ROWS: Final = 32
MAX_COLUMNS: Final = 48
PLATE_SHAPES: Final = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (32, 48),
}
"""Rows and columns of the plates that are sold, by number of wells."""

_SPELLINGS: Final = (
    re.compile(r"(?P<letters>[A-Za-z]{1,2})\s*[-_ ,]?\s*(?P<column>\d{1,3})"),
    re.compile(r"[Rr](?:ow)?\s*0*(?P<row>\d{1,2})\s*[-_ ,]?\s*[Cc](?:ol)?\s*0*(?P<column>\d{1,2})"),
    re.compile(r"0*(?P<row>\d{1,2})\s*[/,:]\s*0*(?P<column>\d{1,2})"),
)


class WellPosition(NamedTuple):
    """Row and column of a well, both counted from 1."""

    row: int
    column: int


def row_letters(row: int) -> str:
    """Write row 1 as ``A``, 26 as ``Z``, 27 as ``AA``."""
    return chr(64 + row) if row <= 26 else chr(64 + (row - 1) // 26) + chr(65 + (row - 1) % 26)


def row_number(letters: str) -> int:
    """Read ``A`` as 1, ``Z`` as 26, ``AA`` as 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def well_name(row: int, column: int) -> str:
    """Write a well, rows and columns counted from 1: ``well_name(2, 7)`` is ``"B07"``.

    Raises
    ------
    ValueError
        Where no plate that is sold has such a row or column.
    """
    if not (1 <= row <= MAX_ROWS and 1 <= column <= MAX_COLUMNS):
        raise ValueError(f"row {row}, column {column}: no plate has such a well (rows 1–32, columns 1–48)")
    return f"{row_letters(row)}{column:02d}"


def well_position(text: str) -> WellPosition:
    """Read a well in any spelling: ``A01``, ``a1``, ``A-01``, ``r01c01``, ``1/1``.

    Raises
    ------
    ValueError
        Where the text is no well of a plate with at most 32 × 48 wells.
    """
    for spelling in _SPELLINGS:
        match = spelling.fullmatch(text.strip())
        if match:
            found = match.groupdict()
            row = row_number(found["letters"]) if "letters" in found else int(found["row"])
            column = int(found["column"])
            if 1 <= row <= MAX_ROWS and 1 <= column <= MAX_COLUMNS:
                return WellPosition(row, column)
    raise ValueError(f"{text!r} is not a well (write A01, a1, r01c01 or 1/1; rows A–AF, columns 1–48)")


def parse_well(text: str) -> str:
    """Read a well in any spelling and write it as ``A01``."""
    return well_name(*well_position(text))


def parse_row(text: str) -> int:
    """Read a row given as letters or as a number counted from 1.

    Raises
    ------
    ValueError
        Where it is neither, or beyond row 32.
    """
    text = text.strip()
    row = int(text) if text.isdecimal() else row_number(text) if text.isascii() and text.isalpha() else 0
    if not 1 <= row <= MAX_ROWS:
        raise ValueError(f"{text!r} is not a row (write A–AF, or 1–32)")
    return row


def parse_column(text: str) -> int:
    """Read a column counted from 1.

    Raises
    ------
    ValueError
        Where it is no number, or beyond column 48.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_COLUMNS):
        raise ValueError(f"{text!r} is not a column (write 1–48)")
    return int(text)


def plate_shape(wells: Iterable[str]) -> tuple[int, int]:
    """Rows and columns of the smallest plate that is sold and holds all of these wells."""
    positions = [well_position(well) for well in wells if well]
    rows = max((p.row for p in positions), default=1)
    columns = max((p.column for p in positions), default=1)
    return next(shape for _, shape in sorted(PLATE_SHAPES.items()) if rows <= shape[0] and columns <= shape[1])


def edge_distance(well: str, shape: tuple[int, int]) -> int:
    """How many wells lie between this one and the nearest edge of a plate of rows × columns."""
    row, column = well_position(well)
    return min(row - 1, column - 1, shape[0] - row, shape[1] - column)
