"""On-disk layouts, one module each: nothing outside this package knows file names."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, join_acquisitions
from cellvote.plates.doubts import doubts_of
from cellvote.plates.layouts.base import Folder, Layout, open_folder
from cellvote.plates.layouts.cellomics import Cellomics
from cellvote.plates.layouts.containers import Containers
from cellvote.plates.layouts.cytation import Cytation
from cellvote.plates.layouts.image_folder import ImageFolder
from cellvote.plates.layouts.in_cell import InCell
from cellvote.plates.layouts.leica import Leica
from cellvote.plates.layouts.load_data import UNUSED_TABLE, LoadData
from cellvote.plates.layouts.metaxpress import MetaXpress
from cellvote.plates.layouts.named_fields import fields_pattern
from cellvote.plates.layouts.named_groups import NUMBERED, pattern_layout
from cellvote.plates.layouts.ome_zarr import OmeZarr
from cellvote.plates.layouts.operetta import Operetta
from cellvote.plates.layouts.rxrx import RxRx
from cellvote.plates.layouts.scanr import ScanR
from cellvote.plates.layouts.well_names import WellNames
from cellvote.plates.layouts.yokogawa import Yokogawa

__all__ = ["LAYOUTS", "Layout", "read_plate"]

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        LoadData(),
        RxRx(),
        Operetta(),
        Yokogawa(),
        MetaXpress(),
        OmeZarr(),
        NUMBERED,
        Cellomics(),
        ScanR(),
        Leica(),
        InCell(),
        Cytation(),
        WellNames(),
        Containers(),
        ImageFolder(),
    )
}
"""Every layout that is recognised by itself; where two are equally sure, the one that stands first is taken."""

_SURE_ENOUGH = 0.5
_FOREIGN = (".flex", ".stk", ".vsi", ".oir", ".oib", ".lsm", ".zvi", ".dv", ".dib", ".mrxs", ".ims", ".sld")


def read_plate(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    layout: str | None = None,
    pattern: str | None = None,
    *,
    root: str | PathLike[str] | None = None,
) -> Acquisition:
    """Read which image planes lie in a folder, or in several.

    Parameters
    ----------
    path
        The folder of one plate, or of several; or several folders; or a file that holds or lists the images.
    layout
        Name of a layout in `LAYOUTS`; recognised from the files where it is not given.
    pattern
        A regular expression over the path below the folder, with named groups: ``plate``, ``well`` or
        ``row`` and ``column``, ``field``, ``channel``, ``z``, ``timepoint``. Of images without wells: ``plate``,
        ``class_name``, ``position``, and any others, which become columns of the plate map.
    root
        The folder of the images that a table lists, where the table lies elsewhere.

    Raises
    ------
    LayoutError
        Where no layout fits; the message names those that were tried and the first files seen.
    """
    paths = [path] if isinstance(path, str | PathLike) else list(path)
    if not paths:
        raise LayoutError("no folder of images was given.")
    if layout and pattern:
        raise LayoutError("give a layout or a pattern, not both.")
    for one in map(Path, paths):
        if (one / "study.json").is_file() and (one / "images.parquet").is_file():  # its masks look like images
            raise LayoutError(f"{one}: is a study of CellVote. Give the folder that holds its images.")
    folders = [open_folder(Path(one), Path(root) if root is not None else None) for one in paths]
    acquisition = join_acquisitions([_read_one(folder, layout, pattern) for folder in folders])
    problems = dict.fromkeys([*acquisition.problems, *(problem for folder in folders for problem in folder.problems)])
    return replace(acquisition, problems=tuple(problems), doubts=(*acquisition.doubts, *doubts_of(acquisition)))


def _read_one(folder: Folder, layout: str | None, pattern: str | None) -> Acquisition:
    path = folder.path / folder.only
    nothing = not folder.images and not folder.stores and not folder.only and folder.root is None
    if nothing and (pattern or LAYOUTS[LoadData.name].recognise(folder) < _SURE_ENOUGH):
        foreign = next((path for path in folder.files if path.lower().endswith(_FOREIGN)), None)
        if foreign is not None:
            raise LayoutError(
                f"{path}: {foreign} is a file of the microscope's own kind, which CellVote does not read. Export the "
                "images as TIFF, or convert them to OME-Zarr (bioformats2raw does)."
            )
        seen = f"; the first files are {', '.join(folder.files[:3])}" if folder.files else " (it is empty)"
        raise LayoutError(
            f"{path}: no images found{seen}. Tried the layouts {', '.join(LAYOUTS)}. "
            "Give the folder that holds the .tif files."
        )
    if pattern:
        return _read_pattern(folder, pattern)
    if layout:
        if layout not in LAYOUTS:
            raise LayoutError(f"there is no layout {layout!r}; there are: {', '.join(LAYOUTS)}.")
        return LAYOUTS[layout].read(folder)
    scores: dict[str, float] = {}
    for name, known in LAYOUTS.items():
        scores[name] = known.recognise(folder)
        if scores[name] >= 1:  # nobody can be surer, and of equals the first is taken
            break
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _SURE_ENOUGH:
        tried = ", ".join(f"{name} ({LAYOUTS[name].example})" for name in LAYOUTS)
        raise LayoutError(
            f"{path}: the file names are of no known layout. Tried: {tried}. The first files are "
            f"{', '.join(folder.images[:3])}. Give --pattern with named groups such as (?P<well>…)."
        )
    acquisition = LAYOUTS[best].read(folder)
    if best != LoadData.name and scores[LoadData.name]:
        acquisition = replace(acquisition, problems=(*acquisition.problems, UNUSED_TABLE))
    return acquisition


def _read_pattern(folder: Folder, pattern: str) -> Acquisition:
    known = fields_pattern(folder, pattern) or pattern_layout(pattern)
    if not known.recognise(folder) and not any(known.matches(path) for path in folder.images):
        raise LayoutError(
            f"{folder.path}: the pattern {pattern!r} fits none of the {len(folder.images)} images, such as "
            f"{', '.join(folder.images[:3])}. It must fit the whole name, or the whole path below the folder."
        )
    return known.read(folder)
