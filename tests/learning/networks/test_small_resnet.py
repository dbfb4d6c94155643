"""The default network: what it takes and gives, for any number of channels."""

import pytest
import torch

from cellvote.learning.architectures import build_architecture
from cellvote.learning.networks.small_resnet import SmallResNet


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size_px", [16, 33, 64])
def test_crops_become_a_score_for_each_class(channels: int, size_px: int) -> None:
    network = build_architecture("small-resnet", channels=channels, size_px=size_px, n_classes=4)
    scores = network(torch.zeros(2, channels, size_px, size_px))
    assert scores.shape == (2, 4)
    assert scores.isfinite().all()


def test_twice_as_wide_is_four_times_as_large() -> None:
    usual, wide = SmallResNet(3, 4), SmallResNet(3, 4, width=32)
    assert wide.n_features == 2 * usual.n_features
    many, few = (sum(weight.numel() for weight in network.parameters()) for network in (wide, usual))
    assert 3.9 < many / few < 4


def test_the_weights_come_from_the_seed_alone() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        network = build_architecture("small-resnet", channels=1, size_px=16, n_classes=2)
        drawn.append(network.state_dict())
    assert all(torch.equal(weight, drawn[1][name]) for name, weight in drawn[0].items())
