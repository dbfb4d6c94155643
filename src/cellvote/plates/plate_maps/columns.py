"""What the columns of a plate map mean, told by their names in any spelling."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import PlateMapError

CONCENTRATION_UM: Final = "concentration_um"
"""The column with concentrations in µM that is made where units are known."""

CONTROL_TYPE: Final = "control_type"
"""The column with ``negative``, ``positive`` or nothing."""

WELL_NAMES: Final = (
    *("well", "wells", "wellid", "wellname", "wellposition", "wellpos", "wellcoordinate", "wellcoord", "wellref"),
    *("welllabel", "wellalpha", "wellcode", "destinationwell", "destwell", "targetwell", "assaywell", "platewell"),
)
ROW_NAMES: Final = ("row", "wellrow", "platerow", "rowname", "rowletter", "rowid", "rownumber", "rowlabel")
COLUMN_NAMES: Final = (
    *("column", "col", "wellcol", "wellcolumn", "platecolumn", "platecol", "columnname", "colname", "columnnumber"),
    *("colnumber", "columnid", "colid"),
)
PLATE_NAMES: Final = (
    *("plate", "plateid", "platename", "barcode", "platebarcode", "assayplatebarcode", "assayplate", "platenumber"),
    *("destinationplate", "destinationplatename", "destinationplatebarcode", "destplate", "destplatebarcode"),
    *("destplatename", "assayplateid", "assayplatename", "measuredplate", "plateidentifier"),
)
COMPOUND_NAMES: Final = (
    *("compound", "drug", "treatment", "perturbation", "sirna", "compoundname", "drugname", "pertiname", "pertname"),
    *("molecule", "substance", "chemical", "treatmentname", "perturbationname", "gene", "genename", "genesymbol"),
    *("sgrna", "sirnaid", "orf", "compoundid", "drugid", "treatmentid", "broadsample", "jcp2022", "perturbationid"),
)
UNIT_NAMES: Final = tuple(f"{of}{unit}" for of in ("", "concentration", "dose", "conc") for unit in ("unit", "units"))
_DOSE_PARTS: Final = ("dose", "conc")
_PREFIX: Final = re.compile(r"(?:image[\s_.-]*)?metadata[\s_.-]+(?=\S)", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[µμ]+[a-zA-Z]*")
_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9]\d*|0?(?=\.))(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PLACES: Final = frozenset({"plate", "well", "imaged"})


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Reduce a column name to its letters and digits, without prefixes such as ``Image_Metadata_``."""
    return re.sub(r"[^a-z0-9]", "", _PREFIX.sub("", name.strip(), count=1).casefold())


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Split a column name into its words, in lower case: ``WellPosition`` and ``well_position`` are the same."""
    return tuple(word.casefold() for word in _WORD.findall(_PREFIX.sub("", name.strip(), count=1)))


def find_named(columns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Every column that is called one of these plain names, in the order of the names."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(plain(column), []).append(column)
    return [column for name in names for column in by_name.get(name, [])]


def has_metadata_prefix(name: str) -> bool:
    """Whether a column name starts with ``Metadata_`` or ``Image_Metadata_``."""
    return _PREFIX.match(name.strip()) is not None


def content_columns(table: pd.DataFrame) -> list[str]:
    """The columns that say something of the wells: all but ``plate``, ``well`` and ``imaged``."""
    return [c for c in map(str, table.columns) if c not in _PLACES]


def is_dose_name(name: str) -> bool:
    """Whether a column is called like a dose or concentration (and not like the unit of one)."""
    return any(part in name.casefold() for part in _DOSE_PARTS) and plain(name) not in UNIT_NAMES


def find_column(plate_map: pd.DataFrame, name: str) -> str:
    """Find a column by name: exactly, else in any case, else in any spelling (``moa`` is ``Metadata_MoA``).

    Raises
    ------
    PlateMapError
        Where there is none; the message lists those that there are.
    """
    if name in plate_map:
        return name
    folded = {c.casefold(): c for c in reversed(plate_map.columns)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    there = content_columns(plate_map)
    spelled = [c for c in there if plain(c) and plain(c) == plain(name)]
    if len(spelled) == 1:
        return spelled[0]
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


def compound_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name every column that holds a compound (drug, siRNA, gene) or its identifier, the likeliest first."""
    return find_named(content_columns(plate_map), COMPOUND_NAMES)


def compound_column(plate_map: pd.DataFrame) -> str | None:
    """Name the column that holds the compound (drug, siRNA, gene), where there is one."""
    named = compound_columns(plate_map)
    return next((c for c in named if (plate_map[c] != "").any()), named[0] if named else None)


def treatments(plate_map: pd.DataFrame) -> pd.Series:
    """Name the treatment of each well: the compound at its concentration, or what the map has of these.

    The concentration is written as the map writes it; in µM where the map has several units.

    Returns
    -------
    Series of str
        Aligned with the plate map; empty where a well has no treatment.
    """
    compound, dose = compound_column(plate_map), dose_column(plate_map)
    parts = []
    if compound is not None and compound != dose:
        parts.append(_with_solvent(plate_map, compound))
    if dose is not None:
        amount = _amounts(plate_map, dose)
        parts.append(amount if parts else (dose + " " + amount).where(plate_map[dose] != "", ""))
    if not parts:
        return pd.Series("", index=plate_map.index, dtype="str")
    joined = parts[0] if len(parts) == 1 else (parts[0] + " " + parts[1]).str.strip()
    return joined.where(parts[0] != "", "").astype("str")


def _amounts(plate_map: pd.DataFrame, dose: str) -> pd.Series:
    units = find_named(content_columns(plate_map), UNIT_NAMES)
    several = bool(units) and len(set(plate_map[units[0]]) - {""}) > 1
    if several and CONCENTRATION_UM in plate_map:
        dose = CONCENTRATION_UM
    amount = plate_map[dose].astype("str")
    if dose == CONCENTRATION_UM:
        return (amount + " µM").where(amount != "", "").astype("str")
    return amount if not units else (amount + " " + plate_map[units[0]].astype("str")).str.strip()


def _with_solvent(plate_map: pd.DataFrame, compound: str) -> pd.Series:
    """Name wells that hold no compound but are negative controls by their solvent."""
    names = plate_map[compound].astype("str")
    solvents = find_named(content_columns(plate_map), ("solvent", "vehicle"))
    if not solvents or CONTROL_TYPE not in plate_map:
        return names
    return names.mask((names == "") & (plate_map[CONTROL_TYPE] == "negative"), plate_map[solvents[0]].astype("str"))


def numeric_columns(plate_map: pd.DataFrame) -> list[str]:
    """Name the columns whose entries are all numbers (empty ones aside), in their order.

    Entries with leading zeros are identifiers, not numbers.
    """
    places = {*find_named(plate_map.columns, ROW_NAMES), *find_named(plate_map.columns, COLUMN_NAMES)}
    return [c for c in content_columns(plate_map) if c not in places and _all_numbers(plate_map[c])]


def _all_numbers(entries: pd.Series) -> bool:
    there = [entry for entry in pd.unique(entries.astype("str")) if entry]
    return bool(there) and all(_NUMBER.fullmatch(e) and np.isfinite(float(e)) for e in there)
