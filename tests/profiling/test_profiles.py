"""From the cells of a well to its profile."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from cellvote.errors import SettingsError
from cellvote.profiling.profiles import (
    ProfileSettings,
    profile_column,
    profile_columns,
    profile_wells,
    split_profile_column,
)
from cellvote.settings import validated

EVERY = ProfileSettings(statistics=("median", "mad", "mean", "std", "count"))


def cells(**wells: list[float]) -> pd.DataFrame:
    rows = [
        {"plate": "P", "well": well, "field": 1, "label_id": i, "touches_border": False, "area": value}
        for well, values in wells.items()
        for i, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows).astype({"plate": "str", "well": "str"})


def test_a_profile_has_each_statistic_of_each_measurement() -> None:
    table = profile_wells(cells(B01=[5.0], A02=[1.0, 2.0, 9.0]), EVERY)
    assert table.round(6).to_dict("records") == [
        {
            "plate": "P", "well": "A02", "n_cells": 3, "n_excluded": 0, "median_area": 2.0, "mad_area": 1.0,
            "mean_area": 4.0, "std_area": pytest.approx(math.sqrt(19), abs=1e-6), "count_area": 3.0,
        },
        {
            "plate": "P", "well": "B01", "n_cells": 1, "n_excluded": 0, "median_area": 5.0, "mad_area": 0.0,
            "mean_area": 5.0, "std_area": pytest.approx(math.nan, nan_ok=True), "count_area": 1.0,
        },
    ]  # fmt: skip


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["A01", "B07", "P24"]), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), min_size=1
    )
)
def test_statistics_are_those_of_numpy_and_scipy(wells: dict[str, list[float]]) -> None:
    table = profile_wells(cells(**wells), EVERY).set_index("well")
    for well, values in wells.items():
        expected = [np.median(values), median_abs_deviation(values), np.mean(values), np.std(values, ddof=1)]
        found = table.loc[well, ["median_area", "mad_area", "mean_area", "std_area"]]
        assert found.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_order_of_the_cells_makes_no_difference_to_medians() -> None:
    table = cells(A01=[3.0, 1.0, 2.5], B01=[7.0, 4.0])
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(profile_wells(table), profile_wells(shuffled))


def test_cells_that_touch_the_border_do_not_count_and_are_counted_apart() -> None:
    table = cells(A01=[1.0, 2.0, 90.0]).assign(touches_border=[False, False, True])
    found = profile_wells(table).iloc[0]
    assert (found["median_area"], found["n_cells"], found["n_excluded"]) == (1.5, 2, 1)
    everyone = profile_wells(table, ProfileSettings(exclude=())).iloc[0]
    assert (everyone["median_area"], everyone["n_cells"], everyone["n_excluded"]) == (2.0, 3, 0)


def test_cells_are_left_out_by_any_flag_and_a_flag_is_no_measurement() -> None:
    table = cells(A01=[1.0, 2.0, 90.0]).assign(blurred=[True, False, False])
    found = profile_wells(table, ProfileSettings(exclude=("touches_border", "blurred")))
    assert found["median_area"].tolist() == [46.0]
    assert profile_columns(found) == ["median_area", "mad_area"]


def test_a_flag_that_the_cells_do_not_have_is_an_error_that_names_those_they_have() -> None:
    with pytest.raises(SettingsError, match="no yes-or-no column 'blured'; they have: touches_border"):
        profile_wells(cells(A01=[1.0]), ProfileSettings(exclude=("blured",)))
    with pytest.raises(SettingsError, match="no yes-or-no column 'area'"):
        profile_wells(cells(A01=[1.0]), ProfileSettings(exclude=("area",)))


def test_measurements_that_are_no_number_are_left_out_of_their_own_statistic_only() -> None:
    table = cells(A01=[1.0, math.nan, 3.0, math.inf]).assign(extent=[0.1, 0.2, 0.3, 0.4])
    found = profile_wells(table, EVERY).iloc[0]
    assert (found["median_area"], found["count_area"], found["count_extent"], found["n_cells"]) == (2.0, 2, 4, 4)


def test_a_well_without_cells_has_a_row_and_no_numbers() -> None:
    wells = pd.DataFrame({"plate": ["P", "P"], "well": ["A01", "H12"]}, dtype="str")
    found = profile_wells(cells(A01=[1.0]), wells=wells)
    assert found["well"].tolist() == ["A01", "H12"]
    assert found["n_cells"].tolist() == [1, 0]
    assert np.isnan(found.loc[1, ["median_area", "mad_area"]].to_numpy(float)).all()


def test_a_well_with_too_few_cells_has_no_numbers() -> None:
    found = profile_wells(cells(A01=[1.0, 2.0], B01=[5.0]), ProfileSettings(min_cells=2))
    assert found["n_cells"].tolist() == [2, 1]
    assert found["median_area"].isna().tolist() == [False, True]


def test_images_without_wells_have_a_profile_each() -> None:
    table = cells(A01=[1.0, 2.0]).assign(well=pd.Series(["", ""], dtype="str"), field=[1, 2])
    found = profile_wells(table, by=["plate", "well", "field"])
    assert found[["field", "median_area"]].to_numpy().tolist() == [[1, 1.0], [2, 2.0]]


def test_columns_of_profiles_say_statistic_and_measurement() -> None:
    assert profile_column("mad", "intensity_mean_DNA") == "mad_intensity_mean_DNA"
    assert split_profile_column("mad_intensity_mean_DNA") == ("mad", "intensity_mean_DNA")
    assert split_profile_column("pc_1") == ("", "pc_1")


def test_settings_are_read_from_the_command_line() -> None:
    settings = validated(ProfileSettings, {"statistics": "mean, std", "exclude": "none"})
    assert (settings.statistics, settings.exclude) == (("mean", "std"), ())
    with pytest.raises(SettingsError, match="statistics"):
        validated(ProfileSettings, {"statistics": "mode"})
    with pytest.raises(SettingsError, match="choose a normalisation"):
        validated(ProfileSettings, {"select": True, "normalisation": "none"})
