"""From a folder to the layout that fits it, or to a word on why none does."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import LayoutError
from cellvote.plates.layouts import read_plate

OPERETTA = operetta_names([(1, 1), (1, 2)])
NUMBERED = [f"Channel{channel}-{number:02d}-A-{number:02d}.tif" for channel in (1, 2) for number in (1, 2)]


@pytest.mark.parametrize(("names", "layout"), [(OPERETTA, "operetta"), (NUMBERED, "numbered")])
def test_a_layout_is_recognised(tmp_path: Path, names: list[str], layout: str) -> None:
    assert read_plate(write_images(tmp_path, names)).layout == layout


@pytest.mark.parametrize("other", ["numbered", "cellomics", "scanr", "in-cell", "cytation", "yokogawa", "rxrx"])
def test_a_layout_that_does_not_fit_is_refused_where_it_is_forced(tmp_path: Path, other: str) -> None:
    with pytest.raises(LayoutError, match=r"name like|no .*image"):
        read_plate(write_images(tmp_path, OPERETTA), layout=other)


def test_a_layout_can_be_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path, [*NUMBERED[:1], *OPERETTA])
    assert read_plate(folder, layout="numbered").wells["well"].tolist() == ["A01"]


def test_a_layout_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="load-data, rxrx, operetta, .*numbered"):
        read_plate(write_images(tmp_path, OPERETTA), layout="nope")


def test_a_layout_and_a_pattern_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not both"):
        read_plate(tmp_path, "operetta", "x")


def test_a_folder_without_images_says_what_was_tried_and_what_is_there(tmp_path: Path) -> None:
    for name in ("a.txt", "b.csv", "c.doc", "d.xls"):
        (tmp_path / name).touch()
    with pytest.raises(LayoutError, match=r"a\.txt, b\.csv, c\.doc\. Tried the layouts .*operetta.*numbered"):
        read_plate(tmp_path)


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="it is empty"):
        read_plate(tmp_path)


def test_images_whose_names_tell_nothing_are_a_plain_folder_of_images(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path, ["cat.tif", "dog.png"]))
    assert (acquisition.layout, acquisition.summary()["wells"], len(acquisition.fields)) == ("image-folder", 0, 2)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"gone: there is no such folder"):
        read_plate(tmp_path / "gone")


def test_a_file_that_is_no_image_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(LayoutError, match=r"a\.txt"):
        read_plate(tmp_path / "a.txt")


def test_a_single_image_is_read_as_it_is(tmp_path: Path) -> None:
    write_images(tmp_path, ["A01_s1.tif", "A01_s2.tif"])
    assert read_plate(tmp_path / "A01_s1.tif").planes["path"].tolist() == ["A01_s1.tif"]


def test_no_folder_at_all_is_refused() -> None:
    with pytest.raises(LayoutError, match="no folder"):
        read_plate([])


def test_several_folders_are_read_as_one_acquisition(tmp_path: Path) -> None:
    folders = [write_images(tmp_path / plate, OPERETTA) for plate in ("P1", "P2")]
    acquisition = read_plate(folders)
    assert acquisition.plates == ["P1", "P2"]
    assert acquisition.source == tmp_path
    assert len(acquisition.planes) == 2 * len(OPERETTA)


def test_a_channel_that_a_plate_lacks_is_told_of(tmp_path: Path) -> None:
    folders = [
        write_images(tmp_path / "P1", OPERETTA),
        write_images(tmp_path / "P2", operetta_names([(1, 1)], channels=3)),
    ]
    acquisition = read_plate(folders)
    assert acquisition.channels == ("ch1", "ch2", "ch3")
    assert "P1 has no channel ch3, which other plates have." in acquisition.problems
    assert [doubt.kind for doubt in acquisition.doubts] == ["ragged channels"]


def test_folders_without_a_channel_in_common_are_refused(tmp_path: Path) -> None:
    folders = [write_images(tmp_path / "P1", OPERETTA), write_images(tmp_path / "P2", NUMBERED)]
    with pytest.raises(LayoutError, match="one study for each"):
        read_plate(folders)


def test_the_same_folder_given_twice_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "P", OPERETTA)
    with pytest.raises(LayoutError, match="more than one of the folders"):
        read_plate([folder, folder])


def test_a_link_that_leads_in_a_circle_traps_nobody(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "P", OPERETTA)
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert len(read_plate(folder).planes) == len(OPERETTA)


def test_hidden_files_and_studies_are_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path, [*OPERETTA, f".trash/{OPERETTA[0]}", f"._{OPERETTA[0]}", f"s.cellvote/{OPERETTA[0]}"])
    assert len(read_plate(tmp_path).planes) == len(OPERETTA)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS lets no such name be written")
def test_a_name_that_is_no_text_is_left_out_and_told_of(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["A01_w1.tif", "A02_w1.tif"])
    shutil.copy(folder / "A01_w1.tif", os.fsencode(folder) + b"/A03_w1\xff.tif")
    acquisition = read_plate(folder)
    assert acquisition.wells["well"].tolist() == ["A01", "A02"]
    assert any("no UTF-8 text" in problem for problem in acquisition.problems)
