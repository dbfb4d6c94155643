"""Yokogawa CV7000, CV8000 and CQ1: ``PLATE_D08_T0001F001L01A01Z01C01.tif``, ``W0001F0001T0001Z001C1.tif``."""

import re
from dataclasses import replace
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PLANE, Acquisition, Doubt, join_acquisitions, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.extra_pages import with_pages
from cellvote.plates.layouts.index_rows import (
    IndexRows,
    first_pixel_size,
    not_named,
    present_rows,
    to_acquisition,
    unique_names,
)
from cellvote.plates.layouts.named_groups import NamedGroups, check_unique, left_out, plate_of
from cellvote.plates.layouts.plate_names import folders_apart, tell_apart
from cellvote.plates.layouts.yokogawa_files import (
    Beside,
    actions_apart,
    find_measurements,
    read_beside,
    read_measurement,
)
from cellvote.plates.wells import well_name

_EXAMPLE: Final = "PLATE_D08_T0001F001L01A01Z01C01.tif"
_NAME: Final = re.compile(
    r"(?:.*/)?(?:(?P<plate>[^/]+)_)?(?P<well>[A-Za-z]{1,2}\d{1,2})"
    r"_T(?P<timepoint>\d+)F(?P<field>\d+)L\d+A\d+Z(?P<z>\d+)C(?P<channel>\d+)\.(?:tiff?|png)",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(
    r"(?:.*/)?W\d{1,4}F(?P<field>\d+)T(?P<timepoint>\d+)Z(?P<z>\d+)C(?P<channel>\d+)\.(?:tiff?|png)", re.IGNORECASE
)
_CORRECTIONS: Final = re.compile(r"(?:^|/)(?:DC|SC|BG|FF|DF)_[^/]*\.tiff?$", re.IGNORECASE)
_FOLDERS: Final = re.compile(r"images?|field\d+")
_BY_NAME: Final = NamedGroups("yokogawa", _NAME, _EXAMPLE, passed_over=_FOLDERS, ignored=_CORRECTIONS)
_BY_NUMBER: Final = replace(_BY_NAME, pattern=_NUMBERED, example="W0001F0001T0001Z001C1.tif")

_SHAPES: Final = {96: (8, 12), 384: (16, 24), 1536: (32, 48)}


class Yokogawa:
    """Folders of a CellVoyager: the list of images is read where there is one, else the file names."""

    name = "yokogawa"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Sure where a list of images lies there; else the share of names of this kind."""
        by_name = max(_BY_NAME.recognise(folder), _BY_NUMBER.recognise(folder))
        if by_name == 1.0 or not (folder.only or by_name or any(map(_CORRECTIONS.search, folder.sample()))):
            return by_name
        return 1.0 if find_measurements(folder) else by_name

    def read(self, folder: Folder) -> Acquisition:
        """Index every image plane, from each ``MeasurementData.mlf`` found, else from the names."""
        indexes = find_measurements(folder)
        if not indexes:
            numbered = _BY_NUMBER.recognise(folder) > _BY_NAME.recognise(folder)
            return _read_numbered(folder) if numbered else _read_named(folder)
        folder = Folder(folder.path, root=folder.root) if folder.only else folder  # a list stands for its folder
        files = frozenset(folder.files)
        rows = []
        for index in indexes:
            read = read_measurement(folder, index)
            table, names = actions_apart(read.table, dict(read.channel_names))
            rows.append(present_rows(replace(read, table=table, channel_names=names), folder.path, files))
        parts = [to_acquisition(one, folder.path, self.name) for one in _with_plate_names(folder, rows)]
        joined = join_acquisitions(parts)
        candidates = [path for path in folder.images if not _CORRECTIONS.search(path)]
        return replace(joined, problems=(*joined.problems, *not_named(candidates, parts, "MeasurementData.mlf")))


def _with_plate_names(folder: Folder, rows: list[IndexRows]) -> list[IndexRows]:
    homes = [one.index.rpartition("/")[0] for one in rows]
    names = {home: one.plate or plate_of(folder, home, _FOLDERS) for home, one in zip(homes, rows, strict=True)}
    told = tell_apart(names)
    return [replace(one, plate=told[home]) for home, one in zip(homes, rows, strict=True)]


def _read_named(folder: Folder) -> Acquisition:
    found, others = _BY_NAME.table(folder)
    if found.empty:
        raise LayoutError(f"{folder.path}: no image has a name like {_EXAMPLE}.")
    return _from_names(folder, found, others, _beside(folder, found))


def _read_numbered(folder: Folder) -> Acquisition:
    """Read names of a CQ1, which number the wells: how, a file beside them tells, or the person is asked."""
    found, others = _BY_NUMBER.table(folder)
    if found.empty:
        raise LayoutError(f"{folder.path}: no image has a name like {_BY_NUMBER.example}.")
    beside = _beside(folder, found)
    numbers = found["path"].str.extract(r"W(\d{1,4})F\d+T\d+Z\d+C\d+\.\w+$", flags=re.IGNORECASE)[0].astype("int64")
    last = int(numbers.max())
    n_wells = next((n for n in _SHAPES if n >= last), 0)
    shape = beside.shape or _SHAPES.get(n_wells)
    if shape is None or last > shape[0] * shape[1] or numbers.min() < 1:
        raise LayoutError(f"{folder.path}: an image is of well number {last}, and no plate has as many wells.")
    names = {n: well_name((n - 1) // shape[1] + 1, (n - 1) % shape[1] + 1) for n in numbers.unique().tolist()}
    found = found.assign(well=numbers.map(names).astype("str"))
    acquisition = _from_names(folder, found, others, beside)
    if beside.shape is not None:
        return acquisition
    rows = found.drop_duplicates("well").head(3)
    examples = tuple(f"{path} is well {well}" for path, well in zip(rows["path"], rows["well"], strict=True))
    question = (
        f"The names number the wells; they are read as those of a plate of {n_wells} wells, row by row. If the plate "
        "is another one, put its .wpi or .wpp file beside the images."
    )
    return replace(
        acquisition,
        doubts=(
            *acquisition.doubts,
            Doubt("well numbers", question, examples),
        ),
    )


def _beside(folder: Folder, found: pd.DataFrame) -> Beside:
    return read_beside(folder, str(found["path"].iloc[0]).rpartition("/")[0])


def _from_names(folder: Folder, found: pd.DataFrame, others: list[str], beside: Beside) -> Acquisition:
    named = beside.channel_names
    found = found.assign(channel=found["channel"].map({text: int(text) for text in found["channel"].unique()}))
    found, same = folders_apart(found)
    if found.duplicated([name for name in PLANE if name in found]).any():
        taken = (
            found["path"].str.extract(r"L(\d+)A(\d+)Z\d+C\d+\.\w+$", flags=re.IGNORECASE).fillna("1").astype("int64")
        )
        found, named = actions_apart(found.assign(timeline=taken[0], action=taken[1]), named)
    numbers = sorted(found["channel"].unique().tolist())
    planes = plane_table(found.assign(channel=found["channel"].map({n: i for i, n in enumerate(numbers)})))
    check_unique(folder, planes)
    labels = [f"ch{number}" for number in numbers]
    channels = unique_names([named.get(n) or label for n, label in zip(numbers, labels, strict=True)], labels)
    planes, problems, doubts = with_pages(folder.path, planes, channels)
    return Acquisition(
        folder.path,
        Yokogawa.name,
        planes,
        channels,
        pixel_size_um=first_pixel_size(beside.pixel_sizes),
        problems=(*beside.problems, *left_out(others), *problems),
        doubts=(*same, *doubts),
    )
