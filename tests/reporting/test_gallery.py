import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cellvote.errors import ImageReadError
from cellvote.jobs.predict import read_predictions
from cellvote.reporting.gallery import (
    CERTAIN,
    DOUBTFUL,
    MISTAKEN,
    build_gallery,
    choose_cells,
    composite,
    draw_cell,
    shared_limits,
)
from cellvote.study import Study
from cellvote.study.atomic import write_json
from cellvote.study.crops import cut_crops, plain_crops
from cellvote.study.image_files import note_of

CLASSES = ("neg", "pos")
NO_TRUTH = pd.DataFrame({"plate": [], "well": [], "truth": []}, dtype="str")


def cells_of(rows: list[tuple[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["well", "probability_pos"]).assign(plate="P", field=1)
    table["label_id"] = np.arange(1, len(table) + 1)
    table["probability_neg"] = 1 - table["probability_pos"]
    table["class"] = np.where(table["probability_pos"] > 0.5, "pos", "neg")
    return table


def labels_of(chosen: pd.DataFrame, name: str, kind: str) -> list[int]:
    return chosen.loc[(chosen["class_name"] == name) & (chosen["kind"] == kind), "label_id"].tolist()


def test_the_most_certain_come_first_and_the_most_doubtful_are_those_nearest_a_tie() -> None:
    cells = cells_of([("A01", 0.9), ("A01", 0.6), ("A02", 0.99), ("A02", 0.51), ("A02", 0.1)])
    chosen = choose_cells(cells, CLASSES, NO_TRUTH, 2)
    assert labels_of(chosen, "pos", CERTAIN) == [3, 1]
    assert labels_of(chosen, "pos", DOUBTFUL) == [4, 2]
    assert labels_of(chosen, "neg", CERTAIN) == [5]
    assert chosen[chosen["kind"] == MISTAKEN].empty


def test_one_well_does_not_fill_a_row_where_there_are_others() -> None:
    cells = cells_of([("A01", 0.99)] * 50 + [("A02", 0.9), ("A03", 0.8)])
    chosen = choose_cells(cells, CLASSES, NO_TRUTH, 3)
    wells = chosen.loc[(chosen["class_name"] == "pos") & (chosen["kind"] == CERTAIN), "well"]
    assert wells.tolist() == ["A01", "A02", "A03"]


def test_mistakes_are_cells_of_wells_whose_class_is_known() -> None:
    cells = cells_of([("A01", 0.9), ("A01", 0.2), ("A02", 0.9)])
    truth = pd.DataFrame({"plate": ["P"], "well": ["A01"], "truth": ["neg"]})
    chosen = choose_cells(cells, CLASSES, truth, 4)
    assert labels_of(chosen, "neg", MISTAKEN) == [1]
    assert labels_of(chosen, "pos", MISTAKEN) == []


def test_no_more_fields_are_opened_than_allowed() -> None:
    cells = cells_of([(f"A{i:02d}", 0.5 + i / 30) for i in range(1, 13)] + [("A13", 0.01)])
    chosen = choose_cells(cells, CLASSES, NO_TRUTH, 12, most_fields=3)
    assert chosen["well"].nunique() == 3


def test_every_class_shows_its_surest_cells_however_many_fields_may_be_opened() -> None:
    sure_of_pos = [(f"A{i:02d}", 0.99 - i / 1000) for i in range(1, 13)]
    sure_of_neg = [(f"B{i:02d}", 0.01 + i / 1000) for i in range(1, 13)]
    doubtful = [("A01", 0.49), ("A01", 0.51), ("B01", 0.49), ("B01", 0.51)]
    cells = cells_of(sure_of_pos + sure_of_neg + doubtful)
    chosen = choose_cells(cells, CLASSES, NO_TRUTH, 2, most_fields=4)
    assert chosen["well"].nunique() == 4
    surest = chosen[chosen["kind"] == CERTAIN]
    assert surest["well"].tolist() == ["B01", "B02", "A01", "A02"]


def test_a_composite_adds_channels_under_one_contrast() -> None:
    crop = np.array([[[0, 100]], [[50, 50]]], np.uint8)
    image = composite(crop, np.array([[0, 100], [0, 50.0]]), ("#00ff00", "#ff00ff"))
    assert image.tolist() == [[[255, 0, 255], [255, 255, 255]]]


@pytest.mark.parametrize("value", [0, 7])
def test_flat_channels_have_limits_too(value: int) -> None:
    limits = shared_limits(np.full((3, 2, 4, 4), value, np.uint16))
    assert (limits[:, 1] > limits[:, 0]).all()


def test_the_cell_is_outlined_and_what_lies_beyond_the_image_is_grey() -> None:
    window = np.zeros((8, 8), np.int32)
    window[3:6, 3:6] = 5
    window[:, 0] = -1
    image = draw_cell(np.zeros((8, 8, 3), np.uint8), window, 5)
    times = len(image) // 8
    assert image[4 * times, 0].tolist() == [74, 82, 91]
    assert image[4 * times, 4 * times].tolist() == [0, 0, 0]
    assert image[4 * times, 3 * times - 1].min() > 150  # just outside the cell


def wells() -> list[dict[str, object]]:
    return [
        {"well": "A01", "control_type": "negative", "shares": [0.9, 0.1], "training": True},
        {"well": "A02", "control_type": "positive", "shares": [0.1, 0.9], "training": True},
    ]


def gallery_of(study: Study) -> object:
    predictions = read_predictions(study, "forest")
    return build_gallery(study, predictions, "watershed", ("negative", "positive"), NO_TRUTH, n=6)


def test_crops_that_are_there_show_the_same_as_the_images(make_study) -> None:
    study = make_study(wells=wells())
    from_images = gallery_of(study)
    cells = study.read_cells("watershed")
    crops = []
    for key in study.fields:
        own = cells[cells["well"] == key.well]
        crops.append(cut_crops(study.read_field(key), own[["centroid_y", "centroid_x"]].to_numpy(float), 32))
    part = plain_crops("watershed", 32)
    np.save(part.path(study), np.concatenate(crops))
    write_json(part.path(study).with_suffix(".json"), note_of(study, part))
    for key in study.fields:
        for path in study.planes_of(key)["path"]:
            (study.source / path).unlink()
    assert gallery_of(study) == from_images
    assert from_images.size_px == 32
    picture = Image.open(io.BytesIO(from_images.rows[0].cells[0].png))
    assert picture.size == (128, 128)


def test_missing_images_are_said_so(make_study) -> None:
    with pytest.raises(ImageReadError):
        gallery_of(make_study(wells=wells(), with_images=False))
