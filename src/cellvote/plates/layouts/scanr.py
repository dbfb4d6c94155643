"""ScanR: ``--W00001--P00001--Z00000--T00000--DAPI.tif``, wells as numbers, with ``experiment_descriptor.xml``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, Doubt
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_acquisition import named_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups
from cellvote.plates.layouts.vendor_xml import Record, read_records
from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS, PLATE_SHAPES, parse_well, well_name

_EXAMPLE: Final = "--W00001--P00001--Z00000--T00000--DAPI.tif"
_NAMES: Final = NamedGroups(
    "scanr",
    re.compile(
        r"(?:.*/)?[^/]*?--W\d{5}--P(?P<field>\d{5})--Z(?P<z>\d{5})--T(?P<timepoint>\d{5})--(?P<channel>[^/]+?)"
        r"(?:\.ome)?\.(?:tiff?|png|jpe?g)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
    passed_over=re.compile(r"data"),
)
_WELL: Final = re.compile(r"(?P<name>[^/]*?)--W(?P<number>\d{5})--", re.IGNORECASE)
_DESCRIPTOR: Final = "experiment_descriptor.xml"
_GUESSED: Final = (96, 384, 1536)


@dataclass
class _Descriptor:
    """What ScanR wrote of the experiment."""

    wells: dict[int, str] = field(default_factory=dict)
    rows: int = 0
    columns: int = 0
    plate: str = ""
    pixel_size_um: float | None = None


class ScanR:
    """Wells are told by their names before the number, by the descriptor, or counted along the rows."""

    name = "scanr"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images has such a name."""
        return _NAMES.recognise(folder)

    def read(self, folder: Folder) -> Acquisition:
        """Index every image, and ask where the size of the plate had to be guessed."""
        found, others = _NAMES.table(folder)
        if found.empty:
            raise LayoutError(f"{folder.path}: no image has a name like {self.example}.")
        paths = found["path"].tolist()
        folders = [path[: max(path.rfind("/"), 0)] for path in paths]
        told = {below: _descriptor_of(folder, below) for below in dict.fromkeys(folders)}
        matches = [_WELL.match(path[path.rfind("/") + 1 :]) for path in paths]
        names = [match["name"] if match else "" for match in matches]
        numbers = [int(match["number"]) if match else 0 for match in matches]
        wells = _named_wells(names)
        doubts: list[Doubt] = []
        if wells is None:
            wells, doubts = _numbered_wells(paths, numbers, [told[below] for below in folders])
        plates = {below: one.plate for below, one in told.items() if one is not None and one.plate}
        found = found.assign(
            well=pd.array(wells, dtype="str"),
            plate=[plates.get(below, plate) for below, plate in zip(folders, found["plate"], strict=True)],
        )
        sizes = [one.pixel_size_um for one in told.values() if one is not None and one.pixel_size_um]
        return named_acquisition(
            folder, self, found, others, pixel_size_um=sizes[0] if sizes else None, doubts=tuple(doubts)
        )


def _named_wells(names: Sequence[str]) -> list[str] | None:
    """Read the wells that stand before the numbers; None where not every image has one."""
    known: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            known[name] = parse_well(name)
        except ValueError:
            return None
    return [known[name] for name in names]


def _numbered_wells(
    paths: Sequence[str], numbers: Sequence[int], told: Sequence[_Descriptor | None]
) -> tuple[list[str], list[Doubt]]:
    """Find the wells by their numbers: as the descriptor says, else along the rows of the smallest plate."""
    greatest = max(numbers)
    size = next((n for n in _GUESSED if greatest <= n), 0)
    if not size or min(numbers) < 1:
        raise LayoutError(f"{paths[0]}: well number {greatest} or {min(numbers)} is on no plate. Give --pattern.")
    columns = PLATE_SHAPES[size][1]
    known: dict[tuple[int, int], str] = {}
    wells: list[str] = []
    guessed = False
    for number, one in zip(numbers, told, strict=True):
        key = (id(one), number)
        if key not in known:
            named = one.wells.get(number) if one is not None else None
            along = one.columns if one is not None and one.columns else columns
            guessed |= named is None and along == columns and not (one is not None and one.columns)
            known[key] = named or _along_rows(number, along)
        wells.append(known[key])
    if not guessed:
        return wells, []
    question = (
        f"The names hold numbers of wells (up to {greatest}) and nothing tells the size of the plate: they are counted "
        f"along the rows of a plate of {size} wells. Put {_DESCRIPTOR} beside the images, or give --pattern."
    )
    last = numbers.index(greatest)
    return wells, [Doubt("well numbers", question, tuple(f"{paths[i]} is well {wells[i]}" for i in {0, last}))]


def _along_rows(number: int, columns: int) -> str:
    try:
        return well_name((number - 1) // columns + 1, (number - 1) % columns + 1)
    except ValueError as error:
        raise LayoutError(f"well number {number} does not fit a plate of {columns} columns: {error}.") from error


def _descriptor_of(folder: Folder, below: str) -> _Descriptor | None:
    """Find the descriptor in the folder of the images, or in the one above."""
    here = folder.path / below
    for place in (here, here.parent):
        path = place / _DESCRIPTOR
        if path.is_file():
            return _read_descriptor(path)
    return None


def _read_descriptor(path: Path) -> _Descriptor:
    """Read the pairs of names and values that LabVIEW writes."""
    found = _Descriptor()
    number = 0

    def hear(_: str, record: Record) -> None:
        nonlocal number
        name, value = record.get("Name", "").casefold(), record.get("Val", "").strip()
        if not value:
            return
        if name == "well selection table + cdna":
            if value.isdecimal():
                number = int(value)
            elif number:
                _name_well(found.wells, number, value)
        elif name == "rows" and value.isdecimal() and int(value) <= MAX_ROWS:
            found.rows = found.rows or int(value)
        elif name == "columns" and value.isdecimal() and int(value) <= MAX_COLUMNS:
            found.columns = found.columns or int(value)
        elif name == "plate name":
            found.plate = value
        elif name == "conversion factor um/pixel" and re.fullmatch(r"\d{0,4}[.,]?\d{0,12}", value):
            size = float(value.replace(",", ".") or 0)
            found.pixel_size_um = round(size, 6) if size > 0 else None

    read_records(path, _TYPES, ("Name", "Val"), hear)
    return found


def _name_well(wells: dict[int, str], number: int, name: str) -> None:
    try:
        wells.setdefault(number, parse_well(name))
    except ValueError:
        return  # the name of a treatment


_TYPES: Final[Sequence[str]] = (
    "String",
    "U8",
    "U16",
    "U32",
    "U64",
    "I8",
    "I16",
    "I32",
    "I64",
    "SGL",
    "DBL",
    "EXT",
    "EW",
)
"""The elements that hold a name and a value."""
