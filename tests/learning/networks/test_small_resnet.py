"""The default network: what it takes and gives, for any number of channels."""

import pytest
import torch

from cellvote.learning.architectures import build_architecture
from cellvote.learning.networks.small_resnet import CentredMean
from cellvote.local_contrast import local_contrast


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size_px", [16, 33, 64])
def test_crops_become_a_score_for_each_class(channels: int, size_px: int) -> None:
    network = build_architecture("small-resnet", channels=channels, size_px=size_px, n_classes=4)
    scores = network(torch.zeros(2, channels, size_px, size_px))
    assert scores.shape == (2, 4)
    assert scores.isfinite().all()


def test_a_dim_cell_is_seen_as_a_bright_one_is_beside_its_own_brightness() -> None:
    cell = torch.zeros(1, 1, 64, 64)
    cell[..., 24:40, 24:40] = 1
    bright, dim = local_contrast(cell), local_contrast(cell / 4)
    assert (bright - dim).abs().max() < 0.6 * bright.abs().max()
    assert local_contrast(torch.full((1, 1, 64, 64), 0.7)).abs().max() < 1e-3


def test_what_lies_in_the_middle_counts_most_and_how_much_is_learned() -> None:
    pool = CentredMean()
    at_the_edge, in_the_middle = torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)
    at_the_edge[..., 0, 2] = in_the_middle[..., 2, 2] = 1
    assert pool(in_the_middle) > 2 * pool(at_the_edge)
    pool(in_the_middle).sum().backward()
    assert pool.falling.grad is not None
    assert pool.falling.grad > 0
    torch.nn.init.zeros_(pool.falling)
    torch.testing.assert_close(pool(in_the_middle), torch.full((1, 1), 1 / 25))


def test_the_weights_come_from_the_seed_alone() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        network = build_architecture("small-resnet", channels=1, size_px=16, n_classes=2)
        drawn.append(network.state_dict())
    assert all(torch.equal(weight, drawn[1][name]) for name, weight in drawn[0].items())
