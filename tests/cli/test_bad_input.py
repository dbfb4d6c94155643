"""Bad input: one line that says what is wrong and what to do, the code 2, and nothing written."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distributed
import pandas as pd
import pytest
from tests.cli.conftest import Call
from tests.tiny_plates import contents, operetta_names, write_images

from cellvote.study import Study
from cellvote.synthetic import SimulatedPlate


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "P", operetta_names([(1, 1), (1, 2)]))


def refused(call: Call, tmp_path: Path, *arguments: object) -> str:
    """Call the command line, and return its one line of complaint; nothing may have been written."""
    before = contents(tmp_path)
    said = call(*arguments)
    assert said.code == 2
    assert contents(tmp_path) == before
    return said.error


def test_a_folder_without_images(call: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for command in (("inspect", tmp_path), ("create", tmp_path / "s", tmp_path)):
        error = refused(call, tmp_path, *command)
        assert "no images found" in error
        assert "notes.txt" in error


def test_a_folder_that_is_not_there(call: Call, tmp_path: Path) -> None:
    assert "there is no such folder" in refused(call, tmp_path, "create", tmp_path / "s", tmp_path / "gone")


def test_a_study_is_not_taken_for_the_images(call: Call, tmp_path: Path, study: Study) -> None:
    for command in (("inspect", study.path), ("create", tmp_path / "s", study.path)):
        assert "is a study of CellVote" in refused(call, tmp_path, *command)


@pytest.mark.parametrize(
    ("name", "command"),
    [("study.json", "measure"), ("images.parquet", "quality --dry-run"), ("platemap.parquet", "train --classes moa")],
)
def test_nobody_is_told_to_delete_what_a_study_is_made_of(
    call: Call, tmp_path: Path, study: Study, name: str, command: str
) -> None:
    (study.path / name).write_bytes(b"{")
    verb, *rest = command.split()
    error = refused(call, tmp_path, verb, study.path, *rest)
    assert name in error
    assert "backup" in error
    assert "Delete" not in error


def test_names_that_are_not_of_the_layout_that_is_forced(call: Call, tmp_path: Path) -> None:
    write_images(tmp_path / "P", ["cat.tif"])
    error = refused(call, tmp_path, "create", tmp_path / "s", tmp_path / "P", "--layout", "operetta")
    assert "r01c01f01p01-ch1sk1fk1fl1.tiff" in error


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--z", "deepest"], "write max, median, projection, or the number of a plane"),
        (["--combine", "body=ch1"], "write NAME=median(CHANNEL,CHANNEL,…)"),
        (["--combine", "body=sum(ch1,ch2)"], "median, mean, max, min"),
        (["--combine", "body=max(ch1,ch7)"], "ch1, ch2"),
        (["--combine", "ch1=max(ch1,ch2)"], "there is a channel 'ch1' already"),
        (["--root", "nowhere"], "there is no such folder"),
        (["--z", "99"], "there is no z-plane 99; the images have 1 only"),
    ],
)
def test_a_wrong_way_to_read_the_images(
    call: Call, tmp_path: Path, images: Path, options: list[str], word: str
) -> None:
    assert word in refused(call, tmp_path, "create", tmp_path / "s", images, *options)


def test_a_pattern_without_a_well(call: Call, tmp_path: Path, images: Path) -> None:
    error = refused(call, tmp_path, "create", tmp_path / "s", images, "--pattern", r"(?P<field>\d+)\.tif")
    assert "does not say which well" in error


@pytest.mark.parametrize("content", ["well,drug\nH12,x\n", "drug\nx\n", "well,drug\nA1,x\nA1,y\n", "", "well\nA99\n"])
def test_a_plate_map_that_does_not_fit(call: Call, tmp_path: Path, images: Path, content: str) -> None:
    (tmp_path / "map.csv").write_text(content, encoding="utf-8")
    arguments = ("create", tmp_path / "s", images, "--plate-map", tmp_path / "map.csv")
    refused(call, tmp_path, *arguments)
    refused(call, tmp_path, *arguments, "--dry-run")


def _zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(600):
            part.write(bytes(2**20))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (Path.mkdir, "Is a directory"),
        (lambda path: path.write_bytes(bytes(range(256)) * 8), "is no text"),
        (os.mkfifo, "is no file"),
        (lambda path: path.symlink_to(path), "cannot be opened"),
        (_zip_bomb, "unpacks to 600 MiB"),
        (lambda path: (path.touch(), os.truncate(path, 2**30)), "larger than 64 MiB"),
        (lambda path: None, "No such file"),
    ],
    ids=["folder", "binary", "pipe", "link to itself", "zip bomb", "1 GiB", "nothing"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")
def test_what_is_no_plate_map_at_all(
    call: Call, tmp_path: Path, images: Path, make: Callable[[Path], Any], word: str
) -> None:
    path = tmp_path / "map.xlsx"
    make(path)
    for more in ([], ["--dry-run"]):
        said = call("create", tmp_path / "s", images, "--plate-map", path, *more)
        assert said.code == 2
        assert word in said.error
        assert not (tmp_path / "s.cellvote").exists()


def test_a_dry_run_refuses_what_the_run_would(call: Call, tmp_path: Path, images: Path) -> None:
    error = refused(call, tmp_path, "create", tmp_path / "s", images, "--combine", "body=max(ch1,ch7)", "--dry-run")
    assert "ch1, ch2" in error


def test_a_full_disk_leaves_nothing_behind(
    call: Call, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    assert "No space left on device" in refused(call, tmp_path, "create", tmp_path / "s", images)


def test_a_folder_that_vanishes_while_it_is_read(
    call: Call, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(folder: str) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)

    with monkeypatch.context() as patch:
        patch.setattr("cellvote.plates.layouts.base.os.scandir", gone)
        said = call("create", tmp_path / "s", images)
    assert said.code == 2
    assert "cannot be listed" in said.error
    assert not (tmp_path / "s.cellvote").exists()


@pytest.mark.parametrize("place", ["file/s", "file"])
def test_a_study_that_has_no_place(call: Call, tmp_path: Path, images: Path, place: str) -> None:
    (tmp_path / "file").touch()
    if place == "file":
        (tmp_path / "file.cellvote").touch()
    refused(call, tmp_path, "create", tmp_path / place, images)


@pytest.mark.parametrize("name", ["two\nlines", "🧫 plate", "say 'x' \"y\"", "\u202eLTR", "[red]markup", "[nope] x"])
def test_any_name_is_one_json_value_and_opens_again(call: Call, tmp_path: Path, name: str) -> None:
    images = write_images(tmp_path / name, ["A01_DAPI.tif", "A02_DAPI.tif"])
    found = call("inspect", images, "--json").json
    assert set(found) == {"layout", "plates", "wells", "fields", "channels", "planes", "pixel_size_um", "problems"}
    assert found["plates"] == [name]
    said = call("create", tmp_path / f"{name} s", images, "--yes")
    assert said.code == 0
    assert f"{tmp_path / name} s.cellvote: 1 plate(s), 2 wells, 2 fields, channels DAPI" in said.out
    assert Study.open(tmp_path / f"{name} s").plates == [name]
    error = refused(call, tmp_path, "inspect", tmp_path / f"{name} gone")
    assert "there is no such folder" in error


def test_a_study_that_is_there_already(call: Call, tmp_path: Path, images: Path) -> None:
    assert call("create", tmp_path / "s", images).code == 0
    for name in ("s", "s.cellvote"):
        for more in ([], ["--dry-run"]):
            assert "is there already" in refused(call, tmp_path, "create", tmp_path / name, images, *more)


@pytest.mark.parametrize(
    "command",
    ["segment", "measure", "train --classes moa", "predict forest", "vote forest", "evaluate forest", "report forest"],
)
def test_a_study_that_is_not_there(call: Call, tmp_path: Path, command: str) -> None:
    name, *rest = command.split()
    assert "there is no study here" in refused(call, tmp_path, name, tmp_path / "s", *rest)


def test_a_channel_that_is_not_there_lists_those_that_are(call: Call, tmp_path: Path, new_study: Study) -> None:
    error = refused(
        call,
        tmp_path,
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--workers",
        1,
        "--set",
        "nuclei_channel=Nope",
    )
    assert error == "there is no channel 'Nope'; the images have: DNA, Actin, Reporter"


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("sigma=2", "there is no setting 'sigma'; there are: nuclei_channel"),
        ("threshold_factor=high", "the setting 'threshold_factor' cannot be 'high'"),
        ("threshold_factor=-1", "the setting 'threshold_factor' cannot be -1"),
        ("threshold_factor", "write key=value"),
        ("=2", "write key=value"),
    ],
)
def test_a_setting_that_cannot_be(
    call: Call, tmp_path: Path, new_study: Study, assignment: str, complaint: str
) -> None:
    assert complaint in refused(call, tmp_path, "segment", new_study.path, "--method", "watershed", "--set", assignment)


def test_a_step_before_its_turn(call: Call, tmp_path: Path, new_study: Study) -> None:
    path = new_study.path
    assert "Run: cellvote segment" in refused(call, tmp_path, "measure", path)
    assert "Run: cellvote segment" in refused(call, tmp_path, "train", path, "--classes", "moa")
    assert "make one with: cellvote train" in refused(call, tmp_path, "predict", path, "forest")
    assert "make one with: cellvote train" in refused(call, tmp_path, "evaluate", path, "forest")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--classes", "mao"], "no column 'mao'; it has: compound"),
        (["--classes", "moa=vehicle"], "at least two class names"),
        (["--classes", "moa=vehicle,magic"], "no imaged well has moa = 'magic'"),
        (["--classes", "well"], "is in one well only"),
        (["--classes", "moa", "--split-by", "plate"], "is in one plate only"),
        (["--classes", "moa", "--split-by", "donor"], "no column 'donor'"),
        (["--classes", "moa", "--recipe", "vgg"], "the setting 'architecture' cannot be 'vgg'"),
        (["--classes", "moa", "--recipe", "fields"], "--recipe fields classifies fields, not cells"),
        (["--classes", "moa", "--unit", "well"], "the setting 'unit' cannot be 'well'"),
        (["--classes", "moa", "--set", "trees=3"], "no setting 'trees'"),
        (["--classes", "moa", "--name", "../x"], "cannot be the name of a folder"),
        (["--classes", "moa", "--segmentation", "x"], "No such option"),
        (["--classes", "moa", "--set", "segmentation=x"], "no segmentation 'x'; there are: watershed"),
        (["--classes", "moa", "--recipe", "small-resnet", "--device", "tpu"], "the device 'tpu' is not there"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_training_that_cannot_be(
    call: Call, tmp_path: Path, study: Study, options: list[str], complaint: str
) -> None:
    assert complaint in refused(call, tmp_path, "train", study.path, "--workers", 1, *options)


def test_a_class_in_one_well_only_is_told_with_what_to_do(call: Call, tmp_path: Path, study: Study) -> None:
    error = refused(call, tmp_path, "train", study.path, "--classes", "well")
    assert "Add wells of this class, merge it with another, or leave it out" in error


def test_other_settings_under_the_same_name(call: Call, tmp_path: Path, study: Study) -> None:
    error = refused(call, tmp_path, "segment", study.path, "--method", "watershed", "--set", "threshold_factor=2")
    assert "threshold_factor None → 2" in error
    error = refused(call, tmp_path, "train", study.path, "--classes", "moa", "--set", "n_trees=11")
    assert "n_trees 10 → 11" in error


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["vote", "STUDY", "forest", "--by", "donor"], "no column 'donor'"),
        (["vote", "STUDY", "forest", "--method", "magic"], "'method' cannot be 'magic'"),
        (["vote", "STUDY", "forest", "--set", "min_cells=0"], "'min_cells' cannot be 0"),
        (["vote", "STUDY", "magic"], "neither a classifier of this study (forest)"),
        (["evaluate", "STUDY", "forest", "--classes", "mao"], "no column 'mao'; it has: compound"),
        (["report", "STUDY", "forest", "--classes", "mao"], "no column 'mao'; it has: compound"),
        (["report", "STUDY", "forest", "--out", "STUDY"], "is a folder. Give the name of a file in it"),
        (["evaluate", "STUDY", "magic"], "neither a classifier of this study (forest)"),
        (["predict", "STUDY", "../forest"], "neither a classifier of this study (forest)"),
        (["predict", "STUDY", "forest", "--set", "cells=3"], "no setting 'cells'"),
        (["predict", "STUDY", "forest", "--segmentation", "x"], "no segmentation 'x'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_question_that_cannot_be_answered(
    call: Call, tmp_path: Path, study: Study, arguments: list[str], complaint: str
) -> None:
    command = [str(study.path) if part == "STUDY" else part for part in arguments]
    assert complaint in refused(call, tmp_path, *command)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["segmnt"], "No such command 'segmnt'"),
        (["segment", "s", "--nope"], "No such option: --nope"),
        (["segment"], "Missing argument 'STUDY'"),
        (["train", "s"], "Missing option '--classes'"),
        (["segment", "s", "--workers", "0"], "Invalid value for '--workers'"),
        (["segment", "s", "--workers", "two"], "Invalid value for '--workers'"),
        (["segment", "s", "--progress", "loud"], "Invalid value for '--progress'"),
        (["create", "s"], "Missing argument 'IMAGES...'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_is_not_known_points_to_its_help(
    call: Call, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    error = refused(call, tmp_path, *arguments)
    assert complaint in error
    assert ". See: " in error
    assert error.endswith("--help")


def test_without_a_command_the_help_is_printed(call: Call) -> None:
    said = call()
    assert said.code == 2
    assert "segment" in said.out + said.err


def test_a_scheduler_that_cannot_be_reached(
    call: Call, tmp_path: Path, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda address, **_: client(address, timeout="0.2s"))
    before = contents(tmp_path)
    said = call("segment", new_study.path, "--method", "watershed", "--scheduler", "tcp://127.0.0.1:9")
    assert said.code == 2
    assert "the scheduler tcp://127.0.0.1:9 cannot be reached" in said.error
    assert {name for name in contents(tmp_path) if name.endswith(".tif")} == {
        name for name in before if name.endswith(".tif")
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of Linux")
def test_a_window_that_cannot_be_opened(
    call: Call, tmp_path: Path, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    error = refused(call, tmp_path, "view", new_study.path)
    assert "napari cannot be opened" in error
    assert "apt-get install" in error


def test_a_bad_image_in_an_error_stays_one_line(call: Call, tmp_path: Path) -> None:
    write_images(tmp_path / "two\nlines [bold]", ["cat.txt"])
    error = refused(call, tmp_path, "inspect", tmp_path / "two\nlines [bold]")
    assert "two lines [bold]" in error


def test_where_the_window_listens_the_complaint_is_json(call: Call, tmp_path: Path) -> None:
    for style in (["--progress", "json"], ["--progress=json"]):
        said = call("segment", tmp_path / "s", "--method", "watershed", *style)
        assert said.code == 2
        assert said.out == ""
        assert "there is no study here" in json.loads(said.err)["error"]


def test_a_reader_that_has_seen_enough_is_no_error(tiny_plate: SimulatedPlate) -> None:
    command = [sys.executable, "-m", "cellvote", "inspect", str(tiny_plate.folder), "--json"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode in {0, 1}  # click ends so where its reader is gone
    assert done.stderr == ""
