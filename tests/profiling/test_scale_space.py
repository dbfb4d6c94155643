"""Scale space: blobs and edges of each size, held against scipy's Gaussian derivatives."""

import numpy as np
import pytest
from scipy import ndimage

from cellvote.profiling import measure_cells
from cellvote.profiling.scale_space import SIGMAS_PX


@pytest.mark.parametrize("sigma_px", SIGMAS_PX[1:])
def test_blobs_and_edges_are_gaussian_derivatives(sigma_px: int) -> None:
    plane = ndimage.gaussian_filter(np.random.default_rng(1).random((90, 90)), 2) * 1000
    plane -= plane.mean()  # of which scipy's kernels, cut off at four widths, leave a little
    label_image = np.zeros((90, 90), np.int32)
    label_image[20:60, 30:70] = 1
    own = label_image > 0
    (said,) = measure_cells(plane[None], label_image, ["DNA"], sets="scale_space").to_dict("records")
    blobs = -(sigma_px**2) * ndimage.gaussian_laplace(plane, sigma_px)[own] / plane[own].std()
    edges = sigma_px * ndimage.gaussian_gradient_magnitude(plane, sigma_px)[own] / plane[own].std()
    for name in ("mean", "std", "min", "max"):
        expected = getattr(blobs, name)()
        assert said[f"blobs_{name}_{sigma_px}px_DNA"] == pytest.approx(expected, rel=0.05, abs=0.01)
    for name in ("mean", "std", "max"):
        assert said[f"edges_{name}_{sigma_px}px_DNA"] == pytest.approx(getattr(edges, name)(), rel=0.05)


def test_a_spot_stands_out_most_at_its_own_size() -> None:
    y, x = np.mgrid[-30:31, -30:31]
    for width in (1, 3):
        plane = np.exp(-(y**2 + x**2) / (2 * width**2))
        (said,) = measure_cells(plane[None], np.ones_like(y), ["DNA"], sets="scale_space").to_dict("records")
        strength = {sigma_px: said[f"blobs_max_{sigma_px}px_DNA"] for sigma_px in SIGMAS_PX}
        assert max(strength, key=strength.__getitem__) == width


def test_neither_gain_nor_offset_of_the_camera_matters() -> None:
    plane = np.random.default_rng(3).integers(0, 99, (40, 40))
    label_image = np.zeros((40, 40), np.int32)
    label_image[8:30, 9:31] = 1
    table = measure_cells(np.stack([plane, 8 * plane + 512]), label_image, ["a", "b"], sets="scale_space")
    a, b = (table.filter(regex=f"(blobs|edges).*_{name}$").to_numpy() for name in "ab")
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_cell_of_one_grey_value_has_no_scale_to_measure_in() -> None:
    table = measure_cells(np.full((1, 9, 9), 7), np.ones((9, 9), np.int32), ["DNA"], sets="scale_space")
    assert table.filter(regex="blobs|edges").isna().all(axis=None)
