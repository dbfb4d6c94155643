"""Columns that say nothing, or nothing of their own, are dropped."""

import numpy as np
import pytest

from cellvote.profiling.selection import select_columns

RNG = np.random.default_rng(5)
WELLS = RNG.normal(size=(60, 3))


def test_constant_and_missing_columns_are_dropped() -> None:
    table = np.column_stack([WELLS, np.full(60, 0.1), np.where(np.arange(60) < 4, np.nan, WELLS[:, 0] ** 2)])
    found = select_columns(table, max_missing=0.05, max_correlation=0.99)
    assert found.kept.tolist() == [True, True, True, False, False]
    assert (found.n_missing, found.n_constant, found.n_correlated) == (1, 1, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_of_two_columns_that_are_nearly_the_same_the_one_more_like_all_others_goes(sign: int) -> None:
    mixed = WELLS[:, 0] + 0.2 * WELLS[:, 1]
    found = select_columns(np.column_stack([WELLS, sign * mixed]), max_missing=0, max_correlation=0.9)
    assert found.kept.tolist() == [True, True, True, False]
    assert select_columns(np.column_stack([WELLS, mixed]), max_missing=0, max_correlation=0.999).kept.all()


def test_of_two_columns_that_are_the_same_the_first_stays() -> None:
    found = select_columns(np.column_stack([WELLS[:, 0], WELLS[:, 0]]), max_missing=0, max_correlation=0.9)
    assert found.kept.tolist() == [True, False]


def test_correlations_are_of_the_wells_in_which_both_have_a_number() -> None:
    table = np.column_stack([WELLS[:, 0], 3 * WELLS[:, 0] + 1e3, WELLS[:, 1]])
    table[0, 0] = table[1, 1] = np.nan
    assert select_columns(table, max_missing=0.05, max_correlation=0.9).kept.tolist() == [True, False, True]


def test_nothing_is_selected_of_nothing() -> None:
    assert select_columns(np.empty((0, 2)), 0.05, 0.9).kept.tolist() == [False, False]
