"""Where each row of an image table was taken: plate, well, field, z and time, and where on the stage."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import FIELD, POSITION_COLUMNS, plane_number
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.load_data_columns import ImageColumns, harmony_column
from cellvote.plates.layouts.named_groups import plate_of
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

_SITE_IN_NAME: Final = re.compile(r"(?:^|[_\- ])s(?P<site>\d{1,3})(?=[_\- .])", re.IGNORECASE)
_NUMBER_AT_END: Final = re.compile(r"[^0-9]*(\d+)(?:\.0+)?")
_MAX_PIXEL_M: Final = 1e-3


def place_rows(folder: Folder, name: str, table: pd.DataFrame, columns: ImageColumns) -> tuple[pd.DataFrame, list[str]]:
    """Read the places of all rows.

    Returns
    -------
    places
        ``plate``, ``well``, ``field``, ``z``, ``timepoint``, aligned with the table. Where no column tells the
        field, it is read from names such as ``…_s2_w1…``, else it is the order within the well.
    problems
        Sentences.

    Raises
    ------
    LayoutError
        Where an entry is no well or no number; the line is named.
    """
    path = folder.path / name
    problems: list[str] = []
    places = pd.DataFrame(index=table.index)
    places["plate"] = _plates(folder, name, table, columns)
    places["well"] = pd.array(_wells(f"{path}", table, columns), dtype="str")
    for what in ("z", "timepoint"):
        column = getattr(columns, what)
        places[what] = _numbers(f"{path}", table, column) if column else 1
        if what == "z" and (places["z"] == 0).any():
            places["z"] += 1
    if not columns.has_wells:
        problems.append(
            f"{path.name}: no column tells the well (Metadata_Well): the images stand there without plate geometry."
        )
    if columns.field:
        places["field"] = _numbers(f"{path}", table, columns.field)
        if (places["field"] == 0).any():
            places["field"] += 1
    else:
        places["field"] = _fields_by_name(table, columns, places)
    return places[["plate", "well", "field", "z", "timepoint"]], problems


def _plates(folder: Folder, name: str, table: pd.DataFrame, columns: ImageColumns) -> Any:
    below, _, _ = name.rpartition("/")
    fallback = plate_of(folder, below)
    if not columns.plate:
        return pd.array([fallback] * len(table), dtype="str")
    return table[columns.plate].where(table[columns.plate] != "", fallback)


def _wells(path: str, table: pd.DataFrame, columns: ImageColumns) -> list[str]:
    if not columns.has_wells:
        return [""] * len(table)
    if columns.well:
        named = _read_each(path, table[columns.well].tolist(), parse_well, quietly=bool(columns.row and columns.column))
        if named is not None:
            return named
    rows = _read_each(path, table[columns.row].tolist(), parse_row)
    numbers = _read_each(path, table[columns.column].map(_without_point).tolist(), parse_column)
    assert rows is not None  # noqa: S101 - only what is read quietly can be None
    assert numbers is not None  # noqa: S101
    names = {place: well_name(*place) for place in set(zip(rows, numbers, strict=True))}
    return [names[place] for place in zip(rows, numbers, strict=True)]


def _without_point(text: str) -> str:
    return re.sub(r"\.0+$", "", text)


def _read_each(
    path: str, texts: Sequence[str], read: Callable[[str], Any], *, quietly: bool = False
) -> list[Any] | None:
    """Read a column, each different text once; None, where that may be, if one cannot be read."""
    known: dict[str, Any] = {}
    for text in dict.fromkeys(texts):
        try:
            known[text] = read(text)
        except ValueError as error:
            if quietly:
                return None
            raise LayoutError(f"{path}, row {texts.index(text) + 2}: {error}. Correct the table.") from error
    return [known[text] for text in texts]


def _numbers(path: str, table: pd.DataFrame, column: str) -> list[int]:
    numbers = _read_each(path, table[column].tolist(), _number)
    assert numbers is not None  # noqa: S101
    return numbers


def _number(text: str) -> int:
    """Read ``3``, ``3.0``, ``s3`` or ``F003``; nothing is 1."""
    if not text:
        return 1
    match = _NUMBER_AT_END.fullmatch(text)
    return plane_number(match[1] if match else text)


def _fields_by_name(table: pd.DataFrame, columns: ImageColumns, places: pd.DataFrame) -> Any:
    """Number fields by their files' names where all of them say it and none twice, else by their order."""
    first = next(iter(columns.channels.values()))
    names = table[first.file or first.url]
    sites = names.str.extract(_SITE_IN_NAME, expand=False)
    stack = ["plate", "well", "z", "timepoint"]
    if sites.notna().all():
        numbered = places[stack].assign(field=sites.astype(int))
        if not numbered.duplicated().any() and (numbered["field"] > 0).all():
            return numbered["field"]
    return places.groupby(stack, sort=False).cumcount() + 1


def pixel_size_um(table: pd.DataFrame) -> float | None:
    """The width of a pixel, where the table has it from a Harmony index (metres)."""
    column = harmony_column(table, "imageresolutionx")
    if not column:
        return None
    sizes = pd.to_numeric(table[column], errors="coerce").dropna().unique()
    return round(float(sizes[0]) * 1e6, 6) if len(sizes) == 1 and 0 < sizes[0] < _MAX_PIXEL_M else None


def harmony_positions(table: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame | None:
    """Stage positions, where the table has them from a Harmony index: metres, y growing upwards."""
    x, y = harmony_column(table, "positionx"), harmony_column(table, "positiony")
    if not (x and y) or pixel_size_um(table) is None:
        return None
    found = places[FIELD].assign(
        x_um=pd.to_numeric(table[x], errors="coerce") * 1e6, y_um=pd.to_numeric(table[y], errors="coerce") * -1e6
    )
    known = found[np.isfinite(found["x_um"]) & np.isfinite(found["y_um"])].drop_duplicates(FIELD, ignore_index=True)
    return known[list(POSITION_COLUMNS)].astype(POSITION_COLUMNS) if len(known) else None
