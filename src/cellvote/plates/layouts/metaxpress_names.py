"""Names of MetaXpress' files and folders: ``[TimePoint_1/][ZStep_2/]PLATE_B02_s1_w1<GUID>.tif``."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import plane_number
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_groups import PASSED_OVER
from cellvote.plates.layouts.text_columns import TextColumn, find_groups
from cellvote.plates.wells import parse_well

_GUID: Final = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_NAME: Final = re.compile(
    rf"(?:(?P<prefix>.+?)_)??(?P<well>[A-Za-z]{{1,2}}\d{{1,2}})(?:_s(?P<field>\d+?))?(?:_w(?P<channel>\d+?))?"
    rf"(?:_z(?P<step>\d+))?(?:_t(?P<timepoint>\d+))?(?P<guid>{_GUID})?\.tiff?",
    re.IGNORECASE,
)
_THUMBNAIL: Final = re.compile(rf"_thumb(?:{_GUID})?\.tiff?", re.IGNORECASE)
_FOLDER: Final = re.compile(r"time_?point_?(?P<timepoint>\d+)|z_?step_?(?P<step>\d+)", re.IGNORECASE)
_ADVICE: Final = "Rename the file, or give a --pattern."
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_SERIES: Final = re.compile(
    r"(?P<stem>.*?[^_ -])(?:[_ -]?w(?P<channel>\d)|[_ -]z[_ -]?(?P<step>\d{1,3}))", re.IGNORECASE
)
_WELL_INSIDE: Final = re.compile(r"(?:^|_)([A-P]\d{2})(?=_|$)")

Integers = npt.NDArray[np.int64]

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


def wells_before(prefixes: Iterable[str | None]) -> list[str]:
    """Find wells in what stands before the well, where they differ: the one that was read may be a field."""
    found = {match[1] for prefix in prefixes if prefix for match in _WELL_INSIDE.finditer(prefix)}
    return sorted(found) if len(found) > 1 else []


def prefix_of(path: str) -> str | None:
    """Tell what stands before the well in a file's name."""
    match = _NAME.fullmatch(path, path.rfind("/") + 1)
    return match["prefix"] if match else None


def without_steps(folder: str) -> str:
    """Take the folders of timepoints, of steps and of metadata off the end of a path."""
    parts = folder.split("/")
    while parts and (_FOLDER.fullmatch(parts[-1]) or parts[-1].casefold() == "metadata"):
        parts.pop()
    return "/".join(parts)


def read_names(folder: Folder) -> Names:
    """Read the name and the folders of every image.

    Raises
    ------
    LayoutError
        Where a name cannot be of a well or a number.
    """
    images = folder.images
    texts, unfit = find_groups(images, _NAME.groups, lambda path: _NAME.fullmatch(path, path.rfind("/") + 1))
    others = tuple(images[i] for i in unfit if not is_thumbnail(images[i]))
    left = set(unfit)
    paths = [path for i, path in enumerate(images) if i not in left] if left else list(images)
    prefix, well, field, channel, step, timepoint = (TextColumn.of(column) for column in texts[:-1])
    guids = np.array([guid is not None for guid in texts[-1]], bool)
    below = TextColumn.of([path[: path.rfind("/") + 1] for path in paths])
    places = _joined_series([_place(folder, str(one).rstrip("/")) for one in below.values], below, channel)
    units, codes = _units(places, below, prefix, guids)
    fields = _numbers(field, paths)
    table = pd.DataFrame(
        {
            "path": pd.array(paths, dtype="str"),
            "unit": codes,
            "well": well.texts(parse_well, paths, "well", _ADVICE),
            "field": fields + 1 if 0 in fields else fields,
            "channel": _numbers(channel, paths),
            "step": _numbers(step, paths) if any(step.values) else _of_places(below, [one.step for one in places]),
            "timepoint": _numbers(timepoint, paths)
            if any(timepoint.values)
            else _of_places(below, [one.timepoint for one in places]),
        }
    )
    return Names(table, units, any(channel.values), others)


def _numbers(texts: TextColumn, paths: Sequence[str]) -> Integers:
    """Read a column of numbers; what is not there is one."""
    return np.array(texts.read(plane_number, paths, "number", 1, _ADVICE), np.int64)[texts.codes]


def _of_places(below: TextColumn, numbers: Sequence[int]) -> Integers:
    return np.array(numbers, np.int64)[below.codes]


def _units(
    places: Sequence[_Place], below: TextColumn, prefixes: TextColumn, guids: npt.NDArray[np.bool_]
) -> tuple[tuple[Unit, ...], Integers]:
    """Name the plates: exports after what stands before the well, raw files after their folder."""
    pairs = below.codes * max(len(prefixes.values), 1) + prefixes.codes
    first, codes = np.unique(pairs, return_index=True, return_inverse=True)[1:]
    keys = [(places[below.codes[at]].home, prefixes.values[prefixes.codes[at]] or "") for at in first]
    with_guid = set(codes[guids].tolist())
    raw: dict[tuple[str, str], bool] = {}
    for code, key in enumerate(keys):
        raw[key] = raw.get(key, False) or code in with_guid
    n_prefixes = Counter(home for home, _ in raw)
    by_home = {place.home: place for place in places}
    units: dict[tuple[str, str], Unit] = {}
    for home, prefix in sorted(raw):
        by_folder = raw[home, prefix] and n_prefixes[home] == 1
        units[home, prefix] = Unit(home, prefix, by_home[home].plate if by_folder or not prefix else prefix)
    numbers = {key: i for i, key in enumerate(units)}
    return tuple(units.values()), np.array([numbers[key] for key in keys], np.int64)[codes]


def _joined_series(places: list[_Place], below: TextColumn, channels: TextColumn) -> list[_Place]:
    """Put folders together that hold one plate: one for each channel (``20585w1``) or z-plane (``images_z_00``)."""
    matches = [_SERIES.fullmatch(place.plate) if place.home.endswith(place.plate) else None for place in places]
    if not any(matches):
        return places
    pairs = np.unique(np.stack([below.codes, channels.codes]), axis=1).T.tolist()
    held: dict[int, set[str]] = {}
    for at, channel in pairs:
        held.setdefault(at, set()).add(channels.values[channel] or "")
    series: dict[tuple[str, str], list[int]] = {}
    for i, (place, match) in enumerate(zip(places, matches, strict=True)):
        if match is None or (match["channel"] and held[i] != {match["channel"]}) or (match["step"] and place.step >= 0):
            continue
        home = place.home[: len(place.home) - len(place.plate)] + match["stem"]
        series.setdefault((home, "w" if match["channel"] else "z"), []).append(i)
    joined = list(places)
    for (home, kind), those in series.items():
        numbers = [int(match["channel" if kind == "w" else "step"]) for i in those if (match := matches[i])]
        if len(set(numbers)) < 2:
            continue
        for i, number in zip(those, numbers, strict=True):
            step = number + (0 in numbers) if kind == "z" else places[i].step
            joined[i] = places[i]._replace(home=home, plate=home.rpartition("/")[2], step=step)
    return joined


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
