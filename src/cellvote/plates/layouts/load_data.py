"""Tables of images: CellProfiler's LoadData and image tables, and the table of BBBC021; one row for each image set."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import FIELD, PLANE, Acquisition, join_acquisitions, plane_number, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.load_data_columns import FileColumns, ImageColumns, find_columns, names_files
from cellvote.plates.layouts.load_data_places import harmony_positions, pixel_size_um, place_rows
from cellvote.plates.layouts.mechanisms import with_mechanisms
from cellvote.plates.layouts.named_files import FoundFiles, find_files, is_absolute, is_remote, named_path
from cellvote.plates.layouts.source_tables import read_header, read_text_table, tables_in, well_columns

UNUSED_TABLE: Final = (
    "A table of images lies there, but it names files in other places: it was not used. Give it with the folder of the "
    "images (TABLE --root FOLDER), and what it says of the wells comes with it."
)
"""What to say where the images were read by their names instead."""

_N_SAMPLED: Final = 20
_UNSURE: Final = 0.51
_MOST_CONFLICTS: Final = 0.01


class LoadData:
    """A table says which file is which; file names may be anything."""

    name = "load-data"
    example = "load_data.csv or image.csv with FileName_DNA, PathName_DNA, Metadata_Well"

    def recognise(self, folder: Folder) -> float:
        """Sure where a table names wells and files that are there; where there are no images, the table will do."""
        tables = _image_tables(folder)
        if not tables:
            return 0.0
        if folder.only:
            return 1.0
        columns, table = _opened(folder, tables[0], _N_SAMPLED)
        if not columns.channels or not columns.has_wells:
            return 0.0
        if folder.root is None and not folder.images:
            return 1.0
        try:
            named = [
                path for paths in _named_paths(folder, tables[0], table, columns).values() for path in paths if path
            ]
        except LayoutError:
            return _UNSURE
        found = find_files(named, _images(folder), _starts(folder, tables[0]), _source(folder).as_posix())
        return 1.0 if found.paths else _UNSURE

    def read(self, folder: Folder) -> Acquisition:
        """Index every image that the tables name.

        Raises
        ------
        LayoutError
            Where there is no such table, or its paths lie outside of the folder.
        """
        tables = _image_tables(folder)
        if not tables:
            raise LayoutError(
                f"{folder.path / folder.only}: no table of images found: one with columns such as FileName_DNA and "
                "Metadata_Well. Give the CSV file, and the folder of the images with --root."
            )
        return _without_repeats(join_tables([_read_table(folder, table) for table in tables]))


def join_tables(parts: Sequence[Acquisition]) -> Acquisition:
    """Put the plates of several tables together; rows that stand in two of them count once."""
    if len(parts) == 1:
        return parts[0]
    seen = parts[0].planes
    kept = [parts[0]]
    for part in parts[1:]:
        keys = [*PLANE[:3], "path", "page"]
        known = pd.MultiIndex.from_frame(part.planes[keys]).isin(pd.MultiIndex.from_frame(seen[keys]))
        seen = pd.concat([seen, part.planes])
        if not known.all():
            kept.append(replace(part, planes=part.planes[~known].reset_index(drop=True)))
    return join_acquisitions(kept)


def _image_tables(folder: Folder) -> list[str]:
    """The tables that name images; of those in one folder, none with illumination functions beside one without."""
    candidates = [folder.only] if folder.only else tables_in(folder)
    found = [path for path in candidates if names_files(read_header(folder.path / path))]
    plain = {_folder_of(path) for path in found if "illum" not in path.rpartition("/")[2].casefold()}
    return [
        path for path in found if "illum" not in path.rpartition("/")[2].casefold() or _folder_of(path) not in plain
    ]


def _opened(folder: Folder, name: str, n_rows: int | None = None) -> tuple[ImageColumns, pd.DataFrame]:
    table = read_text_table(folder.path / name, n_rows)
    return find_columns(table), table


def _source(folder: Folder) -> Path:
    return folder.root or folder.path


def _images(folder: Folder) -> tuple[str, ...]:
    """The images below the root, else below the folder of the table."""
    if folder.root is None and not folder.only:
        return folder.images
    return Folder(_source(folder)).images


def _folder_of(path: str) -> str:
    below = PurePosixPath(path).parent.as_posix()
    return "" if below == "." else below


def _starts(folder: Folder, table: str) -> list[str]:
    """What relative paths may be relative to: the folder of the table, then the folder that was given."""
    return [""] if folder.root is not None else list(dict.fromkeys((_folder_of(table), "")))


class _Planes(NamedTuple):
    planes: pd.DataFrame
    problems: list[str]


def _read_table(folder: Folder, name: str) -> Acquisition:
    path = folder.path / name
    columns, table = _opened(folder, name)
    if not columns.channels or table.empty:
        raise LayoutError(f"{path}: the table names no images such as .tif files. Give the table of the images.")
    places, problems = place_rows(folder, name, table, columns)
    if columns.left_out:
        problems.append(
            f"{path.name}: {', '.join(columns.left_out)} name no images of the microscope and were left out."
        )
    planes, of_files = _planes(folder, name, table, columns, places)
    planes, repeated = _unique_planes(path, planes)
    keys = FIELD if not columns.has_wells else FIELD[:2]
    described = places.join(table[list(columns.described.values())].set_axis(list(columns.described), axis=1))
    if not columns.has_wells:
        first = table[next(iter(columns.channels.values())).file or next(iter(columns.channels.values())).url]
        described["image_name"] = first.str.rpartition("/")[2].str.rpartition(".")[0]
    plate_map = well_columns(described.astype("str"), keys, dropped=("field", "z", "timepoint"))
    if "field" in plate_map:
        plate_map["field"] = plate_map["field"].astype(int)
    plate_map, joined = with_mechanisms(path.parent, plate_map)
    return Acquisition(
        _source(folder),
        LoadData.name,
        planes,
        tuple(columns.channels),
        pixel_size_um=pixel_size_um(table),
        plate_map=plate_map if len(plate_map.columns) > len(keys) else None,
        problems=(*problems, *of_files, *repeated, *joined),
        positions=harmony_positions(table, places),
    )


def _planes(
    folder: Folder, name: str, table: pd.DataFrame, columns: ImageColumns, places: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """A row per image plane, with its file below the source; and what to say of files that are not there."""
    named = _named_paths(folder, name, table, columns)
    source = _source(folder)
    images = _images(folder)
    every = [path for paths in named.values() for path in paths if path]
    found = find_files(every, images, _starts(folder, name), source.as_posix())
    files = found.paths
    if not files:
        files = _as_written(folder, name, every)
    parts = []
    for index, (channel, of_channel) in enumerate(columns.channels.items()):
        part = places.assign(
            channel=index,
            path=[files.get(path, "") for path in named[channel]],
            page=_pages(table, of_channel, folder, name),
        )
        parts.append(part[part["path"] != ""])
    planes = plane_table(pd.concat(parts, ignore_index=True))
    return planes, _file_problems(folder, name, found, len(set(every)))


def _named_paths(folder: Folder, name: str, table: pd.DataFrame, columns: ImageColumns) -> dict[str, list[str]]:
    """By channel, the path that each row names; empty where it names none.

    Raises
    ------
    LayoutError
        Where a path climbs out with ``..``; or is absolute, lies outside the table's folder, and no root is given.
    """
    known: dict[tuple[str, str], str] = {}
    inside = folder.path.as_posix().rstrip("/") + "/"
    named: dict[str, list[str]] = {}
    for channel, of_channel in columns.channels.items():
        paths: list[str] = []
        for place in _written(table, of_channel):
            if place not in known:
                known[place] = named_path(*place) if place[1] else ""
                if folder.root is None and is_absolute(known[place]) and not known[place].startswith(inside):
                    _refuse(folder.path / name, known[place])
            paths.append(known[place])
        named[channel] = paths
    return named


def _written(table: pd.DataFrame, columns: FileColumns) -> list[tuple[str, str]]:
    """Folder and name of each row's file, as they are written; the URL stands in where there is no name."""
    empty = [""] * len(table)
    files = table[columns.file].tolist() if columns.file else empty
    folders = table[columns.folder].tolist() if columns.folder else empty
    urls = table[columns.url].tolist() if columns.url else empty
    return [
        (folder, file) if file and (folder or not url) else ("", url or file)
        for folder, file, url in zip(folders, files, urls, strict=True)
    ]


def _refuse(table: Path, path: str) -> None:
    if is_remote(path):
        raise LayoutError(
            f"{table} names the image {path}, which lies on another machine: CellVote fetches nothing. Download the "
            "images, and give their folder with --root."
        )
    raise LayoutError(
        f"{table} names the image {path}, which lies outside of the table's folder: refused. Give the folder of the "
        "images with --root; they are found there by the last parts of their paths."
    )


def _as_written(folder: Folder, name: str, paths: Sequence[str]) -> dict[str, str]:
    """Where none of the files is there: their places as the table writes them, so that the plate can be looked at."""
    elsewhere = [path for path in paths if is_absolute(path)]
    if elsewhere:
        raise LayoutError(
            f"{folder.path / name}: none of the {len(set(paths))} images that it names is below {_source(folder)}, "
            f"such as {elsewhere[0]}. Give the folder of the images with --root."
        )
    start = _starts(folder, name)[0]
    return {path: f"{start}/{path}" if start else path for path in paths}


def _file_problems(folder: Folder, name: str, found: FoundFiles, n_named: int) -> list[str]:
    problems = []
    if found.missing:
        n = f"none of the {n_named:,}" if len(found.missing) == n_named else f"{len(found.missing):,} of {n_named:,}"
        verb = "is" if len(found.missing) == n_named else "are not"
        problems.append(
            f"{name}: {n} images that it names {verb} there (looked below {_source(folder)}), such as "
            f"{', '.join(found.missing[:3])}."
        )
    if found.by_name_only:
        one = found.by_name_only[0]
        problems.append(
            f"{name}: {len(found.by_name_only):,} images were found by their file names alone, in folders of other "
            f"names, such as {one} at {found.paths[one]}. Check that they are the right ones."
        )
    return problems


def _pages(
    table: pd.DataFrame, columns: FileColumns, folder: Folder, name: str
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The page of each row's file, from CellProfiler's series and frame: one of the two is 0 in plane files."""
    pages = np.zeros(len(table), np.int64)
    for column in (columns.frame, columns.series):
        if not column:
            continue
        try:
            known = {text: plane_number(re.sub(r"\.0+$", "", text)) if text else 0 for text in pd.unique(table[column])}
        except ValueError as error:
            raise LayoutError(f"{folder.path / name}, column {column}: {error}. Correct the table.") from error
        numbers = np.array([known[text] for text in table[column]], np.int64)
        both = np.flatnonzero((pages > 0) & (numbers > 0))
        if both.size:
            raise LayoutError(
                f"{folder.path / name}, row {both[0] + 2}: names a frame of a later series, which cannot be told from "
                "the table alone. Give the folder of the images instead."
            )
        pages = pages + numbers
    return pages


def _unique_planes(table: Path, planes: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Take rows that stand twice once; refuse a table whose rows name many files for the same plane."""
    once = planes.drop_duplicates([*PLANE, "path", "page"], ignore_index=True)
    problems = []
    if len(once) < len(planes):
        problems.append(f"{table.name}: {len(planes) - len(once)} image plane(s) stand in it twice and count once.")
    twice = once.duplicated(PLANE)
    if twice.any():
        row = once[twice].iloc[0]
        where = f"plate {row['plate']} well {row['well']} field {row['field']}"
        if twice.sum() > max(1, len(once) * _MOST_CONFLICTS):
            raise LayoutError(
                f"{table}: several rows name different files for the same image plane ({where}: {row['path']}). Add "
                "what tells them apart as columns Metadata_Plate, Metadata_Site, Metadata_Z or Metadata_T."
            )
        problems.append(
            f"{table.name}: {int(twice.sum())} image plane(s) have two files; the second was left out, such as "
            f"{row['path']} ({where})."
        )
        once = once[~twice].reset_index(drop=True)
    return once, problems


def _without_repeats(acquisition: Acquisition) -> Acquisition:
    """Keep one row for each well on the plate map, where several tables speak of it."""
    plate_map = acquisition.plate_map
    if plate_map is None:
        return acquisition
    keys = [c for c in FIELD if c in plate_map]
    return replace(acquisition, plate_map=plate_map.fillna("").drop_duplicates(keys, ignore_index=True))
