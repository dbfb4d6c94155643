"""Polar pattern: what lies on circles around the centre of a cell."""

import numpy as np
import pytest

from cellvote.profiling import measure_cells

Y, X = np.mgrid[-50:51, -50:51]
DISK = (np.hypot(Y, X) <= 20.3).astype(np.int32)


@pytest.mark.parametrize("waves", [1, 2, 3, 4])
def test_waves_around_the_centre_have_their_amplitude(waves: int) -> None:
    plane = 100 + 7 * np.cos(waves * np.arctan2(Y, X) + 0.3)
    (said,) = measure_cells(plane[None], DISK, ["DNA"], sets="polar").to_dict("records")
    unit = plane[DISK > 0].std()
    for k in (1, 2, 3, 4):
        expected = 7 / unit if k == waves else 0
        assert said[f"polar_harmonic_{k}_2of4_DNA"] == pytest.approx(expected, abs=0.06)


def test_what_lies_beside_a_cell_is_seen_beyond_its_edge() -> None:
    plane = np.random.default_rng(0).random(DISK.shape)
    plane[np.hypot(Y, X - 38) < 12] += 50
    (said,) = measure_cells(plane[None], DISK, ["DNA"], sets="polar").to_dict("records")
    assert said["polar_mean_2of8_DNA"] < 1 < said["polar_mean_7of8_DNA"]
    assert said["polar_harmonic_1_4of4_DNA"] > 20 * said["polar_harmonic_1_1of4_DNA"]


def test_neither_gain_nor_a_quarter_turn_matters() -> None:
    plane = np.random.default_rng(1).random(DISK.shape)
    table = measure_cells(np.stack([plane, 40 * plane + 9, np.rot90(plane)]), DISK, ["a", "b", "c"], sets="polar")
    a, b, c = (table.filter(regex=f"^polar.*_{name}$").to_numpy() for name in "abc")
    np.testing.assert_allclose(a, b, rtol=1e-9)
    np.testing.assert_allclose(a, c, rtol=1e-9)


def test_a_cell_of_one_grey_value_has_no_pattern() -> None:
    table = measure_cells(np.full((1, 9, 9), 7), np.ones((9, 9), np.int32), ["DNA"], sets="polar")
    assert table.filter(like="polar_").isna().all(axis=None)
