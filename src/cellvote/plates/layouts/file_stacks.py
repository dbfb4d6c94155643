"""Files that hold several planes: the header of the first one tells what is in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import Doubt
from cellvote.plates.file_planes import FilePlane, FilePlanes, file_planes
from cellvote.plates.pixels import CONTAINER_SUFFIXES

_TRIES: Final = 3


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
        if held.told and len({plane.channel for plane in held.planes if not plane.file}) > 1:
            if len(channels) == 1:  # the name tells what all of them are: DAPI,GFP
                return _with_own_channels(source, files.drop(columns="channel"))
            problems.append(
                f"{of_channel['path'].iloc[0]}: its name tells the channel {name}, but it holds "
                f"{', '.join(held.channels)}: only the first of them is read."
            )
        sizes.append(held.pixel_size_um)
        first = of_channel["path"].iloc[0]
        planes = _of_one_channel(held)
        if not held.told and len(planes) > 1:
            numbered.append(f"{first} holds {len(planes)} pages, read as z 1 to {len(planes)}")
        parts.append(_spread(of_channel.assign(channel=index), planes))
    doubts = _ask_about_pages(numbered)
    size = next((one for one in sizes if one is not None), None)
    return StackedPlanes(pd.concat(parts, ignore_index=True), channels, size, tuple(problems), doubts)


def _ask_about_pages(numbered: Sequence[str]) -> tuple[Doubt, ...]:
    if not numbered:
        return ()
    question = (
        "The files of a channel hold several pages, which are read as z-planes; they may be timepoints or fields. "
        "Where they are, export the images one by one."
    )
    return (Doubt("pages", question, tuple(numbered[:3])),)


def _of_one_channel(held: FilePlanes) -> list[FilePlane]:
    """Take the pages of a file for z-planes, where its name tells the channel."""
    if held.told:
        own = [plane for plane in held.planes if not plane.file]
        return [plane for plane in own if plane.channel == own[0].channel]
    if len(held.channels) == 1:
        return list(held.planes)
    first = held.planes[0].sample
    pages = [plane for plane in held.planes if plane.sample == first]
    return [plane._replace(channel=0, z=i) for i, plane in enumerate(pages, start=1)]


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
    return StackedPlanes(pd.concat(parts, ignore_index=True), tuple(channels), size, tuple(problems))


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
