"""Baselines: what one gets without looking at the cells."""

import numpy as np
import pandas as pd
import pytest

from cellvote.learning.baselines import majority_votes, measurement_probabilities, position_votes
from cellvote.learning.splits import Split, make_split
from cellvote.plates.wells import well_name


def plate_of(n_rows: int, n_columns: int) -> pd.DataFrame:
    return pd.DataFrame(
        [(well_name(r, c), r, c) for r in range(1, n_rows + 1) for c in range(1, n_columns + 1)],
        columns=["well", "row", "column"],
    )


def split_of(wells: pd.DataFrame, codes: np.ndarray) -> Split:
    named = wells.assign(plate="P", class_name=[f"c{code}" for code in codes])
    return make_split(named, named, "well", folds=4, seed=0)


def test_where_classes_stand_in_columns_the_place_tells_them_all() -> None:
    wells = plate_of(8, 4)
    codes = (wells["column"].to_numpy() > 2).astype(np.int64)
    assert (position_votes(wells, codes, split_of(wells, codes), seed=0) == codes).all()


def test_where_classes_are_scattered_the_place_tells_nothing() -> None:
    wells = plate_of(8, 12)
    codes = np.random.default_rng(3).permutation(np.arange(96) % 2)
    right = (position_votes(wells, codes, split_of(wells, codes), seed=0) == codes).mean()
    assert 0.3 < right < 0.7


def test_wells_without_a_place_can_be_voted_on() -> None:
    wells = pd.DataFrame({"well": [""] * 4})
    split = Split.of_folds(np.array([0, 0, 1, 1]))
    assert position_votes(wells, np.array([0, 1, 0, 1]), split, seed=0).shape == (4,)


def test_the_majority_is_that_of_the_training_cells_not_wells() -> None:
    split = Split.of_folds(np.array([0, 1, 1, 2]))
    codes, n_cells = np.array([1, 0, 0, 1]), np.array([5, 1, 1, 100])
    assert majority_votes(codes, n_cells, split).tolist() == [1, 1, 1, 1]
    assert majority_votes(codes, np.array([5, 9, 9, 1]), split).tolist() == [0, 1, 1, 0]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_measurements_that_differ_tell_the_classes(random: np.random.Generator) -> None:
    codes = np.arange(80) % 2
    features = random.normal(size=(80, 3)).astype(np.float32)
    features[:, 1] += 5 * codes
    features[::7, 2] = np.nan
    said = measurement_probabilities(features, codes, Split.of_folds(np.arange(4)), np.arange(80) % 4, 2, seed=0)
    assert said.shape == (80, 2)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said.argmax(axis=1) == codes).mean() > 0.95


def test_a_class_that_a_fold_cannot_learn_is_never_said_there() -> None:
    codes, fold = np.array([0, 1, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 1, 1])
    features = np.arange(6, dtype=np.float32)[:, None]
    said = measurement_probabilities(features, codes, Split.of_folds(np.arange(2)), fold, 3, seed=0)
    assert (said[fold == 1, 2] == 0).all()
    np.testing.assert_allclose(said.sum(axis=1), 1)
