"""Corrections: what a person painted becomes cells, and nothing of the field is forgotten."""

from pathlib import Path

import numpy as np
import pytest
from tests.tiny_plates import contents, write_images

from cellvote.errors import BusyError, SegmentationError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import image_hash
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, write_json
from cellvote.study.corrections import (
    edited_fields,
    fields_to_measure_again,
    read_corrections,
    save_corrected_masks,
    separate_cells,
    set_corrections_aside,
)
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import read_label_image, write_label_image

KEY = FieldKey("plate", "A01", 1)
SIZE = 24


def masks() -> np.ndarray:
    """Three cells: 1 and 2 touch, 7 lies below."""
    image = np.zeros((SIZE, SIZE), np.int32)
    image[2:10, 2:10], image[2:10, 10:18], image[14:22, 2:10] = 1, 2, 7
    return image


def nuclei() -> np.ndarray:
    image = np.zeros((SIZE, SIZE), np.int32)
    image[4:8, 4:8], image[4:8, 12:16], image[16:20, 4:8] = 1, 2, 7
    return image


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A segmented study of two wells, as `cellvote segment` leaves it."""
    images = write_images(tmp_path / "plate", ["A01_w1.tif", "A02_w1.tif"], SIZE)
    study = Study.create(tmp_path / "s", read_plate(images))
    folder = study.segmentation_folder("watershed")
    write_json(folder / "segmentation.json", {"method": "watershed", "asked": {}, "settings": {}})
    with Ledger(folder / "fields.parquet") as ledger:
        for key in study.fields:
            write_label_image(study.mask_path("watershed", key), masks())
            write_label_image(study.mask_path("watershed", key, "nuclei"), nuclei())
            checksum = file_checksum(study.mask_path("watershed", key))
            ledger.append(FieldRecord(*key, status="done", n_cells=3, checksum=checksum, image_hash="h"))
    return study


def ids(image: np.ndarray) -> list[int]:
    return [int(i) for i in np.unique(image)[1:]]


# What was painted becomes cells


def test_cells_that_were_left_alone_keep_their_label_ids() -> None:
    assert np.array_equal(separate_cells(masks(), masks()), masks())


def test_a_cell_painted_with_the_label_id_of_another_becomes_a_cell_of_its_own() -> None:
    painted = masks()
    painted[14:20, 14:20] = 1  # napari's brush has 1 to begin with
    after = separate_cells(painted, masks())
    assert ids(after) == [1, 2, 7, 8]
    assert set(after[14:20, 14:20].ravel()) == {8}


def test_a_line_erased_through_a_cell_makes_two_of_it() -> None:
    painted = masks()
    painted[14:22, 7] = 0
    after = separate_cells(painted, masks())
    assert set(after[14:22, 2:7].ravel()) == {7}  # the larger part
    assert set(after[14:22, 8:10].ravel()) == {8}


def test_cells_painted_over_with_one_label_id_are_one() -> None:
    painted = masks()
    painted[painted == 2] = 1
    assert ids(separate_cells(painted, masks())) == [1, 7]


def test_the_label_id_of_a_cell_that_is_gone_is_not_given_to_another() -> None:
    painted = masks()
    painted[painted == 7] = 0
    painted[16:20, 16:20] = 7
    assert ids(separate_cells(painted, masks())) == [1, 2, 8]
    assert ids(separate_cells(painted, masks(), highest=20)) == [1, 2, 21]


def test_a_new_label_id_is_kept_and_its_pieces_are_cells() -> None:
    painted = masks()
    painted[12:20, 12:20] = 40
    painted[0, 0] = 40
    after = separate_cells(painted, masks())
    assert ids(after) == [1, 2, 7, 40, 41]
    assert after[0, 0] == 41


def test_a_cell_that_was_in_pieces_stays_one_cell() -> None:
    before = masks()
    before[14:22, 6] = 0
    assert np.array_equal(separate_cells(before, before), before)
    painted = before.copy()
    painted[20:22, 2:4] = 0
    assert ids(separate_cells(painted, before)) == [1, 2, 7]


def test_very_high_label_ids_cost_no_memory() -> None:
    painted = masks()
    painted[painted == 7] = 2**30
    assert ids(separate_cells(painted, painted)) == [1, 2, 2**30]


# Saving


def test_a_saved_correction_is_marked_with_who_and_when(study: Study) -> None:
    painted = masks()
    painted[painted == 2] = 0
    painted[16:20, 16:20] = 1
    said = save_corrected_masks(study, "watershed", KEY, painted.astype(np.uint16), author="Ada")
    assert str(said) == "3 cells: 1 new, 1 removed (the smallest new one has 16 px)"
    record = Ledger(study.segmentation_folder("watershed") / "fields.parquet").records[KEY]
    assert (record.edited, record.n_cells, record.image_hash) == (True, 3, "h")
    assert record.checksum == file_checksum(study.mask_path("watershed", KEY))
    (row,) = read_corrections(study, "watershed").to_dict("records")
    assert (row["well"], row["author"], row["cells_before"], row["cells_after"]) == ("A01", "Ada", 3, 3)
    assert row["time"].endswith("+00:00")
    assert edited_fields(study, "watershed") == [KEY]


def test_nothing_of_other_fields_changes(study: Study) -> None:
    other = study.mask_path("watershed", FieldKey("plate", "A02", 1))
    before = other.read_bytes()
    save_corrected_masks(study, "watershed", KEY, np.zeros((SIZE, SIZE), np.int32))
    assert other.read_bytes() == before
    assert not read_label_image(study.mask_path("watershed", KEY)).any()


def test_nuclei_follow_their_cells(study: Study) -> None:
    painted = masks()
    painted[painted == 2] = 1  # joined
    painted[painted == 7] = 0  # removed
    save_corrected_masks(study, "watershed", KEY, painted)
    after = read_label_image(study.mask_path("watershed", KEY, "nuclei"))
    assert ids(after) == [1]
    assert np.array_equal(after > 0, np.isin(nuclei(), (1, 2)))


def test_a_nucleus_that_a_neighbour_was_painted_over_stays_with_its_cell(study: Study) -> None:
    painted = masks()
    painted[2:10, 10:13] = 1  # one column into the nucleus of cell 2
    save_corrected_masks(study, "watershed", KEY, painted)
    after = read_label_image(study.mask_path("watershed", KEY, "nuclei"))
    assert set(after[4:8, 13:16].ravel()) == {2}
    assert set(after[4:8, 12].ravel()) == {0}


def test_label_ids_of_cells_removed_long_ago_are_not_used_again(study: Study) -> None:
    without = masks()
    without[without == 7] = 0
    save_corrected_masks(study, "watershed", KEY, without)
    painted = read_label_image(study.mask_path("watershed", KEY))
    painted[14:22, 14:22] = 1
    save_corrected_masks(study, "watershed", KEY, painted)
    assert ids(read_label_image(study.mask_path("watershed", KEY))) == [1, 2, 8]


def test_a_field_that_failed_can_be_painted_by_hand(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellvote.study.study.corrected", lambda study, key, raw: raw + 1)
    path = study.segmentation_folder("watershed") / "fields.parquet"
    with Ledger(path) as ledger:
        ledger.append(FieldRecord(*KEY, status="failed", error="no cells"))
    study.mask_path("watershed", KEY).unlink()
    save_corrected_masks(study, "watershed", KEY, masks())
    record = Ledger(path).records[KEY]
    assert (record.status, record.n_cells, record.error, record.edited) == ("done", 3, "", True)
    assert record.image_hash == image_hash(study.read_raw_field(KEY)), "as every step hashes: without correction"


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((5, 5), np.int32), "5 × 5 px, the field is 24 × 24 px"),
        (np.zeros((SIZE, SIZE), np.float32), "whole numbers"),
        (np.full((SIZE, SIZE), -1), "below 0"),
    ],
    ids=["another size", "fractions", "negative"],
)
def test_what_cannot_be_masks_of_the_field_changes_nothing(study: Study, image: np.ndarray, says: str) -> None:
    before = contents(study.path)
    with pytest.raises(SegmentationError, match=says):
        save_corrected_masks(study, "watershed", KEY, image)
    assert contents(study.path) == before


def test_nothing_is_saved_while_a_step_writes_the_study(study: Study) -> None:
    with run_alone(study.path, "segment"), pytest.raises(BusyError, match="segment is running on it"):
        save_corrected_masks(study, "watershed", KEY, masks())


def test_masks_corrected_with_other_software_count_as_edited(study: Study) -> None:
    image = masks()
    image[image == 1] = 0
    write_label_image(study.mask_path("watershed", KEY), image)
    assert edited_fields(study, "watershed") == [KEY]


def test_corrections_are_kept_when_their_segmentation_is_thrown_away(study: Study) -> None:
    painted = masks()
    painted[painted == 2] = 0
    save_corrected_masks(study, "watershed", KEY, painted)
    n, folder = set_corrections_aside(study, "watershed")
    assert (n, folder.name) == (1, "watershed-1")
    assert np.array_equal(read_label_image(folder / "plate" / "A01_f1.tif"), painted)


def test_it_is_known_which_fields_were_corrected_since_they_were_measured(study: Study) -> None:
    folder = study.segmentation_folder("watershed")
    with Ledger(folder / "measured.parquet") as ledger:
        for record in Ledger(folder / "fields.parquet").done().values():
            ledger.append(record)
    assert fields_to_measure_again(study, "watershed") == []
    save_corrected_masks(study, "watershed", KEY, np.zeros((SIZE, SIZE), np.int32))
    assert fields_to_measure_again(study, "watershed") == [KEY]
