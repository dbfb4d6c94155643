"""Plate maps: what was done to each well, as text, joined to the images by well."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from cellvote.errors import PlateMapError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

_WELL_NAMES: Final = ("well", "wellid", "wellname", "wellposition", "metadatawell", "metadatawellposition")
_ROW_NAMES: Final = ("row", "wellrow", "metadatarow", "platerow")
_COLUMN_NAMES: Final = (
    "column",
    "col",
    "wellcol",
    "wellcolumn",
    "metadatacolumn",
    "metadatacol",
    "platecolumn",
)
_PLATE_NAMES: Final = ("plate", "plateid", "platename", "barcode", "metadataplate", "platebarcode")
_COMPOUND_NAMES: Final = ("compound", "drug", "treatment", "perturbation", "sirna", "gene", "genename")
_DOSE_PARTS: Final = ("dose", "conc")
_MAX_BYTES: Final = 256 * 2**20


def read_plate_map(path: str | Path) -> pd.DataFrame:
    """Read a CSV (or TSV, or semicolon) plate map; every entry stays the text that it is.

    The well is taken from a column such as ``well`` or ``well_position``, else from a row and a column,
    in any spelling.

    Returns
    -------
    DataFrame
        ``well`` as ``A01``, ``plate`` where the file names one, then every column of the file as text.

    Raises
    ------
    PlateMapError
        Where the file cannot be read, names no wells, or names one well twice with different contents.
    """
    path = Path(path)
    table = _read_text_table(path)
    wells = _wells(table, path)
    table = table.assign(well=wells).drop(
        columns=[c for c in map(str, table) if _plain(c) in _WELL_NAMES and c != "well"]
    )
    plate = _find(table, _PLATE_NAMES)
    if plate is not None and plate != "plate":
        table = table.rename(columns={plate: "plate"})
    table = table[table["well"] != ""].drop_duplicates(ignore_index=True)
    keys = [c for c in ("plate", "well") if c in table]
    twice = table.duplicated(keys, keep=False)
    if twice.any():
        well = table.loc[twice, "well"].iloc[0]
        raise PlateMapError(
            f"{path}: well {well} stands in it more than once with different contents. Keep one row for each "
            "well, or add a plate column."
        )
    return table[[*keys, *(c for c in table if c not in keys)]]


def _read_text_table(path: Path) -> pd.DataFrame:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlateMapError(f"{path}: larger than 256 MiB: not a plate map.")
        text = path.read_bytes()
        head = text.decode("utf-8-sig")[:4096].partition("\n")[0]
        separator = max(",;\t", key=head.count)
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True
        )
    except OSError as error:
        raise PlateMapError(f"{path}: the plate map cannot be opened ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise PlateMapError(f"{path}: the plate map is not UTF-8 text. Save it as CSV UTF-8.") from error
    except (ValueError, csv.Error) as error:
        raise PlateMapError(f"{path}: the plate map cannot be read as a table ({error}).") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise PlateMapError(f"{path}: the rows have more entries than the header. Correct the separators.")
    table.columns = [str(c).strip() for c in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise PlateMapError(f"{path}: two columns are called {twice[0]!r}. Rename one of them.")
    unquoted = {c: table[c].str.strip().str.strip('"').str.strip() for c in table.columns}
    return pd.DataFrame(unquoted, dtype="str")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


def _find(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    plain = {_plain(c): c for c in reversed(table.columns)}
    return next((plain[name] for name in names if name in plain), None)


def _wells(table: pd.DataFrame, path: Path) -> list[str]:
    well, row, column = (_find(table, names) for names in (_WELL_NAMES, _ROW_NAMES, _COLUMN_NAMES))
    wells: list[str] = []
    for line, entry in enumerate(table.to_dict("records"), start=2):
        try:
            if well is not None:
                wells.append(parse_well(entry[well]) if entry[well] else "")
            elif row is not None and column is not None:
                wells.append(well_name(parse_row(entry[row]), parse_column(entry[column])) if entry[row] else "")
            else:
                raise PlateMapError(
                    f"{path}: no column names the well. Call one 'well' (A01), or two 'row' and 'column'; "
                    f"found: {', '.join(table.columns)}."
                )
        except ValueError as error:
            if isinstance(error, PlateMapError):
                raise
            raise PlateMapError(f"{path}, line {line}: {error}.") from error
    return wells


def join_plate_map(acquisition: Acquisition, maps: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Join plate maps to the imaged wells.

    Returns
    -------
    table
        One row per well that is imaged or on a map: ``plate``, ``well``, ``imaged`` (bool), then the columns
        of the maps as text (empty where a map does not speak of the well).
    problems
        Wells without images and images without wells, one sentence each.

    Raises
    ------
    PlateMapError
        Where no well of a map matches any image, or two maps disagree on a column.
    """
    imaged = acquisition.wells.assign(imaged=True)
    table = imaged
    problems: list[str] = []
    for one in maps:
        spread = one if "plate" in one else one.merge(pd.DataFrame({"plate": acquisition.plates}), how="cross")
        spread = _match_plates(spread, acquisition.plates)
        matched = spread.merge(imaged[["plate", "well"]], on=["plate", "well"])
        if matched.empty:
            raise PlateMapError(
                f"the plate map fits no image: it speaks of the wells {_few(one['well'])}"
                f"{' of plate ' + _few(one['plate']) if 'plate' in one else ''}, and the images are of "
                f"{_few(imaged['well'])} of plate {_few(imaged['plate'])}."
            )
        shared = [c for c in spread if c in table and c not in {"plate", "well"}]
        if shared:
            raise PlateMapError(f"two plate maps have the column {shared[0]!r}. Rename it in one of them.")
        if len(spread) > len(matched):
            problems.append(f"{len(spread) - len(matched)} well(s) of the plate map have no images.")
        if len(matched) < len(imaged):
            problems.append(f"{len(imaged) - len(matched)} imaged well(s) are not on the plate map.")
        table = table.merge(spread, on=["plate", "well"], how="outer")
    imaged_flag = table["imaged"].astype("boolean").fillna(value=False).astype(bool)
    table = table.drop(columns="imaged").astype("str").fillna("")
    table.insert(2, "imaged", imaged_flag)
    return table.sort_values(["plate", "well"], ignore_index=True), tuple(problems)


def _match_plates(table: pd.DataFrame, plates: Sequence[str]) -> pd.DataFrame:
    """Let a map with one plate name serve the one plate that there is, whatever it is called."""
    named = table["plate"].unique()
    if len(plates) == 1 and len(named) == 1 and named[0] != plates[0]:
        return table.assign(plate=plates[0])
    return table


def _few(values: pd.Series) -> str:
    unique = [str(v) for v in pd.unique(values)]
    return ", ".join(unique[:4]) + (" …" if len(unique) > 4 else "")


def find_column(plate_map: pd.DataFrame, name: str) -> str:
    """Find a column by name, in any case.

    Raises
    ------
    PlateMapError
        Where there is none; the message lists those that there are.
    """
    folded = {c.casefold(): c for c in reversed(plate_map.columns)}
    if name in plate_map:
        return name
    if name.casefold() in folded:
        return folded[name.casefold()]
    there = [c for c in plate_map.columns if c not in {"plate", "well", "imaged"}]
    raise PlateMapError(
        f"the plate map has no column {name!r}; it has: "
        f"{', '.join(there) or 'none (create the study with --plate-map)'}."
    )


def dose_column(plate_map: pd.DataFrame) -> str | None:
    """Name the column that holds a dose or concentration as numbers, where there is one."""
    for column in map(str, plate_map.columns):
        if any(part in column.casefold() for part in _DOSE_PARTS):
            numbers = pd.to_numeric(plate_map[column], errors="coerce").dropna()
            if len(numbers.unique()) > 1:
                return column
    return None


def compound_column(plate_map: pd.DataFrame) -> str | None:
    """Name the column that holds the compound (drug, siRNA, gene), where there is one."""
    return _find(plate_map, _COMPOUND_NAMES)


def treatments(plate_map: pd.DataFrame) -> pd.Series:
    """Name the treatment of each well: the compound at its concentration, or what the map has of these.

    Returns
    -------
    Series of str
        Aligned with the plate map; empty where a well has no treatment.
    """
    compound, dose = compound_column(plate_map), dose_column(plate_map)
    unit = _find(plate_map, ("unit", "concentrationunit", "doseunit"))
    parts = []
    if compound is not None and compound != dose:
        parts.append(plate_map[compound].astype("str"))
    if dose is not None:
        amount = plate_map[dose].astype("str")
        amount = amount if unit is None else (amount + " " + plate_map[unit].astype("str")).str.strip()
        parts.append(amount if parts else (dose + " " + amount).where(plate_map[dose] != "", ""))
    if not parts:
        return pd.Series("", index=plate_map.index, dtype="str")
    joined = parts[0] if len(parts) == 1 else (parts[0] + " " + parts[1]).str.strip()
    return joined.where(parts[0] != "", "").astype("str")
