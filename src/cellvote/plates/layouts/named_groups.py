"""Layouts told by file names alone: a regular expression with named groups."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PLANE, Acquisition, plane_number, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.extra_pages import with_pages
from cellvote.plates.layouts.file_stacks import stacked_planes
from cellvote.plates.layouts.text_columns import TextColumn, find_groups, numbered
from cellvote.plates.wells import parse_column, parse_row, parse_well, well_name

GROUPS: Final = frozenset({"plate", "well", "row", "column", "field", "channel", "z", "timepoint"})
"""Names that have a meaning; groups of any other name are allowed and ignored."""

PASSED_OVER: Final = frozenset({"images", "orig"})
"""Folders that no plate is named after."""


@dataclass(frozen=True)
class NamedGroups:
    """A layout given by a pattern over the path below the folder.

    The pattern has the group ``well``, or ``row`` and ``column``; ``plate``, ``field``, ``channel``, ``z``
    and ``timepoint`` where the names tell them. What is missing is one: one plate (named after the
    folder), field 1, the first z and time; without ``channel`` the pages of each file are the channels.
    Fields and z-planes that are counted from 0 are counted from 1 here.

    Attributes
    ----------
    name, pattern, example
        As of every `Layout`.
    passed_over
        Matches the names of folders, in lower case, that no plate is named after: the next one up is.
    ignored
        Matches the paths of images that are known to be no planes of the plate, such as thumbnails; they are left
        out without a word.
    channel_name
        Makes the name of a channel from what the group ``channel`` found.
    """

    name: str
    pattern: re.Pattern[str]
    example: str = ""
    passed_over: re.Pattern[str] | None = None
    ignored: re.Pattern[str] | None = None
    channel_name: Callable[[str], str] | None = None

    def recognise(self, folder: Folder) -> float:
        """Say which share of a sample of the images has a name of this kind."""
        sample = [path for path in folder.sample() if not self._ignores(path)]
        return sum(self.matches(path) is not None for path in sample) / len(sample) if sample else 0.0

    def read(self, folder: Folder) -> Acquisition:
        """Index every image whose name matches; those that do not are listed as a problem."""
        found, others = self.table(folder)
        if found.empty:
            raise LayoutError(f"{folder.path}: no image has a name like {self.example or self.pattern.pattern}.")
        size_um: float | None = None
        if named := "channel" in found:
            found, names = self._channels_from_names(found)
        else:
            held = stacked_planes(folder.path, found)
            found, names, size_um = held.planes, held.channels, held.pixel_size_um
        planes = plane_table(found)
        check_unique(folder, planes)
        if named:
            planes, problems, doubts = with_pages(folder.path, planes, names)
        else:
            problems, doubts = held.problems, held.doubts
        problems = (*left_out(others), *problems)
        return Acquisition(folder.path, self.name, planes, names, size_um, problems=problems, doubts=doubts)

    def table(self, folder: Folder) -> tuple[pd.DataFrame, list[str]]:
        """Read every name: a row per image that matches (``path`` and what its name tells), and the other paths.

        Raises
        ------
        LayoutError
            Where the pattern finds something that cannot be a well or a number.
        """
        paths: Sequence[str] = folder.images
        texts, unfit = find_groups(paths, self.pattern.groups, self.pattern.fullmatch, self._by_file_name)
        others: list[str] = []
        if unfit:
            others = [paths[i] for i in unfit if not self._ignores(paths[i])]
            left = set(unfit)
            paths = [path for i, path in enumerate(paths) if i not in left]
        groups = {name: TextColumn.of(texts[at - 1]) for name, at in self.pattern.groupindex.items() if name in GROUPS}
        return pd.DataFrame({"path": pd.array(paths, dtype="str"), **self._columns(folder, paths, groups)}), others

    def matches(self, path: str) -> re.Match[str] | None:
        """Fit the pattern to the whole path below the folder, or to the file's name."""
        return self.pattern.fullmatch(path) or self._by_file_name(path)

    def _by_file_name(self, path: str) -> re.Match[str] | None:
        return self.pattern.fullmatch(path[path.rfind("/") + 1 :])

    def _ignores(self, path: str) -> bool:
        return self.ignored is not None and bool(self.ignored.search(path))

    def _columns(self, folder: Folder, paths: Sequence[str], groups: Mapping[str, TextColumn]) -> dict[str, Any]:
        """Make the columns of the table, each different text being read once."""
        columns: dict[str, Any] = {"plate": self._plates(folder, paths, groups.get("plate"))}
        if "well" in groups:
            columns["well"] = groups["well"].texts(parse_well, paths, "well")
        elif "row" in groups and "column" in groups:
            rows = groups["row"].read(parse_row, paths, "row")
            numbers = groups["column"].read(parse_column, paths, "column")
            names = [well_name(row, number) for row in rows for number in numbers]
            codes = groups["row"].codes * len(numbers) + groups["column"].codes
            columns["well"] = pd.array(names, dtype="str").take(codes)
        for name in ("field", "z", "timepoint"):
            if name in groups:
                known = np.array(groups[name].read(plane_number, paths, name, default=1), np.int64)
                columns[name] = (known + (name != "timepoint" and 0 in known))[groups[name].codes]
        if "channel" in groups:
            columns["channel"] = pd.array(groups["channel"].values, dtype="str").take(groups["channel"].codes)
        return columns

    def _plates(
        self, folder: Folder, paths: Sequence[str], named: TextColumn | None
    ) -> pd.api.extensions.ExtensionArray:
        if named is not None and all(named.values):
            return pd.array(named.values, dtype="str").take(named.codes)
        below = TextColumn.of([path.rpartition("/")[0] for path in paths])
        firsts = [paths[at] for at in np.unique(below.codes, return_index=True)[1]]
        of_folders = [plate_of(folder, self._unread_folders(path), self.passed_over) for path in firsts]
        if named is None:
            return pd.array(of_folders, dtype="str").take(below.codes)
        told = np.array(named.values, object)[named.codes]
        return pd.array(np.where(told.astype(bool), told, np.array(of_folders, object)[below.codes]), dtype="str")

    def _unread_folders(self, path: str) -> str:
        """Take the folders of a file but for those whose names tell something else than the plate."""
        parts = path.split("/")[:-1]
        match = self.pattern.fullmatch(path) if parts else None
        if match is not None:
            places = [match.start(name) for name in self.pattern.groupindex if name in GROUPS and match[name]]
            told = {path.count("/", 0, place) for place in places}
            parts = [part for i, part in enumerate(parts) if i not in told]
        return "/".join(parts)

    def _channels_from_names(self, found: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        unnamed = found["channel"].isna()
        if unnamed.any():
            raise LayoutError(
                f"{found.loc[unnamed, 'path'].iloc[0]}: the pattern finds no channel in this name, but does in "
                "others. Correct the pattern."
            )
        written = sorted(found["channel"].unique(), key=natural)
        names = [self.channel_name(one) for one in written] if self.channel_name else written
        return found.assign(channel=numbered(found["channel"], written)), tuple(names)


def left_out(others: Sequence[str]) -> tuple[str, ...]:
    """Tell of images whose names are of another kind."""
    if not others:
        return ()
    return (f"{len(others)} image(s) have another kind of name and were left out, such as {others[0]}.",)


def check_unique(folder: Folder, planes: pd.DataFrame) -> None:
    """Raise a `LayoutError` where two files read as the same image plane."""
    same_as_next = np.ones(max(len(planes) - 1, 0), bool)
    for name in PLANE:  # the planes are sorted by these
        values = planes[name].array
        same_as_next &= np.asarray(values[1:] == values[:-1], bool)
    if same_as_next.any():
        first = int(np.argmax(same_as_next))
        same = planes["path"].iloc[first : first + 2].tolist()
        raise LayoutError(
            f"{folder.path}: {same[0]} and {same[-1]} read as the same image plane. "
            "Add what tells them apart (field, z, timepoint, channel) to the pattern."
        )


def plate_of(folder: Folder, below: str, passed_over: re.Pattern[str] | None = None) -> str:
    """Name a plate after the folder that holds its images, passing over folders called Images and the like.

    Parameters
    ----------
    below
        The folder of the images, relative to the folder that is read; empty where it is that one.
    passed_over
        Matches the names of more folders, in lower case, that no plate is named after.
    """
    folders = [*folder.path.parts[1:], *PurePosixPath(below).parts]
    named = (
        name
        for name in reversed(folders)
        if name.casefold() not in PASSED_OVER and not (passed_over and passed_over.fullmatch(name.casefold()))
    )
    return next(named, "plate")


def natural(name: str) -> tuple[Any, ...]:
    """Sort names as people count: w2 before w10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name))


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
    r"(?P<channel>[A-Za-z]+ ?\d*)-(?P<number>\d+)-(?P<row>[A-Za-z]{1,2})-(?P<column>\d{1,2})\.(?:tiff?|bmp|png)",
    re.IGNORECASE,
)

NUMBERED: Final = NamedGroups("numbered", _NUMBERED, example="Channel1-01-A-01.tif")
"""Channel, running number, row, column: the images of BBBC013 and BBBC014."""
