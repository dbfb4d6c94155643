"""Networks of every kind, the whole way: what training said of held-out wells is what predicting them says."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
from tests.tiny_plates import NETWORK, spot_study, write_spots

from cellvote.errors import ClassifierError
from cellvote.jobs.predict import evaluate_study, predict_study
from cellvote.jobs.train import train_study
from cellvote.learning import Classifier, load_classifier
from cellvote.learning.classifier import UNSEEN
from cellvote.learning.networks import side_by_side
from cellvote.progress import Progress
from cellvote.study import Study

CLASSES = "moa=vehicle,PI3K inhibitor"
QUICK = {**NETWORK, "epochs": 1, "folds": 2}


def train(study: Study, settings: dict[str, Any], classes: str = CLASSES, **options: Any) -> Classifier:
    return train_study(study, classes, settings=settings, workers=1, device="cpu", **options)


def predict(study: Study, classifier: Classifier | str) -> pd.DataFrame:
    return predict_study(study, classifier, workers=1, device="cpu")


def probabilities_in(table: pd.DataFrame) -> np.ndarray:
    return table[[name for name in table if str(name).startswith("probability_")]].to_numpy()


def held_to_its_word(study: Study, classifier: Classifier) -> pd.DataFrame:
    """Predict the study, see that evaluation says what training said, and return the predictions."""
    table = predict(study, classifier)
    np.testing.assert_allclose(probabilities_in(table).sum(axis=1), 1)
    assert evaluate_study(study, classifier.info.name)["cell"] == classifier.info.metrics["cell"]
    return table


def tensors_of(classifier: Classifier) -> dict[str, Any]:
    return dict(safetensors.torch.load_file(classifier.weights_path))


# Networks on cells


@pytest.fixture(scope="module")
def plain(finished_study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Classifier]:
    """Return a copy of the finished study with a network in it, whose settings are not to be changed."""
    study = Study.open(shutil.copytree(finished_study.path, tmp_path_factory.mktemp("plain") / "s.cellvote"))
    classifier = train(study, QUICK, name="plain")
    held_to_its_word(study, classifier)
    return study, classifier


def test_two_classes_may_share_one_sigmoid_output(study: Study, plain: tuple[Study, Classifier]) -> None:
    classifier = train(study, {**QUICK, "loss": "binary"}, name="binary")
    one, two = tensors_of(classifier), tensors_of(plain[1])
    assert one["fold0/head.weight"].shape[0] == 1
    assert two["fold0/head.weight"].shape[0] == 2
    held_to_its_word(study, classifier)


def test_the_mean_of_several_views_is_another_prediction_by_the_same_weights(
    study: Study, plain: tuple[Study, Classifier]
) -> None:
    home, one = plain
    several = train(study, {**QUICK, "views": 4}, name="views")
    assert all((tensor == tensors_of(one)[name]).all() for name, tensor in tensors_of(several).items())
    said = [probabilities_in(table) for table in (held_to_its_word(study, several), predict(home, one))]
    assert not np.allclose(*said)


def test_adapting_to_a_plate_is_said_to_be_transductive(study: Study, plain: tuple[Study, Classifier]) -> None:
    classifier = train(study, {**QUICK, "adapt_to_plate": True}, name="adapted")
    table = held_to_its_word(study, classifier)
    for notes in (classifier.info.metrics["notes"], evaluate_study(study, "adapted")["notes"]):
        assert sum(note.startswith("transductive") for note in notes) == 1
    assert not any("transductive" in note for note in plain[1].info.metrics["notes"])
    assert not np.allclose(probabilities_in(table), probabilities_in(predict(*plain)))


def test_grey_values_may_be_relative_to_the_negative_controls(study: Study) -> None:
    classifier = train(study, {**QUICK, "scale": "control"}, name="control")
    assert classifier.info.inputs.scale == "control"
    held_to_its_word(study, classifier)


def test_networks_are_tuned_further_for_each_value_of_a_column(tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i"))
    settings = {"unit": "field", "architecture": "small-resnet", "folds": 4, "epochs": 1, "fine_tune_epochs": 3}
    classifier = train(study, {**settings, "batch_size": 8, "fine_tune_by": "LINE"}, "spot", name="tuned")
    info = classifier.info
    assert info.tuned_by == "line"
    assert len(info.tuned) == info.n_folds == 4
    tuned = {f"fold{fold}.{value}" for fold, values in enumerate(info.tuned) for value in values}
    assert 0 < len(tuned) < 8
    assert {name.split("/")[0] for name in tensors_of(classifier)} == tuned | {f"fold{fold}" for fold in range(4)}
    too_few = [note for note in info.metrics["notes"] if "too few to tune a network for" in note]
    assert len(too_few) == 8 - len(tuned)
    table = predict(study, classifier)
    assert evaluate_study(study, "tuned")["field"] == info.metrics["field"]
    untuned = Classifier(classifier.folder, info.model_copy(update={"tuned": ((),) * 4}), classifier.split)
    by_all = predict(study, untuned)
    of_tuned = [
        f"fold{fold}.{'left' if int(well[1:]) <= 4 else 'right'}" in tuned
        for well, fold in zip(table["well"], table["fold"], strict=True)
    ]
    same = np.isclose(probabilities_in(table), probabilities_in(by_all), atol=1e-5).all(axis=1)
    assert (same == ~np.array(of_tuned)).all()


@pytest.mark.slow
def test_a_classifier_whose_folds_were_trained_side_by_side_is_the_same(
    plain: tuple[Study, Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "_WORTH_PIXELS", 0)
    monkeypatch.setattr(side_by_side, "default_workers", lambda: 2)
    study, alone = plain
    told: list[str] = []

    def report(progress: Progress) -> None:
        told.append(progress.message)

    together = train_study(study, CLASSES, settings=QUICK, name="together", workers=2, device="cpu", report=report)
    assert "training side by side" in told
    assert together.weights_path.read_bytes() == alone.weights_path.read_bytes()
    assert together.info.metrics == alone.info.metrics


@pytest.mark.slow
def test_mask_flows_and_measurements_are_fused(study: Study) -> None:
    settings = {**QUICK, "architecture": "fusion", "crop_size_px": 32}
    classifier = train(study, settings, name="fusion")
    inputs = classifier.info.inputs
    assert (inputs.parts, inputs.separate) == (("mask", "flows", "measurements"), True)
    assert (study.segmentation_folder("watershed") / "crops-32-mask.npy").exists()
    assert len(classifier.info.constants[0].means) == len(inputs.columns) > 10
    held_to_its_word(study, classifier)


# Heads on the network of another classifier


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Return a network that was trained on the whole fields of one plate."""
    folder = tmp_path_factory.mktemp("backbone")
    study = spot_study(folder / "s", write_spots(folder / "i", plate="P1", seed=7))
    settings = {"unit": "field", "architecture": "small-resnet", "folds": 2, "epochs": 2, "batch_size": 8}
    return train(study, settings, "spot", name="teacher")


def test_a_head_is_trained_on_what_the_network_of_another_study_sees(backbone: Classifier, tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i", plate="P2", seed=8, n_fields=2))
    settings = {"unit": "field", "architecture": "embeddings", "backbone": str(backbone.folder), "folds": 3}
    classifier = train(study, settings, "spot", name="head")
    assert classifier.info.inputs.size_px == (32, 32)
    assert {"backbone.safetensors", "backbone.json", "model.skops"} <= {p.name for p in classifier.folder.iterdir()}
    assert any("teacher" in note for note in classifier.info.metrics["notes"])
    assert len(list((study.path / "fields").glob("*-embeddings-teacher.npy"))) == 1
    table = predict(study, classifier)
    assert UNSEEN not in set(table["fold"])
    assert evaluate_study(study, "head")["field"] == classifier.info.metrics["field"]
    shutil.copytree(classifier.folder, tmp_path / "alone")
    other = spot_study(tmp_path / "t", write_spots(tmp_path / "j", plate="P3", seed=9))
    assert set(predict(other, load_classifier(tmp_path / "alone"))["fold"]) == {UNSEEN}


def test_a_head_is_trained_without_any_weights_to_be_fetched(tmp_path: Path) -> None:
    study = spot_study(tmp_path / "s", write_spots(tmp_path / "i", plate="P2", seed=8, n_fields=2))
    settings = {"unit": "field", "architecture": "embeddings", "folds": 3}
    classifier = train(study, settings, "spot", name="head")
    assert any("nuclei.safetensors that come with CellVote" in note for note in classifier.info.metrics["notes"])
    assert classifier.info.metrics["field"]["accuracy"] > 0.75  # a half by chance
    assert set(predict(study, classifier)["class"]) == set(classifier.info.classes)


def test_a_backbone_that_has_learned_from_these_images_is_refused(backbone: Classifier) -> None:
    study = Study.open(backbone.folder.parent.parent)
    settings = {"unit": "field", "architecture": "embeddings", "backbone": str(backbone.folder), "folds": 3}
    with pytest.raises(ClassifierError, match="'teacher' has learned from 12 of these 12 fields"):
        train(study, settings, "spot", name="head")


def test_fields_that_cannot_be_read_have_no_embedding(backbone: Classifier, tmp_path: Path) -> None:
    folder = write_spots(tmp_path / "i", plate="P2", seed=8)
    study = spot_study(tmp_path / "s", folder)
    (folder / "P2" / "B03_s1_GFP.tif").write_bytes(b"")
    settings = {"unit": "field", "architecture": "embeddings", "backbone": str(backbone.folder), "scale": "image"}
    classifier = train(study, settings, "spot", name="head")
    assert "B03" not in set(classifier.split["well"])
    assert len(predict(study, classifier)) == 11
