"""Evaluation at every level, with a reason where a level cannot be had."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import PredictionsError
from cellvote.voting import VoteSettings, evaluate_predictions
from cellvote.voting.evaluation import baseline_score

ONE_CELL = VoteSettings(min_cells=1)


def predictions(*wells: tuple[str, str, list[float]]) -> pd.DataFrame:
    """Make the predictions of cells from (well, truth, probability of a of each cell), one field a cell."""
    rows = [
        {"plate": "P", "well": well, "field": i + 1, "truth": truth, "probability_a": p, "probability_b": 1 - p}
        for well, truth, chances in wells
        for i, p in enumerate(chances)
    ]
    return pd.DataFrame(rows)


FOUR_WELLS = predictions(
    ("A01", "a", [0.9, 0.8, 0.4]), ("A02", "a", [0.9]), ("B01", "b", [0.2, 0.1]), ("B02", "b", [0.7, 0.6])
)
TREATMENTS = pd.DataFrame({"plate": "P", "well": ["A01", "A02", "B01", "B02"], "treatment": ["x", "x", "y", "z"]})


def test_each_level_is_scored_on_its_own() -> None:
    said = evaluate_predictions(FOUR_WELLS, treatments=TREATMENTS, settings=ONE_CELL)
    assert said["classes"] == ["a", "b"]
    assert said["cell"]["confusion"] == [[3, 1], [2, 2]]
    assert said["field"]["confusion"] == [[3, 1], [2, 2]]
    assert said["well"]["confusion"] == [[2, 0], [1, 1]]
    assert said["treatment"]["confusion"] == [[1, 0], [1, 1]]
    assert [said[level]["n"] for level in ("cell", "field", "well", "treatment")] == [8, 8, 4, 3]
    assert said["notes"] == []
    assert 0 <= said["calibration"]["ece"] <= 1


def test_wells_with_too_few_cells_abstain_and_count_as_wrong() -> None:
    said = evaluate_predictions(FOUR_WELLS, settings=VoteSettings(min_cells=2))
    assert said["well"]["abstained"] == [1, 0]
    assert said["well"]["accuracy"] == 0.5


def test_cells_are_said_to_be_of_their_likeliest_class_whatever_the_vote() -> None:
    by_method = [
        evaluate_predictions(FOUR_WELLS, settings=VoteSettings(method=method, min_cells=1))["cell"]
        for method in ("majority", "mean-probability")
    ]
    assert by_method[0] == by_method[1]


def test_without_treatments_the_plate_map_is_said_to_name_none() -> None:
    said = evaluate_predictions(FOUR_WELLS, settings=ONE_CELL)
    assert said["treatment"] is None
    assert said["notes"] == ["treatment: the plate map names none."]


def test_a_treatment_with_wells_of_two_classes_has_no_single_truth() -> None:
    mixed = TREATMENTS.assign(treatment="x")
    said = evaluate_predictions(FOUR_WELLS, treatments=mixed, settings=ONE_CELL)
    assert said["treatment"] is None
    assert said["notes"] == ["treatment: x has wells of more than one class, so it has no single truth."]


def test_a_level_of_two_groups_has_no_interval_and_says_so() -> None:
    two = TREATMENTS.assign(treatment=["x", "x", "y", "y"])
    said = evaluate_predictions(FOUR_WELLS, treatments=two, settings=ONE_CELL)
    assert said["treatment"]["ci95"] is None
    assert said["notes"] == ["treatment: only 2; no interval can be had."]


def test_fields_are_drawn_by_their_wells() -> None:
    two_wells = FOUR_WELLS[FOUR_WELLS["well"].isin(["A01", "B01"])]
    said = evaluate_predictions(two_wells, settings=ONE_CELL)
    assert said["field"]["n"] == 5
    assert said["field"]["ci95"] is None


def test_without_any_known_class_there_is_nothing_to_evaluate() -> None:
    with pytest.raises(PredictionsError, match="nothing to evaluate"):
        evaluate_predictions(FOUR_WELLS.iloc[:0])


def test_a_baseline_is_scored_as_wells_and_as_their_cells() -> None:
    said: dict[str, Any] = baseline_score(
        pd.DataFrame({"n_cells": [10, 30, 60]}), said=np.array([0, 1, 0]), truth=np.array([0, 1, 1])
    )
    assert said["well"] == {"accuracy": pytest.approx(2 / 3), "balanced_accuracy": 0.75, "n": 3}
    assert said["cell"] == {"accuracy": pytest.approx(0.4), "balanced_accuracy": pytest.approx(2 / 3), "n": 100}
