"""Two label images of one field: which cells are the same, and which are in one only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellvote.errors import SegmentationError
from cellvote.segmentation.agreement import match_label_images

LABELS = arrays.arrays(np.int32, (7, 9), elements=st.integers(0, 5))


def squares(*places: tuple[int, int, int], size: int = 40) -> np.ndarray:
    """Square cells: top, left, side; numbered from 1."""
    labels = np.zeros((size, size), np.int32)
    for label_id, (y, x, side) in enumerate(places, start=1):
        labels[y : y + side, x : x + side] = label_id
    return labels


def slow_match(first: np.ndarray, second: np.ndarray, least: float) -> dict[tuple[int, int], float]:
    """Match by looking at every pair of cells."""
    found = {}
    for a in np.unique(first[first > 0]):
        for b in np.unique(second[second > 0]):
            iou = ((first == a) & (second == b)).sum() / ((first == a) | (second == b)).sum()
            if iou >= least:
                found[int(a), int(b)] = float(iou)
    return found


def test_a_label_image_agrees_with_itself_whatever_its_numbers() -> None:
    labels = squares((1, 1, 8), (20, 5, 9), (5, 25, 10))
    other = np.array([0, 90, 7, 50])[labels]
    same = match_label_images(labels, other)
    assert same.f1 == same.precision == same.recall == 1
    assert same.matched.tolist() == [[1, 90], [2, 7], [3, 50]]
    assert same.iou.tolist() == [1, 1, 1]


def test_cells_of_one_image_only_are_named() -> None:
    first, second = squares((0, 0, 10), (20, 20, 10)), squares((0, 1, 10), (30, 0, 5), (20, 20, 6))
    found = match_label_images(first, second)
    assert found.matched.tolist() == [[1, 1]]
    assert found.iou.tolist() == pytest.approx([90 / 110])
    assert found.only_first.tolist() == [2], "36 of 100 pixels are too few"
    assert found.only_second.tolist() == [2, 3]
    assert (found.n_first, found.n_second) == (2, 3)
    assert found.f1 == pytest.approx(2 / 5)
    assert found.precision == pytest.approx(1 / 2)
    assert found.recall == pytest.approx(1 / 3)


def test_a_cell_that_is_cut_in_two_halves_has_one_partner() -> None:
    whole = np.zeros((4, 8), np.int32)
    whole[:] = 1
    halves = np.repeat([[5] * 4 + [3] * 4], 4, axis=0).astype(np.int32)
    assert match_label_images(whole, halves).matched.tolist() == [[1, 3]]
    assert match_label_images(halves, whole).matched.tolist() == [[3, 1]]
    assert match_label_images(whole, halves, 0.75).matched.tolist() == []


def test_without_cells_nothing_can_be_said_to_agree() -> None:
    empty = np.zeros((5, 5), np.int32)
    assert np.isnan(match_label_images(empty, empty).f1)
    assert match_label_images(empty, squares((0, 0, 3), size=5)).f1 == 0


@given(LABELS, LABELS, st.sampled_from([0.51, 0.6, 0.75, 1.0]))
def test_the_joint_histogram_finds_what_looking_at_every_pair_finds(
    first: np.ndarray, second: np.ndarray, least: float
) -> None:
    found = match_label_images(first, second, least)
    expected = slow_match(first, second, least)
    assert {(int(a), int(b)) for a, b in found.matched} == set(expected)
    assert found.iou.tolist() == pytest.approx([expected[int(a), int(b)] for a, b in found.matched])
    assert found.n_first == len(np.unique(first[first > 0]))
    assert found.n_second == len(np.unique(second[second > 0]))


def test_images_of_other_sizes_and_numbers_that_are_no_label_ids_are_refused() -> None:
    with pytest.raises(SegmentationError, match="one size"):
        match_label_images(np.zeros((3, 3), np.int32), np.zeros((3, 4), np.int32))
    with pytest.raises(SegmentationError, match="label ids are 1 and more"):
        match_label_images(np.full((3, 3), -1, np.int32), np.zeros((3, 3), np.int32))
    with pytest.raises(ValueError, match="between 0.5 and 1"):
        match_label_images(np.zeros((3, 3), np.int32), np.zeros((3, 3), np.int32), 0.4)
