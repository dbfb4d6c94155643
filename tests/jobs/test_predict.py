"""Predicting and evaluating: no cell by a model that saw its well, at home or elsewhere."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.tiny_plates import FOREST, NETWORK, SETTINGS, contents, create_study

from cellvote.errors import ChannelError, ClassifierError, PredictionsError, SettingsError
from cellvote.jobs import probabilities
from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import evaluate_study, find_classifier, predict_study, read_predictions, vote_study
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import plan_training, train_study
from cellvote.learning import TrainSettings, load_classifier
from cellvote.learning.classifier import UNSEEN
from cellvote.learning.inputs import feature_matrix
from cellvote.learning.predicting import load_classic
from cellvote.learning.scaling import FeedingConstants
from cellvote.plates.layouts import read_plate
from cellvote.plates.plate_map import read_plate_map
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_table
from cellvote.synthetic import PlateSettings, SimulatedPlate, write_plate
from cellvote.voting import VoteSettings

ANY_NUMBER = VoteSettings(min_cells=1)


# Predictions


def test_every_measured_cell_is_predicted(finished_study: Study) -> None:
    table = read_predictions(finished_study, "forest")
    cells = finished_study.read_cells("watershed")
    keys = ["plate", "well", "field", "label_id", "centroid_y", "centroid_x"]
    pd.testing.assert_frame_equal(table[keys], cells[keys])
    classes = load_classifier(finished_study.model_folder("forest")).info.classes
    said = table[[f"probability_{name}" for name in classes]].to_numpy()
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert table["class"].tolist() == [classes[i] for i in said.argmax(axis=1)]
    assert np.array_equal(table["probability"], said.max(axis=1))


def test_training_cells_are_of_the_fold_that_held_their_well_out(finished_study: Study) -> None:
    table = read_predictions(finished_study, "forest")
    split = load_classifier(finished_study.model_folder("forest")).split
    fold_of = split.drop_duplicates("well").set_index("well")["fold"]
    expected = table["well"].map(fold_of).fillna(UNSEEN)
    assert table["fold"].tolist() == expected.tolist()
    assert set(table["fold"]) == {UNSEEN, 0, 1}


class Spy:
    """A model that remembers what it was shown."""

    def __init__(self, model: Any) -> None:
        self.model, self.classes_ = model, model.classes_
        self.shown: list[np.ndarray] = []

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        self.shown.append(features)
        return np.asarray(self.model.predict_proba(features))


def test_no_model_is_shown_a_cell_of_a_well_that_it_was_trained_on(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = load_classifier(study.model_folder("forest"))
    spies = [Spy(model) for model in load_classic(classifier)]
    monkeypatch.setattr(probabilities, "load_classic", lambda _: spies)
    table = predict_study(study, "forest", workers=1)
    features = feature_matrix(study.read_cells("watershed"), classifier.info.inputs)
    split = classifier.split
    for fold, spy in enumerate(spies):
        learned = set(split.loc[split["fold"] != fold, "well"])
        forbidden = {row.tobytes() for row in features[table["well"].isin(learned)]}
        shown = [row.tobytes() for part in spy.shown for row in part]
        assert len(shown) == ((table["fold"] == fold) | (table["fold"] == UNSEEN)).sum()
        assert not forbidden & set(shown)


def test_predicting_again_gives_the_same_bytes(study: Study, finished_study: Study) -> None:
    predict_study(study, "forest", workers=1)
    for name in ("cells", "fields", "wells", "treatments"):
        paths = [one.predictions_folder("forest") / f"{name}.parquet" for one in (study, finished_study)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_what_training_was_held_to_account_for_is_what_evaluation_says(finished_study: Study) -> None:
    metrics = load_classifier(finished_study.model_folder("forest")).info.metrics
    said = evaluate_study(finished_study, "forest")
    for level in ("cell", "field", "well", "treatment"):
        assert said[level] == metrics[level], level
    assert said["calibration"]["ece"] == pytest.approx(metrics["calibration"]["ece"])
    assert said["baselines"] == metrics["baselines"]


# Votes


def test_votes_of_every_level_stand_beside_the_predictions(finished_study: Study) -> None:
    folder = finished_study.predictions_folder("forest")
    assert {path.name for path in folder.iterdir()} == {
        "cells.parquet",
        "fields.parquet",
        "wells.parquet",
        "treatments.parquet",
        "predictions.json",
    }
    with_cells = finished_study.read_cells("watershed")["well"].nunique()
    assert len(read_table(folder / "wells.parquet")) == with_cells
    pd.testing.assert_frame_equal(read_table(folder / "wells.parquet"), vote_study(finished_study, "forest"))


def test_cells_vote_by_any_column_of_the_plate_map(study: Study) -> None:
    votes = vote_study(study, "forest", "compound", ANY_NUMBER)
    assert votes["compound"].tolist() == sorted(votes["compound"].unique())
    assert votes["n_cells"].sum() == len(study.read_cells("watershed"))
    with pytest.raises(SettingsError, match="use field, well or treatment"):
        vote_study(study, "forest", "plate")


def test_other_vote_settings_are_kept_for_every_level(study: Study) -> None:
    vote_study(study, "forest", "well", ANY_NUMBER)
    folder = study.predictions_folder("forest")
    for name in ("fields", "wells", "treatments"):
        assert "too few cells" not in set(read_table(folder / f"{name}.parquet")["class"])
    assert read_json(folder / "predictions.json")["vote"] == ANY_NUMBER.model_dump(mode="json")


def test_a_study_without_treatments_has_none_to_vote_on(study: Study) -> None:
    write_table(study.path / "platemap.parquet", study.plate_map[["plate", "well", "imaged", "moa"]])
    bare = Study.open(study.path)
    predict_study(bare, "forest", workers=1)
    assert len(vote_study(bare, "forest", "treatment")) == 0
    assert evaluate_study(bare, "forest")["treatment"] is None


# What is out of date


def test_predictions_of_cells_that_were_measured_anew_are_refused(study: Study) -> None:
    write_table(study.cells_path("watershed"), study.read_cells("watershed").iloc[:-1])
    for use in (read_predictions, vote_study, evaluate_study):
        with pytest.raises(PredictionsError, match="measured anew.*Run: cellvote predict"):
            use(study, "forest")


def test_predictions_of_a_classifier_that_was_trained_anew_are_refused(study: Study) -> None:
    train_study(study, "moa", settings={**FOREST, "seed": 5}, overwrite=True, workers=1)
    for use in (vote_study, evaluate_study):
        with pytest.raises(PredictionsError, match="Run: cellvote predict"):
            use(study, "forest")


def test_a_classifier_that_has_not_predicted_says_what_to_run(study: Study) -> None:
    shutil.rmtree(study.predictions_folder("forest"))
    with pytest.raises(PredictionsError, match="'forest' has not predicted this study. Run: cellvote predict"):
        evaluate_study(study, "forest")


def test_a_classifier_that_is_not_there_is_refused_with_those_that_are(study: Study) -> None:
    with pytest.raises(ClassifierError, match=r"'nope' is neither a classifier of this study \(forest\)"):
        find_classifier(study, "nope")


def test_a_study_without_cells_has_nothing_to_predict(study: Study) -> None:
    write_table(study.cells_path("watershed"), study.read_cells("watershed").iloc[:0])
    with pytest.raises(PredictionsError, match="no cell was measured"):
        predict_study(study, "forest", workers=1)


def test_cells_of_a_training_well_that_were_measured_after_training_do_not_count(study: Study) -> None:
    plan = plan_training(study, "moa", TrainSettings(**FOREST))
    cells = study.read_cells("watershed")
    late = (cells["well"] == plan.wells["well"][0]) & (cells["field"] == 2)
    assert late.any()
    write_table(study.cells_path("watershed"), cells[~late])
    measured = study.segmentation_folder("watershed") / "measured.parquet"
    train_study(study, "moa", settings=FOREST, name="early", workers=1)
    write_table(study.cells_path("watershed"), cells)
    assert measured.exists()
    table = predict_study(study, "early", workers=1)
    n_held_out = int((table["fold"] != UNSEEN).sum())
    assert (table.loc[late.to_numpy(), "fold"] == UNSEEN).all()
    assert evaluate_study(study, "early")["cell"]["n"] == n_held_out


# Another study


@pytest.fixture(scope="module")
def renamed(tiny_plate: SimulatedPlate, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a measured study of a copy of the tiny plate: other names, other wells, other plate."""
    folder = tmp_path_factory.mktemp("renamed")
    images = folder / "Other plate"
    images.mkdir()
    for path in sorted(tiny_plate.images_folder.glob("*.tiff")):
        row, rest = int(path.name[1:3]), path.name[3:]
        shutil.copy(path, images / f"r{row + 4:02d}{rest}")
    acquisition = read_plate(images)
    named = ("DNA", "Actin", "Reporter")
    acquisition = type(acquisition)(acquisition.source, acquisition.layout, acquisition.planes, named)
    plate_map = read_plate_map(tiny_plate.plate_map_path)
    plate_map["well"] = [chr(ord(well[0]) + 4) + well[1:] for well in plate_map["well"]]
    study = Study.create(folder / "renamed", acquisition, plate_map)
    segment_study(study, "watershed", workers=1)
    measure_study(study, workers=1)
    return study


def test_wells_that_were_trained_on_are_known_by_their_pixels_whatever_their_names(
    renamed: Study, finished_study: Study
) -> None:
    model = str(finished_study.model_folder("forest"))
    table = predict_study(renamed, model, workers=1)
    at_home = read_predictions(finished_study, "forest")
    assert table["fold"].tolist() == at_home["fold"].tolist()
    columns = [name for name in table if str(name).startswith("probability")]
    np.testing.assert_allclose(table[columns], at_home[columns])
    with pytest.raises(PredictionsError, match="no well has a known class that the classifier was not trained on"):
        evaluate_study(renamed, model)


def test_elsewhere_only_wells_that_nobody_trained_on_are_evaluated(finished_study: Study, tmp_path: Path) -> None:
    settings = PlateSettings(**{**SETTINGS.model_dump(), "seed": 2, "name": "P-2", "fields_per_well": 1})
    other = create_study(tmp_path / "other", write_plate(tmp_path / "plate", settings))
    segment_study(other, "watershed", workers=1)
    measure_study(other, workers=1)
    model = str(finished_study.model_folder("forest"))
    table = predict_study(other, model, vote_settings=ANY_NUMBER, workers=1)
    assert set(table["fold"]) == {UNSEEN}
    said = evaluate_study(other, model)
    assert said["split_by"] == "study"
    assert said["cell"]["n"] == table["well"].isin(other.plate_map.loc[other.plate_map["moa"] != "", "well"]).sum()
    assert said["cell"]["accuracy"] > said["baselines"]["majority"]["cell"]["accuracy"]
    assert said["baselines"]["position"] is None
    assert any("only where the classifier was trained" in note for note in said["notes"])
    by_name = evaluate_study(other, "forest")
    assert by_name == said
    with pytest.raises(PredictionsError, match="name the column here with --classes"):
        evaluate_study(other, model, classes="control_type")


def test_a_study_with_other_channel_names_is_refused_before_anything_is_written(
    tiny_plate: SimulatedPlate, finished_study: Study, tmp_path: Path
) -> None:
    images = shutil.copytree(tiny_plate.images_folder, tmp_path / "P")
    (images / "Index.idx.xml").unlink()
    other = Study.create(tmp_path / "other", read_plate(images))
    segment_study(other, "watershed", settings={"nuclei_channel": "ch1"}, wells="A*", workers=1)
    measure_study(other, workers=1)
    before = contents(other.path)
    with pytest.raises(
        ClassifierError, match="trained on the channels DNA, Actin, Reporter; the study has ch1, ch2, ch3"
    ):
        predict_study(other, str(finished_study.model_folder("forest")), workers=1)
    assert contents(other.path) == before


# Networks


def test_a_network_predicts_at_home_and_elsewhere(study: Study, renamed: Study) -> None:
    settings = {**NETWORK, "epochs": 1, "channels": ["Reporter", "DNA"]}
    classifier = train_study(study, "moa", settings=settings, workers=1, device="cpu")
    at_home = predict_study(study, classifier, workers=1, device="cpu")
    there = predict_study(renamed, classifier, workers=1, device="cpu")
    columns = [name for name in at_home if str(name).startswith("probability_")]
    np.testing.assert_allclose(at_home[columns].sum(axis=1), 1)
    np.testing.assert_allclose(at_home[columns], there[columns], atol=1e-6)
    said = evaluate_study(study, "small-resnet")
    assert said["cell"] == classifier.info.metrics["cell"]


def test_a_network_s_channels_must_be_there(study: Study, tmp_path: Path) -> None:
    classifier = train_study(study, "moa", settings={**NETWORK, "epochs": 1, "folds": 2}, workers=1, device="cpu")
    renamed_channels = study.info.model_copy(update={"channels": ("A", "B", "C")})
    with pytest.raises(ChannelError, match="no channel 'DNA'; the images have: A, B, C"):
        predict_study(Study(study.path, renamed_channels), classifier, workers=1, device="cpu")


@pytest.mark.parametrize(
    "constants",
    [FeedingConstants(), FeedingConstants(black=(0.0,), white=(1.0,))],
    ids=["none", "of another number of channels"],
)
def test_a_network_whose_intensity_limits_do_not_fit_is_refused(study: Study, constants: FeedingConstants) -> None:
    settings = {**NETWORK, "epochs": 1, "folds": 2, "scale": "none"}
    classifier = train_study(study, "moa", settings=settings, workers=1, device="cpu")
    garbled = classifier.info.model_copy(update={"constants": (constants,) * 2})
    with pytest.raises(ClassifierError, match="Train again"):
        predict_study(study, type(classifier)(classifier.folder, garbled, classifier.split), workers=1, device="cpu")
