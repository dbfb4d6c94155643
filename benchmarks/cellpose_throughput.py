"""Cellpose over a plate: tiles of many fields pooled, against stock ``eval`` of a list of images, in one run.

    python benchmarks/cellpose_throughput.py --weights cpsam_v2            # on a GPU; 200 fields of 1080² pixels
    python benchmarks/cellpose_throughput.py --fields 24 --size 256        # anywhere: a stand-in for the network

Stock is given the images in memory, and nothing of it is written; ours reads every field from disk and writes masks
and flows. Both use the same network, settings and device, and start with the network loaded and warm.
"""

import argparse
import functools
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from cellpose.metrics import average_precision
from cellpose.models import CellposeModel
from tests.tiny_cellpose import BlobNetwork, blobs, shrink_sam, stock_model, use_blob_network, write_small_weights

from cellvote.device import choose_device
from cellvote.jobs import segment
from cellvote.jobs.pooled import open_finishers
from cellvote.plates.layouts import read_plate
from cellvote.segmentation.cellpose.weights import find_weights
from cellvote.study import Study
from cellvote.study.masks import read_label_image


def main() -> None:
    """Measure both, alternating, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--size", type=int, default=1080, help="height and width of a field in pixels")
    parser.add_argument("--weights", default="", help="name or path of a model; a stand-in where not given")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=None, help="how many fields' masks are made at once")
    parser.add_argument("--masks-in", choices=("threads", "processes"), default="threads")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), options), indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Write the fields, and measure both ways of segmenting them."""
    images = write_fields(folder / "images", options.fields, options.size)
    device = choose_device(options.device)
    weights, stock = networks(folder, options.weights, device)
    settings = {"model": weights, "bfloat16": bool(options.weights), "batch_size": options.batch_size}
    segment.open_finishers = functools.partial(open_finishers, processes=options.masks_in == "processes")
    study = Study.create(folder / "study", read_plate(folder / "images"))
    masks: dict[str, list[Any]] = {}
    notes: set[str] = set()

    def ours() -> None:
        summary = segment.segment_study(
            study, "cellpose", settings, device=options.device, workers=options.workers, overwrite=True
        )
        assert not summary.failed, summary.failed[0].error
        notes.update(summary.notes)
        masks["ours"] = [read_label_image(study.mask_path("cellpose", key)) for key in study.fields]

    def theirs() -> None:
        masks["stock"] = stock.eval(images, channel_axis=0, batch_size=options.batch_size)[0]

    stock.eval(images[:1], channel_axis=0, batch_size=options.batch_size)  # warm
    seconds: dict[str, list[float]] = {"ours": [], "stock": []}
    for _ in range(options.repeats):
        seconds["stock"].append(timed(theirs))
        seconds["ours"].append(timed(ours))
    precision = average_precision(masks["stock"], masks["ours"], threshold=[0.5])[0]
    n_cells = sum(int(one.max()) for one in masks["ours"])
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "device": device.type if device.type == "cpu" else torch.cuda.get_device_name(device),
        "network": options.weights or "stand-in",
        "masks_in": options.masks_in,
        "fields": options.fields,
        "cells": n_cells,
        "stock_s": [round(s, 2) for s in seconds["stock"]],
        "ours_s": [round(s, 2) for s in seconds["ours"]],
        "ours_cells_per_s": round(n_cells / best["ours"]),
        "times_faster": round(best["stock"] / best["ours"], 2),
        "least_ap_at_0.5": round(float(precision.min()), 4),
        "identical_fields": sum(np.array_equal(a, b) for a, b in zip(masks["stock"], masks["ours"], strict=True)),
        "notes": sorted(notes),
    }


def write_fields(folder: Path, n: int, size_px: int) -> list[Any]:
    """Write fields of two channels as an Operetta does, and give them as CYX; a few of them, again and again."""
    folder.mkdir()
    painted = [blobs(i, (size_px, size_px)) for i in range(min(n, 8))]
    for i in range(n):
        for channel, plane in enumerate(np.roll(painted[i % 8], i, axis=1), start=1):
            name = f"r{i // 24 + 1:02d}c{i % 24 + 1:02d}f01p01-ch{channel}sk1fk1fl1.tiff"
            tifffile.imwrite(folder / name, plane)
    return [np.roll(painted[i % 8], i, axis=1) for i in range(n)]


def networks(folder: Path, weights: str, device: torch.device) -> tuple[str, Any]:
    """Give the model that we are to use, and Cellpose's own around the same network."""
    if weights:
        path, _ = find_weights(weights)
        return weights, CellposeModel(device=device, pretrained_model=str(path))
    import pytest

    warnings.filterwarnings("ignore", "Sparse invariant checks")  # in stock eval
    patch = pytest.MonkeyPatch()
    shrink_sam(patch)
    use_blob_network(patch)
    stock = stock_model(BlobNetwork().to(device))
    stock.device = device
    return str(write_small_weights(folder / "small")), stock


def timed(call: Callable[[], None]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
