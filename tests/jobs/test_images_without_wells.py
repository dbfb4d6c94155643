"""Images in a folder for each class, the whole way: no wells, every image stands for itself."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import evaluate_study, predict_study, vote_study
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import plan_training, train_study
from cellvote.learning.settings import TrainSettings
from cellvote.plates.layouts import read_plate
from cellvote.reporting import write_report
from cellvote.study import Study

N_IMAGES = 8
RADII_PX = {"small": 5.0, "large": 9.0}


DISCS = {"architecture": "forest", "folds": 4, "leaks": "report"}
"""Discs of noise look so much alike that the audit takes them for copies."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("classes")
    random = np.random.default_rng(3)
    y, x = np.mgrid[:64, :64]
    for name, radius in RADII_PX.items():
        (folder / name).mkdir()
        for i in range(N_IMAGES):
            inside = (y - 32) ** 2 + (x - 32) ** 2 < (radius + random.normal(0, 0.4)) ** 2
            image = random.normal(200, 8, (64, 64)) + 900 * inside
            tifffile.imwrite(folder / name / f"cell_{i}.tif", image.astype(np.uint16))
    made = Study.create(tmp_path_factory.mktemp("studies") / "s", read_plate(folder))
    segment_study(made, "watershed", {"nucleus_diameter_px": 14}, workers=1)
    measure_study(made, workers=1)
    train_study(made, "class_name", settings=DISCS, name="m", workers=1)
    predict_study(made, "m", workers=1)
    return made


def test_the_plate_map_has_a_row_for_each_image(study: Study) -> None:
    table = study.plate_map
    assert table["field"].tolist() == list(range(1, 2 * N_IMAGES + 1))
    assert table["class_name"].tolist() == ["large"] * N_IMAGES + ["small"] * N_IMAGES
    assert set(table["well"]) == {""}


def test_images_are_held_out_whole(study: Study) -> None:
    plan = plan_training(study, "class_name", TrainSettings(folds=4))
    assert len(plan.wells) == 2 * N_IMAGES
    assert plan.cells.groupby("field")["fold"].nunique().max() == 1


def test_each_image_votes_and_the_well_level_is_null_with_a_reason(study: Study) -> None:
    result = evaluate_study(study, "m")
    assert result["field"]["n"] == 2 * N_IMAGES
    assert result["field"]["accuracy"] == 1.0
    assert result["well"] is None
    assert any("well: the images have none" in note for note in result["notes"])
    assert result["baselines"]["position"] is None
    assert result["baselines"]["majority"]["field"]["n"] == 2 * N_IMAGES
    votes = vote_study(study, "m", "field")
    assert votes["class"].tolist() == ["large"] * N_IMAGES + ["small"] * N_IMAGES
    assert vote_study(study, "m", "well").empty


def test_the_report_is_written(study: Study, tmp_path: Path) -> None:
    path = write_report(study, "m", tmp_path / "report.html")
    assert "class_name" in path.read_text(encoding="utf-8")
