"""Operetta, Opera Phenix and Columbus: ``r01c01f01p01-ch1sk1fk1fl1.tiff``, with or without an index."""

import re
from pathlib import Path, PurePosixPath
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import pandas as pd
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, join_acquisitions, plane_number, plane_table, safe_relative
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_groups import NamedGroups
from cellvote.plates.wells import well_name

_NAME: Final = re.compile(
    r"(?:.*/)?r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
    r"-ch(?P<channel>\d+)(?:sk(?P<timepoint>\d+))?(?:fk\d+)?(?:fl\d+)?\.tiff?",
    re.IGNORECASE,
)
_INDEX_NAMES: Final = frozenset({"index.idx.xml", "index.xml"})
_EXAMPLE: Final = "r01c01f01p01-ch1sk1fk1fl1.tiff"
_MAX_INDEX_BYTES: Final = 2**31

_BARE: Final = NamedGroups("operetta", _NAME, _EXAMPLE)


class Operetta:
    """Harmony's folders: the index is read where there is one, else the file names."""

    name = "operetta"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Sure where an index lies beside the images; else the share of names of this kind."""
        by_name = _BARE.recognise(folder)
        return 1.0 if by_name > 0.5 and _indexes(folder) else by_name

    def read(self, folder: Folder) -> Acquisition:
        """Index every image plane, from each ``Index.idx.xml`` found, else from the names."""
        indexes = _indexes(folder)
        if not indexes:
            bare = _BARE.read(folder)
            return Acquisition(
                bare.source,
                self.name,
                bare.planes,
                tuple(f"ch{name}" for name in bare.channels),
                problems=bare.problems,
            )
        return join_acquisitions([_read_index(folder, index) for index in indexes])


def _indexes(folder: Folder) -> list[str]:
    return [path for path in folder.files if PurePosixPath(path).name.casefold() in _INDEX_NAMES]


def _read_index(folder: Folder, index: str) -> Acquisition:
    path = folder.path / index
    if path.stat().st_size > _MAX_INDEX_BYTES:
        raise LayoutError(f"{path}: the index is larger than 2 GiB: refused.")
    try:
        images, plate = _parse(path)
    except (ParseError, DefusedXmlException, UnicodeError, LookupError) as error:
        raise LayoutError(
            f"{path}: the index is damaged or hostile ({type(error).__name__}: {error}). Copy it again; "
            "or move it away, and the file names are read instead."
        ) from error
    if not images:
        raise LayoutError(f"{path}: the index names no images. Move it away, and the file names are read instead.")
    below = PurePosixPath(index).parent
    found = pd.DataFrame([_plane(image, below, plate) for image in images])
    present = found["path"].isin(set(folder.files))
    if not present.any():
        raise LayoutError(f"{path}: none of the {len(found)} images that it names is there.")
    found = found[present]
    numbers = sorted(found["channel"].unique(), key=int)
    names = _channel_names(found, numbers)
    sizes = pd.to_numeric(found["pixel_size_m"], errors="coerce").astype(float)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    problems = [] if present.all() else [f"{path.name} names {(~present).sum()} image(s) that are not there."]
    planes = plane_table(found.assign(channel=found["channel"].map({n: i for i, n in enumerate(numbers)})))
    return Acquisition(
        folder.path,
        Operetta.name,
        planes,
        names,
        pixel_size_um=round(float(sizes.iloc[0]) * 1e6, 6) if len(sizes) else None,
        problems=tuple(problems),
    )


def _parse(path: Path) -> tuple[list[dict[str, str]], str]:
    """Read the ``Image`` elements and the plate's name, one element at a time."""
    images: list[dict[str, str]] = []
    plate = ""
    for _, element in iterparse(path, events=("end",), forbid_dtd=True):
        tag = _tag(element)
        if tag == "Image" and len(element):
            images.append({_tag(child): (child.text or "").strip() for child in element})
            element.clear()
        elif tag == "Plate":
            found = {_tag(child): (child.text or "").strip() for child in element}
            plate = plate or found.get("Name", "") or found.get("PlateID", "")
        elif tag in {"Well", "Entry"}:
            element.clear()
    return images, plate


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _plane(image: dict[str, str], below: PurePosixPath, plate: str) -> dict[str, Any]:
    try:
        name = safe_relative(image["URL"])
        return {
            "plate": plate or "plate",
            "well": well_name(int(image["Row"]), int(image["Col"])),
            "field": plane_number(image["FieldID"]),
            "channel": str(plane_number(image["ChannelID"])),
            "z": plane_number(image.get("PlaneID", "1")),
            "timepoint": plane_number(image.get("TimepointID", "0")),
            "path": (below / name).as_posix(),
            "channel_name": image.get("ChannelName", ""),
            "pixel_size_m": image.get("ImageResolutionX", ""),
        }
    except (KeyError, ValueError) as error:
        if isinstance(error, LayoutError):
            raise
        raise LayoutError(f"an image of the index lacks or garbles an entry ({error}): {image}") from error


def _channel_names(found: pd.DataFrame, numbers: list[str]) -> tuple[str, ...]:
    first = found.drop_duplicates("channel").set_index("channel")["channel_name"]
    names = [first[number] or f"ch{number}" for number in numbers]
    if len(set(names)) < len(names):  # two channels of one dye
        names = [f"{name} ch{number}" for name, number in zip(names, numbers, strict=True)]
    return tuple(names)
