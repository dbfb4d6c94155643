"""Harmony's plate map: ``Assaylayout/*.xml``, a layer for each thing that was done to the wells."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.index_rows import read_wells
from cellvote.plates.layouts.vendor_xml import Record, read_records

_FOLDER = "assaylayout"


def find_assay_layouts(folder: Folder, home: str) -> list[Path]:
    """Find the layouts of a measurement: in its folder, or beside the ``Images`` that were given."""
    inside = [
        folder.path / path
        for path in folder.companions
        if path.casefold().endswith(".xml") and PurePosixPath(path).parent.name.casefold() == _FOLDER
        if str(PurePosixPath(path).parent.parent) == home
    ]
    if inside or home != "." or folder.path.name.casefold() != "images":
        return inside
    beside = [one for one in folder.path.parent.iterdir() if one.name.casefold() == _FOLDER and one.is_dir()]
    return sorted(path for one in beside for path in one.glob("*.xml"))


def read_assay_layout(path: Path) -> pd.DataFrame | None:
    """Read what was done to each well.

    Returns
    -------
    DataFrame or None
        ``well``, then a text column for each layer, named as it is; wells of which nothing is said are left out.

    Raises
    ------
    LayoutError
        Where the file is damaged or hostile, or names a well that no plate has.
    """
    layers: dict[str, list[Record]] = {}
    names: list[str] = []

    def hear(tag: str, record: Record) -> None:
        if tag == "Name":
            names.append(record.get("", "") or f"Layer {len(names) + 1}")
            layers.setdefault(names[-1], [])
        elif names and record.get("Value"):
            layers[names[-1]].append(record)

    read_records(path, {"Name", "Well"}, {"Row", "Col", "Value"}, hear)
    columns = [_column(layers[name], str(path)).rename(name) for name in layers]
    if not any(len(column) for column in columns):
        return None
    table = pd.concat(columns, axis=1).fillna("").astype("str")
    return table.sort_index().rename_axis("well").reset_index()


def _column(wells: Sequence[Record], where: str) -> pd.Series:
    names = read_wells([one.get("Row", "") for one in wells], [one.get("Col", "") for one in wells], where)
    return pd.Series(dict(zip(names, [one["Value"] for one in wells], strict=True)), dtype="str")


def plate_map_of(folder: Folder, home: str, plate: str) -> pd.DataFrame | None:
    """Put the layouts of one plate together; the first one that names a layer is taken."""
    found = [table for path in find_assay_layouts(folder, home) if (table := read_assay_layout(path)) is not None]
    if not found:
        return None
    joined = found[0]
    for table in found[1:]:
        new = [name for name in table.columns if name not in joined.columns]
        joined = joined.merge(table[["well", *new]], on="well", how="outer").fillna("")
    joined.insert(0, "plate", plate)
    return joined.astype("str")
