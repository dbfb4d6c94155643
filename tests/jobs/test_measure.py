"""Measuring a study: one table, measured anew only where masks have changed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.tiny_plates import create_study

import cellvote as cv
from cellvote.errors import CancelledError, PredictionsError, SegmentationError, SettingsError
from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import predict_study, vote_study
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey
from cellvote.profiling.settings import MeasureSettings
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.corrections import save_corrected_masks
from cellvote.study.masks import read_label_image, write_label_image
from cellvote.synthetic import SimulatedPlate

FIRST = FieldKey("P-1", "A01", 1)


def measure(study: Study, **settings: Any) -> list[str]:
    """Measure, and return the fields that were measured now."""
    told: list[Progress] = []
    measure_study(study, settings=settings, workers=1, report=told.append)
    return [progress.where for progress in told]


def rows_of(study: Study, key: FieldKey) -> pd.DataFrame:
    cells = study.read_cells("watershed")
    return cells[(cells["well"] == key.well) & (cells["field"] == key.field)].reset_index(drop=True)


def test_the_table_holds_what_is_measured_in_each_field(finished_study: Study) -> None:
    for key in finished_study.fields[:3]:
        label_image, nuclei = (
            read_label_image(finished_study.mask_path("watershed", key, kind)) for kind in ("masks", "nuclei")
        )
        expected = cv.measure_cells(finished_study.read_field(key), label_image, finished_study.channels, nuclei)
        rows = rows_of(finished_study, key)
        assert list(rows) == ["plate", "well", "field", *expected]
        pd.testing.assert_frame_equal(rows[list(expected)], expected)


def test_the_table_is_sorted_and_nothing_is_left_beside_it(finished_study: Study) -> None:
    cells = finished_study.read_cells("watershed")
    assert cells.equals(cells.sort_values(["plate", "well", "field", "label_id"], ignore_index=True))
    names = {path.name for path in finished_study.segmentation_folder("watershed").iterdir()}
    assert names == {
        "cells.parquet",
        "fields.parquet",
        "masks",
        "measured.parquet",
        "measurements.json",
        "nuclei",
        "segmentation.json",
    }


def test_measured_fields_are_not_measured_again(study: Study) -> None:
    before = study.cells_path("watershed").read_bytes()
    assert measure(study) == []
    assert study.cells_path("watershed").read_bytes() == before


def change_masks(study: Study, key: FieldKey = FIRST) -> int:
    """Take the first cell out of a field, as a person would in another program, and return how many are left."""
    for kind in ("masks", "nuclei"):
        path = study.mask_path("watershed", key, kind)
        label_image = read_label_image(path)
        label_image[label_image == 1] = 0
        write_label_image(path, label_image)
    return len(np.unique(label_image)) - 1


def test_only_the_field_whose_masks_changed_is_measured_anew(study: Study) -> None:
    before = study.read_cells("watershed")
    left = change_masks(study)
    assert measure(study) == [str(FIRST)]
    assert len(rows_of(study, FIRST)) == left
    after = study.read_cells("watershed")
    others = [
        table[(table["well"] != "A01") | (table["field"] != 1)].reset_index(drop=True) for table in (before, after)
    ]
    pd.testing.assert_frame_equal(*others)


def test_a_field_whose_masks_changed_is_measured_anew_once(study: Study) -> None:
    study.cells_path("watershed").unlink()
    change_masks(study)
    assert len(measure(study)) == 32
    assert measure(study) == []


def test_a_lost_table_is_measured_anew(study: Study) -> None:
    before = study.cells_path("watershed").read_bytes()
    study.cells_path("watershed").unlink()
    assert len(measure(study)) == 32
    assert study.cells_path("watershed").read_bytes() == before


def test_fields_segmented_later_are_added(new_study: Study, finished_study: Study) -> None:
    for wells, n in (("B*", 8), ("A01", 2), ("", 22)):
        segment_study(new_study, "watershed", wells=wells, workers=1)
        assert len(measure(new_study)) == n
    pd.testing.assert_frame_equal(new_study.read_cells("watershed"), finished_study.read_cells("watershed"))


def test_a_cancelled_run_goes_on_where_it_was(study: Study, finished_study: Study) -> None:
    study.cells_path("watershed").unlink()
    token = CancelToken()

    def stop_after_five(progress: Progress) -> None:
        if progress.done == 5:
            token.cancel()

    with pytest.raises(CancelledError):
        measure_study(study, workers=1, report=stop_after_five, cancel=token)
    assert len(measure(study)) == 27
    assert study.cells_path("watershed").read_bytes() == finished_study.cells_path("watershed").read_bytes()


def test_a_field_whose_masks_are_lost_fails_alone_and_leaves_the_table(study: Study) -> None:
    study.cells_path("watershed").unlink()
    study.mask_path("watershed", FIRST).unlink()
    summary = measure_study(study, workers=1)
    assert [record.key for record in summary.failed] == [FIRST]
    assert "Segment it first" in summary.failed[0].error
    assert rows_of(study, FIRST).empty
    assert summary.cells == len(study.read_cells("watershed")) > 0


def test_masks_of_another_size_fail_their_field(study: Study) -> None:
    study.cells_path("watershed").unlink()
    study.mask_path("watershed", FIRST, "nuclei").unlink()
    write_label_image(study.mask_path("watershed", FIRST), np.ones((5, 5), np.int32))
    (failed,) = measure_study(study, workers=1).failed
    assert "the masks are (5, 5), the image is (96, 96)" in failed.error


@pytest.fixture
def own_study(tiny_plate: SimulatedPlate, tmp_path: Path) -> Study:
    """Return a segmented study with images of its own."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    plate = SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth)
    study = create_study(tmp_path / "s", plate)
    segment_study(study, "watershed", wells="A*", workers=1)
    return study


def test_when_every_image_is_gone_every_field_fails(own_study: Study) -> None:
    shutil.rmtree(own_study.source)
    summary = measure_study(own_study, workers=1)
    assert len(summary.failed) == summary.fields == 8
    assert summary.cells == 0


def test_a_study_without_any_cell_has_an_empty_table_with_its_columns(own_study: Study, finished_study: Study) -> None:
    segment_study(own_study, "watershed", settings={"least_contrast": 1e6}, wells="A*", overwrite=True, workers=1)
    summary = measure_study(own_study, workers=1)
    assert (summary.cells, summary.failed) == (0, [])
    cells = own_study.read_cells("watershed")
    assert len(cells) == 0
    assert list(cells) == list(finished_study.read_cells("watershed"))


def test_an_unsegmented_study_cannot_be_measured(new_study: Study) -> None:
    with pytest.raises(SegmentationError, match="Run: cellvote segment"):
        measure_study(new_study)
    assert not (new_study.path / "segmentations").exists()


def test_it_is_noted_what_was_measured(finished_study: Study) -> None:
    note = json.loads((finished_study.segmentation_folder("watershed") / "measurements.json").read_text())
    assert note["channels"] == ["DNA", "Actin", "Reporter"]
    assert note["sets"] == ["core"]
    assert set(note) == {"channels", *MeasureSettings.model_fields}


def test_a_further_set_is_measured_everywhere_and_stays(study: Study) -> None:
    before = study.read_cells("watershed")
    assert measure(study, sets="neighbours") == [str(key) for key in study.fields]
    after = study.read_cells("watershed")
    assert set(after) - set(before) >= {"neighbours_touching", "neighbours_first_distance"}
    pd.testing.assert_frame_equal(after[list(before)], before)
    assert measure(study) == []
    change_masks(study)
    assert measure(study) == [str(FIRST)]
    assert "neighbours_touching" in study.read_cells("watershed")
    assert measure(study, neighbour_distance_px=9) != []
    assert "neighbours_within_9px" in study.read_cells("watershed")


def test_going_back_to_the_core_gives_the_same_table(study: Study) -> None:
    before = study.cells_path("watershed").read_bytes()
    measure(study, sets=["core", "correlation"])
    measure(study, sets="core")
    assert study.cells_path("watershed").read_bytes() == before


def test_two_workers_give_the_same_bytes_as_one(study: Study) -> None:
    measure_study(study, settings={"sets": "texture,radial_distribution,granularity"}, workers=1)
    one = study.cells_path("watershed").read_bytes()
    study.cells_path("watershed").unlink()
    measure_study(study, workers=2)
    assert study.cells_path("watershed").read_bytes() == one


def test_a_run_with_other_settings_that_was_stopped_leaves_no_rows_of_its_own(study: Study) -> None:
    before = study.cells_path("watershed").read_bytes()
    token = CancelToken()

    def stop_after_five(progress: Progress) -> None:
        if progress.done == 5:
            token.cancel()

    with pytest.raises(CancelledError):
        measure_study(study, settings={"sets": "neighbours"}, workers=1, report=stop_after_five, cancel=token)
    assert study.cells_path("watershed").read_bytes() == before
    assert len(measure(study)) == 5
    assert study.cells_path("watershed").read_bytes() == before


def test_a_stopped_run_with_other_settings_goes_on(study: Study) -> None:
    token = CancelToken()

    def stop_after_five(progress: Progress) -> None:
        if progress.done == 5:
            token.cancel()

    with pytest.raises(CancelledError):
        measure_study(study, settings={"sets": "neighbours"}, workers=1, report=stop_after_five, cancel=token)
    assert len(measure(study, sets="neighbours")) == 27
    assert not study.read_cells("watershed")["neighbours_touching"].isna().any()


def test_changed_nuclei_are_measured_anew(study: Study) -> None:
    path = study.mask_path("watershed", FIRST, "nuclei")
    nuclei = read_label_image(path)
    nuclei[nuclei == 1] = 0
    write_label_image(path, nuclei)
    assert measure(study) == [str(FIRST)]
    assert rows_of(study, FIRST)["nucleus_area"].iloc[0] == 0


def test_cells_at_the_border_can_be_left_out(study: Study) -> None:
    before = study.read_cells("watershed")
    summary = measure_study(study, settings={"exclude_border": True}, workers=1)
    after = study.read_cells("watershed")
    assert before["touches_border"].any()
    assert not after["touches_border"].any()
    assert summary.cells == len(after) == (~before["touches_border"]).sum()


def test_an_unknown_set_is_refused_before_anything_is_measured(study: Study) -> None:
    with pytest.raises(SettingsError, match="textures"):
        measure(study, sets="core,textures")


# Corrections


def field_with_most_cells(study: Study) -> FieldKey:
    """Find it: small fields may have none."""
    sizes = study.read_cells("watershed").groupby(["plate", "well", "field"]).size()
    plate, well, number = sizes.idxmax()
    return FieldKey(plate, well, int(number))


def test_only_the_corrected_field_is_measured_again(study: Study) -> None:
    key = field_with_most_cells(study)
    masks = read_label_image(study.mask_path("watershed", key))
    gone = int(masks.max())
    masks[masks == gone] = 0
    save_corrected_masks(study, "watershed", key, masks)
    before = study.read_cells("watershed")
    told: list[Progress] = []
    summary = measure_study(study, workers=1, report=told.append)
    assert [progress.where for progress in told] == [str(key)]
    assert summary.skipped == 31
    after = study.read_cells("watershed")
    here = (before["plate"] == key.plate) & (before["well"] == key.well) & (before["field"] == key.field)
    expected = before[~(here & (before["label_id"] == gone))].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, expected)
    assert measure_study(study, workers=1).skipped == 32


def test_predictions_of_cells_that_were_corrected_and_measured_since_are_not_shown(study: Study) -> None:
    key = field_with_most_cells(study)
    save_corrected_masks(study, "watershed", key, 0 * read_label_image(study.mask_path("watershed", key)))
    with pytest.raises(SegmentationError, match="were corrected since they were measured.*Run: cellvote measure"):
        predict_study(study, "forest", workers=1)
    measure_study(study, workers=1)
    with pytest.raises(PredictionsError, match="measured anew"):
        vote_study(study, "forest", "well")
    predict_study(study, "forest", workers=1)
    assert not vote_study(study, "forest", "well").empty


def test_nuclei_of_another_image_fail_their_field_alone(study: Study) -> None:
    path = study.mask_path("watershed", FIRST, "nuclei")
    write_label_image(path, read_label_image(path)[:-8])
    summary = measure_study(study, workers=1)
    assert [record.key for record in summary.failed] == [FIRST]
    assert "nuclei" in summary.failed[0].error
    assert "Segment it again" in summary.failed[0].error


def test_cells_that_are_left_out_are_not_counted(study: Study) -> None:
    summary = measure_study(study, settings={"exclude_border": True}, workers=1)
    cells = study.read_cells("watershed")
    assert not cells["touches_border"].any()
    assert summary.cells == len(cells)
