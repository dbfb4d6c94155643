"""Temperature: probabilities that are right as often as they say."""

import numpy as np
import pytest

from cellvote.voting.metrics import expected_calibration_error
from cellvote.voting.temperature import Temperature, calibrate, fit_temperature, scaled


def drawn(n: int, sharpened: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truths drawn from known probabilities, and these probabilities as a model too sure of itself states them."""
    random = np.random.default_rng(seed)
    honest = random.dirichlet([1.0, 1.0, 1.0], n)
    truth = (honest.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return scaled(honest, 1 / sharpened), truth


def test_the_temperature_undoes_how_sure_a_model_is_of_itself() -> None:
    stated, truth = drawn(20_000, sharpened=3)
    assert fit_temperature(stated, truth) == pytest.approx(3, rel=0.08)
    honest, truth = drawn(20_000, sharpened=1)
    assert fit_temperature(honest, truth) == pytest.approx(1, rel=0.05)


def test_what_is_likeliest_stays_so_and_rows_still_sum_to_one() -> None:
    stated, _ = drawn(500, sharpened=2)
    for temperature in (0.3, 1.0, 7.0):
        changed = scaled(stated, temperature)
        assert (changed.argmax(axis=1) == stated.argmax(axis=1)).all()
        np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_allclose(scaled(stated, 1.0), stated, atol=1e-5)


def test_each_fold_is_corrected_by_what_the_others_say() -> None:
    stated, truth = drawn(6_000, sharpened=4)
    fold = np.arange(6_000) % 3
    found = calibrate(stated, truth, fold)
    for number in range(3):
        others = fold != number
        assert found.by_fold[number] == fit_temperature(stated[others], truth[others])
    corrected = found.apply(stated, fold)
    assert found.ece == expected_calibration_error(corrected, truth)
    assert found.ece is not None
    assert found.ece_uncalibrated is not None
    assert found.ece < 0.03 < 0.15 < found.ece_uncalibrated


def test_images_that_no_model_saw_get_the_temperature_of_all_folds() -> None:
    found = Temperature(temperature=2.0, by_fold=(3.0, 4.0))
    stated = np.array([[0.8, 0.2]] * 3)
    corrected = found.apply(stated, np.array([0, 1, -1]))
    for row, temperature in zip(corrected, (3.0, 4.0, 2.0), strict=True):
        np.testing.assert_allclose(row, scaled(stated[:1], temperature)[0])


def test_a_probability_of_nothing_stays_finite() -> None:
    stated = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = calibrate(stated, np.array([0, 1, 1]), np.array([0, 1, 2]))
    assert np.isfinite(found.apply(stated, np.array([0, 1, -1]))).all()
