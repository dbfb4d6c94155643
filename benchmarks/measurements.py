"""Measuring cells: against scikit-image in memory, and against decoding from files; in one run.

    python benchmarks/measurements.py [--fields 3] [--fields-from-files 24] [--rounds 5]

In memory, both measure the same fields of the simulated plate, the same properties, in all channels. Times are those of
one core (`time.process_time`).

From files, the plate is written as TIFF (LZW) and measured by one worker, as ``cellvote measure`` does, against reading
the same pixels and masks with the same functions and nothing else. Both use two threads: one reads the pixels, the
other the masks (and then measures). Rounds alternate between the two, after one of each that compiles and fills
caches; the least of all rounds is taken, of seconds by the clock and of seconds of the processor, which all threads
take together. Seconds by the clock say something only where two cores have nothing else to do: how many were idle
before each round is told.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
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
    parser.add_argument("--fields-from-files", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=REPEATS)
    asked = parser.parse_args()
    settings = PlateSettings(rows=2, columns=max(asked.fields, 3), field_size_px=1080, cells_per_field=250)
    fields = [simulate_field(settings, well) for well in list(design_plate(settings).wells)[: asked.fields]]
    of_files = settings.model_copy(update={"columns": max(2, -(-asked.fields_from_files // 4))})
    result = {"in_memory": in_memory(fields), "from_files": from_files(of_files, asked.fields_from_files, asked.rounds)}
    print(json.dumps(result, indent=2))


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


def from_files(settings: PlateSettings, n_fields: int, rounds: int) -> dict[str, object]:
    """Measure fields from disk, against reading them: by the clock, and by the processor."""
    with tempfile.TemporaryDirectory() as folder:
        study, n_cells = write_study(Path(folder), settings, n_fields)
        keys = study.fields[:n_fields]
        step = MeasureField(study.path, "truth", MeasureSettings())

        def decode() -> None:
            for key in keys:
                with ThreadPoolExecutor(1) as reader:
                    pixels = reader.submit(study.read_field, key)
                    for kind in ("masks", "nuclei"):
                        read_label_image(study.mask_path("truth", key, kind))
                    pixels.result()

        def measure() -> None:
            for key in keys:
                step(key)

        def in_memory_only() -> float:
            taken = 0.0
            for key in keys:
                image = study.read_field(key)
                masks, nuclei = (read_label_image(study.mask_path("truth", key, kind)) for kind in ("masks", "nuclei"))
                before = time.process_time()
                measure_cells(image, masks, study.channels, nuclei)
                taken += time.process_time() - before
            return taken

        measure_alone, idle = in_memory_only(), []
        times: dict[str, list[tuple[float, float]]] = {"decoding": [], "measuring": []}
        decode()
        measure()
        for _ in range(rounds):
            idle.append(round((psutil.cpu_count() or 1) * (100 - psutil.cpu_percent(interval=0.5)) / 100, 2))
            for name, call in (("decoding", decode), ("measuring", measure)):
                clock, processor = time.perf_counter(), time.process_time()
                call()
                times[name].append((time.perf_counter() - clock, time.process_time() - processor))
            measure_alone = min(measure_alone, in_memory_only())
    result: dict[str, object] = {"fields": len(keys), "channels": len(study.channels), "cells": n_cells}
    result |= {"idle_cores_before_each_round": idle, "measuring_in_memory_s": round(measure_alone, 3)}
    for i, how in enumerate(("by_the_clock", "by_the_processor")):
        decoding, measuring = (min(taken[i] for taken in times[name]) for name in ("decoding", "measuring"))
        result[f"decoding_s_{how}"] = round(decoding, 3)
        result[f"measuring_s_{how}"] = round(measuring, 3)
        result[f"ratio_{how}"] = round(measuring / decoding, 2)
    return result


def write_study(folder: Path, settings: PlateSettings, n_fields: int) -> tuple[Study, int]:
    """Write a plate with the true masks of its first fields; say how many cells these have."""
    plate = write_plate(folder / "plate", settings)
    study = Study.create(folder / "s", read_plate(plate.folder), plate.plate_map_path)
    n_cells = 0
    for key in study.fields[:n_fields]:
        field = simulate_field(settings, key.well, key.field)
        n_cells += len(np.unique(field.label_image)) - 1
        write_label_image(study.mask_path("truth", key), field.label_image)
        write_label_image(study.mask_path("truth", key, "nuclei"), field.nuclei)
    return study, n_cells


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Take the least processor time of some calls, after one that compiles and fills caches."""
    if repeats > 1:
        call()
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best


if __name__ == "__main__":
    main()
