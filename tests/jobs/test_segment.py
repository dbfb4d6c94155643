"""Segmenting a study: each field once, with one set of settings, and going on where it was."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import contents, create_study

import cellvote as cv
from cellvote.errors import (
    BusyError,
    CancelledError,
    ChannelError,
    SegmentationError,
    SettingsError,
    StorageError,
    StudyError,
)
from cellvote.jobs.dry_run_segment import dry_run_segment
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.corrections import save_corrected_masks
from cellvote.study.ledger import Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import read_label_image, write_label_image
from cellvote.synthetic import SimulatedPlate

FIRST = FieldKey("P-1", "A01", 1)


def segment(study: Study, **options: Any) -> list[str]:
    """Segment, and return the wells whose fields were done now."""
    told: list[Progress] = []
    segment_study(study, "watershed", workers=1, report=told.append, **options)
    return [progress.where for progress in told]


def ledger_of(study: Study, name: str = "watershed") -> Ledger:
    return Ledger(study.segmentation_folder(name) / "fields.parquet")


def test_masks_are_those_of_the_image_with_the_noted_settings(finished_study: Study) -> None:
    note = json.loads((finished_study.segmentation_folder("watershed") / "segmentation.json").read_text())
    assert (note["method"], note["asked"]) == ("watershed", {})
    for key in finished_study.fields[:3]:
        image = finished_study.read_field(key)
        expected = cv.segment_image(image, note["method"], channels=finished_study.channels, **note["settings"])
        assert np.array_equal(read_label_image(finished_study.mask_path("watershed", key)), expected.label_image)
        nuclei = read_label_image(finished_study.mask_path("watershed", key, "nuclei"))
        assert expected.nuclei is not None
        assert np.array_equal(nuclei, expected.nuclei)
        assert ledger_of(finished_study).records[key].n_cells == expected.n_cells


def test_a_segmented_study_is_not_segmented_again(study: Study) -> None:
    before = contents(study.segmentation_folder("watershed") / "masks")
    summary = segment_study(study, "watershed", workers=1)
    assert summary.skipped == summary.fields == 32
    assert summary.cells == len(study.read_cells("watershed"))
    assert contents(study.segmentation_folder("watershed") / "masks") == before


def test_only_the_field_whose_masks_are_lost_is_segmented_again(study: Study) -> None:
    path = study.mask_path("watershed", FIRST)
    before = path.read_bytes()
    path.unlink()
    assert segment(study) == [str(FIRST)]
    assert path.read_bytes() == before


def test_masks_that_were_damaged_are_made_again(study: Study) -> None:
    path = study.mask_path("watershed", FIRST)
    before = path.read_bytes()
    path.write_bytes(before[:-20])
    assert segment(study) == [str(FIRST)]
    assert path.read_bytes() == before


def test_only_the_wells_asked_for_are_segmented_and_the_rest_later(new_study: Study) -> None:
    assert len(segment(new_study, wells="A01,B*")) == 10
    summary = segment_study(new_study, "watershed", wells="A01", workers=1)
    assert (summary.fields, summary.skipped) == (2, 2)
    assert len(segment(new_study)) == 22
    assert len(ledger_of(new_study).done()) == 32


def test_a_cancelled_run_goes_on_where_it_was(new_study: Study, finished_study: Study) -> None:
    token = CancelToken()

    def stop_after_five(progress: Progress) -> None:
        if progress.done == 5:
            token.cancel()

    with pytest.raises(CancelledError):
        segment_study(new_study, "watershed", workers=1, report=stop_after_five, cancel=token)
    assert len(ledger_of(new_study).done()) == 5
    assert len(segment(new_study)) == 27
    masks = [contents(one.segmentation_folder("watershed") / "masks") for one in (new_study, finished_study)]
    assert masks[0] == masks[1]


# Settings


def test_other_settings_are_refused_with_the_difference_and_nothing_changes(study: Study) -> None:
    before = contents(study.path)
    with pytest.raises(StudyError) as caught:
        segment_study(study, "watershed", settings={"threshold_factor": 2.0}, workers=1)
    assert "threshold_factor None → 2.0" in str(caught.value)
    assert "--name for a second one, or --overwrite" in str(caught.value)
    assert contents(study.path) == before


def test_another_name_makes_a_second_segmentation(study: Study) -> None:
    segment(study, settings={"cells_channel": "none"}, name="nuclei", wells="A01")
    assert study.segmentations == ["nuclei", "watershed"]
    assert not study.mask_path("nuclei", FIRST, "nuclei").exists()
    assert study.mask_path("nuclei", FIRST).exists()


def test_overwriting_begins_anew_and_keeps_nothing_of_the_old(study: Study) -> None:
    before = study.mask_path("watershed", FIRST).read_bytes()
    assert len(segment(study, settings={"cells_channel": "none"}, overwrite=True)) == 32
    assert study.mask_path("watershed", FIRST).read_bytes() != before
    assert not study.cells_path("watershed").exists()


def test_overwriting_with_wrong_settings_keeps_the_old(study: Study) -> None:
    before = contents(study.path)
    with pytest.raises(ChannelError):
        segment_study(study, "watershed", settings={"nuclei_channel": "Nope"}, overwrite=True, workers=1)
    assert contents(study.path) == before


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"method": "magic"}, SegmentationError),
        ({"settings": {"diameter": 3}}, SettingsError),
        ({"settings": {"nuclei_channel": "Nope"}}, ChannelError),
        ({"wells": "H12"}, SettingsError),
        ({"name": "../x"}, SettingsError),
        ({"settings": {"threshold_factor": "high"}}, SettingsError),
    ],
    ids=str,
)
def test_nothing_is_written_for_what_cannot_be_done(
    new_study: Study, tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    before = contents(tmp_path)
    with pytest.raises(error):
        segment_study(new_study, workers=1, **({"method": "watershed"} | options))
    assert contents(tmp_path) == before


# Bad fields


@pytest.fixture
def own_plate(tiny_plate: SimulatedPlate, tmp_path: Path) -> SimulatedPlate:
    """Return a copy of the tiny plate whose images may be damaged."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    return SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth)


@pytest.mark.parametrize("well", ["r01c01f01", "r01c01f02"], ids=["in the sample", "beside the sample"])
def test_a_truncated_image_fails_its_field_alone_and_is_done_when_mended(
    own_plate: SimulatedPlate, tmp_path: Path, well: str
) -> None:
    study = create_study(tmp_path / "s", own_plate)
    image = own_plate.images_folder / f"{well}p01-ch2sk1fk1fl1.tiff"
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    summary = segment_study(study, "watershed", workers=1)
    (failed,) = summary.failed
    assert summary.fields == 32
    assert f"field {failed.field} channel Actin" in failed.error
    assert "truncated" in failed.error
    assert len(ledger_of(study).done()) == 31
    image.write_bytes(whole)
    assert segment(study) == [str(failed.key)]
    assert not ledger_of(study).failed()


def test_an_image_that_takes_more_memory_than_there_is_fails_its_field_alone(
    own_plate: SimulatedPlate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create_study(tmp_path / "s", own_plate)
    read = tifffile.TiffPage.asarray

    def exhaust(page: tifffile.TiffPage, *args: Any, **options: Any) -> Any:
        if page.parent.filename.startswith("r01c01f01"):
            raise MemoryError
        return read(page, *args, **options)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", exhaust)
    summary = segment_study(study, "watershed", workers=1)
    assert [record.key for record in summary.failed] == [FIRST]


def test_a_study_whose_images_are_all_gone_fails_every_field(own_plate: SimulatedPlate, tmp_path: Path) -> None:
    study = create_study(tmp_path / "s", own_plate)
    shutil.rmtree(own_plate.images_folder)
    summary = segment_study(study, "watershed", workers=1)
    assert len(summary.failed) == summary.fields == 32
    assert all("cannot be opened" in record.error for record in summary.failed)


def test_masks_that_a_person_corrected_are_not_overwritten_in_silence(study: Study) -> None:
    path = study.mask_path("watershed", FIRST)
    corrected = read_label_image(path)
    corrected[corrected == 1] = 0
    write_label_image(path, corrected)
    segment_study(study, "watershed", workers=1)
    assert np.array_equal(read_label_image(path), corrected)


def test_corrections_outlive_another_run_and_are_counted_when_they_are_thrown_away(study: Study) -> None:
    path = study.mask_path("watershed", FIRST)
    corrected = read_label_image(path)
    corrected[corrected == corrected.max()] = 0
    save_corrected_masks(study, "watershed", FIRST, corrected)
    assert segment_study(study, "watershed", workers=1).skipped == 32
    assert np.array_equal(read_label_image(path), corrected)
    plan = dry_run_segment(study, "watershed", {}, name="", wells="A01", overwrite=True, workers=1)
    assert "the corrections of 1 field(s) of 'watershed' would be thrown away" in plan.computes
    summary = segment_study(study, "watershed", wells="A01", overwrite=True, workers=1)
    kept = study.path / "corrections" / "watershed-1"
    assert (
        f"the corrections of 1 field(s) of 'watershed' were thrown away with it; their masks are kept in {kept}"
        in (summary.notes[0])
    )
    assert not ledger_of(study).records[FIRST].edited
    back = segment_study(study, "import", {"masks": str(kept)}, wells="A01", workers=1)
    assert [record.key.field for record in back.failed] == [2]
    assert np.array_equal(read_label_image(study.mask_path("import", FIRST)), corrected)


# Two runs, full disks, and what killed runs leave


def test_two_runs_on_one_study_do_not_mix(new_study: Study) -> None:
    with run_alone(new_study.path, "segment"), pytest.raises(BusyError, match="segment is running on it"):
        segment_study(new_study, "watershed", workers=1)
    assert new_study.segmentations == []


def test_a_full_disk_stops_the_run_with_one_error_and_it_goes_on_later(
    new_study: Study, finished_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = tifffile.imwrite, []

    def fill_up(*args: Any, **options: Any) -> None:
        written.append(args[0])
        if len(written) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*args, **options)

    with monkeypatch.context() as full:
        full.setattr(tifffile, "imwrite", fill_up)
        with pytest.raises(StorageError, match=r"No space left on device.*run the same command again"):
            segment_study(new_study, "watershed", workers=1)
    assert ledger_of(new_study).failed() == []
    assert len(ledger_of(new_study).done()) == 4
    assert not list(new_study.path.rglob("*.part"))
    assert len(segment(new_study)) == 28
    masks = [contents(one.segmentation_folder("watershed") / "masks") for one in (new_study, finished_study)]
    assert masks[0] == masks[1]


def test_what_a_killed_run_left_half_written_is_cleared_away(study: Study) -> None:
    left = study.mask_path("watershed", FIRST).with_name(".A01_f1.tif.x1.part")
    left.write_bytes(b"half")
    segment_study(study, "watershed", workers=1)
    assert not left.exists()
