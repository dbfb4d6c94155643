"""Crops: centred on their cells, and never those of a cells table that has changed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_plates import store_crops

from cellvote.errors import StudyError
from cellvote.jobs.measure import measure_study
from cellvote.jobs.segment import segment_study
from cellvote.study import Study
from cellvote.study.atomic import write_table
from cellvote.study.crops import crops_are_current, cut_crops, open_crops, plain_crops, usual_crop_size_px

IMAGE = np.random.default_rng(0).integers(0, 4096, (2, 20, 30), dtype=np.uint16)


@given(y=st.integers(0, 19), x=st.integers(0, 29), size_px=st.sampled_from([1, 2, 5, 8, 16]))
def test_the_middle_of_a_crop_is_the_pixel_under_the_centre_of_its_cell(y: int, x: int, size_px: int) -> None:
    (crop,) = cut_crops(IMAGE, np.array([[y + 0.4, x + 0.9]]), size_px)
    assert crop.shape == (2, size_px, size_px)
    assert np.array_equal(crop[:, size_px // 2, size_px // 2], IMAGE[:, y, x])


def test_a_crop_inside_the_image_is_a_part_of_it() -> None:
    (crop,) = cut_crops(IMAGE, np.array([[10.0, 15.0]]), 6)
    assert np.array_equal(crop, IMAGE[:, 7:13, 12:18])


def test_beyond_the_image_its_edge_is_repeated() -> None:
    (corner,) = cut_crops(IMAGE, np.array([[0.0, 0.0]]), 4)
    assert (corner[:, :2, :2] == IMAGE[:, :1, :1]).all()
    assert np.array_equal(corner[:, 2:, 2:], IMAGE[:, :2, :2])


def test_a_crop_may_be_larger_than_the_image() -> None:
    (crop,) = cut_crops(IMAGE, np.array([[10.0, 15.0]]), 64)
    assert np.array_equal(crop[:, 22:42, 17:47], IMAGE)


@pytest.mark.parametrize(
    ("dtype", "kept"), [("uint8", "uint8"), ("uint16", "uint16"), ("int32", "float32"), ("float64", "float32")]
)
def test_grey_values_of_cameras_are_kept_as_they_are(dtype: str, kept: str) -> None:
    assert cut_crops(IMAGE.astype(dtype), np.zeros((1, 2)), 4).dtype == kept


def test_no_cells_give_no_crops() -> None:
    assert cut_crops(IMAGE, np.zeros((0, 2)), 8).shape == (0, 2, 8, 8)


@pytest.mark.parametrize(("side", "size_px"), [(3, 32), (32, 32), (33, 40), (100, 104), (500, 128)])
def test_the_usual_crop_holds_nine_cells_of_ten(side: int, size_px: int) -> None:
    sides = np.array([side] * 19 + [1000])
    cells = pd.DataFrame({"bbox_y_min": 5, "bbox_x_min": 7, "bbox_y_max": 5 + sides // 2, "bbox_x_max": 7 + sides})
    assert usual_crop_size_px(cells) == size_px


def test_without_cells_the_usual_crop_is_the_smallest() -> None:
    columns = ("bbox_y_min", "bbox_x_min", "bbox_y_max", "bbox_x_max")
    assert usual_crop_size_px(pd.DataFrame({name: np.zeros(0, int) for name in columns})) == 32


def test_each_row_of_the_crops_is_of_the_same_row_of_the_cells(study: Study) -> None:
    store_crops(study, 16)
    crops, cells = open_crops(study, "watershed", 16), study.read_cells("watershed")
    assert crops.shape == (len(cells), 3, 16, 16)
    for key in study.fields[:3]:
        rows = np.flatnonzero((cells["well"] == key.well) & (cells["field"] == key.field))
        centroids = cells.loc[rows, ["centroid_y", "centroid_x"]].to_numpy()
        assert np.array_equal(crops[rows], cut_crops(study.read_field(key), centroids, 16))


def test_crops_are_current_until_the_cells_change(study: Study) -> None:
    assert not crops_are_current(study, "watershed", 16)
    store_crops(study, 16)
    assert crops_are_current(study, "watershed", 16)
    assert not crops_are_current(study, "watershed", 24)
    write_table(study.cells_path("watershed"), study.read_cells("watershed").iloc[1:])
    assert not crops_are_current(study, "watershed", 16)


def test_crops_of_cells_that_were_measured_anew_are_thrown_away(study: Study) -> None:
    store_crops(study, 16)
    segment_study(study, "watershed", settings={"threshold_factor": 1.1}, wells="A*", overwrite=True, workers=1)
    measure_study(study, workers=1)
    assert not plain_crops("watershed", 16).path(study).exists()
    store_crops(study, 16)
    assert len(open_crops(study, "watershed", 16)) == len(study.read_cells("watershed"))


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY\x01\x00 not an array"])
def test_missing_or_damaged_crops_say_what_to_do(study: Study, content: bytes | None) -> None:
    path: Path = plain_crops("watershed", 16).path(study)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StudyError, match="Train or predict again to cut them"):
        open_crops(study, "watershed", 16)
