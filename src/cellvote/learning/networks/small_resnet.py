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

    Where the image becomes smaller, the shortcut takes the mean of its pixels and drops none (He et al., "Bag of
    tricks", 2019); and each block begins as its shortcut alone, so that a deep network learns from the first step on
    (Goyal et al., "Accurate, large minibatch SGD", 2017).
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(n_out)
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            last,
        )
        shortcut: list[nn.Module] = []
        if stride != 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if stride != 1 or n_in != n_out:
            shortcut += [nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out)]
        self.shortcut = nn.Sequential(*shortcut)

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
        self.stem = nn.Sequential(
            nn.Conv2d(2 * channels, widths[0], 6, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.finest = ResidualBlock(widths[0], widths[0], 1)
        self.stages = nn.ModuleList(ResidualBlock(n_in, n_out, 2) for n_in, n_out in pairwise(widths))
        self.pools = nn.ModuleList(CentredMean() for _ in self.stages)
        self.n_features = sum(widths[1:])
        self.norm = nn.BatchNorm1d(self.n_features)

    def forward(self, images: Tensor) -> Tensor:
        """N×C×H×W to N×F."""
        maps = self.finest(self.stem(torch.cat([images, local_contrast(images)], dim=1)))
        pooled = []
        for stage, pool in zip(self.stages, self.pools, strict=True):
            maps = stage(maps)
            pooled.append(pool(maps))
        features: Tensor = self.norm(torch.cat(pooled, dim=1))
        return features


class SmallResNet(ImageNetwork):
    """A residual network of nine convolutions one after the other, on images of 16 px or more.

    It sees each channel twice: as it is, and each pixel relative to those around it, so that a dim cell beside a
    bright one is seen as well as in an image of its own.
    """

    def __init__(self, channels: int, n_outputs: int, n_measurements: int = 0) -> None:
        backbone = SmallResNetBackbone(channels)
        super().__init__(backbone, backbone.n_features, n_outputs, n_measurements)
