"""Plate-shaped grids: rows A–H below columns 1–12, one grid for each thing that is said of the wells."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.columns import numeric_columns, plain
from cellvote.plates.plate_maps.text_files import Row
from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS, parse_column, parse_row, well_name, well_position

_LEAST_PLACES: Final = 3  # the narrowest plate that is sold has three columns
_LONGEST_TITLE: Final = 200
_SAYS_NOTHING: Final = frozenset(
    {"", "row", "rows", "well", "wells", "rowcol", "rowcolumn", "column", "columns", "plate"}
)
_PLATE_TITLE: Final = re.compile(r"plate(?:\s*(?:name|id|barcode))?\s*[:=]\s*(?P<name>\S.*)|plate\s*\d+", re.IGNORECASE)


class Grid(NamedTuple):
    """One grid of a file.

    Attributes
    ----------
    name
        What it says of the wells: its corner cell, else its title; empty where it has neither.
    plate
        The plate, where a title such as ``Plate: P1`` names it, above this grid or one before it.
    title
        What else stands above it.
    line
        The line that it starts at.
    entries
        What stands in each well.
    """

    name: str
    plate: str
    title: str
    line: int
    entries: dict[str, str]


@dataclass(frozen=True)
class _Header:
    start: int
    places: tuple[int, ...]
    across: bool  # whether the columns of the plate go across, as they mostly do


def read_grids(rows: Sequence[Row]) -> list[Grid]:
    """Find every plate-shaped grid among the rows of a file; there is none where a table stands above it."""
    grids: list[Grid] = []
    titles: list[str] = []
    plate, index = "", 0
    while index < len(rows):
        header = _header(rows[index])
        body = _body(rows, index, header) if header else []
        if header is None or not body:
            there = [cell for cell in rows[index].cells if cell]
            if len(there) > 2 and not grids:
                return []
            titles = [*titles, " ".join(there)] if there else titles
            index += 1
            continue
        grid = _grid(rows[index], header, body, titles, plate)
        grids.append(grid)
        plate, titles, index = grid.plate, [], index + 1 + len(body)
    return grids


def _header(row: Row) -> _Header | None:
    """Read a header of consecutive columns (or rows) of a plate, behind one corner cell."""
    there = next((i for i, cell in enumerate(row.cells[:4]) if i and cell), 0)
    for first in (there, there + 1) if there else ():
        if any(row.cells[: first - 1]):
            continue
        for across in (True, False):
            places = _places(row.cells[first:], number=across)
            if len(places) >= _LEAST_PLACES and not any(row.cells[first + len(places) :]):
                return _Header(first, places, across)
    return None


def _places(cells: Sequence[str], *, number: bool) -> tuple[int, ...]:
    """Read consecutive numbers, or letters, up to the first cell that does not go on with them."""
    places: list[int] = []
    for cell in cells:
        place = _place(cell, number=number)
        if place is None or (places and place != places[-1] + 1):
            break
        places.append(place)
    return tuple(places)


def _place(cell: str, *, number: bool) -> int | None:
    text = cell.removesuffix(".0")
    if number != text.isdecimal():
        return None
    try:
        return parse_column(text) if number else parse_row(text)
    except ValueError:
        return None


def _body(rows: Sequence[Row], index: int, header: _Header) -> list[Row]:
    """The rows below a header whose first cells are consecutive letters (or numbers)."""
    body: list[Row] = []
    last = None
    for row in rows[index + 1 : index + 1 + max(MAX_ROWS, MAX_COLUMNS)]:
        place = _place(row.cell(header.start - 1), number=not header.across)
        if place is None or (last is not None and place != last + 1) or any(row.cells[: header.start - 1]):
            break
        last = place
        body.append(row)
    return body


def _grid(top: Row, header: _Header, body: Sequence[Row], titles: Sequence[str], plate: str) -> Grid:
    entries = {}
    for row in body:
        other = _place(row.cell(header.start - 1), number=not header.across) or 0
        for offset, place in enumerate(header.places):
            well = well_name(other, place) if header.across else well_name(place, other)
            entries[well] = row.cell(header.start + offset)
    others: list[str] = []
    for title in titles:
        match = _PLATE_TITLE.fullmatch(title[:_LONGEST_TITLE])
        if match:
            plate = (match["name"] or title).strip()
        else:
            others.append(title.rstrip(":").strip())
    corner = top.cell(header.start - 1)
    title = others[-1] if others else ""
    return Grid(title if plain(corner) in _SAYS_NOTHING else corner, plate, title, top.line, entries)


def table_of_grids(
    path: Path | str, grids: Sequence[Grid], name: str = "", plates: Collection[str] = ()
) -> pd.DataFrame:
    """Make a long table of grids: a column for each, and ``plate`` where they are of several plates.

    Wells that are empty in every grid are left out.

    Parameters
    ----------
    name
        Of a grid without a corner cell and title, such as the name of its sheet. Without one it is called
        ``treatment``, or ``value`` where all its entries are numbers.
    plates
        Names of the plates that were imaged: a grid called like one of them is of that plate.

    Raises
    ------
    PlateMapError
        Where two grids say the same of one plate.
    """
    named = [_named(grid, name, plates) for grid in grids]
    repeated = len({grid.name for grid in named}) < len(named)
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for grid in named:
        columns = tables.setdefault(grid.plate or (grid.title if repeated else ""), {})
        if grid.name in columns:
            raise PlateMapError(
                f"{path}, line {grid.line}: a second grid is called {grid.name!r}. Write into the corner of each grid "
                "what it says, and above it the plate (Plate: NAME) where there are several."
            )
        columns[grid.name] = grid.entries
    if "" in tables and len(tables) > 1:
        raise PlateMapError(f"{path}: some grids name their plate and some do not. Write Plate: NAME above each.")
    parts = []
    for plate, columns in tables.items():
        part = pd.DataFrame(columns, dtype="str").fillna("").rename_axis("well").reset_index()
        part = part[(part[list(columns)] != "").any(axis=1)].sort_values("well", key=_places_of)
        if plate:
            part.insert(0, "plate", plate)
        parts.append(part)
    return pd.concat(parts, ignore_index=True).fillna("").astype("str")


def _places_of(wells: pd.Series) -> pd.Series:
    return wells.map(well_position)


def _named(grid: Grid, name: str, plates: Collection[str]) -> Grid:
    """Give a grid the name of its column; one that is called like a plate is of that plate."""
    if grid.name in plates:
        grid = grid._replace(plate=grid.name, name="")
    if grid.title in plates:
        grid = grid._replace(plate=grid.title)
    entries = pd.DataFrame({"value": list(grid.entries.values())}, dtype="str")
    usual = "value" if numeric_columns(entries) else "treatment"
    return grid._replace(name=grid.name or name or usual)
