"""Harmony's index of a measurement: ``Index.idx.xml`` (V4, V5), ``Index.xml`` (V6, V7) and Columbus' ``ImageIndex``."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.index_rows import (
    MAX_POSITION_UM,
    IndexRows,
    choose_base,
    first_pixel_size,
    read_each,
    read_lengths,
    read_numbers,
    read_paths,
    read_wells,
)
from cellvote.plates.layouts.vendor_xml import Record, read_records

_NAMES: Final = ("index.idx.xml", "index.xml", "imageindex.columbusidx.xml")
_ROOT: Final = b"EvaluationInputData"
_HEAD_BYTES: Final = 4096

# How the elements of an image are called; and for those that may be missing, what stands for them.
_REQUIRED: Final = ("URL", "Row", "Col", "FieldID", "ChannelID")
_OPTIONAL: Final = {"PlaneID": "1", "TimepointID": "0", "PositionX": "", "PositionY": "", "URL@BufferNo": "0"}
_IN_ENTRIES: Final = ("ChannelName", "ImageResolutionX")  # of each image until V5, of each channel since V6
_OF_PLATE: Final = ("Name", "PlateID", "MeasurementStartTime")

_MICROMETRES: Final = {"m": 1e6, "cm": 1e4, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}


@dataclass
class _Heard:
    """What the parser has told of an index so far."""

    where: str
    columns: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in (*_REQUIRED, *_OPTIONAL)})
    channels: dict[str, Record] = field(default_factory=dict)
    plate: Record = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    n_without_file: int = 0
    texts: dict[str, str] = field(default_factory=dict)

    def hear(self, tag: str, record: Record) -> None:
        """Take in a record as it ends."""
        if tag == "Plate":
            self.plate = self.plate or record
        elif tag == "Entry":
            self._add_channel(record.get("ChannelID", ""), record)
        elif len(record) > 1 and ("URL" in record or "Row" in record):
            self._add_image(record)

    def _add_channel(self, number: str, record: Record) -> None:
        known = self.channels.setdefault(number, {})
        for name in (*_IN_ENTRIES, "ImageResolutionX@Unit"):
            if record.get(name):
                known.setdefault(name, record[name])

    def _add_image(self, record: Record) -> None:
        if record.get("URL") == "":  # planned, but never taken
            self.n_without_file += 1
            return
        lacking = [name for name in _REQUIRED if name not in record]
        if lacking:
            raise LayoutError(f"{self.where}: the image {record.get('URL', '')!r} lacks its {', '.join(lacking)}.")
        share = self.texts.setdefault
        for name, column in self.columns.items():
            text = record[name] if name in record else _OPTIONAL[name]
            column.append(share(text, text))
        if "ChannelName" in record or "ImageResolutionX" in record:
            self._add_channel(record["ChannelID"], record)
        if not self.units:
            self.units = {name: record.get(f"{name}@Unit", "m") for name in ("PositionX", "PositionY")}


def find_indexes(folder: Folder) -> list[str]:
    """Find every index of a folder, as paths relative to it; the newest format where several lie side by side."""
    files = (folder.only,) if folder.only else folder.companions
    found: dict[str, tuple[int, str]] = {}
    for path in files:
        below, _, name = path.rpartition("/")
        if name.casefold() in _NAMES:
            rank = (_NAMES.index(name.casefold()), path)
            found[below] = min(found.get(below, rank), rank)
    if found:
        return [path for _, path in sorted(found.values(), key=lambda one: one[1])]
    # An archive keeps its index apart, under the name of the measurement.
    apart = [path for path in files if path.casefold().endswith(".xml") and "index" in path.casefold().split("/")[:-1]]
    return [path for path in apart[:1000] if is_harmony(folder, path)]


def is_harmony(folder: Folder, index: str) -> bool:
    """Whether a file starts like an index of Harmony or Columbus."""
    try:
        with (folder.path / index).open("rb") as file:
            return _ROOT in file.read(_HEAD_BYTES)
    except OSError:
        return False


def read_index(folder: Folder, index: str, files: frozenset[str]) -> IndexRows:
    """Read the images that an index names, there or not.

    Raises
    ------
    LayoutError
        Where it is damaged or hostile, names no images, or files outside its folder.
    """
    where = str(folder.path / index)
    heard = _Heard(where)
    values = {name.partition("@")[0] for name in (*_REQUIRED, *_OPTIONAL)} | {*_IN_ENTRIES, *_OF_PLATE}
    read_records(folder.path / index, {"Image", "Plate", "Entry"}, values, heard.hear)
    if not heard.columns["URL"]:
        raise LayoutError(f"{where}: the index names no images. Move it away, and the file names are read instead.")
    problems = []
    if heard.n_without_file:
        problems.append(f"{PurePosixPath(index).name} lists {heard.n_without_file} image(s) that were never taken.")
    numbers = {number: _number(number) for number in heard.channels}
    return IndexRows(
        index,
        heard.plate.get("Name") or heard.plate.get("PlateID") or "",
        _table(heard, index, where, files),
        {numbers[text]: told.get("ChannelName", "") for text, told in heard.channels.items()},
        _pixel_size(heard),
        tuple(problems),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _table(heard: _Heard, index: str, where: str, files: frozenset[str]) -> pd.DataFrame:
    columns = heard.columns
    below = PurePosixPath(index).parent
    beside = below.parent
    bases = [below, below / "Images", below / "images", beside, beside / "Images", beside / "images"]
    base = choose_base(columns["URL"], [str(one) for one in dict.fromkeys(bases)], files)
    table = pd.DataFrame(
        {
            "well": pd.array(read_wells(columns["Row"], columns["Col"], where), dtype="str"),
            "field": read_numbers(columns["FieldID"], where, "field", from_one=True),
            "channel": read_numbers(columns["ChannelID"], where, "channel"),
            "z": read_numbers(columns["PlaneID"], where, "plane", from_one=True),
            "timepoint": read_numbers(columns["TimepointID"], where, "timepoint"),
            "path": pd.array(read_paths(columns["URL"], base, where), dtype="str"),
            "page": read_each(columns["URL@BufferNo"], _page, where, "page"),
        }
    )
    if any(columns["PositionX"]) and any(columns["PositionY"]):
        x_factor, y_factor = (_MICROMETRES.get(heard.units[name], 1e6) for name in ("PositionX", "PositionY"))
        table["x_um"] = read_lengths(columns["PositionX"], x_factor, MAX_POSITION_UM)
        table["y_um"] = read_lengths(columns["PositionY"], -y_factor, MAX_POSITION_UM)  # Harmony's y grows upwards
    return table


def _page(text: str) -> int:
    page = int(text)
    if not 0 <= page < 10**6:
        raise ValueError(f"{text!r} cannot be a page of a file")
    return page


def _pixel_size(heard: _Heard) -> float | None:
    for told in heard.channels.values():
        size = first_pixel_size(
            [told.get("ImageResolutionX", "")], _MICROMETRES.get(told.get("ImageResolutionX@Unit", "m"), 1e6)
        )
        if size is not None:
            return size
    return None


def measured_at(index: IndexRows) -> str:
    """Name the folder of a measurement: that of its index, without ``Images``."""
    below = PurePosixPath(index.index).parent
    return str(below.parent if below.name.casefold() in {"images", "index"} else below)
