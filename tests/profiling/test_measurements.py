"""Measurements: intensities, nucleus and cytoplasm, and what fields without cells give."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

import cellvote as cv
from cellvote.errors import SegmentationError
from cellvote.profiling.measurements import PLACE, feature_columns, measure_cells
from cellvote.study.masks import LabelImage


def image_of(text: str) -> LabelImage:
    """Read a label image from digits, rows parted by blanks."""
    return np.array([[int(digit) for digit in row] for row in text.split()], np.int32)


CELLS = image_of("110000 110022 110022 000022")
NUCLEI = image_of("000000 110020 000000 000000")
"""A cell of six pixels with a nucleus of two, and one of six with a nucleus of one."""


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]))
def test_intensities_are_those_of_scikit_image(seed: int, dtype: str) -> None:
    random = np.random.default_rng(seed)
    label_image = random.choice([0, 0, 3, 4, 900], (9, 11)).astype(np.int32)
    image = random.integers(0, 255, (2, 9, 11)).astype(dtype)
    said = measure_cells(image, label_image, ["DNA", "GFP"]).set_index("label_id")
    for channel, plane in zip(("DNA", "GFP"), image, strict=True):
        expected = regionprops_table(
            label_image,
            plane.astype(float),
            properties=("label", "intensity_mean", "intensity_min", "intensity_max", "intensity_std"),
        )
        assert said.index.tolist() == expected.pop("label").tolist()
        for name, values in expected.items():
            np.testing.assert_allclose(said[f"{name}_{channel}"], values, rtol=1e-6, atol=1e-9, err_msg=name)


def test_places_are_those_of_the_image() -> None:
    (first, second) = measure_cells(np.zeros((1, 4, 6)), CELLS, ["DNA"])[list(PLACE)].to_dict("records")
    assert first == {
        "label_id": 1,
        "centroid_y": 1.0,
        "centroid_x": 0.5,
        "bbox_y_min": 0,
        "bbox_x_min": 0,
        "bbox_y_max": 3,
        "bbox_x_max": 2,
        "touches_border": True,
        "degenerate": False,
    }
    assert (second["bbox_y_min"], second["bbox_y_max"], second["touches_border"]) == (1, 4, True)


@pytest.mark.parametrize("text", ["100 000 000", "000 100 000", "010 000 000", "000 001 000", "000 000 010"])
def test_a_cell_at_the_border_touches_it(text: str) -> None:
    assert measure_cells(np.zeros((1, 3, 3)), image_of(text), ["DNA"])["touches_border"].tolist() == [True]


def test_a_cell_inside_touches_no_border() -> None:
    inside = image_of("000 010 000")
    assert measure_cells(np.zeros((1, 3, 3)), inside, ["DNA"])["touches_border"].tolist() == [False]


@pytest.mark.parametrize("text", ["000 010 000", "000 111 000", "100 010 001", "010 010 000"])
def test_pixels_and_lines_are_degenerate(text: str) -> None:
    assert measure_cells(np.zeros((1, 3, 3)), image_of(text), ["DNA"])["degenerate"].tolist() == [True]


def test_a_cell_with_an_area_is_not_degenerate() -> None:
    assert measure_cells(np.zeros((1, 3, 3)), image_of("000 011 011"), ["DNA"])["degenerate"].tolist() == [False]


def test_nucleus_and_cytoplasm_by_hand() -> None:
    plane = np.where(NUCLEI > 0, 30, np.where(CELLS > 0, 10, 0)).astype(np.uint16)
    said = measure_cells(plane[None], CELLS, ["GFP"], NUCLEI)
    assert said["nucleus_area"].tolist() == [2, 1]
    assert said["nucleus_share"].tolist() == pytest.approx([2 / 6, 1 / 6])
    assert said["intensity_mean_nucleus_GFP"].tolist() == [30, 30]
    assert said["intensity_mean_cytoplasm_GFP"].tolist() == [10, 10]
    assert said["nucleus_cytoplasm_ratio_GFP"].tolist() == [3, 3]
    assert said["intensity_mean_GFP"].tolist() == pytest.approx([100 / 6, 80 / 6])


def ring_example() -> tuple[LabelImage, LabelImage]:
    """Make one large cell with a nucleus of 11 × 11 px: its ring is 2.48 px wide."""
    cells = np.ones((41, 41), np.int32)
    nuclei = np.zeros_like(cells)
    nuclei[15:26, 15:26] = 1
    return cells, nuclei


def test_the_ring_lies_close_around_the_nucleus() -> None:
    cells, nuclei = ring_example()
    plane = np.full(cells.shape, 5.0)  # far from the nucleus
    plane[12:29, 12:29] = 99.0  # between, but beyond the ring where three pixels away
    plane[13:28, 13:28] = 20.0  # the ring
    plane[13:15, 13:15] = plane[13:15, 26:28] = plane[26:28, 13:15] = plane[26:28, 26:28] = 20.0
    plane[nuclei > 0] = 40.0
    (said,) = measure_cells(plane[None], cells, ["GFP"], nuclei).to_dict("records")
    assert said["nucleus_ring_ratio_GFP"] == 2


def test_the_contrast_of_nucleus_and_ring_knows_neither_gain_nor_offset() -> None:
    cells, nuclei = ring_example()
    plane = np.random.default_rng(0).normal(100, 5, cells.shape) + 30 * (nuclei > 0)
    columns = [f"nucleus_ring_contrast_{name}" for name in "ab"]
    said = measure_cells(np.stack([plane, 7 * plane + 1000]), cells, ["a", "b"], nuclei)[columns].to_numpy()
    assert said[0, 0] == pytest.approx(said[0, 1], rel=1e-9)
    assert said[0, 0] > 1


def test_a_cell_without_a_nucleus_has_no_values_for_it() -> None:
    said = measure_cells(np.ones((1, 4, 6)), CELLS, ["GFP"], np.where(NUCLEI == 1, 1, 0))
    assert said["nucleus_area"].tolist() == [2, 0]
    for name in ("intensity_mean_nucleus_GFP", "nucleus_cytoplasm_ratio_GFP"):
        assert said[name].isna().tolist() == [False, True]
    for name in ("nucleus_ring_ratio_GFP", "nucleus_ring_contrast_GFP"):
        assert said[name].isna().tolist()[1]
    assert said["intensity_mean_cytoplasm_GFP"].tolist() == [1, 1]


def test_a_cell_that_is_all_nucleus_has_no_cytoplasm() -> None:
    said = measure_cells(np.ones((1, 4, 6)), CELLS, ["GFP"], CELLS)
    assert said["nucleus_share"].tolist() == [1, 1]
    assert said["intensity_mean_cytoplasm_GFP"].isna().all()
    assert said["nucleus_cytoplasm_ratio_GFP"].isna().all()


def test_a_neighbour_s_nucleus_is_not_one_s_own() -> None:
    strays = np.where(CELLS == 1, 2, 0).astype(np.int32)
    assert measure_cells(np.ones((1, 4, 6)), CELLS, ["GFP"], strays)["nucleus_area"].tolist() == [0, 0]


def test_a_black_cytoplasm_gives_no_ratio() -> None:
    plane = (NUCLEI > 0) * 7.0
    said = measure_cells(plane[None], CELLS, ["GFP"], NUCLEI)
    assert said["nucleus_cytoplasm_ratio_GFP"].isna().all()


@pytest.mark.parametrize("nuclei", [None, np.zeros((4, 6), np.int32)], ids=["cells only", "with nuclei"])
def test_a_field_without_cells_has_all_columns_and_no_rows(nuclei: LabelImage | None) -> None:
    image = np.ones((2, 4, 6), np.uint16)
    none = measure_cells(image, np.zeros((4, 6), np.int32), ["DNA", "GFP"], nuclei)
    some = measure_cells(image, CELLS, ["DNA", "GFP"], None if nuclei is None else NUCLEI)
    assert len(none) == 0
    assert list(none) == list(some)


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 6, 4), (4, 6), (1, 1, 4, 6)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SegmentationError, match="does not fit"):
        measure_cells(np.zeros(shape), CELLS, ["DNA"])


def test_nuclei_of_another_shape_are_refused() -> None:
    with pytest.raises(SegmentationError, match="does not fit"):
        measure_cells(np.zeros((1, 4, 6)), CELLS, ["DNA"], NUCLEI[:, :5])


def test_a_channel_without_a_name_is_refused() -> None:
    with pytest.raises(SegmentationError, match="1 channel names for 2 channels"):
        measure_cells(np.zeros((2, 4, 6)), CELLS, ["DNA"])


def test_classifiers_are_fed_what_a_cell_looks_like_and_not_where_it_is() -> None:
    table = measure_cells(np.ones((1, 4, 6)), CELLS, ["GFP"], NUCLEI)
    table = pd.concat([pd.DataFrame({"plate": "P", "well": ["A01"] * 2, "field": 1}), table], axis=1)
    names = feature_columns(table)
    assert {"area", "eccentricity", "intensity_std_GFP", "nucleus_share"} <= set(names)
    assert not {"plate", "well", "field", "orientation", *PLACE} & set(names)


def test_a_simulated_cell_is_measured_from_the_top_of_the_package(finished_study: cv.Study) -> None:
    cells = finished_study.read_cells("watershed")
    assert len(cells) > 100
    assert not cells.duplicated(["plate", "well", "field", "label_id"]).any()
    assert (cells["nucleus_share"].between(0, 1)).all()
    assert (cells["nucleus_cytoplasm_ratio_DNA"].dropna() > 1).mean() > 0.95
