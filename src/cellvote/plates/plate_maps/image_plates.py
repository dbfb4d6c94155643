"""Plates of images that a table tells: images without wells, named one by one beside the plate that each is of."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Final

import pandas as pd

from cellvote.plates.acquisition import Acquisition, plane_table
from cellvote.plates.plate_maps.columns import plain
from cellvote.plates.plate_maps.joining import join_plate_map
from cellvote.plates.plate_maps.reading import MapTable, read_maps

_NAME: Final = "image_name"
_CALLED: Final = frozenset({"imagename", "image", "imagefile", "file", "filename", "name", "crop", "path", "imagepath"})
_ENDINGS: Final = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".jp2")


def read_and_join(
    acquisition: Acquisition, given: Sequence[str | PathLike[str] | pd.DataFrame]
) -> tuple[Acquisition, pd.DataFrame, tuple[str, ...]]:
    """Read plate maps and join them to the images, which may be put on other plates by them.

    Returns
    -------
    acquisition
        On the plates that the maps name for images without wells; else as it was.
    table, problems
        As `cellvote.plates.plate_maps.joining.join_plate_map` gives them.

    Raises
    ------
    PlateMapError
        Where a map cannot be read or joined.
    """
    acquisition, maps, told = with_plates_of_images(acquisition, read_maps(given, acquisition.plates))
    table, problems = join_plate_map(acquisition, maps)
    return acquisition, table, (*told, *problems)


def with_plates_of_images(
    acquisition: Acquisition, maps: Sequence[MapTable]
) -> tuple[Acquisition, list[MapTable], tuple[str, ...]]:
    """Put images on the plates that a table names for them, where all of them were read as of one plate.

    The table has a column with the images' names (``image_name``, ``file``, …; with or without folder and ending) and a
    column ``plate``, and speaks of every image once. Images are numbered anew on each plate, in the order in which they
    stood. Where a table does not do that, it is joined as every other one.

    Returns
    -------
    acquisition
        With the plates of the table.
    maps
        The tables; names are written as the images are called.
    problems
        What was done, in a sentence; nothing where nothing was.
    """
    names = acquisition.plate_map
    if names is None or "field" not in names or _NAME not in names or (acquisition.wells["well"] != "").any():
        return acquisition, list(maps), ()
    if not names[_NAME].is_unique:
        return acquisition, list(maps), ()
    known, told = [], None
    for part in maps:
        column = None if part.has_wells else _name_column(part.table, names[_NAME])
        if column is None:
            known.append(part)
            continue
        table = part.table.assign(**{column: part.table[column].map(_stem)}).rename(columns={column: _NAME})
        if told is None and _tells_plates(table, names[_NAME]) and len(acquisition.plates) == 1:
            told = part.source
            acquisition = _on_plates(acquisition, names, dict(zip(table[_NAME], table["plate"], strict=True)))
        known.append(replace(part, table=table))
    if told is None:
        return acquisition, known, ()
    return acquisition, known, (f"The plates are those that {told} names for each image: {len(acquisition.plates)}.",)


def _name_column(table: pd.DataFrame, names: pd.Series) -> str | None:
    """Find the column that names the images: called so, and with most of its entries among them."""
    images = set(names)
    for column in map(str, table.columns):
        if plain(column) in _CALLED and table[column].map(_stem).isin(images).mean() > 0.5:
            return column
    return None


def _stem(entry: str) -> str:
    name = entry.replace("\\", "/").rpartition("/")[2]
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
    name = name[: len(name) - len(ending)]
    return name[:-4] if name.lower().endswith(".ome") else name


def _tells_plates(table: pd.DataFrame, names: pd.Series) -> bool:
    if "plate" not in table or not table[_NAME].is_unique:
        return False
    told = set(table.loc[table["plate"] != "", _NAME])
    return set(names) <= told


def _on_plates(acquisition: Acquisition, names: pd.DataFrame, plate_of: dict[str, str]) -> Acquisition:
    """Move every image to its plate, and number the images of each."""
    order = names.sort_values(["plate", "field"])
    plates = order[_NAME].map(plate_of)
    fields = plates.groupby(plates).cumcount() + 1
    at = {
        key: (plate, int(field))
        for key, plate, field in zip(zip(order["plate"], order["field"], strict=True), plates, fields, strict=True)
    }

    def moved(table: pd.DataFrame) -> pd.DataFrame:
        places = [at[key] for key in zip(table["plate"], table["field"], strict=True)]
        return table.assign(
            plate=pd.array([plate for plate, _ in places], dtype="str"), field=[field for _, field in places]
        ).astype({"field": "int32"})

    labels = acquisition.label_images
    positions = acquisition.positions
    return replace(
        acquisition,
        planes=plane_table(moved(acquisition.planes)),
        plate_map=moved(names).sort_values(["plate", "field"], ignore_index=True),
        label_images=None if labels is None else moved(labels),
        positions=None if positions is None else moved(positions),
    )
