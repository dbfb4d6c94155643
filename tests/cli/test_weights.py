"""Cellpose from the command line: its weights, its licence, its device."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Call
from tests.segmentation.cellpose.test_download import Server
from tests.tiny_cellpose import shrink_sam, use_blob_network, write_small_weights

from cellvote.study import Study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    shrink_sam(monkeypatch)
    return tmp_path / "models"


@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[Server]:
    import threading

    with Server() as served:
        served.content = write_small_weights(tmp_path / "served").read_bytes()
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_weights_are_listed_with_their_licence(call: Call, folder: Path) -> None:
    write_small_weights(folder / "cpsam")
    (folder / "cpdino").write_bytes(b"<html>")
    said = call("weights")
    assert said.code == 0
    assert "CC BY-NC" in said.err
    listed = {one["name"]: one for one in call("weights", "--json").json}
    assert {name: one["status"] for name, one in listed.items()} == {
        "cpsam_v2": "missing",
        "cpsam": "ok",
        "cpdino": "damaged",
        "cpdino-vitb": "missing",
    }
    assert listed["cpsam_v2"]["url"].startswith("https://")
    assert call("weights", "cpsam", "--json").json[0]["bytes"] > 0


def test_weights_are_downloaded_where_it_is_said(call: Call, folder: Path, server: Server) -> None:
    said = call("weights", "cpsam_v2", "--download", "--url", server.url, "--json")
    assert said.code == 0
    assert said.json[0]["status"] == "ok"
    assert (folder / "cpsam_v2").read_bytes() == server.content
    server.content = b"<!DOCTYPE html>"
    server.etag = '"2"'
    said = call("weights", "cpsam", "--download", "--url", server.url)
    assert said.code == 2
    assert "is a web page" in said.err
    assert not (folder / "cpsam").exists()


@pytest.mark.parametrize("arguments", [("--download",), ("cpsam", "--url", "http://x/y")], ids=str)
def test_nothing_is_downloaded_that_was_not_named_and_asked_for(
    call: Call, folder: Path, arguments: tuple[str, ...]
) -> None:
    said = call("weights", *arguments)
    assert (said.code, "--download" in said.error) == (2, True)


def test_cellpose_without_weights_is_one_line_with_the_way_out(call: Call, folder: Path, new_study: Study) -> None:
    said = call("segment", new_study.path, "--method", "watershed", "--method", "cellpose")
    assert said.code == 2
    assert "cellvote weights cpsam_v2 --download" in said.error


def test_a_plate_is_segmented_with_its_device_and_licence_said(
    call: Call, folder: Path, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_blob_network(monkeypatch)
    write_small_weights(folder / "cpsam_v2")
    options: tuple[Any, ...] = ("--method", "cellpose", "--set", "bfloat16=false", "--set", "channels=DNA,Actin")
    said = call("segment", new_study.path, *options, "--wells", "A01", "--dry-run", "--json")
    assert "cellpose on cpu" in said.json["computes"]
    assert not new_study.segmentations
    said = call("segment", new_study.path, *options, "--wells", "A01", "--device", "cpu", "--json")
    assert said.code == 0
    assert said.json["device"] == "cpu"
    assert "CC BY-NC" in said.err
    assert new_study.mask_path("cellpose", new_study.fields[0], "flows").exists()
    said = call("segment", new_study.path, *options, "--wells", "A01", "--no-flows")
    assert said.code == 2
    assert "flows True → False" in said.error


def test_a_method_without_a_network_takes_no_gpu(call: Call, new_study: Study) -> None:
    said = call("segment", new_study.path, "--method", "watershed", "--device", "cuda")
    assert said.code == 2
    assert "watershed runs on the CPU" in said.error
