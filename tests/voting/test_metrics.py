"""Metrics by hand, with intervals over wells and not over cells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from cellvote.voting.intervals import paired_difference
from cellvote.voting.metrics import Codes, codes_of, expected_calibration_error, score


def codes(*values: int) -> Codes:
    return np.array(values, np.int64)


def each_its_own(n: int) -> Codes:
    return np.arange(n, dtype=np.int64)


def test_a_confusion_by_hand() -> None:
    said = score(codes(0, 0, 0, 1, 1, 2), codes(0, 0, 1, 1, 0, 2), 3, each_its_own(6))
    assert said["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert said["accuracy"] == pytest.approx(4 / 6)
    assert said["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert said["f1_macro"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert said["n"] == 6
    assert said["abstained"] == [0, 0, 0]


def test_an_abstention_is_wrong_and_stands_in_no_column() -> None:
    said = score(codes(0, 0, 1, 1), codes(0, -1, 1, -1), 2, each_its_own(4))
    assert said["accuracy"] == said["balanced_accuracy"] == 0.5
    assert said["confusion"] == [[1, 0], [0, 1]]
    assert said["abstained"] == [1, 1]
    assert said["n"] == 4
    assert said["f1_macro"] == pytest.approx(2 / 3)


def test_who_always_abstains_is_never_right() -> None:
    said = score(codes(0, 1, 1), codes(-1, -1, -1), 2, each_its_own(3))
    assert said["accuracy"] == said["balanced_accuracy"] == said["f1_macro"] == 0
    assert said["abstained"] == [1, 2]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(values, np.int64) for values in zip(*pairs, strict=True))
    found = score(truth, said, 4, each_its_own(len(truth)))
    of_sklearn = {"labels": sorted(set(truth)), "average": "macro", "zero_division": 0}
    assert found["balanced_accuracy"] == pytest.approx(recall_score(truth, said, **of_sklearn))
    assert found["f1_macro"] == pytest.approx(f1_score(truth, said, **of_sklearn))
    assert np.sum(found["confusion"]) == len(truth)


def test_a_class_that_no_well_is_of_does_not_count() -> None:
    assert score(codes(0, 0, 1), codes(0, 0, 1), 5, each_its_own(3))["balanced_accuracy"] == 1


def width(interval: list[float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_wells_that_differ_make_the_interval_wider_than_so_many_cells_would() -> None:
    wells = np.repeat(each_its_own(8), 50)
    truth = np.zeros(400, np.int64)
    differing = np.where(wells % 2 == 0, 0, 1)  # half of the wells all right, half all wrong
    alike = np.tile(codes(0, 1), 200)  # every well half right
    by_wells = width(score(truth, differing, 2, wells)["ci95"])
    assert by_wells > 2 * width(score(truth, alike, 2, wells)["ci95"])
    assert by_wells > 2 * width(score(truth, differing, 2, each_its_own(400))["ci95"])


def test_the_interval_holds_the_accuracy_and_is_the_same_every_time() -> None:
    random = np.random.default_rng(0)
    truth, said, wells = (random.integers(0, n, 200) for n in (2, 2, 10))
    first, second = (score(truth, said, 2, wells) for _ in range(2))
    assert first == second
    assert first["ci95"][0] < first["accuracy"] < first["ci95"][1]


def test_the_names_of_the_wells_make_no_difference() -> None:
    random = np.random.default_rng(0)
    truth, said, wells = (random.integers(0, n, 60) for n in (2, 2, 6))
    assert score(truth, said, 2, wells)["ci95"] == score(truth, said, 2, 100 + 7 * wells)["ci95"]


def test_where_each_well_has_one_vote_the_interval_is_wilson_s() -> None:
    said = score(codes(0, 0, 0, 0, 1), codes(0, 0, 0, 1, 1), 2, each_its_own(5))
    wilson = binomtest(4, 5).proportion_ci(0.95, "wilson")
    assert said["ci95"] == pytest.approx([wilson.low, wilson.high])


@pytest.mark.parametrize("right", [True, False])
def test_where_all_cells_are_alike_the_interval_is_wilson_s_of_the_wells(right: bool) -> None:
    wells = np.repeat(each_its_own(5), 20)
    truth = np.zeros(100, np.int64)
    said = score(truth, truth if right else truth + 1, 2, wells)
    wilson = binomtest(5 * right, 5).proportion_ci(0.95, "wilson")
    assert said["ci95"] == pytest.approx([wilson.low, wilson.high])
    assert width(said["ci95"]) > 0.3


@pytest.mark.parametrize("n_wells", [1, 2])
def test_of_fewer_than_three_wells_no_interval_can_be_had(n_wells: int) -> None:
    assert score(codes(0, 0, 1, 1), codes(0, 1, 1, 1), 2, each_its_own(4) % n_wells)["ci95"] is None


def test_calibration_by_hand() -> None:
    stated = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    # Three cells state 0.9 and two of them are right, one states 0.6 and is right.
    expected = 3 / 4 * abs(0.9 - 2 / 3) + 1 / 4 * abs(0.6 - 1)
    assert expected_calibration_error(stated, codes(0, 0, 1, 1)) == pytest.approx(expected)


def test_who_is_as_often_right_as_stated_is_calibrated() -> None:
    stated = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error(stated, codes(0, 0, 0, 1)) == pytest.approx(0)


def test_certainty_that_is_always_wrong_is_as_far_off_as_can_be() -> None:
    assert expected_calibration_error(np.array([[1.0, 0.0]] * 3), codes(1, 1, 1)) == pytest.approx(1)


def test_names_become_the_numbers_of_their_classes() -> None:
    names = pd.Series(["b", "a", "tie", "too few cells", "a"])
    assert codes_of(names, ("a", "b")).tolist() == [1, 0, -1, -1, 0]


# Each class


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_figures_of_each_class_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(values, np.int64) for values in zip(*pairs, strict=True))
    found = score(truth, said, 3, each_its_own(len(truth)))["per_class"]
    of_sklearn = {"labels": [0, 1, 2], "average": None, "zero_division": np.nan}
    for name, function in (("recall", recall_score), ("precision", precision_score)):
        known = [np.nan if one[name] is None else one[name] for one in found]
        np.testing.assert_allclose(known, function(truth, said, **of_sklearn))
    assert [one["n"] for one in found] == np.bincount(truth, minlength=3).tolist()


def test_the_figures_of_each_class_lie_within_their_intervals() -> None:
    random = np.random.default_rng(1)
    wells = np.repeat(each_its_own(30), 40)
    truth = (wells % 3).astype(np.int64)
    said = np.where(random.random(1200) < 0.7, truth, random.integers(0, 3, 1200))
    for one in score(truth, said, 3, wells)["per_class"]:
        for name in ("precision", "recall", "f1"):
            low, high = one[f"{name}_ci95"]
            assert low < one[name] < high


def test_four_of_four_wells_right_do_not_make_a_class_certain() -> None:
    truth = codes(0, 0, 0, 0, 1, 1, 1, 1, 1, 1)
    one = score(truth, truth, 2, each_its_own(10))["per_class"][0]
    wilson = binomtest(4, 4).proportion_ci(0.95, "wilson")
    assert one["recall_ci95"] == one["precision_ci95"] == one["f1_ci95"] == pytest.approx([wilson.low, 1])


def test_a_class_that_was_never_said_has_no_precision() -> None:
    one = score(codes(0, 0, 1, 1), codes(0, 0, 0, 0), 2, each_its_own(4))["per_class"][1]
    assert one["precision"] is None
    assert one["precision_ci95"] is None
    assert one["recall"] == one["f1"] == 0


def test_the_area_under_the_curve_is_that_of_scikit_learn_and_lies_within_its_interval() -> None:
    random = np.random.default_rng(2)
    wells = np.repeat(each_its_own(20), 30)
    truth = (wells % 2).astype(np.int64)
    scores = np.round(truth + random.normal(0, 1.2, 600) + random.normal(0, 0.3, 20)[wells], 1)
    found = score(truth, (scores > 0.5).astype(np.int64), 2, wells, scores)
    assert found["auc"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["ci95_auc"][0] < found["auc"] < found["ci95_auc"][1]


def test_whole_plates_that_differ_make_the_interval_wider_than_their_wells_would() -> None:
    wells = np.repeat(each_its_own(60), 10)
    plates = wells // 10
    truth = np.zeros(600, np.int64)
    said = np.where(plates % 2 == 0, 0, np.arange(600) % 2)
    assert width(score(truth, said, 2, plates)["ci95"]) > 2 * width(score(truth, said, 2, wells)["ci95"])


def test_the_interval_of_a_difference_is_of_the_same_wells() -> None:
    one = np.array([True] * 18 + [False] * 2)
    assert paired_difference(one, one, each_its_own(20)) == [0, 0]
    low, _ = paired_difference(one, ~one, each_its_own(20)) or [0, 0]
    assert low > 0.4
    assert paired_difference(one[:2], one[:2], each_its_own(2)) is None
