"""The illumination correction of a study: made once, used by every step alike, and noticed when it changes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import FOREST

from cellvote.errors import BusyError, CancelledError, SegmentationError, StudyError
from cellvote.jobs.illumination import estimate_illumination
from cellvote.jobs.measure import measure_study
from cellvote.jobs.quality import assess_quality
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import train_study
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.field_flags import read_quality
from cellvote.study.illumination import illumination_folder, use_correction
from cellvote.study.lock import run_alone

FIRST = FieldKey("P-1", "A01", 1)


def correct(study: Study, **settings: object) -> None:
    estimate_illumination(study, settings, overwrite=True, workers=1)
    use_correction(study, use=True)


def test_each_plate_and_channel_has_a_function_and_nothing_else_is_left(new_study: Study) -> None:
    summary = estimate_illumination(new_study, workers=1)
    folder = illumination_folder(new_study.path)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == ["P-1/Actin.tif", "P-1/DNA.tif", "P-1/Reporter.tif", "illumination.json"]
    function = tifffile.imread(folder / "P-1/DNA.tif")
    assert (function.dtype, function.shape) == (np.float32, (96, 96))
    assert summary.note.n_fields == {"P-1": 32}
    assert summary.note.problems == ()


def test_making_functions_changes_no_pixel_until_they_are_used(new_study: Study) -> None:
    raw = new_study.read_field(FIRST)
    estimate_illumination(new_study, workers=1)
    np.testing.assert_array_equal(new_study.read_field(FIRST), raw)
    use_correction(new_study, use=True)
    assert (Study.open(new_study.path).read_field(FIRST) != raw).any()
    np.testing.assert_array_equal(new_study.read_raw_field(FIRST), raw)
    use_correction(new_study, use=False)
    np.testing.assert_array_equal(Study.open(new_study.path).read_field(FIRST), raw)


def test_corrected_pixels_are_the_raw_ones_over_the_function(new_study: Study) -> None:
    correct(new_study, offset=180)
    function = tifffile.imread(illumination_folder(new_study.path) / "P-1/DNA.tif")
    raw = new_study.read_raw_field(FIRST)
    expected = np.clip(np.rint((raw[0] - 180.0) / function + 180), 0, 65535)
    found = new_study.read_field(FIRST)
    assert found.dtype == raw.dtype
    np.testing.assert_allclose(found[0], expected, atol=1)


def test_few_fields_are_warned_of(new_study: Study) -> None:
    summary = estimate_illumination(new_study, {"most_fields": 5}, workers=1)
    assert "of 5 field(s) only" in summary.note.problems[0]


def test_the_same_settings_make_nothing_anew_and_others_need_a_word(new_study: Study) -> None:
    estimate_illumination(new_study, workers=1)
    told: list[Progress] = []
    estimate_illumination(new_study, workers=1, report=told.append)
    assert told == []
    with pytest.raises(StudyError, match=r"smoothing_percent 10.0 → 20.0.*--overwrite"):
        estimate_illumination(new_study, {"smoothing_percent": 20}, workers=1)


def test_a_cancelled_run_goes_on_and_gives_the_same_bytes(new_study: Study) -> None:
    estimate_illumination(new_study, workers=1)
    folder = illumination_folder(new_study.path)
    whole = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)
    token = CancelToken()
    with pytest.raises(CancelledError):
        estimate_illumination(
            new_study, workers=1, cancel=token, report=lambda p: token.cancel() if p.done == 9 else None
        )
    told: list[Progress] = []
    estimate_illumination(new_study, workers=1, report=told.append)
    assert 0 < len(told) <= 23
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole


def test_a_study_set_to_correct_without_a_correction_says_what_to_run(new_study: Study) -> None:
    use_correction(new_study, use=True)
    with pytest.raises(StudyError, match="Run: cellvote illumination"):
        new_study.read_field(FIRST)


def test_a_function_that_was_changed_is_not_used(new_study: Study) -> None:
    correct(new_study)
    path = illumination_folder(new_study.path) / "P-1/DNA.tif"
    path.write_bytes(path.read_bytes()[:-8] + b"12345678")
    use = Study.open(shutil.copytree(new_study.path, new_study.path.with_name("copy.cellvote")))
    with pytest.raises(StudyError, match="was changed"):
        use.read_field(FIRST)


def test_masks_of_raw_pixels_are_not_mixed_with_masks_of_corrected_ones(new_study: Study) -> None:
    segment_study(new_study, "watershed", wells="A*", workers=1)
    correct(new_study)
    with pytest.raises(StudyError, match="another illumination correction"):
        segment_study(new_study, "watershed", workers=1)
    segment_study(new_study, "watershed", overwrite=True, workers=1)
    note = json.loads((new_study.segmentation_folder("watershed") / "segmentation.json").read_text())
    assert len(note["illumination"]) == 32


def test_another_correction_makes_measurements_out_of_date(study: Study) -> None:
    def measured() -> int:
        told: list[Progress] = []
        measure_study(study, workers=1, report=told.append)
        return len(told)

    assert measured() == 0
    before = study.read_cells("watershed")["intensity_mean_DNA"]
    correct(study)
    with pytest.raises(SegmentationError, match="another illumination correction"):
        train_study(study, "moa", settings=FOREST, name="again", workers=1)
    assert measured() == 32
    assert measured() == 0
    assert (study.read_cells("watershed")["intensity_mean_DNA"] != before).mean() > 0.9
    train_study(study, "moa", settings=FOREST, name="again", workers=1)
    correct(study, smoothing_percent=30)
    assert measured() == 32
    use_correction(study, use=False)
    assert measured() == 32
    assert study.read_cells("watershed")["intensity_mean_DNA"].equals(before)


def test_images_are_known_again_whether_corrected_or_not(study: Study) -> None:
    def hashes() -> list[str]:
        from cellvote.jobs.probabilities import image_hashes

        return image_hashes(study, "cell", "watershed")["image_hash"].tolist()

    before = hashes()
    correct(study)
    measure_study(study, workers=1)
    assert hashes() == before


def test_image_quality_is_that_of_raw_pixels(new_study: Study, tmp_path: Path) -> None:
    assess_quality(new_study, workers=1)
    before = read_quality(new_study)
    shutil.rmtree(new_study.path / "quality")
    correct(new_study)
    assess_quality(new_study, workers=1)
    assert read_quality(new_study).equals(before)


def test_the_correction_is_not_switched_while_a_step_reads_pixels(new_study: Study) -> None:
    estimate_illumination(new_study, workers=1)
    with run_alone(new_study.path, "segment"):
        with pytest.raises(BusyError, match="segment is running"):
            use_correction(new_study, use=True)
        with pytest.raises(BusyError, match="segment is running"):
            estimate_illumination(new_study, overwrite=True, workers=1)
    assert not new_study.info.reading.illumination
    assert not Study.open(new_study.path).info.reading.illumination
