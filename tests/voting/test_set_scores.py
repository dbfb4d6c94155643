"""Scores that conformal sets are cut by, against MAPIE and by hand."""

import numpy as np
import pandas as pd
import pytest
from mapie.conformity_scores import APSConformityScore, LACConformityScore

from cellvote.voting.set_scores import chance_of, score_classes

PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [1.0, 0.0, 0.0]])


def test_lac_is_what_is_missing_to_certainty() -> None:
    y = np.array([1, 2, 0])
    known = LACConformityScore().get_conformity_scores(y, PROBABILITIES, y_enc=y).ravel()
    assert score_classes(PROBABILITIES, "lac")[np.arange(3), y] == pytest.approx(known)


def test_aps_sums_the_classes_that_are_likelier() -> None:
    expected = [[0.0, 0.5, 0.8], [0.6, 0.6, 0.0], [0.0, 1.0, 1.0]]
    assert score_classes(PROBABILITIES, "aps") == pytest.approx(np.array(expected))


def test_aps_is_that_of_mapie_where_no_two_classes_are_alike() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(6), 50)
    y = np.arange(50) % 6
    known, _ = APSConformityScore().get_true_label_cumsum_proba(y, p, np.arange(6))
    own = p[np.arange(50), y]
    assert score_classes(p, "aps-randomised", np.ones(50))[np.arange(50), y] == pytest.approx(known.ravel())
    assert score_classes(p, "aps")[np.arange(50), y] == pytest.approx(known.ravel() - own)


def test_the_random_part_is_at_most_the_class_itself() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    for chance in (0.0, 0.3, 1.0):
        more = score_classes(p, "aps-randomised", np.full(20, chance))
        assert more == pytest.approx(score_classes(p, "aps") + chance * p)


@pytest.mark.parametrize("score", ["lac", "aps", "aps-randomised"])
def test_the_order_of_the_classes_makes_no_difference(score: str) -> None:
    p = np.random.default_rng(0).integers(1, 4, (30, 5)).astype(float)
    p /= p.sum(axis=1, keepdims=True)
    chance = np.linspace(0, 1, 30)
    assert score_classes(p[:, ::-1], score, chance)[:, ::-1] == pytest.approx(score_classes(p, score, chance))


def test_chance_is_even_and_always_the_same_for_the_same_cell() -> None:
    cells = pd.DataFrame({"plate": "P", "well": "A01", "field": 1, "label_id": np.arange(4000)})
    chance = chance_of(cells)
    assert np.histogram(chance, 10, (0, 1))[0].min() > 320
    assert chance_of(cells.iloc[[17]].assign(other=1))[0] == chance[17]
