"""Measuring cells: against scikit-image in memory, and against decoding from files; in one run.

    python benchmarks/measurements.py [--fields N]

In memory, both measure the same fields of the simulated plate, the same properties, in all channels. From files, the
plate is written as TIFF and measured by one worker, as ``cellvote measure`` does, against reading the same pixels and
masks and nothing else. Times in memory are those of one core (`time.process_time`); from files both that and seconds by
the clock are told.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skimage.measure import regionprops_table

from cellvote.jobs.measure import MeasureField
from cellvote.plates.layouts import read_plate
from cellvote.profiling import measure_cells
from cellvote.profiling.settings import SET_NAMES, MeasureSettings
from cellvote.study import Study
from cellvote.study.masks import read_label_image, write_label_image
from cellvote.synthetic import CHANNELS, PlateSettings, design_plate, simulate_field, write_plate

PROPERTIES = (
    "label",
    "area",
    "area_convex",
    "perimeter",
    "eccentricity",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
    "solidity",
    "extent",
    "centroid",
    "bbox",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
)
REPEATS = 5


def main() -> None:
    """Measure, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=3)
    n_fields = parser.parse_args().fields
    settings = PlateSettings(rows=2, columns=max(n_fields, 3), field_size_px=1080, cells_per_field=250)
    wells = list(design_plate(settings).wells)[:n_fields]
    fields = [simulate_field(settings, well) for well in wells]
    print(json.dumps({"in_memory": in_memory(fields), "from_files": from_files(settings, wells)}, indent=2))


def in_memory(fields: list) -> dict[str, float]:
    """Compare with scikit-image, and give the cells per second and core of every set."""
    n_cells = sum(len(np.unique(field.label_image)) - 1 for field in fields)
    five = [np.concatenate([field.image, field.image])[:5] for field in fields]
    names = [f"c{i}" for i in range(5)]
    taken: dict[str, float] = dict.fromkeys(["core", "scikit_image", "core_5_channels_and_compartments"], 0.0)
    for field, image in zip(fields, five, strict=True):
        layers = np.moveaxis(field.image, 0, -1)
        taken["core"] += seconds(lambda f=field: measure_cells(f.image, f.label_image, CHANNELS))
        taken["scikit_image"] += seconds(
            lambda f=field, i=layers: regionprops_table(f.label_image, i, properties=PROPERTIES), repeats=1
        )
        taken["core_5_channels_and_compartments"] += seconds(
            lambda f=field, i=image: measure_cells(i, f.label_image, names, f.nuclei)
        )
        for name in SET_NAMES[1:]:
            of_set = seconds(lambda f=field, n=name: measure_cells(f.image, f.label_image, CHANNELS, sets=n))
            taken[f"core_and_{name}"] = taken.get(f"core_and_{name}", 0.0) + of_set
    rates = {f"{name}_cells_per_s": round(n_cells / total) for name, total in taken.items()}
    return {"cells": n_cells, **rates, "times_faster": round(taken["scikit_image"] / taken["core"], 1)}


def from_files(settings: PlateSettings, wells: list[str]) -> dict[str, float]:
    """Measure fields from disk, against reading them: by the clock, and by the processor."""
    with tempfile.TemporaryDirectory() as folder:
        plate = write_plate(Path(folder) / "plate", settings)
        study = Study.create(Path(folder) / "s", read_plate(plate.folder), plate.plate_map_path)
        keys = [key for key in study.fields if key.well in wells]
        for key in keys:
            field = simulate_field(settings, key.well, key.field)
            write_label_image(study.mask_path("truth", key), field.label_image)
            write_label_image(study.mask_path("truth", key, "nuclei"), field.nuclei)
        step = MeasureField(study.path, "truth", MeasureSettings())

        def decode() -> None:
            for key in keys:
                study.read_field(key)
                for kind in ("masks", "nuclei"):
                    read_label_image(study.mask_path("truth", key, kind))

        def measure() -> None:
            for key in keys:
                step(key)

        result = {"fields": len(keys), "channels": len(study.channels)}
        for name, clock in (("by_the_clock", time.perf_counter), ("by_the_processor", time.process_time)):
            reading, measuring = seconds(decode, clock=clock), seconds(measure, clock=clock)
            result[f"decoding_s_{name}"] = round(reading, 3)
            result[f"measuring_s_{name}"] = round(measuring, 3)
            result[f"ratio_{name}"] = round(measuring / reading, 2)
        return result


def seconds(
    call: Callable[[], object], repeats: int = REPEATS, clock: Callable[[], float] = time.process_time
) -> float:
    """Take the best of some, after one that compiles and fills caches."""
    if repeats > 1:
        call()
    best = float("inf")
    for _ in range(repeats):
        started = clock()
        call()
        best = min(best, clock() - started)
    return best


if __name__ == "__main__":
    main()
