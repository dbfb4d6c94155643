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
    surface = (_terms(binned.shape) @ found).reshape(binned.shape)
    return Trend(surface.astype(np.float32), max(0.0, 1 - rest / spread))


def _terms(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Give 1, x, y, x², xy, y² at the middle of each place of a grid that spans −1 to 1: (places, 6)."""
    y, x = np.meshgrid(*((2 * np.arange(n) + 1) / n - 1 for n in shape), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
