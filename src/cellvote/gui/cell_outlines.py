"""How cells are drawn that are not (yet) the study's: outlines or filled, in colours that compare; no window here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from cellvote.gui.overlay import overlay_values
from cellvote.palette import rgb
from cellvote.segmentation.agreement import Agreement, match_label_images
from cellvote.study.masks import LabelImage

Drawing = Literal["outlines", "filled"]
Colours = npt.NDArray[np.float64]

HERE_COLOUR: Final = "#4fd0ff"
"""Of the preview."""

THERE_COLOUR: Final = "#ffab2e"
"""Of the segmentation that it is compared with."""

_FAINT: Final = 0.45
_PX_PER_WIDTH: Final = 600
"""So many pixels of the image for each pixel that an outline is wide: a large field is seen small."""


@dataclass(frozen=True)
class DrawnCells:
    """What a Labels layer shows.

    Attributes
    ----------
    values
        YX, 0 for nothing.
    colours
        RGBA rows of a cyclic colormap: the background, then one for each kind of cell; None for one colour a cell.
    """

    values: npt.NDArray[np.integer[Any]]
    colours: Colours | None = None


@dataclass(frozen=True)
class Comparison:
    """The cells of a field beside those of another segmentation.

    Attributes
    ----------
    here, there
        As they are drawn; ``there`` is None where nothing is compared.
    agreement
        The cells of both, matched; None where nothing is compared.
    problem
        Why nothing can be compared.
    """

    here: DrawnCells
    there: DrawnCells | None = None
    agreement: Agreement | None = None
    problem: str = ""


def read_preview(path: Path) -> LabelImage:
    """Read the label image that the preview process has written."""
    return np.asarray(np.load(path, allow_pickle=False), np.int32)


def draw_cells(masks: LabelImage, drawing: Drawing) -> DrawnCells:
    """Draw cells by themselves: outlines in one colour, or filled in many."""
    if drawing == "filled":
        return DrawnCells(_small(masks))
    return DrawnCells(_small(outlines(masks, outline_px(masks))), _colours(HERE_COLOUR))


def compare_cells(masks: LabelImage, others: LabelImage | None, drawing: Drawing, problem: str = "") -> Comparison:
    """Draw cells, and those of another segmentation as outlines; cells without a partner stand out.

    Parameters
    ----------
    others
        YX, the other segmentation of the field; None where there is none, for the reason in ``problem``.
    """
    if others is None:
        return Comparison(draw_cells(masks, drawing), problem=problem)
    agreement = match_label_images(masks, others)
    here = _by_partner(masks, agreement.matched[:, 0], agreement.only_first)
    there = _by_partner(others, agreement.matched[:, 1], agreement.only_second)
    if drawing == "outlines":
        here = np.where(outlines(masks, outline_px(masks)) > 0, here, 0)
    there = np.where(outlines(others, outline_px(others)) > 0, there, 0)
    return Comparison(
        DrawnCells(_small(here), _colours(HERE_COLOUR, faint=True)),
        DrawnCells(_small(there), _colours(THERE_COLOUR, faint=True)),
        agreement,
    )


def outline_px(masks: LabelImage) -> int:
    """How wide an outline is drawn."""
    return max(1, round(max(masks.shape) / _PX_PER_WIDTH))


def outlines(masks: LabelImage, width_px: int) -> LabelImage:
    """Keep of each cell the pixels at its edge, inside it; where cells touch, each has its own edge.

    Parameters
    ----------
    masks
        YX.
    """
    inner = masks
    for _ in range(width_px):
        edge = np.zeros(masks.shape, bool)
        for axis in (0, 1):
            one, other = (slice(1, None), slice(None, -1)) if axis == 0 else (np.s_[:, 1:], np.s_[:, :-1])
            differs = inner[one] != inner[other]
            edge[one] |= differs
            edge[other] |= differs
        inner = np.where(edge, 0, inner)
    return np.where(inner > 0, 0, masks)


def _by_partner(masks: LabelImage, matched: npt.NDArray[np.int64], only: npt.NDArray[np.int64]) -> LabelImage:
    """Number cells so that the colormap knows which have a partner: `overlay_values` of two classes."""
    ids = np.concatenate([matched, only])
    codes = np.repeat([0, 1], [len(matched), len(only)])
    lut = np.zeros(int(masks.max(initial=0)) + 1, np.int32)
    lut[ids] = overlay_values(codes, 2)
    return np.asarray(lut[masks], np.int32)


def _colours(colour: str, *, faint: bool = False) -> Colours:
    strong = np.append(rgb(colour), 1.0)
    rows = [np.append(rgb(colour), _FAINT), strong] if faint else [strong]
    return np.stack([np.zeros(4), *rows])


def _small(values: LabelImage) -> npt.NDArray[np.integer[Any]]:
    return values.astype(np.uint16) if values.max(initial=0) < 2**16 else values
