"""Edits of a plate map: each takes a table and gives a new one; the old one stays, to be gone back to. No Qt."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.gui.facts import PlateFacts
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.plate_map import CONTROL_TYPE, check_plate_map, join_plate_map, read_maps, recognise_controls
from cellvote.plates.plate_maps.columns import content_columns
from cellvote.plates.wells import parse_column, parse_row, well_position
from cellvote.study import Study

Block = list[list[str]]
"""Rows and columns of texts, as a spreadsheet copies them."""

_PLACES = frozenset({"plate", "well", "field", "imaged"})


def entry_columns(table: pd.DataFrame) -> list[str]:
    """The columns that can be edited."""
    return [column for column in content_columns(table) if column not in _PLACES]


def column_of_interest(table: pd.DataFrame) -> str:
    """Choose the column to begin with: controls, else classes, else the first; empty where there is none."""
    columns = entry_columns(table)
    return next((name for name in (CONTROL_TYPE, "class_name", *columns) if name in columns), "")


def with_entries(table: pd.DataFrame, rows: Sequence[int], column: str, entry: str) -> pd.DataFrame:
    """Write one entry into some rows of a column; the column is added where it is not there."""
    return with_each_entry(table, rows, column, [entry] * len(rows))


def with_each_entry(table: pd.DataFrame, rows: Sequence[int], column: str, entries: Sequence[str]) -> pd.DataFrame:
    """Write entries into rows of a column, one each."""
    old = table[column].astype("str").tolist() if column in table else [""] * len(table)
    for row, entry in zip(rows, entries, strict=True):
        old[row] = entry.strip()
    return table.assign(**{column: pd.Series(old, index=table.index, dtype="str")})


def recognised(table: pd.DataFrame) -> pd.DataFrame:
    """Recognise controls by what the map says but for ``control_type`` itself: reasons that one can check."""
    return recognise_controls(table.drop(columns=CONTROL_TYPE, errors="ignore"))


def check_name(table: pd.DataFrame, name: str) -> str:
    """Give a new column's name, without spaces around it.

    Raises
    ------
    PlateMapError
        Where it is empty, or taken.
    """
    name = name.strip()
    if not name:
        raise PlateMapError("a column needs a name.")
    taken = {str(column).casefold(): str(column) for column in table.columns} | {one: one for one in _PLACES}
    if name.casefold() in taken:
        raise PlateMapError(f"there is a column {taken[name.casefold()]!r} already. Give it another name.")
    return name


def read_block(text: str) -> Block:
    """Read what a spreadsheet has copied; empty lines at its end are left out."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter="\t")]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def grid_entries(block: Block, first: str) -> dict[str, str]:
    """Lay a block of entries on a plate.

    Where its first row counts columns (1, 2, …) and its first column rows (A, B, …), these say where each entry
    belongs; else its upper left entry goes into the well ``first``.

    Returns
    -------
    dict
        Well to entry; wells beyond the plate that the names of rows and columns allow are left out.
    """
    labelled = len(block) > 1 and len(block[0]) > 1 and _labels(block)
    if labelled:
        rows = [parse_row(row[0]) for row in block[1:]]
        columns = [parse_column(cell) for cell in block[0][1:]]
        block = [row[1:] for row in block[1:]]
    else:
        at = well_position(first)
        rows = [at.row + i for i in range(len(block))]
        columns = [at.column + i for i in range(len(block[0]) if block else 0)]
    return {
        f"{row}/{column}": entry
        for row, cells in zip(rows, block, strict=True)
        for column, entry in zip(columns, cells, strict=True)
    }


def _labels(block: Block) -> bool:
    across, down = block[0][1:], [row[0] for row in block[1:]]
    return all(re.fullmatch(r"\d{1,2}", cell) for cell in across) and all(
        re.fullmatch(r"[A-Za-z]{1,2}", cell) for cell in down
    )


def facts_of(table: pd.DataFrame, plate: str) -> PlateFacts:
    """What the plate view shows of a plate map."""
    names = entry_columns(table)
    shown = table[(table["plate"] == plate).to_numpy()]
    keys = list(zip(shown["plate"].tolist(), shown["well"].tolist(), strict=True))
    columns = [shown[name].tolist() for name in names]
    wells = {key: {name: column[i] for name, column in zip(names, columns, strict=True)} for i, key in enumerate(keys)}
    imaged = frozenset(key for key, there in zip(keys, shown["imaged"].tolist(), strict=True) if there)
    return PlateFacts(wells=wells, imaged=imaged, columns=tuple(names))


def rows_of(table: pd.DataFrame, plate: str) -> dict[str, int]:
    """The row of each well of a plate."""
    wells = table["well"].tolist()
    return {wells[i]: i for i, of in enumerate(table["plate"].tolist()) if of == plate and wells[i]}


def pasted_on_plate(table: pd.DataFrame, plate: str, column: str, block: Block, wells: Sequence[str]) -> pd.DataFrame:
    """Paste a block into the wells of a plate.

    One entry goes into all chosen wells, as many in a row or column as there are chosen wells into one each, and
    anything else is laid on the plate with its corner in the first chosen well.

    Raises
    ------
    PlateMapError
        Where nothing of it lies on a well of the plate map.
    """
    places = rows_of(table, plate)
    flat = [entry for row in block for entry in row]
    chosen = sorted((well for well in wells if well in places), key=well_position)
    if len(flat) == 1 and chosen:
        return with_entries(table, [places[well] for well in chosen], column, flat[0])
    if 1 in {len(block), len(block[0]) if block else 0} and len(flat) == len(chosen) > 1:
        return with_each_entry(table, [places[well] for well in chosen], column, flat)
    laid = grid_entries(block, chosen[0] if chosen else "A01")
    by_place = {f"{at.row}/{at.column}": row for well, row in places.items() for at in [well_position(well)]}
    hit = {by_place[place]: entry for place, entry in laid.items() if place in by_place}
    if not hit:
        raise PlateMapError("nothing of what was copied lies on a well of this plate map. Choose the first well.")
    return with_each_entry(table, list(hit), column, list(hit.values()))


def pasted_in_table(table: pd.DataFrame, rows: Sequence[int], columns: Sequence[str], block: Block) -> pd.DataFrame:
    """Paste a block into a table, its corner in the first of these rows and columns; what sticks out is left out.

    One entry goes into all of the rows, in the first column.
    """
    if len(block) == 1 and len(block[0]) == 1:
        return with_entries(table, rows, columns[0], block[0][0])
    for i, column in enumerate(columns[: len(block[0])]):
        entries = [row[i] for row in block][: len(rows)]
        table = with_each_entry(table, rows[: len(entries)], column, entries)
    return table


def imported(table: pd.DataFrame, study: Study, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Join another plate map, or a table with something in common, to a plate map.

    Returns
    -------
    table
        With the new columns, of the same wells.
    problems
        What did not match, one sentence each.

    Raises
    ------
    PlateMapError
        Where the file cannot be read, fits no well, or contradicts the map.
    """
    acquisition = acquisition_of(study)
    given: list[pd.DataFrame] = [table] if entry_columns(table) else []
    maps = [*read_maps(given, acquisition.plates), *read_maps([path], acquisition.plates)]
    joined, problems = join_plate_map(acquisition, maps)
    keys = [name for name in ("plate", "well", "field") if name in table and name in joined]
    content = joined.drop(columns=["imaged", *(c for c in ("field",) if c not in keys)], errors="ignore")
    merged = table[[*keys, "imaged"]].merge(content, on=keys, how="left")
    new = merged.assign(**{c: merged[c].astype("str").fillna("") for c in entry_columns(merged)})
    lost = len(joined) - len(new)
    if lost > 0:
        problems = (*problems, f"{lost:,} wells of {path.name} are not in this study, and were left out.")
    return new, list(problems)


def mismatches_of(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """List the wells on which map and images do not match, as `check_plate_map` does; images without wells match."""
    found = check_plate_map(acquisition_of(study), table)
    return found[(found["well"] != "").to_numpy()].reset_index(drop=True)


def acquisition_of(study: Study) -> Acquisition:
    """What was imaged in a study."""
    return Acquisition(study.source, study.info.layout, study.planes, study.info.channels, study.info.pixel_size_um)


def outdated_words(study: Study) -> str:
    """Say which results were made with the plate map as it was; empty where none were."""
    models = study.predictions
    if not models:
        return ""
    them = ", ".join(models)
    return (
        f"Votes, evaluation and reports of {them} were made with the plate map as it was. They are kept: "
        "predict (or vote) and evaluate again."
    )
