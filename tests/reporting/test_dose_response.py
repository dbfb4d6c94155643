from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cellvote.reporting.dose_response import (
    TRAINING,
    DoseResponse,
    dose_response,
    positive_class,
    spearman,
    wants_log_axis,
)
from cellvote.reporting.well_table import NO_CELLS, TIE, VOTED
from cellvote.voting.vote import NO_VOTE

CLASSES = ("neg", "pos")


def wells_of(shares: dict[str, float], training: set[str] = frozenset(), states: dict[str, str] | None = None) -> Any:
    """One row for each well, as from `well_table`; the share is that of the class ``pos``."""
    states = states or {}
    rows = [
        {
            "plate": "P",
            "well": well,
            "state": states.get(well, VOTED),
            "n_cells": 20,
            "training": well in training,
            "share_neg": 1 - share,
            "share_pos": share,
        }
        for well, share in shares.items()
    ]
    return pd.DataFrame(rows)


def map_of(doses: dict[str, str], **columns: dict[str, str]) -> pd.DataFrame:
    table = pd.DataFrame({"plate": "P", "well": list(doses), "imaged": True, "Dose": list(doses.values())}, dtype="str")
    for name, values in columns.items():
        table[name] = pd.Series([values.get(well, "") for well in doses], dtype="str")
    return table.astype({"imaged": bool})


def respond(shares: dict[str, float], doses: dict[str, str], **options: Any) -> DoseResponse:
    columns = options.pop("columns", {})
    return dose_response(wells_of(shares, **options), map_of(doses, **columns), CLASSES, "pos")


def test_a_rising_series_has_spearman_one_and_the_other_class_minus_one() -> None:
    found = respond({"A01": 0.1, "A02": 0.2, "A03": 0.9, "A04": 0.95}, {"A01": "0", "A02": "1", "A03": "2", "A04": "3"})
    (series,) = found.series
    assert (series.name, series.n, series.n_doses) == ("A", 4, 4)
    assert series.rho == {"neg": pytest.approx(-1), "pos": pytest.approx(1)}


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1, allow_subnormal=False)), min_size=3, max_size=40))
def test_spearman_is_that_of_scipy_or_none(pairs: list[tuple[int, float]]) -> None:
    dose, share = np.array(pairs, float).T
    rho = spearman(dose, share)
    if len(set(dose)) < 3 or len(set(share)) < 2:
        assert rho is None
    else:
        assert rho == pytest.approx(stats.spearmanr(dose, share).statistic, nan_ok=True)
        assert -1.0001 <= rho <= 1.0001


def test_training_wells_are_left_out_of_the_figures_but_stay_among_the_points() -> None:
    shares = {"A01": 1.0, "A02": 0.1, "A03": 0.5, "A04": 0.9, "A05": 0.0}
    doses = {well: str(i) for i, well in enumerate(shares)}
    found = respond(shares, doses, training={"A01", "A05"})
    assert found.series[0].n == 3
    assert found.series[0].rho["pos"] == pytest.approx(1)
    assert found.n_left_out(TRAINING) == 2
    assert set(found.points.loc[found.points["left_out"] == TRAINING, "well"]) == {"A01", "A05"}
    assert not found.in_series()["well"].isin(["A01", "A05"]).any()


def test_a_well_with_too_few_cells_is_left_out_and_a_tie_is_not() -> None:
    shares = {"A01": 0.1, "A02": 0.5, "A03": 0.6, "A04": 0.0}
    doses = {well: str(i) for i, well in enumerate(shares)}
    found = respond(shares, doses, states={"A02": TIE, "A04": NO_VOTE})
    assert found.series[0].n == 3
    assert found.n_left_out(NO_VOTE) == 1


def test_a_well_without_cells_is_no_point_at_share_zero() -> None:
    shares = {"A01": 0.1, "A02": 0.5, "A03": 0.6, "A04": 0.0}
    found = respond(shares, {well: str(i) for i, well in enumerate(shares)}, states={"A04": NO_CELLS})
    assert list(found.points["well"]) == ["A01", "A02", "A03"]


def test_all_wells_and_the_mean_curve_are_two_different_figures() -> None:
    shares = {"A01": 0.0, "A02": 0.4, "A03": 0.5, "B01": 0.3, "B02": 0.2, "B03": 0.9}
    doses = {"A01": "1", "A02": "2", "A03": "3", "B01": "1", "B02": "2", "B03": "3"}
    found = respond(shares, doses)
    assert found.pooled is not None
    assert found.mean_curve is not None
    assert (found.pooled.n, found.mean_curve.n) == (6, 3)
    expected = stats.spearmanr([1, 2, 3, 1, 2, 3], [0.0, 0.4, 0.5, 0.3, 0.2, 0.9]).statistic
    assert found.pooled.rho["pos"] == pytest.approx(expected)
    assert found.mean_curve.rho["pos"] == pytest.approx(1)


def test_compounds_make_the_series_where_the_plate_map_names_them() -> None:
    shares = {f"A0{i}": i / 10 for i in range(1, 7)}
    doses = dict(zip(shares, ["1", "2", "4", "4", "2", "1"], strict=True))
    compounds = {well: "taxol" if well < "A04" else "nocodazole" for well in shares}
    found = respond(shares, doses, columns={"Compound": compounds})
    assert found.series_by == "Compound"
    assert {one.name: one.rho["pos"] for one in found.series} == {
        "nocodazole": pytest.approx(-1),
        "taxol": pytest.approx(1),
    }


def test_controls_at_a_single_dose_are_no_series_and_not_in_the_pooled_figure() -> None:
    shares = {"A01": 0.1, "A02": 0.5, "A03": 0.9, "A04": 0.9, "A05": 0.8}
    doses = {"A01": "1", "A02": "2", "A03": "3", "A04": "0", "A05": "0"}
    compounds = {"A01": "taxol", "A02": "taxol", "A03": "taxol", "A04": "DMSO", "A05": "DMSO"}
    found = respond(shares, doses, columns={"Compound": compounds})
    assert [one.name for one in found.series] == ["taxol"]
    assert found.pooled is not None
    assert found.pooled.n == 3


def test_molar_units_are_brought_together_and_others_are_refused() -> None:
    shares = {"A01": 0.1, "A02": 0.5, "A03": 0.9, "A04": 0.95}
    doses = {"A01": "10", "A02": "100", "A03": "1", "A04": "1000"}
    units = {"A01": "nM", "A02": "nM", "A03": "uM", "A04": "nM"}
    found = respond(shares, doses, columns={"Unit": units})
    assert found.unit == "µM"
    assert found.points["dose"].tolist() == [0.01, 0.1, 1.0, 1.0]
    refused = respond(shares, doses, columns={"Unit": units | {"A03": "mg/ml"}})
    assert refused.pooled is None
    assert "mg/ml" in refused.reason


def test_without_doses_or_with_nothing_but_training_wells_the_reason_is_said() -> None:
    plate_map = map_of({"A01": "low", "A02": "high"})
    assert "no column" in dose_response(wells_of({"A01": 0.1, "A02": 0.2}), plate_map, CLASSES, "pos").reason
    shares = {"A01": 0.1, "A02": 0.5, "A03": 0.9}
    found = respond(shares, {"A01": "1", "A02": "2", "A03": "3"}, training=set(shares))
    assert "example of a class" in found.reason
    assert found.pooled is None
    assert found.summary()["reason"] == found.reason


def test_a_share_that_never_changes_has_no_correlation() -> None:
    found = respond({"A01": 1.0, "A02": 1.0, "A03": 1.0}, {"A01": "1", "A02": "2", "A03": "3"})
    assert found.series[0].rho == {"neg": None, "pos": None}


def test_the_axis_is_logarithmic_beyond_two_decades_and_where_doses_would_collide() -> None:
    assert wants_log_axis([0, 0.01, 0.1, 10])
    assert wants_log_axis([0.5, 1, 2, 5, 10, 50])
    assert not wants_log_axis(list(range(11)))
    assert not wants_log_axis([-9, -8, -5])  # logarithms already


@pytest.mark.parametrize(
    ("classes", "control_type", "expected"),
    [
        (("Positive", "treated"), {}, "Positive"),
        (("taxol", "dmso"), {"A01": "positive", "A02": "negative"}, "taxol"),
        (("taxol", "dmso"), {}, "dmso"),
    ],
)
def test_the_positive_class_is_named_so_or_the_positive_controls_or_the_last(
    classes: tuple[str, ...], control_type: dict[str, str], expected: str
) -> None:
    plate_map = map_of({"A01": "1", "A02": "0"}, control_type=control_type)
    truth = pd.DataFrame({"plate": "P", "well": ["A01", "A02"], "truth": ["taxol", "dmso"]})
    assert positive_class(classes, plate_map, truth) == expected
