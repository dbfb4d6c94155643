"""Augmentation: every stream of an example alike, vectors with their image, the same draws for the same seed."""

import numpy as np
import pytest
import torch

from cellvote.learning.examples import StreamLayout
from cellvote.learning.networks.augmentation import _moved, augmented, mixed, shrunk, views
from cellvote.learning.settings.augmentation import AugmentationSettings

STILL = AugmentationSettings(flips=False, transposition=False, intensity_jitter=0)
FLOWS = StreamLayout(vectors=((0, 1),))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def towards_the_middle(size: int = 33) -> torch.Tensor:
    """A field of vectors that all point to the middle: it looks the same however it is turned or flipped."""
    y, x = np.mgrid[:size, :size] - size // 2
    length = np.maximum(np.hypot(y, x), 1)
    return torch.from_numpy(np.stack([-y / length, -x / length])).float()


def test_no_augmentation_leaves_the_images_as_they_are() -> None:
    images = torch.rand(4, 2, 8, 8)
    assert torch.equal(augmented((images,), STILL, generator())[0], images)


def test_images_begin_at_half_their_size_and_grow_to_all_of_it() -> None:
    settings = AugmentationSettings(small_first=0.8)
    images, measured = torch.rand(2, 1, 64, 96), torch.rand(2, 5)
    seen = [shrunk((images, measured), settings, 0.1 * tenth) for tenth in range(11)]
    assert [one[0].shape[2:] for one in (seen[0], seen[4], seen[8])] == [(32, 48), (48, 72), (64, 96)]
    assert all(torch.equal(one[1], measured) for one in seen)
    assert torch.equal(seen[8][0], images)
    torch.testing.assert_close(seen[0][0], torch.nn.functional.avg_pool2d(images, 2))


@pytest.mark.parametrize("side", [16, 21, 33])
def test_shrunk_images_are_never_too_small_for_a_network_nor_larger_than_they_were(side: int) -> None:
    for share_done in (0.0, 0.5, 0.95):
        (seen,) = shrunk((torch.rand(1, 1, side, side),), AugmentationSettings(small_first=1), share_done)
        assert 16 <= seen.shape[-1] <= side


def test_all_eight_views_are_drawn_and_all_streams_of_an_example_are_turned_alike() -> None:
    image = torch.rand(1, 1, 6, 6)
    images = image.repeat(400, 1, 1, 1)
    one, two = augmented((images, 2 * images), AugmentationSettings(intensity_jitter=0), generator())
    assert len({tuple(view.flatten().tolist()) for view in one}) == 8
    torch.testing.assert_close(two, 2 * one)


def test_images_that_are_not_square_are_flipped_but_not_transposed() -> None:
    images = torch.rand(1, 1, 4, 6).repeat(200, 1, 1, 1)
    (turned,) = augmented((images,), AugmentationSettings(intensity_jitter=0), generator())
    assert turned.shape == images.shape
    assert len({tuple(view.flatten().tolist()) for view in turned}) == 4


def test_flows_still_point_to_the_middle_after_every_flip_and_turn() -> None:
    flows = towards_the_middle()
    for (seen,) in views((flows[None],), 8, [FLOWS]):
        torch.testing.assert_close(seen[0], flows)
    (turned,) = augmented((flows.repeat(64, 1, 1, 1),), AugmentationSettings(), generator(), [FLOWS])
    torch.testing.assert_close(turned, flows.repeat(64, 1, 1, 1))


def test_flows_still_point_to_the_middle_after_rotation_and_zoom() -> None:
    flows = towards_the_middle(65)
    settings = STILL.model_copy(update={"rotate_degrees": 180, "zoom": 0.1})
    (turned,) = augmented((flows.repeat(16, 1, 1, 1),), settings, generator(), [FLOWS])
    y, x = np.mgrid[:65, :65] - 32
    ring = torch.from_numpy((np.hypot(y, x) > 8) & (np.hypot(y, x) < 25))
    assert float((turned - flows).abs()[:, :, ring].max()) < 0.05


def test_a_quarter_turn_by_rotation_is_that_of_the_image() -> None:
    images = torch.rand(1, 1, 9, 9)
    turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    moved = _moved(images, turn, torch.zeros(1, 2, dtype=torch.float64), StreamLayout())
    torch.testing.assert_close(moved, images.rot90(1, (-2, -1)), atol=1e-4, rtol=0)


def test_a_shift_is_by_at_most_the_share_that_was_asked_for() -> None:
    images = torch.zeros(64, 1, 40, 60)
    images[:, :, 20, 30] = 1
    (moved,) = augmented((images,), STILL.model_copy(update={"shift": 0.1}), generator())
    places = moved.flatten(2).argmax(-1)
    y, x = places // 60 - 20, places % 60 - 30
    assert int(y.abs().max()) <= 4 < int(x.abs().max()) + 2
    assert int(x.abs().max()) <= 6
    assert len(x.unique()) > 5


def test_only_grey_values_are_made_brighter_and_noisy() -> None:
    layout = StreamLayout(jittered=(0,))
    settings = STILL.model_copy(update={"intensity_jitter": 0.5, "noise": 0.1})
    images = torch.ones(32, 2, 16, 16)
    (changed,) = augmented((images,), settings, generator(), [layout])
    assert torch.equal(changed[:, 1], images[:, 1])
    means = changed[:, 0].mean((1, 2))
    assert 0.5 <= float(means.min()) < 0.8 < 1.2 < float(means.max()) <= 1.55
    assert float(changed[:, 0].std((1, 2)).mean()) == pytest.approx(0.1, rel=0.1)


def test_the_same_seed_draws_the_same_images() -> None:
    settings = AugmentationSettings(rotate_degrees=20, zoom=0.1, shift=0.05, shear_degrees=5, noise=0.05)
    images = torch.rand(8, 2, 16, 16)
    first, again, other = (augmented((images,), settings, generator(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_mixed_targets_are_the_shares_of_what_is_seen(how: str) -> None:
    images = torch.eye(2).repeat(16, 1)[:, :, None, None].expand(-1, -1, 64, 64).contiguous()
    codes = torch.tensor([0, 1]).repeat(16)
    measurements = torch.eye(2).repeat(16, 1)
    settings = STILL.model_copy(update={how: 1.0})
    (seen, measured), targets = mixed((images, measurements), codes, 2, settings, generator())
    torch.testing.assert_close(targets.sum(1), torch.ones(32))
    torch.testing.assert_close(seen.mean((2, 3)), targets, atol=0.05, rtol=0)
    torch.testing.assert_close(measured, targets)
    assert int(((targets > 0.05) & (targets < 0.95)).any(1).sum()) > 5


def test_without_mixing_targets_are_the_classes() -> None:
    images, codes = torch.rand(3, 1, 4, 4), torch.tensor([2, 0, 1])
    (seen,), targets = mixed((images,), codes, 3, STILL, generator())
    assert torch.equal(seen, images)
    assert torch.equal(targets.argmax(1), codes)


def test_views_are_all_different_and_the_first_is_the_image() -> None:
    images = torch.rand(2, 1, 5, 5)
    measurements = torch.rand(2, 3)
    seen = list(views((images, measurements), 8, [StreamLayout()]))
    assert torch.equal(seen[0][0], images)
    assert all(torch.equal(one[1], measurements) for one in seen)
    assert len({tuple(one[0].flatten().tolist()) for one in seen}) == 8
    assert len(list(views((torch.rand(1, 1, 4, 6),), 8, [StreamLayout()]))) == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_sees_what_the_cpu_sees() -> None:
    settings = AugmentationSettings(
        rotate_degrees=20, zoom=0.1, shift=0.05, shear_degrees=5, noise=0.05, mixup=0.4, cutmix=1.0
    )
    images, flows, codes = torch.rand(16, 2, 32, 32), torch.rand(16, 4, 32, 32), torch.arange(16) % 3
    layouts = [StreamLayout(jittered=(0, 1)), FLOWS]
    results = []
    for device in ("cpu", "cuda"):
        random = generator()
        streams = augmented((images.to(device), flows.to(device)), settings, random, layouts)
        streams, targets = mixed(streams, codes.to(device), 3, settings, random)
        results.append([one.cpu() for one in (*streams, targets)])
    for cpu, gpu in zip(*results, strict=True):
        torch.testing.assert_close(cpu, gpu, atol=1e-4, rtol=1e-4)
