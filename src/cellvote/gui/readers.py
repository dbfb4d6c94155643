"""What napari opens through us: a study, and a folder of plate images that is no study yet."""

import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import napari
from qtpy.QtCore import QCoreApplication, QTimer

from cellvote.gui.contrast import limits, thinned
from cellvote.gui.facts import read_facts
from cellvote.gui.field_content import read_content
from cellvote.gui.layer_data import (
    MARK,
    channel_options,
    image_options,
    mask_data,
    masks_options,
    overlay_options,
)
from cellvote.gui.state import State
from cellvote.plates.layouts.base import Folder
from cellvote.study import Study
from cellvote.study.study import SUFFIX

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[Any], list[LayerData]]

_GLIMPSE_FILES: Final = 4000
_GLIMPSE_DEPTH: Final = 4
_GLIMPSE_S: Final = 0.25
_SURE_ENOUGH: Final = 0.5


def study_reader(path: str | Sequence[str]) -> Reader | None:
    """Read a ``.cellvote`` folder; None for anything else."""
    one = _single(path)
    if one is None or one.suffix != SUFFIX or not (one / "study.json").is_file():
        return None
    return read_study


def read_study(path: str | Sequence[str]) -> list[LayerData]:
    """Give the layers of the first field of a study: channels, masks, coloured cells; opens the Plate dock beside.

    Raises
    ------
    StudyError
        Where the study cannot be opened.
    """
    study = Study.open(_single(path) or "")
    offer_plate_dock()
    return study_layers(study)


def study_layers(study: Study) -> list[LayerData]:
    """Give the layers of the first field of a study."""
    state = State()
    state.show_study(study)
    if state.key is None:
        return []
    facts = read_facts(study, state.segmentation, state.model)
    content = read_content(study, state.key, state.segmentation, facts)
    layers: list[LayerData] = []
    if content.image is not None:
        for channel, plane in zip(study.channels, content.image, strict=True):
            if plane is None:
                continue
            chosen = limits([thinned(plane[None])[0]])
            layers.append((plane, channel_options(study, channel, chosen), "image"))
    if content.masks is not None:
        layers.append((mask_data(content.masks), masks_options(study, content.overlay), "labels"))
    if content.overlay is not None:
        layers.append((content.overlay.values, overlay_options(study, content.overlay), "labels"))
    return layers


def plate_reader(path: str | Sequence[str]) -> Reader | None:
    """Read a folder of plate images whose file names are of a known layout; None, quickly, for anything else."""
    one = _single(path)
    if one is None or not one.is_dir() or one.suffix.casefold() in {SUFFIX, ".zarr", ".n5"}:
        return None
    return read_plate_folder if _looks_like_a_plate(one) else None


def read_plate_folder(path: str | Sequence[str]) -> list[LayerData]:
    """Give one lazy layer per channel, with a slider for wells and, where there are several, one for fields.

    Raises
    ------
    LayoutError, ImageReadError
        Where the folder, or its first image, cannot be read.
    """
    from cellvote.gui.lazy_plate import LazyPlate
    from cellvote.plates.layouts import read_plate

    plate = LazyPlate(read_plate(_single(path) or ""))
    mark = {"role": "plate", "images": str(_single(path)), "names": plate.names, "name_of": plate.name_of}
    layers: list[LayerData] = []
    for channel, colour in plate.channel_colours:
        data = plate.stack(channel)
        options = image_options(channel, colour, limits(plate.sample(channel)))
        layers.append((data, options | {"axis_labels": plate.axes, "metadata": {MARK: mark}}, "image"))
    offer_plate_dock()
    return layers


def _single(path: str | Sequence[str]) -> Path | None:
    if isinstance(path, str | os.PathLike):
        return Path(path)
    return Path(path[0]) if len(path) == 1 else None


@dataclass(frozen=True)
class _Glimpse(Folder):
    """The first files of a folder: enough to know the layout of a plate, quick on a folder of anything else."""

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The first few thousand files, sorted."""
        return tuple(sorted(_first_files(self.path)))


def _first_files(root: Path) -> Iterator[str]:
    started, seen = time.monotonic(), 0
    waiting = [(os.fspath(root), "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop(0)
        try:
            entries = os.scandir(folder)
        except OSError:
            continue  # what one may not see is not ours to read
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < _GLIMPSE_DEPTH and not entry.name.endswith((SUFFIX, ".zarr")):
                        waiting.append((entry.path, f"{prefix}{entry.name}/", depth + 1))
                    continue
                seen += 1
                yield prefix + entry.name
                if seen >= _GLIMPSE_FILES or time.monotonic() - started > _GLIMPSE_S:
                    return


def _looks_like_a_plate(path: Path) -> bool:
    from cellvote.plates.layouts import LAYOUTS

    glimpse = _Glimpse(path.absolute())
    return bool(glimpse.images) and any(known.recognise(glimpse) > _SURE_ENOUGH for known in LAYOUTS.values())


def offer_plate_dock() -> None:
    """Open the Plate dock beside what was just read, where a window is open: without it one sees one well only."""
    viewer = napari.current_viewer() if QCoreApplication.instance() is not None else None
    if viewer is None:
        return
    reference = weakref.ref(viewer)

    def _open_dock() -> None:
        there = reference()
        if there is not None and hasattr(there.window, "add_plugin_dock_widget") and _is_open(there):
            there.window.add_plugin_dock_widget("cellvote", "Plate")

    QTimer.singleShot(0, _open_dock)


def _is_open(viewer: "napari.Viewer") -> bool:
    return viewer is napari.current_viewer()
