"""Granularity: what erosion and reconstruction take away, held against scikit-image's reconstruction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import disk, reconstruction

from cellvote.profiling import measure_cells
from cellvote.profiling.compiled.reconstruction import eroded, reconstructed


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    levels=st.sampled_from([2, 5, 1000]),
)
def test_reconstruction_is_that_of_scikit_image(seed: int, shape: tuple[int, int], levels: int) -> None:
    mask = np.random.default_rng(seed).integers(0, levels, shape).astype(float)
    seed_image = eroded(eroded(mask))
    cross = ndimage.generate_binary_structure(2, 1)
    twice = ndimage.grey_erosion(mask, footprint=cross, mode="constant", cval=np.inf)
    twice = ndimage.grey_erosion(twice, footprint=cross, mode="constant", cval=np.inf)
    np.testing.assert_array_equal(seed_image, twice)
    expected = reconstruction(seed_image, mask, footprint=disk(1))
    np.testing.assert_array_equal(reconstructed(seed_image, mask), expected)


def test_without_shrinking_the_spectrum_follows_the_definition() -> None:
    random = np.random.default_rng(3)
    plane = ndimage.gaussian_filter(random.random((50, 60)), 1.5) * 1000
    label_image = np.zeros((50, 60), np.int32)
    label_image[5:25, 5:30], label_image[28:45, 20:55] = 1, 2
    table = measure_cells(
        plane[None],
        label_image,
        ["DNA"],
        sets="granularity",
        granularity_subsampling=1,
        granularity_steps=5,
        granularity_background_px=8,
    )
    inf = {"mode": "constant", "cval": np.inf}
    opened = ndimage.grey_erosion(plane, footprint=disk(8), **inf)
    opened = ndimage.grey_dilation(opened, footprint=disk(8), mode="constant", cval=-np.inf)
    mask = np.maximum(plane - opened, 0)
    start = before = ndimage.mean(plane, label_image, [1, 2])
    worn = mask
    for step in range(1, 6):
        worn = ndimage.grey_erosion(worn, footprint=disk(1), **inf)
        after = ndimage.mean(reconstruction(worn, mask, footprint=disk(1)), label_image, [1, 2])
        np.testing.assert_allclose(table[f"granularity_{step:02d}_DNA"], (before - after) * 100 / start, rtol=1e-9)
        before = after


def test_small_grains_go_first_and_large_ones_later() -> None:
    plane = np.full((2, 120, 120), 10.0)
    for channel, radius in enumerate((1, 4)):
        for y in range(10, 120, 20):
            for x in range(10, 120, 20):
                plane[channel, y - radius : y + radius + 1, x - radius : x + radius + 1] = 100
    label_image = np.ones((120, 120), np.int32)
    (said,) = measure_cells(
        plane, label_image, ["fine", "coarse"], sets="granularity", granularity_subsampling=1
    ).to_dict("records")
    first = {
        name: max(range(2, 17), key=lambda step: said[f"granularity_{step:02d}_{name}"]) for name in ("fine", "coarse")
    }
    assert first == {"fine": 2, "coarse": 5}


def test_gain_makes_no_difference() -> None:
    plane = np.random.default_rng(0).integers(50, 900, (64, 80)).astype(float)
    label_image = np.ones((64, 80), np.int32)
    table = measure_cells(np.stack([plane, 8 * plane]), label_image, ["a", "b"], sets="granularity")
    for step in range(1, 17):
        a, b = (table[f"granularity_{step:02d}_{name}"].item() for name in "ab")
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 40), (1, 100)])
def test_an_image_too_small_to_be_shrunk_has_no_granularity(shape: tuple[int, int]) -> None:
    table = measure_cells(np.ones((1, *shape)), np.ones(shape, np.int32), ["DNA"], sets="granularity")
    assert table.filter(like="granularity_").isna().all(axis=None)
