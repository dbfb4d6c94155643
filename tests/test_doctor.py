"""The doctor says what this machine has, and what to do about what it lacks."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from tests.tiny_cellpose import shrink_sam, write_small_weights

from cellvote import doctor
from cellvote.doctor import GIB, Check, examine


def find(folder: Path, name: str) -> Check:
    return next(check for check in examine(folder) if check.name.startswith(name))


def test_everything_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    checks = list(examine(tmp_path))
    starts = ["CellVote", "torch", "window", "display", "cluster", "weights", "weights", "memory", "disk"]
    assert [check.name.partition(" ")[0].rstrip(":") for check in checks] == starts
    for check in checks:
        assert check.found
        assert check.status == "ok" or check.advice
        assert check.to_json() == {
            "name": check.name,
            "status": check.status,
            "found": check.found,
            "advice": check.advice,
        }
    assert not list(tmp_path.iterdir())


def test_a_gpu_is_named_with_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name="H200", total_memory=139 * GIB)
    )
    check = find(tmp_path, "torch")
    assert check.status == "ok"
    assert "H200 with 139 GiB" in check.found


@pytest.mark.parametrize(("driver", "advice"), [("nvidia-smi", "update it"), (None, "need no GPU")])
def test_without_a_usable_gpu_it_is_said_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str | None, advice: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(shutil, "which", lambda _: driver)
    check = find(tmp_path, "torch")
    assert check.status == "note"
    assert advice in check.advice


def test_a_torch_that_cannot_be_imported_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    check = find(tmp_path, "torch")
    assert (check.status, check.advice) == ("missing", "pip install -U torch")


def without(name: str, original: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make a finder that does not find what starts with a name."""
    return lambda wanted: None if wanted.startswith(name) else original(wanted)


def test_without_napari_or_qt_the_window_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", without("Py", importlib.util.find_spec))
    check = find(tmp_path, "window")
    assert check.status == "missing"
    assert "no Qt binding" in check.found

    def no_napari(name: str) -> str:
        if name == "napari":
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(doctor, "version", no_napari)
    check = find(tmp_path, "window")
    assert (check.status, check.advice) == ("missing", 'pip install "cellvote[all]"')


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of Linux")
def test_libraries_that_windows_need_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: None if name == "EGL" else f"lib{name}")
    check = find(tmp_path, "display")
    assert check.status == "missing"
    assert check.found.endswith("OpenGL: EGL")
    assert "apt-get install" in check.advice


@pytest.mark.skipif(sys.platform != "linux", reason="displays of X and Wayland")
@pytest.mark.parametrize(("display", "status"), [(":7", "ok"), ("", "note")])
def test_a_display_is_needed_only_for_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, display: str, status: str
) -> None:
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: f"lib{name}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    assert find(tmp_path, "display").status == status


def test_cellpose_weights_are_found_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    check = find(tmp_path, "weights: Cellpose")
    assert check.status == "note"
    assert "cellvote weights cpsam_v2 --download" in check.advice
    shrink_sam(monkeypatch)
    write_small_weights(tmp_path / "cpsam")
    check = find(tmp_path, "weights: Cellpose")
    assert (check.status, check.found) == ("ok", f"cpsam in {tmp_path}")


def test_damaged_cellpose_weights_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    (tmp_path / "cpsam_v2").touch()
    check = find(tmp_path, "weights: Cellpose cpsam_v2")
    assert (check.status, check.found) == ("note", f"{tmp_path / 'cpsam_v2'}: is empty")
    assert "cellvote weights" in check.advice


@pytest.mark.parametrize(("free_gib", "status"), [(1, "note"), (64, "ok")])
def test_little_memory_asks_for_fewer_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gib: int, status: str
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free_gib * GIB, total=64 * GIB))
    check = find(tmp_path, "memory")
    assert check.status == status
    assert ("--workers 1" in check.advice) == (status == "note")


@pytest.mark.parametrize(("free_gib", "status"), [(1, "note"), (64, "ok")])
def test_little_disk_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gib: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gib * GIB, total=100 * GIB))
    assert find(tmp_path, "disk").status == status


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    assert find(tmp_path / "a" / "b", "disk").found.endswith(str(tmp_path))


def test_a_folder_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    check = find(tmp_path, "disk")
    assert (check.status, check.advice) == ("missing", "work in a folder of your own")
