"""Reading plate maps: from text and workbooks, long tables, grids, and tables to be joined on a key."""

import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Final

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.columns import content_columns
from cellvote.plates.plate_maps.grids import read_grids, table_of_grids
from cellvote.plates.plate_maps.tables import Sheet, header_index, table_of_rows, with_plate, with_wells
from cellvote.plates.plate_maps.text_files import MAX_TEXT_BYTES, Row, read_text_rows
from cellvote.plates.plate_maps.workbooks import is_workbook, number_text, read_workbook_rows

_FEW: Final = 12


@dataclass(frozen=True, eq=False)  # tables are not compared
class MapTable:
    """A table that says something of wells, or of what is in them.

    Attributes
    ----------
    table
        Text only. With a column ``well`` (``A01``) it is a plate map; without, it is a table to be joined on a
        key, such as the compound. ``plate`` where it names plates.
    name
        The stem of its file: a plate's, or one that a barcode table names.
    source
        What to call it in messages.
    notes
        What was left out in reading it, one sentence each.
    is_aside
        Whether it is a sheet beside the plate map of a workbook: left out with a note where it does not join.
    """

    table: pd.DataFrame
    name: str = ""
    source: str = "the plate map"
    notes: tuple[str, ...] = ()
    is_aside: bool = False

    @property
    def has_wells(self) -> bool:
        """Whether it is a plate map, and not a table to be joined on a key."""
        return "well" in self.table


def read_plate_map(path: str | Path) -> pd.DataFrame:
    """Read a plate map from a CSV, TSV or XLSX file; every entry stays the text that it is.

    Separator and encoding are found out. The well is taken from a column such as ``well`` or ``well_position``,
    else from a row and a column, in any spelling, or from plate-shaped grids. Rows of a well that differ only in
    what is of single images (field, file name) are put into one.

    Returns
    -------
    DataFrame
        ``plate`` where the file names one, ``well`` as ``A01``, then every column of the file as text.

    Raises
    ------
    PlateMapError
        Where the file cannot be read, names no wells, or names one well twice with different contents.
    """
    parts = read_map_file(path)
    for part in parts:
        if part.has_wells:
            return part.table
    found = ", ".join(content_columns(parts[0].table)[:_FEW])
    raise PlateMapError(
        f"{path}: no column names the well. Call one 'well' (A01), or two 'row' and 'column'; found: {found}."
    )


def read_map_file(path: str | Path, plates: Collection[str] = ()) -> tuple[MapTable, ...]:
    """Read every table of a file, those without wells too.

    Parameters
    ----------
    plates
        Names of the plates that were imaged: sheets and grids that are called so are of that plate.

    Returns
    -------
    tuple of MapTable
        One; of a workbook, one for each sheet that is a table of its own.

    Raises
    ------
    PlateMapError
        Where the file cannot be read as a table, or names a well twice with different contents.
    """
    path = Path(path)
    content = _content(path)
    if is_workbook(content):
        book = read_workbook_rows(path, content)
        parts = _of_sheets(path, book.sheets, plates)
        note = f"{path.name}: hidden sheets are left out: {', '.join(book.hidden)}."
        return (replace(parts[0], notes=(*parts[0].notes, note)), *parts[1:]) if book.hidden else parts
    return (_of_rows(path, read_text_rows(path, content), plates, MapTable(pd.DataFrame(), path.stem, path.name)),)


def read_maps(given: Sequence[str | PathLike[str] | pd.DataFrame], plates: Collection[str]) -> list[MapTable]:
    """Read what may be given for a plate map: files and tables, with wells or without, as `join_plate_map` takes them.

    Raises
    ------
    PlateMapError
        Where one cannot be read as a table, or names a well twice with different contents.
    """
    maps: list[MapTable] = []
    for one in given:
        maps += [table_of_frame(one)] if isinstance(one, pd.DataFrame) else read_map_file(Path(one), plates)
    return maps


def table_of_frame(frame: pd.DataFrame) -> MapTable:
    """Take a table that was made in Python: text, wells as ``A01``, nothing for what is missing."""
    table = frame.drop(columns="imaged", errors="ignore").reset_index(drop=True)
    table.columns = [str(c) for c in table.columns]
    table = pd.DataFrame({c: _as_text(table[c]) for c in table.columns}, dtype="str")
    if "well" in table and (table["well"] == "").any():  # images that are of no plate
        return MapTable(with_plate(table))
    found = with_wells("the plate map", Sheet(table, list(range(1, len(table) + 1))))
    return MapTable(with_plate(table)) if found is None else MapTable(found[0], notes=found[1])


def _as_text(column: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(column):
        return column.astype(float).map(number_text).astype("str")
    return column.astype("str").where(column.notna(), "").fillna("").str.strip()


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size > MAX_TEXT_BYTES:
            raise PlateMapError(f"{path}: larger than {MAX_TEXT_BYTES // 2**20} MiB: not a plate map.")
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise PlateMapError(f"{path}: is no file. Give a CSV, TSV or XLSX file.")
        content = path.read_bytes()
    except OSError as error:
        raise PlateMapError(f"{path}: the plate map cannot be opened ({error.strerror}).") from error
    if not content.strip():
        raise PlateMapError(f"{path}: the plate map is empty.")
    return content


def _of_rows(path: Path, rows: Sequence[Row], plates: Collection[str], draft: MapTable, sheet: str = "") -> MapTable:
    """Read rows as grids, else as a table with wells, else as one without."""
    where = f"{path}, sheet {sheet}" if sheet else path
    grids = read_grids(rows)
    if grids:
        name = "" if sheet in plates else sheet
        table = table_of_grids(where, grids, name, plates)
        return replace(draft, table=table if sheet not in plates or "plate" in table else _on_plate(table, sheet))
    long = table_of_rows(path, rows[header_index(rows) :])
    mapped = with_wells(where, long, plates)
    if mapped is None:
        return replace(draft, table=with_plate(long.table, plates))
    table, notes = mapped
    return replace(draft, table=table, notes=notes)


def _on_plate(table: pd.DataFrame, plate: str) -> pd.DataFrame:
    table = table.copy()
    table.insert(0, "plate", plate)
    return table


def _of_sheets(path: Path, sheets: dict[str, list[Row]], plates: Collection[str]) -> tuple[MapTable, ...]:
    """Put the sheets of a workbook together: one for each plate, or one for each thing that is said, or one map.

    Sheets called like plates are of these plates, and so are several with wells and the same columns. What
    fits in neither way is left out with a note.
    """
    parts = []
    only_one = len(sheets) == 1
    for title, rows in sheets.items():
        draft = MapTable(pd.DataFrame(), path.stem, path.name if only_one else f"{path.name}, sheet {title}")
        part = _of_rows(path, rows, plates, draft, "" if only_one and title not in plates else title)
        if part.has_wells and title in plates and "plate" not in part.table:
            part = replace(part, table=_on_plate(part.table, title))
        parts.append((title, part))
    if only_one:
        return (parts[0][1],)
    maps = [(title, part) for title, part in parts if part.has_wells]
    of_plates = [(title, part) for title, part in maps if title in plates]
    if of_plates:
        return _some_left_out(path, [part for _, part in of_plates], parts)
    alike = len({tuple(part.table) for _, part in maps}) == 1 and len(maps) > 1
    if alike:
        placed = [p if "plate" in p.table else replace(p, table=_on_plate(p.table, t)) for t, p in maps]
        return _some_left_out(path, placed, parts)
    kept: list[MapTable] = []
    for _, part in maps:
        if not {c for one in kept for c in content_columns(one.table)} & set(content_columns(part.table)):
            kept.append(part)
    return _some_left_out(path, kept, parts)


def _some_left_out(path: Path, kept: Sequence[MapTable], parts: Sequence[tuple[str, MapTable]]) -> tuple[MapTable, ...]:
    """Give the maps and the tables without wells; note the sheets with wells that are neither."""
    if not kept:
        return tuple(part for _, part in parts)
    sources = {one.source for one in kept}
    left_out = [title for title, part in parts if part.has_wells and part.source not in sources]
    note = f"{path.name}: the sheets {', '.join(left_out)} are left out; they repeat columns of the first."
    first = replace(kept[0], notes=(*kept[0].notes, note)) if left_out else kept[0]
    aside = [replace(part, is_aside=True) for _, part in parts if not part.has_wells and len(part.table)]
    return (first, *kept[1:], *aside)
