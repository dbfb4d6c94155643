"""Operetta, Opera Phenix and Columbus: ``r01c01f01p01-ch1sk1fk1fl1.tiff``, with or without an index."""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PLANE, Acquisition, Doubt, join_acquisitions, plane_table
from cellvote.plates.layouts.assay_layout import plate_map_of
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.extra_pages import with_pages
from cellvote.plates.layouts.harmony_index import find_indexes, is_harmony, measured_at, read_index
from cellvote.plates.layouts.index_rows import IndexRows, not_named, present_rows, to_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups, check_unique, left_out, natural, plate_of
from cellvote.plates.layouts.plate_names import tell_apart
from cellvote.plates.layouts.text_columns import numbered

_NAME: Final = re.compile(
    r"(?:.*/)?r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
    r"(?:rc?(?P<record>\d+))?(?:-ch(?P<channel>\d+))?(?:t\d+)?(?:sk(?P<timepoint>\d+))?(?:fk\d+)?(?:fl\d+)?\.tiff?",
    re.IGNORECASE,
)
_COLUMBUS: Final = re.compile(
    r"(?:.*/)?(?P<row>\d{3})(?P<column>\d{3})-(?P<field>\d+)-(?P<z>\d{3})(?P<timepoint>\d{3})(?P<channel>\d{3})\.tiff?",
    re.IGNORECASE,
)
_EXAMPLE: Final = "r01c01f01p01-ch1sk1fk1fl1.tiff"
_MEASUREMENT: Final = re.compile(r"measurement[ _]?\d+|assaylayout|index|hs")
_OUTLINES: Final = re.compile(r"outlines/[^/]*\.png$|_outlines\.png$", re.IGNORECASE)  # drawn on the images, no planes
_HARMONY: Final = NamedGroups("operetta", _NAME, _EXAMPLE, passed_over=_MEASUREMENT, ignored=_OUTLINES)
_EXPORTED: Final = replace(_HARMONY, pattern=_COLUMBUS, example="001001-1-001001001.tif")


class Operetta:
    """Harmony's folders: the index is read where there is one, else the file names."""

    name = "operetta"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Sure where an index lies there; else the share of names of this kind."""
        by_name = max(_HARMONY.recognise(folder), _EXPORTED.recognise(folder))
        indexes = find_indexes(folder)
        return 1.0 if indexes and (by_name > 0.5 or is_harmony(folder, indexes[0])) else by_name

    def read(self, folder: Folder) -> Acquisition:
        """Index every image plane, from each index found, else from the names."""
        indexes = find_indexes(folder)
        if not indexes:
            return _read_names(folder)
        folder = Folder(folder.path, root=folder.root) if folder.only else folder
        files = frozenset(folder.files)
        rows = [present_rows(read_index(folder, index, files), folder.path, files) for index in indexes]
        parts = [_acquisition(folder, one) for one in _with_plate_names(folder, rows)]
        joined = join_acquisitions(parts)
        candidates = [path for path in folder.images if not _OUTLINES.search(path)]
        problems = (*joined.problems, *not_named(candidates, parts, "the index"))
        return replace(joined, problems=problems)


def _with_plate_names(folder: Folder, rows: list[IndexRows]) -> list[IndexRows]:
    """Give each index the name of its plate; several measurements of one plate get names of their own."""
    homes = [measured_at(one) for one in rows]
    homes = homes if len(set(homes)) == len(homes) else [str(PurePosixPath(one.index).parent) for one in rows]
    names = {
        home: one.plate or plate_of(folder, "" if home == "." else home, _MEASUREMENT)
        for home, one in zip(homes, rows, strict=True)
    }
    told = tell_apart(names)
    found = []
    for home, one in zip(homes, rows, strict=True):
        problems = one.problems
        if told[home] != names[home]:
            problems = (*problems, f"There are several measurements of {names[home]}; this one is called {told[home]}.")
        found.append(replace(one, plate=told[home], problems=problems))
    return found


def _acquisition(folder: Folder, rows: IndexRows) -> Acquisition:
    acquisition = to_acquisition(rows, folder.path, Operetta.name)
    return replace(acquisition, plate_map=plate_map_of(folder, measured_at(rows), rows.plate))


def _read_names(folder: Folder) -> Acquisition:
    columbus = _EXPORTED.recognise(folder) > _HARMONY.recognise(folder)
    layout = _EXPORTED if columbus else _HARMONY
    found, others = layout.table(folder)
    if found.empty:
        raise LayoutError(f"{folder.path}: no image has a name like {layout.example}.")
    found = found.assign(channel=_channels_of(found))
    numbers = sorted(found["channel"].unique(), key=natural)
    planes = plane_table(_measurements_apart(found.assign(channel=numbered(found["channel"], numbers))))
    check_unique(folder, planes)
    channels = tuple(f"ch{number.lstrip('0') or '0'}" for number in numbers)
    planes, problems, doubts = with_pages(folder.path, planes, channels)
    return Acquisition(
        folder.path,
        Operetta.name,
        planes,
        channels,
        problems=(*left_out(others), *problems),
        doubts=(*(_columbus_doubts(found) if columbus else ()), *doubts),
    )


def _channels_of(found: pd.DataFrame) -> pd.Series:
    """Take the channel as it is written after ``ch``; the first Operettas wrote it after ``rc``, and always ``ch1``."""
    channel = found["channel"]
    if len(channel.dropna().unique()) <= 1:
        records = found["path"].str.extract(r"p\d+rc?(\d+)(?:-ch\d+)?", flags=re.IGNORECASE)[0]
        channel = records.where(records.notna(), channel)
    return channel.fillna("1").astype("str")


def _measurements_apart(planes: pd.DataFrame) -> pd.DataFrame:
    """Give measurements of one plate names of their own, where the same planes are in both."""
    table = planes.assign(**{name: 1 for name in PLANE if name not in planes})
    if not table.duplicated(PLANE).any():
        return planes
    homes = planes["path"].str.rpartition("/")[0]
    clashing = dict(zip(homes, planes["plate"], strict=True))
    return planes.assign(plate=homes.map(tell_apart(clashing)))


def _columbus_doubts(found: pd.DataFrame) -> tuple[Doubt, ...]:
    varying = [name for name in ("z", "timepoint") if len(found[name].unique()) > 1]
    if not varying:
        return ()
    paths = found["path"].iloc[:: max(1, len(found) // 3)].head(3)
    rows = found.loc[paths.index]
    examples = zip(rows["path"], rows["z"], rows["timepoint"], rows["channel"], strict=True)
    return (
        Doubt(
            "numbers without letters",
            "The last nine digits of the names are read as z-plane, timepoint and channel. Where they are not, give "
            "--pattern.",
            tuple(f"{path} is z {z}, timepoint {t}, channel {channel}" for path, z, t, channel in examples),
        ),
    )
