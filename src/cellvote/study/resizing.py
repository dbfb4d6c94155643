"""Resizing images: each new pixel is a mean of the old ones under it, so that nothing flickers in or out."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]


def resized(image: npt.NDArray[np.generic], height_px: int, width_px: int) -> npt.NDArray[np.float32]:
    """Resize the last two axes by a triangle filter as wide as the step from one new pixel to the next.

    Where an image grows this is linear interpolation; where it shrinks, the usual low-pass filter before it (as
    Pillow's ``BILINEAR`` does). Values stay between the smallest and the largest of the image.

    Returns
    -------
    ndarray
        float32, …×height×width.
    """
    height, width = image.shape[-2:]
    if (height, width) == (height_px, width_px):
        return image.astype(np.float32)
    down, across = _weights(height, height_px), _weights(width, width_px)
    return np.asarray(down @ image.astype(np.float32) @ across.T, np.float32)


def rounded(image: npt.NDArray[np.float32], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Round to an integer type, or leave float32."""
    if dtype.kind == "f":
        return image.astype(dtype)
    limits = np.iinfo(dtype.name)
    return np.clip(np.rint(image), limits.min, limits.max).astype(dtype)


@lru_cache(maxsize=512)
def _weights(n_old: int, n_new: int) -> Weights:
    """Say how much each old pixel weighs in each new one: (new, old), rows summing to 1."""
    step = n_old / n_new
    centres = (np.arange(n_new) + 0.5) * step - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(n_old) - centres[:, None]) / max(step, 1.0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
