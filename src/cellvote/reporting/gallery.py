"""Gallery: the cells that each class is surest and least sure of, to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from scipy import ndimage

from cellvote.plates.acquisition import FieldKey, field_keys, place_columns
from cellvote.reporting.colours import channel_colours, rgb
from cellvote.study import Study
from cellvote.study.crops import crops_are_current, cut_crops, open_crops, usual_crop_size_px
from cellvote.study.masks import LabelImage, read_label_image
from cellvote.voting.vote import PREFIX

MOST_FIELDS: Final = 24
"""So many fields are opened at most, where there are no crops yet."""

CERTAIN: Final = "most certain"
DOUBTFUL: Final = "most doubtful"
MISTAKEN: Final = "surest mistakes"

_OUTSIDE: Final = "#4a525b"
_SHOWN_PX: Final = 112

Crops = npt.NDArray[np.generic]


@dataclass(frozen=True)
class GalleryCell:
    """One cell to look at.

    Attributes
    ----------
    probability
        Of the class that it was given.
    said
        The class that it was given.
    png
        Its composite.
    """

    key: FieldKey
    label_id: int
    said: str
    probability: float
    truth: str
    png: bytes


@dataclass(frozen=True)
class GalleryRow:
    """The cells of one class and kind (`CERTAIN`, `DOUBTFUL`, `MISTAKEN`)."""

    class_name: str
    kind: str
    cells: tuple[GalleryCell, ...]


@dataclass(frozen=True)
class Gallery:
    """Rows of cells under one contrast.

    Attributes
    ----------
    channels
        Name and colour of each.
    limits
        (C, 2) black and white of each channel, shared by all cells.
    size_px
        Width of a crop.
    """

    rows: tuple[GalleryRow, ...]
    channels: tuple[tuple[str, str], ...]
    limits: tuple[tuple[float, float], ...]
    size_px: int


def choose_cells(
    predictions: pd.DataFrame, classes: Sequence[str], truth: pd.DataFrame, n: int, *, most_fields: int | None = None
) -> pd.DataFrame:
    """Choose the cells to look at; the same for the same predictions.

    Of each well at most so many are taken as it needs to fill a row, so that a row does not show one well only.

    Parameters
    ----------
    predictions
        One row per cell: ``plate``, ``well``, ``field``, ``label_id``, ``class`` and ``probability_NAME``.
    truth
        ``plate``, ``well``, ``truth`` of wells whose class is known: only these have mistakes; ``field`` too where
        images have no wells.
    n
        Cells of each class and kind.
    most_fields
        Choose them from no more fields than this. The classes share them alike, so that each shows the cells it is
        surest of; doubtful cells and mistakes are those of the same fields.

    Returns
    -------
    DataFrame
        Rows of ``predictions`` with their index, and ``class_name``, ``kind``, ``truth``.
    """
    chances = predictions[[f"{PREFIX}{c}" for c in classes]].to_numpy(float)
    ranked = np.sort(chances, axis=1)
    table = predictions[["plate", "well", "field", "label_id", "class"]].copy()
    table["top"], table["margin"] = ranked[:, -1], ranked[:, -1] - ranked[:, -2]
    keys = place_columns(truth)
    known = truth.set_index(keys)["truth"]
    table["truth"] = known.reindex(pd.MultiIndex.from_frame(table[keys])).fillna("").to_numpy()
    opened: set[FieldKey] = set()
    chosen = []
    for kind in (CERTAIN, DOUBTFUL, MISTAKEN):
        for number, name in enumerate(classes, start=1):
            ordered = _in_order(table, name, kind)
            most_new = None
            if most_fields is not None:
                most_new = most_fields * number // len(classes) - len(opened) if kind == CERTAIN else 0
            rows = _take(ordered, n, opened, most_new)
            chosen.append(table.loc[rows].assign(class_name=name, kind=kind))
    return pd.concat(chosen)


def _in_order(table: pd.DataFrame, name: str, kind: str) -> pd.DataFrame:
    if kind == MISTAKEN:
        own = table[(table["truth"] == name) & (table["class"] != name)]
    else:
        own = table[table["class"] == name]
    by, upwards = ("margin", True) if kind == DOUBTFUL else ("top", False)
    return own.sort_values(by, ascending=upwards, kind="stable")  # among equals the first in the table


def _take(ordered: pd.DataFrame, n: int, opened: set[FieldKey], most_new: int | None) -> list[int]:
    """Take the first cells of fields that are opened already, and of so many others."""
    may_open = len(opened) + (len(ordered) if most_new is None else most_new)
    if most_new == 0:
        places = pd.MultiIndex.from_frame(ordered[["plate", "well", "field"]])
        ordered = ordered[places.isin([tuple(key) for key in opened])]
    n_wells = len(ordered[["plate", "well"]].drop_duplicates())
    per_well = -(-n // max(min(n_wells, most_new or n_wells), 1))
    of_well: dict[tuple[str, str], int] = {}
    rows: list[int] = []
    for index, plate, well, number in zip(
        ordered.index, ordered["plate"], ordered["well"], ordered["field"], strict=True
    ):
        key = FieldKey(str(plate), str(well), int(number))
        full = len(opened) >= may_open and key not in opened
        if full or of_well.get((plate, well), 0) >= per_well:
            continue
        opened.add(key)
        of_well[plate, well] = of_well.get((plate, well), 0) + 1
        rows.append(int(index))
        if len(rows) == n:
            break
    return rows


def build_gallery(
    study: Study,
    predictions: pd.DataFrame,
    segmentation: str,
    classes: Sequence[str],
    truth: pd.DataFrame,
    *,
    size_px: int | None = None,
    n: int = 12,
) -> Gallery:
    """Cut the cells to look at out of the crops, or of the images where there are none.

    Parameters
    ----------
    predictions
        As from `jobs.predict.read_predictions`: a row for each row of the cells table.
    size_px
        Width of the crops; where not given, what there is, or what holds nine cells of ten.

    Raises
    ------
    ImageReadError
        Where there are no crops and an image cannot be read.
    StudyError
        Where the crops are damaged.
    """
    there = size_px if size_px is not None and crops_are_current(study, segmentation, size_px) else None
    there = there or _largest_crops(study, segmentation)
    if there is not None:
        chosen = choose_cells(predictions, classes, truth, n)
        pixels = np.asarray(open_crops(study, segmentation, there)[chosen.index.to_numpy()])
    else:
        chosen = choose_cells(predictions, classes, truth, n, most_fields=MOST_FIELDS)
        boxes = ["bbox_y_min", "bbox_x_min", "bbox_y_max", "bbox_x_max"]
        there = size_px or usual_crop_size_px(study.read_cells(segmentation, boxes))
        pixels = _cut(study, predictions.loc[chosen.index], there)
    colours = channel_colours(study.channels)
    limits = shared_limits(pixels)
    windows = _label_windows(study, segmentation, predictions.loc[chosen.index], there)
    cells = [
        _gallery_cell(row, draw_cell(composite(one, limits, colours), window, int(row["label_id"])))
        for (_, row), one, window in zip(chosen.iterrows(), pixels, windows, strict=True)
    ]
    return Gallery(
        _in_rows(cells, chosen, classes),
        tuple(zip(study.channels, colours, strict=True)),
        tuple((float(low), float(high)) for low, high in limits),
        there,
    )


def _gallery_cell(row: pd.Series, image: npt.NDArray[np.uint8]) -> GalleryCell:
    return GalleryCell(
        key=FieldKey(row["plate"], row["well"], int(row["field"])),
        label_id=int(row["label_id"]),
        said=row["class"],
        probability=float(row["top"]),
        truth=row["truth"],
        png=png_bytes(image),
    )


def _in_rows(cells: Sequence[GalleryCell], chosen: pd.DataFrame, classes: Sequence[str]) -> tuple[GalleryRow, ...]:
    rows = []
    for name in classes:
        for kind in (CERTAIN, DOUBTFUL, MISTAKEN):
            own = ((chosen["class_name"] == name) & (chosen["kind"] == kind)).to_numpy()
            if own.any():
                rows.append(GalleryRow(name, kind, tuple(cells[i] for i in np.flatnonzero(own).tolist())))
    return tuple(rows)


def _largest_crops(study: Study, segmentation: str) -> int | None:
    sizes = []
    for path in study.segmentation_folder(segmentation).glob("crops-*.npy"):
        text = path.stem.removeprefix("crops-")
        if text.isdecimal() and crops_are_current(study, segmentation, int(text)):
            sizes.append(int(text))
    return max(sizes, default=None)


def _cut(study: Study, cells: pd.DataFrame, size_px: int) -> Crops:
    """Cut cells out of their images, each field opened once: (N, C, H, W) in the order of the cells."""
    parts: dict[int, Crops] = {}
    for key in field_keys(cells):
        own = cells[(cells["plate"] == key.plate) & (cells["well"] == key.well) & (cells["field"] == key.field)]
        image = study.read_field(key)
        crops = cut_crops(image, own[["centroid_y", "centroid_x"]].to_numpy(float), size_px)
        parts |= dict(zip(own.index.tolist(), crops, strict=True))
    if not parts:
        return np.empty((0, len(study.channels), size_px, size_px), np.float32)
    return np.stack([parts[i] for i in cells.index])


def _label_windows(study: Study, segmentation: str, cells: pd.DataFrame, size_px: int) -> list[LabelImage | None]:
    """Cut the masks like the crops, −1 beyond the image; None where a field's masks are gone."""
    masks: dict[FieldKey, LabelImage | None] = {}
    found: list[LabelImage | None] = []
    for _, row in cells.iterrows():
        key = FieldKey(row["plate"], row["well"], int(row["field"]))
        if key not in masks:
            path = study.mask_path(segmentation, key)
            masks[key] = np.pad(read_label_image(path), size_px, constant_values=-1) if path.exists() else None
        mask = masks[key]
        y, x = (int(np.floor(row[f"centroid_{axis}"])) - size_px // 2 + size_px for axis in "yx")
        found.append(None if mask is None else mask[y : y + size_px, x : x + size_px])
    return found


def shared_limits(crops: Crops) -> npt.NDArray[np.float64]:
    """Find one black and one white for each channel over all cells: their 1st and 99.7th percentile; (C, 2)."""
    limits = []
    for c in range(crops.shape[1]):
        values = crops[:, c].astype(np.float64)
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [1.0, 99.7]) if values.size else (0.0, 1.0)
        limits.append((low, high if high > low else low + 1.0))
    return np.array(limits, float).reshape(-1, 2)


def composite(crop: Crops, limits: npt.NDArray[np.float64], colours: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Add up the channels of a crop, each in its colour.

    Parameters
    ----------
    crop
        CYX.
    limits
        (C, 2) black and white.

    Returns
    -------
    ndarray
        YXC, red, green and blue.
    """
    low, high = limits[:, 0, None, None], limits[:, 1, None, None]
    light = np.clip((np.nan_to_num(crop.astype(np.float64)) - low) / (high - low), 0, 1)
    mixed = np.einsum("cyx,ck->yxk", light, np.array([rgb(colour) for colour in colours]))
    return np.asarray(np.round(255 * np.clip(mixed, 0, 1)), np.uint8)


def draw_cell(image: npt.NDArray[np.uint8], window: LabelImage | None, label_id: int) -> npt.NDArray[np.uint8]:
    """Outline the cell that is meant, and grey out what lies beyond the image; small crops are enlarged.

    Parameters
    ----------
    image
        YXC, a composite.
    window
        YX, the label image under it, −1 beyond the image.
    """
    times = max(1, round(_SHOWN_PX / image.shape[0]))
    side = image.shape[0] * times
    large = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)).copy()
    if window is None:
        return large
    labels = np.kron(window, np.ones((times, times), window.dtype))
    large[labels < 0] = np.round(255 * rgb(_OUTSIDE))
    own = labels == label_id
    outline = ndimage.binary_dilation(own) & ~own & (labels >= 0)
    large[outline] = np.round(0.35 * large[outline] + 0.65 * 255)
    return large


def png_bytes(image: npt.NDArray[np.uint8]) -> bytes:
    """Write an image, YXC, as PNG."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
