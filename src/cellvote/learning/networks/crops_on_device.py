"""Crops on the device: scaled, flipped, turned and brightened there, all of a batch at once."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Limits = npt.NDArray[np.float32]


def intensity_limits(crops: npt.NDArray[np.generic]) -> Limits:
    """Take what counts as black and white in each channel.

    Parameters
    ----------
    crops
        N×C×H×W.

    Returns
    -------
    ndarray
        (2, C): the 1st and the 99.8th percentile over all pixels.
    """
    step = max(1, len(crops) // 4000)
    values = np.moveaxis(np.asarray(crops[::step]), 1, 0).reshape(crops.shape[1], -1)
    limits = np.percentile(values, [1, 99.8], axis=1).astype(np.float32)
    limits[1] = np.maximum(limits[1], np.nextafter(limits[0] + np.float32(1e-3), np.float32(np.inf)))
    return limits


def to_device(crops: npt.NDArray[np.generic], device: torch.device) -> Tensor:
    """Move crops to the device as they are: uint8, uint16 (as int32, which torch can index) or float32."""
    array = np.ascontiguousarray(crops)
    return torch.from_numpy(array.astype(np.int32) if array.dtype == np.uint16 else array).to(device)


def scaled(crops: Tensor, limits: Tensor) -> Tensor:
    """Scale N×C×H×W crops so that black is 0 and white 1, by the limits of each crop: N×2×C, or 2×C for all.

    The square root is taken: it evens out the noise of counted photons, and lets a network see dim cells too.
    """
    low, high = limits.unbind(-2)
    low, high = low[..., None, None], high[..., None, None]
    return ((crops.float() - low) / (high - low)).clamp_(0.0, 4.0).sqrt_()


def augmented(crops: Tensor, intensity_jitter: float, random: torch.Generator) -> Tensor:
    """Flip, turn by quarters, and change the brightness of each crop of N×C×H×W, each in its own way."""
    n, channels = crops.shape[:2]
    coins = (torch.rand((3, n), generator=random) < 0.5).to(crops.device)[..., None, None, None]
    crops = torch.where(coins[0], crops.flip(-1), crops)
    crops = torch.where(coins[1], crops.flip(-2), crops)
    crops = torch.where(coins[2], crops.transpose(-1, -2), crops)
    if intensity_jitter:
        gain = 1 + intensity_jitter * (2 * torch.rand((n, channels), generator=random) - 1)
        crops = crops * gain.to(crops.device)[..., None, None]
    return crops
