"""Cytation and Lionheart, exported by Gen5: ``B7_01_1_3_DAPI_001.tif`` (well, step, channel's number, field, time)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from cellvote.plates.acquisition import PROJECTION, Acquisition, Doubt, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_acquisition import named_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups

_EXAMPLE: Final = "B7_01_1_3_DAPI_001.tif"
_STEP: Final = re.compile(
    r"[A-Z]{1,2}\d{1,2}(?:ROI(?P<region>\d+))?_(?P<step>-?\d+)_(?P<index>\d+)_\d+(?:Z\d+)?_", re.IGNORECASE
)
_NAMES: Final = NamedGroups(
    "cytation",
    re.compile(
        r"(?:.*/)?(?P<well>[A-Z]{1,2}\d{1,2})(?:ROI\d+)?_-?\d+_\d+_(?P<field>\d+)(?:Z(?P<z>\d+))?"
        r"_(?P<channel>[^/]+)_(?P<timepoint>\d{3,})(?:_[a-z]+)?\.(?:tiff?|png|jpe?g)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
)
_MADE: Final = re.compile(r"(?P<how>[^\[\]]+)\[(?P<channel>[^\[\]]*?)(?: [\d, ]+)?\]")


class Cytation:
    """Gen5's names; what it made itself of the images (step −1) is a projection, or is left out beside the images."""

    name = "cytation"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images has such a name."""
        return _NAMES.recognise(folder)

    def read(self, folder: Folder) -> Acquisition:
        """Index every image."""
        found, others = _NAMES.table(folder)
        names = found["path"].str.rpartition("/")[2].tolist() if len(found) else []
        steps = [match.groups() if (match := _STEP.match(name)) else (None, "1", "1") for name in names]
        columns = list(zip(*steps, strict=True)) or [(), (), ()]
        found = found.assign(step=[int(step) for step in columns[1]], index=columns[2])
        if any(columns[0]):
            found["field"] = _field_of_region(found, [int(region or 1) for region in columns[0]])
        found, problems = _without_made(found)
        numbers = dict(zip(found["path"], found["index"].astype("int64"), strict=True)) if len(found) else {}
        found, doubts = _with_steps(found)
        acquisition = named_acquisition(folder, self, found, others, problems=problems, doubts=doubts)
        return _in_order(acquisition, numbers)


def _in_order(acquisition: Acquisition, numbers: Mapping[str, int]) -> Acquisition:
    """Put the channels in the order of their numbers in the names."""
    planes = acquisition.planes
    first = planes["path"].map(numbers).groupby(planes["channel"]).min().sort_values(kind="stable").index.tolist()
    planes = plane_table(planes.assign(channel=planes["channel"].map({old: new for new, old in enumerate(first)})))
    return replace(acquisition, planes=planes, channels=tuple(acquisition.channels[old] for old in first))


def _field_of_region(found: pd.DataFrame, regions: list[int]) -> pd.Series:
    """Number the fields of all regions of a well one after the other."""
    return (pd.Series(regions, index=found.index) - 1) * int(found["field"].max()) + found["field"]


def _without_made(found: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Take projections for what they are, and leave out what else was made where the images themselves are there."""
    made = found["channel"].map({name: _MADE.fullmatch(name) for name in found["channel"].unique()})
    is_made = made.notna() & (found["step"] < 0)
    if not is_made.any():
        return found, []
    projected = is_made & found["channel"].str.casefold().str.startswith("zproj")
    kept = found[~is_made | projected].copy() if (~is_made).any() else found.copy()
    at = projected[kept.index]
    kept["channel"] = kept["channel"].where(~is_made[kept.index], made[kept.index].map(_channel_of, na_action="ignore"))
    if "z" in kept:
        kept["z"] = kept["z"].where(~at, PROJECTION)
    elif at.any():
        kept["z"] = np.where(at, PROJECTION, 1)
    kept["step"] = kept["step"].abs()
    n = len(found) - len(kept)
    told = [f"{n} image(s) that Gen5 made of others (stitched, for example) were left out."] if n else []
    return kept, told


def _channel_of(match: re.Match[str]) -> str:
    return match["channel"] or match["how"]


def _with_steps(found: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Tell channels apart that have one name, and steps that took the same."""
    keys = [name for name in ("plate", "well", "field", "z", "timepoint", "channel") if name in found]
    if not found.duplicated(keys).any():
        return found.drop(columns=["step", "index"]), ()
    several = found.groupby("channel")["index"].nunique()
    by_index = found["channel"] + " " + found["index"]
    named = found.assign(channel=found["channel"].where(found["channel"].map(several) == 1, by_index))
    if not named.duplicated(keys).any():
        return named.drop(columns=["step", "index"]), ()
    named["channel"] = named["channel"] + " step " + named["step"].astype("str")
    doubt = Doubt(
        "steps",
        f"The plate was read in {named['step'].nunique()} steps that took the same fields: the channels of each step "
        "are read as channels of their own.",
        tuple(found["path"].head(3)),
    )
    return named.drop(columns=["step", "index"]), (doubt,)
