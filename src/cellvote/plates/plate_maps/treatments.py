"""What was done to each well, in words: compounds at their concentrations."""

from typing import Final

import pandas as pd

from cellvote.plates.plate_maps.columns import (
    CONCENTRATION_UM,
    CONTROL_TYPE,
    NO_NUMBER,
    UNIT_NAMES,
    combined_columns,
    compound_column,
    content_columns,
    dose_column,
    find_named,
    is_dose_name,
    is_gene_name,
    numbering,
)
from cellvote.plates.plate_maps.concentrations import read_amount
from cellvote.plates.plate_maps.controls import is_vehicle

_AND: Final = " + "


def treatments(plate_map: pd.DataFrame) -> pd.Series:
    """Name the treatment of each well: the compound at its concentration, or what the map has of these.

    The concentration is written as the map writes it first (``1.0`` and ``1`` are one); in µM where the map has several
    units. Compounds that were given together, in columns such as ``compound_1`` and ``compound_2``, are one treatment.

    Returns
    -------
    Series of str
        Aligned with the plate map; empty where a well has no treatment.
    """
    together = combined_columns(plate_map)
    if together:
        return _together(plate_map, together)
    compound, dose = compound_column(plate_map), dose_column(plate_map)
    parts = []
    if compound is not None and compound != dose:
        parts.append(_with_solvent(plate_map, compound))
    if dose is not None:
        amount = _amounts(plate_map, dose)
        parts.append(amount if parts else (dose + " " + amount).where(amount != "", ""))
    if not parts:
        return pd.Series("", index=plate_map.index, dtype="str")
    joined = parts[0] if len(parts) == 1 else (parts[0] + " " + parts[1]).str.strip()
    return joined.where(parts[0] != "", "").astype("str")


def _together(plate_map: pd.DataFrame, compounds: list[str]) -> pd.Series:
    """Name treatments of several compounds; a solvent beside a compound is none of them."""
    doses = {numbering(c): c for c in reversed(content_columns(plate_map)) if is_dose_name(c) and c != CONCENTRATION_UM}
    parts = []
    for compound in compounds:
        dose = None if is_gene_name(compound) and not numbering(compound) else doses.get(numbering(compound))
        names = plate_map[compound].astype("str")
        amounts = _amounts(plate_map, dose) if dose else pd.Series("", index=plate_map.index, dtype="str")
        parts.append((names, (names + " " + amounts).str.strip()))
    named = []
    for row in zip(*(zip(names, told, strict=True) for names, told in parts), strict=True):
        there = [(name, told) for name, told in row if name]
        active = [told for name, told in there if not is_vehicle(name)]
        named.append(_AND.join(dict.fromkeys(active or [told for _, told in there])))
    return pd.Series(named, index=plate_map.index, dtype="str")


def _amounts(plate_map: pd.DataFrame, dose: str) -> pd.Series:
    units = [c for c in find_named(content_columns(plate_map), UNIT_NAMES) if c != dose]
    several = bool(units) and len(set(plate_map[units[0]]) - {""}) > 1
    if several and CONCENTRATION_UM in plate_map and not numbering(dose):
        dose = CONCENTRATION_UM
    amount = _in_one_spelling(plate_map[dose].astype("str"))
    if dose == CONCENTRATION_UM:
        as_written = _in_one_spelling(_written_doses(plate_map))  # 1,000 nM, which may be one or a thousand
        return (amount + " µM").where(amount != "", as_written).astype("str")
    if not units:
        return amount
    return (amount + " " + plate_map[units[0]].astype("str")).str.strip().where(amount != "", "").astype("str")


def _written_doses(plate_map: pd.DataFrame) -> pd.Series:
    """What the map itself says of doses, where concentrations in µM were read from another column."""
    columns = [c for c in content_columns(plate_map) if is_dose_name(c) and c != CONCENTRATION_UM]
    return plate_map[columns[0]].astype("str") if columns else pd.Series("", index=plate_map.index, dtype="str")


def _in_one_spelling(entries: pd.Series) -> pd.Series:
    """Write one number in one spelling, and nothing where there is none (``N/A``)."""
    first: dict[tuple[object, str], str] = {}
    spelling: dict[str, str] = {}
    for entry in map(str, pd.unique(entries)):
        amount = read_amount(entry)
        if entry.casefold() in NO_NUMBER:
            spelling[entry] = ""
        else:
            spelling[entry] = entry if amount is None else first.setdefault((amount.number, amount.unit), entry)
    return entries.map(spelling).astype("str")


def _with_solvent(plate_map: pd.DataFrame, compound: str) -> pd.Series:
    """Name wells that hold no compound but are negative controls by their solvent."""
    names = plate_map[compound].astype("str")
    solvents = find_named(content_columns(plate_map), ("solvent", "vehicle"))
    if not solvents or CONTROL_TYPE not in plate_map:
        return names
    return names.mask((names == "") & (plate_map[CONTROL_TYPE] == "negative"), plate_map[solvents[0]].astype("str"))
