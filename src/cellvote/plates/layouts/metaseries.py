"""What MetaXpress writes into the header of an image: its channel, its pixel size and where the stage stood."""

import html
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tifffile

_DESCRIPTION: Final = 270
_MAX_DESCRIPTION: Final = 2**20
_MICRONS: Final = frozenset({"um", "µm", "microns", "micron", "micrometer", "micrometers"})
_MAX_PAGES: Final = 64
_UNREADABLE: Final = (
    tifffile.TiffFileError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    OSError,
    struct.error,
    Warning,
)


@dataclass(frozen=True)
class Header:
    """What one image says of itself; empty or None where it says nothing.

    Attributes
    ----------
    channel
        Name of its illumination setting.
    pixel_size_um
        Width of a pixel.
    size_um
        Width and height of the image.
    stage_um
        Where the stage stood: x, and y growing downwards.
    n_pages
        Pictures in the file.
    n_planes
        Pictures in the file, those of a coloured one counted for each colour.
    """

    channel: str = ""
    pixel_size_um: float | None = None
    size_um: tuple[float, float] | None = None
    stage_um: tuple[float, float] | None = None
    n_pages: int = 1
    n_planes: int = 1


def read_header(path: Path) -> Header:
    """Read the header of a TIFF; one that cannot be read says nothing (reading its pixels will tell)."""
    try:
        with tifffile.TiffFile(path) as tiff:
            n_pages = min(len(tiff.pages), _MAX_PAGES)
            page = tiff.pages.first
            height, width, n_samples = page.imagelength, page.imagewidth, page.samplesperpixel
            tag = page.tags.get(_DESCRIPTION)
            text = str(tag.value) if tag is not None and tag.count <= _MAX_DESCRIPTION else ""
            if "<MetaData>" in text:
                told = _from_properties(text)
            elif tiff.is_stk:
                told = _from_stack(dict(tiff.stk_metadata or {}))
                n_pages = 1
            else:
                told = {}
    except _UNREADABLE:
        return Header()
    pixel = told.get("pixel_size_um")
    size = (width * pixel, height * pixel) if pixel and width and height else None
    return Header(**told, size_um=size, n_pages=n_pages, n_planes=n_pages * n_samples)


def _from_properties(text: str) -> dict[str, Any]:
    """Read ``<prop id="…" type="…" value="…"/>``: a few of them, so that no XML needs to be trusted."""
    told: dict[str, Any] = {}
    name = _property(text, "_IllumSetting_")
    if name:
        told["channel"] = name
    units = _property(text, "spatial-calibration-units").casefold()
    if units in _MICRONS and _property(text, "spatial-calibration-state").casefold() != "off":
        told["pixel_size_um"] = _length(_property(text, "spatial-calibration-x"))
    x, y = (_position(_property(text, f"stage-position-{axis}")) for axis in "xy")
    if x is not None and y is not None:
        told["stage_um"] = (x, y)
    return told


def _property(text: str, name: str) -> str:
    match = re.search(rf'id="{re.escape(name)}"[^>]{{0,100}}?value="([^"]{{0,200}})"', text)
    return html.unescape(match[1]).strip() if match else ""


def _from_stack(tags: dict[str, Any]) -> dict[str, Any]:
    """Read the tags of MetaMorph stacks, which older versions wrote."""
    told: dict[str, Any] = {}
    name = tags.get("Name")
    if isinstance(name, str) and name.strip():
        told["channel"] = name.strip()[:200]
    if str(tags.get("CalibrationUnits", "")).strip("\0 ").casefold() in _MICRONS:
        told["pixel_size_um"] = _length(tags.get("XCalibration", ""))
    return told


def _length(value: Any) -> float | None:
    number = _position(value)
    return round(number, 6) if number is not None and 0 < number < 1e4 else None


def _position(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e7 else None  # not a number fails this too
