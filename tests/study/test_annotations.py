"""Annotations are places in images: they find the cell that is there now, whatever the masks were."""

from pathlib import Path

import numpy as np
import pytest
from tests.tiny_plates import write_images

from cellvote.errors import StudyError
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.annotations import add_annotations, attach_annotations, cells_at, read_annotations
from cellvote.study.atomic import write_json
from cellvote.study.masks import read_label_image, write_label_image

KEY = FieldKey("plate", "A01", 1)


def masks() -> np.ndarray:
    image = np.zeros((24, 24), np.int32)
    image[2:10, 2:10], image[2:10, 14:22] = 4, 9
    return image


@pytest.fixture
def small(tmp_path: Path) -> Study:
    images = write_images(tmp_path / "plate", ["A01_w1.tif", "A02_w1.tif"], 24)
    study = Study.create(tmp_path / "s", read_plate(images))
    write_json(study.segmentation_folder("m") / "segmentation.json", {})
    write_label_image(study.mask_path("m", KEY), masks())
    return study


def test_a_study_has_no_annotations_to_begin_with(small: Study) -> None:
    assert read_annotations(small).empty
    found = attach_annotations(small, "m")
    assert (len(found.cells), len(found.dropped)) == (0, 0)
    assert "label_id" in found.cells


def test_an_annotation_is_of_the_cell_that_contains_it(small: Study) -> None:
    add_annotations(small, KEY, [(5, 5), (9.4, 14)], ["taxol", "DMSO"], author="Ada")
    found = attach_annotations(small, "m").cells
    assert found[["label_id", "class_name", "author", "distance_px"]].to_numpy().tolist() == [
        [4, "taxol", "Ada", 0.0],
        [9, "DMSO", "Ada", 0.0],
    ]


def test_a_point_just_beside_a_cell_means_this_cell_and_one_far_away_none(small: Study) -> None:
    add_annotations(small, KEY, [(5, 11), (20, 20)], "taxol")
    found = attach_annotations(small, "m", reach_px=3)
    assert found.cells[["label_id", "distance_px"]].to_numpy().tolist() == [[4, 2.0]]
    assert found.dropped[["y", "reason"]].to_numpy().tolist() == [[20.0, "no cell within 3 px"]]


def test_the_last_word_on_a_cell_counts_and_the_others_are_listed(small: Study) -> None:
    add_annotations(small, KEY, [(5, 5)], "taxol")
    add_annotations(small, KEY, [(6, 6)], "DMSO")
    found = attach_annotations(small, "m")
    assert found.cells["class_name"].tolist() == ["DMSO"]
    assert found.dropped["reason"].tolist() == ["the same cell was called 'DMSO' later"]


def test_annotations_of_a_field_without_masks_are_listed(small: Study) -> None:
    add_annotations(small, FieldKey("plate", "A02", 1), [(5, 5)], "taxol")
    found = attach_annotations(small, "m")
    assert found.cells.empty
    assert "has no masks" in found.dropped["reason"].iloc[0]


def test_points_outside_of_the_image_are_no_cell(small: Study) -> None:
    assert cells_at(masks(), [(-1, 5), (5, 24.6)])["label_id"].tolist() == [0, 0]
    add_annotations(small, KEY, [(-3, 5)], "taxol")
    assert attach_annotations(small, "m").dropped["reason"].tolist() == ["outside of the image"]


@pytest.mark.parametrize("points", [[(np.nan, 1)], [(np.inf, 1)]], ids=str)
def test_what_is_no_place_is_refused(small: Study, points: list[tuple[float, float]]) -> None:
    with pytest.raises(StudyError, match="has no place"):
        add_annotations(small, KEY, points, "taxol")
    assert read_annotations(small).empty


def test_a_field_that_was_not_imaged_is_refused(small: Study) -> None:
    with pytest.raises(StudyError, match="was not imaged"):
        add_annotations(small, FieldKey("plate", "H12", 1), [(1, 1)], "taxol")


def test_class_names_stay_with_their_cells_when_the_study_is_segmented_anew(study: Study) -> None:
    key = study.fields[0]
    before = read_label_image(study.mask_path("watershed", key))
    cells = study.read_cells("watershed", ["plate", "well", "field", "label_id", "centroid_y", "centroid_x"])
    here = cells[(cells["well"] == key.well) & (cells["field"] == key.field)].iloc[:3]
    places = here[["centroid_y", "centroid_x"]].to_numpy()
    add_annotations(study, key, places, ["one", "two", "three"])
    segment_study(study, "watershed", settings={"cells_channel": "none"}, wells="A01", overwrite=True, workers=1)
    after = read_label_image(study.mask_path("watershed", key))
    assert not np.array_equal(before, after)
    found = attach_annotations(study, "watershed").cells.set_index("class_name")["label_id"]
    assert sorted(found.index) == ["one", "three", "two"]
    for name, (y, x) in zip(("one", "two", "three"), places, strict=True):
        assert after[round(y), round(x)] in (0, found[name])
