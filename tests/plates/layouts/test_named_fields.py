"""Patterns for images without wells: plates, classes and positions told by paths."""

from pathlib import Path

import pytest
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.layouts import read_plate

NAMES = [
    f"{name}/SCR{plate}_P{place:05d}_{i}.tif" for name in "xy" for plate in (1, 2) for place in (7, 8) for i in (1, 2)
]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<plate>SCR\d)_(?P<position>P\d+)_\d\.tif",
        r"(?P<plate>SCR\d)_(?P<well>P\d+)_\d\.tif",  # no well of a plate
        r".*/(?P<plate>SCR\d)_(?P<well>P\d+)_(?P<field>\d)\.tif",
        r"(?P<class_name>\w)/(?P<plate>SCR\d)_(?P<well>P\d+)_\d\.tif",
    ],
)
def test_plates_classes_and_positions_are_read_from_names_and_folders(tmp_path: Path, pattern: str) -> None:
    acquisition = read_plate(write_images(tmp_path, NAMES), pattern=pattern)
    assert acquisition.plates == ["SCR1", "SCR2"]
    assert [key.field for key in acquisition.fields] == [*range(1, 9)] * 2
    table = acquisition.plate_map
    assert table is not None
    told = table[["plate", "class_name", "position", "image_name"]].itertuples(index=False, name=None)
    assert {(f"{kind}/{image}.tif", plate, place) for plate, kind, place, image in told} == {
        (name, name[2:6], name[7:13]) for name in NAMES
    }
    assert set(acquisition.planes["well"]) == {""}
    assert "2 plate(s) (SCR1, SCR2)" in acquisition.doubts[0].question
    assert "2 different entries of class_name" in acquisition.doubts[0].question


def test_any_other_group_is_a_column_of_the_plate_map(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path, NAMES), pattern=r"(?P<plate>SCR\d)_P\d+_(?P<crop>\d)\.tif")
    assert acquisition.plate_map is not None
    assert set(acquisition.plate_map["crop"]) == {"1", "2"}


def test_files_that_are_channels_of_one_image_are_put_together(tmp_path: Path) -> None:
    names = [
        f"{kind}/SCR{plate}_{i}_{dye}.tif"
        for kind in "xy"
        for plate in (1, 2)
        for i in (1, 2)
        for dye in ("DNA", "GFP")
    ]
    pattern = r"(?P<plate>SCR\d)_\d_(?P<channel>\w+)\.tif"
    acquisition = read_plate(write_images(tmp_path, names), pattern=pattern)
    assert (acquisition.channels, len(acquisition.fields), len(acquisition.planes)) == (("DNA", "GFP"), 8, 16)


def test_wells_that_are_none_are_an_error_where_folders_are_no_classes(tmp_path: Path) -> None:
    names = [f"img{i:03d}_w1.tif" for i in range(4)]
    with pytest.raises(LayoutError, match="is not a well"):
        read_plate(write_images(tmp_path, names), pattern=r"(?P<well>\w+)_w(?P<channel>\d)\.tif")


def test_folders_that_are_plates_are_no_classes(tmp_path: Path) -> None:
    names = [f"SCR{plate}/crop_{i}.tif" for plate in (1, 2) for i in (1, 2)]
    acquisition = read_plate(write_images(tmp_path, names), pattern=r"(?P<plate>SCR\d)/crop_\d\.tif")
    assert acquisition.plates == ["SCR1", "SCR2"]
    assert acquisition.plate_map is not None
    assert "class_name" not in acquisition.plate_map


def test_the_real_crops_are_read_by_a_pattern_too(real_data: Path) -> None:
    pattern = r"(?P<plate>PLLT\d+_\d+)--.*___P(?P<well>\d+)_.*___T(?P<frame>\d+)___.*\.png"
    acquisition = read_plate(real_data / "mitocheck_crops", pattern=pattern)
    assert (len(acquisition.plates), len(acquisition.fields)) == (45, 2183)
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["class_name"].nunique() == 16
    assert {"position", "frame"} <= set(acquisition.plate_map)
