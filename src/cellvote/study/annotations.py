"""Annotations: what a person said of cells, kept as places in the images, so that they survive re-segmentation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from cellvote.errors import CellVoteError, StudyError
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.study.atomic import read_table, write_table
from cellvote.study.lock import run_alone
from cellvote.study.masks import LabelImage, read_label_image
from cellvote.study.study import Study

COLUMNS: Final = {
    "plate": "str",
    "well": "str",
    "field": "int32",
    "y": "float64",
    "x": "float64",
    "class_name": "str",
    "author": "str",
    "time": "str",
}
"""Columns and dtypes of ``annotations.parquet``; ``y`` and ``x`` in pixels; the first pixel's centre is 0, 0."""

REACH_PX: Final = 5.0
"""A point beside a cell still means this cell, up to so many pixels away from it."""

_LOCK: Final = ".annotations.json"


@dataclass(frozen=True)
class Attached:
    """Annotations as cells of a segmentation.

    Attributes
    ----------
    cells
        One row per annotated cell: the columns of `COLUMNS`, ``label_id``, and ``distance_px`` (0 inside the cell).
    dropped
        The annotations that are no cell's: the columns of `COLUMNS`, and ``reason``.
    """

    cells: pd.DataFrame
    dropped: pd.DataFrame


def read_annotations(study: Study) -> pd.DataFrame:
    """Read all annotations of a study, in the order in which they were made: the columns of `COLUMNS`."""
    path = study.path / "annotations.parquet"
    table = read_table(path) if path.exists() else pd.DataFrame({name: [] for name in COLUMNS})
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise StudyError(f"{path}: has no column {', '.join(missing)}: it is damaged, or of another program.")
    return table[list(COLUMNS)].astype(COLUMNS)


def write_annotations(study: Study, table: pd.DataFrame) -> None:
    """Replace all annotations of a study.

    Parameters
    ----------
    table
        The columns of `COLUMNS`.

    Raises
    ------
    StudyError
        Where one is of a field that was not imaged, or is no place in an image.
    """
    checked = table[list(COLUMNS)].astype(COLUMNS)
    strange = sorted(set(_keys(checked)) - set(study.fields))
    if strange:
        raise StudyError(f"{strange[0]}: was not imaged: it cannot be annotated.")
    if not np.isfinite(checked[["y", "x"]].to_numpy()).all():
        raise StudyError(f"{study.path}: an annotation has no place in its image. Leave it out.")
    write_table(study.path / "annotations.parquet", checked)


def add_annotations(
    study: Study, key: FieldKey, points_yx: npt.ArrayLike, class_names: str | Iterable[str], author: str = ""
) -> pd.DataFrame:
    """Add annotations to a field, after those that are there.

    Parameters
    ----------
    points_yx
        N×2, in pixels.
    class_names
        One for all, or one for each.

    Returns
    -------
    DataFrame
        All annotations of the study.
    """
    points = np.asarray(points_yx, float).reshape(-1, 2)
    names = [class_names] * len(points) if isinstance(class_names, str) else list(class_names)
    if len(names) != len(points):
        raise StudyError(f"{key}: {len(points)} places and {len(names)} class names do not go together.")
    place = dict(zip(FIELD, key, strict=True))
    said = {"author": author, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    rows = [
        {**place, "y": y, "x": x, "class_name": name, **said}
        for (y, x), name in zip(points.tolist(), names, strict=True)
    ]
    with run_alone(study.path, "saving annotations", _LOCK):
        table = read_annotations(study)
        if rows:
            table = pd.concat([table, pd.DataFrame(rows).astype(COLUMNS)], ignore_index=True)
            write_annotations(study, table)
    return table


def attach_annotations(study: Study, segmentation: str, reach_px: float = REACH_PX) -> Attached:
    """Find the cell of each annotation in the masks that the study has now.

    It is the cell that contains the point, else the nearest one within reach. Where several annotations say something
    of one cell, the last one counts.
    """
    table = read_annotations(study)
    cells: list[pd.DataFrame] = []
    dropped: list[pd.DataFrame] = []
    for key, rows in _by_field(table):
        try:
            masks = read_label_image(study.mask_path(segmentation, key))
        except CellVoteError as error:
            dropped.append(rows.assign(reason=str(error)))
            continue
        found = _attach(rows, masks, reach_px)
        cells.append(found.cells)
        dropped.append(found.dropped)
    return Attached(
        _joined(cells, table.assign(label_id=np.int32(0), distance_px=0.0)), _joined(dropped, table.assign(reason=""))
    )


def cells_at(label_image: LabelImage, points_yx: npt.ArrayLike, reach_px: float = REACH_PX) -> pd.DataFrame:
    """Find the cell at each point: the one that contains it, else the nearest within reach.

    Parameters
    ----------
    label_image
        YX.
    points_yx
        N×2, in pixels.

    Returns
    -------
    DataFrame
        One row per point: ``label_id`` (0 for none), ``distance_px``, and ``inside`` (whether it lies in the image).
    """
    points = np.asarray(points_yx, float).reshape(-1, 2)
    rounded = np.floor(points + 0.5)  # pixel 3 reaches from 2.5 to 3.5
    inside = ((rounded >= 0) & (rounded < label_image.shape)).all(axis=1)
    at = np.clip(rounded, 0, np.array(label_image.shape) - 1).astype(np.intp)
    ids = label_image[at[:, 0], at[:, 1]].astype(np.int32)
    distances = np.zeros(len(points))
    beside = inside & (ids == 0)
    if beside.any() and label_image.any():
        away, nearest = ndimage.distance_transform_edt(label_image == 0, return_indices=True)
        ys, xs = at[beside].T
        distances[beside] = away[ys, xs]
        ids[beside] = np.where(away[ys, xs] <= reach_px, label_image[tuple(nearest[:, ys, xs])], 0)
    ids[~inside] = 0
    return pd.DataFrame({"label_id": ids, "distance_px": distances, "inside": inside})


def _attach(rows: pd.DataFrame, masks: LabelImage, reach_px: float) -> Attached:
    """Attach the annotations of one field, which are in the order in which they were made."""
    found = cells_at(masks, rows[["y", "x"]], reach_px).set_index(rows.index)
    told = rows.assign(label_id=found["label_id"], distance_px=found["distance_px"])
    lost = told["label_id"] == 0
    overruled = told.duplicated("label_id", keep="last") & ~lost
    last = told[~lost].drop_duplicates("label_id", keep="last").set_index("label_id")["class_name"]
    reasons = pd.Series("", index=rows.index, dtype="str")
    reasons[lost] = f"no cell within {reach_px:g} px"
    reasons[~found["inside"]] = "outside of the image"
    for row in rows.index[overruled]:
        reasons.loc[row] = f"the same cell was called {last[told.loc[row, 'label_id']]!r} later"
    return Attached(told[~lost & ~overruled], rows.assign(reason=reasons)[lost | overruled])


def _keys(table: pd.DataFrame) -> list[FieldKey]:
    unique = table[FIELD].drop_duplicates()
    return [FieldKey(str(p), str(w), int(f)) for p, w, f in unique.itertuples(index=False, name=None)]


def _by_field(table: pd.DataFrame) -> Iterable[tuple[FieldKey, pd.DataFrame]]:
    for key in sorted(_keys(table)):
        here = (table["plate"] == key.plate) & (table["well"] == key.well) & (table["field"] == key.field)
        yield key, table[here]


def _joined(parts: list[pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    there = [part for part in parts if len(part)]
    return pd.concat(there, ignore_index=True) if there else empty.iloc[:0].reset_index(drop=True)
