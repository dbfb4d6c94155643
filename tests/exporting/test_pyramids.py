"""Pyramids halve what they are given, and lose nothing on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellvote.exporting.pyramids import halve_by_mean, halve_by_nearest, level_count

PLANES = arrays.arrays(
    st.sampled_from([np.uint8, np.uint16, np.int32]),
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.integers(0, 255),
)


@given(PLANES)
def test_halving_keeps_the_range_the_dtype_and_half_the_size(plane: np.ndarray) -> None:
    half = halve_by_mean(plane)
    assert half.shape == tuple(-(-n // 2) for n in plane.shape)
    assert half.dtype == plane.dtype
    assert plane.min() <= half.min()
    assert half.max() <= plane.max()


@given(PLANES)
def test_the_mean_of_each_block_is_kept(plane: np.ndarray) -> None:
    even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    if even.size:
        means = even.reshape(even.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        assert np.abs(halve_by_mean(even) - means).max() <= 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32])
def test_the_largest_values_do_not_overflow(dtype: type) -> None:
    plane = np.full((4, 4), np.iinfo(dtype).max, dtype)
    assert (halve_by_mean(plane) == np.iinfo(dtype).max).all()


def test_real_numbers_are_averaged_without_rounding() -> None:
    assert halve_by_mean(np.array([[0, 1], [0, 0]], np.float32)).tolist() == [[0.25]]


@given(PLANES)
def test_label_ids_are_never_mixed(plane: np.ndarray) -> None:
    assert set(np.unique(halve_by_nearest(plane))) <= set(np.unique(plane))


@pytest.mark.parametrize(("size", "levels"), [((1, 1), 1), ((256, 256), 1), ((257, 9), 2), ((2160, 2560), 5)])
def test_an_image_is_halved_until_it_is_small(size: tuple[int, int], levels: int) -> None:
    assert level_count(*size) == levels
