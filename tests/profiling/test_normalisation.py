"""Profiles are compared with the negative controls of their own plate."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import PlateMapError, SettingsError
from cellvote.profiling.normalisation import normalise_profiles
from cellvote.profiling.profiles import ProfileSettings, profile_columns
from cellvote.profiling.sphering import Sphering

A = [1.0, 2.0, 4.0, 7.0, 11.0, 20.0, 3.0]
B = [5.0, 3.0, 4.0, 1.0, 2.0, -6.0, 0.5]
"""Five negative controls, then two wells to be compared with them."""

# The last two wells of A and B, as pycytominer 1.7.1 normalises them (pandas 3.1, NumPy 2.4): normalize(profiles,
# samples="Metadata_control_type == 'negative'", method=…, spherize_method=…).
OF_PYCYTOMINER = {
    ("robust-z", "ZCA-cor"): [[3.597284051, -6.070416835], [-0.224830253, -1.686226899]],
    ("z", "ZCA-cor"): [[4.128614119, -6.363961031], [-0.550481883, -1.767766953]],
    ("sphering", "ZCA-cor"): [[1.598827424, -5.516673527], [-1.618824613, -2.444321972]],
    ("sphering", "ZCA"): [[2.621857705, -5.110362839], [-1.122804129, -2.708250403]],
}


def profiles(plates: str = "P", **columns: list[float]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    wells = [f"A{i + 1:02d}" for i in range(n)]
    tables = [pd.DataFrame({"plate": p, "well": wells, "n_cells": 9, "n_excluded": 0, **columns}) for p in plates]
    return pd.concat(tables, ignore_index=True).astype({"plate": "str", "well": "str"})


def controls(table: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    first = table.groupby("plate").cumcount() < n
    return table[["plate", "well"]].assign(control_type=first.map({True: "negative", False: ""}).astype("str"))


@pytest.mark.parametrize(("method", "sphering"), OF_PYCYTOMINER)
def test_numbers_are_those_of_pycytominer(method: str, sphering: str) -> None:
    table = profiles(median_a=A, median_b=B)
    settings = ProfileSettings.model_validate({"normalisation": method, "sphering": sphering})
    found = normalise_profiles(table, controls(table), settings).table
    assert found.loc[5:, ["median_a", "median_b"]].to_numpy() == pytest.approx(
        np.array(OF_PYCYTOMINER[method, sphering]), abs=1e-8
    )


@pytest.mark.parametrize("shape", [(40, 6), (12, 20)], ids=["more controls than columns", "fewer"])
@pytest.mark.parametrize("sphering", ["ZCA-cor", "ZCA", "PCA-cor", "PCA"])
def test_sphering_is_that_of_the_installed_pycytominer(shape: tuple[int, int], sphering: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        transform = pytest.importorskip("pycytominer.operations.transform", reason="pycytominer is not installed")
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) + 3
    other = rng.normal(size=(5, shape[1]))
    theirs = transform.Spherize(method=sphering, return_numpy=True).fit(pd.DataFrame(numbers))
    expected = theirs.transform(pd.DataFrame(other))
    found = Sphering.fit(numbers, sphering)(other)  # type: ignore[arg-type]
    if sphering.startswith("PCA"):  # an axis and its opposite are the same; axes beyond the controls' are chance
        found, expected = np.abs(found), np.abs(expected[:, : found.shape[1]])
    assert found == pytest.approx(expected, abs=1e-6)


def test_each_plate_is_compared_with_its_own_controls() -> None:
    table = profiles("PQ", median_a=A)
    table.loc[table["plate"] == "Q", "median_a"] = table["median_a"] * 10 + 100  # another exposure
    found = normalise_profiles(table, controls(table)).table
    assert found.loc[:6, "median_a"].tolist() == pytest.approx(found.loc[7:, "median_a"].tolist())
    assert found["median_a"].iloc[:5].median() == 0


def test_keys_and_counts_stay_and_the_input_is_not_changed() -> None:
    table = profiles(median_a=A)
    before = table.copy()
    found = normalise_profiles(table, controls(table)).table
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(found.drop(columns="median_a"), table.drop(columns="median_a"))
    same = normalise_profiles(table, controls(table), ProfileSettings(normalisation="none"))
    pd.testing.assert_frame_equal(same.table, table)


def test_a_plate_with_too_few_negative_controls_is_an_error_that_says_what_to_do() -> None:
    table = profiles("PQ", median_a=A)
    map_ = controls(table)
    map_.loc[map_["plate"] == "Q", "control_type"] = ""
    with pytest.raises(PlateMapError, match="Q: has no negative controls with a profile, and 4 are needed") as error:
        normalise_profiles(table, map_)
    assert "reference=negative-or-all" in str(error.value)
    with pytest.raises(PlateMapError, match="P: has 3 negative controls .* min_controls=3 to do with these"):
        normalise_profiles(table, controls(table, 3))
    with pytest.raises(PlateMapError, match="has no negative controls"):
        normalise_profiles(table, map_.drop(columns="control_type"))


def test_a_plate_is_compared_with_all_its_wells_only_where_that_was_asked_for_and_it_is_said() -> None:
    table = profiles("PQ", median_a=A)
    map_ = controls(table)
    map_.loc[map_["plate"] == "Q", "control_type"] = ""
    found = normalise_profiles(table, map_, ProfileSettings(reference="negative-or-all"))
    assert found.notes == ("Q: has no negative controls with a profile: compared with all of its wells.",)
    assert found.table.loc[7:, "median_a"].median() == 0
    assert found.table.loc[5, "median_a"] == pytest.approx(3.597284051)
    everyone = normalise_profiles(table, map_, ProfileSettings(reference="all"))
    assert everyone.notes == ()
    assert everyone.table.loc[5, "median_a"] == pytest.approx(found.table.loc[12, "median_a"])


def test_controls_without_a_profile_do_not_count() -> None:
    table = profiles(median_a=A)
    table.loc[:1, "median_a"] = np.nan
    with pytest.raises(PlateMapError, match="has 3 negative controls with a profile"):
        normalise_profiles(table, controls(table))


@pytest.mark.parametrize("method", ["z", "robust-z"])
def test_where_controls_do_not_differ_there_is_no_number_and_that_is_said(method: str) -> None:
    table = profiles(median_a=A, median_b=[0.1] * 5 + [3.0, 0.1])
    settings = ProfileSettings.model_validate({"normalisation": method})
    found = normalise_profiles(table, controls(table), settings)
    assert found.table["median_b"].isna().all()
    assert found.table["median_a"].notna().all()
    assert found.notes == ("P: no number for median_b: no spread among the wells that it is compared with.",)


def sphered(table: pd.DataFrame, **settings: object) -> tuple[pd.DataFrame, tuple[str, ...]]:
    chosen = ProfileSettings.model_validate({"normalisation": "sphering", **settings})
    found = normalise_profiles(table, controls(table, 30), chosen)
    return found.table, found.notes


def correlated(n: int = 40, d: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return profiles(**{f"median_m{i}": list(column) for i, column in enumerate(numbers.T)})


def test_after_sphering_the_controls_are_uncorrelated_with_variance_one() -> None:
    found, notes = sphered(correlated())
    assert notes == ()
    covariance = np.cov(found[profile_columns(found)].to_numpy()[:30], rowvar=False)
    assert covariance == pytest.approx(np.eye(4), abs=1e-5)


def test_a_column_that_repeats_another_does_not_blow_sphering_up() -> None:
    table = correlated()
    table["median_again"] = table["median_m0"] * 2
    found, _ = sphered(table)
    assert np.abs(found[profile_columns(found)].to_numpy()).max() < 20


def test_sphering_drops_columns_without_numbers_or_spread_and_says_which() -> None:
    table = correlated().assign(median_flat=1.0, median_gap=np.arange(40.0))
    table.loc[3, "median_gap"] = np.nan
    found, [note] = sphered(table)
    assert profile_columns(found) == ["median_m0", "median_m1", "median_m2", "median_m3"]
    assert note.endswith("dropped: median_flat, median_gap.")


def test_a_well_without_a_profile_stays_without_one() -> None:
    table = correlated()
    table.loc[35, profile_columns(table)] = np.nan
    found, _ = sphered(table)
    assert found[profile_columns(found)].isna().all(axis=1).tolist() == [i == 35 for i in range(40)]


def test_sphering_with_few_controls_is_said() -> None:
    _, [note] = sphered(correlated(40, 30))
    assert note.startswith("P: 30 controls for 30 columns")


def test_components_are_of_one_plate_only() -> None:
    found, _ = sphered(correlated(), sphering="PCA")
    assert profile_columns(found) == ["pc_1", "pc_2", "pc_3", "pc_4"]
    two = pd.concat([correlated(), correlated().assign(plate="Q")], ignore_index=True).astype({"plate": "str"})
    with pytest.raises(SettingsError, match="there are 2 plates: set sphering=ZCA-cor"):
        sphered(two, sphering="PCA-cor")


def test_selected_columns_are_there_vary_and_differ() -> None:
    table = correlated(40, 2).assign(median_far=np.nan)
    table["median_same"] = -table["median_m0"] + 0.001 * np.arange(40)
    found = normalise_profiles(table, controls(table), ProfileSettings(select=True))
    columns = profile_columns(found.table)
    assert "median_far" not in columns
    assert len({"median_m0", "median_same"} & set(columns)) == 1
    assert found.notes[-1].startswith(f"{len(columns)} of 4 columns selected: 1 are missing in many wells, 0 constant")
