"""Augmentation on the device: all examples of a batch at once, all streams of an example alike.

Everything random is drawn from a generator of the CPU, and only the numbers drawn go to the device: a run that was
killed draws what an unbroken one would, and CPU and GPU see the same images but for rounding.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from cellvote.learning.examples import StreamLayout
from cellvote.learning.settings.augmentation import AugmentationSettings

Streams = tuple[Tensor, ...]
"""One tensor for each stream: images N×C×H×W, measurements N×F."""

_NOISE_SLACK: Final = 64
"""Noise is drawn once for a batch, this much larger than an image; each channel of each image takes a window of it."""


_SIDE_STEP: Final = 8
_LEAST_SIDE: Final = 16
"""Sides of shrunk images in pixels: a multiple of the first, and not less than the second."""


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
    known = layouts or [StreamLayout(jittered=tuple(range(stream.shape[1]))) for stream in images]
    n = len(images[0])
    coins = torch.rand((3, n), generator=random) < 0.5
    coins[:2] &= settings.flips
    coins[2] &= settings.transposition and all(stream.shape[-1] == stream.shape[-2] for stream in images)
    view = (coins[0].int() + 2 * coins[1].int() + 4 * coins[2].int()).numpy()
    images = [_turned(one, view, layout) for one, layout in zip(images, known, strict=True)]
    if settings.rotate_degrees or settings.zoom or settings.shift or settings.shear_degrees:
        turn, shift = _drawn_affine(n, settings, random)
        images = [_moved(one, turn, shift, layout) for one, layout in zip(images, known, strict=True)]
    if settings.intensity_jitter:
        share = settings.intensity_jitter
        images = [_jittered(one, share, random, layout) for one, layout in zip(images, known, strict=True)]
    if settings.noise:
        images = [_noisy(one, settings.noise, random, layout) for one, layout in zip(images, known, strict=True)]
    return (*images, *(stream for stream in streams if stream.ndim != 4))


def views(streams: Streams, n: int, layouts: Sequence[StreamLayout]) -> Iterator[Streams]:
    """Give up to `n` of the flips and quarter turns of a batch, for predictions to be averaged over.

    The first is the batch as it is; images that are not square have four.
    """
    images = [stream for stream in streams if stream.ndim == 4]
    square = all(stream.shape[-1] == stream.shape[-2] for stream in images)
    for view in range(min(n, 8 if square else 4)):
        turned = [_seen(stream, view, layout) for stream, layout in zip(images, layouts, strict=True)]
        yield (*turned, *(stream for stream in streams if stream.ndim != 4))


def mixed(
    streams: Streams, codes: Tensor, n_classes: int, settings: AugmentationSettings, random: torch.Generator
) -> tuple[Streams, Tensor]:
    """Mix each example with another one of the batch: mixup, CutMix, or either by the toss of a coin for each batch.

    mixup (Zhang et al. 2018) takes a weighted mean of two examples; CutMix (Yun et al. 2019) puts a rectangle of one
    into the other, the same in all streams of images, and takes the weighted mean of measurements.

    Parameters
    ----------
    codes
        (N,) class numbers, on the device of the streams.

    Returns
    -------
    streams
        As many, of the same shapes.
    targets
        N×K float32: the shares of the classes.
    """
    targets = functional.one_hot(codes, n_classes).float()
    if not (settings.mixup or settings.cutmix) or len(codes) < 2:
        return streams, targets
    n = len(codes)
    coin = float(torch.rand((), generator=random))
    cut = bool(settings.cutmix) and (not settings.mixup or coin < 0.5)
    partner = torch.randperm(n, generator=random)
    seed = int(torch.randint(2**62, (), generator=random))
    alpha = settings.cutmix if cut else settings.mixup
    drawn = np.random.default_rng(seed)
    share = torch.from_numpy(drawn.beta(alpha, alpha, n).astype(np.float32))  # torch's draws from its own generator
    device = codes.device
    other = partner.to(device)
    if cut:
        centre = torch.from_numpy(drawn.random((2, n), np.float32))
        box, share = _boxes(share, centre)
        streams = tuple(_cut_in(one, other, box) if one.ndim == 4 else one for one in streams)
    own = share.to(device)
    streams = tuple(
        one if cut and one.ndim == 4 else torch.lerp(one[other], one, own.view(-1, *[1] * (one.ndim - 1)))
        for one in streams
    )
    return streams, torch.lerp(targets[other], targets, own[:, None])


def shrunk(streams: Streams, settings: AugmentationSettings, share_done: float) -> Streams:
    """Show images at half their size in the beginning, and larger and larger ones as training goes on.

    Howard ("Training Imagenet in 3 hours for 25 minutes", 2018) called it progressive resizing: what is coarse is
    learned first, at a quarter of the cost.

    Parameters
    ----------
    share_done
        Of the whole run, 0 … 1.
    """
    if share_done >= settings.small_first:
        return streams
    side = 0.5 + 0.5 * share_done / settings.small_first
    return tuple(_at_size(one, side) if one.ndim == 4 else one for one in streams)


def _at_size(images: Tensor, side: float) -> Tensor:
    """Make images smaller by the mean of the pixels that fall together."""
    size = [min(n, max(_SIDE_STEP * round(side * n / _SIDE_STEP), _LEAST_SIDE)) for n in images.shape[-2:]]
    return functional.interpolate(images, size, mode="area") if size != list(images.shape[-2:]) else images


def _turned(images: Tensor, view: npt.NDArray[np.int32], layout: StreamLayout) -> Tensor:
    """Show each image in its view: every image is moved once, those of one view together."""
    order = np.argsort(view, kind="stable")
    counts = np.bincount(view, minlength=8)
    if counts[0] == len(view):
        return images
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    parts = images[torch.from_numpy(order).to(images.device)].split(counts.tolist())
    seen = [_seen(part, number, layout) for number, part in enumerate(parts) if len(part)]
    return torch.cat(seen)[torch.from_numpy(back).to(images.device)]


def _seen(images: Tensor, view: int, layout: StreamLayout) -> Tensor:
    """Flip left to right (1), top to bottom (2), and exchange rows and columns (4); vectors turn along."""
    across, down, transposed = bool(view & 1), bool(view & 2), bool(view & 4)
    axes = [axis for axis, chosen in ((-1, across), (-2, down)) if chosen]
    if axes:
        images = images.flip(axes)
        for dy, dx in layout.vectors:
            if down:
                images[:, dy].neg_()
            if across:
                images[:, dx].neg_()
    if transposed:
        images = images.transpose(-1, -2)
        if layout.vectors:
            order = list(range(images.shape[1]))
            for dy, dx in layout.vectors:
                order[dy], order[dx] = dx, dy
            images = images[:, order]
    return images


def _drawn_affine(n: int, settings: AugmentationSettings, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw where each pixel is taken from: (N, 2, 2) matrices of x and y in pixels, and (N, 2) shifts in widths."""
    turn, zoom, shear, *shift = 2 * torch.rand((5, n), generator=random, dtype=torch.float64) - 1
    angle = turn * math.radians(settings.rotate_degrees)
    size = torch.exp(-zoom * math.log1p(settings.zoom))
    slant = torch.tan(shear * math.radians(settings.shear_degrees))
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    matrix = torch.stack([torch.stack([cos, -sin + cos * slant]), torch.stack([sin, cos + sin * slant])])
    return matrix.permute(2, 0, 1), torch.stack(shift, dim=1) * settings.shift


def _moved(images: Tensor, turn: Tensor, shift: Tensor, layout: StreamLayout) -> Tensor:
    """Turn, zoom, shear and shift in one sampling; beyond the edge the image is reflected."""
    height, width = images.shape[-2:]
    aspect = torch.tensor([[1.0, height / width], [width / height, 1.0]], dtype=turn.dtype)
    theta = torch.cat([turn * aspect, 2 * shift[..., None]], dim=2).to(images.device, images.dtype)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if not layout.vectors:
        return moved
    # What is seen moves the other way than where pixels are taken from; lengths stay.
    along = torch.linalg.inv(turn)
    along = (along / along.det().abs().sqrt()[:, None, None]).to(images.device, images.dtype)[..., None, None]
    for dy, dx in layout.vectors:
        x, y = moved[:, dx].clone(), moved[:, dy].clone()
        moved[:, dx] = along[:, 0, 0] * x + along[:, 0, 1] * y
        moved[:, dy] = along[:, 1, 0] * x + along[:, 1, 1] * y
    return moved


def _jittered(images: Tensor, share: float, random: torch.Generator, layout: StreamLayout) -> Tensor:
    """Make each channel of grey values up to a share brighter or darker."""
    gain = 1 + share * (2 * torch.rand(images.shape[:2], generator=random) - 1)
    fixed = [channel for channel in range(images.shape[1]) if channel not in layout.jittered]
    gain[:, fixed] = 1
    return images * gain.to(images.device)[..., None, None]


def _noisy(images: Tensor, deviation: float, random: torch.Generator, layout: StreamLayout) -> Tensor:
    """Add noise to the channels of grey values: for each channel of each image another window of one larger draw."""
    n, _, height, width = images.shape
    channels = list(layout.jittered)
    drawn = torch.randn((height + _NOISE_SLACK, width + _NOISE_SLACK), generator=random) * deviation
    corner = torch.randint(_NOISE_SLACK + 1, (2, n, len(channels), 1, 1), generator=random)
    if not channels:
        return images
    y, x = corner.to(images.device)
    y = y + torch.arange(height, device=images.device)[:, None]
    x = x + torch.arange(width, device=images.device)
    noise = drawn.to(images.device)[y, x]
    if len(channels) == images.shape[1]:
        return images + noise
    noisy = images.clone()
    noisy[:, channels] += noise
    return noisy


def _boxes(share: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Give (N, 4) top, bottom, left and right of rectangles, 0 … 1, and the share that is left of each image."""
    half = (1 - share).clamp(0).sqrt() / 2
    edges = torch.stack([centre[0] - half, centre[0] + half, centre[1] - half, centre[1] + half], dim=1).clamp(0, 1)
    left = 1 - (edges[:, 1] - edges[:, 0]) * (edges[:, 3] - edges[:, 2])
    return edges, left


def _cut_in(images: Tensor, other: Tensor, box: Tensor) -> Tensor:
    """Put the box of each partner into the images; a pixel is inside where its centre is."""
    height, width = images.shape[-2:]
    top, bottom, left, right = box.to(images.device).T[..., None]
    y = (torch.arange(height, device=images.device) + 0.5) / height
    x = (torch.arange(width, device=images.device) + 0.5) / width
    inside = ((y >= top) & (y < bottom))[:, None, :, None] & ((x >= left) & (x < right))[:, None, None, :]
    return torch.where(inside, images[other], images)
