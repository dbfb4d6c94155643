"""The default network for crops: small enough to train from scratch on a CPU."""

import torch
from torch import Tensor, nn

from cellvote.learning.networks.image_network import ImageNetwork


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al., "Deep residual learning", 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C′×H/stride×W/stride."""
        return torch.relu(self.body(x) + self.shortcut(x))


class SmallResNet(ImageNetwork):
    """A residual network of three stages, 24, 48 and 96 wide (or as many times more), on images of 16 px or more."""

    def __init__(self, channels: int, n_outputs: int, n_measurements: int = 0, width: int = 24) -> None:
        backbone = nn.Sequential(
            nn.Conv2d(channels, width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            ResidualBlock(width, width, 1),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 4 * width, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        super().__init__(backbone, 4 * width, n_outputs, n_measurements)
