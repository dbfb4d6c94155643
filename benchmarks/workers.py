"""Worker processes: how much faster two are than one, over a simulated plate on disk, in one run.

    python benchmarks/workers.py [--fields 48] [--size-px 1080] [--repeats 3]

Segments (watershed) and measures the same plate with one worker and with two, alternating, so that whatever else the
machine does meets both. What starting the workers takes is told apart: a whole plate takes minutes, starting them
seconds. One worker is a process of its own here too, with one thread as every worker has. The ratio that counts is
that of the medians.

Cores that are busy with something else make that ratio meaningless, so two more figures are told: how many cores were
idle before each run, and the processor seconds that all workers took together. Where two workers take no more of them
than one, they do not fight, and on idle cores they are as many times faster as they are many.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import wait
from pathlib import Path

import psutil

from cellvote.jobs.measure import MeasureField
from cellvote.jobs.over_fields import run_over_fields
from cellvote.jobs.segment import SegmentField
from cellvote.jobs.segment_settings import resolve_settings
from cellvote.plates.layouts import read_plate
from cellvote.processes import WorkerPool
from cellvote.profiling.settings import MeasureSettings
from cellvote.progress import CancelToken
from cellvote.study import Study
from cellvote.study.ledger import Ledger
from cellvote.synthetic import PlateSettings, write_plate


def main() -> None:
    """Measure, and print one JSON value."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fields", type=int, default=48)
    parser.add_argument("--size-px", type=int, default=1080)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder), asked.fields, asked.size_px)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        starting: dict[int, list[float]] = {1: [], 2: []}
        processor: dict[int, list[float]] = {1: [], 2: []}
        idle: list[float] = []
        for _ in range(asked.repeats):
            for n in (1, 2):
                idle.append(idle_cores())
                started, took, used = run(study, n)
                starting[n].append(started)
                seconds[n].append(took)
                processor[n].append(used)
        ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    medians = {n: statistics.median(values) for n, values in seconds.items()}
    result = {
        "fields": asked.fields,
        "cores": os.cpu_count(),
        "idle_cores_before_each_run": [round(value, 2) for value in idle],
        "seconds_to_start_1": [round(value, 2) for value in starting[1]],
        "seconds_to_start_2": [round(value, 2) for value in starting[2]],
        "seconds_with_1": [round(value, 2) for value in seconds[1]],
        "seconds_with_2": [round(value, 2) for value in seconds[2]],
        "processor_seconds_with_1": [round(value, 2) for value in processor[1]],
        "processor_seconds_with_2": [round(value, 2) for value in processor[2]],
        "ratios": [round(value, 2) for value in ratios],
        "times_faster": round(medians[1] / medians[2], 2),
    }
    print(json.dumps(result, indent=2))


def make_study(folder: Path, n_fields: int, size_px: int) -> Study:
    """Simulate a plate of square fields."""
    settings = PlateSettings(rows=3, columns=4, fields_per_well=max(1, n_fields // 12), field_size_px=size_px)
    plate = write_plate(folder / "plate", settings)
    return Study.create(folder / "study", read_plate(plate.folder))


def run(study: Study, n_workers: int) -> tuple[float, float, float]:
    """Segment and measure every field: seconds to start the workers, of both steps, and processor seconds of these."""
    from workers import get_ready  # importable by that name: workers do not run this script

    name = f"with-{n_workers}"
    settings = resolve_settings(study, "watershed", {})["settings"]
    steps = (
        SegmentField(study.path, name, "watershed", json.dumps(settings)),
        MeasureField(study.path, name, MeasureSettings()),
    )
    starting = took = used = 0.0
    for step in steps:
        pool = WorkerPool(n_workers)
        began = time.perf_counter()
        wait([pool.submit(get_ready, step) for _ in range(n_workers)])
        starting += time.perf_counter() - began
        began, before = time.perf_counter(), processor_seconds()
        with Ledger(study.path / f"{type(step).__name__}.parquet") as ledger:
            for _ in run_over_fields(step, study.fields, ledger, pool, n_workers, CancelToken()):
                pass
            failed = ledger.failed()
        took += time.perf_counter() - began
        used += processor_seconds() - before
        pool.shutdown()
        assert not failed, failed[0].error
    return starting, took, used


def get_ready(step: object) -> None:
    """Import what a step needs, and wait until the other workers have been started, too."""
    del step
    time.sleep(1)


def processor_seconds() -> float:
    """How much processor time the worker processes have taken so far."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(one.user + one.system for one in times)


def idle_cores() -> float:
    """How many cores had nothing to do during the last half second."""
    return psutil.cpu_count() * (100 - psutil.cpu_percent(interval=0.5)) / 100


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
