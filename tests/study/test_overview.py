"""The overview of a plate: laid out as the plate is, kept in the study, made again only where images have changed."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import CancelledError, ImageReadError
from cellvote.jobs.overview import fill_overview, open_overview
from cellvote.plates.layouts import read_plate
from cellvote.progress import CancelToken
from cellvote.study import Study
from cellvote.study.overview import Overview, Tile, overview_folder, plan_overview

WELLS = [(2, 3), (2, 4), (3, 3), (4, 6)]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Return a study of four wells, two channels, one field of 40 × 40 pixels each; every plane has one value."""
    names = operetta_names(WELLS)
    write_images(tmp_path / "plate", names)
    for number, name in enumerate(names):
        tifffile.imwrite(tmp_path / "plate" / name, np.full((40, 40), 100 + number, np.uint16), metadata=None)
    return Study.create(tmp_path / "s", read_plate(tmp_path / "plate"))


def filled(study: Study, **options) -> Overview:
    overview = open_overview(study, "plate")
    for _ in fill_overview(study, overview, workers=1, **options):
        pass
    return overview


def middle(overview: Overview, tile: Tile, channel: int, level: int = 0) -> int:
    pitch = overview.info.pitch_px
    y, x = (int((i + 0.5) * pitch) >> level for i in (tile.row, tile.column))
    return int(overview.levels[level][channel, y, x])


def test_wells_lie_as_on_the_plate_from_the_first_row_and_column_that_are_used(study: Study) -> None:
    plan = plan_overview(study, "plate")
    assert (plan.first, plan.shape) == ((2, 3), (3, 4))
    assert {name: (tile.row, tile.column) for name, tile in plan.tiles.items()} == {
        "B03": (0, 0),
        "B04": (0, 1),
        "C03": (1, 0),
        "D06": (2, 3),
    }


def test_the_wells_around_the_shown_one_come_first(study: Study) -> None:
    order = [tile.name for tile in plan_overview(study, "plate").by_distance("D06")]
    assert order[0] == "D06"
    assert order[-1] == "B03"
    overview = open_overview(study, "plate", "D06")
    assert next(fill_overview(study, overview, "D06", workers=1)).where == "D06"


def test_every_well_has_its_pixels_at_every_level_and_what_was_not_imaged_has_none(study: Study) -> None:
    overview = filled(study)
    assert overview.complete
    for tile in overview.plan.tiles.values():
        image = study.read_field(tile.keys[0])
        for level in range(len(overview.levels)):
            for channel in range(2):
                assert middle(overview, tile, channel, level) == image[channel, 0, 0]
    empty = Tile("B05", 0, 2, ())
    assert middle(overview, empty, 0) == 0
    assert overview.tile_at(0.5 * overview.info.pitch_px, 2.5 * overview.info.pitch_px) is None
    assert overview.tile_at(2.5 * overview.info.pitch_px, 3.5 * overview.info.pitch_px).name == "D06"
    assert overview.tile_at(-1, 5) is None


def test_an_overview_that_is_there_is_opened_and_nothing_is_read(study: Study, monkeypatch) -> None:
    filled(study)
    monkeypatch.setattr("cellvote.jobs.overview.read_channels", None)
    again = filled(Study.open(study.path))
    assert again.complete
    assert again.folder == overview_folder(study, "plate")


def test_a_run_that_was_cancelled_goes_on_where_it_was(study: Study) -> None:
    cancel = CancelToken()
    overview = open_overview(study, "plate")
    steps = fill_overview(study, overview, cancel=cancel, workers=1)
    next(steps)
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(steps)
    before = open_overview(study, "plate").done
    assert 1 <= len(before) <= 4
    assert filled(study).complete


def test_tiles_that_never_reached_the_disk_are_made_again(study: Study) -> None:
    overview = filled(study)
    (overview.folder / "tiles.json").write_text("{}")
    assert open_overview(study, "plate").done == {}
    assert filled(study).complete


@pytest.mark.parametrize("name", ["overview.json", "tiles.json", "level0.npy"])
def test_a_damaged_overview_is_made_anew(study: Study, name: str) -> None:
    overview = filled(study)
    path = overview.folder / name
    path.write_bytes(path.read_bytes()[:20])
    assert Overview.open(study, overview.plan) is None
    assert filled(study).complete


def test_only_wells_whose_images_have_changed_are_read_again(study: Study) -> None:
    filled(study)
    path = study.source / study.planes_of(study.fields[0])["path"].iloc[0]
    tifffile.imwrite(path, np.full((40, 40), 7, np.uint16), metadata=None)
    os.utime(path, ns=(1, 1))
    overview = open_overview(study, "plate")
    made = [progress.where for progress in fill_overview(study, overview, workers=1)]
    assert made == ["B03"]
    assert middle(overview, overview.plan.tiles["B03"], 0) == 7


def test_another_reading_of_the_images_has_an_overview_of_its_own(study: Study, tmp_path: Path) -> None:
    before = overview_folder(study, "plate")
    study.planes["path"] = study.planes["path"].str.replace("ch1", "ch2")
    assert overview_folder(study, "plate") != before


def test_a_well_that_cannot_be_read_is_said_so_and_the_others_are_made(study: Study) -> None:
    path = study.source / study.planes_of(study.fields[1])["path"].iloc[0]
    path.write_bytes(b"II*\0")
    overview = filled(study)
    done = overview.done
    assert "damaged" in done["B04"].error
    assert middle(overview, overview.plan.tiles["B04"], 0) == 0
    assert middle(overview, overview.plan.tiles["B04"], 1) == 103
    assert not any(record.error for name, record in done.items() if name != "B04")


def test_a_plate_of_which_nothing_can_be_read_is_an_error(study: Study) -> None:
    for path in study.source.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ImageReadError):
        open_overview(study, "plate")


def test_a_study_that_cannot_be_written_has_its_overview_in_memory(study: Study, monkeypatch) -> None:
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("cellvote.study.overview._make_files", refuse)
    overview = filled(study)
    assert overview.folder is None
    assert overview.complete


def test_nothing_is_read_while_something_more_urgent_is(study: Study) -> None:
    may_go_on, cancel = threading.Event(), CancelToken()
    overview = open_overview(study, "plate")

    def fill() -> None:
        for _ in fill_overview(study, overview, cancel=cancel, may_go_on=may_go_on, workers=1):
            pass

    thread = threading.Thread(target=fill)
    thread.start()
    thread.join(0.5)
    assert overview.done == {}
    may_go_on.set()
    thread.join(20)
    assert overview.complete


def test_several_fields_of_a_well_are_stitched(tiny_plate, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s", read_plate(tiny_plate.folder))
    overview = open_overview(study, "P-1")
    for _ in fill_overview(study, overview):
        pass
    assert overview.complete
    first = study.read_field(study.fields[0])
    assert overview.info.tile_px * overview.info.step >= 2 * max(first.shape[1:])


def test_a_folder_of_images_without_wells_stands_in_a_grid(tmp_path: Path) -> None:
    write_images(tmp_path / "images", [f"some picture {i}.tif" for i in range(5)])
    study = Study.create(tmp_path / "s", read_plate(tmp_path / "images"))
    plan = plan_overview(study, study.plates[0])
    assert not plan.on_plate
    assert plan.shape == (2, 3)
    assert len({(tile.row, tile.column) for tile in plan.tiles.values()}) == 5
