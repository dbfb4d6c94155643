"""Cutting the crops of a study."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import create_study, store_crops

from cellvote.errors import BusyError, CancelledError, StudyError, WorkerError
from cellvote.jobs.measure import measure_study
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey, field_keys
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.crops import crops_are_current, cut_crops, open_crops, plain_crops
from cellvote.study.lock import run_alone
from cellvote.synthetic import SimulatedPlate


def names_in(study: Study) -> set[str]:
    return {path.name for path in study.segmentation_folder("watershed").iterdir()}


def test_crops_that_are_there_are_not_cut_again(study: Study) -> None:
    store_crops(study, 16)
    told: list[Progress] = []
    store_crops(study, 16, report=told.append)
    assert told == []


def test_nothing_but_crops_and_their_note_is_left_behind(study: Study) -> None:
    before = names_in(study)
    store_crops(study, 16)
    assert names_in(study) - before == {"crops-16.npy", "crops-16.json"}


def test_half_cut_crops_are_never_taken_for_whole_ones(study: Study) -> None:
    token = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            token.cancel()

    with pytest.raises(CancelledError):
        store_crops(study, 16, report=stop, cancel=token)
    assert not plain_crops("watershed", 16).path(study).exists()
    assert not crops_are_current(study, "watershed", 16)
    store_crops(study, 16)
    crops = open_crops(study, "watershed", 16)
    assert all(crop.any() for crop in crops)


def test_crops_that_the_disk_cannot_hold_are_refused_before_they_are_cut(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names_in(study)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(StudyError, match="GiB are free. Free some space"):
        store_crops(study, 16)
    assert names_in(study) == before


@pytest.fixture
def own_study(tiny_plate: SimulatedPlate, tmp_path: Path) -> Study:
    """Return a measured study of one row with images of its own."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    plate = SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth)
    study = create_study(tmp_path / "s", plate)
    segment_study(study, "watershed", wells="A*", workers=1)
    measure_study(study, workers=1)
    return study


def second_field(study: Study) -> FieldKey:
    """Choose a field that has cells, but not the first one."""
    return field_keys(study.read_cells("watershed"))[1]


def images_of(study: Study, key: FieldKey) -> list[Path]:
    return [study.source / path for path in study.planes_of(key)["path"]]


def test_a_field_that_can_no_longer_be_read_is_named(own_study: Study) -> None:
    key = second_field(own_study)
    images_of(own_study, key)[0].unlink()
    with pytest.raises((WorkerError, StudyError), match=str(key)):
        store_crops(own_study, 16)
    assert not crops_are_current(own_study, "watershed", 16)


def test_fields_of_different_pixel_types_do_not_spoil_each_other_s_crops(own_study: Study) -> None:
    for path in images_of(own_study, second_field(own_study)):
        tifffile.imwrite(path, tifffile.imread(path).astype(np.float32))
    try:
        store_crops(own_study, 16)
    except (StudyError, WorkerError):
        return
    crops, cells = open_crops(own_study, "watershed", 16), own_study.read_cells("watershed")
    for key in field_keys(cells):
        rows = np.flatnonzero((cells["well"] == key.well) & (cells["field"] == key.field))
        expected = cut_crops(own_study.read_field(key), cells.loc[rows, ["centroid_y", "centroid_x"]].to_numpy(), 16)
        np.testing.assert_array_equal(crops[rows], expected, err_msg=str(key))


def test_a_second_run_leaves_the_crops_alone_that_the_first_one_is_cutting(study: Study) -> None:
    draft = plain_crops("watershed", 16).path(study).with_name(".crops-16.npy.draft")
    draft.write_bytes(b"half cut")
    with run_alone(study.path, "cutting crops"), pytest.raises(BusyError):
        store_crops(study, 16)
    assert draft.read_bytes() == b"half cut"
    draft.unlink()
