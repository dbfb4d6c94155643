"""Cells vote: shares, margins, ties, and groups that are too small."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvote.errors import PredictionsError, SettingsError
from cellvote.settings import validated
from cellvote.voting import VoteSettings, vote
from cellvote.voting.vote import NO_VOTE, TIE, class_columns, votes_to_json

ANY_NUMBER = VoteSettings(min_cells=1)


def cells(*rows: tuple[str, int, float], plate: str = "P") -> pd.DataFrame:
    """Make predictions of two classes from (well, field, probability of a)."""
    table = pd.DataFrame(rows, columns=["well", "field", "probability_a"]).assign(plate=plate)
    table["probability_b"] = 1 - table["probability_a"]
    table["label_id"] = np.arange(1, len(table) + 1)
    return table[["plate", "well", "field", "label_id", "probability_a", "probability_b"]]


def one_vote(table: pd.DataFrame, settings: VoteSettings = ANY_NUMBER) -> dict[str, object]:
    (row,) = vote(table, ("plate", "well"), settings).to_dict("records")
    return row


def test_the_majority_wins_however_sure_the_others_are() -> None:
    said = one_vote(cells(("A01", 1, 0.51), ("A01", 1, 0.52), ("A01", 1, 0.0)))
    assert said["class"] == "a"
    assert said["share"] == pytest.approx(2 / 3)
    assert said["margin"] == pytest.approx(1 / 3)
    assert said["n_cells"] == 3
    assert (said["share_a"], said["share_b"]) == pytest.approx((2 / 3, 1 / 3))


def test_by_mean_probability_doubtful_cells_count_less() -> None:
    said = one_vote(
        cells(("A01", 1, 0.51), ("A01", 1, 0.52), ("A01", 1, 0.0)), VoteSettings(method="mean-probability", min_cells=1)
    )
    assert said["class"] == "b"
    assert said["share"] == pytest.approx(1.97 / 3)


def test_where_two_classes_lead_there_is_a_tie_and_no_class() -> None:
    said = one_vote(cells(("A01", 1, 0.9), ("A01", 1, 0.2)))
    assert (said["class"], said["share"], said["margin"]) == (TIE, 0.5, 0.0)


def test_a_cell_that_cannot_decide_splits_its_vote() -> None:
    said = one_vote(cells(("A01", 1, 0.5), ("A01", 1, 0.9)))
    assert (said["class"], said["share"]) == ("a", 0.75)


@pytest.mark.parametrize(("n", "expected"), [(9, NO_VOTE), (10, "a")])
def test_too_few_cells_have_no_vote(n: int, expected: str) -> None:
    said = one_vote(cells(*[("A01", 1, 0.9)] * n), VoteSettings(min_cells=10))
    assert said["class"] == expected
    assert said["n_cells"] == n


def test_too_few_cells_are_told_before_a_tie() -> None:
    assert one_vote(cells(("A01", 1, 0.9), ("A01", 1, 0.2)), VoteSettings(min_cells=3))["class"] == NO_VOTE


def test_a_well_without_cells_has_no_vote() -> None:
    votes = vote(cells(("A01", 1, 0.9)), settings=ANY_NUMBER)
    assert votes["well"].tolist() == ["A01"]
    none = vote(cells(("A01", 1, 0.9)).iloc[:0], settings=ANY_NUMBER)
    assert len(none) == 0
    assert list(none) == list(votes)


def test_groups_are_sorted_and_kept_apart() -> None:
    table = pd.concat([cells(("B01", 1, 0.1), ("A02", 1, 0.9), plate="Q"), cells(("A02", 1, 0.2))])
    votes = vote(table, ("plate", "well"), ANY_NUMBER)
    assert votes[["plate", "well", "class"]].to_numpy().tolist() == [
        ["P", "A02", "b"],
        ["Q", "A02", "a"],
        ["Q", "B01", "b"],
    ]


def test_cells_vote_by_any_columns() -> None:
    table = cells(("A01", 1, 0.9), ("A01", 2, 0.1), ("A02", 1, 0.8))
    assert len(vote(table, ("plate", "well", "field"), ANY_NUMBER)) == 3
    assert vote(table.assign(row="A"), ["row"], ANY_NUMBER)["n_cells"].tolist() == [3]


def test_agreement_is_the_share_of_fields_that_vote_like_their_well() -> None:
    said = one_vote(cells(("A01", 1, 0.9), ("A01", 1, 0.8), ("A01", 2, 0.7), ("A01", 3, 0.1)))
    assert said["class"] == "a"
    assert said["agreement"] == pytest.approx(2 / 3)


def test_agreement_of_a_treatment_is_the_share_of_its_wells() -> None:
    table = cells(("A01", 1, 0.9), ("A01", 2, 0.9), ("A02", 1, 0.9), ("A03", 1, 0.1)).assign(treatment="x")
    (row,) = vote(table, ["treatment"], ANY_NUMBER).to_dict("records")
    assert row["agreement"] == pytest.approx(2 / 3)


def test_one_field_alone_agrees_with_nobody() -> None:
    assert math.isnan(float(str(one_vote(cells(("A01", 1, 0.9), ("A01", 1, 0.9)))["agreement"])))
    by_field = vote(cells(("A01", 1, 0.9)), ("plate", "well", "field"), ANY_NUMBER)
    assert by_field["agreement"].isna().all()


def test_a_column_to_vote_by_that_is_missing_is_named() -> None:
    with pytest.raises(PredictionsError, match="no column 'treatment' to vote by"):
        vote(cells(("A01", 1, 0.9)), ["plate", "treatment"])


@pytest.mark.parametrize("wrong", [0.5, -0.2, np.nan])
def test_a_cell_whose_probabilities_do_not_sum_to_one_is_named(wrong: float) -> None:
    table = cells(("A01", 1, 0.9), ("B07", 3, 0.9))
    table.loc[1, "probability_a"] = wrong
    with pytest.raises(PredictionsError, match="cell plate P, well B07, field 3, label_id 2 do not sum to 1"):
        vote(table)


def test_classes_are_the_probability_columns_in_their_order() -> None:
    table = cells(("A01", 1, 0.9)).assign(other=0.3, probability=0.9)
    assert class_columns(table) == {"a": "probability_a", "b": "probability_b"}


def test_without_such_columns_every_number_that_is_no_key_is_a_class() -> None:
    table = pd.DataFrame({"well": ["A01", "A01"], "field": [1, 1], "centroid_y": [3.0, 4.0], "probability": [0.9, 0.8]})
    table = table.assign(treated=[0.9, 0.8], control=[0.1, 0.2], dose=[1.5, 1.5])
    assert class_columns(table, ["dose"]) == {"treated": "treated", "control": "control"}
    votes = vote(table.drop(columns="dose"), ["well"], ANY_NUMBER)
    assert votes["class"].tolist() == ["treated"]
    assert {"share_treated", "share_control"} <= set(votes)


def test_predictions_of_one_class_or_none_are_refused() -> None:
    with pytest.raises(PredictionsError, match="no class probabilities"):
        vote(pd.DataFrame({"well": ["A01"], "probability_a": [1.0]}), ["well"])


def test_settings_that_are_not_known_are_refused() -> None:
    with pytest.raises(SettingsError, match="there are: method, min_cells"):
        validated(VoteSettings, {"methods": "majority"})
    with pytest.raises(SettingsError, match="min_cells"):
        validated(VoteSettings, {"min_cells": 0})


ballots = st.lists(st.tuples(st.sampled_from(["A01", "A02"]), st.integers(1, 3), st.integers(0, 4)), min_size=1)


@settings(max_examples=40)
@given(ballots, st.sampled_from(["majority", "mean-probability"]), st.integers(1, 4))
def test_shares_sum_to_one_and_the_winner_leads_by_its_margin(
    rows: list[tuple[str, int, int]], method: str, least: int
) -> None:
    table = cells(*[(well, field, quarter / 4) for well, field, quarter in rows])
    votes = vote(table, ("plate", "well"), validated(VoteSettings, {"method": method, "min_cells": least}))
    assert votes["n_cells"].sum() == len(rows)
    for row in votes.to_dict("records"):
        shares = sorted([row["share_a"], row["share_b"]], reverse=True)
        assert sum(shares) == pytest.approx(1)
        assert row["share"] == shares[0]
        assert row["margin"] == pytest.approx(shares[0] - shares[1])
        if row["n_cells"] < least:
            assert row["class"] == NO_VOTE
        elif shares[0] == shares[1]:
            assert row["class"] == TIE
        else:
            assert row[f"share_{row['class']}"] == shares[0]


@settings(max_examples=30)
@given(ballots)
def test_the_order_of_the_cells_makes_no_difference(rows: list[tuple[str, int, int]]) -> None:
    table = cells(*[(well, field, quarter / 4) for well, field, quarter in rows])
    shuffled = table.sample(frac=1, random_state=len(rows))
    pd.testing.assert_frame_equal(vote(table, settings=ANY_NUMBER), vote(shuffled, settings=ANY_NUMBER))


def test_votes_as_json_have_the_documented_keys_and_null_for_what_is_not_known() -> None:
    votes = vote(cells(("A01", 1, 0.9), ("A01", 1, 0.2), ("A01", 1, 0.7)), settings=ANY_NUMBER)
    (row,) = votes_to_json(votes)
    assert list(row) == ["plate", "well", "class", "share", "margin", "n_cells", "agreement", "set", "shares"]
    assert row["set"] is None  # nothing conformal is calibrated
    assert row["agreement"] is None
    assert row["shares"] == pytest.approx({"a": 2 / 3, "b": 1 / 3})


@pytest.mark.parametrize(
    ("by", "keys"),
    [(["treatment"], ["treatment"]), (["plate", "well", "field"], ["plate", "well", "field"]), (["moa"], ["moa"])],
)
def test_votes_as_json_begin_with_what_was_voted_by(by: list[str], keys: list[str]) -> None:
    table = cells(("A01", 1, 0.9)).assign(treatment="x 1", moa="vehicle")
    (row,) = votes_to_json(vote(table, by, ANY_NUMBER))
    assert list(row)[: len(keys) + 1] == [*keys, "class"]
