"""What an index file says, row by row, made into an acquisition: checked, matched with the files, told apart."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import (
    FIELD,
    PLANE,
    POSITION_COLUMNS,
    Acquisition,
    plane_number,
    plane_table,
    safe_relative,
)
from cellvote.plates.wells import well_name

_PLAIN_NAME: Final = re.compile(r"\w[\w.-]*")

MAX_POSITION_UM: Final = 1e6
"""No stage travels a metre: positions beyond it are misread."""

MAX_PIXEL_UM: Final = 1e4

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class IndexRows:
    """The images that one index names.

    Attributes
    ----------
    index
        The index, relative to the folder that is read.
    plate
        What the index calls its plate.
    table
        One row per image: ``well``, ``field``, ``channel`` (as the microscope counts them), ``z``, ``timepoint``,
        ``path``, ``page``; and ``x_um``, ``y_um`` where it tells positions, y growing downwards.
    channel_names
        By the microscope's number; those that are missing are called ``ch1``, …
    pixel_size_um
        Where the index says so.
    problems
        What is wrong with it, one sentence each.
    """

    index: str
    plate: str
    table: pd.DataFrame
    channel_names: Mapping[int, str]
    pixel_size_um: float | None = None
    problems: tuple[str, ...] = field(default=())


def read_each(keys: Sequence[_Key], read: Callable[[_Key], Any], where: str, what: str) -> list[Any]:
    """Read a column of an index, each different value once.

    Raises
    ------
    LayoutError
        Where one cannot be read; it is quoted.
    """
    known: dict[_Key, Any] = {}
    for key in dict.fromkeys(keys):
        try:
            known[key] = read(key)
        except LayoutError as error:
            raise LayoutError(f"{where}: {error}") from error
        except ValueError as error:
            raise LayoutError(
                f"{where}: an image lacks or garbles its {what} ({str(error)[:200]}). Copy the file again; or move "
                "it away, and the names of the images are read instead."
            ) from error
    return [known[key] for key in keys]


def read_numbers(texts: Sequence[str], where: str, what: str, *, from_one: bool = False) -> list[int]:
    """Read numbers of fields, z-planes, timepoints or channels; counted from 1 if asked for."""
    numbers = read_each(texts, plane_number, where, what)
    return [number + 1 for number in numbers] if from_one and 0 in numbers else numbers


def read_wells(rows: Sequence[str], columns: Sequence[str], where: str) -> list[str]:
    """Make well names of rows and columns counted from 1."""
    places = list(zip(rows, columns, strict=True))
    return read_each(places, lambda place: well_name(int(place[0]), int(place[1])), where, "row or column")


def read_paths(names: Sequence[str], below: str, where: str) -> list[str]:
    """Make paths of the names in an index, refusing those that leave its folder."""
    prefix = f"{below}/" if below not in ("", ".") else ""
    plain = _PLAIN_NAME.fullmatch
    try:
        return [prefix + (name if plain(name) else safe_relative(name)) for name in names]
    except LayoutError as error:
        raise LayoutError(f"{where}: {error}") from error


def read_lengths(texts: Iterable[str], factor: float, most_um: float) -> pd.Series:
    """Read lengths in micrometres; what cannot be one is missing."""
    values = pd.to_numeric(pd.Series(list(texts), dtype="str"), errors="coerce").astype("float64") * factor + 0.0
    return values.where(np.isfinite(values) & (values.abs() <= most_um))


def first_pixel_size(texts: Iterable[str], factor: float = 1.0) -> float | None:
    """Take the first of some pixel sizes that can be one, in micrometres."""
    sizes = read_lengths(texts, factor, MAX_PIXEL_UM)
    sizes = sizes[sizes > 0]
    return round(float(sizes.iloc[0]), 6) if len(sizes) else None


def choose_base(names: Sequence[str], bases: Sequence[str], files: frozenset[str]) -> str:
    """Choose the folder below which the first of the named files are; the first of them where none is."""
    for base in bases:
        prefix = f"{base}/" if base not in ("", ".") else ""
        if any(prefix + name.replace("\\", "/") in files for name in names[:100]):
            return base
    return bases[0]


def present_rows(rows: IndexRows, folder: Path, files: frozenset[str]) -> IndexRows:
    """Keep the images that are there, and one of those that are the same plane; tell of the others.

    Raises
    ------
    LayoutError
        Where none is there.
    """
    table, problems = rows.table, list(rows.problems)
    name = PurePosixPath(rows.index).name
    there = table["path"].isin(files)
    if not there.any():
        raise LayoutError(f"{folder / rows.index}: none of the {len(table)} images that it names is there.")
    if not there.all():
        gone = table.loc[~there, "path"]
        problems.append(f"{name} names {len(gone)} image(s) that are not there, such as {gone.iloc[0]}.")
    table = table[there]
    twice = table.duplicated([column for column in PLANE if column != "plate"])
    if twice.any():
        problems.append(
            f"{name} names {twice.sum()} image(s) of planes that it has named before, such as "
            f"{table.loc[twice, 'path'].iloc[0]}: the first of each is read."
        )
    return replace(rows, table=table[~twice], problems=tuple(problems))


def to_acquisition(rows: IndexRows, folder: Path, layout: str) -> Acquisition:
    """Make an acquisition of the images of one index."""
    table = rows.table.assign(plate=rows.plate)
    numbers = sorted(set(table["channel"]))
    indices = table["channel"].map({number: i for i, number in enumerate(numbers)})
    return Acquisition(
        folder,
        layout,
        plane_table(table.assign(channel=indices)),
        unique_names([rows.channel_names.get(n) or f"ch{n}" for n in numbers], [f"ch{n}" for n in numbers]),
        pixel_size_um=rows.pixel_size_um,
        problems=rows.problems,
        positions=_positions(table),
    )


def _positions(table: pd.DataFrame) -> pd.DataFrame | None:
    if "x_um" not in table:
        return None
    known = table.drop_duplicates(FIELD)[list(POSITION_COLUMNS)].dropna()
    return known.astype(POSITION_COLUMNS).sort_values(FIELD, ignore_index=True) if len(known) else None


def unique_names(names: Sequence[str], numbers: Sequence[str]) -> tuple[str, ...]:
    """Add to names of channels what the microscope calls them, where two are the same."""
    twice = {name for name in names if names.count(name) > 1}
    return tuple(f"{name} {number}" if name in twice else name for name, number in zip(names, numbers, strict=True))


def not_named(files: Iterable[str], acquisitions: Sequence[Acquisition], what: str) -> tuple[str, ...]:
    """Tell of images that no index names."""
    named = {path for one in acquisitions for path in one.planes["path"].unique()}
    others = [path for path in files if path not in named]
    if not others:
        return ()
    return (f"{len(others)} image(s) are not named by {what} and were left out, such as {others[0]}.",)
