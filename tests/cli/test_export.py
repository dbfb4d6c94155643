"""``cellvote export``, as a shell calls it."""

import io
import json
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.tiny_plates import write_images

from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.synthetic import CHANNELS


def test_export_as_json(call: Call, new_study: Study, tmp_path: Path) -> None:
    out = tmp_path / "plate.ome.zarr"
    said = call("export", new_study.path, "--format", "ome-zarr", "--out", out, "--workers", 1, "--json")
    assert (said.code, said.err) == (0, "")
    assert {**said.json, "seconds": 0} == {
        "format": "ome-zarr", "out": str(out), "fields": 32, "failed": [], "cells": 0, "files": [], "notes": [],
        "seconds": 0,
    }  # fmt: skip
    inspected = call("inspect", out, "--json").json
    assert (inspected["layout"], inspected["wells"], inspected["channels"]) == ("ome-zarr", 16, list(CHANNELS))


def test_export_says_where_it_went(call: Call, finished_study: Study, tmp_path: Path) -> None:
    said = call("export", finished_study.path, "--format", "csv", "--out", tmp_path / "out")
    assert said.code == 0
    assert said.out.startswith(f"{tmp_path / 'out'}: 6 tables, ")


def test_ngff_0_4_is_written_on_demand(call: Call, new_study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    assert (
        call("export", new_study.path, "--format", "ome-zarr", "--out", out, "--ngff", "0.4", "--workers", 1).code == 0
    )
    assert (out / ".zattrs").exists()


def test_fields_that_cannot_be_exported_are_listed_and_end_with_1(call: Call, tmp_path: Path) -> None:
    images = write_images(tmp_path / "P1", ["A01_c1.tif", "A02_c1.tif"])
    study = Study.create(tmp_path / "s", read_plate(images, pattern=r"(?P<well>\w\d\d)_(?P<channel>c1)\.tif"))
    (images / "A02_c1.tif").write_bytes(b"no image")
    arguments = ("export", study.path, "--format", "ome-zarr", "--workers", 1, "--out")
    said = call(*arguments, tmp_path / "one.zarr")
    assert said.code == 1
    assert "P1/A02 field 1" in said.err
    said = call(*arguments, tmp_path / "two.zarr", "--json")
    assert said.code == 1
    [failed] = said.json["failed"]
    assert (failed["plate"], failed["well"], failed["field"]) == ("P1", "A02", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "xls"), "--format xls: a study can be exported as csv, parquet, anndata, ome-zarr, cellprofiler"),
        (("--format", "ome-zarr", "--ngff", "0.6"), "--ngff 0.6: it can be 0.5 or 0.4"),
        (("--format", "csv", "--style", "camel"), "--style camel: it can be cellvote or cytomining"),
        (("--format", "csv", "--level", "cell"), "--level: goes with --format anndata only"),
        (("--format", "cellprofiler"), "is not segmented. Run: cellvote segment"),
        (("--format", "csv", "--segmentation", "none"), "is not segmented"),
    ],
)
def test_bad_input_is_one_line_and_ends_with_2(
    call: Call, new_study: Study, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    said = call("export", new_study.path, "--out", tmp_path / "out", *arguments)
    assert said.code == 2
    assert message in said.error


def test_what_is_there_is_kept_without_overwrite(call: Call, new_study: Study, tmp_path: Path) -> None:
    arguments = ("export", new_study.path, "--format", "csv", "--out", tmp_path / "out")
    assert call(*arguments).code == 0
    said = call(*arguments)
    assert said.code == 2
    assert "is there already" in said.error
    assert call(*arguments, "--overwrite").code == 0


def test_progress_as_json_counts_every_field(
    call: Call, new_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    out = tmp_path / "out.zarr"
    said = call("export", new_study.path, "--format", "ome-zarr", "--out", out, "--workers", 1, "--progress", "json")
    assert said.code == 0
    assert [json.loads(line)["done"] for line in said.err.splitlines()] == list(range(1, 33))
