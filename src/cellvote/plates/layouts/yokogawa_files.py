"""What lies beside the images of a Yokogawa: ``.mlf`` (each image), ``.mrf``, ``.mes`` (channels), ``.wpi`` (plate)."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PROJECTION
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.index_rows import (
    MAX_POSITION_UM,
    IndexRows,
    first_pixel_size,
    read_lengths,
    read_numbers,
    read_paths,
    read_wells,
)
from cellvote.plates.layouts.vendor_xml import Record, read_records

# What a record says of its image, and what stands for what is missing; None: it must be there.
_OF_IMAGE: Final[dict[str, str | None]] = {
    "": None,
    "Row": None,
    "Column": None,
    "FieldIndex": "1",
    "Ch": "1",
    "ZIndex": "1",
    "TimePoint": "1",
    "TimelineIndex": "1",
    "ActionIndex": "1",
    "X": "",
    "Y": "",
    "ZImageProcessing": "",
}
_NOT_PROCESSED: Final = frozenset({"", "none", "false", "off"})
_OF_PLATE: Final = frozenset({"WellPlate", "WellPlateProduct", "MeasurementDetail", "MeasurementSetting", "Plate"})
_SUFFIXES: Final = (".mrf", ".mes", ".wpi", ".wpp", ".ome.xml")
_HEAD_BYTES: Final = 4096
_MAX_SIDE: Final = 48


@dataclass
class Beside:
    """What the files beside the images say, whatever of them is there.

    Attributes
    ----------
    plate
        Name of the plate; empty where none is told.
    shape
        Rows and columns of the plate.
    pixel_sizes
        In micrometres, as written.
    problems
        Files that cannot be read.
    """

    plate: str = ""
    shape: tuple[int, int] | None = None
    pixel_sizes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    channels: dict[int, Record] = field(default_factory=dict)

    def hear(self, tag: str, record: Record) -> None:
        """Take in a record of one of the files."""
        if tag in {"MeasurementSamplePlate", "WellPlate", "Plate"}:
            self.plate = self.plate or record.get("Name", "")
        if tag == "MeasurementChannel":
            self.pixel_sizes.append(record.get("HorizontalPixelDimension", ""))
        elif tag == "Pixels":
            self.pixel_sizes.append(record.get("PhysicalSizeX", ""))
        elif tag == "Channel" and record.get("Ch", "").isdecimal() and len(record["Ch"]) < 4:
            self.channels.setdefault(int(record["Ch"]), record)
        elif tag in _OF_PLATE and self.shape is None:
            sides = (record.get("RowCount") or record.get("Rows"), record.get("ColumnCount") or record.get("Columns"))
            numbers = [
                int(one) for one in sides if one and one.isdecimal() and len(one) < 3 and 0 < int(one) <= _MAX_SIDE
            ]
            self.shape = (numbers[0], numbers[1]) if len(numbers) == len(sides) else None

    @property
    def channel_names(self) -> dict[int, str]:
        """Names by number: the dyes, else the targets, else the filters, whichever all channels have."""
        for key in ("Fluorophore", "Target", "Acquisition"):
            if self.channels and all(one.get(key) for one in self.channels.values()):
                return {number: one[key] for number, one in self.channels.items()}
        return {}


def find_measurements(folder: Folder) -> list[str]:
    """Find every list of images, as paths relative to the folder."""
    files = (folder.only,) if folder.only else folder.companions
    return [path for path in files if path.casefold().endswith(".mlf") and _is_measurement(folder, path)]


def _is_measurement(folder: Folder, path: str) -> bool:
    """Tell it from the label files of others, which end in ``.mlf`` too."""
    try:
        with (folder.path / path).open("rb") as file:
            return b"<" in file.read(_HEAD_BYTES)
    except OSError:
        return False


def read_beside(folder: Folder, below: str) -> Beside:
    """Read the small files that lie beside the images or above them; one that cannot be read is told."""
    beside = Beside()
    above = str(PurePosixPath(below).parent)
    places = (below, "" if above == "." else above)
    found = [
        path for path in folder.companions if path.casefold().endswith(_SUFFIXES) and path.rpartition("/")[0] in places
    ]
    for path in sorted(found, key=lambda one: [one.casefold().endswith(suffix) for suffix in _SUFFIXES], reverse=True):
        records = {"MeasurementSamplePlate", "MeasurementChannel", "Channel", "Pixels", *_OF_PLATE}
        try:
            read_records(folder.path / path, records, (), beside.hear)
        except LayoutError as error:
            beside.problems.append(f"Not used: {error}")
    return beside


def read_measurement(folder: Folder, index: str) -> IndexRows:
    """Read the images that a list names, there or not.

    Raises
    ------
    LayoutError
        Where it is damaged or hostile, names no images, or files outside its folder.
    """
    where = str(folder.path / index)
    columns: dict[str, list[str]] = {name: [] for name in _OF_IMAGE}
    failed: list[str] = []

    def hear(_: str, record: Record) -> None:
        if record.get("Type", "IMG").upper() != "IMG":
            failed.append(_well_of(record))
            return
        for name, column in columns.items():
            text = record.get(name, _OF_IMAGE[name])
            if text is None:
                raise LayoutError(f"{where}: an image lacks its {name or 'file name'}. Copy the file again.")
            column.append(text)

    read_records(folder.path / index, {"MeasurementRecord"}, (), hear)
    if not columns[""]:
        raise LayoutError(f"{where}: the list names no images. Move it away, and the file names are read instead.")
    below = index.rpartition("/")[0]
    beside = read_beside(folder, below)
    problems = [*beside.problems]
    if failed:
        problems.append(f"{len(failed)} image(s) failed as they were taken, such as one of well {failed[0]}.")
    table = _table(columns, below, where)
    names = beside.channel_names
    return IndexRows(
        index,
        beside.plate,
        table,
        names,
        first_pixel_size(beside.pixel_sizes),
        tuple(problems),
    )


def _well_of(record: Record) -> str:
    return f"row {record.get('Row', '?')[:3]}, column {record.get('Column', '?')[:3]}"


def _table(columns: dict[str, list[str]], below: str, where: str) -> pd.DataFrame:
    z = read_numbers(columns["ZIndex"], where, "z-plane", from_one=True)
    projected = [text.casefold() not in _NOT_PROCESSED for text in columns["ZImageProcessing"]]
    table = pd.DataFrame(
        {
            "well": pd.array(read_wells(columns["Row"], columns["Column"], where), dtype="str"),
            "field": read_numbers(columns["FieldIndex"], where, "field", from_one=True),
            "channel": read_numbers(columns["Ch"], where, "channel"),
            "z": [PROJECTION if made else number for made, number in zip(projected, z, strict=True)],
            "timepoint": read_numbers(columns["TimePoint"], where, "timepoint"),
            "timeline": read_numbers(columns["TimelineIndex"], where, "timeline"),
            "action": read_numbers(columns["ActionIndex"], where, "action"),
            "path": pd.array(read_paths(columns[""], below, where), dtype="str"),
        }
    )
    if any(columns["X"]) and any(columns["Y"]):
        table["x_um"] = read_lengths(columns["X"], 1.0, MAX_POSITION_UM)
        table["y_um"] = read_lengths(columns["Y"], -1.0, MAX_POSITION_UM)  # Yokogawa's y grows upwards
    return table


def actions_apart(table: pd.DataFrame, names: dict[int, str]) -> tuple[pd.DataFrame, dict[int, str]]:
    """Make channels of their own of those that were taken in several actions or timelines of one place.

    Parameters
    ----------
    table
        With ``channel`` (a number), ``timeline`` and ``action``.
    names
        Names of channels by number.
    """
    plane = [name for name in ("plate", "well", "field", "channel", "z", "timepoint") if name in table]
    twice = table.duplicated(plane, keep=False)
    if not twice.any():
        return table, names
    key = ["channel", "timeline", "action"]
    several = set(table.loc[twice, "channel"])
    combinations = table.loc[table["channel"].isin(several), key].drop_duplicates().sort_values(key)
    channel, named = table["channel"].copy(), dict(names)
    number = max(1000, int(channel.max()) + 1)
    for of, timeline, action in combinations.itertuples(index=False, name=None):
        rows = (table["channel"] == of) & (table["timeline"] == timeline) & (table["action"] == action)
        name = names.get(of) or f"ch{of}"
        named[number] = f"{name} A{action:02d}" if timeline == 1 else f"{name} L{timeline:02d} A{action:02d}"
        channel[rows] = number
        number += 1
    return table.assign(channel=channel), named
