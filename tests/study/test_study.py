"""The study on disk: made whole or not at all, and never writing or reading outside its place."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_plates import contents, map_of, operetta_names, write_images

from cellvote.errors import PlateMapError, SegmentationError, SettingsError, StudyError
from cellvote.plates.acquisition import Acquisition, FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.study.study import checked_name, field_file, study_path


@pytest.fixture
def acquisition(tmp_path: Path) -> Acquisition:
    """Return an acquisition of three wells, two fields and two channels."""
    return read_plate(write_images(tmp_path / "P", operetta_names([(1, 1), (1, 2), (2, 1)], fields=2)))


# Creating


def test_the_ending_is_appended_where_it_is_missing() -> None:
    assert study_path("/d/a") == study_path("/d/a.cellvote") == Path("/d/a.cellvote")
    assert study_path("a.b").name == "a.b.cellvote"


def test_a_study_is_opened_as_it_was_created(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition, map_of(["A01", "A02", "B01"], drug="xyz"))
    for name in ("s", "s.cellvote"):
        opened = Study.open(tmp_path / name)
        assert opened.info == made.info
        assert opened.channels == ("ch1", "ch2")
        assert opened.plates == ["P"]
        assert opened.source == acquisition.source
        assert opened.fields == acquisition.fields
        pd.testing.assert_frame_equal(opened.planes, acquisition.planes)
        assert opened.plate_map["drug"].tolist() == ["x", "y", "z"]
        assert opened.treatments["treatment"].tolist() == ["x", "y", "z"]


def test_a_new_study_holds_three_files_and_leaves_the_images_alone(tmp_path: Path, acquisition: Acquisition) -> None:
    before = contents(acquisition.source)
    Study.create(tmp_path / "deep" / "s", acquisition)
    assert sorted(contents(tmp_path / "deep")) == [
        "s.cellvote",
        "s.cellvote/images.parquet",
        "s.cellvote/platemap.parquet",
        "s.cellvote/study.json",
    ]
    assert contents(acquisition.source) == before


def test_what_does_not_fit_is_kept_as_a_problem(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition, map_of(["A01", "H12"], drug="xy"))
    assert made.info.problems == (
        "1 well of the plate map has no images: H12.",
        "2 imaged wells are not on the plate map: A02, B01.",
    )


@pytest.mark.parametrize("kind", ["fits no image", "is not there", "is damaged"])
def test_nothing_is_written_where_a_plate_map_is_wrong(tmp_path: Path, acquisition: Acquisition, kind: str) -> None:
    (tmp_path / "damaged.csv").write_text("drug\nx\n", encoding="utf-8")
    plate_map: dict[str, object] = {
        "fits no image": map_of(["H12"], drug=["x"]),
        "is not there": tmp_path / "gone.csv",
        "is damaged": tmp_path / "damaged.csv",
    }
    before = contents(tmp_path)
    with pytest.raises(PlateMapError):
        Study.create(tmp_path / "sub" / "s", acquisition, plate_map[kind])  # type: ignore[arg-type]
    assert contents(tmp_path) == before


def test_a_study_is_never_written_over_another(tmp_path: Path, acquisition: Acquisition) -> None:
    Study.create(tmp_path / "s", acquisition)
    before = contents(tmp_path)
    with pytest.raises(StudyError, match="is there already"):
        Study.create(tmp_path / "s.cellvote", acquisition)
    assert contents(tmp_path) == before


def test_a_disk_that_fails_leaves_no_half_study(
    tmp_path: Path, acquisition: Acquisition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cellvote.study.study.write_json", fail)
    with pytest.raises(StudyError, match=r"cannot be written \(No space left on device\)"):
        Study.create(tmp_path / "s", acquisition)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, acquisition: Acquisition) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"file/s\.cellvote"):
        Study.create(tmp_path / "file" / "s", acquisition)


# Opening


@pytest.mark.parametrize("kind", ["nothing", "a folder", "a file"])
def test_where_there_is_no_study_the_way_to_one_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s.cellvote"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a file":
        path.touch()
    with pytest.raises(StudyError, match="no study here. Make one with: cellvote create"):
        Study.open(tmp_path / "s")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"schema_version": "two"}', '{"schema_version": null}', '{"source": 1}', "\xff"],
)
def test_a_damaged_study_is_refused(tmp_path: Path, acquisition: Acquisition, text: str) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    (made.path / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StudyError):
        Study.open(made.path)


def test_a_study_of_a_newer_cellvote_is_refused(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    content = json.loads((made.path / "study.json").read_text(encoding="utf-8"))
    (made.path / "study.json").write_text(json.dumps({**content, "schema_version": 99}), encoding="utf-8")
    with pytest.raises(StudyError, match="written by a newer CellVote"):
        Study.open(made.path)


@pytest.mark.parametrize("stray", ["../x.tif", "a/../../x.tif", "/etc/passwd", "C:\\x.tif", "a\\..\\..\\x.tif", "\\x"])
def test_a_study_that_points_outside_its_images_is_refused(
    tmp_path: Path, acquisition: Acquisition, stray: str
) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    planes = read_table(made.path / "images.parquet")
    planes.loc[2, "path"] = stray
    write_table(made.path / "images.parquet", planes)
    with pytest.raises(StudyError, match="outside its source folder: refused"):
        Study.open(made.path).read_field(made.fields[0])


def test_a_study_whose_wells_are_no_wells_writes_nothing_outside_of_itself(
    tmp_path: Path, acquisition: Acquisition
) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    planes = read_table(made.path / "images.parquet").assign(well="../../../../../outside")
    write_table(made.path / "images.parquet", planes)
    opened = Study.open(made.path)
    try:
        path = opened.mask_path("watershed", opened.fields[0])
    except StudyError:
        return
    assert path.resolve().is_relative_to(opened.path.resolve())


# Fields


def test_a_field_is_read_with_all_its_channels(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    assert made.read_field(FieldKey("P", "A02", 2)).shape == (2, 8, 8)
    assert np.ptp(made.read_field(made.fields[0])) > 0
    with pytest.raises(StudyError, match="P/H12 field 1: was not imaged"):
        made.read_field(FieldKey("P", "H12", 1))


@pytest.mark.parametrize(
    ("wells", "expected"),
    [
        ("", ["A01", "A02", "B01"]),
        ("A1", ["A01"]),
        ("a*", ["A01", "A02"]),
        (" B01 , r01c02 ", ["A02", "B01"]),
        ("?01", ["A01", "B01"]),
        ("A01,A*", ["A01", "A02"]),
    ],
)
def test_fields_are_chosen_by_their_wells(
    tmp_path: Path, acquisition: Acquisition, wells: str, expected: list[str]
) -> None:
    chosen = Study.create(tmp_path / "s", acquisition).select_fields(wells)
    assert chosen == [FieldKey("P", well, field) for well in expected for field in (1, 2)]


@pytest.mark.parametrize("wells", ["H12", "A01,H*", "nonsense"])
def test_a_choice_that_fits_no_well_is_refused(tmp_path: Path, acquisition: Acquisition, wells: str) -> None:
    with pytest.raises(SettingsError, match="no imaged well fits"):
        Study.create(tmp_path / "s", acquisition).select_fields(wells)


# Names and places


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".hidden", "..", "a:b", "a*", " a", "a\n", "x" * 101, "\0"]
)
def test_a_name_that_could_leave_the_study_is_refused(tmp_path: Path, acquisition: Acquisition, name: str) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    for place in (made.segmentation_folder, made.model_folder, made.predictions_folder):
        with pytest.raises(SettingsError, match="cannot be the name of a folder"):
            place(name)


@pytest.mark.parametrize("name", ["watershed", "Try 2", "moa_v1-final", "Zellen-ä"])
def test_an_ordinary_name_is_a_folder(name: str) -> None:
    assert checked_name(name) == name


plates = st.text(min_size=0, max_size=20) | st.sampled_from(["..", "../..", "/", "a/b", "a\\b", ".", "CON", "P..1"])


@given(plates)
def test_whatever_a_plate_is_called_its_files_stay_in_the_step_s_folder(plate: str) -> None:
    root = Path("/study/masks")
    path = root / field_file(FieldKey(plate, "A01", 1), ".tif")
    assert path.is_relative_to(root)
    assert ".." not in path.parts
    assert path.name == "A01_f1.tif"


@given(st.lists(plates.filter(bool), min_size=2, max_size=2, unique=True))
def test_two_plates_never_share_a_file(names: list[str]) -> None:
    first, second = (field_file(FieldKey(plate, "A01", 1), ".tif") for plate in names)
    assert first != second


def test_a_long_plate_name_in_any_script_is_a_folder_name_that_a_disk_takes(tmp_path: Path) -> None:
    plate = "Пластина для скрининга соединений, повтор второй"  # 48 letters, as a folder 91 bytes
    (tmp_path / plate).mkdir()
    path = tmp_path / "masks" / field_file(FieldKey(plate, "A01", 1), ".tif")
    path.parent.mkdir(parents=True)
    path.touch()


def test_only_what_lies_in_the_study_is_ever_deleted(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    for outside in (tmp_path, made.path, made.path / ".." / "P"):
        with pytest.raises(StudyError, match="not deleted"):
            made.remove(outside)
    inside = made.path / "models" / "old"
    inside.mkdir(parents=True)
    made.remove(inside)
    assert not inside.exists()


# Results


def test_a_finished_study_lists_what_it_holds(finished_study: Study) -> None:
    assert finished_study.segmentations == ["watershed"]
    assert finished_study.models == ["forest"]
    assert finished_study.predictions == ["forest"]


def test_the_only_segmentation_needs_no_name(study: Study) -> None:
    assert study.one_segmentation() == "watershed"
    with pytest.raises(SegmentationError, match="no segmentation 'other'; there are: watershed"):
        study.one_segmentation("other")
    second = study.segmentation_folder("second")
    second.mkdir()
    (second / "segmentation.json").write_text("{}", encoding="utf-8")
    assert study.one_segmentation("second") == "second"
    with pytest.raises(SegmentationError, match="second, watershed.*name one"):
        study.one_segmentation()


def test_a_new_study_says_which_step_comes_next(tmp_path: Path, acquisition: Acquisition) -> None:
    made = Study.create(tmp_path / "s", acquisition)
    with pytest.raises(SegmentationError, match="Run: cellvote segment"):
        made.one_segmentation()
    with pytest.raises(SegmentationError, match="Run: cellvote measure"):
        made.read_cells("watershed")
