"""What the network behind `nuclei` sees in images: features that need no download, and a linear layer on them."""

from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellvote.learning.architectures.architecture import NetworkShape
from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.learning.networks.small_resnet import CentredMean
from cellvote.segmentation.nuclei.finding import load_networks
from cellvote.segmentation.nuclei.network import encode


class NucleiBackbone(nn.Module):
    """The way down of the network that finds nuclei, frozen: each channel by itself, at full and at half size.

    Of each of its four levels the mean over the map is taken, in which the middle counts more: 832 features of each
    channel. The network has learned how nuclei look and where they end from DSB2018 (BBBC038), and nothing of classes.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        with torch.device("cpu"):  # they are kept for others, too
            flows = load_networks().flows
        self.stem, self.down, self.pool = deepcopy(flows.stem), deepcopy(flows.down), CentredMean()
        self.n_features = channels * 2 * sum(flows.widths)
        self.to(torch.get_default_device())
        self.requires_grad_(requires_grad=False)
        self.train(mode=False)

    def train(self, mode: bool = True) -> Self:
        """Stay as it is: it does not learn."""
        del mode
        return super().train(mode=False)

    def forward(self, images: Tensor) -> Tensor:
        """N×C×H×W images, scaled to about 0 … 1, to N×F features, those of each channel together."""
        n, channels = images.shape[:2]
        grey = (images * images.abs()).flatten(0, 1)[:, None]  # images are fed as roots; it was taught without
        maps = [one for size in (grey, functional.avg_pool2d(grey, 2)) for one in encode(size, self.stem, self.down)]
        return torch.cat([self.pool(one) for one in maps], dim=1).view(n, channels, -1).flatten(1)


class NucleiNetwork(ImageNetwork):
    """A linear layer that learns, on the features of the frozen network, each brought to one scale."""

    def __init__(self, shape: NetworkShape) -> None:
        backbone = NucleiBackbone(shape.channels)
        super().__init__(backbone, backbone.n_features, shape.n_outputs, shape.n_measurements)

    def make_head(self, n_in: int, n_outputs: int) -> nn.Module:
        """Make the layer; features of maps differ much in size."""
        return nn.Sequential(nn.BatchNorm1d(n_in, affine=False), nn.Linear(n_in, n_outputs))
