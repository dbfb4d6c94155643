"""Measurements have the names that CellProfiler gives them."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.exporting.measurement_names import cytomining_names, name_measurement, unique_names

CHANNELS = ("DNA", "AGP", "w1 DAPI", "GFP_2")

OF_CELLPROFILER = {
    "area": "Cells_AreaShape_Area",
    "perimeter": "Cells_AreaShape_Perimeter",
    "axis_major_length": "Cells_AreaShape_MajorAxisLength",
    "axis_minor_length": "Cells_AreaShape_MinorAxisLength",
    "eccentricity": "Cells_AreaShape_Eccentricity",
    "solidity": "Cells_AreaShape_Solidity",
    "extent": "Cells_AreaShape_Extent",
    "orientation": "Cells_AreaShape_Orientation",
    "nucleus_area": "Nuclei_AreaShape_Area",
    "centroid_x": "Cells_Location_Center_X",
    "bbox_y_max": "Cells_AreaShape_BoundingBoxMaximum_Y",
    "intensity_mean_DNA": "Cells_Intensity_MeanIntensity_DNA",
    "intensity_min_AGP": "Cells_Intensity_MinIntensity_AGP",
    "intensity_max_AGP": "Cells_Intensity_MaxIntensity_AGP",
    "intensity_std_AGP": "Cells_Intensity_StdIntensity_AGP",
    "intensity_mean_nucleus_DNA": "Nuclei_Intensity_MeanIntensity_DNA",
    "intensity_mean_cytoplasm_AGP": "Cytoplasm_Intensity_MeanIntensity_AGP",
    "granularity_01_AGP": "Cells_Granularity_1_AGP",
    "granularity_16_DNA": "Cells_Granularity_16_DNA",
    "radial_fraction_1of4_DNA": "Cells_RadialDistribution_FracAtD_DNA_1of4",
    "radial_mean_4of4_AGP": "Cells_RadialDistribution_MeanFrac_AGP_4of4",
    "radial_cv_2of4_DNA": "Cells_RadialDistribution_RadialCV_DNA_2of4",
    "neighbours_touching": "Cells_Neighbors_NumberOfNeighbors_Adjacent",
    "neighbours_within_5px": "Cells_Neighbors_NumberOfNeighbors_5",
    "neighbours_first_distance": "Cells_Neighbors_FirstClosestDistance_Adjacent",
    "correlation_pearson_AGP_DNA": "Cells_Correlation_Correlation_AGP_DNA",
    "correlation_k1_AGP_DNA": "Cells_Correlation_K_AGP_DNA",
    "correlation_k2_AGP_DNA": "Cells_Correlation_K_DNA_AGP",
    "correlation_manders2_AGP_DNA": "Cells_Correlation_Manders_DNA_AGP",
    "correlation_overlap_AGP_DNA": "Cells_Correlation_Overlap_AGP_DNA",
}


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("pattern_mixed_2px_DNA", "Cells_LocalPattern_Mixed_DNA_2"),
        ("blobs_max_4px_w1 DAPI", "Cells_Blobs_Max_w1DAPI_4"),
        ("polar_harmonic_3_2of4_DNA", "Cells_Polar_Harmonic_DNA_3_2of4"),
        ("moments_hu_1", "Cells_AreaShape_MomentsHu_1"),
        ("radius_harmonic_8", "Cells_AreaShape_RadiusHarmonic_8"),
    ],
)
def test_what_only_we_measure_is_named_in_the_same_form(column: str, name: str) -> None:
    assert str(name_measurement(column, CHANNELS)) == name


@pytest.mark.parametrize(("column", "name"), OF_CELLPROFILER.items())
def test_what_cellprofiler_measures_too_has_its_name(column: str, name: str) -> None:
    assert str(name_measurement(column, CHANNELS)) == name


def test_these_names_are_in_a_jump_profile(real_data: Path) -> None:
    table = real_data / "jump_BR00117006" / "BR00117006_shrunken.parquet"
    assert set(OF_CELLPROFILER.values()) <= set(pq.read_schema(table).names)


def test_shape_and_place_have_the_names_of_cellprofilers_own_table(real_data: Path) -> None:
    with (real_data / "cellprofiler_ExampleHuman" / "Cells.csv").open(newline="") as file:
        header = set(next(csv.reader(file)))
    ours = [n for c, n in OF_CELLPROFILER.items() if n.startswith(("Cells_AreaShape", "Cells_Location"))]
    ours += [n for n in OF_CELLPROFILER.values() if n.startswith("Cells_Intensity") and n.endswith("_DNA")]
    assert {name.removeprefix("Cells_") for name in ours} <= header


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("nucleus_share", "Cells_AreaShape_NucleusShare"),
        ("nucleus_cytoplasm_ratio_DNA", "Cells_Intensity_NucleusCytoplasmRatio_DNA"),
        ("nucleus_ring_contrast_GFP_2", "Cells_Intensity_NucleusRingContrast_GFP2"),
        ("intensity_mean_w1 DAPI", "Cells_Intensity_MeanIntensity_w1DAPI"),
        ("texture_angular_second_moment_3px_DNA", "Cells_Texture_AngularSecondMoment_DNA_3"),
        ("texture_information_1_3px_DNA", "Cells_Texture_InfoMeas1_DNA_3"),
        ("texture_contrast_3px_nucleus_DNA", "Nuclei_Texture_Contrast_DNA_3"),
        ("neighbours_touching_share", "Cells_Neighbors_TouchingShare"),
        ("wobble_index", "Cells_Other_WobbleIndex"),
        ("wobble_2px_AGP", "Cells_Intensity_Wobble_AGP_2"),
    ],
)
def test_what_it_does_not_measure_has_a_name_of_the_same_form(column: str, name: str) -> None:
    assert str(name_measurement(column, CHANNELS)) == name


def test_the_channels_of_a_measurement_are_known() -> None:
    assert name_measurement("correlation_pearson_DNA_GFP_2", CHANNELS).channels == ("DNA", "GFP_2")
    assert name_measurement("area", CHANNELS).channels == ()


def test_a_channel_whose_name_ends_like_another_is_not_taken_for_it() -> None:
    assert name_measurement("intensity_mean_old_DNA", ("DNA", "old_DNA")).channels == ("old_DNA",)


def test_the_median_has_the_plain_name_and_so_has_a_statistic_alone() -> None:
    assert cytomining_names(["median_area", "mad_area"], ()) == {
        "median_area": "Cells_AreaShape_Area",
        "mad_area": "Cells_AreaShape_Area_MAD",
    }
    assert cytomining_names(["mean_area"], ()) == {"mean_area": "Cells_AreaShape_Area"}
    assert list(cytomining_names(["mean_area", "std_area"], ()).values()) == [
        "Cells_AreaShape_Area_Mean",
        "Cells_AreaShape_Area_Std",
    ]
    assert cytomining_names(["pc_1", "pc_2"], ()) == {"pc_1": "PC1", "pc_2": "PC2"}


def test_channels_that_differ_in_spaces_only_stay_apart() -> None:
    names = cytomining_names(["intensity_mean_a b", "intensity_mean_ab"], ("a b", "ab"))
    assert list(names.values()) == ["Cells_Intensity_MeanIntensity_ab", "Cells_Intensity_MeanIntensity_ab_2"]


@given(st.lists(st.sampled_from(["a", "a_2", "a_2_2", "b"]), max_size=8))
def test_no_two_names_are_the_same(names: list[str]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(names)


@given(st.lists(st.text(st.sampled_from("ab_1 nucleuspx"), min_size=1, max_size=20), unique=True, max_size=6))
def test_any_column_has_a_name_of_its_own_that_cytomining_finds(columns: list[str]) -> None:
    names = list(cytomining_names(columns, ("b", "a 1")).values())
    assert len(set(names)) == len(columns)
    assert all(name.startswith(("Cells_", "Nuclei_", "Cytoplasm_")) for name in names)
