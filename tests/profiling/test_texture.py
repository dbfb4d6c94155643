"""Texture is that of scikit-image's co-occurrence matrices, and follows from the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import graycomatrix, graycoprops

from cellvote.profiling import measure_cells
from cellvote.profiling.objects import Objects
from cellvote.profiling.settings import MeasureSettings
from cellvote.profiling.texture import HARALICK, grey_levels

ANGLES = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)


def entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def by_definition(levels: np.ndarray, scale_px: int) -> dict[str, float]:
    """Follow Haralick's definitions with scikit-image's matrices; level 0 is left out."""
    n = int(levels.max()) + 1
    said: dict[str, list[float]] = {name: [] for name in HARALICK}
    for down, right in ((0, scale_px), (scale_px, scale_px), (scale_px, 0), (scale_px, -scale_px)):
        # scikit-image rounds distance times sine and cosine: on the diagonals its distance is longer by √2.
        distance, angle = np.hypot(down, right), np.arctan2(down, right)
        counts = graycomatrix(levels.astype(np.uint8), [distance], [angle], n, symmetric=True)
        counts[0] = counts[:, 0] = 0
        p = counts / counts.sum()
        i, j = np.mgrid[:n, :n]
        q = p[:, :, 0, 0]
        px = q.sum(axis=1)
        sums, differences = np.bincount((i + j).ravel(), q.ravel()), np.bincount(abs(i - j).ravel(), q.ravel())
        hxy = entropy(np.outer(px, px))
        said["angular_second_moment"].append(graycoprops(p, "ASM")[0, 0])
        said["contrast"].append(graycoprops(p, "contrast")[0, 0])
        said["correlation"].append(graycoprops(p, "correlation")[0, 0])
        said["variance"].append((px * (np.arange(n) - (px * np.arange(n)).sum()) ** 2).sum())
        said["inverse_difference_moment"].append(graycoprops(p, "homogeneity")[0, 0])
        said["sum_average"].append((np.arange(len(sums)) * sums).sum())
        said["sum_variance"].append((sums * (np.arange(len(sums)) - said["sum_average"][-1]) ** 2).sum())
        said["sum_entropy"].append(entropy(sums))
        said["entropy"].append(entropy(q))
        middle = (np.arange(len(differences)) * differences).sum()
        said["difference_variance"].append((differences * (np.arange(len(differences)) - middle) ** 2).sum())
        said["difference_entropy"].append(entropy(differences))
        crossed = np.outer(px, px)
        crossed = -(q[q > 0] * np.log2(crossed[q > 0])).sum()
        said["information_1"].append((entropy(q) - crossed) / entropy(px) if entropy(px) else 0.0)
        said["information_2"].append(np.sqrt(max(0.0, 1 - np.exp(-2 * (hxy - entropy(q))))))
    return {name: float(np.mean(values)) for name, values in said.items()}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale_px=st.integers(1, 4), n_levels=st.sampled_from([2, 8, 32]))
def test_texture_follows_the_definitions(seed: int, scale_px: int, n_levels: int) -> None:
    random = np.random.default_rng(seed)
    plane = random.integers(0, 1000, (30, 34)).astype(np.uint16)
    label_image = np.zeros((30, 34), np.int32)
    y, x = np.mgrid[:30, :34]
    label_image[(y - 8) ** 2 + (x - 9) ** 2 < 60] = 7
    label_image[18:30, 12:34] = 3
    chosen = MeasureSettings(texture_levels=n_levels, texture_scales_px=scale_px)
    cells = Objects.of(label_image)
    levels = np.zeros(label_image.shape, int)
    levels.ravel()[np.flatnonzero(label_image == 3)] = grey_levels(cells, plane, chosen)[cells.of_pixel == 0]
    levels.ravel()[np.flatnonzero(label_image == 7)] = grey_levels(cells, plane, chosen)[cells.of_pixel == 1]
    table = measure_cells(
        plane[None], label_image, ["DNA"], sets="texture", texture_levels=n_levels, texture_scales_px=scale_px
    ).set_index("label_id")
    for label_id in (3, 7):
        expected = by_definition(np.where(label_image == label_id, levels, 0), scale_px)
        for name, value in expected.items():
            said = table.loc[label_id, f"texture_{name}_{scale_px}px_DNA"]
            # scikit-image's correlation of a constant is 1, and its sums are of 64-bit floats, too
            assert said == pytest.approx(value, rel=1e-9, abs=1e-7), name


def test_neither_gain_nor_offset_changes_the_texture_in_a_cell_s_own_range() -> None:
    plane = np.random.default_rng(0).integers(0, 500, (20, 20)).astype(float)
    label_image = np.ones((20, 20), np.int32)
    table = measure_cells(np.stack([plane, 4 * plane + 128]), label_image, ["a", "b"], sets="texture")
    for name in HARALICK:
        assert table[f"texture_{name}_3px_a"].tolist() == table[f"texture_{name}_3px_b"].tolist()


def test_in_the_range_of_the_image_dim_cells_have_few_levels() -> None:
    plane = np.array([[0, 257, 65535, 128]], np.uint16)
    chosen = MeasureSettings(texture_range="image", texture_levels=256)
    assert grey_levels(Objects.of(np.ones((1, 4), np.int32)), plane, chosen).tolist() == [0, 1, 255, 0]


def test_a_cell_smaller_than_the_scale_has_no_texture() -> None:
    label_image = np.zeros((9, 9), np.int32)
    label_image[4, 4] = 1
    table = measure_cells(np.ones((1, 9, 9)), label_image, ["DNA"], sets="texture")
    assert table.filter(like="texture_").isna().all(axis=None)


def test_a_constant_cell_is_uniform() -> None:
    (said,) = measure_cells(np.full((1, 9, 9), 7), np.ones((9, 9), np.int32), ["DNA"], sets="texture").to_dict(
        "records"
    )
    assert said["texture_angular_second_moment_3px_DNA"] == 1
    assert said["texture_contrast_3px_DNA"] == said["texture_entropy_3px_DNA"] == 0
