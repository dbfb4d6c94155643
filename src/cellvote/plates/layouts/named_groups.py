"""Layouts told by file names alone: a regular expression with named groups."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd
import tifffile

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PLANE, Acquisition, plane_number, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.pixels import TIFF_SUFFIXES, read_plane
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
        if "channel" in found:
            found, names = self._channels_from_names(found)
        else:
            found, names = channels_from_pages(folder, found)
        planes = plane_table(found)
        check_unique(folder, planes)
        return Acquisition(folder.path, self.name, planes, names, problems=left_out(others))

    def table(self, folder: Folder) -> tuple[pd.DataFrame, list[str]]:
        """Read every name: a row per image that matches (``path`` and what its name tells), and the other paths.

        Raises
        ------
        LayoutError
            Where the pattern finds something that cannot be a well or a number.
        """
        paths: list[str] = []
        found: list[tuple[str | None, ...]] = []
        others: list[str] = []
        fullmatch, ignored = self.pattern.fullmatch, self.ignored
        for path in folder.images:
            match = fullmatch(path) or fullmatch(path[path.rfind("/") + 1 :])
            if match:
                paths.append(path)
                found.append(match.groups())
            elif ignored is None or not ignored.search(path):
                others.append(path)
        columns = list(zip(*found, strict=True)) or [()] * self.pattern.groups
        groups = {name: columns[at - 1] for name, at in self.pattern.groupindex.items() if name in GROUPS}
        return pd.DataFrame({"path": pd.array(paths, dtype="str"), **self._columns(folder, paths, groups)}), others

    def matches(self, path: str) -> re.Match[str] | None:
        """Fit the pattern to the whole path below the folder, or to the file's name."""
        return self.pattern.fullmatch(path) or self.pattern.fullmatch(path[path.rfind("/") + 1 :])

    def _ignores(self, path: str) -> bool:
        return self.ignored is not None and bool(self.ignored.search(path))

    def _columns(
        self, folder: Folder, paths: Sequence[str], groups: Mapping[str, Sequence[str | None]]
    ) -> dict[str, Any]:
        """Make the columns of the table, each different text being read once."""
        columns: dict[str, Any] = {"plate": self._plates(folder, paths, groups.get("plate"))}
        if "well" in groups:
            columns["well"] = _read_each(groups["well"], parse_well, paths, "well")
        elif "row" in groups and "column" in groups:
            rows = _read_each(groups["row"], parse_row, paths, "row")
            numbers = _read_each(groups["column"], parse_column, paths, "column")
            names = {(r, c): well_name(r, c) for r, c in set(zip(rows, numbers, strict=True))}
            columns["well"] = [names[place] for place in zip(rows, numbers, strict=True)]
        for name in ("field", "z", "timepoint"):
            if name in groups:
                first = {"field": 1, "z": 1, "timepoint": 1}[name]
                numbers = _read_each(groups[name], plane_number, paths, name, default=first)
                zero = name != "timepoint" and 0 in numbers
                columns[name] = [number + 1 for number in numbers] if zero else numbers
        if "channel" in groups:
            columns["channel"] = pd.array(list(groups["channel"]), dtype="str")
        return columns

    def _plates(
        self, folder: Folder, paths: Sequence[str], named: Sequence[str | None] | None
    ) -> pd.api.extensions.ExtensionArray:
        by_folder: dict[str, str] = {}
        plates: list[str] = []
        for i, path in enumerate(paths):
            plate = named[i] if named is not None else None
            if not plate:
                below = path[: max(path.rfind("/"), 0)]
                if below not in by_folder:
                    by_folder[below] = plate_of(folder, below, self.passed_over)
                plate = by_folder[below]
            plates.append(plate)
        return pd.array(plates, dtype="str")

    def _channels_from_names(self, found: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        unnamed = found["channel"].isna()
        if unnamed.any():
            raise LayoutError(
                f"{found.loc[unnamed, 'path'].iloc[0]}: the pattern finds no channel in this name, but does in "
                "others. Correct the pattern."
            )
        written = sorted(found["channel"].unique(), key=natural)
        names = [self.channel_name(one) for one in written] if self.channel_name else written
        return found.assign(channel=found["channel"].map({one: i for i, one in enumerate(written)})), tuple(names)


def left_out(others: Sequence[str]) -> tuple[str, ...]:
    """Tell of images whose names are of another kind."""
    if not others:
        return ()
    return (f"{len(others)} image(s) have another kind of name and were left out, such as {others[0]}.",)


def check_unique(folder: Folder, planes: pd.DataFrame) -> None:
    """Raise a `LayoutError` where two files read as the same image plane."""
    twice = planes.duplicated(PLANE, keep=False)
    if twice.any():
        same = planes.loc[twice, "path"].head(2).tolist()
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


def _read_each(
    texts: Sequence[str | None], read: Callable[[str], Any], paths: Sequence[str], what: str, default: Any = None
) -> list[Any]:
    """Read a column of texts, each different one once; say in which path one cannot be read."""
    known: dict[str | None, Any] = {}
    for text in dict.fromkeys(texts):
        try:
            if text:
                known[text] = read(text)
            elif default is None:
                raise ValueError(f"the pattern leaves its {what} out")
            else:
                known[text] = default
        except ValueError as error:
            raise LayoutError(f"{paths[texts.index(text)]}: {error}. Correct the pattern.") from error
    return [known[text] for text in texts]


def channels_from_pages(folder: Folder, found: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
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
