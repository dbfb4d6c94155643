"""IN Cell Analyzer: ``B - 02(fld 1 wv DAPI - DAPI).tif``, with z and time where they were taken."""

import re
from typing import Final

from cellvote.plates.acquisition import Acquisition
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_acquisition import named_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups
from cellvote.plates.layouts.vendor_xml import Record, read_records

_EXAMPLE: Final = "B - 02(fld 1 wv DAPI - DAPI).tif"
_NAMES: Final = NamedGroups(
    "in-cell",
    re.compile(
        r"(?:.*[/_])?(?P<row>[A-Z]{1,2}) - (?P<column>\d{1,2})\("
        r"(?=(?:[^()]*?\bfld (?P<field>\d+))?)(?=(?:[^()]*?\bz (?P<z>\d+))?)"
        r"(?=(?:[^()]*?\b(?:time|tm) (?P<timepoint>\d+))?)"
        r"(?:fld \d+)?[ -]*(?:wv (?P<channel>.+?))?(?:[ -]*\bz \d+)?(?:[ -]*\b(?:time|tm) \d+[^()]*)?\)"
        r"(?:_[^/]*)?\.(?:tiff?|png|jpe?g)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
)
_MAX_SIZE_UM: Final = 1000


class InCell:
    """Row and column apart, the field and the filters in brackets; an ``.xdce`` file beside tells the pixel size."""

    name = "in-cell"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images has such a name."""
        return _NAMES.recognise(folder)

    def read(self, folder: Folder) -> Acquisition:
        """Index every image."""
        found, others = _NAMES.table(folder)
        return named_acquisition(folder, self, found, others, _channel, pixel_size_um=_pixel_size(folder))


def _channel(filters: str) -> str:
    """Shorten the name of a channel whose two filters are called alike: ``DAPI - DAPI`` is ``DAPI``."""
    excitation, _, emission = filters.partition(" - ")
    return excitation if excitation == emission else filters


def _pixel_size(folder: Folder) -> float | None:
    """Read the width of a pixel in micrometres from the file that lists the plate."""
    lists = [path for path in folder.companions if path.lower().endswith(".xdce")]
    sizes: list[float] = []

    def hear(_: str, record: Record) -> None:
        text = record.get("pixel_width", "")
        size = float(text) if re.fullmatch(r"\d{0,4}\.?\d{0,12}", text) and text.strip(".") else 0.0
        if 0 < size < _MAX_SIZE_UM:
            sizes.append(round(size, 6))

    for path in lists[:1]:
        read_records(folder.path / path, ("ObjectiveCalibration",), (), hear)
    return sizes[0] if sizes else None
