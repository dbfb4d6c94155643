"""Illumination trend of a plane: a quadratic surface through its background."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.quality.structure import Binned, tile_medians

_TILES: Final = 16
_LEAST_TILES: Final = 9


@dataclass(frozen=True)
class Trend:
    """A quadratic surface through the background of a plane.

    Attributes
    ----------
    surface
        Of the shape of the binned plane that it was fitted to, in grey values.
    explained
        Share of the variance of the background that it explains, 0 to 1.
    """

    surface: Binned
    explained: float = 0.0

    @property
    def amplitude(self) -> float:
        """Largest minus smallest value, in grey values."""
        return float(np.ptp(self.surface))


def fit_trend(binned: Binned) -> Trend:
    """Fit a quadratic surface to the medians of about 16 × 16 tiles: bright cells hardly move these."""
    tiles = tile_medians(binned, max(1, max(binned.shape) // _TILES))
    spread = float(((tiles - tiles.mean()) ** 2).sum())
    if tiles.size < _LEAST_TILES or min(tiles.shape) < 3 or spread == 0:
        return Trend(np.full(binned.shape, tiles.mean(), np.float32))
    terms = _terms(tiles.shape)
    found, *_ = np.linalg.lstsq(terms, tiles.ravel(), rcond=None)
    rest = float(((tiles.ravel() - terms @ found) ** 2).sum())
    return Trend(_surface(np.asarray(found, float), binned.shape), max(0.0, 1 - rest / spread))


def _middles(shape: tuple[int, ...]) -> list[npt.NDArray[np.float64]]:
    """Give the middles of the places of a grid that spans −1 to 1, rows and columns."""
    return [(2 * np.arange(n) + 1) / n - 1 for n in shape]


def _terms(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Give 1, x, y, x², xy, y² at each place of a grid: (places, 6)."""
    y, x = np.meshgrid(*_middles(shape), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _surface(found: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Binned:
    """Add up the terms of `_terms` on a fine grid."""
    y, x = (middles.astype(np.float32) for middles in _middles(shape))
    one, of_x, of_y, of_xx, of_xy, of_yy = found.astype(np.float32)
    along_y = one + of_y * y + of_yy * y * y
    return np.asarray(along_y[:, None] + (of_x * x + of_xx * x * x)[None, :] + of_xy * y[:, None] * x[None, :])
