"""Outline: Hu's moments held against scikit-image's, and waves of the radius."""

import numpy as np
import pytest
from skimage.measure import regionprops

from cellvote.profiling import measure_cells

Y, X = np.mgrid[-60:61, -60:61]


def outline_of(own: np.ndarray) -> dict[str, float]:
    (said,) = measure_cells(np.ones((1, *own.shape)), own.astype(np.int32), ["DNA"], sets="outline").to_dict("records")
    return said


def star(points: int, depth: float, turn: float = 0.0) -> np.ndarray:
    return np.hypot(Y, X) <= 40 * (1 + depth * np.cos(points * np.arctan2(Y, X) + turn))


def test_the_moments_are_those_of_scikit_image() -> None:
    random = np.random.default_rng(4)
    own = star(3, 0.2) & (np.hypot(Y - 8, X + 5) > 9) & (random.random(Y.shape) > 0.1)
    said, (region,) = outline_of(own), regionprops(own.astype(int))
    for k, moment in enumerate(region.moments_hu):
        expected = -np.sign(moment) * np.log10(abs(moment)) if abs(moment) > 1e-12 else 0
        assert said[f"moments_hu_{k + 1}"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_a_star_has_as_many_waves_as_points(points: int) -> None:
    said = outline_of(star(points, 0.2))
    waves = [said[f"radius_harmonic_{k}"] for k in range(1, 9)]
    assert int(np.argmax(waves)) + 1 == points
    assert waves[points - 1] == pytest.approx(0.2, abs=0.02)
    assert (said["radius_min"], said["radius_max"]) == pytest.approx((32, 48), abs=1)


def test_how_a_cell_lies_changes_little() -> None:
    upright, turned = outline_of(star(3, 0.2)), outline_of(star(3, 0.2, turn=1.0))
    for k in range(1, 9):
        assert upright[f"radius_harmonic_{k}"] == pytest.approx(turned[f"radius_harmonic_{k}"], abs=0.02)


def test_a_single_pixel_is_round() -> None:
    said = outline_of(np.pad(np.ones((1, 1), bool), 2))
    assert (said["radius_min"], said["radius_max"]) == (0.5, 0.5)
    assert np.isfinite([said[f"moments_hu_{k}"] for k in range(1, 8)]).all()
