"""Cellomics ArrayScan and CellInsight: ``AS_09125_050116030001_D03f00d0.tif``, as TIFF or in their own ``.C01``."""

import re
from typing import Final

import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.c01_planes import c01_pixel_size
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_acquisition import named_acquisition
from cellvote.plates.layouts.named_groups import NamedGroups
from cellvote.plates.pixels import CELLOMICS_SUFFIX

_EXAMPLE: Final = "AS_09125_050116030001_D03f00d0.tif"
_NAMES: Final = NamedGroups(
    "cellomics",
    re.compile(
        r"(?:.*/)?(?!.*_[RDM]_p\d+_z\d+_\d+_)(?:(?P<plate>[^/]*?)(?:_|i3t(?P<timepoint>\d{3})_?))?"
        r"(?P<well>[A-Z]\d{2})f(?P<field>\d{2,4})(?P<channel>[do]\d{1,2})\.(?:tiff?|c01|png|jpe?g|bmp)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
    ignored=re.compile(r"_(?:overlay|outlines?|mask)\.", re.IGNORECASE),
)
_EVOS: Final = re.compile(r"(?P<before>.*_)(?P<kind>T?[RDM])(?P<after>_p\d+_\d+)", re.IGNORECASE)


class Cellomics:
    """The plate is the prefix, fields and dyes are counted from 0; names of an EVOS, which are alike, are not meant."""

    name = "cellomics"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images, overlays left aside, has such a name."""
        return _NAMES.recognise(folder)

    def read(self, folder: Folder) -> Acquisition:
        """Index every image; the size of a pixel stands in ``.C01`` files."""
        found, others = _NAMES.table(folder)
        found, problems = _without_overlays(found)
        found, more = _without_copies(found)
        problems += more
        own = [path for path in found["path"].head(1) if path.lower().endswith(CELLOMICS_SUFFIX)]
        size: float | None = None
        for path in own:
            try:
                size = c01_pixel_size(folder.path / path)
            except ImageReadError as error:
                problems.append(str(error))
        return named_acquisition(folder, self, found, others, _channel, problems, pixel_size_um=size)


def _channel(dye: str) -> str:
    return f"d{int(dye[1:])}"


def _without_overlays(found: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out what was drawn (``o1``) where the images themselves (``d1``) are there."""
    if found.empty:
        return found, []
    drawn = found["channel"].str[0].str.casefold() == "o"
    found = found.assign(channel=found["channel"].str.casefold())
    if not drawn.any() or drawn.all():
        return found, []
    example = found.loc[drawn, "path"].iloc[0]
    return found[~drawn], [f"{int(drawn.sum())} overlay(s) were left out, such as {example}."]


def _without_copies(found: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out what an EVOS made of the images that are there too: tiled overviews, and raw images as displayed."""
    plates = set(found["plate"])
    matches = {plate: _EVOS.fullmatch(plate) for plate in plates}
    copies = set()
    for plate, match in matches.items():
        if match is None:
            continue
        before, kind, after = match["before"], match["kind"], match["after"]
        sources = [kind[1:]] if kind.startswith("T") else ["R"] if kind == "D" else []
        if any(f"{before}{source}{after}" in plates for source in sources):
            copies.add(plate)
    if not copies:
        return found, []
    made = found["plate"].isin(copies)
    told = (
        f"{int(made.sum())} image(s) that the microscope made of others (tiled, or as displayed) were left out, such "
        f"as {found.loc[made, 'path'].iloc[0]}."
    )
    return found[~made], [told]
