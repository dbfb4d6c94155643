"""Dry runs say what would be done, and do nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_plates import FOREST, NETWORK, contents, create_study

from cellvote.errors import ClassifierError, PlateMapError, SegmentationError, SettingsError
from cellvote.jobs.dry_run import (
    DryRun,
    dry_run_create,
    dry_run_measure,
    dry_run_predict,
    dry_run_train,
)
from cellvote.jobs.dry_run_segment import dry_run_segment
from cellvote.jobs.predict import find_classifier
from cellvote.jobs.train import plan_training
from cellvote.learning import TrainSettings
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.atomic import write_table
from cellvote.synthetic import SimulatedPlate


def segment(study: Study, **options: Any) -> DryRun:
    return dry_run_segment(study, "watershed", {}, **{"name": "", "wells": "", "workers": 1} | options)


def train(study: Study, settings: dict[str, Any]) -> DryRun:
    return dry_run_train(study, plan_training(study, "moa", TrainSettings(**settings)), "cpu")


STEPS: dict[str, Callable[[Study], DryRun]] = {
    "segment": lambda study: segment(study, name="second"),
    "measure": lambda study: dry_run_measure(study, "", workers=1),
    "train a forest": lambda study: train(study, FOREST),
    "train logistic regression": lambda study: train(study, {"architecture": "logistic"}),
    "train a network": lambda study: train(study, NETWORK),
    "predict": lambda study: dry_run_predict(study, find_classifier(study, "forest"), "", "cpu"),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_dry_run_writes_nothing_and_says_where_it_would_write(step: Callable[[Study], DryRun], study: Study) -> None:
    before = contents(study.path)
    plan = step(study)
    assert contents(study.path) == before
    assert plan.writes.startswith(str(study.path))
    said = plan.to_json()
    assert list(said) == ["dry_run", "reads", "computes", "writes", "seconds", "bytes"]
    assert said["dry_run"] is True
    assert said["seconds"] is None or said["seconds"] >= 0
    assert said["bytes"] is None or said["bytes"] >= 0


def test_a_dry_run_of_creating_reads_images_and_plate_map(tiny_plate: SimulatedPlate, tmp_path: Path) -> None:
    plan = dry_run_create(tmp_path / "s", read_plate(tiny_plate.folder), [tiny_plate.plate_map_path])
    assert plan.reads == f"96 image planes of 16 wells in {tiny_plate.folder}"
    assert plan.writes == str(tmp_path / "s.cellvote")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_creating_refuses_a_plate_map_that_fits_no_well(
    tiny_plate: SimulatedPlate, tmp_path: Path
) -> None:
    (tmp_path / "map.csv").write_text("well,drug\nP24,x\n", encoding="utf-8")
    with pytest.raises(PlateMapError, match="fits no image"):
        dry_run_create(tmp_path / "s", read_plate(tiny_plate.folder), [tmp_path / "map.csv"])


def test_a_dry_run_counts_what_is_left_to_do(new_study: Study, finished_study: Study) -> None:
    assert segment(new_study).reads == "32 fields (0 are done), 3 channels each"
    assert segment(new_study, wells="A01").reads.startswith("2 fields")
    assert segment(finished_study).reads.startswith("0 fields (32 are done)")
    assert dry_run_measure(finished_study, "", workers=1).reads.startswith("0 fields")


def test_a_dry_run_shows_the_settings_that_would_be_used(finished_study: Study) -> None:
    computes = segment(finished_study, name="second").computes
    assert "nuclei_channel=DNA" in computes
    assert "None" not in computes


def test_a_dry_run_of_training_counts_the_wells_of_each_class(finished_study: Study) -> None:
    plan = train(finished_study, FOREST)
    assert "vehicle: 3 wells" in plan.reads
    assert plan.computes == "forest in 2 folds, held out by well, on cpu"
    crops = train(finished_study, NETWORK).n_bytes
    assert crops == len(finished_study.read_cells("watershed")) * 3 * 24 * 24 * 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"settings": {"nuclei_channel": "Nope"}}, SettingsError),
        ({"settings": {"nope": 1}}, SettingsError),
        ({"method": "magic"}, SegmentationError),
        ({"wells": "H12"}, SettingsError),
        ({"name": "../x"}, SettingsError),
    ],
    ids=str,
)
def test_a_dry_run_refuses_what_the_step_would_refuse(
    finished_study: Study, options: dict[str, Any], error: type[Exception]
) -> None:
    wanted = {"method": "watershed", "settings": {}, "name": "", "wells": "", "workers": 1} | options
    with pytest.raises(error):
        dry_run_segment(finished_study, wanted.pop("method"), wanted.pop("settings"), **wanted)


def test_a_dry_run_of_predicting_refuses_a_study_that_lacks_a_measurement(study: Study) -> None:
    write_table(study.cells_path("watershed"), study.read_cells("watershed").drop(columns="area"))
    with pytest.raises(ClassifierError, match="'area'"):
        dry_run_predict(study, find_classifier(study, "forest"), "", "cpu")


def test_a_field_that_cannot_be_read_does_not_stop_a_dry_run(tiny_plate: SimulatedPlate, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    next(folder.rglob("r01c01f01*ch1*.tiff")).write_bytes(b"")
    study = create_study(
        tmp_path / "s", SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth)
    )
    assert segment(study).reads.startswith("32 fields")


@pytest.mark.parametrize(
    ("plan", "duration", "size"),
    [
        (DryRun("", "", ""), "not known before it starts", "little"),
        (DryRun("", "", "", 90.4, 2**20), "90 s", "1.0 MiB"),
        (DryRun("", "", "", 600, 3 * 2**19), "10 min", "1.5 MiB"),
    ],
)
def test_times_and_sizes_are_said_in_words(plan: DryRun, duration: str, size: str) -> None:
    assert (plan.duration, plan.size) == (duration, size)
