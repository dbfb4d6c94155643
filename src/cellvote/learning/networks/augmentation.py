"""Augmentation on the device: all examples of a batch at once, all streams of an example alike."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cellvote.learning.examples import StreamLayout
from cellvote.learning.settings.augmentation import AugmentationSettings

Streams = tuple[Tensor, ...]
"""One tensor for each stream: images N×C×H×W, measurements N×F."""


def augmented(
    streams: Streams,
    settings: AugmentationSettings,
    random: torch.Generator,
    layouts: Sequence[StreamLayout] | None = None,
) -> Streams:
    """Change each example in its own way, and all of its streams alike; measurements stay as they are.

    Parameters
    ----------
    random
        A generator of the CPU: the same numbers are drawn wherever the streams are.
    layouts
        What the channels of each stream of images are; all grey values where it is not given.
    """
    images = [stream for stream in streams if stream.ndim == 4]
    if not images:
        return streams
    layouts = layouts or [StreamLayout(jittered=tuple(range(stream.shape[1]))) for stream in images]
    coins = torch.rand((3, len(images[0])), generator=random) < 0.5
    coins[:2] &= settings.flips
    coins[2] &= settings.transposition and all(stream.shape[-1] == stream.shape[-2] for stream in images)
    changed = [_turned(stream, coins, layout) for stream, layout in zip(images, layouts, strict=True)]
    if settings.intensity_jitter:
        changed = [
            _jittered(stream, settings.intensity_jitter, random, layout)
            for stream, layout in zip(changed, layouts, strict=True)
        ]
    return (*changed, *(stream for stream in streams if stream.ndim != 4))


def _turned(images: Tensor, coins: Tensor, layout: StreamLayout) -> Tensor:
    """Flip left to right, top to bottom, and exchange rows and columns, where the coins (3, N) say so."""
    x, y, transposed = coins.to(images.device)[..., None, None, None]
    images = torch.where(x, images.flip(-1), images)
    images = torch.where(y, images.flip(-2), images)
    for dy, dx in layout.vectors:
        images[:, dx] = torch.where(x[:, 0], -images[:, dx], images[:, dx])
        images[:, dy] = torch.where(y[:, 0], -images[:, dy], images[:, dy])
    if not bool(coins[2].any()):
        return images
    swapped = images.transpose(-1, -2)
    order = list(range(images.shape[1]))
    for dy, dx in layout.vectors:
        order[dy], order[dx] = dx, dy
    if layout.vectors:
        swapped = swapped[:, order]
    return torch.where(transposed, swapped, images)


def _jittered(images: Tensor, share: float, random: torch.Generator, layout: StreamLayout) -> Tensor:
    """Make each channel of grey values up to a share brighter or darker."""
    gain = 1 + share * (2 * torch.rand(images.shape[:2], generator=random) - 1)
    fixed = [channel for channel in range(images.shape[1]) if channel not in layout.jittered]
    gain[:, fixed] = 1
    return images * gain.to(images.device)[..., None, None]
