"""Long tables: one row per well, field or image, with the well in a column or in a row and a column."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Final

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.plate_maps.columns import (
    COLUMN_NAMES,
    COMPOUND_NAMES,
    PLATE_NAMES,
    ROW_NAMES,
    UNIT_NAMES,
    WELL_NAMES,
    find_named,
    has_metadata_prefix,
    is_dose_name,
    plain,
    words,
)
from cellvote.plates.plate_maps.concentrations import molar_unit, read_amount
from cellvote.plates.plate_maps.text_files import Row
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

_N_BEFORE_HEADER: Final = 30
_OF_IMAGES: Final = frozenset(
    {
        *("image", "images", "file", "filename", "filenames", "path", "pathname", "url", "uri", "field", "fields"),
        *("fieldid", "site", "siteid", "fov", "fovid", "channel", "channels", "frame", "page", "plane", "slice", "z"),
        *(
            "time",
            "timepoint",
            "t",
            "imagenumber",
            "objectnumber",
            "object",
            "cell",
            "cells",
            "index",
            "md5",
            "checksum",
        ),
    }
)
_TREATMENT_WORDS: Final = frozenset(
    {
        *("control", "controls", "moa", "mechanism", "gene", "sirna", "sgrna", "grna", "orf", "pert", "treatment"),
        *(
            "compound",
            "drug",
            "perturbation",
            "genotype",
            "stimulus",
            "inhibitor",
            "smiles",
            "inchikey",
            "conc",
            "dose",
        ),
        *("concentration",),
    }
)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of text with the line that each row stands at."""

    table: pd.DataFrame
    lines: list[int]


def header_index(rows: Sequence[Row]) -> int:
    """Find the row that names the columns: the first, or the first of the next ones that names a well.

    What stands above it (titles, notes of an instrument) is not a part of the table.
    """
    for index, row in enumerate(rows[:_N_BEFORE_HEADER]):
        names = [cell for cell in row.cells if cell]
        if find_named(names, WELL_NAMES) or (find_named(names, ROW_NAMES) and find_named(names, COLUMN_NAMES)):
            above = (sum(bool(cell) for cell in other.cells) for other in rows[:index])
            return index if all(n < len(names) for n in above) else 0
    return 0


def table_of_rows(path: Path, rows: Sequence[Row]) -> Sheet:
    """Make a table of rows whose first one names the columns; rows that end early are filled with nothing.

    Raises
    ------
    PlateMapError
        Where a row has more entries than the header, two columns have one name, or the header stands twice.
    """
    header, *body = _with_one_header([rows[0], *(row for row in rows[1:] if not row.is_empty())])
    width = len(header.cells)
    while width and not header.cell(width - 1) and not any(row.cell(width - 1) for row in body):
        width -= 1
    names = [header.cell(i) or f"column {i + 1}" for i in range(width)]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise PlateMapError(f"{path}: two columns are called {twice!r}. Rename one of them.")
    for row in body:
        extra = next((i for i in range(width, len(row.cells)) if row.cells[i]), None)
        if extra is not None:
            raise PlateMapError(
                f"{path}, line {row.line}: has {extra + 1} entries and the header {width}. Correct the separators, "
                "or put quotes around the entry that has one in it."
            )
        if width > 1 and [row.cell(i) for i in range(width)] == names:
            raise PlateMapError(f"{path}, line {row.line}: the header stands in it again. Remove that line.")
    columns = {name: [row.cell(i) for row in body] for i, name in enumerate(names)}
    table = pd.DataFrame(columns, dtype="str")
    if names[:1] == ["column 1"] and _is_counter(columns["column 1"]):
        table = table.drop(columns="column 1")  # the row numbers that some programs write
    return Sheet(table, [row.line for row in body])


def _with_one_header(rows: Sequence[Row]) -> list[Row]:
    """Put a header of two rows into one: ``Treatment`` above ``Compound`` and ``Conc`` are the latter two.

    The second row is one where it names columns that the first leaves open, has no well, and holds no number.
    """
    top, *rest = rows
    wells = [i for i, cell in enumerate(top.cells) if cell and find_named([cell], WELL_NAMES)]
    if not rest or not wells or any(rest[0].cell(i) for i in wells):
        return list(rows)
    below = rest[0]
    width = max(len(top.cells), len(below.cells))
    if (units := [i for i, cell in enumerate(below.cells) if cell]) and all(
        molar_unit(below.cell(i)) and is_dose_name(top.cell(i)) for i in units
    ):
        return [Row(top.line, [f"{top.cell(i)} {below.cell(i)}".strip() for i in range(width)]), *rest[1:]]
    opened = [i for i in range(width) if below.cell(i) and not top.cell(i)]
    if not opened or any(read_amount(cell) for cell in below.cells if cell):
        return list(rows)
    groups = [next((top.cell(k) for k in range(i, -1, -1) if top.cell(k)), "") for i in range(width)]
    names = [below.cell(i) or top.cell(i) for i in range(width)]
    names = [f"{groups[i]} {n}" if n and names.count(n) > 1 and groups[i] != n else n for i, n in enumerate(names)]
    return [Row(top.line, names), *rest[1:]]


def _is_counter(entries: list[str]) -> bool:
    return entries in ([str(i) for i in range(len(entries))], [str(i + 1) for i in range(len(entries))])


def with_wells(
    path: Path | str, sheet: Sheet, plates: Collection[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]] | None:
    """Give a table its columns ``plate`` (where it names plates) and ``well`` (as ``A01``), one row per well.

    Parameters
    ----------
    plates
        Names of the plates that were imaged: of several columns that may name the plate, the one with these does.

    Returns
    -------
    tuple or None
        The table and notes on what was left out; None where no column names the well.

    Raises
    ------
    PlateMapError
        Where an entry is no well, or a well has two different treatments.
    """
    table = sheet.table
    wells, used = _wells(path, sheet)
    if wells is None:
        return None
    table = table.drop(columns=[c for c in used if plain(c) in WELL_NAMES or len(used) == 1])
    if "well" in table:
        table = table.rename(columns={"well": "well_source"})
    table = with_plate(table, plates).assign(well=wells)
    keys = [c for c in ("plate", "well") if c in table]
    notes = _without_well(path, table, sheet.lines)
    table = table[table["well"] != ""][[*keys, *(c for c in table if c not in keys)]]
    table, more = _one_row_per_well(path, table.drop_duplicates(ignore_index=True), keys)
    return table, (*notes, *more)


def _without_well(path: Path | str, table: pd.DataFrame, lines: Sequence[int]) -> tuple[str, ...]:
    """Say which rows name no well though they say something; they are left out."""
    entries = table.drop(columns="well")
    open_rows = ((table["well"] == "") & (entries != "").any(axis=1)).to_list()
    wrong = [line for line, is_open in zip(lines, open_rows, strict=True) if is_open]
    if not wrong:
        return ()
    listed = ", ".join(map(str, wrong[:6])) + (" …" if len(wrong) > 6 else "")
    rows = "1 row names no well and is" if len(wrong) == 1 else f"{len(wrong):,} rows name no well and are"
    return (f"{PurePath(path).name}: {rows} left out (line {listed}).",)


def with_plate(table: pd.DataFrame, plates: Collection[str] = ()) -> pd.DataFrame:
    """Call the column that names the plate ``plate``: of several, the first that names one of ``plates``."""
    named = find_named(table.columns, PLATE_NAMES) or [c for c in table.columns if _may_name_plate(c)]
    if not named or "plate" in table:
        return table
    plate = next((c for c in named if not set(plates).isdisjoint(table[c])), named[0])
    return table.rename(columns={plate: "plate"})


def _may_name_plate(column: str) -> bool:
    """Whether a column is called like ``Image_Metadata_Plate_DAPI``."""
    return (
        has_metadata_prefix(column)
        and words(column)[:1] == ("plate",)
        and len(words(column)) == 2
        and not ({"map", "layout", "format", "type", "well", "row", "column", "col", "size"} & set(words(column)))
    )


def _wells(path: Path | str, sheet: Sheet) -> tuple[list[str] | None, list[str]]:
    """Read the wells, and say from which columns."""
    table = sheet.table
    named = [c for c in find_named(table.columns, WELL_NAMES) if not _counts_wells(c, table[c])]
    others = [c for c in table.columns if c not in named]
    likely = [c for c in others if set(words(c)) & {"well", "wells", "position", "pos", "coordinate"}]
    rows, columns = find_named(table.columns, ROW_NAMES), find_named(table.columns, COLUMN_NAMES)
    for column in [*named, *sorted(likely, key=lambda c: "source" in words(c))]:
        wells = _parsed(table[column])
        if wells is not None:
            return wells, [column]
    if rows and columns:
        return _wells_of_rows(path, sheet, rows[0], columns[0]), [rows[0], columns[0]]
    if not named:
        return None, []
    return _strictly_parsed(path, sheet, named[0]), [named[0]]


def _counts_wells(column: str, entries: pd.Series) -> bool:
    """Whether a column ``wells`` says how many there are, and not which."""
    return plain(column) == "wells" and bool(entries.str.fullmatch(r"\d*").all())


@lru_cache(maxsize=8192)
def _well(entry: str) -> str | None:
    try:
        return parse_well(entry) if entry else ""
    except ValueError:
        return None


def _parsed(entries: pd.Series) -> list[str] | None:
    """The wells of a column, or None where an entry is none, or all are empty."""
    wells: list[str] = []
    for entry in entries:
        well = _well(entry)
        if well is None:
            return None
        wells.append(well)
    return wells if any(wells) else None


def _strictly_parsed(path: Path | str, sheet: Sheet, column: str) -> list[str]:
    wells: list[str] = []
    for entry, line in zip(sheet.table[column], sheet.lines, strict=True):
        well = _well(entry)
        if well is None and entry.isdecimal():
            raise PlateMapError(
                f"{path}, line {line}: {entry!r} is no well: whether wells are numbered along rows or columns cannot "
                "be told. Write A01, or give a row and a column."
            )
        if well is None:
            raise PlateMapError(
                f"{path}, line {line}: {entry!r} is not a well (write A01, a1, r01c01 or 1/1; rows A–AF, columns 1–48)."
            )
        wells.append(well)
    return wells


def _wells_of_rows(path: Path | str, sheet: Sheet, row: str, column: str) -> list[str]:
    wells: list[str] = []
    known: dict[tuple[str, str], str] = {("", ""): ""}
    for r, c, line in zip(sheet.table[row], sheet.table[column], sheet.lines, strict=True):
        if (r, c) not in known:
            try:
                known[r, c] = well_name(parse_row(_whole(r)), parse_column(_whole(c))) if r else ""
            except ValueError as error:
                raise PlateMapError(f"{path}, line {line}: {error}.") from error
        wells.append(known[r, c])
    return wells


def _whole(number: str) -> str:
    return number[:-2] if re.fullmatch(r"\d+\.0", number) else number


def _one_row_per_well(path: Path | str, table: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put the rows of a well into one: what differs between its images is left out, never what was done to it."""
    if not table.duplicated(keys).any():
        return table, ()
    counts = table.groupby(keys, sort=False).nunique()
    differ = [c for c in map(str, counts.columns) if (counts[c] > 1).any()]
    of_images = [c for c in differ if _is_of_images(c) and not is_treatment(c)]
    for column in differ:
        if not of_images or is_treatment(column):
            _refuse_difference(path, table, keys, column)
    left_out = [c for c in differ if not is_treatment(c)] if of_images else []
    table = table.drop(columns=left_out).drop_duplicates(keys, ignore_index=True)
    named = ", ".join(left_out[:6]) + (f" and {len(left_out) - 6} more" if len(left_out) > 6 else "")
    note = f"{PurePath(path).name}: has several rows for a well; what differs between them is left out: {named}."
    return table, (note,) if left_out else ()


def _refuse_difference(path: Path | str, table: pd.DataFrame, keys: list[str], column: str) -> None:
    """Refuse a column that differs within a well, unless its entries are one number in two spellings."""
    entries = table[column]
    if is_dose_name(column):
        entries = entries.map(_number_or_text)
    counts = entries.groupby([table[k] for k in keys], sort=False).transform("nunique")
    rows = table[counts > 1]
    if rows.empty:
        return
    first = rows.iloc[0]
    same = rows[(rows[keys] == first[keys]).all(axis=1)]
    where = first["well"] if "plate" not in table else f"{first['well']} of plate {first['plate']}"
    values = ", ".join(repr(v) for v in pd.unique(same[column])[:3])
    raise PlateMapError(
        f"{path}: well {where} stands in it more than once with different contents ({column}: {values}). Keep one row "
        "for each well, or add a plate column."
    )


def _number_or_text(entry: str) -> str:
    amount = read_amount(entry)
    return entry if amount is None else f"{amount.number.normalize()} {amount.unit}"


def _is_of_images(column: str) -> bool:
    return bool(_OF_IMAGES & set(words(column))) or plain(column) in _OF_IMAGES


def is_treatment(column: str) -> bool:
    """Whether a column is called like something that is done to a well: compound, dose, control, gene, …."""
    return (
        plain(column) in COMPOUND_NAMES
        or plain(column) in UNIT_NAMES
        or is_dose_name(column)
        or bool(_TREATMENT_WORDS & set(words(column)))
    )
