"""Layouts told by file names alone: the numbered one, and a pattern that the user writes."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_plates import write_images

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.named_groups import NUMBERED, pattern_layout
from cellvote.plates.wells import parse_row, row_letters


def numbered(channel: int, number: int, well: str) -> str:
    return f"Channel{channel}-{number:02d}-{well[0]}-{well[1:]}.tif"


def test_the_numbered_layout_reads_channel_row_and_column(tmp_path: Path) -> None:
    names = [numbered(channel, number, well) for channel in (1, 2) for number, well in ((1, "A01"), (18, "B06"))]
    acquisition = read_plate(write_images(tmp_path / "BBBC013", names))
    assert acquisition.layout == "numbered"
    assert acquisition.plates == ["BBBC013"]
    assert acquisition.channels == ("Channel1", "Channel2")
    assert acquisition.wells["well"].tolist() == ["A01", "B06"]
    assert acquisition.planes["path"].tolist() == [names[0], names[2], names[1], names[3]]


def test_a_real_bbbc013_plate_is_numbered(real_data: Path) -> None:
    summary = read_plate(real_data / "sbs_bbbc013").summary()
    assert (summary["layout"], summary["wells"], summary["planes"]) == ("numbered", 48, 96)
    assert summary["channels"] == ["Channel1", "Channel2"]


def test_images_of_another_name_are_left_out_and_told_of(tmp_path: Path) -> None:
    names = [numbered(1, 1, "A01"), numbered(1, 2, "A02"), numbered(1, 3, "A03"), "overview.tif"]
    acquisition = read_plate(write_images(tmp_path, names))
    assert len(acquisition.planes) == 3
    (problem,) = acquisition.problems
    assert "1 image(s)" in problem
    assert "overview.tif" in problem


def test_a_pattern_reads_every_group_that_it_names(tmp_path: Path) -> None:
    names = [
        f"P{p}/B02_s{s}_w{w}_z{z}_t{t}.tif" for p in (1, 2) for s in (1, 2) for w in "ab" for z in (1, 2) for t in (0,)
    ]
    pattern = r"(?P<plate>P\d)/(?P<well>[A-H]\d\d)_s(?P<field>\d)_w(?P<channel>\w)_z(?P<z>\d)_t(?P<timepoint>\d)\.tif"
    acquisition = read_plate(write_images(tmp_path, names), pattern=pattern)
    assert acquisition.layout == "pattern"
    assert acquisition.plates == ["P1", "P2"]
    assert acquisition.channels == ("a", "b")
    assert [str(key) for key in acquisition.fields] == [f"P{p}/B02 field {s}" for p in (1, 2) for s in (1, 2)]
    assert acquisition.planes[["z", "timepoint"]].drop_duplicates().to_numpy().tolist() == [[1, 0], [2, 0]]


def test_a_pattern_may_give_the_well_as_row_and_column(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["x_2_11.tif", "x_C_4.tif"])
    acquisition = read_plate(folder, pattern=r"x_(?P<row>\w+)_(?P<column>\d+)\.tif")
    assert sorted(acquisition.wells["well"]) == ["B11", "C04"]


def test_a_pattern_over_the_name_alone_names_the_plate_after_the_folder(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["one/A01.tif", "two/images/A01.tif"])
    assert read_plate(folder, pattern=r"(?P<well>\w+)\.tif").plates == ["one", "two"]


def test_channels_are_sorted_as_people_count(tmp_path: Path) -> None:
    folder = write_images(tmp_path, [f"A01_w{number}.tif" for number in (10, 9, 1)])
    assert read_plate(folder, pattern=r"(?P<well>A01)_(?P<channel>w\d+)\.tif").channels == ("w1", "w9", "w10")


def test_groups_without_a_meaning_are_allowed(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["A01_abc.tif"])
    assert len(read_plate(folder, pattern=r"(?P<well>A01)_(?P<guid>\w+)\.tif").planes) == 1


def test_pages_are_the_channels_where_the_names_tell_none(tmp_path: Path) -> None:
    image = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    for well in ("A01", "A02"):
        tifffile.imwrite(tmp_path / f"{well}.tif", image, photometric="minisblack")
    acquisition = read_plate(tmp_path, pattern=r"(?P<well>\w+)\.tif")
    assert acquisition.channels == ("Channel1", "Channel2", "Channel3")
    assert acquisition.planes["page"].tolist() == [0, 1, 2, 0, 1, 2]
    key = FieldKey(tmp_path.name, "A02", 1)
    planes = acquisition.planes[acquisition.planes["well"] == "A02"]
    assert np.array_equal(read_field(tmp_path, planes, acquisition.channels, key), image)


def test_a_first_file_that_cannot_be_read_is_named_before_its_pages_are_counted(tmp_path: Path) -> None:
    (tmp_path / "A01.tif").write_bytes(b"II*\x00 not an image")
    with pytest.raises((LayoutError, ImageReadError), match=r"A01\.tif"):
        read_plate(tmp_path, pattern=r"(?P<well>\w+)\.tif")


@pytest.mark.parametrize("pattern", [r"(?P<field>\d+)\.tif", r"(?P<row>[A-H]).*\.tif", r".*\.tif"])
def test_a_pattern_that_names_no_well_is_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(LayoutError, match=r"does not say which well.*\(\?P<row>…\) and"):
        pattern_layout(pattern)


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(LayoutError, match="is not a regular expression"):
        pattern_layout("(?P<well>")


def test_a_pattern_that_fits_nothing_shows_the_first_names(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["b.tif", "a.tif"])
    with pytest.raises(LayoutError, match=r"fits none of the 2 images, such as a\.tif, b\.tif"):
        read_plate(folder, pattern=r"(?P<well>[A-H]\d\d)\.tif")


def test_a_pattern_that_reads_two_files_as_one_plane_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["A01_s1.tif", "A01_s2.tif"])
    with pytest.raises(LayoutError, match=r"A01_s1\.tif and A01_s2\.tif read as the same image plane"):
        read_plate(folder, pattern=r"(?P<well>A01)_s\d\.tif")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        pytest.param("Q99.tif", r"(?P<well>[A-Z]\d+)\.tif", id="a well of no plate"),
        pytest.param("A01_left.tif", r"(?P<well>A01)_(?P<field>\w+)\.tif", id="a field in words"),
        pytest.param("A01_99999999999.tif", r"(?P<well>A01)_(?P<field>\d+)\.tif", id="a field beyond counting"),
        pytest.param("A01_99999999999999999999.tif", r"(?P<well>A01)_(?P<z>\d+)\.tif", id="a plane beyond counting"),
        pytest.param("x.tif", r"(?P<well>[A-H]\d+)?x\.tif", id="a well that is left out"),
    ],
)
def test_a_name_that_the_pattern_reads_wrong_is_shown(tmp_path: Path, name: str, pattern: str) -> None:
    with pytest.raises(LayoutError, match=name.replace(".", r"\.")):
        read_plate(write_images(tmp_path, [name]), pattern=pattern)


def test_a_field_that_only_some_names_tell_is_the_first_in_the_others(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["A01.tif", "A02_s2.tif"])
    planes = read_plate(folder, pattern=r"(?P<well>A\d\d)(?:_s(?P<field>\d))?\.tif").planes
    assert planes["field"].tolist() == [1, 2]


def test_a_channel_that_only_some_names_tell_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["A01.tif", "A02_w2.tif"])
    with pytest.raises(LayoutError, match=r"A01\.tif"):
        read_plate(folder, pattern=r"(?P<well>A\d\d)(?:_(?P<channel>w\d))?\.tif")


@given(
    channel=st.sampled_from(["Channel", "w", "GFP"]),
    number=st.integers(0, 99),
    row=st.integers(1, 32),
    column=st.integers(1, 48),
)
def test_a_numbered_name_says_its_row_and_column_in_any_case(channel: str, number: int, row: int, column: int) -> None:
    name = f"{channel}{number}-{number:02d}-{row_letters(row)}-{column:02d}.tif"
    for spelled in (name, name.upper(), f"{name}f"):
        match = NUMBERED.matches(spelled)
        assert match is not None
        assert (match["channel"].lower(), match["column"]) == (f"{channel}{number}".lower(), f"{column:02d}")
        assert parse_row(match["row"]) == row
    assert NUMBERED.matches(f"copy of {name}") is None
    assert NUMBERED.matches(f"{name}.txt") is None
