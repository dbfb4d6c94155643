"""The doctor: what this machine has for CellVote, and what to do about what it lacks."""

import ctypes.util
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import psutil

GIB = 2**30


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, and what to do where that is not enough."""

    name: str
    status: Literal["ok", "note", "missing"]
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the plain values."""
        return asdict(self)


def examine(folder: Path) -> Iterator[Check]:
    """Look at everything in turn: torch and GPU, window, weights, memory, disk.

    Parameters
    ----------
    folder
        Where studies would be written.
    """
    yield Check("CellVote", "ok", f"{version('cellvote')} on Python {platform.python_version()}, {platform.platform()}")
    yield _torch()
    yield _window()
    yield _display()
    yield _cluster()
    yield from _weights()
    yield _memory()
    yield _disk(folder)


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("torch", "missing", f"cannot be imported ({error})", "pip install -U torch")
    found = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        return Check("torch and GPU", "ok", f"{found}, {gpu.name} with {gpu.total_memory / GIB:.0f} GiB")
    if torch.backends.mps.is_available():
        return Check("torch and GPU", "ok", f"{found}, Apple GPU")
    if torch.version.cuda and shutil.which("nvidia-smi"):
        advice = f"the driver may be older than CUDA {torch.version.cuda} needs: update it, then run this again"
        return Check("torch and GPU", "note", f"{found}, the NVIDIA GPU cannot be used", advice)
    advice = "networks train on the CPU, slowly; forest and logistic need no GPU"
    return Check("torch and GPU", "note", f"{found}, no GPU", advice)


def _window() -> Check:
    try:
        napari = version("napari")
    except PackageNotFoundError:
        return Check("window", "missing", "napari is not installed", 'pip install "cellvote[all]"')
    bindings = [name for name in ("PyQt6", "PySide6", "PyQt5", "PySide2") if importlib.util.find_spec(name)]
    if not bindings:
        return Check("window", "missing", f"napari {napari}, no Qt binding", 'pip install "cellvote[all]"')
    return Check("window", "ok", f"napari {napari} with {bindings[0]}")


def _display() -> Check:
    if sys.platform != "linux":
        return Check("display", "ok", sys.platform)
    names = ("GL", "EGL", "xkbcommon-x11", "xcb-cursor", "xcb-icccm", "dbus-1")
    lacking = [name for name in names if ctypes.util.find_library(name) is None]
    if lacking:
        advice = (
            "sudo apt-get install libgl1 libegl1 libgl1-mesa-dri libopengl0 libxkbcommon-x11-0 libxcb-cursor0 "
            "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxcb-randr0 "
            "libxcb-shape0 libdbus-1-3"
        )
        return Check("display", "missing", f"system libraries for Qt and OpenGL: {', '.join(lacking)}", advice)
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display:
        advice = (
            "the command line needs none; for the window log in to a desktop, or use: xvfb-run -a cellvote view STUDY"
        )
        return Check("display", "note", "libraries are there, but no display", advice)
    return Check("display", "ok", display)


def _cluster() -> Check:
    if importlib.util.find_spec("distributed") is None:
        return Check(
            "cluster", "note", "dask.distributed is not installed", 'for --scheduler: pip install "cellvote[cluster]"'
        )
    return Check("cluster", "ok", f"dask.distributed {version('distributed')}")


def _weights() -> Iterator[Check]:
    yield Check("weights: nuclei", "ok", "part of CellVote")
    from cellvote.segmentation.cellpose.weights import FOLDER_VARIABLE, iter_weights, models_folder

    folder = models_folder()
    found = list(iter_weights())
    there = [one.name for one in found if one.status == "ok"]
    if there:
        yield Check("weights: Cellpose", "ok", f"{', '.join(there[:5])} in {folder}")
    else:
        advice = (
            "only for Cellpose: cellvote weights cpsam_v2 --download; without a network, copy the file there, or to a "
            f"folder that {FOLDER_VARIABLE} names"
        )
        yield Check("weights: Cellpose", "note", f"none in {folder}", advice)
    for one in found:
        if one.status == "damaged":
            said, _, advice = one.says.partition(". ")
            yield Check(f"weights: Cellpose {one.name}", "note", f"{one.path}: {said}", advice or "delete the file")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    cores = os.cpu_count() or 1
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free, {cores} cores"
    if memory.available < 2 * GIB * min(cores, 4):
        return Check(
            "memory", "note", found, f"use fewer processes: --workers {max(1, int(memory.available // (2 * GIB)))}"
        )
    return Check("memory", "ok", found)


def _disk(folder: Path) -> Check:
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    usage = shutil.disk_usage(there)
    found = f"{usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB free at {there}"
    if not os.access(there, os.W_OK):
        return Check("disk", "missing", f"{there} cannot be written", "work in a folder of your own")
    if usage.free < 5 * GIB:
        return Check("disk", "note", found, "a study may take three times the raw images: free some space")
    return Check("disk", "ok", found)
