"""What an epoch shows: balance, batches, plates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.learning.sampling import downsampled, drawn_by_class, epoch_batches

CODES = np.repeat([0, 1, 2], [60, 20, 5])


def random() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("balance", "counts"),
    [("downsample", [5, 5, 5]), ("downsample-to-second", [20, 20, 5]), ("weights", [60, 20, 5]), ("none", [60, 20, 5])],
)
def test_larger_classes_are_made_smaller(balance: str, counts: list[int]) -> None:
    rows = downsampled(CODES, balance, random())
    assert np.bincount(CODES[rows]).tolist() == counts
    assert len(np.unique(rows)) == len(rows)


def test_a_single_class_has_no_second_largest() -> None:
    assert len(downsampled(np.zeros(7, np.int64), "downsample-to-second", random())) == 7


def test_even_drawing_shows_each_class_equally_often() -> None:
    drawn = drawn_by_class(CODES, "sampling", random())
    counts = np.bincount(CODES[drawn])
    assert len(drawn) == len(CODES)
    assert counts.max() - counts.min() <= 5
    assert set(np.flatnonzero(CODES == 2)) <= set(drawn)


def test_drawing_by_the_root_shows_a_class_a_quarter_as_large_half_as_often() -> None:
    codes = np.repeat([0, 1], [80, 20])
    drawn = drawn_by_class(codes, "root-sampling", random())
    counts = np.bincount(codes[drawn])
    assert counts.sum() == 100
    assert 1.9 < counts[0] / counts[1] < 2.1
    assert len(np.unique(drawn)) >= 66 + 20 - 1


@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=60),
    st.integers(2, 16),
    st.sampled_from(["none", "sampling", "root-sampling"]),
)
def test_batches_hold_each_example_once_and_none_is_alone(codes: list[int], size: int, balance: str) -> None:
    batches = epoch_batches(np.array(codes), size, random(), balance=balance)
    assert all(2 <= len(batch) <= size for batch in batches)
    shown = np.concatenate(batches) if batches else np.array([], int)
    assert len(codes) - len(shown) <= 1
    if balance == "none":
        assert len(np.unique(shown)) == len(shown)


def test_batches_within_a_plate_hold_one_plate() -> None:
    plate = np.arange(85) % 3
    batches = epoch_batches(CODES, 8, random(), plate=plate)
    assert all(len(np.unique(plate[batch])) == 1 for batch in batches)
    assert len({int(plate[batch[0]]) for batch in batches[:6]}) > 1
