"""timm's models as what gives the features of an image, with any number of channels."""

import logging
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Self

import timm
import torch
from torch import Tensor, nn

from cellvote.errors import ClassifierError
from cellvote.learning.architectures.architecture import NetworkShape
from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.learning.networks.pretrained import fill_in, find_weights, read_weights

_TRIED_PX = (32, 48, 64, 75, 96, 112, 128, 160, 192, 224, 256, 299, 384, 448, 512)
_REFUSED = (RuntimeError, AssertionError, ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError)

logging.getLogger("timm").setLevel(logging.WARNING)


class Backbone(nn.Module):
    """A timm model without its classifier: N×C×H×W images to N×F features.

    What goes into it is centred as when it was pretrained, by the mean of its three colours: channels of a microscope
    are no colours.
    """

    def __init__(self, network: nn.Module, n_features: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.n_features = n_features
        self.is_frozen = False
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def freeze(self) -> Self:
        """Keep its weights as they are from now on, and its statistics too."""
        self.is_frozen = True
        self.requires_grad_(requires_grad=False)
        return self.train(mode=False)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and use; frozen, it stays in use."""
        return super().train(mode and not self.is_frozen)

    def forward(self, images: Tensor) -> Tensor:
        """N×C×H×W images, scaled to about 0 … 1, to N×F features."""
        features: Tensor = self.network((images - self.mean) / self.std)
        return features


def build_timm_network(timm_name: str, shape: NetworkShape, *, tried: bool = False) -> nn.Module:
    """Build a timm model with a linear head of our own.

    Parameters
    ----------
    tried
        Whether it is known to take images of this size; otherwise that is tried first.

    Raises
    ------
    ClassifierError
        Where it takes no images of this size, or its pretrained weights are not there.
    """
    backbone = build_backbone(timm_name, shape, tried=tried)
    return ImageNetwork(backbone, backbone.n_features, shape.n_outputs, shape.n_measurements)


def build_backbone(timm_name: str, shape: NetworkShape, *, tried: bool = True) -> Backbone:
    """Build a timm model that gives features, filled with pretrained weights where those are asked for.

    Parameters
    ----------
    tried
        As for `build_timm_network`.

    Raises
    ------
    ClassifierError
        Where it takes no images of this size, or its pretrained weights are not there or do not fit.
    """
    size = (shape.height_px, shape.width_px)
    n_features = None if tried else _count_features(timm_name, shape.channels, size)
    if shape.pretrained is False:
        network = _created(timm_name, shape.channels, size)
        return Backbone(network, n_features or _said_features(network))
    path = find_weights(timm_name, shape.pretrained)
    network = _created(timm_name, 3, size)
    fill_in(network, read_weights(path), timm_name, path)
    widen_first_convolutions(network, shape.channels, timm_name)
    about: Any = network.pretrained_cfg
    mean, std = (sum(about[key]) / len(about[key]) for key in ("mean", "std"))
    return Backbone(network, n_features or _said_features(network), mean, std)


def _said_features(network: Any) -> int:
    return int(network.head_hidden_size)


def widen_first_convolutions(network: nn.Module, channels: int, name: str) -> None:
    """Let a network for RGB images take other channels, with the filters that it has.

    The filters are repeated along the channels and scaled down, as timm does; what their sum then lacks of the sum of
    the three colours' is shared out. So an image with the same grey in each channel gives what it gave as an RGB
    image, for any number of channels.

    Raises
    ------
    ClassifierError
        Where its first layer is of a kind that this cannot be done with.
    """
    if channels == 3:
        return
    for layer in _first_convolutions(network, name):
        weight: Any = layer.weight
        if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or weight.shape[1] != 3:
            raise ClassifierError(
                f"{name}: its first layer cannot be fitted to {channels} channels. Choose 3 channels, or another "
                "architecture, or train from scratch (--set pretrained=no)."
            )
        repeated = weight.detach().repeat(1, math.ceil(channels / 3), 1, 1)[:, :channels] * (3 / channels)
        lacking = weight.detach().sum(dim=1, keepdim=True) - repeated.sum(dim=1, keepdim=True)
        layer.weight = nn.Parameter(repeated + lacking / channels)
        layer.in_channels = channels


def _first_convolutions(network: Any, name: str) -> Iterator[nn.Module]:
    named = network.pretrained_cfg.get("first_conv")
    if not named:
        raise ClassifierError(f"{name}: timm does not say which is its first layer. Choose 3 channels.")
    for one in (named,) if isinstance(named, str) else named:
        yield network.get_submodule(one)


def _created(timm_name: str, channels: int, size: tuple[int, int]) -> nn.Module:
    about = timm.get_pretrained_cfg(timm_name)
    sized: dict[str, Any] = {"img_size": size} if about is not None and about.fixed_input_size else {}
    network: nn.Module = timm.create_model(timm_name, num_classes=0, in_chans=channels, **sized)
    return network


@lru_cache(maxsize=32)
def _count_features(timm_name: str, channels: int, size: tuple[int, int]) -> int:
    """Run it on no memory at all: says how many features there are, and whether it takes images of this size."""
    try:
        return _features_at(timm_name, channels, size)
    except _REFUSED as error:
        reason = " ".join(str(error).split())[:120]
    raise ClassifierError(
        f"{timm_name} takes no images of {size[0]}×{size[1]} px with {channels} channels "
        f"({reason}).{_size_that_fits(timm_name, channels, min(size))}"
    )


def _size_that_fits(timm_name: str, channels: int, too_small_px: int) -> str:
    for size_px in _TRIED_PX:
        if size_px <= too_small_px:
            continue
        try:
            _features_at(timm_name, channels, (size_px, size_px))
        except _REFUSED:
            continue
        return f" The next size that it takes is {size_px} px."
    return " Choose another architecture."


def _features_at(timm_name: str, channels: int, size: tuple[int, int]) -> int:
    with torch.device("meta"), torch.inference_mode():
        network = _created(timm_name, channels, size).eval()
        features = network(torch.empty(2, channels, *size))
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise ValueError("it gives no single vector for an image")
    return int(features.shape[1])
