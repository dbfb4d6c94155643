"""RxRx1, 2, 3 and 19: ``EXPERIMENT/Plate1/B02_s1_w1.png`` with ``metadata.csv``, six channels (five in RxRx19)."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.named_groups import NamedGroups, check_unique, left_out
from cellvote.plates.layouts.source_tables import TABLE_ENDINGS, read_header, read_text_table, tables_in, well_columns
from cellvote.plates.wells import parse_well

_EXAMPLE: Final = "HEPG2-01/Plate1/B02_s1_w1.png"
_NAMES: Final = NamedGroups(
    "rxrx",
    re.compile(
        r"(?:.*/)?(?P<well>[A-Z]{1,2}\d{2})_s(?P<field>\d+)_w?(?P<channel>[1-9])\.(?:png|jp2|jpe?g|tiff?)",
        re.IGNORECASE,
    ),
    _EXAMPLE,
)
_PLATE_FOLDER: Final = re.compile(r"Plate_?(?P<number>\d+)", re.IGNORECASE)
_PICTURES: Final = (".png", ".jp2", ".jpg", ".jpeg")

DYES: Final = {1: "Hoechst", 2: "ConA", 3: "Phalloidin", 4: "Syto14", 5: "MitoTracker", 6: "WGA"}
"""Channels by their number in the file name; in RxRx19, which has five, what w5 shows is left open."""

_CONTROL_TYPES: Final = {"negative_control": "negative", "positive_control": "positive"}
_METADATA_COLUMNS: Final = (
    {"experiment", "experiment_name"},
    {"plate"},
    {"well", "address"},
)
_OF_IMAGES: Final = frozenset({"site_id", "well_id", "site", "well", "address", "plate", "experiment_name"})
_N_ABOVE: Final = 3
_MANY_FILES: Final = 10_000


class RxRx:
    """Recursion's plates: each experiment is a folder, its plates are folders in it; one table tells of all wells."""

    name = "rxrx"
    example = _EXAMPLE

    def recognise(self, folder: Folder) -> float:
        """Say which share of a sample is named so: pictures in ``EXPERIMENT/Plate1``, or any image beside a table."""
        if folder.only:
            return 1.0 if _is_metadata(folder.path / folder.only) else 0.0
        folder = _folder_of_images(folder)
        sample = [path for path in folder.sample() if _NAMES.matches(path)]
        in_plates = [path for path in sample if _plate_name(_parts(folder, path)) is not None]
        if not in_plates:
            return 0.0
        share = len(in_plates) / len(folder.sample())
        pictures = sum(path.lower().endswith(_PICTURES) for path in in_plates)
        return share if pictures == len(in_plates) or _metadata(folder) is not None else 0.0

    def read(self, folder: Folder) -> Acquisition:
        """Index every image by its name; what was done to the wells is taken from the metadata table.

        Raises
        ------
        LayoutError
            Where no image is named so, or the table is damaged.
        """
        table = folder.path / folder.only if folder.only else _metadata(folder)
        images = _folder_of_images(folder)
        found, others = _NAMES.table(images)
        if found.empty:
            raise LayoutError(f"{images.path}: no image has a name like {_EXAMPLE}.")
        below = found["path"].str.rpartition("/")[0]
        plates = {one: _plate_name(_parts(images, f"{one}/")) for one in below.unique()}
        found["plate"] = below.map(plates)
        others = [*others, *found.loc[found["plate"].isna(), "path"]]
        found = found[found["plate"].notna()]
        if found.empty:
            raise LayoutError(f"{images.path}: no image lies at a place such as {_EXAMPLE}.")
        numbers = sorted(map(int, found["channel"].unique()))
        planes = plane_table(found.assign(channel=found["channel"].astype(int).map(numbers.index)))
        check_unique(images, planes)
        acquisition = Acquisition(images.path, self.name, planes, _channel_names(numbers), problems=left_out(others))
        if table is None:
            note = "No metadata.csv lies beside or above the images: what was done to the wells is not known."
            return replace(acquisition, problems=(*acquisition.problems, note))
        plate_map = _plate_map(table, acquisition.plates)
        if plate_map.empty:
            note = f"{table.name} tells of none of the plates {', '.join(acquisition.plates[:3])}."
            return replace(acquisition, problems=(*acquisition.problems, note))
        return replace(acquisition, plate_map=plate_map)


def _folder_of_images(folder: Folder) -> Folder:
    return Folder(folder.root or folder.path) if folder.only or folder.root is not None else folder


def _parts(folder: Folder, path: str) -> tuple[str, ...]:
    """The names of the folders that an image lies in, from the top of the disk."""
    return (*folder.path.parts, *PurePosixPath(path.rpartition("/")[0]).parts)


def _plate_name(folders: tuple[str, ...]) -> str | None:
    """Name a plate after its experiment and itself: ``HEPG2-01_Plate1``."""
    match = _PLATE_FOLDER.fullmatch(folders[-1]) if len(folders) > 1 else None
    return f"{folders[-2].strip('/') or 'plate'}_Plate{int(match['number'])}" if match else None


def _channel_names(numbers: list[int]) -> tuple[str, ...]:
    dyes = DYES if 6 in numbers else {number: dye for number, dye in DYES.items() if number < 5}
    return tuple(dyes.get(number, f"w{number}") for number in numbers)


def _is_metadata(path: Path) -> bool:
    header = {name.casefold() for name in read_header(path)}
    return all(header & names for names in _METADATA_COLUMNS)


def _metadata(folder: Folder) -> Path | None:
    """The table of the wells: below the folder that was given, else in one of the three above it."""
    tables: Iterable[Path] = (folder.path / path for path in tables_in(folder))
    found = next((path for path in tables if _is_metadata(path)), None)
    for above in (folder.path, *folder.path.parents[:_N_ABOVE]):
        if found is not None:
            break
        named = [path for path in _some_files(above) if "metadata" in path.name.casefold()]
        found = next((path for path in sorted(named) if _is_metadata(path)), None)
    return found


def _some_files(folder: Path) -> list[Path]:
    """The files of a folder that is not ours to list whole."""
    try:
        return [path for path in islice(folder.iterdir(), _MANY_FILES) if path.name.lower().endswith(TABLE_ENDINGS)]
    except OSError:
        return []


def _plate_map(path: Path, plates: list[str]) -> pd.DataFrame:
    """One row per well of the plates that are imaged, those without images too."""
    table = read_text_table(path)
    named = {name.casefold(): name for name in table.columns}
    experiment = table[named.get("experiment", named.get("experiment_name", ""))]
    numbers = table[named["plate"]].str.removeprefix("Plate").str.replace(r"\.0$", "", regex=True)
    table = table.assign(**{"experiment": experiment, "\0plate": experiment + "_Plate" + numbers})
    table = table[table["\0plate"].isin(plates)]
    addresses = table[named.get("well", named.get("address", ""))]
    try:
        wells = {text: parse_well(text) for text in addresses.unique()}
    except ValueError as error:
        raise LayoutError(f"{path}: {error}. Correct the table, or move it away.") from error
    placed = table.drop(columns=[name for name in map(str, table) if name.casefold() in _OF_IMAGES])
    placed = placed.rename(columns={"\0plate": "plate"}).assign(well=addresses.map(wells).astype("str"))
    plate_map = well_columns(placed, ["plate", "well"])
    return _with_meanings(plate_map)


def _with_meanings(plate_map: pd.DataFrame) -> pd.DataFrame:
    """Say what is a control, and concentrations in µM, as the data sets' own descriptions do."""
    named = {name.casefold(): name for name in plate_map.columns}
    if "well_type" in named:
        plate_map["control_type"] = plate_map[named["well_type"]].map(lambda kind: _CONTROL_TYPES.get(kind, ""))
    elif "treatment" in named and (plate_map[named["treatment"]] == "EMPTY_control").any():
        empty = plate_map[named["treatment"]] == "EMPTY_control"
        plate_map["control_type"] = empty.map({True: "negative", False: ""})
    dose = named.get("concentration", named.get("treatment_conc"))
    if dose is not None and "smiles" in named:  # RxRx3 and RxRx19 give µM; RxRx2, which has no SMILES, gives mg/ml
        plate_map["concentration_um"] = plate_map[dose]
    return plate_map.astype("str")
