"""The classifier folder: what is in it is checked, and each cell is told from what was trained on."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import ClassifierError
from cellvote.learning.classifier import (
    UNSEEN,
    Classifier,
    Probabilities,
    combine,
    load_classifier,
    training_data_hash,
    weights_name,
)
from cellvote.learning.predicting import classic_probabilities, load_classic
from cellvote.progress import CancelToken, ignore_progress
from cellvote.study import Study

CLASSES = ("PI3K inhibitor", "microtubule stabiliser", "topoisomerase inhibitor", "vehicle")


@pytest.fixture
def folder(finished_study: Study, tmp_path: Path) -> Path:
    """Return a copy of the forest's folder."""
    return shutil.copytree(finished_study.model_folder("forest"), tmp_path / "forest")


def change(folder: Path, **values: Any) -> None:
    note = folder / "model.json"
    note.write_text(json.dumps(json.loads(note.read_text(encoding="utf-8")) | values), encoding="utf-8")


# Loading


def test_a_classifier_can_be_moved_and_says_all_that_is_needed(finished_study: Study, folder: Path) -> None:
    classifier = load_classifier(folder)
    assert classifier.info == load_classifier(finished_study.model_folder("forest")).info
    assert classifier.info.classes == CLASSES
    assert classifier.info.class_column == "moa"
    assert classifier.info.inputs.channels == ("DNA", "Actin", "Reporter")
    assert classifier.info.segmentation["method"] == "watershed"
    assert not classifier.is_network
    assert {path.name for path in folder.iterdir()} == {
        "MODEL_CARD.md",
        "history.csv",
        "model.json",
        "model.skops",
        "split.parquet",
        "training.json",
        "votes.json",
        "votes.parquet",
    }
    assert len(load_classic(classifier)) == classifier.info.n_folds


def test_a_folder_without_a_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="no classifier here"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("version", [0, 1, "2", None, []])
def test_a_format_that_is_not_known_is_refused(folder: Path, version: Any) -> None:
    change(folder, format_version=version)
    with pytest.raises(ClassifierError, match=r"has the format .*, and this CellVote reads 2"):
        load_classifier(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_damaged_note_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ClassifierError):
        load_classifier(folder)


@pytest.mark.parametrize("values", [{"classes": "ab"}, {"inputs": {"kind": "sounds"}}, {"n_folds": "many"}], ids=str)
def test_a_note_with_an_entry_of_another_kind_names_it(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    with pytest.raises(ClassifierError, match=rf"model\.json: is damaged.*{next(iter(values))}"):
        load_classifier(folder)


@pytest.mark.parametrize("name", ["model.skops", "split.parquet"])
def test_a_part_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ClassifierError, match=name.replace(".", r"\.")):
        load_classifier(folder)


@pytest.mark.parametrize(
    "values",
    [{"classes": ["a", "b"]}, {"classes": sorted(CLASSES, reverse=True)}, {"architecture": "logistic"}],
    ids=str,
)
def test_a_note_that_was_changed_is_refused_with_both_sides(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    with pytest.raises(ClassifierError, match=r"is .* in model\.json and .* in model\.skops"):
        load_classifier(folder)


@pytest.mark.parametrize("values", [{"n_folds": 9}, {"n_folds": 1}], ids=str)
def test_weights_that_do_not_fit_the_note_are_refused(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    with pytest.raises(ClassifierError, match=r"model\.skops: holds 2 models, model\.json speaks of"):
        load_classic(load_classifier(folder))


def test_forests_and_networks_keep_their_weights_without_pickle() -> None:
    assert [weights_name(name) for name in ("forest", "logistic", "small-resnet")] == [
        "model.skops",
        "model.skops",
        "model.safetensors",
    ]


# Who says what of whom


def test_a_cell_is_known_by_the_pixels_of_its_field(folder: Path) -> None:
    split = pd.DataFrame({"image_hash": ["h1", "h2"], "fold": [1, 0]})
    classifier = Classifier(folder, load_classifier(folder).info, split)
    cells = pd.DataFrame({"plate": "Q", "well": ["A01", "A01", "B01", "C01"], "field": [1, 2, 1, 1]})
    hashes = pd.DataFrame(
        {"plate": "Q", "well": ["B01", "A01", "A01"], "field": [1, 2, 1], "image_hash": ["h1", "new", "h2"]}
    )
    assert classifier.folds_of(cells, hashes).tolist() == [0, UNSEEN, 1, UNSEEN]


def said_by(number: int, n: int) -> Probabilities:
    """Let the model of a fold say something that only it says."""
    return np.tile([0.1 * (number + 1), 1 - 0.1 * (number + 1)], (n, 1))


def test_a_held_out_cell_is_predicted_by_the_one_model_that_never_saw_it() -> None:
    fold = np.array([2, 0, 1, 0])
    said = combine(fold, 3, 2, lambda number, rows: said_by(number, len(rows)))
    np.testing.assert_allclose(said[:, 0], [0.3, 0.1, 0.2, 0.1])


def test_a_cell_that_nobody_saw_is_predicted_by_the_mean_of_all() -> None:
    fold = np.array([UNSEEN, 1, UNSEEN])
    said = combine(fold, 3, 2, lambda number, rows: said_by(number, len(rows)))
    np.testing.assert_allclose(said[:, 0], [0.2, 0.2, 0.2])
    np.testing.assert_allclose(said.sum(axis=1), 1)


def test_no_model_is_ever_shown_a_cell_that_it_was_trained_on() -> None:
    fold = np.random.default_rng(0).integers(UNSEEN, 4, 100)
    shown: dict[int, list[int]] = {}
    combine(fold, 4, 2, lambda number, rows: shown.setdefault(number, rows.tolist()) and said_by(number, len(rows)))
    for number, rows in shown.items():
        assert set(fold[rows]) <= {number, UNSEEN}
        assert sorted(rows) == np.flatnonzero((fold == number) | (fold == UNSEEN)).tolist()


def test_a_fold_without_cells_is_never_asked() -> None:
    asked: list[int] = []

    def predict_rows(number: int, rows: np.ndarray) -> Probabilities:
        asked.append(number)
        return said_by(number, len(rows))

    combine(np.array([1, 1]), 3, 2, predict_rows)
    assert asked == [1]


class OneClass:
    """A model that learned only one of three classes."""

    classes_ = np.array([1])

    def predict_proba(self, features: np.ndarray) -> Probabilities:
        return np.ones((len(features), 1))


def test_a_model_says_nothing_of_classes_that_it_never_learned() -> None:
    features = np.zeros((4, 2), np.float32)
    said = classic_probabilities(
        [OneClass(), OneClass()],
        features,
        np.array([0, 1, UNSEEN, 0]),
        3,
        report=ignore_progress,
        cancel=CancelToken(),
    )
    assert said.tolist() == [[0, 1, 0]] * 4


def test_the_hash_of_the_training_data_tells_any_change() -> None:
    cells = pd.DataFrame({"well": ["A01", "A02"], "area": [1.0, 2.0], "fold": [0, 1]}).astype({"well": "str"})
    others = [
        cells.assign(area=[1.0, 2.5]),
        cells.iloc[::-1],
        cells.rename(columns={"area": "extent"}),
        cells.assign(fold=[1, 0]),
    ]
    hashes = {training_data_hash(table) for table in [cells, cells.copy(), *others]}
    assert len(hashes) == 1 + len(others)
