"""Importing masks into a study: each field gets its own, and whatever has none is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.tiny_plates import contents, write_images

from cellvote.errors import CellVoteError, LayoutError, SegmentationError, SettingsError
from cellvote.jobs.measure import measure_study
from cellvote.jobs.over_fields import StepSummary
from cellvote.jobs.segment import segment_study
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.ledger import Ledger
from cellvote.study.masks import read_label_image

SIZE = 24
NAMES = [f"{well}_s{site}_w{channel}.tif" for well in ("A01", "A02") for site in (1, 2) for channel in (1, 2)]


def cells(number: int, size: int = SIZE) -> np.ndarray:
    """Two cells with label ids that no other field has."""
    masks = np.zeros((size, size), np.uint16)
    masks[2:10, 2:10], masks[12:20, 12:20] = 10 * number + 1, 10 * number + 5
    return masks


def write_masks(folder: Path, names: list[str], make: Any = cells) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, make(number), metadata=None)
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two wells of two fields, two channels."""
    images = write_images(tmp_path / "plate", NAMES, SIZE)
    return Study.create(tmp_path / "s", read_plate(images))


def take(study: Study, **settings: Any) -> StepSummary:
    return segment_study(study, "import", settings, workers=1)


def ids(study: Study, key: FieldKey, kind: str = "masks") -> list[int]:
    return [int(i) for i in np.unique(read_label_image(study.mask_path("import", key, kind)))[1:]]


def ids_of_all(study: Study) -> list[list[int]]:
    return [ids(study, key) for key in study.fields]


KEPT = [[1, 5], [11, 15], [21, 25], [31, 35]]


@pytest.mark.parametrize(
    "suffix", ["_cp_masks", "_Nuclei", "", "-seg"], ids=["Cellpose", "CellProfiler", "same", "own"]
)
def test_masks_named_after_an_image_are_found_with_whatever_stands_behind_its_name(
    study: Study, tmp_path: Path, suffix: str
) -> None:
    write_masks(tmp_path / "masks", [f"{name[:-4]}{suffix}.tiff" for name in NAMES[::2]])
    summary = take(study, masks=str(tmp_path / "masks"))
    assert (summary.failed, summary.cells, summary.notes) == ([], 8, ())
    assert ids_of_all(study) == KEPT


def test_cellpose_masks_lie_beside_the_images(study: Study) -> None:
    write_masks(study.source, [f"{name[:-4]}_cp_masks.tif" for name in NAMES[::2]])
    write_masks(study.source, [f"{name[:-4]}_flows.tif" for name in NAMES[::2]])
    summary = take(study)
    assert ids_of_all(study) == KEPT
    assert "4 file(s) in the folder of masks have other names" in summary.notes[0]


def test_masks_named_by_well_and_field_are_found(study: Study, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks", [f"plate_{well}_s{site}.tif" for well in ("A01", "A02") for site in (1, 2)])
    take(study, masks=str(tmp_path / "masks"))
    assert ids_of_all(study) == KEPT


def test_the_masks_of_a_study_can_be_imported_into_another(study: Study, tmp_path: Path) -> None:
    write_masks(study.source, [f"{name[:-4]}_cp_masks.tif" for name in NAMES[::2]])
    take(study)
    other = Study.create(tmp_path / "other", read_plate(write_images(tmp_path / "again" / "plate", NAMES, SIZE)))
    take(other, masks=str(study.segmentation_folder("import") / "masks"))
    assert ids_of_all(other) == KEPT


def test_a_pattern_names_well_and_field_or_the_image(study: Study, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks", [f"seg-A-{column}-{site}.tif" for column in (1, 2) for site in (1, 2)])
    take(study, masks=str(tmp_path / "masks"), pattern=r"seg-(?P<row>[A-Z])-(?P<column>\d)-(?P<field>\d)\.tif")
    assert ids_of_all(study) == KEPT
    write_masks(tmp_path / "more", [f"of {name[:-4]} done.tif" for name in NAMES])
    settings = {"masks": str(tmp_path / "more"), "pattern": r"of (?P<image>.*_w1) done\.tif"}
    summary = segment_study(study, "import", settings, name="two", workers=1)
    assert (summary.failed, summary.cells) == ([], 8)


def test_masks_that_count_from_another_number_are_not_guessed_at(study: Study, tmp_path: Path) -> None:
    before = contents(study.path)
    write_masks(tmp_path / "masks", [f"{well}_f{site}.tif" for well in ("A01", "A02") for site in (1, 2, 3)])
    with pytest.raises(SegmentationError, match="it cannot be told whether both count alike"):
        take(study, masks=str(tmp_path / "masks"))
    assert contents(study.path) == before


def test_fields_without_masks_fail_one_by_one_and_are_done_once_these_are_there(study: Study, tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks", [f"{NAMES[0][:-4]}_mask.tif", "B07_s1_w1_mask.tif"])
    summary = take(study, masks=str(folder))
    assert len(summary.failed) == 3
    assert "has no masks called A01_s2_w1_mask" in summary.failed[0].error
    assert "1 file(s) in the folder of masks are of no field of the study" in summary.notes[0]
    assert "B07_s1_w1_mask.tif" in summary.notes[0]
    write_masks(folder, [f"{name[:-4]}_mask.tif" for name in NAMES[::2]])
    summary = take(study, masks=str(folder))
    assert (summary.failed, summary.skipped) == ([], 1)


def test_where_no_file_fits_nothing_is_written(study: Study, tmp_path: Path) -> None:
    before = contents(study.path)
    write_masks(tmp_path / "masks", ["one.tif", "two.tif"])
    with pytest.raises(SegmentationError, match="none of its 2 files .such as one.tif. is named after an image"):
        take(study, masks=str(tmp_path / "masks"))
    with pytest.raises(LayoutError, match="there is no such folder"):
        take(study, masks=str(tmp_path / "nowhere"))
    assert contents(study.path) == before


def test_several_kinds_of_masks_are_asked_about(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    for kind in ("Cells", "Nuclei"):
        write_masks(folder, [f"{name[:-4]}_{kind}.tiff" for name in NAMES[::2]])
    with pytest.raises(SegmentationError, match=r"_Cells \(4 files\), _Nuclei \(4 files\).*--set suffix="):
        take(study, masks=str(folder))
    assert take(study, masks=str(folder), suffix="_Cells").failed == []


def test_two_masks_of_one_field_fail_it_and_name_both(study: Study, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks", [f"{name[:-4]}_cp_masks.tif" for name in NAMES])
    summary = take(study, masks=str(tmp_path / "masks"))
    assert len(summary.failed) == 4
    assert "A01_s1_w1_cp_masks.tif, A01_s1_w2_cp_masks.tif" in summary.failed[0].error


def test_a_pickle_is_refused_with_the_way_out(study: Study) -> None:
    for name in NAMES[::2]:
        (study.source / f"{name[:-4]}_seg.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SegmentationError, match="a pickle.*File > Save masks as PNG/tif"):
        take(study)
    write_masks(study.source, [f"{NAMES[0][:-4]}_cp_masks.tif"])
    summary = take(study)
    assert len(summary.failed) == 3
    assert "A01_s2_w1_seg.npy: is Cellpose's _seg.npy" in summary.failed[0].error


def test_masks_of_another_size_are_refused(study: Study, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks", [f"{name[:-4]}.tif" for name in NAMES[::2]], lambda n: cells(n, 48))
    summary = take(study, masks=str(tmp_path / "masks"))
    assert len(summary.failed) == 4
    assert "is 48 × 48 px, the image 24 × 24 px" in summary.failed[0].error


def test_plates_whose_images_have_the_same_names_are_told_by_their_folders(tmp_path: Path) -> None:
    write_images(tmp_path / "in", [f"{plate}/{name}" for plate in ("P1", "P2") for name in NAMES[:2]], SIZE)
    study = Study.create(tmp_path / "s", read_plate(tmp_path / "in"))
    assert study.plates == ["P1", "P2"]
    write_masks(tmp_path / "masks", [f"{plate}/{NAMES[0][:-4]}_masks.tif" for plate in ("P1", "P2")])
    take(study, masks=str(tmp_path / "masks"))
    assert ids_of_all(study) == [[1, 5], [11, 15]]


# Nuclei


def nuclei(number: int) -> np.ndarray:
    """A nucleus in the second cell, numbered anew, reaching out of it; and one in no cell."""
    masks = np.zeros((SIZE, SIZE), np.uint16)
    masks[11:16, 14:18], masks[2:5, 18:22] = 1, 2
    return masks


def test_nuclei_take_the_label_ids_of_their_cells(study: Study, tmp_path: Path) -> None:
    write_masks(tmp_path / "objects", [f"{name[:-4]}_Cells.tiff" for name in NAMES[::2]])
    write_masks(tmp_path / "objects", [f"{name[:-4]}_Nuclei.tiff" for name in NAMES[::2]], nuclei)
    summary = take(study, masks=str(tmp_path / "objects"), suffix="_Cells", nuclei_suffix="_Nuclei")
    assert summary.failed == []
    assert [ids(study, key, "nuclei") for key in study.fields] == [[5], [15], [25], [35]]
    image = read_label_image(study.mask_path("import", study.fields[0], "nuclei"))
    assert np.array_equal(np.argwhere(image == 5).min(axis=0), [12, 14])  # cut off where its cell ends
    assert any("1 of 2 cells have no nucleus, 1 nuclei lie in no cell" in note for note in summary.notes)
    measure_study(study, workers=1)
    assert len(study.read_cells("import")) == 8


# Label images that came with the images


@pytest.fixture
def study_copy(finished_study: Study, tmp_path: Path) -> Study:
    return Study.open(shutil.copytree(finished_study.path, tmp_path / "copy.cellvote"))


def test_label_images_of_the_source_are_taken(tmp_path: Path) -> None:
    write_images(tmp_path / "in", [f"images/im{i}.tif" for i in (1, 2)], SIZE)
    write_masks(tmp_path / "in" / "masks", ["im1.tif", "im2.tif"])
    study = Study.create(tmp_path / "s", read_plate(tmp_path / "in"))
    take(study)
    assert ids_of_all(study) == [[1, 5], [11, 15]]
    with pytest.raises(SegmentationError, match="no label images are called 'nope'; there are: masks"):
        segment_study(study, "import", {"labels": "nope"}, name="x", workers=1)


def test_masks_of_images_without_wells_are_found_in_another_folder(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s", read_plate(write_images(tmp_path / "in", ["b.tif", "a.tif"], SIZE)))
    write_masks(tmp_path / "out", ["a_cp_masks.tif", "b_cp_masks.tif"])
    take(study, masks=str(tmp_path / "out"))
    assert ids_of_all(study) == [[1, 5], [11, 15]]


# Settings and what is noted


def test_it_is_noted_where_the_masks_came_from(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_masks(tmp_path / "masks", [f"{name[:-4]}.tif" for name in NAMES[::2]])
    monkeypatch.chdir(tmp_path)
    take(study, masks="masks")
    folder = study.segmentation_folder("import")
    note = json.loads((folder / "segmentation.json").read_text())
    assert note["settings"]["masks"] == (tmp_path / "masks").as_posix()
    files = pd.read_parquet(folder / "imported.parquet")
    assert files["path"].iloc[0] == str(tmp_path / "masks" / NAMES[0])
    shutil.rmtree(tmp_path / "masks")
    assert take(study, masks="masks").skipped == 4  # what is there needs no files any more
    assert len(Ledger(folder / "fields.parquet").done()) == 4


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"masks": "x_seg.npy"}, SettingsError),
        ({"binary": "maybe"}, SettingsError),
        ({"labels": "y"}, SegmentationError),
        ({"pattern": "("}, CellVoteError),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(study: Study, settings: dict[str, Any], error: type[Exception]) -> None:
    write_masks(study.source, ["more_masks.tif"])
    with pytest.raises(error):
        take(study, **settings)
    assert study.segmentations == []


# Real data


def test_the_nuclei_of_dsb2018_are_imported_with_their_label_ids(real_data: Path, tmp_path: Path) -> None:
    from cellvote.plates.pixels import read_plane

    names = sorted(path.name for path in (real_data / "dsb2018" / "images").iterdir())[:12]
    for name in names:
        for folder in ("images", "masks"):
            there = next((real_data / "dsb2018" / folder).glob(f"{Path(name).stem}.*"))
            (tmp_path / folder).mkdir(exist_ok=True)
            shutil.copy(there, tmp_path / folder)
    study = Study.create(tmp_path / "s", read_plate(tmp_path / "images"))
    summary = take(study, masks=str(tmp_path / "masks"))
    assert summary.failed == []
    for key in study.fields:
        stem = study.plate_map.set_index("field").loc[key.field, "image_name"]
        truth = read_plane(next((tmp_path / "masks").glob(f"{stem}.*")))
        assert np.array_equal(read_label_image(study.mask_path("import", key)), truth)


def test_the_labels_of_an_exported_plate_come_back_as_they_were(study_copy: Study, tmp_path: Path) -> None:
    finished_study = study_copy
    from cellvote.exporting import export_study

    store = tmp_path / "P-1.ome.zarr"
    export_study(finished_study, store, "ome-zarr", workers=1)
    study = Study.create(tmp_path / "s", read_plate(store))
    with pytest.raises(SegmentationError, match="watershed, watershed_nuclei. Choose with --set labels=watershed"):
        take(study)
    names = {"labels": "watershed", "nuclei_labels": "watershed_nuclei"}
    assert take(study, **names).failed == []
    other = segment_study(finished_study, "import", {"masks": str(store), **names}, name="store", workers=1)
    assert other.failed == []
    for ours, theirs in zip(study.fields, finished_study.fields, strict=True):
        for kind in ("masks", "nuclei"):
            truth = read_label_image(finished_study.mask_path("watershed", theirs, kind))
            assert np.array_equal(read_label_image(study.mask_path("import", ours, kind)), truth)
            assert np.array_equal(read_label_image(finished_study.mask_path("store", theirs, kind)), truth)
