"""Radial distribution: rings from the centre of a cell to its edge, held against scipy's distances and paths."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from cellvote.profiling import measure_cells
from cellvote.study.masks import LabelImage


def rings_of(own: np.ndarray, n_rings: int) -> np.ndarray:
    """Tell the ring of each pixel by shortest paths in a graph; −1 outside."""
    edge = ndimage.distance_transform_edt(own)
    places = np.argwhere(own)
    number = np.full(own.shape, -1)
    number[own] = np.arange(len(places))
    links = []
    for i, (y, x) in enumerate(places):
        for v in (-1, 0, 1):
            for u in (-1, 0, 1):
                inside = 0 <= y + v < own.shape[0] and 0 <= x + u < own.shape[1]
                if (v or u) and inside and own[y + v, x + u]:
                    links.append((i, number[y + v, x + u], np.hypot(v, u)))
    a, b, length = map(np.array, zip(*links, strict=True))
    graph = coo_matrix((length, (a.astype(int), b.astype(int))), shape=(len(places), len(places)))
    way = dijkstra(graph, indices=int(np.argmax(edge[own])))
    rings = np.full(own.shape, -1)
    reached = np.isfinite(way)
    value = np.full(len(places), -1)
    value[reached] = (way[reached] / (way[reached] + edge[own][reached] + 0.001) * n_rings).astype(int)
    rings[own] = value
    return rings


def blobs(seed: int) -> LabelImage:
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=(40, 44)), 2.5)
    return ndimage.label(field > np.quantile(field, 0.6))[0].astype(np.int32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_rings", [2, 4, 7])
def test_shares_of_rings_follow_the_definition(seed: int, n_rings: int) -> None:
    label_image = blobs(seed)
    plane = np.random.default_rng(seed).integers(1, 1000, label_image.shape).astype(np.uint16)
    table = measure_cells(plane[None], label_image, ["DNA"], sets="radial_distribution", radial_rings=n_rings)
    for row in table[table["area"] > 1].to_dict("records"):
        rings = rings_of(label_image == row["label_id"], n_rings)
        light = np.bincount(rings[rings >= 0], plane[rings >= 0], minlength=n_rings)
        pixels = np.bincount(rings[rings >= 0], minlength=n_rings)
        for ring in range(n_rings):
            name = f"{ring + 1}of{n_rings}_DNA"
            assert row[f"radial_fraction_{name}"] == pytest.approx(light[ring] / light.sum(), rel=1e-9)
            expected = light[ring] / light.sum() / (pixels[ring] / pixels.sum()) if pixels[ring] else 0
            assert row[f"radial_mean_{name}"] == pytest.approx(expected, rel=1e-9)


def test_an_even_disk_is_alike_everywhere() -> None:
    y, x = np.mgrid[:61, :61]
    disk = ((y - 30) ** 2 + (x - 30) ** 2 < 28**2).astype(np.int32)
    (said,) = measure_cells(np.full((1, 61, 61), 9), disk, ["DNA"], sets="radial_distribution").to_dict("records")
    for ring in range(1, 5):
        assert said[f"radial_mean_{ring}of4_DNA"] == pytest.approx(1)
        assert said[f"radial_cv_{ring}of4_DNA"] == pytest.approx(0, abs=1e-12)


def test_light_on_one_side_shows_in_the_spread_of_the_outer_ring() -> None:
    y, x = np.mgrid[:61, :61]
    disk = ((y - 30) ** 2 + (x - 30) ** 2 < 28**2).astype(np.int32)
    (said,) = measure_cells((x > 30)[None] * 10.0, disk, ["DNA"], sets="radial_distribution").to_dict("records")
    assert said["radial_cv_4of4_DNA"] == pytest.approx(1)  # half of the wedges have all the light


@pytest.mark.parametrize("own", [np.ones((1, 1), np.int32), np.ones((5, 7), np.int32), np.eye(5, dtype=np.int32)])
def test_a_cell_that_fills_the_image_or_is_one_pixel_has_rings_too(own: LabelImage) -> None:
    (said,) = measure_cells(np.ones((1, *own.shape)), own, ["DNA"], sets="radial_distribution").to_dict("records")
    assert sum(said[f"radial_fraction_{ring}of4_DNA"] for ring in range(1, 5)) == pytest.approx(1)


def test_a_black_cell_has_no_distribution() -> None:
    table = measure_cells(np.zeros((1, 9, 9)), np.ones((9, 9), np.int32), ["DNA"], sets="radial_distribution")
    assert table.filter(like="radial_fraction_").isna().all(axis=None)
    assert table.filter(like="radial_mean_").isna().all(axis=None)
