"""Leica MatrixScreener: ``image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif``."""

import re
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_acquisition import named_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups
from cellvote.plates.wells import well_name

_EXAMPLE: Final = "image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif"
_NAMES: Final = NamedGroups(
    "leica",
    re.compile(
        r"(?:.*/)?[^/]*--S\d+--U\d+--V\d+--[^/]*X\d+--Y\d+--T(?P<timepoint>\d+)(?:--Z(?P<z>\d+))?--C(?P<channel>\d+)"
        r"(?:\.ome)?\.(?:tiff?|png|jpe?g)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
    passed_over=re.compile(r"slide--s\d+|chamber--.*|field--.*|cam\d*"),
)
_PLACE: Final = r"--S(?P<s>\d+)--U(?P<u>\d+)--V(?P<v>\d+)--(?:J(?P<j>\d+))?[^/]*X(?P<x>\d+)--Y(?P<y>\d+)--T\d+[^/]*$"


class Leica:
    """U is the column of the well and V its row, X and Y are those of the field; all are counted from 0."""

    name = "leica"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images has such a name."""
        return _NAMES.recognise(folder)

    def read(self, folder: Folder) -> Acquisition:
        """Index every image; several slides are plates of their own, several jobs channels of their own."""
        found, others = _NAMES.table(folder)
        if found.empty:
            raise LayoutError(f"{folder.path}: no image has a name like {self.example}.")
        told = found["path"].str.extract(_PLACE, flags=re.IGNORECASE).fillna("0").astype("int64")
        wells = {place: _well(folder, *place) for place in {*zip(told["v"], told["u"], strict=True)}}
        found = found.assign(
            well=pd.array([wells[place] for place in zip(told["v"], told["u"], strict=True)], dtype="str"),
            field=told["y"] * (int(told["x"].max()) + 1) + told["x"] + 1,
            channel="C" + found["channel"],
        )
        if len(set(told["s"])) > 1:
            found["plate"] = found["plate"] + " S" + told["s"].astype("str").str.zfill(2)
        if len(set(told["j"])) > 1 and found.duplicated([name for name in found if name != "path"]).any():
            found["channel"] = "J" + told["j"].astype("str").str.zfill(2) + " " + found["channel"]
        return named_acquisition(folder, self, found, others)


def _well(folder: Folder, row: int, column: int) -> str:
    try:
        return well_name(row + 1, column + 1)
    except ValueError as error:
        raise LayoutError(f"{folder.path}: {error}. Give --pattern.") from error
