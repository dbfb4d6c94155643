"""MetaXpress' description of a plate: ``PLATE.HTD``, lines of a name and its values."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS, well_name

_MAX_BYTES: Final = 2**20
_MAX_SITES: Final = 64  # along one side
_MAX_WAVES: Final = 100
_FIRST_KEY: Final = "HTSInfoFile"


@dataclass(frozen=True)
class Htd:
    """What was asked of the microscope.

    Attributes
    ----------
    name
        Of the file, without its suffix: that of the plate.
    wave_names
        Names of the channels, by number; empty where one has none.
    z_steps
        Planes of the z-stacks; 1 where there are none.
    z_projection
        Whether the microscope made projections.
    wells
        Those that were to be imaged.
    grid
        Columns and rows of the fields in a well.
    sites
        Column and row in the grid of each field that was taken, both counted from 0, in their order.
    """

    name: str
    wave_names: dict[int, str]
    z_steps: int
    z_projection: bool
    wells: frozenset[str]
    grid: tuple[int, int]
    sites: tuple[tuple[int, int], ...]

    def place(self, field: int, last_field: int) -> tuple[int, int] | None:
        """Find a field in the grid; numbers go over the fields taken or, in some versions, over the whole grid."""
        if last_field <= len(self.sites):
            return self.sites[field - 1]
        columns, rows = self.grid
        return ((field - 1) % columns, (field - 1) // columns) if last_field <= columns * rows else None


def read_htd(path: Path) -> Htd | None:
    """Read a description; nothing where the file is none, is too large or cannot be read."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    entries = _entries(content)
    if _FIRST_KEY not in entries:
        return None
    columns, rows = _number(entries, "XSites", _MAX_SITES), _number(entries, "YSites", _MAX_SITES)
    wave_names = {
        n: entries.get(f"WaveName{n}", [""])[0] for n in range(1, _MAX_WAVES + 1) if f"WaveName{n}" in entries
    }
    return Htd(
        name=path.stem,
        wave_names=wave_names,
        z_steps=_number(entries, "ZSteps", 10**4) if _is_true(entries, "ZSeries") else 1,
        z_projection=_is_true(entries, "ZProjection"),
        wells=frozenset(
            well_name(row + 1, column + 1) for column, row in _chosen(entries, "WellsSelection", MAX_COLUMNS, MAX_ROWS)
        ),
        grid=(columns, rows),
        sites=tuple(_chosen(entries, "SiteSelection", columns, rows)) or ((0, 0),),
    )


def _entries(content: bytes) -> dict[str, list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    entries: dict[str, list[str]] = {}
    for line in text.splitlines():
        try:
            values = next(csv.reader([line], skipinitialspace=True), [])
        except csv.Error:
            continue
        if len(values) > 1:
            entries.setdefault(values[0].strip(), [value.strip() for value in values[1:]])
    return entries


def _number(entries: dict[str, list[str]], key: str, most: int) -> int:
    text = entries.get(key, ["1"])[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most else 1


def _is_true(entries: dict[str, list[str]], key: str) -> bool:
    return entries.get(key, [""])[0].casefold() == "true"


def _chosen(entries: dict[str, list[str]], key: str, columns: int, rows: int) -> list[tuple[int, int]]:
    """List the places that are marked true, row by row, as column and row counted from 0."""
    return [
        (column, row)
        for row in range(rows)
        for column, value in enumerate(entries.get(f"{key}{row + 1}", [])[:columns])
        if value.casefold() == "true"
    ]
