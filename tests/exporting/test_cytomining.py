"""Tables in Cytomining's columns."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellvote.exporting import export_study
from cellvote.exporting.cytomining import cytomining_cells, cytomining_profiles, metadata_names
from cellvote.jobs.profile import read_profiles
from cellvote.study import Study
from cellvote.study.atomic import write_table


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_profiles_in_cytomining_style_hold_the_same_numbers(
    profiled_study: Study, tmp_path: Path, file_format: str
) -> None:
    summary = export_study(profiled_study, tmp_path / "out", file_format, style="cytomining")
    names = ["cells-watershed", "normalised-watershed", "profiles-watershed", "wells"]
    assert list(summary.files) == [f"{name}.{file_format}" for name in names]
    read = pd.read_csv if file_format == "csv" else pd.read_parquet
    table = read(tmp_path / "out" / f"normalised-watershed.{file_format}")
    expected = read_profiles(profiled_study).normalised
    assert expected is not None
    assert table["Metadata_Well"].tolist() == expected["well"].tolist()
    assert table["Metadata_Count_Cells"].tolist() == expected["n_cells"].tolist()
    for ours, theirs in {
        "median_area": "Cells_AreaShape_Area",
        "mad_area": "Cells_AreaShape_Area_MAD",
        "median_nucleus_area": "Nuclei_AreaShape_Area",
        "median_intensity_mean_cytoplasm_DNA": "Cytoplasm_Intensity_MeanIntensity_DNA",
    }.items():
        assert np.array_equal(table[theirs], expected[ours], equal_nan=True)


def test_predictions_have_no_place_there_and_that_is_said(profiled_study: Study, tmp_path: Path) -> None:
    summary = export_study(profiled_study, tmp_path / "out", "csv", style="cytomining")
    assert "Predictions and votes have no place in Cytomining's tables" in summary.notes[-1]


def test_cells_are_named_by_plate_well_site_and_label_id(profiled_study: Study, tmp_path: Path) -> None:
    export_study(profiled_study, tmp_path / "out", "parquet", style="cytomining")
    table = pd.read_parquet(tmp_path / "out" / "cells-watershed.parquet")
    cells = profiled_study.read_cells("watershed")
    keys = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_ObjectNumber"]
    assert list(table.columns[:5]) == [*keys, "Metadata_TouchesBorder"]
    assert table[keys].to_numpy().tolist() == cells[["plate", "well", "field", "label_id"]].to_numpy().tolist()
    assert table["Cells_AreaShape_Area"].tolist() == cells["area"].tolist()


def test_identifiers_of_the_plate_map_stay_text(profiled_study: Study, tmp_path: Path) -> None:
    table = profiled_study.plate_map
    names = ["001234", "12E3", "NA", "=1+1"]
    odd = table.assign(compound=pd.Series(names * 4, dtype="str"), n_cells=pd.Series(["7"] * 16, dtype="str"))
    write_table(profiled_study.path / "platemap.parquet", odd)
    export_study(Study.open(profiled_study.path), tmp_path / "out", "csv", style="cytomining")
    written = pd.read_csv(tmp_path / "out" / "profiles-watershed.csv", dtype="str", keep_default_na=False)
    assert written["Metadata_compound"].tolist()[:4] == names
    assert written["Metadata_n_cells"].tolist()[:2] == ["7", "7"]
    assert written["Metadata_Count_Cells"].tolist() != written["Metadata_n_cells"].tolist()
    assert ',"001234",' in (tmp_path / "out" / "profiles-watershed.csv").read_text(encoding="utf-8")


def test_columns_of_the_plate_map_get_one_prefix_and_no_name_twice() -> None:
    names = metadata_names(["plate", "well", "compound", "Metadata_moa", "Plate", "Count_Cells", "metadata"])
    assert names == {
        "plate": "Metadata_Plate",
        "well": "Metadata_Well",
        "compound": "Metadata_compound",
        "Metadata_moa": "Metadata_moa",
        "Plate": "Metadata_Plate_2",
        "Count_Cells": "Metadata_Count_Cells_2",
        "metadata": "Metadata_metadata",
    }


def test_pycytominer_reads_what_is_exported(profiled_study: Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        pycytominer = pytest.importorskip("pycytominer", reason="pycytominer is not installed")
    profiles = read_profiles(profiled_study)
    raw = cytomining_profiles(profiles.raw, profiled_study.plate_map, profiled_study.channels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pycytominer.normalize(raw, samples="Metadata_control_type == 'negative'", method="mad_robustize")
    assert profiles.normalised is not None
    ours = cytomining_profiles(profiles.normalised, profiled_study.plate_map, profiled_study.channels)
    found = [c for c in theirs if c.startswith(("Cells_", "Nuclei_", "Cytoplasm_"))]
    assert found == [c for c in ours if not c.startswith("Metadata_")]
    known = ours[found].notna().to_numpy()  # where controls do not differ, pycytominer divides by 1e-18
    assert known.mean() > 0.8  # a well has no cells
    assert theirs[found].to_numpy()[known] == pytest.approx(ours[found].to_numpy()[known], abs=1e-6, rel=1e-6)


def test_cells_keep_columns_that_nobody_knows() -> None:
    cells = pd.DataFrame({"plate": ["P"], "well": ["A01"], "field": [1], "label_id": [3], "wobble_DNA": [0.5]})
    table = cytomining_cells(cells, ["DNA"])
    assert table.loc[0, "Cells_Intensity_Wobble_DNA"] == 0.5
