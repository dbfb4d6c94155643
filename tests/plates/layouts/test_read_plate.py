"""From a folder to the layout that fits it, or to a word on why none does."""

from pathlib import Path

import pytest
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import LayoutError
from cellvote.plates.layouts import LAYOUTS, read_plate

OPERETTA = operetta_names([(1, 1), (1, 2)])
NUMBERED = [f"Channel{channel}-{number:02d}-A-{number:02d}.tif" for channel in (1, 2) for number in (1, 2)]


@pytest.mark.parametrize(("names", "layout"), [(OPERETTA, "operetta"), (NUMBERED, "numbered")])
def test_a_layout_is_recognised_and_no_other_takes_it_for_its_own(
    tmp_path: Path, names: list[str], layout: str
) -> None:
    folder = write_images(tmp_path, names)
    assert read_plate(folder).layout == layout
    for other in set(LAYOUTS) - {layout}:
        with pytest.raises(LayoutError, match="no image has a name like"):
            read_plate(folder, layout=other)


def test_a_layout_can_be_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path, [*NUMBERED[:1], *OPERETTA])
    assert read_plate(folder, layout="numbered").wells["well"].tolist() == ["A01"]


def test_a_layout_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="operetta, numbered"):
        read_plate(write_images(tmp_path, OPERETTA), layout="nope")


def test_a_layout_and_a_pattern_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not both"):
        read_plate(tmp_path, "operetta", "x")


def test_a_folder_without_images_says_what_was_tried_and_what_is_there(tmp_path: Path) -> None:
    for name in ("a.txt", "b.csv", "c.doc", "d.xls"):
        (tmp_path / name).touch()
    with pytest.raises(LayoutError, match=r"a\.txt, b\.csv, c\.doc\. Tried the layouts operetta, numbered"):
        read_plate(tmp_path)


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="it is empty"):
        read_plate(tmp_path)


def test_images_of_no_known_layout_are_shown_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"Tried: operetta .*numbered .*cat\.tif, dog\.png.*--pattern"):
        read_plate(write_images(tmp_path, ["cat.tif", "dog.png"]))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"gone: there is no such folder"):
        read_plate(tmp_path / "gone")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    with pytest.raises(LayoutError, match="give the folder that holds it"):
        read_plate(tmp_path / "a.tif")


def test_no_folder_at_all_is_refused() -> None:
    with pytest.raises(LayoutError, match="no folder"):
        read_plate([])


def test_several_folders_are_read_as_one_acquisition(tmp_path: Path) -> None:
    folders = [write_images(tmp_path / plate, OPERETTA) for plate in ("P1", "P2")]
    acquisition = read_plate(folders)
    assert acquisition.plates == ["P1", "P2"]
    assert acquisition.source == tmp_path
    assert len(acquisition.planes) == 2 * len(OPERETTA)


def test_several_folders_with_other_channels_are_refused(tmp_path: Path) -> None:
    folders = [
        write_images(tmp_path / "P1", OPERETTA),
        write_images(tmp_path / "P2", operetta_names([(1, 1)], channels=3)),
    ]
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
