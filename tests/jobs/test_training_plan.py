"""The plan of a training on whole fields: what is an example, what is held out together, what is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.tiny_plates import spot_study, write_spots

from cellvote.errors import ClassesError, PlateMapError, SegmentationError, SettingsError
from cellvote.jobs.training_plan import TrainingPlan, plan_training
from cellvote.learning.settings import TrainSettings
from cellvote.plates.acquisition import FIELD
from cellvote.plates.layouts import read_plate
from cellvote.study import Study

OF_FIELDS = {"unit": "field", "architecture": "forest", "folds": 3}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("spots")
    return spot_study(folder / "s", write_spots(folder / "i", n_fields=2))


def plan(study: Study, classes: str = "spot", **settings: Any) -> TrainingPlan:
    return plan_training(study, classes, TrainSettings(**{**OF_FIELDS, **settings}))


def fields_of(*wells: str, field: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"plate": "P1", "well": list(wells), "field": field})


def test_every_field_of_a_well_is_an_example_and_no_segmentation_is_asked_for(study: Study) -> None:
    planned = plan(study)
    assert planned.segmentation == ""
    assert planned.inputs.unit == "field"
    assert len(planned.cells) == 24
    assert (planned.wells["n_cells"] == 2).all()
    keys = list(planned.cells[FIELD].itertuples(index=False, name=None))
    assert keys == [tuple(study.fields[row]) for row in planned.cells["row"]]


def test_fields_of_a_well_are_held_out_together(study: Study) -> None:
    planned = plan(study)
    assert (planned.cells.groupby("well")["fold"].nunique() == 1).all()
    assert planned.n_folds == 3
    by_column = plan(study, split_by="line")
    assert by_column.n_folds == 2
    assert (by_column.cells.groupby("group")["fold"].nunique() == 1).all()


def test_images_without_wells_are_held_out_one_by_one(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("early", "late"):
        (tmp_path / "i" / name).mkdir(parents=True)
        for number in range(4):
            image = random.integers(0, 999, (24, 24), np.uint16)
            tifffile.imwrite(tmp_path / "i" / name / f"{number}.tif", image, metadata=None)
    planned = plan(Study.create(tmp_path / "s", read_plate(tmp_path / "i")), "class_name")
    assert planned.classes == ("early", "late")
    assert planned.wells.columns[:3].tolist() == FIELD
    assert len(planned.wells) == len(planned.cells) == 8
    assert planned.cells["fold"].nunique() == 3


def test_masks_of_fields_are_those_of_a_segmentation(study: Study) -> None:
    with pytest.raises(SegmentationError):
        plan(study, architecture="small-resnet", parts=("pixels", "mask"))


def test_a_field_that_cannot_be_read_is_no_example_but_its_well_stays(study: Study) -> None:
    whole, left = plan(study), plan(study).without(fields_of("A01"))
    assert len(left.cells) == 23
    assert left.wells.loc[left.wells["well"] == "A01", "n_cells"].tolist() == [1]
    assert left.fields.equals(whole.fields)
    assert left.wells["fold"].tolist() == whole.wells["fold"].tolist()


def test_a_well_of_which_no_field_can_be_read_is_left_out_of_the_split(study: Study) -> None:
    whole = plan(study)
    left = whole.without(pd.concat([fields_of("A01"), fields_of("A01", field=2)]))
    assert len(left.wells) == left.split.trains.shape[1] == len(left.split.held_out) == 11
    assert "A01" not in set(left.fields["well"]) | set(left.cells["well"])
    both = whole.cells.merge(left.cells, on=FIELD)
    assert both["fold_x"].tolist() == both["fold_y"].tolist()
    cells = left.training_cells()
    assert left.wells["well"].to_numpy()[cells.well].tolist() == left.cells["well"].tolist()


def test_a_fold_that_holds_nothing_out_any_more_is_dropped(study: Study) -> None:
    whole = plan(study, leave_one_out=True)
    assert whole.n_folds == 12
    left = whole.without(pd.concat([fields_of("A02"), fields_of("A02", field=2)]))
    assert left.n_folds == 11
    assert sorted(left.wells["fold"]) == list(range(11))
    assert not (left.split.trains & (left.split.held_out == np.arange(11)[:, None])).any()


def test_where_no_field_of_a_class_can_be_read_nothing_is_trained(study: Study) -> None:
    planned = plan(study)
    small = planned.wells.loc[planned.wells["class_name"] == "small", "well"]
    with pytest.raises(ClassesError, match="'small'"):
        planned.without(pd.concat([fields_of(*small, field=field) for field in (1, 2)]))


@pytest.mark.parametrize(
    ("classes", "settings", "error", "message"),
    [
        ("third", {"loss": "binary"}, SettingsError, "is for two classes, and there are 3"),
        ("spot", {"fine_tune_by": "donor"}, PlateMapError, "donor"),
    ],
)
def test_what_networks_cannot_be_trained_by_is_refused_in_the_plan(
    study: Study, classes: str, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(study, classes, architecture="small-resnet", **settings)
    assert plan(study, classes, architecture="forest", **settings).n_folds == 3
