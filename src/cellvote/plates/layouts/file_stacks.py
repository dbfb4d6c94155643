"""Files that hold several planes: the header of the first one tells what is in each of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import PLANE, Doubt
from cellvote.plates.file_planes import FilePlane, FilePlanes, file_planes
from cellvote.plates.pixels import CONTAINER_SUFFIXES, read_plane

_TRIES: Final = 3
_NUMBERED: Final = re.compile(r"Channel\d+")


@dataclass(frozen=True)
class StackedPlanes:
    """The planes of all files, and what their headers told."""

    planes: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size_um: float | None
    problems: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def stacked_planes(source: Path, files: pd.DataFrame) -> StackedPlanes:
    """Spread files over the planes that they hold.

    Parameters
    ----------
    source
        The folder that the paths are relative to.
    files
        One row per file: ``path`` and what its name tells (``well``, ``field``, …). Where that is a ``channel``
        (a name), one header of each channel is read, and the pages of its files are z-planes; else one header is
        read, and the pages are channels. A file that holds several positions has its own header read.

    Returns
    -------
    StackedPlanes
        ``planes`` has the columns of ``files`` but ``channel`` (an index), and ``z``, ``timepoint``, ``page``,
        ``sample``.

    Raises
    ------
    ImageReadError
        Where the first files are damaged.
    """
    if "channel" not in files:
        return _with_own_channels(source, files)
    channels = tuple(dict.fromkeys(files["channel"]))
    parts: list[pd.DataFrame] = []
    sizes: list[float | None] = []
    problems: list[str] = []
    numbered: list[str] = []
    for index, name in enumerate(channels):
        of_channel = files[files["channel"] == name]
        held, damaged = _first_header(source, of_channel["path"].tolist())
        problems += damaged
        if len(channels) == 1 and _all_in_one(held, name):  # the name tells what all of them are: DAPI,GFP
            return _with_named_pages(source, files.drop(columns="channel"), name)
        one = planes_of_channel(source, of_channel["path"].iloc[len(damaged)], held, name)
        problems += one.problems
        numbered += one.numbered
        sizes.append(held.pixel_size_um)
        parts.append(_spread(of_channel.assign(channel=index), one.planes))
    doubts = ask_about_pages(numbered)
    size = next((one for one in sizes if one is not None), None)
    return StackedPlanes(pd.concat(parts, ignore_index=True), channels, size, tuple(problems), doubts)


def _own_channels(held: FilePlanes) -> set[int]:
    return {plane.channel for plane in held.planes if not plane.file}


def _all_in_one(held: FilePlanes, name: str) -> bool:
    """Whether the files of the one channel that the names tell hold several: as they say, or as the name lists them."""
    several = len(_own_channels(held)) > 1
    return several and (held.told or len(_listed(name)) == len(held.channels))


def _listed(name: str) -> list[str]:
    return [part.strip() for part in name.split(",")]


def _with_named_pages(source: Path, files: pd.DataFrame, name: str) -> StackedPlanes:
    """Read the channels inside the files; those that have no names there are called as the files' names list them."""
    held = _with_own_channels(source, files)
    unnamed = all(_NUMBERED.fullmatch(channel) for channel in held.channels)
    listed = _listed(name)
    return replace(held, channels=tuple(listed)) if unnamed and len(set(listed)) == len(held.channels) else held


class ChannelPlanes(NamedTuple):
    """What the files of one channel hold: ``planes``, what is wrong, and what was merely numbered as z-planes."""

    planes: list[FilePlane]
    problems: list[str]
    numbered: list[str]


def planes_of_channel(source: Path, path: str, held: FilePlanes, name: str) -> ChannelPlanes:
    """Take the pages of a file for z-planes, where its name tells the channel.

    Of a coloured file the brightest colour is read: microscopes paint a channel in its colour.

    Parameters
    ----------
    path
        One of the files of the channel, relative to ``source``.
    held
        What its header tells.
    name
        Name of the channel.
    """
    own = [plane for plane in held.planes if not plane.file]
    if len({plane.sample for plane in own}) > 1:
        best = max({plane.sample for plane in own}, key=lambda sample: _brightness(source / path, own[0].page, sample))
        told = f"{path}: its name tells the channel {name}, but it is coloured: the brightest of its colours is read."
        own = [plane for plane in own if plane.sample == best]
        pages = own if held.told else [plane._replace(z=i) for i, plane in enumerate(own, start=1)]
        return ChannelPlanes([plane._replace(channel=0) for plane in pages], [told], _numbered_pages(path, held, pages))
    if not held.told:
        pages = [plane._replace(channel=0, z=i) for i, plane in enumerate(own, start=1)]
        return ChannelPlanes(pages, [], _numbered_pages(path, held, pages))
    told = (
        f"{path}: its name tells the channel {name}, but it holds {', '.join(held.channels)}: only the first of them "
        "is read."
    )
    problems = [told] if len(_own_channels(held)) > 1 else []
    return ChannelPlanes([plane for plane in own if plane.channel == own[0].channel], problems, [])


def _numbered_pages(path: str, held: FilePlanes, planes: Sequence[FilePlane]) -> list[str]:
    return [] if held.told or len(planes) < 2 else [f"{path} holds {len(planes)} pages, read as z 1 to {len(planes)}"]


def _brightness(path: Path, page: int, sample: int) -> float:
    try:
        return float(read_plane(path, page, sample).mean())
    except ImageReadError:
        return 0.0  # told of as the field is read


def ask_about_pages(numbered: Sequence[str]) -> tuple[Doubt, ...]:
    """Ask whether the pages of files of one channel are z-planes."""
    if not numbered:
        return ()
    question = (
        "The files of a channel hold several pages, which are read as z-planes; they may be timepoints or fields. "
        "Where they are, export the images one by one."
    )
    return (Doubt("pages", question, tuple(numbered[:3])),)


def _with_own_channels(source: Path, files: pd.DataFrame) -> StackedPlanes:
    paths: list[str] = files["path"].tolist()
    held, problems = _first_header(source, paths)
    if any(plane.file for plane in held.planes):
        return _with_sets(source, files)
    if len(held.scenes) == 1:
        planes = _spread(files, held.planes)
        return StackedPlanes(planes, held.channels, held.pixel_size_um, tuple(problems))
    return _with_scenes(source, files)


def _with_sets(source: Path, files: pd.DataFrame) -> StackedPlanes:
    """Keep one file of each set of OME-TIFF files that tell of each other."""
    there: set[str] = set(files["path"])
    of_a_set: set[str] = set()
    first_of_sets: list[int] = []
    for i, path in enumerate(files["path"].tolist()):
        if path in of_a_set:
            continue
        first_of_sets.append(i)
        try:
            of_a_set |= {_beside(path, plane.file) for plane in file_planes(source / path).planes if plane.file}
        except ImageReadError:
            continue  # told of as it is read again
    held = _with_scenes(source, files.iloc[first_of_sets])
    missing = sorted(of_a_set - there)
    if not missing:
        return held
    planes = held.planes[~held.planes["path"].isin(missing)]
    problem = f"{len(missing)} file(s) that OME-TIFF files speak of are not there, such as {missing[0]}."
    return replace(held, planes=planes, problems=(*held.problems, problem))


def _beside(path: str, name: str) -> str:
    return (PurePosixPath(path).parent / name).as_posix()


def _with_scenes(source: Path, files: pd.DataFrame) -> StackedPlanes:
    """Read the header of every file, where each holds positions of its own."""
    parts: list[pd.DataFrame] = []
    problems: list[str] = []
    channels: dict[str, int] = {}
    size: float | None = None
    for i in range(len(files)):
        row = files.iloc[[i]]
        try:
            held = file_planes(source / row["path"].iloc[0])
        except ImageReadError as error:
            problems.append(f"{error} It was left out.")
            continue
        size = size or held.pixel_size_um
        numbers = [channels.setdefault(name, len(channels)) for name in held.channels]
        planes = _spread(row, held.planes)
        planes["channel"] = np.array(numbers)[planes["channel"]]
        parts.append(_placed(planes, held, several=len(files) > 1) if "scene" in planes else planes)
    if not parts:
        raise ImageReadError(f"{source}: no image can be read. {problems[0]}")
    planes = _plates_apart(parts)
    return StackedPlanes(planes, tuple(channels), size, tuple(problems))


def _plates_apart(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the planes of all files together; files that hold the same wells are plates of their own."""
    planes = pd.concat(parts, ignore_index=True)
    if "well" not in planes or "plate" not in planes or not planes["well"].astype(bool).any():
        return planes
    if not planes.duplicated([name for name in PLANE if name in planes]).any():
        return planes
    named = [part.assign(plate=f"{part['plate'].iloc[0]} {_stem(part['path'].iloc[0])}") for part in parts]
    of_files = [part.assign(plate=_stem(part["path"].iloc[0])) for part in parts]
    alone = len({part["plate"].iloc[0] for part in of_files}) == len(parts)
    return pd.concat(of_files if alone else named, ignore_index=True)


def _stem(path: str) -> str:
    stem = PurePosixPath(path).stem
    return stem[:-4] if stem.lower().endswith(".ome") else stem


def _placed(planes: pd.DataFrame, held: FilePlanes, *, several: bool) -> pd.DataFrame:
    """Give the positions of a file their wells and fields."""
    scenes = planes.pop("scene").to_numpy()
    if all(scene.well for scene in held.scenes):
        seen: dict[str, int] = {}
        fields = [scene.field or seen.setdefault(f"{i}", 0) for i, scene in enumerate(held.scenes)]
        if not all(fields):
            fields = []
            for scene in held.scenes:
                seen[scene.well] = seen.get(scene.well, 0) + 1
                fields.append(seen[scene.well])
        planes["well"] = np.array([scene.well for scene in held.scenes], object)[scenes]
        planes["field"] = np.array(fields)[scenes]
        return planes
    first = planes["field"].to_numpy(np.int64) if "field" in planes else np.ones(len(planes), np.int64)
    planes["field"] = (first - 1) * (len(held.scenes) if several else 1) + scenes + 1
    planes["scene_name"] = np.array([scene.name for scene in held.scenes], object)[scenes]
    return planes


def _spread(files: pd.DataFrame, planes: Sequence[FilePlane]) -> pd.DataFrame:
    """Make a row for each plane of each file; what a file's name tells of z and time stands, where it holds one."""
    held = pd.DataFrame(planes, columns=list(FilePlane._fields))
    if len(set(held["scene"])) == 1:
        held = held.drop(columns="scene")
    for name in ("z", "timepoint"):
        if name in files and len(set(held[name])) == 1:
            held = held.drop(columns=name)
    if "channel" in files:
        held = held.drop(columns="channel")
    spread = files.drop(columns=[c for c in files if c in held]).merge(held, how="cross")
    beside = spread.pop("file")
    if beside.any():
        moved = [_beside(path, name) for path, name in zip(spread["path"], beside, strict=True)]
        spread["path"] = spread["path"].where(beside == "", pd.Series(moved, dtype="str"))
    return spread


def _first_header(source: Path, paths: Sequence[str]) -> tuple[FilePlanes, list[str]]:
    """Read the header of the first file; where that is damaged, of the next."""
    problems: list[str] = []
    for path in paths[:_TRIES]:
        try:
            return file_planes(source / path), problems
        except ImageReadError as error:
            if len(problems) + 1 >= min(_TRIES, len(paths)) or path.lower().endswith(tuple(CONTAINER_SUFFIXES)):
                raise
            problems.append(str(error))
    raise ImageReadError(f"{source}: holds no image.")
