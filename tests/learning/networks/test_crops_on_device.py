"""Crops on the device: black and white, and augmentation that moves pixels without making any."""

import numpy as np
import pytest
import torch

from cellvote.learning.networks.crops_on_device import augmented, intensity_limits, scaled, to_device

CPU = torch.device("cpu")
CROPS = np.random.default_rng(0).integers(0, 4096, (50, 2, 8, 8), dtype=np.uint16)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_crops_reach_the_device_with_their_values(dtype: str) -> None:
    crops = CROPS.astype(dtype)
    assert np.array_equal(to_device(crops, CPU).numpy(), crops)


def test_large_grey_values_survive_the_way() -> None:
    assert to_device(np.full((1, 1, 1, 1), 65535, np.uint16), CPU).item() == 65535


def test_black_and_white_are_percentiles_of_each_channel() -> None:
    crops = CROPS.copy()
    crops[:, 1] += 10_000
    limits = intensity_limits(crops)
    assert limits.shape == (2, 2)
    for channel in (0, 1):
        np.testing.assert_allclose(limits[:, channel], np.percentile(crops[:, channel], [1, 99.8]), rtol=1e-6)


@pytest.mark.parametrize("value", [0, 65535])
def test_a_channel_of_one_grey_value_is_still_scaled_to_numbers(value: int) -> None:
    crops = np.full((3, 1, 4, 4), value, np.uint16)
    limits = intensity_limits(crops)
    assert limits[1] > limits[0]
    assert scaled(to_device(crops, CPU), torch.from_numpy(limits)).isfinite().all()


def test_black_is_zero_white_is_one_and_nothing_is_beyond_two() -> None:
    crops = torch.tensor([0.0, 10, 60, 110, 100_000]).reshape(1, 1, 1, 5)
    limits = torch.tensor([[10.0], [110.0]])
    expected = [0, 0, 0.5**0.5, 1, 2]
    assert scaled(crops, limits).flatten().tolist() == pytest.approx(expected)


def test_each_crop_may_have_limits_of_its_own() -> None:
    crops = torch.full((2, 1, 1, 1), 50.0)
    limits = torch.tensor([[[0.0], [50.0]], [[0.0], [200.0]]])
    assert scaled(crops, limits).flatten().tolist() == pytest.approx([1, 0.5])


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_augmentation_moves_pixels_and_makes_none() -> None:
    crops = torch.from_numpy(CROPS.astype(np.float32))
    moved = augmented(crops, 0.0, draw(0))
    assert not torch.equal(moved, crops)
    assert torch.equal(moved.flatten(2).sort(dim=2).values, crops.flatten(2).sort(dim=2).values)


def test_all_channels_of_a_crop_are_moved_alike() -> None:
    one = torch.from_numpy(CROPS[:, :1].astype(np.float32))
    moved = augmented(torch.cat([one, 2 * one], dim=1), 0.0, draw(1))
    assert torch.equal(moved[:, 1], 2 * moved[:, 0])


def test_every_turn_and_flip_is_drawn() -> None:
    corner = torch.zeros(400, 1, 2, 3)[..., :2]
    corner[..., 0, 0], corner[..., 0, 1] = 1, 2
    ways = {tuple(crop.flatten().tolist()) for crop in augmented(corner, 0.0, draw(2))}
    assert len(ways) == 8


def test_brightness_changes_by_channel_and_no_more_than_was_asked_for() -> None:
    crops = torch.ones(300, 2, 2, 2)
    gains = augmented(crops, 0.2, draw(3)).amax(dim=(2, 3))
    assert gains.min() >= 0.8
    assert gains.max() <= 1.2
    assert gains.std() > 0.05
    assert not torch.equal(gains[:, 0], gains[:, 1])


def test_the_same_draw_gives_the_same_crops() -> None:
    crops = torch.from_numpy(CROPS.astype(np.float32))
    assert torch.equal(augmented(crops, 0.2, draw(4)), augmented(crops, 0.2, draw(4)))
