"""Attention pooling: learned on some wells, tried on others."""

import numpy as np
import pytest
from tests.voting.screens import simulate_screen

from cellvote.voting import VoteSettings, vote
from cellvote.voting.calibrating import fit_conformal
from cellvote.voting.pooling import Pooling, certainty, fit_pooling

WELL = ("plate", "well")


def right(screen, method: str, calibration) -> float:
    settings = VoteSettings(method=method, min_cells=1, set_level=None)
    truth = screen.groupby(list(WELL))["truth"].first().to_numpy()
    return float((vote(screen.drop(columns="fold"), WELL, settings, calibration)["class"] == truth).mean())


def test_where_few_cells_respond_attention_finds_the_wells_that_the_mean_misses() -> None:
    weak = {"classes": 2, "wells": 8, "cells": 120, "responding": 0.3, "sharpness": 4.0, "well_sd": 0.3}
    calibration = fit_conformal(simulate_screen(np.random.default_rng(0), plates=3, **weak))
    new = simulate_screen(np.random.default_rng(1), plates=6, **weak)
    assert right(new, "mean-probability", calibration) < 0.6
    assert right(new, "attention", calibration) > 0.9


def test_where_all_cells_are_alike_attention_does_no_harm() -> None:
    calibration = fit_conformal(simulate_screen(np.random.default_rng(0), plates=2))
    new = simulate_screen(np.random.default_rng(1), plates=8)
    assert right(new, "attention", calibration) >= right(new, "mean-probability", calibration) - 0.05


def test_a_training_well_is_pooled_by_what_was_learned_without_it() -> None:
    screen = simulate_screen(np.random.default_rng(0), plates=3)
    pooling = fit_conformal(screen).pooling
    assert pooling is not None
    without = fit_conformal(screen[screen["fold"] != 1].assign(fold=0)).pooling
    assert without is not None
    assert pooling.of(1).weight == pytest.approx(without.whole.weight, abs=1e-3)
    assert pooling.of(-1) == pooling.whole != pooling.of(1)


def test_the_order_of_the_classes_makes_no_difference() -> None:
    screen = simulate_screen(np.random.default_rng(0), plates=2)
    p = screen[[f"probability_{c}" for c in "abc"]].to_numpy()
    well = screen.groupby(list(WELL)).ngroup().to_numpy()
    truth = np.tile(np.arange(3), 4)
    first = fit_pooling(list(p.T), well, truth)
    second = fit_pooling(list(p[:, ::-1].T), well, 2 - truth)
    assert second.whole.bias[::-1] == pytest.approx(first.whole.bias, abs=1e-3)
    assert second.weights(p[:, ::-1].T.copy(), None) == pytest.approx(first.weights(p.T.copy(), None), abs=0.01)


def test_certainty_runs_from_even_chances_to_none() -> None:
    assert certainty(np.array([[0.25, 1, 0.5], [0.25, 0, 0.5], [0.25, 0, 0], [0.25, 0, 0]])) == pytest.approx(
        [0, 1, 0.5]
    )


def test_what_was_learned_is_kept_as_plain_numbers() -> None:
    pooling = fit_conformal(simulate_screen(np.random.default_rng(0), plates=2)).pooling
    assert pooling is not None
    assert Pooling.model_validate_json(pooling.model_dump_json()) == pooling
