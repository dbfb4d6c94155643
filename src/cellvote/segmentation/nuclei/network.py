"""The networks behind `nuclei`: one that finds flows, and a small one that tells how large nuclei are.

A residual U-Net that predicts Cellpose's flows and cell probability (Stringer et al., "Cellpose: a generalist
algorithm for cellular segmentation", Nature Methods 2021), made for two processor cores: it works at half of the
image's resolution, and its last convolution gives four output pixels for each of its own (Shi et al., "Real-time
single image and video super-resolution using an efficient sub-pixel convolutional neural network", CVPR 2016).
Images come to it at one scale, with nuclei `DIAMETER_PX` across; `SizeNetwork` tells how to get there.
"""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellvote.local_contrast import local_contrast

DIAMETER_PX: Final = 18.0
"""How large nuclei are in the images that `FlowNetwork` is given."""

FLOW_SCALE: Final = 5.0
"""Flows are unit vectors times this, as Cellpose's networks give them."""

FLOW_MULTIPLE: Final = 16
"""Sides of the images that `FlowNetwork` takes are multiples of this."""

SIZE_STRIDE: Final = 8
"""`SizeNetwork` gives one answer for each square of so many pixels."""

SIZE_MULTIPLE: Final = 32
"""Sides of the images that `SizeNetwork` takes are multiples of this."""


class _Pyramid(nn.Module):
    """A residual U-Net without its last convolution: coarser and coarser, and back up by adding what is finer.

    Parameters
    ----------
    stem
        The first convolution: two views of an image to the finest level.
    widths
        Channels of each level, finest first.
    answers_at
        The level at which it answers, counted from the finest.
    """

    def __init__(self, stem: nn.Conv2d, widths: tuple[int, ...], answers_at: int) -> None:
        super().__init__()
        self.widths = widths
        self.stem = stem
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList([_Block(widths[0], widths[0]), *(_Block(a, b, 2) for a, b in pairs)])
        self.narrow = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairs[answers_at:]])
        self.up = nn.ModuleList([_Block(a, a) for a, _ in pairs[answers_at:]])
        self._answers_at = answers_at

    def _look(self, images: Tensor) -> Tensor:
        """Turn N1YX images into what is known at the level of the answer."""
        kept = encode(images, self.stem, self.down)
        x = kept[-1]
        for i in range(len(self.up) - 1, -1, -1):
            finer = kept[self._answers_at + i]
            x = functional.interpolate(self.narrow[i](x), scale_factor=2.0, mode="nearest") + finer
            x = self.up[i](x)
        return x


class FlowNetwork(_Pyramid):
    """Flows and cell probability of nuclei.

    Parameters
    ----------
    widths
        Channels at 1/2, 1/4, … of the image's resolution.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192)) -> None:
        super().__init__(nn.Conv2d(2, widths[0], 6, 2, 2), widths, answers_at=0)
        self.last = nn.Conv2d(widths[0], 3 * 4, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Turn N1YX images, scaled by `normalise`, into N3YX: dY, dX (times `FLOW_SCALE`) and the logit of a cell."""
        answer: Tensor = functional.pixel_shuffle(self.last(self._look(images)), 2)
        return answer


class SizeNetwork(_Pyramid):
    """Where nuclei are, roughly, and how large.

    Parameters
    ----------
    widths
        Channels at 1/4, 1/8, … of the image's resolution.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 64, 96)) -> None:
        super().__init__(nn.Conv2d(2, widths[0], 8, 4, 2), widths, answers_at=1)
        self.last = nn.Conv2d(widths[1], 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Turn N1YX images into N2YX at 1/`SIZE_STRIDE`: logit of foreground, log2 of diameter / `DIAMETER_PX`."""
        answer: Tensor = self.last(self._look(images))
        return answer


class _Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        same = n_in == n_out and stride == 1
        self.around = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first_norm(self.first(x)))
        together: Tensor = functional.relu(self.second_norm(self.second(y)) + self.around(x))
        return together


def encode(images: Tensor, stem: nn.Module, down: nn.ModuleList) -> list[Tensor]:
    """Turn N1YX images into the maps of each level, finest first, as they are on the way down."""
    x = functional.relu(stem(_two_views(images)))
    kept: list[Tensor] = []
    for block in down:
        x = block(x)
        kept.append(x)
    return kept


def normalise(image: Tensor) -> Tensor:
    """Scale a YX image so that its dark end (percentile 1) is 0 and its bright end (99.5) is 1.

    Returns
    -------
    Tensor
        YX float32; all zeros for a constant image.
    """
    values = image.to(torch.float32)
    some = values.flatten()
    some = some[:: max(1, some.numel() // 1_000_000)]  # torch.quantile takes no more than 16 million
    dark, bright = torch.quantile(some, torch.tensor([0.01, 0.995], device=some.device))
    if bright <= dark:
        bright = values.max()
    if bright <= dark:
        return torch.zeros_like(values)
    scaled: Tensor = ((values - dark) / (bright - dark)).clip(-1, 20)
    return scaled


def _two_views(images: Tensor) -> Tensor:
    """Show dim nuclei beside bright ones: grey values compressed, and the same in units of their surroundings."""
    compressed = torch.asinh(3 * images) / 1.8
    return torch.cat([compressed, local_contrast(compressed)], dim=1)
