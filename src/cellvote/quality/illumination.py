"""Illumination functions: how much brighter each place of an image is than the whole, from all fields of a plate."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage

from cellvote.errors import StudyError
from cellvote.plates.pixels import Pixels

GRID_SIZE: Final = 64
"""Fields are averaged to a grid of about so many places on the shorter side: illumination is smooth."""

FEW_FIELDS: Final = 8
"""A function of fewer fields holds too much of their cells, and a person is told."""

_ROBUST_MINIMUM_PERCENT: Final = 2.0
_DARKEST: Final = 0.02

Grid = npt.NDArray[np.float32]


class IlluminationSettings(BaseModel, frozen=True, extra="forbid"):
    """How illumination functions are made; the command line, recipes and the saved file are made from this."""

    statistic: Literal["mean", "median"] = Field(
        "mean",
        title="Of the fields",
        description="mean: what all fields together show, cells and background; median: mostly the background, for "
        "plates where bright things are rare",
    )
    smoothing_percent: float = Field(
        10.0,
        ge=1,
        le=50,
        title="Smoothing (% of the shorter side)",
        description="Standard deviation of the Gaussian that takes cells out of the function",
    )
    offset: float = Field(
        0.0,
        ge=0,
        le=1e6,
        title="Offset (grey values)",
        description="What the camera writes without light: shading does not change it. It is taken off before the "
        "function is made, and before and after pixels are divided by it",
    )
    rescale: Literal["mean", "minimum"] = Field(
        "mean",
        title="Rescale",
        description="mean: brightness stays on average; minimum: the darkest place stays as it is, others are dimmed",
    )
    most_fields: int = Field(
        400, ge=1, le=100_000, title="Most fields", description="Of each plate, spread evenly over it"
    )


def average_to_grid(image_cyx: Pixels) -> Grid:
    """Average each channel of a field over squares, to about `GRID_SIZE` of them on the shorter side.

    Returns
    -------
    ndarray
        CYX float32; the last rows and columns that fill no square are left out.
    """
    size = square_px(image_cyx.shape[-2:])
    n_rows, n_columns = (n // size for n in image_cyx.shape[-2:])
    part = image_cyx[:, : n_rows * size, : n_columns * size]
    squares = part.reshape(len(part), n_rows, size, n_columns, size)
    return np.asarray(squares.mean(axis=(2, 4), dtype=np.float64), np.float32)


def square_px(shape: Sequence[int]) -> int:
    """Say how wide the squares are that an image of this shape is averaged over."""
    return max(1, min(shape) // GRID_SIZE)


def illumination_function(
    grids: Grid, shape: tuple[int, int], settings: IlluminationSettings
) -> npt.NDArray[np.float32]:
    """Make the illumination function of one channel of a plate.

    Parameters
    ----------
    grids
        NYX float32: the channel in each field, from `average_to_grid`.
    shape
        Of the images.

    Returns
    -------
    ndarray
        YX float32, above zero: pixels are divided by it.

    Raises
    ------
    StudyError
        Where the offset lies above what the fields show.

    Notes
    -----
    As CellProfiler's CorrectIlluminationCalculate over all images (Singh et al. 2014, J. Microsc. 256, 231): mean or
    median of the fields, smoothed, rescaled.
    """
    over_fields = np.mean if settings.statistic == "mean" else np.median
    light = np.asarray(over_fields(grids, axis=0), float) - settings.offset
    sigma = settings.smoothing_percent / 100 * min(light.shape)
    smooth = ndimage.gaussian_filter(light, sigma, mode="nearest")
    if (smooth == 0).all():
        return np.ones(shape, np.float32)  # black images: there is nothing to correct
    if smooth.min() <= _DARKEST * smooth.mean():
        raise StudyError(
            f"an offset of {settings.offset:g} leaves no light in the darkest place. Give a smaller one: --set offset=0"
        )
    unit = smooth.mean() if settings.rescale == "mean" else np.percentile(smooth, _ROBUST_MINIMUM_PERCENT)
    return _enlarge(smooth / unit, shape)


def _enlarge(grid: npt.NDArray[np.float64], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Interpolate between the middles of the squares that a grid stands for."""
    size = square_px(shape)
    places = [np.clip((np.arange(n) + 0.5) / size - 0.5, 0, k - 1) for n, k in zip(shape, grid.shape, strict=True)]
    rows, columns = (_weights(at, k) for at, k in zip(places, grid.shape, strict=True))
    return np.asarray(rows @ grid @ columns.T, np.float32)


def _weights(at: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Give the share that each of ``n`` values has at each place between them: (places, n)."""
    low = np.minimum(at.astype(int), max(n - 2, 0))
    weights = np.zeros((len(at), n))
    weights[np.arange(len(at)), np.minimum(low + 1, n - 1)] += at - low
    weights[np.arange(len(at)), low] += 1 - (at - low)
    return weights
