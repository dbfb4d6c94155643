"""Pages beyond the first, in files whose names tell everything else: z-planes, and never passed over in silence."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import Doubt, plane_table
from cellvote.plates.file_planes import file_planes
from cellvote.plates.layouts.file_stacks import ChannelPlanes, ask_about_pages, planes_of_channel
from cellvote.plates.pixels import CELLOMICS_SUFFIX, CONTAINER_SUFFIXES

_NOTHING: ChannelPlanes = ChannelPlanes([], [], [])


def with_pages(
    source: Path, planes: pd.DataFrame, channels: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[Doubt, ...]]:
    """Spread files over the pages that the first file of each channel holds.

    Parameters
    ----------
    source
        The folder that the paths are relative to.
    planes
        An image-plane table in which every file is one plane.
    channels
        Names of the channels.

    Returns
    -------
    planes
        As given, where no file holds more than one; else with a row for each page, read as z-planes.
    problems
        What a person should know.
    doubts
        What a person should be asked.
    """
    first = planes.drop_duplicates("channel")
    opened = {
        number: (path, _pages(source, path, channels[number]))
        for number, path in zip(first["channel"].tolist(), first["path"], strict=True)
    }
    if not any(len(held.planes) > 1 or held.problems for _, held in opened.values()):
        return planes, (), ()
    parts: list[pd.DataFrame] = []
    problems: list[str] = []
    numbered: list[str] = []
    for number, (path, held) in opened.items():
        of_channel = planes[planes["channel"] == number]
        problems += held.problems
        pages = pd.DataFrame(held.planes[:1] if _differ(of_channel["z"]) else held.planes)
        if len(held.planes) > len(pages):
            problems.append(
                f"{path} holds {len(held.planes)} pages, but the names tell the z-planes: only the first page of each "
                "file is read."
            )
        elif len(pages) > 1:
            numbered += held.numbered
        changed = len(pages) > 1 or (len(pages) == 1 and int(pages["sample"].iloc[0]) > 0)
        parts.append(_spread(of_channel, pages) if changed else of_channel)
    return plane_table(pd.concat(parts, ignore_index=True)), tuple(problems), ask_about_pages(numbered)


def _pages(source: Path, path: str, channel: str) -> ChannelPlanes:
    """Read one header; a file that cannot be read is told of as its field is read."""
    if path.lower().endswith((CELLOMICS_SUFFIX, *CONTAINER_SUFFIXES)):
        return _NOTHING
    try:
        return planes_of_channel(source, path, file_planes(source / path), channel)
    except ImageReadError:
        return _NOTHING


def _differ(numbers: pd.Series) -> bool:
    return bool((numbers != numbers.iloc[0]).any())


def _spread(files: pd.DataFrame, pages: pd.DataFrame) -> pd.DataFrame:
    """Make a row for each page of each file; z and time are the pages' own where they differ there."""
    own = [name for name in ("z", "timepoint") if _differ(pages[name]) and not _differ(files[name])]
    taken = [*own, "page", "sample"]
    return files.drop(columns=taken).merge(pages[taken], how="cross")
