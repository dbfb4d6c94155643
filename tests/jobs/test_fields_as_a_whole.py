"""Whole fields, the whole way: trained on, predicted, voted and evaluated without a single cell."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import SPOT_CLASSES, contents, spot_study, write_spots

from cellvote.errors import WorkerError
from cellvote.gui.facts import read_facts
from cellvote.gui.field_content import read_content
from cellvote.gui.vote_text import vote_words
from cellvote.jobs import executors
from cellvote.jobs.audit import audit_study
from cellvote.jobs.dry_run import dry_run_predict, dry_run_train
from cellvote.jobs.field_measurements import field_measurements_are_current
from cellvote.jobs.predict import evaluate_study, predict_study, vote_study
from cellvote.jobs.train import plan_training, train_study
from cellvote.learning import Classifier, TrainSettings, load_classifier
from cellvote.learning.classifier import UNSEEN
from cellvote.recipes import settings_of_recipe
from cellvote.reporting import write_report
from cellvote.study import Study
from cellvote.study.atomic import read_table

FOREST = {"unit": "field", "architecture": "forest", "n_trees": 20, "folds": 3}
NETWORK = {
    "unit": "field", "architecture": "small-resnet", "folds": 2, "epochs": 2, "batch_size": 8, "learning_rate": 1e-2
}  # fmt: skip


def train(study: Study, settings: dict[str, Any], classes: str = "spot", **options: Any) -> Classifier:
    return train_study(study, classes, settings=settings, workers=1, device="cpu", **options)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study of two fields for each well, with the predictions of a forest and of a network."""
    folder = tmp_path_factory.mktemp("spots")
    made = spot_study(folder / "s", write_spots(folder / "i", n_fields=2))
    for settings in (FOREST, NETWORK):
        train(made, settings)
        predict_study(made, str(settings["architecture"]), workers=1, device="cpu")
    return made


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study of another plate."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return spot_study(folder / "s", write_spots(folder / "i", plate="P2", seed=1))


def test_without_an_architecture_python_takes_the_recipe_of_the_unit_too(elsewhere: Study, tmp_path: Path) -> None:
    study = Study.open(shutil.copytree(elsewhere.path, tmp_path / "s.cellvote"))
    settings = {name: value for name, value in NETWORK.items() if name != "architecture"} | {"epochs": 1}
    assert train(study, settings).info.architecture == settings_of_recipe("fields", {"unit": "field"}).architecture


def test_with_one_worker_the_baseline_is_measured_in_this_process_and_told_of(
    elsewhere: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pool(n_workers: int) -> None:
        raise AssertionError(f"{n_workers} processes were started")

    monkeypatch.setattr(executors, "WorkerPool", no_pool)
    study = Study.open(shutil.copytree(elsewhere.path, tmp_path / "s.cellvote"))
    where: list[str] = []
    train(study, NETWORK | {"epochs": 1}, report=lambda progress: where.append(progress.where))
    assert field_measurements_are_current(study)
    assert f"{len(study.fields)} of {len(study.fields)} fields" in where, "those held out are predicted"


BOTH = pytest.mark.parametrize("model", ["forest", "small-resnet"])


@BOTH
def test_every_field_is_predicted_by_the_model_that_never_saw_its_well(study: Study, model: str) -> None:
    table = read_table(study.predictions_folder(model) / "cells.parquet")
    assert table.columns[:3].tolist() == ["plate", "well", "field"]
    assert not {"label_id", "centroid_y"} & set(table.columns)
    assert len(table) == len(study.fields)
    split = load_classifier(study.model_folder(model)).split
    held_out = table.merge(split, on=["plate", "well", "field"])
    assert held_out["fold_x"].tolist() == held_out["fold_y"].tolist()
    assert not split["image_hash"].isna().any()
    said = table[[f"probability_{name}" for name in SPOT_CLASSES]].to_numpy()
    np.testing.assert_allclose(said.sum(axis=1), 1)


@BOTH
def test_evaluation_is_of_fields_and_wells_and_says_what_training_said(study: Study, model: str) -> None:
    said, metrics = evaluate_study(study, model), load_classifier(study.model_folder(model)).info.metrics
    assert said["unit"] == "field"
    assert said["cell"] is None
    assert (said["field"]["n"], said["well"]["n"]) == (24, 12)
    for level in ("field", "well"):
        assert said[level] == metrics[level]
    assert set(said["baselines"]["measurements"]) == {"well", "field"}
    assert said["baselines"]["majority"]["well"]["accuracy"] == pytest.approx(0.5)


def test_a_forest_on_whole_fields_tells_small_spots_from_large_ones(study: Study, elsewhere: Study) -> None:
    assert evaluate_study(study, "forest")["field"]["accuracy"] > 0.9
    assert evaluate_study(study, "forest")["baselines"]["measurements"]["field"]["accuracy"] > 0.8
    assert not study.segmentations
    table = predict_study(elsewhere, str(study.model_folder("forest")), workers=1)
    assert set(table["fold"]) == {UNSEEN}
    there = evaluate_study(elsewhere, "forest")
    assert there["split_by"] == "study"
    assert there["field"]["accuracy"] > 0.9


@BOTH
def test_a_single_field_is_enough_for_a_vote(study: Study, model: str) -> None:
    votes = vote_study(study, model, "well")
    assert (votes["n_cells"] == 2).all()
    assert "too few cells" not in set(votes["class"])


@BOTH
def test_the_split_of_fields_can_be_audited(study: Study, model: str) -> None:
    audit = audit_study(study, load_classifier(study.model_folder(model)))
    assert (audit.fields, audit.leaks, audit.notes) == (24, (), ())


@BOTH
def test_a_dry_run_says_what_it_would_do_with_fields(study: Study, elsewhere: Study, model: str) -> None:
    before = contents(elsewhere.path)
    settings = FOREST if model == "forest" else NETWORK
    planned = dry_run_train(elsewhere, plan_training(elsewhere, "spot", TrainSettings(**settings)), "cpu")
    assert "small: 6 wells, 6 fields" in planned.reads
    assert planned.n_bytes == (0 if model == "forest" else 12 * 32 * 32 * 2)
    classifier = load_classifier(study.model_folder(model))
    assert "of 12 fields" in dry_run_predict(elsewhere, classifier, "", "cpu").reads
    assert contents(elsewhere.path) == before


@pytest.mark.parametrize("settings", [FOREST, {**NETWORK, "epochs": 1}], ids=["forest", "network"])
def test_fields_that_cannot_be_read_are_left_out_and_said(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = write_spots(tmp_path / "i")
    study = spot_study(tmp_path / "s", folder)
    (folder / "P1" / "A02_s1_GFP.tif").write_bytes(b"not an image")
    classifier = train(study, settings, name="m")
    (note,) = [note for note in classifier.info.metrics["notes"] if "could not be read" in note]
    assert note.startswith("1 field")
    assert "A02" in note
    assert classifier.info.metrics["well"]["n"] == 11
    assert "A02" not in set(classifier.split["well"])
    table = predict_study(study, "m", workers=1, device="cpu")
    assert len(table) == 11
    assert UNSEEN not in set(table["fold"])


def test_a_network_of_fields_refuses_fields_of_another_size(study: Study, tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 999, (40, 40), np.uint16)
    folder = write_spots(tmp_path / "i", plate="P3")
    for path in folder.rglob("*.tif"):
        tifffile.imwrite(path, wide)
    other = spot_study(tmp_path / "s", folder)
    with pytest.raises(WorkerError, match="field_size_px"):
        predict_study(other, str(study.model_folder("small-resnet")), workers=1, device="cpu")


# Classes made of numbers


@pytest.mark.parametrize("classes", ["il6~uniform", "il6~kmeans", "il6>=5"])
def test_a_column_of_numbers_is_cut_in_two_and_cut_alike_elsewhere(
    study: Study, elsewhere: Study, classes: str, tmp_path: Path
) -> None:
    copy = Study.open(shutil.copytree(study.path, tmp_path / "copy.cellvote"))
    classifier = train(copy, FOREST, classes, name="numbers")
    assert classifier.info.classes == ("low", "high")
    assert classifier.info.class_column == "il6"
    assert 1.0 < classifier.info.threshold <= 10.1
    truth = classifier.split.drop_duplicates("well").set_index("well")["class_name"]
    table = copy.plate_map.set_index("well")["spot"]
    assert (truth == table.loc[truth.index].map({"small": "low", "large": "high"})).all()
    assert classifier.info.metrics["field"]["accuracy"] > 0.9
    there = Study.open(shutil.copytree(elsewhere.path, tmp_path / "there.cellvote"))
    predict_study(there, classifier, workers=1)
    said = evaluate_study(there, str(classifier.folder))
    assert said["classes"] == ["low", "high"]
    assert said["field"]["n"] == 12
    assert said["field"]["accuracy"] > 0.9


# What is shown of it


@BOTH
def test_the_report_of_whole_fields_speaks_of_fields_and_of_no_segmentation(
    study: Study, model: str, tmp_path: Path
) -> None:
    page = write_report(study, model, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "24 fields" in page
    assert "Segmentation" not in page
    assert "Fields were classified as a whole" in page
    assert f"cellvote train s.cellvote --classes spot --name {model}" in page
    assert f"--set architecture={model}" in page
    assert "--set unit=field" in page


@BOTH
def test_the_window_shows_the_votes_of_whole_fields_and_colours_no_cell(study: Study, model: str) -> None:
    facts = read_facts(study, model=model)
    predicted = facts.predicted
    assert facts.problem == ""
    assert predicted is not None
    assert not predicted.of_cells
    assert len(predicted.fields) == 24
    assert set(predicted.truth.values()) == set(SPOT_CLASSES)
    assert " · probability " in vote_words(predicted.fields[study.fields[0]])
    content = read_content(study, study.fields[0], "", facts)
    assert content.overlay is None
    assert content.error == ""
