"""Profiles of a study: made once, made again when what they are made of changes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.tiny_plates import contents

import cellvote as cv
from cellvote.errors import CancelledError, PlateMapError, SegmentationError, SettingsError, StudyError
from cellvote.jobs.dry_run import dry_run_profile
from cellvote.jobs.profile import profile_study, read_profiles, read_record
from cellvote.profiling.profiles import ProfileSettings, profile_wells
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.study.ledger import FieldRecord, Ledger

SETTINGS = {"min_controls": 3, "exclude": "none"}


def folder(study: Study) -> Path:
    return study.segmentation_folder("watershed")


def test_profiles_stand_beside_the_cells_raw_and_normalised(study: Study) -> None:
    summary = cv.profile(study, settings=SETTINGS)
    assert [path.name for path in summary.files] == ["profiles.parquet", "profiles-normalised.parquet"]
    raw, normalised = (read_table(path) for path in summary.files)
    cells = study.read_cells("watershed")
    keys = study.plate_map[["plate", "well"]]
    expected = profile_wells(cells, ProfileSettings(exclude=()), wells=keys)
    pd.testing.assert_frame_equal(raw, expected)
    negative = study.plate_map["control_type"].to_numpy() == "negative"
    assert normalised.loc[negative, "median_area"].median() == pytest.approx(0)
    assert summary.to_json() | {"seconds": 0, "files": [], "notes": []} == {
        "segmentation": "watershed", "plates": 1, "wells": 16, "cells": len(cells), "excluded": 0, "measurements": 37,
        "columns": 74, "statistics": ["median", "mad"], "normalisation": "robust-z", "up_to_date": False, "files": [],
        "notes": [], "seconds": 0,
    }  # fmt: skip


def test_profiles_that_are_current_are_not_made_again(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    before = {path: path.stat().st_mtime_ns for path in folder(study).iterdir()}
    assert profile_study(study, settings=SETTINGS).up_to_date
    assert {path: path.stat().st_mtime_ns for path in folder(study).iterdir()} == before
    assert not profile_study(study, settings=SETTINGS | {"normalisation": "z"}).up_to_date


def test_the_same_cells_give_the_same_bytes_and_nothing_else_is_touched(study: Study) -> None:
    before = contents(study.path)
    profile_study(study, settings=SETTINGS)
    first = contents(study.path)
    assert {name for name in first if first[name] != before.get(name)} == {
        f"segmentations/watershed/{name}"
        for name in ("profiles.parquet", "profiles-normalised.parquet", "profiles.json")
    }
    (folder(study) / "profiles.json").unlink()
    profile_study(study, settings=SETTINGS)
    assert contents(study.path) == first


def test_profiles_of_other_cells_are_made_again_and_that_is_said(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    cells = study.read_cells("watershed")
    write_table(study.cells_path("watershed"), cells.assign(area=cells["area"] * 2))
    found = read_profiles(study)
    assert found.notes[0] == "watershed: the cells were measured anew since: profiles were made again."
    assert found.record.settings.min_controls == 3
    assert read_profiles(study).notes == found.record.notes
    assert found.raw["median_area"].median() > 1.5 * cells["area"].median()


def test_another_plate_map_gives_other_normalised_profiles(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    study.write_plate_map(study.plate_map.assign(control_type="negative"))
    found = read_profiles(study)
    assert "the plate map was changed since" in found.notes[0]
    assert found.normalised is not None
    assert found.normalised["median_area"].median() == pytest.approx(0)


@pytest.mark.parametrize("name", ["profiles.parquet", "profiles-normalised.parquet"])
def test_a_table_that_a_killed_run_left_behind_is_made_again(study: Study, name: str) -> None:
    profile_study(study, settings=SETTINGS)
    whole = contents(folder(study))
    write_table(folder(study) / name, pd.DataFrame({"plate": ["other"]}))
    assert "are missing or damaged" in read_profiles(study).notes[0]
    assert contents(folder(study)) == whole


def test_a_damaged_record_says_so(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    (folder(study) / "profiles.json").write_text(json.dumps({"settings": {"statistics": ["mode"]}}))
    with pytest.raises(StudyError, match=r"profiles\.json: is damaged"):
        read_record(study, "watershed")


def test_without_normalisation_there_is_one_table(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    summary = profile_study(study, settings={"normalisation": "none"})
    assert [path.name for path in summary.files] == ["profiles.parquet"]
    assert not (folder(study) / "profiles-normalised.parquet").exists()
    assert read_profiles(study).normalised is None


def test_a_plate_without_enough_controls_is_an_error_before_any_measurement_is_read(study: Study) -> None:
    told: list[Progress] = []
    with pytest.raises(PlateMapError, match="P-1: has 3 negative controls with a profile, and 4 are needed"):
        profile_study(study, settings={"exclude": "none"}, report=told.append)
    assert told == []
    assert not (folder(study) / "profiles.json").exists()


def test_fields_that_are_not_measured_are_told(study: Study) -> None:
    with Ledger(folder(study) / "measured.parquet") as ledger:
        ledger.append(FieldRecord("P-1", "A01", 1, "failed", error="P-1/A01 field 1: no image"))
    notes = profile_study(study, settings=SETTINGS).record.notes
    assert notes[0] == "1 fields could not be measured: their cells are in no profile."


def test_a_study_without_cells_or_profiles_says_what_to_run(new_study: Study, study: Study) -> None:
    with pytest.raises(SegmentationError, match="cellvote segment"):
        profile_study(new_study)
    with pytest.raises(StudyError, match="has no profiles. Run: cellvote profile"):
        read_profiles(study)
    study.cells_path("watershed").unlink()
    with pytest.raises(SegmentationError, match="cellvote measure"):
        profile_study(study)


def test_a_setting_that_is_not_there_is_an_error(study: Study) -> None:
    with pytest.raises(SettingsError, match="there is no setting 'normalization'"):
        profile_study(study, settings={"normalization": "z"})


def test_cancelling_leaves_what_was_there(study: Study) -> None:
    profile_study(study, settings=SETTINGS)
    before = contents(study.path)
    cancel = CancelToken()

    def report(progress: Progress) -> None:
        cancel.cancel()

    with pytest.raises(CancelledError):
        profile_study(study, settings=SETTINGS | {"normalisation": "z"}, report=report, cancel=cancel)
    assert contents(study.path) == before


def test_a_dry_run_writes_nothing_and_says_why_profiles_would_be_made(study: Study) -> None:
    before = contents(study.path)
    plan = dry_run_profile(study, settings=SETTINGS)
    assert plan.reads.startswith("37 measurements of ")
    assert plan.computes == "median, mad of 16 wells, robust-z"
    assert contents(study.path) == before
    profile_study(study, settings=SETTINGS)
    assert "they are up to date" in dry_run_profile(study, settings=SETTINGS).computes
    assert (
        "other settings: normalisation" in dry_run_profile(study, settings=SETTINGS | {"normalisation": "z"}).computes
    )


def test_float32_tables_give_the_same_medians(study: Study) -> None:
    cells = study.read_cells("watershed")
    write_table(study.cells_path("watershed"), cells.astype({"area": "float32"}))
    profile_study(study, settings=SETTINGS)
    medians = cells.groupby("well")["area"].median()
    assert np.array_equal(read_profiles(study).raw.set_index("well")["median_area"].dropna(), medians)


def test_a_plate_map_that_somebody_else_changed_meanwhile_is_the_one_that_counts(study: Study) -> None:
    assert len(study.plate_map)  # read, and kept
    table = study.plate_map.copy()
    treated = table.index[table["control_type"] != "negative"]
    table.loc[treated[0], "control_type"] = "negative"
    Study.open(study.path).write_plate_map(table)
    profile_study(study, settings=SETTINGS)
    found = read_table(folder(study) / "profiles-normalised.parquet")
    (folder(study) / "profiles.json").unlink()
    profile_study(Study.open(study.path), settings=SETTINGS)
    pd.testing.assert_frame_equal(found, read_table(folder(study) / "profiles-normalised.parquet"))
