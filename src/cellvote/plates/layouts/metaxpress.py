"""MetaXpress and ImageXpress: ``PLATE_B02_s1_w1.TIF``, raw in dated folders or exported, with or without ``.HTD``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PLANE, PROJECTION, Acquisition, Doubt, join_acquisitions, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.extra_pages import with_pages
from cellvote.plates.layouts.htd import Htd, read_htd
from cellvote.plates.layouts.index_rows import unique_names
from cellvote.plates.layouts.metaseries import read_header
from cellvote.plates.layouts.metaxpress_names import (
    NO_STEP,
    Names,
    Unit,
    how_told,
    prefix_of,
    read_names,
    wells_before,
    without_steps,
)
from cellvote.plates.layouts.metaxpress_places import Opened, field_positions
from cellvote.plates.layouts.named_groups import check_unique, left_out
from cellvote.plates.layouts.plate_names import tell_apart

_EXAMPLE: Final = "PLATE_B02_s1_w1.TIF"
_SUFFIX: Final = ".htd"
_N_FOR_PLACES: Final = 2
_UNSURE: Final = 0.7
_CHANNEL_FOLDER: Final = re.compile(r"(?:w|c|ch|channel)[ _-]?\d{1,2}|[^\W\d]+", re.IGNORECASE)


@dataclass(frozen=True)
class _Described:
    """Plates whose channels have the same names, and the descriptions by plate."""

    table: pd.DataFrame
    has_channels: bool
    wave_names: Mapping[int, str]
    by_plate: Mapping[str, Htd]


class MetaXpress:
    """Folders of an ImageXpress: raw ones, whose files have unique names, and exports."""

    name = "metaxpress"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images is named so; a name that tells only the well counts beside an ``.HTD``."""
        if folder.only:
            return 1.0 if folder.only.casefold().endswith(_SUFFIX) else 0.0
        told = [one for path in folder.sample() if (one := how_told(path)) is not None]
        if not told:
            return 0.0
        described = any(path.casefold().endswith(_SUFFIX) for path in folder.companions)
        share = sum(1.0 if described and one else one for one in told) / len(told)
        by_folder = share < 1 and _in_folders_of_channels(folder)
        if not described and (by_folder or wells_before(map(prefix_of, folder.sample()))):
            return share * _UNSURE
        return 1.0 if described and share > 0.5 else share

    def read(self, folder: Folder) -> Acquisition:
        """Index every image plane from the names, with what descriptions and one header per channel add."""
        if folder.only.casefold().endswith(_SUFFIX):  # a description stands for its folder
            folder = Folder(folder.path, root=folder.root)
        names = read_names(folder)
        if names.table.empty:
            raise LayoutError(f"{folder.path}: no image has a name like {_EXAMPLE}.")
        descriptions = _find_descriptions(folder, names.units)
        z = _z_planes(names.table, descriptions)
        plates, problems, is_unique = _plates_apart(names, z)
        table = names.table.assign(z=z, plate=pd.array([plates[i] for i in names.table["unit"]], dtype="str"))
        joined = join_acquisitions([_acquisition(folder, one) for one in _by_channels(names, table, descriptions)])
        if not is_unique:
            check_unique(folder, joined.planes)
        problems = [*problems, *joined.problems, *left_out(names.others)]
        return replace(joined, problems=tuple(problems), doubts=(*joined.doubts, *_ask_about(folder, names)))


def _in_folders_of_channels(folder: Folder) -> bool:
    """Whether images lie in several folders called by words or numbers of channels: these may be no plates."""
    names = {path.rpartition("/")[0].rpartition("/")[2] for path in folder.sample()}
    return len(names) > 1 and all(_CHANNEL_FOLDER.fullmatch(name) for name in names)


def _ask_about(folder: Folder, names: Names) -> tuple[Doubt, ...]:
    """Ask where names hold two parts that look like wells, and where plates are named after folders of channels."""
    if not names.has_channels and len(names.units) > 1 and _in_folders_of_channels(folder):
        plates = sorted({unit.plate for unit in names.units})
        question = (
            f"The folders {', '.join(plates[:3])}{' …' if len(plates) > 3 else ''} are read as plates. Where they are "
            "channels or classes, give --layout or --pattern."
        )
        return (Doubt("folders", question, tuple(names.table.drop_duplicates("unit")["path"].head(3))),)
    wells = wells_before(unit.prefix for unit in names.units)
    if not wells:
        return ()
    question = (
        f"What stands before the wells looks like wells too ({', '.join(wells[:3])}) and is read as a part of the "
        "plate's name. Where that is wrong, give --layout well-names or --pattern."
    )
    rows = names.table.drop_duplicates("unit").head(3)
    examples = tuple(f"{path} is well {well}" for path, well in zip(rows["path"], rows["well"], strict=True))
    return (Doubt("two wells", question, examples),)


def _find_descriptions(folder: Folder, units: Sequence[Unit]) -> dict[int, Htd]:
    """Find the description of each unit: beside its images or in the folders above them, named as they at best."""
    by_folder: dict[str, list[str]] = {}
    for path in folder.companions:
        if path.casefold().endswith(_SUFFIX):
            by_folder.setdefault(without_steps(path.rpartition("/")[0]), []).append(path)
    read: dict[str, Htd | None] = {}
    found: dict[int, Htd] = {}
    for i, unit in enumerate(units if by_folder else ()):
        home = PurePosixPath(unit.home)
        for above in (home, *home.parents):
            beside = by_folder.get("" if str(above) == "." else str(above), [])
            named = [path for path in beside if PurePosixPath(path).stem == unit.prefix]
            for path in named or (beside if len({PurePosixPath(path).name for path in beside}) == 1 else []):
                if path not in read:
                    read[path] = read_htd(folder.path / path)
                if (description := read[path]) is not None:
                    found.setdefault(i, description)
    return found


def _z_planes(table: pd.DataFrame, descriptions: Mapping[int, Htd]) -> list[int]:
    """Number z-planes from 1; images beside the folders of the steps, and those of step 0, are projections."""
    z = table["step"].to_numpy().copy()
    for unit, at in table.groupby("unit", sort=False).indices.items():
        steps, description = z[at], descriptions.get(int(str(unit)))
        last = int(steps.max())
        if last == NO_STEP:
            made = description is not None and description.z_projection and description.z_steps > 1
            z[at] = PROJECTION if made else 1
        elif 0 in steps and not _step_0_is_projection(last, description):
            z[at] = np.where(steps == NO_STEP, PROJECTION, steps + 1)
        else:
            z[at] = np.where(steps <= 0, PROJECTION, steps)
    return z.tolist()


def _step_0_is_projection(last: int, description: Htd | None) -> bool:
    """Tell step 0 of those who count from 1, where it is the projection, from that of those who count from 0."""
    return last > 0 if description is None else description.z_projection or last >= description.z_steps


def _plates_apart(names: Names, z: Sequence[int]) -> tuple[list[str], list[str], bool]:
    """Name the plate of each unit; those that were imaged more than once get a name for each time.

    Also says what was renamed, and whether the planes were unique before.
    """
    plates = [unit.plate for unit in names.units]
    numbers = {plate: i for i, plate in enumerate(dict.fromkeys(plates))}
    of_unit = np.array([numbers[plate] for plate in plates])
    table = names.table.assign(z=z, plate=of_unit[names.table["unit"]], well=pd.factorize(names.table["well"])[0])
    twice = table.duplicated(PLANE, keep=False)
    problems: list[str] = []
    for plate in sorted({plates[i] for i in table.loc[twice, "unit"].unique()}):
        same = [i for i, one in enumerate(plates) if one == plate]
        if len(same) > 1:
            homes = {names.units[i].home: plate for i in same}
            told = tell_apart(homes)
            for i in same:
                plates[i] = told[names.units[i].home]
            problems.append(f"{plate} was imaged {len(same)} times; these are called {', '.join(told.values())}.")
    return plates, problems, not twice.any()


def _by_channels(names: Names, table: pd.DataFrame, descriptions: Mapping[int, Htd]) -> list[_Described]:
    """Put plates together whose channels have the same names."""
    plates = dict(zip(*table.drop_duplicates("unit")[["unit", "plate"]].to_dict("list").values(), strict=True))
    groups: dict[tuple[tuple[int, str], ...], list[int]] = {}
    for unit in range(len(names.units)):
        waves = tuple(descriptions[unit].wave_names.items()) if unit in descriptions else ()
        groups.setdefault(waves, []).append(unit)
    return [
        _Described(
            table[table["unit"].isin(units)] if len(groups) > 1 else table,
            names.has_channels,
            dict(waves),
            {plates[unit]: descriptions[unit] for unit in units if unit in descriptions},
        )
        for waves, units in groups.items()
    ]


def _acquisition(folder: Folder, described: _Described) -> Acquisition:
    opened = _open_headers(folder, described)
    sizes = [one.header.pixel_size_um for one in opened if one.header.pixel_size_um]
    numbered, names = _named_channels(described, opened)
    planes = plane_table(numbered)
    problems: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    if described.has_channels and any(one.header.n_planes > 1 for one in opened):
        planes, problems, doubts = with_pages(folder.path, planes, names)
    return Acquisition(
        folder.path,
        MetaXpress.name,
        planes,
        names,
        pixel_size_um=sizes[0] if sizes else None,
        problems=(*_lacking(described), *problems),
        doubts=doubts,
        positions=field_positions(described.table, described.by_plate, opened),
    )


def _open_headers(folder: Folder, described: _Described) -> list[Opened]:
    """Open one image of each channel; those of the first two are of two fields of a well, far from each other."""
    table = described.table
    first = table.iloc[0]
    of_well = table[(table["unit"] == first["unit"]) & (table["well"] == first["well"])]
    ends = (of_well["field"].min(), of_well["field"].max())
    opened: list[Opened] = []
    for number in sorted(set(table["channel"])):
        if described.wave_names.get(number) and len(opened) >= _N_FOR_PLACES:
            continue  # its name is known
        images = of_well[of_well["channel"] == number]
        images = images if len(images) else table[table["channel"] == number]
        at_end = images[images["field"] == ends[len(opened) % 2]]
        row = (at_end if len(at_end) else images).iloc[0]
        header = read_header(folder.path / row["path"])
        opened.append(Opened(row["plate"], row["well"], int(row["field"]), number, header))
    return opened


def _named_channels(described: _Described, opened: Sequence[Opened]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Name the channels; where no image's name tells one, the pages of each are the channels."""
    table, waves = described.table, described.wave_names
    numbers = sorted(set(table["channel"]))
    n_pages = opened[0].header.n_pages
    if n_pages > 1 and not described.has_channels:
        numbers = list(range(1, n_pages + 1))
        table = pd.concat([table.assign(channel=number, page=number - 1) for number in numbers], ignore_index=True)
        by_header: dict[int, str] = {}
    else:
        by_header = {one.channel: one.header.channel for one in opened}
    labels = [f"w{number}" for number in numbers]
    names = [waves.get(n) or by_header.get(n) or label for n, label in zip(numbers, labels, strict=True)]
    indices = {number: i for i, number in enumerate(numbers)}
    return table.assign(channel=table["channel"].map(indices)), unique_names(names, labels)


def _lacking(described: _Described) -> tuple[str, ...]:
    """Tell what the descriptions speak of and what is not there."""
    problems = []
    for plate, description in sorted(described.by_plate.items()):
        of_plate = described.table[described.table["plate"] == plate]
        there = set(of_plate["channel"]) if described.has_channels else set(description.wave_names)
        lacking = [f"channel {name} (w{n})" for n, name in description.wave_names.items() if n not in there]
        last = int(of_plate["z"].max())
        if PROJECTION < last < description.z_steps:
            lacking.append(f"z-planes after {last} (of {description.z_steps})")
        wells = sorted(description.wells - set(of_plate["well"]))
        if wells:
            lacking.append(f"{len(wells)} well(s), such as {wells[0]}")
        if lacking:
            problems.append(f"{plate}: {description.name}.HTD speaks of {', '.join(lacking)}; there are no images.")
    return tuple(problems)
