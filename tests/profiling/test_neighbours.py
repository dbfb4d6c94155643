"""Neighbours, held against looking at every pair of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cellvote.profiling import measure_cells
from cellvote.study.masks import LabelImage


def image_of(text: str) -> LabelImage:
    """Read a label image from digits, rows parted by blanks."""
    return np.array([[int(digit) for digit in row] for row in text.split()], np.int32)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), distance_px=st.integers(1, 5), share=st.sampled_from([0.05, 0.3, 0.9]))
def test_neighbours_are_those_that_a_pair_of_pixels_tells(seed: int, distance_px: int, share: float) -> None:
    random = np.random.default_rng(seed)
    label_image = np.where(random.random((12, 13)) < share, random.integers(1, 6, (12, 13)), 0).astype(np.int32)
    table = measure_cells(
        np.zeros((1, 12, 13)), label_image, ["DNA"], sets="neighbours", neighbour_distance_px=distance_px
    )
    ids = table["label_id"].tolist()
    places = {i: np.argwhere(label_image == i) for i in ids}
    centres = np.array([places[i].mean(axis=0) for i in ids]).reshape(-1, 2)
    for n, i in enumerate(ids):
        away = {j: cdist(places[i], places[j]).min() for j in ids if j != i}
        assert table["neighbours_touching"][n] == sum(d <= np.sqrt(2) for d in away.values())
        assert table[f"neighbours_within_{distance_px}px"][n] == sum(d <= distance_px for d in away.values())
        others = np.sort(np.delete(cdist(centres[n : n + 1], centres)[0], n))
        for k, name in enumerate(("neighbours_first_distance", "neighbours_second_distance")):
            if k < len(others):
                assert table[name][n] == pytest.approx(others[k])
            else:
                assert np.isnan(table[name][n])


def test_the_share_of_a_border_that_touches_by_hand() -> None:
    table = measure_cells(
        np.zeros((1, 6, 8)),
        image_of("00000000 01110000 01112200 01112200 00000000 00000000"),
        ["DNA"],
        sets="neighbours",
    )
    assert table["neighbours_touching"].tolist() == [1, 1]
    assert table["neighbours_touching_share"].tolist() == pytest.approx([3 / 8, 2 / 4])


def test_a_cell_alone_has_no_neighbours() -> None:
    (said,) = measure_cells(np.zeros((1, 3, 3)), image_of("000 010 000"), ["DNA"], sets="neighbours").to_dict("records")
    assert said["neighbours_touching"] == said["neighbours_within_5px"] == said["neighbours_touching_share"] == 0
    assert np.isnan(said["neighbours_first_distance"])
