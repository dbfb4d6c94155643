"""The default network for crops: small enough to train from scratch on a CPU."""

from typing import Final

import torch
from torch import Tensor, nn

from cellvote.learning.networks.image_network import ImageNetwork

_BLOCKS: Final = (1, 2, 2, 2)
"""Of each stage. The first, on the largest maps, costs as much as two of any other."""


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


class SmallResNet(ImageNetwork):
    """A residual network of four stages, 16, 32, 64 and 128 wide (or as many times more), on images of 16 px or more.

    Narrow where maps are large and wide where they are small: each stage but the first takes as long as any other.
    """

    def __init__(self, channels: int, n_outputs: int, n_measurements: int = 0, width: int = 16) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        n_in = width
        for stage, n_blocks in enumerate(_BLOCKS):
            n_out = width * 2**stage
            for block in range(n_blocks):
                layers.append(ResidualBlock(n_in, n_out, 2 if stage and not block else 1))
                n_in = n_out
        super().__init__(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), n_in, n_outputs, n_measurements)
