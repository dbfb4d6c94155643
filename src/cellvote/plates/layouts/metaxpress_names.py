"""Names of MetaXpress' files and folders: ``[TimePoint_1/][ZStep_2/]PLATE_B02_s1_w1<GUID>.tif``."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import plane_number
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_groups import PASSED_OVER
from cellvote.plates.wells import parse_well

_GUID: Final = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_NAME: Final = re.compile(
    rf"(?:(?P<prefix>.+?)_)??(?P<well>[A-Za-z]{{1,2}}\d{{1,2}})(?:_s(?P<field>\d+?))?(?:_w(?P<channel>\d+?))?"
    rf"(?:_z(?P<step>\d+))?(?:_t(?P<timepoint>\d+))?(?P<guid>{_GUID})?\.tiff?",
    re.IGNORECASE,
)
_THUMBNAIL: Final = re.compile(rf"_thumb(?:{_GUID})?\.tiff?", re.IGNORECASE)
_FOLDER: Final = re.compile(r"time_?point_?(?P<timepoint>\d+)|z_?step_?(?P<step>\d+)", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

NO_STEP: Final = -1
"""The step of images that no name or folder gives one."""


class Unit(NamedTuple):
    """Images of one plate in one folder.

    Attributes
    ----------
    home
        The folder, without those of timepoints and steps; relative to the folder that is read.
    prefix
        What stands before the well in the names.
    plate
        What the plate is called.
    """

    home: str
    prefix: str
    plate: str


class Names(NamedTuple):
    """What names and folders tell.

    Attributes
    ----------
    table
        One row per image: ``path``, ``unit`` (an index into the units), ``well``, ``field``, ``channel`` (the number
        after ``w``), ``step`` (of the z-stack, `NO_STEP` without one), ``timepoint``.
    units
        Plates and folders.
    has_channels
        Whether any name tells a channel.
    others
        Images with another kind of name.
    """

    table: pd.DataFrame
    units: tuple[Unit, ...]
    has_channels: bool
    others: tuple[str, ...]


class _Place(NamedTuple):
    """What the folders of an image tell."""

    home: str
    plate: str
    step: int
    timepoint: int


def is_thumbnail(name: str) -> bool:
    """Whether a file's name is that of a preview."""
    return _THUMBNAIL.search(name) is not None


def how_told(path: str) -> float | None:
    """Say how much a file's name looks like MetaXpress: 1 (yes) to 0 (no), None for thumbnails.

    A name that tells only the well could be anybody's: 0.1.
    """
    name = path.rpartition("/")[2]
    if is_thumbnail(name):
        return None
    match = _NAME.fullmatch(name)
    if match is None:
        return 0.0
    if match["channel"] or match["guid"]:
        return 1.0
    return 0.9 if match["field"] else 0.1


def read_names(folder: Folder) -> Names:
    """Read the name and the folders of every image.

    Raises
    ------
    LayoutError
        Where a name cannot be of a well or a number.
    """
    paths: list[str] = []
    below: list[str] = []
    found: list[tuple[str | None, ...]] = []
    others: list[str] = []
    fullmatch = _NAME.fullmatch
    for path in folder.images:
        cut = path.rfind("/") + 1
        match = fullmatch(path, cut)
        if match:
            paths.append(path)
            below.append(path[:cut])
            found.append(match.groups())
        elif not is_thumbnail(path):
            others.append(path)
    columns = list(zip(*found, strict=True)) or [()] * _NAME.groups
    prefix, well, field, channel, step, timepoint, guid = columns
    places = {one: _place(folder, one.rstrip("/")) for one in dict.fromkeys(below)}
    fields = _read_each(field, plane_number, paths)
    units, codes = _units(places, below, prefix, guid)
    table = pd.DataFrame(
        {
            "path": pd.array(paths, dtype="str"),
            "unit": codes,
            "well": pd.array(_read_each(well, parse_well, paths), dtype="str"),
            "field": [number + 1 for number in fields] if 0 in fields else fields,
            "channel": _read_each(channel, plane_number, paths),
            "step": [places[one].step for one in below] if not any(step) else _read_each(step, plane_number, paths),
            "timepoint": [places[one].timepoint for one in below]
            if not any(timepoint)
            else _read_each(timepoint, plane_number, paths),
        }
    )
    return Names(table, units, any(channel), tuple(others))


def _read_each(texts: Sequence[str | None], read: Callable[[str], Any], paths: Sequence[str]) -> list[Any]:
    """Read a column of texts, each different one once; what is not there is one."""
    known: dict[str | None, Any] = {}
    for text in dict.fromkeys(texts):
        try:
            known[text] = read(text or "1")
        except ValueError as error:
            raise LayoutError(f"{paths[texts.index(text)]}: {error}. Rename the file, or give a --pattern.") from error
    return [known[text] for text in texts]


def _units(
    places: dict[str, _Place], below: Sequence[str], prefixes: Sequence[str | None], guids: Sequence[str | None]
) -> tuple[tuple[Unit, ...], list[int]]:
    """Name the plates: exports after what stands before the well, raw files after their folder."""
    raw: dict[tuple[str, str], bool] = {}
    keys = {pair: (places[pair[0]], pair[1] or "") for pair in set(zip(below, prefixes, strict=True))}
    for pair, guid in set(zip(zip(below, prefixes, strict=True), map(bool, guids), strict=True)):
        place, prefix = keys[pair]
        raw[place.home, prefix] = raw.get((place.home, prefix), False) or guid
    n_prefixes = Counter(home for home, _ in raw)
    by_home = {place.home: place for place in places.values()}
    units: dict[tuple[str, str], Unit] = {}
    for home, prefix in sorted(raw):
        by_folder = raw[home, prefix] and n_prefixes[home] == 1
        units[home, prefix] = Unit(home, prefix, by_home[home].plate if by_folder or not prefix else prefix)
    numbers = {key: i for i, key in enumerate(units)}
    codes = {pair: numbers[place.home, prefix] for pair, (place, prefix) in keys.items()}
    return tuple(units.values()), [codes[pair] for pair in zip(below, prefixes, strict=True)]


def _place(folder: Folder, below: str) -> _Place:
    parts = below.split("/") if below else []
    names = [*folder.path.parts[1:], *parts]
    n_names = len(names)
    told: dict[str, str] = {}
    while names and (match := _FOLDER.fullmatch(names[-1])):
        told = {name: text for name, text in match.groupdict().items() if text} | told
        names.pop()
    home = "/".join(parts[: max(0, len(parts) - (n_names - len(names)))])
    if len(names) > 1 and names[-1].isdecimal() and _DATE.fullmatch(names[-2]):
        names = names[:-2]
    elif names and _DATE.fullmatch(names[-1]):
        names = names[:-1]
    named = [name for name in names if name.casefold() not in PASSED_OVER]
    try:
        step, timepoint = plane_number(told.get("step", "1")), plane_number(told.get("timepoint", "1"))
    except ValueError as error:
        raise LayoutError(f"{folder.path / below}: {error}. Rename the folder.") from error
    return _Place(home, named[-1] if named else "plate", step if "step" in told else NO_STEP, timepoint)
