"""Illumination trend of a plane: a quadratic surface through its background."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cellvote.quality.structure import Binned, tile_medians

_TILES: Final = 16
_LEAST_TILES: Final = 9


@dataclass(frozen=True)
class Trend:
    """A quadratic surface through the background of a plane.

    Attributes
    ----------
    amplitude
        Its largest minus its smallest value over the plane, in grey values.
    explained
        Share of the variance of the background that it explains, 0 to 1.
    """

    amplitude: float = 0.0
    explained: float = 0.0


def fit_trend(binned: Binned) -> Trend:
    """Fit a quadratic surface to the medians of about 16 × 16 tiles: bright cells hardly move these."""
    tiles = tile_medians(binned, max(1, max(binned.shape) // _TILES))
    spread = float(((tiles - tiles.mean()) ** 2).sum())
    if tiles.size < _LEAST_TILES or min(tiles.shape) < 3 or spread == 0:
        return Trend()
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in tiles.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    found, *_ = np.linalg.lstsq(terms, tiles.ravel(), rcond=None)
    surface = terms @ found
    rest = float(((tiles.ravel() - surface) ** 2).sum())
    return Trend(float(np.ptp(surface)), max(0.0, 1 - rest / spread))
