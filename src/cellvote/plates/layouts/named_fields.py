"""A pattern that tells no wells: every image is a field of its own, of the plate and the class that its path tells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, Doubt, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.image_folder import (
    classes_of,
    field_names,
    label_images,
    looked_into,
    number_images,
    without_masks,
)
from cellvote.plates.layouts.name_plates import POSITION
from cellvote.plates.layouts.named_groups import check_unique, left_out, natural, plate_of
from cellvote.plates.wells import parse_well

_TELLING: Final = frozenset({"plate", "class_name", POSITION})
"""Groups of which a pattern without wells has at least one."""

_CLASS: Final = "class_name"
_PLANE_GROUPS: Final = ("channel",)
_OWN_COLUMNS: Final = frozenset({"plate", "well", "field", "imaged", "image_name"})


@dataclass(frozen=True)
class NamedFields:
    """A layout of images without wells, given by a pattern over the path below the folder.

    ``plate`` says which plate an image is of (else the folder does), ``channel`` which files are channels of one
    image, and ``class_name`` its class (else the folder does, where folders are classes). A ``well`` that is no well of
    a plate, such as ``P00166``, becomes the column ``position`` of the plate map; every other group a column of its own
    name. Images are numbered in the order of their paths.

    Attributes
    ----------
    name, pattern, example
        As of every `Layout`.
    """

    name: str
    pattern: re.Pattern[str]
    example: str = ""

    def recognise(self, folder: Folder) -> float:
        """Say which share of a sample of the images has a name of this kind."""
        sample = folder.sample()
        return sum(self.matches(path) is not None for path in sample) / len(sample) if sample else 0.0

    def matches(self, path: str) -> re.Match[str] | None:
        """Fit the pattern to the whole path below the folder, or to the file's name."""
        return self.pattern.fullmatch(path) or self.pattern.fullmatch(path[path.rfind("/") + 1 :])

    def read(self, folder: Folder) -> Acquisition:
        """Index every image whose name matches; those that do not are listed as a problem."""
        images, masks = without_masks(folder.images)
        found = {path: match for path in sorted(images, key=natural) if (match := self.matches(path))}
        if not found:
            raise LayoutError(f"{folder.path}: no image has a name like {self.pattern.pattern}.")
        classes = self.classes(found)
        files = self._files(folder, found, classes)
        held, mixed = looked_into(folder, files)
        planes = plane_table(held.planes)
        check_unique(folder, planes)
        names = self._plate_map(field_names(held.planes, classes), found, held.planes)
        labels, problems = label_images(masks, files)
        return Acquisition(
            folder.path,
            self.name,
            planes,
            held.channels,
            held.pixel_size_um,
            plate_map=names,
            problems=(*left_out([path for path in images if path not in found]), *held.problems, *problems),
            doubts=(*self._doubts(names), *mixed, *held.doubts),
            label_images=labels,
        )

    def classes(self, found: Mapping[str, re.Match[str]]) -> dict[str, str]:
        """Say which class each folder is, where the pattern reads nothing else from folders."""
        if _CLASS in self.pattern.groupindex or any(_reads_folders(match) for match in found.values()):
            return {}
        return classes_of(list(found))

    def _files(self, folder: Folder, found: Mapping[str, re.Match[str]], classes: Mapping[str, str]) -> pd.DataFrame:
        """Make a row for each file: plate, number of its image, and channel where names tell it."""
        paths = list(found)
        table: dict[str, Any] = {"path": pd.array(paths, dtype="str")}
        plates = []
        for path, match in found.items():
            below = path.rpartition("/")[0]
            parent = below.rpartition("/")[0] if classes or _CLASS in self.pattern.groupindex else below
            plates.append(_group(match, "plate") or plate_of(folder, parent))
        table["plate"] = pd.array(plates, dtype="str")
        keys = [_without(match, _PLANE_GROUPS, path) for path, match in found.items()]
        table["image"] = pd.factorize(np.array(keys, object))[0]
        if "channel" in self.pattern.groupindex:
            table["channel"] = pd.array([_group(match, "channel") for match in found.values()], dtype="str")
        files = pd.DataFrame(table)
        files["field"] = number_images(files)
        files["well"] = ""
        return files

    def _plate_map(self, names: pd.DataFrame, found: Mapping[str, re.Match[str]], planes: pd.DataFrame) -> pd.DataFrame:
        """Add a column for each group of the pattern that is not read otherwise."""
        first = planes.drop_duplicates(["plate", "well", "field"])["path"]
        for group in self.pattern.groupindex:
            column = POSITION if group in {"well", POSITION} else group
            if column in {*_OWN_COLUMNS, *_PLANE_GROUPS}:
                continue
            names[column] = pd.array([_group(found[path], group) for path in first], dtype="str")
        return names

    def _doubts(self, names: pd.DataFrame) -> tuple[Doubt, ...]:
        """Say that images are fields of their own, and what was read from their paths."""
        plates = list(dict.fromkeys(names["plate"]))
        said = [f"{len(plates)} plate(s) ({', '.join(plates[:3])}{' …' if len(plates) > 3 else ''})"]
        others = names.columns.drop(["plate", "well", "field", "image_name"])
        said += [f"{names[column].nunique()} different entries of {column}" for column in others]
        question = (
            f"The pattern tells no wells of plates: each of {len(names):,} images is a field of its own, of "
            f"{', '.join(said)}."
        )
        return (Doubt("no wells", question),)


def _group(match: re.Match[str], name: str) -> str:
    return (match[name] or "") if name in match.re.groupindex else ""


def _without(match: re.Match[str], groups: Sequence[str], path: str) -> str:
    """Cut out of a path what tells the planes of one image apart."""
    shift = len(path) - len(match.string)
    spans = sorted((match.span(name) for name in groups if _group(match, name)), reverse=True)
    for start, end in spans:
        path = path[: start + shift] + path[end + shift :]
    return path


def _reads_folders(match: re.Match[str]) -> bool:
    end = match.string.rfind("/")
    return any(0 <= match.start(name) < end for name in match.re.groupindex)


def fields_pattern(folder: Folder, pattern: str) -> NamedFields | None:
    """Take a pattern for one of images without wells, where it is that.

    It names no well but a plate, a class or a position; or its wells are none (``P00166``), and the images lie in
    folders of classes; or it names a class, which wells of many cells do not have.

    Returns
    -------
    NamedFields or None
        None where it is a pattern of wells, or no regular expression.
    """
    try:
        layout = NamedFields("pattern", re.compile(pattern))
    except re.error:
        return None
    groups = set(layout.pattern.groupindex)
    if _CLASS in groups:
        return layout
    if "well" not in groups:
        return layout if groups & _TELLING and not {"row", "column"} <= groups else None
    matches = {path: match for path in folder.sample() if (match := layout.matches(path))}
    if not matches or any(_is_well(match["well"]) for match in matches.values()):
        return None
    return layout if layout.classes(matches) else None


def _is_well(text: str | None) -> bool:
    try:
        parse_well(text or "")
    except ValueError:
        return False
    return True
