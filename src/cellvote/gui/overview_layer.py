"""The layers of the overview: a multiscale image per channel, the wells over it, the names of rows and columns."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Image, Labels, Points
from napari.utils.colormaps import CyclicLabelColormap

from cellvote.gui.colours import rgb
from cellvote.gui.facts import PlateFacts
from cellvote.gui.layer_data import MARK
from cellvote.gui.state import ContrastLimits
from cellvote.plates.wells import row_letters
from cellvote.study import Study
from cellvote.study.overview import Overview

WELLS_ROLE: Final = "overview-wells"
NAMES_ROLE: Final = "overview-names"

CLEAR, PENDING, MISSING, FAILED, SHOWN = range(5)
"""How a pixel of the wells' layer looks: not at all where a well's picture is to be seen."""

_KINDS: Final = (
    (*rgb("#000000"), 0.0),
    (*rgb("#2b3038"), 1.0),
    (*rgb("#7b838f"), 0.55),
    (*rgb("#ff6b5e"), 0.9),
    (*rgb("#ffffff"), 1.0),
)
_ALL_WELLS_PX: Final = 768
_FINE_PX: Final = 24
_WELL_PX_RANGE: Final = (12, 160)
_STATES: Final = ("imaged", "not read yet", "not imaged", "cannot be read", "imaged")
_NAME_COLOUR: Final = "#c9ced6"


@dataclass(frozen=True)
class Frame:
    """Where the overview lies in the viewer: within the place of the field, so that resetting the view fits both.

    Attributes
    ----------
    scale
        Of one pixel of the overview.
    offset
        Of its first pixel, downwards and to the right: the names of rows and columns stand before it.
    """

    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def within(cls, overview: Overview, field_shape: tuple[int, int]) -> "Frame":
        """Fit an overview, and the names beside it, into the place of a field."""
        margin = 2 * _name_distance(overview) if overview.plan.on_plate else 0.0
        sizes = overview.levels[0].shape[1:]
        scale = min(room / (size + margin) for room, size in zip(field_shape, sizes, strict=True))
        return cls(scale, margin * scale)

    def place(self, y: float, x: float) -> tuple[float, float]:
        """Find the pixel of the overview at a place in the viewer."""
        return (y - self.offset) / self.scale, (x - self.offset) / self.scale

    def options(self, step: float = 1.0) -> dict[str, Any]:
        """Say where a layer lies of which one pixel is ``step`` pixels of the overview."""
        return {"scale": (self.scale * step,) * 2, "translate": (self.offset + self.scale * (step - 1) / 2,) * 2}


def overview_role(channel: str) -> str:
    """Name the role of a channel's layer in the overview."""
    return f"overview:{channel}"


def is_of_overview(mark: dict[str, Any]) -> bool:
    """Whether a layer with this mark belongs to the overview."""
    return str(mark.get("role", "")).startswith("overview")


def _mark(role: str, study: Study, plate: str) -> dict[str, Any]:
    return {MARK: {"role": role, "study": str(study.path), "plate": plate}}


def channel_levels(overview: Overview, channel: int) -> list[npt.NDArray[Any]]:
    """Give the pyramid of one channel, mapped from the disk."""
    return [level[channel] for level in overview.levels]


def channel_layer(
    study: Study, overview: Overview, frame: Frame, channel: int, colormap: Any, limits: ContrastLimits
) -> Image:
    """Make the layer of one channel of the plate."""
    name = study.channels[channel]
    return Image(
        channel_levels(overview, channel),
        multiscale=True,
        name=f"{name} · plate",
        blending="additive",
        colormap=colormap,
        contrast_limits=limits,
        metadata=_mark(overview_role(name), study, overview.plan.plate),
        **frame.options(),
    )


def wells_layer(study: Study, overview: Overview, frame: Frame, facts: PlateFacts | None, shown: str) -> Labels:
    """Make the layer that tells wells apart: what is missing, failed or not read yet; features name each well."""
    layer = Labels(
        wells_image(overview, shown),
        name="Wells",
        **frame.options(overview.info.pitch_px / _well_px(overview)),
        opacity=1.0,
        blending="translucent",
        colormap=CyclicLabelColormap(colors=np.array([_KINDS[CLEAR], *_KINDS]), name="wells"),
        features=wells_features(overview, facts),
        metadata=_mark(WELLS_ROLE, study, overview.plan.plate),
    )
    layer.editable = False
    return layer


def _well_px(overview: Overview) -> int:
    """How finely a well is drawn: lines shall be thin where wells are large."""
    return min(max(_ALL_WELLS_PX // max(overview.plan.shape), _WELL_PX_RANGE[0]), _WELL_PX_RANGE[1])


def wells_image(overview: Overview, shown: str) -> npt.NDArray[np.int32]:
    """Draw the wells: every pixel of a well has a value of its own, ``number × 5 + kind + 1``.

    Returns
    -------
    ndarray
        YX int32, the same number of pixels for every well.
    """
    (rows, columns), size, done = overview.plan.shape, _well_px(overview), overview.done
    pictures = {kind: _picture(kind, size) for kind in (CLEAR, PENDING, MISSING, FAILED)}
    kinds = np.tile(pictures[MISSING], (rows, columns)).reshape(rows, size, columns, size)
    for tile in overview.plan.tiles.values():
        record = done.get(tile.name)
        kind = PENDING if record is None else FAILED if record.error else CLEAR
        kinds[tile.row, :, tile.column, :] = pictures[kind]
        if tile.name == shown:
            kinds[tile.row, :, tile.column, :][_frame(size)] = SHOWN
    numbers = np.arange(rows * columns).reshape(rows, 1, columns, 1)
    return (numbers * len(_KINDS) + kinds + 1).reshape(rows * size, columns * size).astype(np.int32)


def _frame(size: int) -> npt.NDArray[np.bool_]:
    width = 2 if size < _FINE_PX else 3  # about two pixels of a screen, whatever the number of wells
    frame = np.ones((size, size), bool)
    frame[width:-width, width:-width] = False
    return frame


@lru_cache(maxsize=32)
def _picture(kind: int, size: int) -> npt.NDArray[np.int64]:
    """Draw one well: filled while it waits, crossed out where it failed, a dotted outline where it is missing."""
    y, x = np.indices((size, size))
    far = np.minimum(np.minimum(y, x), size - 1 - np.maximum(y, x))  # from the edge
    inside, thick = far >= max(1, size // 12), int(size >= _FINE_PX)
    if kind == PENDING:
        drawn = inside
    elif kind == FAILED:
        drawn = inside & ((np.abs(y - x) <= thick) | (np.abs(y + x - size + 1) <= thick))
    elif kind == MISSING:
        dash = max(1, size // 16)
        drawn = inside & (far <= max(1, size // 12) + thick) & ((y + x) // dash % 2 == 0)
    else:
        drawn = np.zeros((size, size), bool)
    return np.where(drawn, kind, CLEAR)


def wells_features(overview: Overview, facts: PlateFacts | None) -> pd.DataFrame:
    """Say of each value of `wells_image` which well it is, and what was done to it."""
    rows, columns = overview.plan.shape
    names = _names(overview)
    known = facts.wells if facts is not None else {}
    texts = [known.get((overview.plan.plate, name), {}) for name in names]
    table = pd.DataFrame({"well" if overview.plan.on_plate else "image": names})
    for column in dict.fromkeys(column for text in texts for column in text):
        table[column] = [text.get(column, "") for text in texts]
    every = table.loc[table.index.repeat(len(_KINDS))].reset_index(drop=True)
    every["state"] = np.tile(_states(), rows * columns)
    done, tiled = overview.done, overview.plan.tiles
    here = np.repeat([name in tiled for name in names], len(_KINDS))
    failed = {name: record.error for name, record in done.items() if record.error}
    every.loc[~here, "state"] = _STATES[MISSING]
    waiting = np.repeat([name in tiled and name not in done for name in names], len(_KINDS))
    every.loc[waiting, "state"] = _STATES[PENDING]
    for name, error in failed.items():
        number = names.index(name) * len(_KINDS)
        every.loc[number : number + len(_KINDS) - 1, "state"] = error
    every.insert(0, "index", np.arange(len(every)) + 1)
    return every


def _states() -> npt.NDArray[Any]:
    return np.full(len(_KINDS), _STATES[CLEAR], object)


def _names(overview: Overview) -> list[str]:
    """Name every place of the overview, row by row."""
    rows, columns = overview.plan.shape
    by_place = {(tile.row, tile.column): tile.name for tile in overview.plan.tiles.values()}
    top, left = overview.plan.first
    names = []
    for row in range(rows):
        for column in range(columns):
            empty = f"{row_letters(row + top)}{column + left:02d}" if overview.plan.on_plate else ""
            names.append(by_place.get((row, column), empty))
    return names


def _name_distance(overview: Overview) -> float:
    """How far before the wells their names stand: near them, whether wells are many or few."""
    return min(0.35 * overview.info.pitch_px, 0.025 * max(overview.levels[0].shape[1:]))


def names_layer(study: Study, overview: Overview, frame: Frame) -> Points:
    """Write letters beside the rows and numbers above the columns."""
    (rows, columns), (top, left), pitch = overview.plan.shape, overview.plan.first, overview.info.pitch_px
    before = -_name_distance(overview)
    places = [((row + 0.5) * pitch, before) for row in range(rows)]
    places += [(before, (column + 0.5) * pitch) for column in range(columns)]
    names = [row_letters(row + top) for row in range(rows)] + [str(column + left) for column in range(columns)]
    layer = Points(
        np.array(places),
        name="Rows and columns",
        size=1,
        face_color="transparent",
        border_color="transparent",
        features={"name": names},
        text={"string": "{name}", "size": 9, "color": _NAME_COLOUR, "anchor": "center"},
        metadata=_mark(NAMES_ROLE, study, overview.plan.plate),
        **frame.options(),
    )
    layer.editable = False
    return layer
