"""The cut of conformal sets: equal to plain conformal prediction for single cells, honest for wells and plates."""

from itertools import pairwise

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvote.voting.cuts import belongs_in, least_units, make_cut

scores = st.lists(st.integers(0, 12).map(lambda n: n / 12), min_size=9, max_size=40)


@pytest.mark.parametrize(("level", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_so_many_units_calibrate_a_level(level: float, least: int) -> None:
    assert least_units(level) == least
    make_cut(np.arange(least) / least, np.ones(least), least, level)
    with pytest.raises(ValueError, match="cannot calibrate"):
        make_cut(np.arange(least - 1) / least, np.ones(least - 1), least - 1, level)


@settings(max_examples=60)
@given(scores, scores, st.sampled_from([0.5, 0.75, 0.8, 0.9]))
def test_where_each_unit_has_one_score_it_is_plain_split_conformal(
    calibrating: list[float], new: list[float], level: float
) -> None:
    alphas, fresh = np.array(calibrating), np.array(new)
    reference = ConformalClassifier().fit(alphas)
    p_values = reference.predict_p(fresh[:, None], all_classes=True, smoothing=False)[:, 0]
    held = belongs_in(fresh, make_cut(alphas, np.ones(len(alphas)), len(alphas), level))
    clear = (
        np.abs(p_values - (1 - level)) > 1e-6
    )  # crepes has no tolerance where p is exactly α: there it holds by luck
    assert held[clear].tolist() == (p_values > 1 - level)[clear].tolist()


@settings(max_examples=60)
@given(scores, st.integers(1, 5), st.lists(st.integers(0, 12), min_size=1, max_size=20), st.sampled_from([0.8, 0.9]))
def test_the_cut_is_the_p_value_as_it_is_defined(
    calibrating: list[float], n_wells: int, new: list[int], level: float
) -> None:
    alphas, fresh = np.array(calibrating), np.array(new) / 12
    well = np.arange(len(fresh)) % n_wells
    weights = np.full(len(alphas), 9 / len(alphas))  # as nine units would have, together
    held = belongs_in(fresh, make_cut(alphas, weights, 9, level), well, np.bincount(well))
    for i, score in enumerate(fresh):
        own = (fresh[well == well[i]] >= score).mean()
        p_value = (weights[alphas >= score].sum() + own) / 10
        assert held[i] == (p_value > 1 - level + 1e-10)


@settings(max_examples=40)
@given(scores, st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_sets_grow_with_their_level(calibrating: list[float], new: list[int]) -> None:
    alphas, fresh = np.array(calibrating), np.array(new) / 12
    well = np.arange(len(fresh)) % 3
    held = [
        belongs_in(fresh, make_cut(alphas, np.ones(len(alphas)), len(alphas), level), well, np.bincount(well))
        for level in (0.5, 0.7, 0.8, 0.9)
    ]
    for smaller, larger in pairwise(held):
        assert not (smaller & ~larger).any()


def covered(random: np.random.Generator, n_units: int, unit_sd: float, level: float, *, own: bool) -> float:
    """Calibrate with some units, and say which share of the cells of a new one is covered."""
    sizes = random.integers(5, 60, n_units + 1)
    effects = random.normal(0, unit_sd, n_units + 1) * np.where(random.random(n_units + 1) < 0.2, 3, 1)
    cells = [random.normal(effect, 1, size) for effect, size in zip(effects, sizes, strict=True)]
    weights = np.concatenate([np.full(len(c), 1 / len(c)) for c in cells[:-1]])
    cut = make_cut(np.concatenate(cells[:-1]), weights, n_units, level)
    new = cells[-1]
    if own:
        return belongs_in(new, cut, np.zeros(len(new), np.int64), np.array([len(new)])).mean()
    return belongs_in(new, cut).mean()


@pytest.mark.parametrize("unit_sd", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("n_units", [9, 12, 30])
def test_cells_of_new_wells_are_covered_as_promised_and_hardly_more(n_units: int, unit_sd: float) -> None:
    random = np.random.default_rng(n_units)
    shares = np.array([covered(random, n_units, unit_sd, 0.9, own=True) for _ in range(1500)])
    error = shares.std() / np.sqrt(len(shares))
    assert 0.9 - 3 * error <= shares.mean() <= 0.9 + 3 * error + 0.005


@pytest.mark.parametrize("unit_sd", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("n_units", [9, 20])
def test_cells_of_plates_never_seen_are_covered_at_least_as_promised(n_units: int, unit_sd: float) -> None:
    random = np.random.default_rng(n_units)
    shares = np.array([covered(random, n_units, unit_sd, 0.9, own=False) for _ in range(1500)])
    error = shares.std() / np.sqrt(len(shares))
    assert shares.mean() >= 0.9 - 3 * error
    assert shares.mean() <= 0.9 + 1.05 / (n_units + 1) + 3 * error


def test_cells_taken_for_independent_witnesses_would_break_the_promise() -> None:
    random, shares = np.random.default_rng(0), []
    for _ in range(600):
        cells = random.normal(random.normal(0, 5, (10, 1)), 1, (10, 40))
        pooled = make_cut(cells[:-1].ravel(), np.ones(360), 360, 0.9)
        shares.append(belongs_in(cells[-1], pooled).mean())
    assert np.mean(shares) < 0.87
