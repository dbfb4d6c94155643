"""Training on a study: held to account on whole wells, and never mixed with another training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.tiny_plates import FOREST, NETWORK, contents

from cellvote.errors import (
    CancelledError,
    ChannelError,
    ClassesError,
    DeviceError,
    PlateMapError,
    SegmentationError,
    SettingsError,
    StudyError,
)
from cellvote.jobs.train import plan_training, train_study
from cellvote.learning import Classifier, TrainSettings, load_classifier
from cellvote.learning.predicting import load_classic
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.atomic import write_table


def train(study: Study, classes: str = "moa", **options: Any) -> Classifier:
    options = {"settings": FOREST, "workers": 1, "device": "cpu"} | options
    return train_study(study, classes, **options)


@pytest.fixture(scope="module")
def forest(finished_study: Study) -> Classifier:
    return load_classifier(finished_study.model_folder("forest"))


# The plan


def test_training_wells_are_those_with_a_class_and_cells(finished_study: Study) -> None:
    plan = plan_training(finished_study, "moa", TrainSettings())
    with_class = finished_study.plate_map[finished_study.plate_map["moa"] != ""]
    assert set(plan.wells["well"]) == set(with_class["well"])
    assert plan.classes == tuple(sorted(set(with_class["moa"])))
    assert plan.wells["n_cells"].sum() == len(plan.cells)
    table = finished_study.read_cells("watershed")
    assert plan.cells["label_id"].tolist() == table.loc[plan.cells["row"], "label_id"].tolist()


def test_classes_keep_the_order_in_which_they_were_named(finished_study: Study) -> None:
    plan = plan_training(finished_study, "MOA=vehicle,PI3K inhibitor", TrainSettings())
    assert plan.classes == ("vehicle", "PI3K inhibitor")
    assert set(plan.cells["class_name"]) == set(plan.classes)
    assert str(plan.spec) == "moa=vehicle,PI3K inhibitor"


def test_cells_at_the_border_can_be_left_out(finished_study: Study) -> None:
    plan = plan_training(finished_study, "moa", TrainSettings(exclude_border=True))
    assert not plan.cells["touches_border"].any()
    assert 0 < len(plan.cells) < len(plan_training(finished_study, "moa", TrainSettings()).cells)


def test_every_cell_of_a_group_is_in_its_fold(finished_study: Study) -> None:
    for split_by in ("well", "row"):
        plan = plan_training(finished_study, "moa", TrainSettings(split_by=split_by))
        assert (plan.cells.groupby("group")["fold"].nunique() == 1).all()
        cells = plan.training_cells()
        assert plan.wells["well"].to_numpy()[cells.well].tolist() == plan.cells["well"].tolist()
        assert [plan.classes[code] for code in cells.codes] == plan.cells["class_name"].tolist()


def test_a_class_whose_wells_hold_no_cell_is_refused(study: Study) -> None:
    vehicle = study.plate_map.loc[study.plate_map["moa"] == "vehicle", "well"]
    cells = study.read_cells("watershed")
    write_table(study.cells_path("watershed"), cells[~cells["well"].isin(vehicle)])
    with pytest.raises(ClassesError, match="no cell was measured in the wells of class 'vehicle'"):
        plan_training(study, "moa=vehicle,PI3K inhibitor", TrainSettings())


@pytest.mark.parametrize(
    ("classes", "settings", "error"),
    [
        ("mao", {}, PlateMapError),
        ("moa=vehicle", {}, ClassesError),
        ("moa=vehicle,nothing", {}, ClassesError),
        ("well", {}, ClassesError),
        ("moa", {"split_by": "donor"}, PlateMapError),
        ("moa", {"split_by": "plate"}, ClassesError),
        ("moa", {"segmentation": "other"}, SegmentationError),
        ("moa", {"trees": 5}, SettingsError),
        ("moa", {"architecture": "vgg"}, SettingsError),
        ("moa", {"architecture": "small-resnet", "channels": ["Nope"]}, ChannelError),
        ("moa", {**NETWORK, "crop_size_px": 8}, SettingsError),
    ],
    ids=str,
)
def test_nothing_is_written_for_what_cannot_be_trained(
    study: Study, classes: str, settings: dict[str, Any], error: type[Exception]
) -> None:
    before = contents(study.path)
    with pytest.raises(error):
        train(study, classes, settings=settings, name="new")
    assert contents(study.path) == before


@pytest.mark.parametrize("name", ["../x", "a/b", ".x"])
def test_a_classifier_cannot_be_written_outside_the_study(study: Study, tmp_path: Path, name: str) -> None:
    before = contents(tmp_path)
    with pytest.raises(SettingsError, match="cannot be the name of a folder"):
        train(study, name=name)
    assert contents(tmp_path) == before


def test_a_device_that_is_not_there_leaves_no_half_classifier(study: Study) -> None:
    with pytest.raises(DeviceError):
        train(study, settings=NETWORK, device="tpu")
    assert not study.model_folder("small-resnet").exists()


# The classifier


def test_a_classifier_says_how_it_was_made(forest: Classifier, finished_study: Study) -> None:
    info = forest.info
    assert info.architecture == "forest"
    assert info.settings["n_trees"] == FOREST["n_trees"]
    assert "epochs" not in info.settings
    assert info.split_by == "well"
    assert info.segmentation["name"] == "watershed"
    assert info.versions["cellvote"]
    assert len(load_classic(forest)) == info.n_folds == forest.split["fold"].nunique()
    assert forest.split.columns.tolist() == ["plate", "well", "field", "image_hash", "class_name", "group", "fold"]
    assert not forest.split["image_hash"].isna().any()


def test_it_is_better_than_the_commonest_class(forest: Classifier) -> None:
    metrics = forest.info.metrics
    assert metrics["cell"]["accuracy"] > 0.7
    for level in ("cell", "well"):
        assert metrics[level]["accuracy"] > metrics["baselines"]["majority"][level]["accuracy"]
        assert metrics[level]["n"] == metrics["baselines"]["measurements"][level]["n"]


def test_its_metrics_have_every_level_and_baseline(forest: Classifier) -> None:
    metrics = forest.info.metrics
    assert set(metrics) == {
        "classes", "cell", "field", "well", "treatment", "calibration", "drawn", "notes", "baselines", "position"
    }  # fmt: skip
    assert set(metrics["baselines"]) == {"chance", "majority", "position", "measurements"}
    for baseline in metrics["baselines"].values():
        assert set(baseline) == {"well", "cell"}
    assert np.sum(metrics["cell"]["confusion"]) == metrics["cell"]["n"]
    assert metrics["well"]["n"] == forest.split["well"].nunique()


def test_the_history_tells_every_fold(finished_study: Study) -> None:
    history = pd.read_csv(finished_study.model_folder("forest") / "history.csv")
    assert history["fold"].tolist() == [0, 1]
    assert (history["train_accuracy"] > 0.9).all()


def test_no_checkpoint_is_left(finished_study: Study) -> None:
    assert not (finished_study.model_folder("forest") / "checkpoint").exists()


# Training again


def test_a_finished_training_is_not_done_again(study: Study) -> None:
    before = contents(study.path)
    told: list[Progress] = []
    assert train(study, report=told.append).info.metrics["cell"]["n"] > 0
    assert told == []
    assert contents(study.path) == before


@pytest.mark.parametrize(
    ("classes", "settings", "difference"),
    [
        ("moa", {"n_trees": 20}, "n_trees 10 → 20"),
        ("moa", {**FOREST, "seed": 3}, "seed 0 → 3"),
        ("moa=vehicle,PI3K inhibitor", FOREST, "classes 'moa' → 'moa=vehicle,PI3K inhibitor'"),
    ],
)
def test_another_training_of_the_same_name_is_refused_with_the_difference(
    study: Study, classes: str, settings: dict[str, Any], difference: str
) -> None:
    before = contents(study.path)
    with pytest.raises(StudyError) as caught:
        train(study, classes, settings=settings)
    assert difference in str(caught.value)
    assert "--name for another one, or --overwrite" in str(caught.value)
    assert contents(study.path) == before


def test_settings_that_the_architecture_does_not_use_make_no_difference(study: Study) -> None:
    assert train(study, settings={**FOREST, "epochs": 99}).info.settings["n_trees"] == 10


def test_overwriting_trains_anew(study: Study) -> None:
    assert train(study, settings={"n_trees": 12}, overwrite=True).info.settings["n_trees"] == 12
    assert study.models == ["forest"]


def test_overwriting_with_what_cannot_be_trained_keeps_the_old(study: Study) -> None:
    before = contents(study.path)
    with pytest.raises(ClassesError):
        train(study, settings={"split_by": "plate"}, overwrite=True)
    with pytest.raises(SettingsError):
        train(study, settings={"trees": 1}, overwrite=True)
    assert contents(study.path) == before


def test_another_name_makes_a_second_classifier(study: Study) -> None:
    train(study, settings={"architecture": "logistic"})
    train(study, settings={"n_trees": 12}, name="second")
    assert study.models == ["forest", "logistic", "second"]


def test_a_cancelled_training_goes_on_and_ends_the_same(study: Study, finished_study: Study) -> None:
    token = CancelToken()
    with pytest.raises(CancelledError):
        train(study, name="again", report=lambda _: token.cancel(), cancel=token)
    folder = study.model_folder("again")
    assert [path.name for path in (folder / "checkpoint").iterdir()] == ["fold-0.skops"]
    assert study.models == ["forest"]
    resumed = train(study, name="again")
    metrics = load_classifier(finished_study.model_folder("forest")).info.metrics
    assert resumed.info.metrics == metrics
    assert not (folder / "checkpoint").exists()


# Networks


def test_a_network_is_trained_on_crops_and_a_cancelled_run_ends_the_same(study: Study) -> None:
    whole = train(study, settings=NETWORK, name="whole")
    assert whole.is_network
    assert whole.info.inputs.size_px == (24, 24)
    assert len(whole.info.constants) == whole.info.n_folds
    assert {path.name for path in whole.folder.iterdir()} == {
        "MODEL_CARD.md",
        "history.csv",
        "model.json",
        "model.safetensors",
        "split.parquet",
        "training.json",
        "votes.json",
        "votes.parquet",
    }
    token = CancelToken()

    def stop(progress: Progress) -> None:
        if "epoch 1" in progress.where:
            token.cancel()

    with pytest.raises(CancelledError):
        train(study, settings=NETWORK, name="broken", report=stop, cancel=token)
    broken = train(study, settings=NETWORK, name="broken")
    assert broken.weights_path.read_bytes() == whole.weights_path.read_bytes()
    assert broken.info.metrics == whole.info.metrics
    rows = [pd.read_csv(one.folder / "history.csv").drop(columns=["seconds", "cells_per_s"]) for one in (whole, broken)]
    pd.testing.assert_frame_equal(*rows)


def test_a_network_may_be_fed_some_of_the_channels(study: Study) -> None:
    settings = {**NETWORK, "epochs": 1, "folds": 2, "channels": ["reporter"], "scale": "none"}
    classifier = train(study, "moa=vehicle,PI3K inhibitor", settings=settings)
    assert classifier.info.inputs.channels == ("Reporter",)
    assert [len(constants.black) for constants in classifier.info.constants] == [1, 1]
