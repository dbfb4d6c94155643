"""The ways to vote, against their definitions; and what does not depend on order, names or number of classes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, gmean

from cellvote.errors import PredictionsError, SettingsError
from cellvote.settings import validated
from cellvote.voting import VoteSettings, vote
from cellvote.voting.settings import METHODS, NO_VOTE, TIE, UNDECIDED

PLAIN = [method for method in METHODS if method != "attention"]


def by(method: str, **others: object) -> VoteSettings:
    return validated(VoteSettings, {"method": method, "min_cells": 1, **others})


def wells(probabilities: np.ndarray, n_wells: int = 1, names: str = "") -> pd.DataFrame:
    """Make predictions of cells dealt out to wells in turn."""
    n, k = probabilities.shape
    classes = list(names) or [f"c{i:03d}" for i in range(k)]
    table = pd.DataFrame(probabilities, columns=[f"probability_{c}" for c in classes])
    well = [f"A{i % n_wells + 1:02d}" for i in range(n)]
    return table.assign(plate="P", well=well, field=np.arange(n) // n_wells % 2 + 1, label_id=np.arange(n))


def shares_of(votes: pd.DataFrame) -> np.ndarray:
    return votes[[c for c in votes if str(c).startswith("share_")]].to_numpy(float)


@st.composite
def chances(draw: st.DrawFn) -> np.ndarray:
    k = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(st.integers(0, 6), min_size=k, max_size=k), min_size=1, max_size=12))
    weights = np.array(rows, float) + np.where(np.sum(rows, axis=1, keepdims=True) == 0, 1, 0)
    return weights / weights.sum(axis=1, keepdims=True)


@settings(max_examples=60)
@given(chances())
def test_shares_are_those_of_the_definitions(p: np.ndarray) -> None:
    table, k = wells(p), p.shape[1]
    top = p >= p.max(axis=1, keepdims=True) - 1e-15
    geometric = gmean(np.maximum(p, 1e-6), axis=0)
    sure = 1 - entropy(p, axis=1) / np.log(k)
    weighted = (p * sure[:, None]).sum(axis=0) / sure.sum() if sure.sum() > 1e-9 else np.full(k, 1 / k)
    expected = {
        "majority": (top / top.sum(axis=1, keepdims=True)).mean(axis=0),
        "mean-probability": p.mean(axis=0),
        "mean-log-probability": geometric / geometric.sum(),
        "confidence-weighted": weighted,
    }
    for method in PLAIN:
        if method == "confidence-weighted" and sure.sum() <= 1e-9:
            continue
        assert shares_of(vote(table, settings=by(method)))[0] == pytest.approx(expected[method], abs=1e-6)


@settings(max_examples=40)
@given(chances(), st.sampled_from(PLAIN), st.integers(1, 3), st.randoms(use_true_random=False))
def test_neither_the_order_of_cells_nor_that_of_classes_matters(
    p: np.ndarray, method: str, n_wells: int, random: object
) -> None:
    table = wells(p, n_wells)
    columns = [c for c in table if str(c).startswith("probability_")]
    mixed = table.sample(frac=1, random_state=len(p))
    others = [c for c in table if c not in columns]
    random.shuffle(columns)  # type: ignore[attr-defined]
    first, second = vote(table, settings=by(method)), vote(mixed[[*columns, *others]], settings=by(method))
    pd.testing.assert_frame_equal(first, second[list(first)])


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=25))
def test_the_majority_is_the_mode(classes: list[int]) -> None:
    table = wells(np.eye(4)[classes] * 0.7 + 0.075)
    (said,) = vote(table, settings=by("majority"))["class"]
    counts = np.bincount(classes, minlength=4)
    leading = np.flatnonzero(counts == counts.max())
    assert said == (f"c{leading[0]:03d}" if len(leading) == 1 else TIE)


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_three_hundred_classes_vote_as_two_do(method: str, dtype: type) -> None:
    random = np.random.default_rng(0)
    p = random.dirichlet(np.full(300, 0.05), 5000).astype(dtype)
    p[:, 7] += 0.5
    p /= p.sum(axis=1, keepdims=True)
    votes = vote(wells(p, 3), settings=by(method))
    assert votes["class"].tolist() == ["c007"] * 3
    assert shares_of(votes).sum(axis=1) == pytest.approx(np.ones(3))
    by_hand = pd.DataFrame(p, dtype=float).groupby(np.arange(5000) % 3).mean().to_numpy()
    assert shares_of(vote(wells(p, 3), settings=by("mean-probability"))) == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.4])
def test_what_is_no_probability_is_refused_by_every_method(method: str, wrong: float) -> None:
    p = np.full((4, 2), 0.5)
    p[2] = wrong, 1 - wrong
    with pytest.raises(PredictionsError, match="well A01, field 1, label_id 2 do not sum to 1"):
        vote(wells(p), settings=by(method))


@pytest.mark.parametrize("method", PLAIN)
def test_without_cells_nobody_votes(method: str) -> None:
    table = wells(np.full((4, 2), 0.5))
    none = vote(table.iloc[:0], settings=by(method))
    assert len(none) == 0
    assert list(none) == list(vote(table, settings=by(method)))


def test_one_cell_that_rules_a_class_out_has_no_veto() -> None:
    p = np.array([[0.9, 0.1]] * 20 + [[0.0, 1.0]])
    assert vote(wells(p), settings=by("mean-log-probability"))["class"].tolist() == ["c000"]


def test_cells_that_cannot_tell_have_no_weight_where_confidence_counts() -> None:
    p = np.array([[0.5, 0.5]] * 30 + [[0.05, 0.95]])
    assert vote(wells(p), settings=by("confidence-weighted"))["share"].tolist() == pytest.approx([0.95])
    unsure = vote(wells(p[:30]), settings=by("confidence-weighted"))
    assert unsure["class"].tolist() == [TIE]


def test_a_narrow_lead_is_undecided_and_keeps_its_figures() -> None:
    p = np.array([[0.9, 0.1]] * 11 + [[0.1, 0.9]] * 9)
    for least, said in ((0.09, "c000"), (0.1, "c000"), (0.11, UNDECIDED)):
        (row,) = vote(wells(p), settings=by("majority", min_margin=least)).to_dict("records")
        assert (row["class"], row["margin"]) == (said, pytest.approx(0.1))
    assert vote(wells(p), settings=by("majority", min_margin=1, min_cells=21))["class"].tolist() == [NO_VOTE]


def test_fields_that_disagree_leave_their_well_undecided_and_a_single_field_is_not_judged() -> None:
    p = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]] * 4)
    table = wells(p).assign(field=[1] * 5 + [2] * 4 + [3] * 4)
    assert vote(table, settings=by("majority", min_agreement=0.6))["class"].tolist() == ["c000"]
    assert vote(table, settings=by("majority", min_agreement=0.7))["class"].tolist() == [UNDECIDED]
    single = vote(table.assign(field=1), settings=by("majority", min_agreement=1))
    assert single["class"].tolist() == ["c000"]


def test_a_tie_can_be_broken_by_the_mean_probability_of_those_that_lead() -> None:
    p = np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.45, 0.55, 0.0], [0.4, 0.0, 0.6], [0.6, 0.3, 0.1]])
    table = wells(p)
    tied = vote(table, settings=by("majority"))
    assert tied["class"].tolist() == [TIE]
    broken = vote(table, settings=by("majority", tie_rule="mean-probability"))
    assert broken["class"].tolist() == ["c000"]
    assert broken["margin"].tolist() == [0]
    even = wells(np.array([[0.8, 0.2], [0.2, 0.8]]))
    assert vote(even, settings=by("majority", tie_rule="mean-probability"))["class"].tolist() == [TIE]


def test_attention_that_was_not_learned_is_refused() -> None:
    with pytest.raises(PredictionsError, match="learned none"):
        vote(wells(np.full((4, 2), 0.5)), settings=by("attention"))


def test_deciding_by_sets_asks_for_sets() -> None:
    with pytest.raises(SettingsError, match="give set_level"):
        by("majority", undecided_unless_single=True, set_level=None)
    with pytest.raises(PredictionsError, match="before votes were calibrated"):
        vote(wells(np.full((4, 2), 0.5)), settings=by("majority", undecided_unless_single=True))


def test_every_value_that_is_no_class_is_reserved() -> None:
    from cellvote.learning.classes import RESERVED
    from cellvote.voting.settings import NO_CLASS

    assert set(NO_CLASS) == RESERVED
