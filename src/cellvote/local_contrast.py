"""How bright each pixel is among those around it, for networks that are to see dim cells beside bright ones."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

COARSE_PX: Final = 4
"""Surroundings are averaged on a grid of so many pixels, which takes a sixteenth of the time."""

SURROUNDINGS: Final = 13
"""What is around a pixel is a square of so many cells of that grid, 52 px: about two nuclei across at 20×."""

_LEAST_SPREAD: Final = 0.05
_FARTHEST: Final = 4.0


def local_contrast(images: Tensor) -> Tensor:
    """Give each pixel relative to its surroundings: less their mean, in units of their spread.

    Parameters
    ----------
    images
        N×C×H×W, of at least 4 px, scaled to about 0 … 1.

    Returns
    -------
    Tensor
        N×C×H×W, −4 … 4; 0 in an even image.
    """
    size = images.shape[-2:]
    coarse = functional.avg_pool2d(images, COARSE_PX)
    coarse_square = functional.avg_pool2d(images**2, COARSE_PX)
    mean, square = (functional.interpolate(_around(plane), size, mode="bilinear") for plane in (coarse, coarse_square))
    spread = (square - mean**2).clamp(min=0).sqrt()
    return torch.clamp((images - mean) / (spread + _LEAST_SPREAD), -_FARTHEST, _FARTHEST)


def _around(coarse: Tensor) -> Tensor:
    return functional.avg_pool2d(coarse, SURROUNDINGS, 1, SURROUNDINGS // 2, count_include_pad=False)
