"""Edge effects and gradients of a plate."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cellvote.plates.wells import edge_distance, well_name, well_position
from cellvote.profiling.plate_position import _kruskal_p, confounded_axes, holm, position_effects

SHAPE = (8, 12)
WELLS = [well_name(row, column) for row in range(1, 9) for column in range(1, 13)]
NOISE = dict(zip(WELLS, np.random.default_rng(5).normal(size=96), strict=True))


def test_noise_shows_neither_edge_nor_gradient() -> None:
    effects = position_effects(NOISE, SHAPE)
    assert list(effects) == ["edge", "rows", "columns"]
    assert all(effect.p > 0.05 for effect in effects.values())
    assert (effects["edge"].n, effects["edge"].n_edge, effects["rows"].n) == (96, 36, 96)


def test_an_edge_effect_is_found_and_measured_in_robust_deviations() -> None:
    values = {well: noise + 3 * (edge_distance(well, SHAPE) == 0) for well, noise in NOISE.items()}
    values["A01"] = 1e9  # one spoilt well changes nothing
    edge = position_effects(values, SHAPE)["edge"]
    assert edge.size == pytest.approx(3, abs=0.5)
    assert edge.p < 1e-6


def test_a_gradient_is_found_along_the_axis_that_it_runs() -> None:
    effects = position_effects({w: n - 0.5 * well_position(w).column for w, n in NOISE.items()}, SHAPE)
    assert effects["columns"].size < -0.7
    assert effects["columns"].p < 1e-6
    assert abs(effects["rows"].size) < 0.3


def test_wells_without_a_value_are_left_out() -> None:
    values = NOISE | {"A01": math.nan, "C03": math.inf}
    effects = position_effects(values, SHAPE)
    assert (effects["edge"].n, effects["edge"].n_edge) == (94, 35)


@pytest.mark.parametrize(
    "values",
    [{}, dict(list(NOISE.items())[:7]), dict.fromkeys(WELLS, 3.0)],
    ids=["no well", "seven wells", "all the same"],
)
def test_where_nothing_can_be_told_nothing_is_said(values: dict[str, float]) -> None:
    assert position_effects(values, SHAPE) == {}


def test_where_only_inner_wells_were_used_there_is_no_edge_to_test() -> None:
    effects = position_effects({w: n for w, n in NOISE.items() if edge_distance(w, SHAPE)}, SHAPE)
    assert set(effects) == {"rows", "columns"}


def test_two_rows_make_no_gradient() -> None:
    assert set(position_effects({w: NOISE[w] for w in WELLS[:24]}, SHAPE)) == {"edge", "columns"}


def test_mostly_equal_numbers_are_measured_all_the_same() -> None:
    values = {well: float(well == "D05") for well in WELLS}
    assert math.isfinite(position_effects(values, SHAPE)["edge"].size)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_correction_only_weakens_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    assert np.all(np.diff(np.array(corrected)[np.argsort(p_values, kind="stable")]) >= 0)


def test_holm_multiplies_by_how_many_are_left() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_controls_in_their_own_columns_are_confounded_with_columns() -> None:
    layout = {well: "DMSO" if well_position(well).column <= 2 else f"compound {well}" for well in WELLS}
    assert "columns" in confounded_axes(layout, SHAPE)
    assert "rows" not in confounded_axes(layout, SHAPE)


def test_doses_in_rows_are_confounded_with_rows_and_edge() -> None:
    assert "rows" in confounded_axes({well: f"dose {well[0]}" for well in WELLS}, SHAPE)


def test_a_shuffled_plate_is_not_confounded() -> None:
    treatments = np.random.default_rng(1).permutation([f"drug {i % 8}" for i in range(96)])
    assert confounded_axes(dict(zip(WELLS, treatments, strict=True)), SHAPE) == frozenset()


def test_without_repeats_nothing_can_be_said_of_confounding() -> None:
    assert confounded_axes({well: well for well in WELLS}, SHAPE) == frozenset()
    assert confounded_axes({"A01": "a", "A02": "a", "A03": ""}, SHAPE) == frozenset()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=5, max_size=60))
def test_groups_are_compared_as_scipy_does(drawn: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in drawn])
    groups = np.unique([group for _, group in drawn], return_inverse=True)[1]
    if groups.max() == 0 or np.ptp(values) == 0:
        return
    expected = stats.kruskal(*(values[groups == group] for group in range(groups.max() + 1))).pvalue
    assert _kruskal_p(values, groups) == pytest.approx(expected)
