"""The prediction overlay: every cell coloured by its class through a look-up table; no window here.

napari repeats a cyclic colormap of K colours over the label values, so a cell whose value is
``rank × K + class number`` takes the colour of its class, while every cell keeps a value of its own. One
look-up ``lut[label image]`` recolours a field, and the layer's features find each cell by its value: the
status bar shows class and probabilities without one colour per cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.gui.colours import class_colours, rgb
from cellvote.study.masks import LabelImage
from cellvote.voting.vote import PREFIX

LabelValues = npt.NDArray[np.integer[Any]]
"""uint16, or int32 where that many values do not fit."""


@dataclass(frozen=True)
class Overlay:
    """What a Labels layer needs to show the classes of the cells of a field.

    Attributes
    ----------
    values
        YX: 0 where no cell was predicted; ``(values - 1) % K`` is the class, counted from 0.
    features
        One row per cell: ``index`` (its value), ``cell`` (its label id), ``class`` and ``p(NAME)`` of each class.
    classes
        The K class names.
    """

    values: LabelValues
    features: pd.DataFrame
    classes: tuple[str, ...]


def make_overlay(label_image: LabelImage, cells: pd.DataFrame, classes: Sequence[str]) -> Overlay:
    """Colour the cells of a label image by their predicted class.

    Parameters
    ----------
    label_image
        YX, the masks that the predictions were made on.
    cells
        The predictions of this field: ``label_id``, ``class`` and ``probability_NAME`` of each class.
    """
    codes = pd.Index(classes).get_indexer(pd.Index(cells["class"]))
    known = cells[codes >= 0]
    values = overlay_values(codes[codes >= 0], len(classes))
    label_ids = known["label_id"].to_numpy(np.int64)
    lut = look_up_table(label_ids, values, int(label_image.max(initial=0)))
    features = cell_features(known, classes)
    features.insert(0, "index", values)
    return Overlay(lut[label_image], features, tuple(classes))


def overlay_values(codes: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.int64]:
    """Number the cells so that each value is its own and tells the class: ``(value - 1) % n_classes``.

    Counting within each class keeps the values small: with two bytes a pixel, napari hands them to the
    graphics card as they are.

    Parameters
    ----------
    codes
        The class of each cell, counted from 0.
    """
    rank = pd.Series(codes).groupby(codes).cumcount().to_numpy(np.int64)
    return (rank * n_classes + codes + 1).astype(np.int64)


def look_up_table(
    label_ids: npt.NDArray[np.int64], values: npt.NDArray[np.int64], largest_label_id: int
) -> LabelValues:
    """Make the table from label id to overlay value; 0 for every label id without one."""
    fits = int(values.max(initial=0)) < 2**16
    lut: LabelValues = np.zeros(
        max(largest_label_id, int(label_ids.max(initial=0))) + 1, np.uint16 if fits else np.int32
    )
    lut[label_ids] = values
    return lut


def cell_features(cells: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """What the status bar says of a cell: ``cell`` (label id), ``class``, and ``p(NAME)`` of each class."""
    columns = {"cell": cells["label_id"].to_numpy(np.int64), "class": cells["class"].to_numpy(object)}
    columns |= {f"p({name})": cells[f"{PREFIX}{name}"].to_numpy(float) for name in classes}
    return pd.DataFrame(columns)


def overlay_colours(n_classes: int) -> npt.NDArray[np.float64]:
    """Give the RGBA rows of the cyclic colormap: nothing for the background, then each class."""
    rows = [np.append(rgb(colour), 1.0) for colour in class_colours(n_classes)]
    return np.stack([np.zeros(4), *rows])
