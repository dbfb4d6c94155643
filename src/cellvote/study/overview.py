"""The overview of a plate: a small picture of every well, laid out as on the plate, in files that napari maps.

``overview/PLATE-FINGERPRINT/`` holds ``overview.json``, ``level0.npy`` (CYX) and ever smaller levels, and
``tiles.json``, which names the tiles that are there whole: it is written after their pixels have reached the disk, so
a run that was killed goes on from there.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ValidationError

from cellvote.errors import StudyError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.plates.stitching import grid_columns, reduced
from cellvote.plates.wells import well_position
from cellvote.study.atomic import read_json, write_bytes, write_json
from cellvote.study.study import Study, field_file

_LARGEST: Final = (2304, 3456)
"""About as many pixels as a screen has: more detail is a double-click away."""

_TILE_RANGE: Final = (24, 512)
_SMALLEST_LEVEL_PX: Final = 512
_ALIGNED: Final = 8
"""Tiles start at multiples of this at level 0, so that up to three levels above hold whole pixels of one well."""

_N_LEVELS: Final = 4
_FREE_SHARE: Final = 2


@dataclass(frozen=True)
class Tile:
    """The place of a well in the overview; where there are no wells, of a field.

    Attributes
    ----------
    name
        The well, or ``field 3``.
    row, column
        Counted from 0 within the overview.
    keys
        Its fields.
    """

    name: str
    row: int
    column: int
    keys: tuple[FieldKey, ...]


@dataclass(frozen=True)
class OverviewPlan:
    """Where each well lies: rows and columns of the plate from the first that is used to the last.

    Attributes
    ----------
    first
        Row and column of the plate, counted from 1, that the overview starts at.
    shape
        Its rows and columns.
    tiles
        By name; places without a tile were not imaged.
    on_plate
        Whether there is a plate; else fields stand in a near-square grid.
    """

    plate: str
    first: tuple[int, int]
    shape: tuple[int, int]
    tiles: dict[str, Tile]
    on_plate: bool = True

    @property
    def tile_px(self) -> int:
        """How large a tile may be."""
        room = min(size // n for size, n in zip(_LARGEST, self.shape, strict=True))
        return min(max(room, _TILE_RANGE[0]), _TILE_RANGE[1])

    def by_distance(self, near: str) -> list[Tile]:
        """Give all tiles, those around one first."""
        tiles = list(self.tiles.values())
        centre = self.tiles.get(near) or (tiles[0] if tiles else None)
        if centre is None:
            return []
        return sorted(tiles, key=lambda t: (t.row - centre.row) ** 2 + (t.column - centre.column) ** 2)


def plan_overview(study: Study, plate: str) -> OverviewPlan:
    """Lay out a plate of a study; every plate of a study with the same rows and columns."""
    by_well: dict[str, list[FieldKey]] = {}
    for key in study.fields:
        if key.plate == plate:
            by_well.setdefault(key.well, []).append(key)
    if set(by_well) <= {""}:
        return _grid_plan(plate, by_well.get("", []))
    known = {key.well for key in study.fields} | set(study.plate_map["well"])
    positions = [well_position(well) for well in known if well]
    top, left = min(p.row for p in positions), min(p.column for p in positions)
    shape = (max(p.row for p in positions) - top + 1, max(p.column for p in positions) - left + 1)
    tiles = {}
    for well, keys in by_well.items():
        if well:
            row, column = well_position(well)
            tiles[well] = Tile(well, row - top, column - left, tuple(keys))
    return OverviewPlan(plate, (top, left), shape, tiles)


def _grid_plan(plate: str, keys: Sequence[FieldKey]) -> OverviewPlan:
    columns = grid_columns(len(keys))
    tiles = {}
    for i, key in enumerate(keys):
        name = f"field {key.field}"
        tiles[name] = Tile(name, *divmod(i, columns), (key,))
    return OverviewPlan(plate, (1, 1), (max(ceil(len(keys) / columns), 1), columns), tiles, on_plate=False)


class OverviewInfo(BaseModel, frozen=True):
    """What ``overview.json`` holds; ``step`` is how many pixels of a field became one."""

    schema_version: int = 1
    channels: tuple[str, ...]
    dtype: str
    tile_px: int
    pitch_px: int
    step: int
    shape: tuple[int, int]


class TileRecord(BaseModel, frozen=True):
    """What ``tiles.json`` says of a tile: the state of its files when it was made, and what could not be read."""

    stamp: str = ""
    error: str = ""


class Overview:
    """The overview of one plate; threads may write tiles while others look.

    Attributes
    ----------
    levels
        CYX arrays, each half the size of the one before; 0 where nothing is.
    revision
        Goes up with every tile.
    """

    def __init__(self, folder: Path | None, plan: OverviewPlan, info: OverviewInfo, levels: list[Any]) -> None:
        self.folder = folder
        self.plan = plan
        self.info = info
        self.levels: list[npt.NDArray[Any]] = levels
        self.revision = 0
        self._tiles: dict[str, TileRecord] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, study: Study, plan: OverviewPlan) -> Self | None:
        """Open what an earlier run has left; None where there is none of these very images."""
        folder = overview_folder(study, plan.plate)
        try:
            info = OverviewInfo.model_validate(read_json(folder / "overview.json"))
            own = all(os.access(folder / f"level{i}.npy", os.W_OK) for i in range(_N_LEVELS))
            mode: Literal["r+", "c"] = "r+" if own else "c"
            levels = [np.load(folder / f"level{i}.npy", mmap_mode=mode, allow_pickle=False) for i in range(_N_LEVELS)]
            tiles = {k: TileRecord.model_validate(v) for k, v in read_json(folder / "tiles.json").items()}
        except (StudyError, ValidationError, OSError, ValueError, AttributeError):
            return None
        fits = info.shape == plan.shape and info.channels == study.channels
        if not fits or [level.shape for level in levels] != level_shapes(info):
            return None
        overview = cls(folder if own else None, plan, info, levels)
        overview._tiles = {name: record for name, record in tiles.items() if name in plan.tiles}
        return overview

    @classmethod
    def create(cls, study: Study, plan: OverviewPlan, well_px: int, dtype: np.dtype[Any]) -> Self:
        """Start an empty overview, in the study where it can be written, else in memory.

        Parameters
        ----------
        well_px
            The longer side of a stitched well in pixels.
        dtype
            Of the images.
        """
        step = max(1, ceil(well_px / plan.tile_px))
        tile_px = ceil(well_px / step)
        gap = max(2, tile_px // 24)
        info = OverviewInfo(
            channels=study.channels,
            dtype=np.dtype(dtype if dtype in (np.uint8, np.uint16) else np.float32).name,
            tile_px=tile_px,
            pitch_px=ceil((tile_px + gap) / _ALIGNED) * _ALIGNED,
            step=step,
            shape=plan.shape,
        )
        folder = overview_folder(study, plan.plate)
        try:
            return cls(folder, plan, info, _make_files(folder, info))
        except (OSError, StudyError):
            shutil.rmtree(folder, ignore_errors=True)
            return cls(None, plan, info, [np.zeros(shape, info.dtype) for shape in level_shapes(info)])

    # Tiles

    @property
    def done(self) -> dict[str, TileRecord]:
        """The tiles that are there, by name."""
        with self._lock:
            return dict(self._tiles)

    @property
    def complete(self) -> bool:
        """Whether every imaged well has its tile."""
        return len(self._tiles) == len(self.plan.tiles)

    def write_tile(self, tile: Tile, channels: Sequence[Pixels | None], record: TileRecord) -> None:
        """Put a well into its place.

        Parameters
        ----------
        channels
            YX of each channel at level 0, at most ``tile_px`` high and wide; None where it cannot be read.
        """
        pitch, room = self.info.pitch_px, self.info.tile_px
        top, left = tile.row * pitch, tile.column * pitch
        for index, image in enumerate(channels):
            whole = np.zeros((pitch, pitch), self.info.dtype)
            if image is not None:
                part = image[:room, :room]
                y, x = (pitch - part.shape[0]) // 2, (pitch - part.shape[1]) // 2
                whole[y : y + part.shape[0], x : x + part.shape[1]] = part
            for level, array in enumerate(self.levels):
                shrunk = reduced(whole, 2**level)
                y, x = top >> level, left >> level
                array[index, y : y + shrunk.shape[0], x : x + shrunk.shape[1]] = shrunk
        with self._lock:
            self._tiles[tile.name] = record
            self.revision += 1

    def forget(self, names: Sequence[str]) -> None:
        """Make these tiles anew: their images have changed."""
        with self._lock:
            for name in names:
                self._tiles.pop(name, None)
            self.revision += 1

    def save(self) -> None:
        """Bring the pixels to the disk, then say which tiles are whole."""
        if self.folder is None:
            return
        there = {name: record.model_dump() for name, record in sorted(self.done.items())}
        for number, level in enumerate(self.levels):
            _flush(level, self.folder / f"level{number}.npy")
        write_bytes(self.folder / "tiles.json", json.dumps(there, ensure_ascii=False).encode())

    def tile_at(self, y: float, x: float) -> Tile | None:
        """Which tile lies at a place of level 0."""
        row, column = int(y // self.info.pitch_px), int(x // self.info.pitch_px)
        return next((t for t in self.plan.tiles.values() if (t.row, t.column) == (row, column)), None)


def _flush(level: npt.NDArray[Any], path: Path) -> None:
    """Bring a mapped level to the disk; ``mmap.flush`` would keep every other thread, and the window, waiting."""
    if os.name == "nt":
        level.flush()  # type: ignore[attr-defined]  # np.memmap where there is a folder
        return
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def level_shapes(info: OverviewInfo) -> list[tuple[int, int, int]]:
    """Give the CYX shape of every level."""
    height, width = (n * info.pitch_px for n in info.shape)
    return [(len(info.channels), height >> level, width >> level) for level in range(_N_LEVELS)]


def overview_folder(study: Study, plate: str) -> Path:
    """Where the overview of a plate lies; other images, another folder."""
    name = field_file(FieldKey(plate, "", 1), "").parent.name
    return study.path / "overview" / f"{name}-{fingerprint(study, plate)}"


def fingerprint(study: Study, plate: str) -> str:
    """Name what an overview is made from: the images, how they are read, and where their fields lie."""
    digest = hashlib.blake2b(study.info.reading.model_dump_json(exclude={"illumination"}).encode(), digest_size=6)
    digest.update(json.dumps([study.info.source, study.info.channels, study.info.pixel_size_um]).encode())
    for table in (study.planes, study.positions):
        if table is not None:
            of_plate = table[table["plate"] == plate]
            digest.update(pd.util.hash_pandas_object(of_plate, index=False).to_numpy().tobytes())
    wells = sorted(set(study.plate_map["well"]))
    digest.update(",".join(wells).encode())
    return digest.hexdigest()


def stamp_of(study: Study, tile: Tile) -> str:
    """Name the state of a tile's files: their sizes and times."""
    digest = hashlib.blake2b(digest_size=8)
    for key in tile.keys:
        for path in dict.fromkeys(study.planes_of(key)["path"]):
            with suppress(OSError):
                status = os.stat(study.source / path)  # noqa: PTH116 (one string, thousands of times)
                digest.update(f"{path}{status.st_size}{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _make_files(folder: Path, info: OverviewInfo) -> list[Any]:
    """Make empty levels; their place on the disk is taken now, as a full disk would end the program later."""
    shapes = level_shapes(info)
    n_bytes = sum(int(np.prod(shape)) for shape in shapes) * np.dtype(info.dtype).itemsize
    for old in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < _FREE_SHARE * n_bytes:
        raise StudyError(f"{folder}: the disk is full.")
    levels = []
    for number, shape in enumerate(shapes):
        path = folder / f"level{number}.npy"
        levels.append(np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(info.dtype), shape=shape))
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    write_bytes(folder / "tiles.json", b"{}")
    write_json(folder / "overview.json", info.model_dump(mode="json"))
    return levels
