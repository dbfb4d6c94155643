"""CZI, ND2 and LIF files, read through bioio (extra ``containers``): what they hold, and single planes of it."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.plates.file_planes import COLOURS, FilePlane, FilePlanes, Scene, channel_names
from cellvote.plates.pixels import MAX_PAGES, Pixels, check_size, damage_of
from cellvote.plates.wells import parse_well

READERS: Final = {".czi": "bioio_czi", ".nd2": "bioio_nd2", ".lif": "bioio_lif"}
"""By suffix, the module whose ``Reader`` reads such files."""

_MAX_OPEN: Final = 4
_WELL: Final = re.compile(r"(?<![A-Za-z0-9])([A-Z]{1,2}\d{1,2})(?![A-Za-z0-9])")
_POSITION: Final = re.compile(r"P\d+")
_ROW_AND_COLUMN: Final = re.compile(r"(?:^|/)([A-Z])/0*(\d{1,2})(?:/|$)")


@dataclass
class _Container:
    """An open file: its reader, and for each scene its timepoints, channels and z-planes."""

    reader: Any
    sizes: list[tuple[int, int, int]]
    lock: Lock

    def place(self, page: int) -> tuple[int, int, int, int]:
        """Say which scene, timepoint, channel and z-plane a page is."""
        for scene, (n_t, n_c, n_z) in enumerate(self.sizes):
            if page < n_t * n_c * n_z:
                return scene, page // (n_c * n_z), page // n_z % n_c, page % n_z
            page -= n_t * n_c * n_z
        raise IndexError(page)


_OPEN: Final[OrderedDict[tuple[str, int, int], _Container]] = OrderedDict()
_LOCK: Final = Lock()


def container_planes(path: Path) -> FilePlanes:
    """Read which planes a CZI, ND2 or LIF file holds.

    The pages are counted over scenes, timepoints, channels and z-planes. Scenes that are called like a well
    (``A01``, ``P1-A1``, ``TileScan 1/B/2``) are fields of it.

    Raises
    ------
    ImageReadError
        Where bioio is not installed, or the file is missing or damaged.
    """
    container = _open(path)
    planes: list[FilePlane] = []
    scenes: list[Scene] = []
    names: list[str] = []
    size: float | None = None
    page = 0
    with damage_of(path), container.lock:
        for scene, (n_t, n_c, n_z) in enumerate(container.sizes):
            container.reader.set_scene(scene)
            found = [str(name) for name in container.reader.channel_names or [""] * n_c]
            names += [found[i] if i < len(found) else "" for i in range(len(names), n_c)]
            samples = (1, 2, 3) if "S" in container.reader.dims.order else (0,)
            width = container.reader.physical_pixel_sizes.X
            size = size or (round(float(width), 6) if width and width > 0 else None)
            scenes.append(Scene(str(container.reader.scenes[scene]), _well_of(str(container.reader.scenes[scene]))))
            for t, c, z in product(range(n_t), range(n_c), range(n_z)):
                for i, sample in enumerate(samples):
                    planes.append(FilePlane(scene, c * len(samples) + i, z + 1, t + 1, page, sample))
                page += 1
    if any(plane.sample for plane in planes):
        lone = len(names) == 1
        names = [colour if lone else f"{name} {colour}" for name in names for colour in COLOURS]
    return FilePlanes(tuple(planes), channel_names(names), tuple(scenes), size, told=True)


def read_container_plane(path: Path, page: int) -> Pixels:
    """Read one plane of a CZI, ND2 or LIF file: YX where it is grey, YXS where it has colours.

    Raises
    ------
    ImageReadError
        Where bioio is not installed, or the file is missing, damaged or has no such page.
    """
    container = _open(path)
    n_pages = sum(n_t * n_c * n_z for n_t, n_c, n_z in container.sizes)
    if page >= n_pages:
        raise ImageReadError(f"{path}: page {page + 1} was expected, but the file has {n_pages}. Copy it again.")
    scene, t, c, z = container.place(page)
    with damage_of(path), container.lock:
        container.reader.set_scene(scene)
        dims = container.reader.dims
        axes = "YXS" if "S" in dims.order else "YX"
        lazy = container.reader.get_image_dask_data(axes, T=t, C=c, Z=z)
        check_size(path, lazy.shape, lazy.dtype)
        return np.asarray(lazy.compute(scheduler="synchronous"))


def _well_of(scene: str) -> str:
    """Find the well that a scene is called after; empty where there is none."""
    apart = _ROW_AND_COLUMN.search(scene)
    found = [f"{apart[1]}{apart[2]}"] if apart else _WELL.findall(scene)
    wells = [name for name in found if not _POSITION.fullmatch(name)] or found
    try:
        return parse_well(wells[-1]) if wells else ""
    except ValueError:
        return ""


def _open(path: Path) -> _Container:
    """Open a file, or take it from those that are open: of these the longest unused is dropped."""
    with damage_of(path):
        status = path.stat()
    key = (str(path), status.st_mtime_ns, status.st_size)
    with _LOCK:
        if key in _OPEN:
            _OPEN.move_to_end(key)
            return _OPEN[key]
    reader_class = _reader_class(path)
    with damage_of(path):
        try:
            reader = reader_class(path)
        except import_module("bioio_base.exceptions").UnsupportedFileFormatError as error:
            raise ValueError(f"it is no {path.suffix.upper()[1:]} file, {error}") from error
        sizes = []
        for scene in range(len(reader.scenes)):
            reader.set_scene(scene)
            dims = reader.dims
            sizes.append((int(getattr(dims, "T", 1)), int(getattr(dims, "C", 1)), int(getattr(dims, "Z", 1))))
    if not sizes or sum(n_t * n_c * n_z for n_t, n_c, n_z in sizes) > MAX_PAGES:
        raise ImageReadError(f"{path}: holds no planes, or claims more than {MAX_PAGES}: refused.")
    container = _Container(reader, sizes, Lock())
    with _LOCK:
        _OPEN[key] = container
        while len(_OPEN) > _MAX_OPEN:
            _OPEN.popitem(last=False)
    return container


def _reader_class(path: Path) -> Any:
    name = READERS[path.suffix.lower()]
    try:
        return import_module(name).Reader
    except ModuleNotFoundError as error:
        raise ImageReadError(
            f"{path}: {path.suffix.upper()[1:]} files are read through {name.replace('_', '-')}, which is not "
            'installed. Install it: pip install "cellvote[containers]"'
        ) from error
