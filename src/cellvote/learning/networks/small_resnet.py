"""The default network for crops: small enough to train from scratch on a CPU."""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.local_contrast import local_contrast

_WIDTHS: Final = (32, 64, 128, 192)
"""Of each stage, on maps of 1/2, 1/4, 1/8 and 1/16 of the image's height and width."""


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al., "Deep residual learning", 2016).

    The shortcut is the identity, or one convolution where the map becomes smaller or wider. That blocks begin as their
    shortcut alone, and that these take means, as deep networks like it, made this shallow one worse.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C′×H/stride×W/stride."""
        return torch.relu(self.body(x) + self.shortcut(x))


class CentredMean(nn.Module):
    """The mean over a map, in which what lies far from the middle counts less; how much less is learned.

    A crop shows its cell in the middle, and its neighbours around it. The weight of a place at distance r, where the
    middle of an edge is at 1, is exp(−2fr²): the same in all directions, and for f = 0 the plain mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.falling = nn.Parameter(torch.ones(()))

    def forward(self, maps: Tensor) -> Tensor:
        """N×C×H×W to N×C."""
        across = [
            torch.linspace(1 / n - 1, 1 - 1 / n, n, device=maps.device, dtype=maps.dtype) for n in maps.shape[-2:]
        ]
        square = across[0][:, None] ** 2 + across[1] ** 2
        weight = torch.softmax((-2 * self.falling * square).flatten(), 0).view(square.shape)
        return (maps * weight.to(maps.dtype)).sum(dim=(-2, -1))


class SmallResNetBackbone(nn.Module):
    """Images, and the local contrast in them, through four stages; the last three are pooled.

    What is in a cell is told by fine structures as much as by its outline: hence the finer maps, too.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = _WIDTHS) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2 * channels, widths[0], 6, 2, 2)
        self.finest = ResidualBlock(widths[0], widths[0], 1)
        self.stages = nn.ModuleList(ResidualBlock(n_in, n_out, 2) for n_in, n_out in pairwise(widths))
        self.pools = nn.ModuleList(CentredMean() for _ in self.stages)
        self.n_features = sum(widths[1:])
        self.norm = nn.BatchNorm1d(self.n_features)

    def forward(self, images: Tensor) -> Tensor:
        """N×C×H×W to N×F."""
        grey = _compressed(images)
        maps = self.finest(torch.relu(self.stem(torch.cat([grey, local_contrast(grey)], dim=1))))
        pooled = []
        for stage, pool in zip(self.stages, self.pools, strict=True):
            maps = stage(maps)
            pooled.append(pool(maps))
        features: Tensor = self.norm(torch.cat(pooled, dim=1))
        return features


def _compressed(images: Tensor) -> Tensor:
    """Compress what is bright, and not, as the root does that images are fed with, what is nearly black.

    Near black there is but noise; below it (flows have a sign) it is the same mirrored.
    """
    return torch.asinh(3 * images * images.abs()) / 1.8


class SmallResNet(ImageNetwork):
    """A residual network of nine convolutions one after the other, on images of 16 px or more.

    It sees each channel twice: as it is, and each pixel relative to those around it, so that a dim cell beside a
    bright one is seen as well as in an image of its own.
    """

    def __init__(self, channels: int, n_outputs: int, n_measurements: int = 0) -> None:
        backbone = SmallResNetBackbone(channels)
        super().__init__(backbone, backbone.n_features, n_outputs, n_measurements)
