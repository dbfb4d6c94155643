"""A choice of fields in words: ``A01,B*``, ``PLATE/A01``, ``PLATE/*``."""

import csv
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from cellvote.errors import SettingsError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.wells import parse_well


def choose_fields(fields: Sequence[FieldKey], words: str) -> list[FieldKey]:
    """Choose fields by their wells; see `Study.select_fields`.

    Raises
    ------
    SettingsError
        Where a part of the choice fits no imaged well.
    """
    parts = [part.strip() for part in next(csv.reader([words], skipinitialspace=True), []) if part.strip()]
    if not parts:
        return list(fields)
    plates = {key.plate for key in fields}
    chosen: set[FieldKey] = set()
    for part in parts:
        matching = _matching(fields, plates, part)
        if not matching:
            first = fields[0]
            well = first.well if len(plates) == 1 else f"{first.plate}/{first.well}"
            raise SettingsError(f"no imaged well fits {part!r}; the first is {well}.")
        chosen |= matching
    return sorted(chosen)


def name_wells(wells: Iterable[tuple[str, str]], all_wells: Collection[tuple[str, str]]) -> str:
    """Write a choice of wells as `choose_fields` reads it: plate and well, or the plate alone where all are chosen."""
    chosen = set(wells)
    parts = []
    for plate in sorted({plate for plate, _ in chosen}):
        here = {well for well in all_wells if well[0] == plate}
        whole = here <= chosen
        parts += [f"{plate}/*"] if whole else [f"{plate}/{well}" for _, well in sorted(chosen & here)]
    return ",".join(f'"{part}"' if "," in part else part for part in parts)


def _matching(fields: Sequence[FieldKey], plates: Collection[str], part: str) -> set[FieldKey]:
    """Find the fields of one part of a choice: a well in any spelling, or plate and well with a slash between."""
    try:
        spelled = parse_well(part)  # first, as 1/1 is a well too
    except ValueError:
        plate, slash, well = part.rpartition("/")
        if slash:
            named = {plate} if plate in plates else {name for name in plates if fnmatchcase(name, plate)}
            return {key for key in fields if key.plate in named and fnmatchcase(key.well, _spelled(well))}
        spelled = part.upper()
    return {key for key in fields if fnmatchcase(key.well, spelled)}


def _spelled(well: str) -> str:
    try:
        return parse_well(well)
    except ValueError:
        return well.upper()
