"""Layouts told by file names alone: a regular expression with named groups."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd
import tifffile

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, plane_number, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.pixels import TIFF_SUFFIXES, read_plane
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

GROUPS: Final = frozenset({"plate", "well", "row", "column", "field", "channel", "z", "timepoint"})
"""Names that have a meaning; groups of any other name are allowed and ignored."""

_SAMPLE: Final = 200


@dataclass(frozen=True)
class NamedGroups:
    """A layout given by a pattern over the path below the folder.

    The pattern has the group ``well``, or ``row`` and ``column``; ``plate``, ``field``, ``channel``, ``z``
    and ``timepoint`` where the names tell them. What is missing is one: one plate (named after the
    folder), field 1, the first z and time; without ``channel`` the pages of each file are the channels.
    """

    name: str
    pattern: re.Pattern[str]
    example: str = ""

    def recognise(self, folder: Folder) -> float:
        """Say which share of a sample of the images has a name of this kind."""
        step = max(1, len(folder.images) // _SAMPLE)
        sample = folder.images[::step]
        return sum(self.matches(path) is not None for path in sample) / len(sample) if sample else 0.0

    def read(self, folder: Folder) -> Acquisition:
        """Index every image whose name matches; those that do not are listed as a problem."""
        found = pd.DataFrame([self._row(folder, path) for path in folder.images if self.matches(path)])
        if found.empty:
            raise LayoutError(f"{folder.path}: no image has a name like {self.example or self.pattern.pattern}.")
        problems = self._problems(folder, len(found))
        if "channel" in found:
            unnamed = found["channel"].isna()
            if unnamed.any():
                raise LayoutError(
                    f"{found.loc[unnamed, 'path'].iloc[0]}: the pattern finds no channel in this name, but does in "
                    "others. Correct the pattern."
                )
            names = tuple(sorted(found["channel"].unique(), key=_natural))
            found["channel"] = found["channel"].map({name: i for i, name in enumerate(names)})
        else:
            found, names = _channels_from_pages(folder, found)
        planes = plane_table(found)
        twice = planes.duplicated(["plate", "well", "field", "channel", "z", "timepoint"], keep=False)
        if twice.any():
            same = planes.loc[twice, "path"].head(2).tolist()
            raise LayoutError(
                f"{folder.path}: {same[0]} and {same[-1]} read as the same image plane. "
                "Add what tells them apart (field, z, timepoint, channel) to the pattern."
            )
        return Acquisition(folder.path, self.name, planes, names, problems=problems)

    def matches(self, path: str) -> re.Match[str] | None:
        """Fit the pattern to the whole path below the folder, or to the file's name."""
        return self.pattern.fullmatch(path) or self.pattern.fullmatch(PurePosixPath(path).name)

    def _row(self, folder: Folder, path: str) -> dict[str, Any]:
        match = self.matches(path)
        groups = match.groupdict() if match else {}
        try:
            row: dict[str, Any] = {"path": path, "plate": groups.get("plate") or _plate_of(folder, path)}
            if groups.get("well"):
                row["well"] = parse_well(groups["well"])
            elif not groups.get("row") or not groups.get("column"):
                raise ValueError("the pattern leaves its well out")
            else:
                row["well"] = well_name(parse_row(groups["row"]), parse_column(groups["column"]))
            row |= {name: plane_number(groups[name]) for name in ("field", "z", "timepoint") if groups.get(name)}
        except ValueError as error:
            raise LayoutError(f"{path}: {error}. Correct the pattern.") from error
        if groups.get("channel"):
            row["channel"] = groups["channel"]
        return row

    def _problems(self, folder: Folder, n_found: int) -> tuple[str, ...]:
        if n_found == len(folder.images):
            return ()
        others = [path for path in folder.images if not self.matches(path)]
        return (f"{len(others)} image(s) have another kind of name and were left out, such as {others[0]}.",)


def _plate_of(folder: Folder, path: str) -> str:
    """Name the plate after the folder that holds the image, passing over folders called Images."""
    folders = [*folder.path.parts[1:], *PurePosixPath(path).parts[:-1]]
    return next((name for name in reversed(folders) if name.casefold() not in {"images", "orig"}), "plate")


def _natural(name: str) -> tuple[Any, ...]:
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name))


def _channels_from_pages(folder: Folder, found: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Take the pages of the first file as the channels of every file."""
    first = folder.path / found["path"].iloc[0]
    n_pages = 1
    if first.suffix.lower() in TIFF_SUFFIXES:
        read_plane(first)  # says clearly what is wrong with a damaged file
        with tifffile.TiffFile(first) as tiff:
            n_pages = len(tiff.pages)
    pages = [found.assign(channel=page, page=page) for page in range(n_pages)]
    return pd.concat(pages, ignore_index=True), tuple(f"Channel{page + 1}" for page in range(n_pages))


def pattern_layout(pattern: str) -> NamedGroups:
    """Make a layout from a pattern that the user wrote.

    Raises
    ------
    LayoutError
        Where it is no regular expression, or names neither ``well`` nor ``row`` and ``column``.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise LayoutError(f"the pattern {pattern!r} is not a regular expression: {error}.") from error
    groups = set(compiled.groupindex)
    if "well" not in groups and not {"row", "column"} <= groups:
        raise LayoutError(
            f"the pattern {pattern!r} does not say which well an image is of: name a group (?P<well>…), or "
            "(?P<row>…) and (?P<column>…). Also known: plate, field, channel, z, timepoint."
        )
    return NamedGroups("pattern", compiled)


_NUMBERED: Final = re.compile(
    r"(?P<channel>[A-Za-z]+\d*)-(?P<number>\d+)-(?P<row>[A-Za-z]{1,2})-(?P<column>\d{1,2})\.tiff?",
    re.IGNORECASE,
)

NUMBERED: Final = NamedGroups("numbered", _NUMBERED, example="Channel1-01-A-01.tif")
"""Channel, running number, row, column: the images of BBBC013 and BBBC014."""
