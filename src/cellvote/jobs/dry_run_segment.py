"""The dry run of ``segment``: from segmenting two fields in memory, or one batch of a network."""

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellvote.errors import CellVoteError
from cellvote.jobs.dry_run import DryRun, in_parallel, time_sample
from cellvote.jobs.segment import fields_to_segment
from cellvote.jobs.segment_settings import check_device, resolve_settings, runs_pooled
from cellvote.plates.acquisition import FieldKey
from cellvote.segmentation import FieldSegmenter, Segmenter, make_segmenter
from cellvote.segmentation.base import PooledSegmenter, TileNetwork
from cellvote.study import Study
from cellvote.study.corrections import edited_fields


def dry_run_segment(
    study: Study,
    method: str,
    settings: dict[str, Any],
    *,
    name: str,
    wells: str,
    overwrite: bool = False,
    workers: int | None,
    device: str = "auto",
    keep_flows: bool | None = None,
) -> DryRun:
    """Say what ``segment`` would do; nothing is written."""
    name = name or method
    chosen = study.select_fields(wells)
    resolved = resolve_settings(study, method, settings, keep_flows)
    flows = bool(resolved.get("flows", False))
    keys = list(chosen) if overwrite else fields_to_segment(study, name, chosen, keep_flows=flows)
    segmenter = make_segmenter(method, resolved["settings"], study.channels, [])
    check_device(segmenter, device)
    notes: tuple[str, ...] = ()
    if isinstance(segmenter, PooledSegmenter) and runs_pooled(segmenter, device):
        network = segmenter.open_network(device)
        (seconds, n_bytes), computed_on = _time_network(study, segmenter, network, keys), network.device
    else:
        one_by_one, n_bytes, notes = _time_fields(study, segmenter, keys)
        seconds, computed_on = in_parallel(one_by_one, len(keys), workers), "cpu"
    if flows:
        n_bytes *= 41  # three values of 1.7 bytes a pixel, as they compress, beside an eighth of a byte
    n_edited = len(edited_fields(study, name)) if overwrite else 0
    if n_edited:
        notes = (*notes, f"the corrections of {n_edited} field(s) of {name!r} would be thrown away.")
    listed = ", ".join(f"{key}={value}" for key, value in resolved["settings"].items())
    return DryRun(
        reads=f"{len(keys)} fields ({len(chosen) - len(keys)} are done), {len(study.channels)} channels each",
        computes=" ".join([f"{method} on {computed_on} with {listed}", *notes]),
        writes=str(study.segmentation_folder(name) / "masks"),
        seconds=seconds,
        n_bytes=n_bytes,
    )


def _time_fields(study: Study, segmenter: Segmenter, keys: Sequence[FieldKey]) -> tuple[float, int, tuple[str, ...]]:
    """Segment two fields: seconds and bytes of all, one after the other, and what a person should know."""
    with tempfile.TemporaryDirectory() as draft:
        notes = segmenter.prepare(study, Path(draft)) if isinstance(segmenter, FieldSegmenter) and keys else ()

        def one(key: FieldKey) -> int:
            image = study.read_field(key)
            if isinstance(segmenter, FieldSegmenter):
                found = segmenter.segment_field(image, study, key, Path(draft))
            else:
                found = segmenter.segment(image)
            return _mask_bytes(found.label_image.shape) * (1 if found.nuclei is None else 2)

        seconds, n_bytes = time_sample(keys, one)
    return seconds, n_bytes, notes


def _mask_bytes(shape_px: tuple[int, ...]) -> int:
    """How large the masks of one field are on disk, as they compress."""
    return math.prod(shape_px) // 8


def _time_network(
    study: Study, segmenter: PooledSegmenter, network: TileNetwork, keys: Sequence[FieldKey]
) -> tuple[float, int]:
    """Run one batch of tiles, and scale up: what else is done to a field is done beside the network."""
    for key in keys[len(keys) // 2 :]:
        try:
            image = study.read_field(key)
            tiles = segmenter.prepare(image).pixels
        except CellVoteError:
            continue  # the step itself will say what is wrong with it
        batch = tiles[: network.tiles_at_once]
        if network.device != "cpu":
            network(batch)  # the first one is slower than those to come
        started = time.monotonic()
        network(batch)
        seconds = (time.monotonic() - started) / len(batch) * len(tiles)
        return seconds * len(keys), _mask_bytes(image.shape[1:]) * len(keys)
    return 0.0, 0
