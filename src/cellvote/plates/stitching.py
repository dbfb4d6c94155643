"""Stitching: the fields of a well on one canvas, by their stage positions, or in a grid where there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels

_FARTHEST: Final = 100
"""Fields of a well that lie further apart than so many times their size have misread positions."""

_APART: Final = 0.2
"""Nor do microscopes image the same place twice: fields nearer than this share of their size are misread, too."""

_GRID_GAP: Final = 0.02

Origins = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placement:
    """Where the fields of a well lie on its canvas.

    Attributes
    ----------
    origins
        Fields × (y, x): the first pixel of each field.
    shape
        Height and width of the canvas in pixels.
    by_stage
        Whether the stage positions say so; else they stand in a grid.
    note
        Why positions were not taken; empty where they were, or where there are none.
    """

    origins: Origins
    shape: tuple[int, int]
    by_stage: bool
    note: str = ""


def place_fields(
    keys: Sequence[FieldKey],
    field_shape: tuple[int, int],
    positions: Mapping[FieldKey, tuple[float, float]],
    pixel_size_um: float | None,
) -> Placement:
    """Place the fields of one well.

    Parameters
    ----------
    keys
        The fields, in order.
    field_shape
        Height and width of each in pixels.
    positions
        Centres of fields (x, y) in micrometres, y growing downwards; of some fields, or of none.
    pixel_size_um
        Without it positions tell nothing.
    """
    known = [positions[key] for key in keys if key in positions]
    if len(keys) < 2 or not known:
        return _grid(len(keys), field_shape)
    if len(known) < len(keys):
        return _grid(len(keys), field_shape, "some fields have no stage position")
    if pixel_size_um is None:
        return _grid(len(keys), field_shape, "the pixel size is not known, so stage positions tell nothing")
    x_y = np.array(known, np.float64)
    centres = x_y[:, ::-1] / pixel_size_um
    if not np.isfinite(centres).all():
        return _grid(len(keys), field_shape, "some fields have no stage position")
    extent = np.ptp(centres, axis=0)
    if (extent > _FARTHEST * np.array(field_shape)).any():
        return _grid(len(keys), field_shape, "the stage positions lie too far apart to be true")
    if _coincide(centres, field_shape):
        return _grid(len(keys), field_shape, "several fields have the same stage position")
    origins = np.rint(centres - centres.min(axis=0)).astype(np.int64)
    height, width = (origins.max(axis=0) + field_shape).tolist()
    return Placement(origins, (height, width), by_stage=True)


def _coincide(centres: npt.NDArray[np.float64], field_shape: tuple[int, int]) -> bool:
    scaled = centres / field_shape
    apart = np.abs(scaled[:, None] - scaled[None]).max(axis=2)
    np.fill_diagonal(apart, np.inf)
    return bool(apart.min() < _APART)


def _grid(n: int, field_shape: tuple[int, int], note: str = "") -> Placement:
    """Place fields in a near-square grid, row by row, a thin gap between them."""
    columns = grid_columns(n)
    pitch = np.array([size + max(1, round(_GRID_GAP * size)) for size in field_shape])
    rows_columns = np.array([divmod(i, columns) for i in range(n)])
    origins = rows_columns * pitch
    height, width = (origins.max(axis=0) + field_shape).tolist()
    return Placement(origins, (height, width), by_stage=False, note=note)


def grid_columns(n: int) -> int:
    """Give the number of columns of a near-square grid of ``n``."""
    return isqrt(max(n - 1, 0)) + 1 if n else 1


def stitch(images: Sequence[Pixels | None], placement: Placement, step: int = 1) -> Pixels:
    """Lay the images of fields on one canvas; later ones cover earlier ones, and what none covers is 0.

    Parameters
    ----------
    images
        YX of each field, reduced by ``step`` already; None leaves a gap.
    placement
        In pixels that are not reduced.
    step
        How many pixels became one.
    """
    there = [image for image in images if image is not None]
    shape = [ceil(size / step) for size in placement.shape]
    canvas = np.zeros(shape, np.result_type(*there) if there else np.uint8)
    for image, (y, x) in zip(images, placement.origins // step, strict=True):
        if image is not None:
            part = canvas[y : y + image.shape[0], x : x + image.shape[1]]
            part[:] = image[: part.shape[0], : part.shape[1]]
    return canvas


def reduced(image: Pixels, step: int) -> Pixels:
    """Shrink YX to the means of blocks of ``step`` × ``step`` pixels, the last ones of what is left.

    Sums of strided slices: several times as fast as reshaping and taking the mean.
    """
    if step <= 1:
        return image
    height, width = (max(size // step, 1) * step for size in image.shape)
    if height > image.shape[0] or width > image.shape[1]:
        return image[::step, ::step]
    small = np.issubdtype(image.dtype, np.unsignedinteger) and image.dtype.itemsize <= 2 and step < 256
    wide = np.uint32 if small else np.float64
    rows: npt.NDArray[Any] = image[0:height:step, :width].astype(wide)
    for i in range(1, step):
        rows += image[i:height:step, :width]
    blocks = rows[:, 0::step].copy()
    for i in range(1, step):
        blocks += rows[:, i::step]
    mean = blocks // (step * step) if small else blocks / (step * step)
    return np.asarray(mean.astype(image.dtype))
