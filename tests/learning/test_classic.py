"""Forests, boosting and logistic regression, and files that nobody should trust."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import FunctionTransformer

from cellvote.errors import ClassifierError
from cellvote.learning.classic import (
    ClassicModel,
    fit_boosting,
    fit_classic,
    fit_forest,
    fit_head,
    fit_logistic,
    read_models,
    write_models,
)
from cellvote.learning.settings import TrainSettings

RANDOM = np.random.default_rng(0)
CODES = np.arange(60) % 3
FEATURES = (RANDOM.normal(size=(60, 4)) + 2 * CODES[:, None] * [1, 0, -1, 0]).astype(np.float32)
FEATURES[::9, 3] = np.nan
EMPTY_COLUMN = np.where(np.arange(4) == 1, np.nan, FEATURES).astype(np.float32)

FITS: dict[str, Callable[..., ClassicModel]] = {
    "forest": lambda features: fit_forest(features, CODES, 10, 0, 1),
    "boosting": lambda features: fit_boosting(features, CODES, 10, 0, 1),
    "logistic": lambda features: fit_logistic(features, CODES, 0),
}


@pytest.fixture(scope="module")
def forest_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forest") / "model.skops"
    write_models(path, [FITS["forest"](FEATURES)])
    return path


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("features", [FEATURES, EMPTY_COLUMN], ids=["gaps", "an empty column"])
def test_a_model_learns_with_gaps_and_empty_columns(name: str, features: np.ndarray) -> None:
    said = FITS[name](features).predict_proba(features)
    assert said.shape == (60, 3)
    assert (said.argmax(axis=1) == CODES).mean() > 0.8


@pytest.mark.parametrize("name", FITS)
def test_models_come_back_from_disk_with_the_same_probabilities(tmp_path: Path, name: str) -> None:
    models = [FITS[name](FEATURES), FITS[name](EMPTY_COLUMN)]
    write_models(tmp_path / "model.skops", models)
    again = read_models(tmp_path / "model.skops")
    for one, same in zip(models, again, strict=True):
        assert np.array_equal(one.predict_proba(FEATURES), same.predict_proba(FEATURES))
        assert same.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", FITS)
def test_the_same_cells_give_the_same_classifier(tmp_path: Path, name: str) -> None:
    for file in ("a", "b"):
        write_models(tmp_path / file, [FITS[name](FEATURES)])
    a, b = (read_models(tmp_path / file)[0].predict_proba(FEATURES) for file in ("a", "b"))
    assert np.array_equal(a, b)


def test_a_forest_says_the_same_bytes_with_any_number_of_threads() -> None:
    features = RANDOM.normal(size=(5000, 4)).astype(np.float32)
    one, many = (fit_forest(FEATURES, CODES, 100, 0, jobs) for jobs in (1, 4))
    expected = one.predict_proba(features).tobytes()
    assert {many.predict_proba(features).tobytes() for _ in range(5)} == {expected}


def test_a_forest_stays_small_enough_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    noise, codes = RANDOM.normal(size=(3000, 5)).astype(np.float32), RANDOM.integers(0, 3, 3000)

    def n_bytes() -> int:
        trees: Any = fit_forest(noise, codes, 10, 0, 1)
        return sum(one.tree_.node_count * (64 + 8 * 3) for one in trees.steps[-1][1].estimators_)

    grown_out = n_bytes()
    assert grown_out > 2e6  # what is noise is told apart cell by cell
    monkeypatch.setattr("cellvote.learning.classic._MOST_FOREST_BYTES", 200_000)
    assert n_bytes() < 200_000


def test_boosting_learns_the_same_with_any_number_of_threads() -> None:
    features = RANDOM.normal(size=(3000, 8)).astype(np.float32)
    codes = (features[:, 0] > 0).astype(np.int64) + (features[:, 1] > 0.5)
    one, two = (fit_boosting(features, codes, 10, 0, jobs).predict_proba(features) for jobs in (1, 2))
    assert one.tobytes() == two.tobytes()


def test_boosting_lets_each_class_weigh_the_same() -> None:
    codes = np.r_[np.zeros(950, np.int64), np.ones(50, np.int64)]
    noise = RANDOM.normal(size=(1000, 2)).astype(np.float32)
    assert abs(fit_boosting(noise, codes, 10, 0, 1).predict_proba(noise)[:, 1].mean() - 0.5) < 0.15


def test_a_head_on_many_features_is_trained_without_a_warning_and_comes_back_from_disk(tmp_path: Path) -> None:
    codes = np.arange(300) % 3
    features = (RANDOM.normal(size=(300, 500)) + 0.5 * np.eye(3, 500)[codes]).astype(np.float32)
    features[:, 7] = 0  # a feature that is dead
    head = fit_head(features, codes, 0)
    assert (head.predict_proba(features).argmax(axis=1) == codes).mean() > 0.9
    write_models(tmp_path / "model.skops", [head])
    again = read_models(tmp_path / "model.skops")[0]
    assert np.array_equal(again.predict_proba(features), head.predict_proba(features))


def test_the_settings_say_which_model_is_fitted() -> None:
    fitted = {
        name: fit_classic(
            EMPTY_COLUMN if name == "forest" else FEATURES[:, :3], CODES, TrainSettings(architecture=name)
        )
        for name in ("forest", "boosting", "logistic", "embeddings")
    }
    assert [type(getattr(m, "steps", [("", m)])[-1][1]).__name__ for m in fitted.values()] == [
        "ExtraTreesClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "LogisticRegression",
    ]
    with pytest.raises(ClassifierError, match="small-resnet is no model on measurements"):
        fit_classic(FEATURES, CODES, TrainSettings(architecture="small-resnet"))


@pytest.mark.parametrize(
    "forge", [{"left": 2**31}, {"left": 0}, {"feature_idx": 10_000}, {"is_categorical": 1}], ids=str
)
def test_a_tree_of_boosting_that_points_outside_of_itself_is_refused(tmp_path: Path, forge: dict[str, int]) -> None:
    model: Any = FITS["boosting"](FEATURES)
    for name, value in forge.items():
        model.steps[-1][1]._predictors[0][0].nodes[name][0] = value
    write_models(tmp_path / "model.skops", [model])
    with pytest.raises(ClassifierError, match="points outside of itself"):
        read_models(tmp_path / "model.skops")


@pytest.mark.parametrize("forge", [{"left_child": 10_000}, {"left_child": 0}, {"feature": 99}], ids=str)
def test_a_tree_of_a_forest_that_points_outside_of_itself_is_refused(tmp_path: Path, forge: dict[str, int]) -> None:
    model: Any = FITS["forest"](FEATURES)
    tree = model.steps[-1][1].estimators_[0].tree_
    state = tree.__getstate__()
    for name, value in forge.items():
        state["nodes"][name][0] = value
    tree.__setstate__(state)
    write_models(tmp_path / "model.skops", [model])
    with pytest.raises(ClassifierError, match="points outside of itself"):
        read_models(tmp_path / "model.skops")


class Foreign:
    """What no classifier of ours is made of."""

    def predict_proba(self, features: Any) -> Any:
        return features


@pytest.mark.parametrize("content", [Foreign(), FunctionTransformer(os.getcwd)], ids=["a class", "a function"])
def test_a_file_with_foreign_types_is_refused_before_it_is_opened(tmp_path: Path, content: object) -> None:
    skops.io.dump([content], tmp_path / "model.skops")
    with pytest.raises(ClassifierError, match="holds types that could run code"):
        read_models(tmp_path / "model.skops")


@pytest.mark.parametrize("content", [{"a": 1}, [1, 2], "text"], ids=["a dict", "numbers", "text"])
def test_a_file_without_classifiers_is_refused(tmp_path: Path, content: object) -> None:
    skops.io.dump(content, tmp_path / "model.skops")
    with pytest.raises(ClassifierError, match="does not hold classifiers"):
        read_models(tmp_path / "model.skops")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"gone\.skops: cannot be opened"):
        read_models(tmp_path / "gone.skops")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip file", b"\x80\x04\x95"])
def test_what_is_no_skops_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(ClassifierError, match="is damaged"):
        read_models(tmp_path / "model.skops")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, forest_path: Path, share: float) -> None:
    whole = forest_path.read_bytes()
    (tmp_path / "model.skops").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ClassifierError, match="is damaged"):
        read_models(tmp_path / "model.skops")


@settings(max_examples=40)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_file_with_a_flipped_byte_is_a_classifier_or_refused(forest_path: Path, place: float, bits: int) -> None:
    content = bytearray(forest_path.read_bytes())
    content[int(place * len(content))] ^= bits
    path = forest_path.with_name("flipped.skops")
    path.write_bytes(content)
    try:
        models = read_models(path)
    except ClassifierError:
        return
    assert models[0].predict_proba(FEATURES).shape == (60, 3)
