"""The warning that a classifier may have learned places comes exactly where classes are tied to them."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from cellvote.learning.baselines import position_votes
from cellvote.learning.splits import make_split
from cellvote.plates.wells import well_name
from cellvote.voting.position import compare_with_position, position_warning

N_SCREENS = 8


@cache
def laid_out(seed: int, *, tied: bool) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Lay two classes out on a plate of 6 × 8, and say what the place of each well suggests."""
    wells = pd.DataFrame([(well_name(r, c), c) for r in range(1, 7) for c in range(1, 9)], columns=["well", "column"])
    wells["plate"] = "P"
    codes = (wells["column"] > 4).to_numpy(np.int64)
    if not tied:
        codes = np.random.default_rng(seed).permutation(codes)
    wells["class_name"] = np.where(codes == 1, "drug", "control")
    split = make_split(wells, wells, "well", folds=4, seed=seed)
    return wells, codes, position_votes(wells, codes, split, seed)


def screen(seed: int, *, tied: bool, right: float) -> dict[str, object]:
    """Compare a classifier that is right on so many wells with the place of the wells."""
    wells, codes, by_place = laid_out(seed, tied=tied)
    said = np.where(np.random.default_rng(1000 + seed).random(48) < right, codes, 1 - codes)
    return compare_with_position(said, by_place, codes, wells["well"])


@pytest.mark.parametrize("right", [1.0, 0.9])
def test_the_warning_comes_where_classes_stand_in_columns(right: float) -> None:
    assert all(screen(seed, tied=True, right=right)["tied"] for seed in range(N_SCREENS))


@pytest.mark.parametrize("right", [1.0, 0.9])
def test_no_warning_comes_where_classes_are_scattered(right: float) -> None:
    assert not any(screen(seed, tied=False, right=right)["tied"] for seed in range(N_SCREENS))


@pytest.mark.parametrize("right", [0.8, 0.6])
def test_a_poor_classifier_is_warned_of_only_where_the_place_tells_something(right: float) -> None:
    found = [screen(seed, tied=False, right=right) for seed in range(N_SCREENS)]
    assert all(one["chance_p"] < 0.1 for one in found if one["tied"])
    assert not all(one["tied"] for one in found)


def test_the_warning_says_how_far_the_classifier_is_ahead() -> None:
    (said,) = position_warning({"position": {"well": {"accuracy": 1.0}}}, screen(0, tied=True, right=0.9))
    assert "100% of the held-out wells" in said
    assert "points more (95 % interval)" in said
    (same,) = position_warning({"position": {"well": {"accuracy": 1.0}}}, {"tied": True, "difference_ci95": (0.0, 0.0)})
    assert "right, the classifier no more: the classes are tied" in same
    assert position_warning({"position": None}, None) == []
    assert position_warning({"position": {"well": {"accuracy": 1.0}}}, {"tied": False}) == []
