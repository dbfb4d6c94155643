"""Local binary patterns, held against scikit-image's."""

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from cellvote.profiling import measure_cells
from cellvote.profiling.local_patterns import RADII_PX

NAMES = (*range(9), "mixed")


@pytest.mark.parametrize("radius_px", RADII_PX)
def test_patterns_are_those_of_scikit_image(radius_px: int) -> None:
    plane = np.random.default_rng(radius_px).integers(0, 2**30, (40, 50))  # so fine that no two are the same
    label_image = np.zeros((40, 50), np.int32)
    label_image[6:20, 6:20], label_image[20:33, 12:44] = 4, 9
    table = measure_cells(plane[None], label_image, ["DNA"], sets="local_patterns")
    found = table[[f"pattern_{name}_{radius_px}px_DNA" for name in NAMES]].to_numpy()
    codes = local_binary_pattern(plane, 8, radius_px, "uniform").astype(int)
    for row, label_id in zip(found, (4, 9), strict=True):
        counts = np.bincount(codes[label_image == label_id], minlength=10)
        np.testing.assert_allclose(row, counts / counts.sum())


def test_in_an_even_cell_no_neighbour_is_darker() -> None:
    (said,) = measure_cells(
        np.full((1, 12, 12), 0.1), np.ones((12, 12), np.int32), ["DNA"], sets="local_patterns"
    ).to_dict("records")
    assert [said[f"pattern_8_{radius_px}px_DNA"] for radius_px in RADII_PX] == [1, 1, 1]


def test_patterns_change_neither_with_brightness_nor_by_quarter_turns() -> None:
    plane = np.random.default_rng(2).integers(0, 200, (30, 30))
    both = np.stack([plane, 8 * plane + 32])
    table = measure_cells(both, np.ones((30, 30), np.int32), ["a", "b"], sets="local_patterns")
    turned = measure_cells(np.rot90(both, axes=(1, 2)), np.ones((30, 30), np.int32), ["a", "b"], sets="local_patterns")
    for name in NAMES:
        assert table[f"pattern_{name}_1px_a"].item() == table[f"pattern_{name}_1px_b"].item()
        assert table[f"pattern_{name}_2px_a"].item() == pytest.approx(turned[f"pattern_{name}_2px_a"].item(), abs=0.01)
