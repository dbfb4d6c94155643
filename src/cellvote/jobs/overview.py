"""Make the overview of a plate: read every well once, small, in a few threads; a killed run goes on where it was."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.fields import read_channels
from cellvote.plates.pixels import Pixels
from cellvote.plates.stitching import Placement, place_fields, reduced, stitch
from cellvote.progress import CancelToken, Progress
from cellvote.study.overview import Overview, OverviewPlan, Tile, TileRecord, plan_overview, stamp_of
from cellvote.study.study import Study

_SAVE_EVERY_S: Final = 2.0
_MOST_FIELDS: Final = 9
"""Of wells with more fields the first is shown: a glance at the plate shall not take an hour."""

_TRIES: Final = 20
_LOOK_UP_S: Final = 0.2


@dataclass(frozen=True)
class _Maker:
    """Reads a well and shrinks it to a tile."""

    study: Study
    overview: Overview
    positions: dict[FieldKey, tuple[float, float]]
    cancel: CancelToken
    may_go_on: threading.Event

    def make(self, tile: Tile) -> None:
        while not self.may_go_on.wait(_LOOK_UP_S):
            if self.cancel.cancelled:
                return
        channels, error = self._read(tile)
        self.overview.write_tile(tile, channels, TileRecord(stamp=stamp_of(self.study, tile), error=error))

    def _read(self, tile: Tile) -> tuple[list[Pixels | None], str]:
        keys = _shown(tile.keys)
        n_channels, step = len(self.study.channels), self.overview.info.step
        by_channel: list[list[Pixels | None]] = [[] for _ in range(n_channels)]
        shape, errors, placement = None, [], None
        for key in keys:
            read = _read_one(self.study, key)
            errors += [str(one) for one in read if isinstance(one, ImageReadError)]
            sizes = [one.shape for one in read if not isinstance(one, ImageReadError)]
            if sizes and shape is None:
                shape = (sizes[0][0], sizes[0][1])
                placement = place_fields(keys, shape, self.positions, self.study.info.pixel_size_um)
                step = max(step, ceil(max(placement.shape) / self.overview.info.tile_px))
            for of_channel, one in zip(by_channel, read, strict=True):
                of_channel.append(None if isinstance(one, ImageReadError) else reduced(one, step))
        error = errors[0] if errors else ""
        if placement is None:
            return [None] * n_channels, error
        return [_stitched(images, placement, step) for images in by_channel], error


def _stitched(images: list[Pixels | None], placement: Placement, step: int) -> Pixels | None:
    return None if all(image is None for image in images) else stitch(images, placement, step)


def _shown(keys: Sequence[FieldKey]) -> Sequence[FieldKey]:
    return keys if len(keys) <= _MOST_FIELDS else keys[:1]


def _read_one(study: Study, key: FieldKey) -> list[Pixels | ImageReadError]:
    return read_channels(study.source, study.planes_of(key), study.info.channels, key, study.info.reading)


def positions_of(study: Study) -> dict[FieldKey, tuple[float, float]]:
    """Give the stage positions of a study by field; empty where there are none."""
    table = study.positions
    if table is None:
        return {}
    rows = table[["plate", "well", "field", "x_um", "y_um"]].itertuples(index=False, name=None)
    return {FieldKey(str(p), str(w), int(f)): (float(x), float(y)) for p, w, f, x, y in rows}


def open_overview(study: Study, plate: str, near: str = "") -> Overview:
    """Open the overview of a plate, or start one; `fill_overview` makes what it lacks.

    Parameters
    ----------
    near
        The well that is looked at.

    Raises
    ------
    ImageReadError
        Where no image of the plate can be read.
    """
    plan = plan_overview(study, plate)
    there = Overview.open(study, plan)
    if there is not None:
        return there
    well_px, dtype = _measure(study, plan, near)
    return Overview.create(study, plan, well_px, dtype)


def _measure(study: Study, plan: OverviewPlan, near: str) -> tuple[int, np.dtype[Any]]:
    """Find the size of a stitched well and the dtype of its pixels on the first well that can be read."""
    error = ImageReadError(f"{plan.plate}: no well was imaged.")
    positions = positions_of(study)
    for tile in plan.by_distance(near)[:_TRIES]:
        read = _read_one(study, tile.keys[0])
        images = [one for one in read if not isinstance(one, ImageReadError)]
        if images:
            shape = (images[0].shape[0], images[0].shape[1])
            placement = place_fields(_shown(tile.keys), shape, positions, study.info.pixel_size_um)
            return max(placement.shape), np.result_type(*images)
        error = next(one for one in read if isinstance(one, ImageReadError))
    raise error


def fill_overview(
    study: Study,
    overview: Overview,
    near: str = "",
    cancel: CancelToken | None = None,
    may_go_on: threading.Event | None = None,
    workers: int = 0,
) -> Iterator[Progress]:
    """Make the tiles that an overview lacks, and anew those whose files have changed; nearest wells first.

    Parameters
    ----------
    near
        The well that is looked at.
    may_go_on
        While it is clear no further well is read: something more urgent is.
    workers
        Threads; as many as there are cores, up to four, where it is 0.

    Yields
    ------
    Progress
        After each well.

    Raises
    ------
    CancelledError
        Where it was cancelled; what was done is kept.
    StudyError
        Where the study cannot be written.
    """
    cancel = cancel or CancelToken()
    if may_go_on is None:
        may_go_on = threading.Event()
        may_go_on.set()
    order = overview.plan.by_distance(near)
    maker = _Maker(study, overview, positions_of(study), cancel, may_go_on)
    waiting = iter([tile for tile in order if tile.name not in overview.done])
    pool = ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 4), thread_name_prefix="cellvote-overview")
    try:
        yield from _make_all(maker, pool, waiting)
        outdated = list(_outdated(study, overview, cancel))
        overview.forget([tile.name for tile in outdated])
        yield from _make_all(maker, pool, iter(outdated))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        overview.save()


def _outdated(study: Study, overview: Overview, cancel: CancelToken) -> Iterator[Tile]:
    """Find the tiles whose files were changed since they were made."""
    for name, record in overview.done.items():
        cancel.raise_if_cancelled()
        tile = overview.plan.tiles[name]
        if record.stamp != stamp_of(study, tile):
            yield tile


def _make_all(maker: _Maker, pool: ThreadPoolExecutor, tiles: Iterator[Tile]) -> Iterator[Progress]:
    overview, cancel, saved_at = maker.overview, maker.cancel, time.monotonic()
    total = len(overview.plan.tiles)
    running: dict[Future[None], Tile] = {}
    while True:
        while len(running) < 4 and not cancel.cancelled and (tile := next(tiles, None)) is not None:
            running[pool.submit(maker.make, tile)] = tile
        if not running:
            cancel.raise_if_cancelled()
            return
        finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in [one for one in running if one in finished]:  # in the order in which they were begun
            tile = running.pop(future)
            future.result()
            yield Progress(len(overview.done), total, tile.name)
        if cancel.cancelled:
            running = {future: tile for future, tile in running.items() if not future.cancel()}
        if time.monotonic() - saved_at > _SAVE_EVERY_S:
            overview.save()
            saved_at = time.monotonic()
