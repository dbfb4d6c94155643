"""Runs that are killed without a warning leave no process behind, and go on to the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.tiny_plates import create_study

from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import predict_study
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import train_study
from cellvote.progress import Progress
from cellvote.study import Study
from cellvote.study.ledger import Ledger
from cellvote.synthetic import SimulatedPlate

pytestmark = pytest.mark.slow

FOREST = {"n_trees": 60}
NETWORK = {"architecture": "small-resnet", "epochs": 3, "crop_size_px": 24}


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    command = [sys.executable, "-m", "cellvote", *map(str, arguments), "--progress", "json"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str], when: str) -> list[psutil.Process]:
    """Kill a process when its progress comes to a place, and return the processes that it had started."""
    with process:
        assert process.stderr is not None
        told = next((line for line in iter(process.stderr.readline, "") if when in line), None)
        assert told is not None, "it ended before"
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    return children


# Segmenting


@pytest.fixture
def stuck_image(tiny_plate: SimulatedPlate, tmp_path: Path) -> tuple[SimulatedPlate, Path, bytes]:
    """Return a copy of the tiny plate with an image that never ends, its path, and what it should hold."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    image = folder / "Images" / "r01c01f02p01-ch1sk1fk1fl1.tiff"  # not among those that settings are measured on
    whole = image.read_bytes()
    image.unlink()
    os.mkfifo(image)  # whoever reads it waits for ever
    return SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth), image, whole


def tables_and_masks(study: Study) -> dict[str, bytes]:
    folder = study.segmentation_folder("watershed")
    paths = [folder / "cells.parquet", *folder.glob("masks/**/*.tif"), *folder.glob("nuclei/**/*.tif")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_a_killed_segmentation_leaves_no_process_and_goes_on_to_the_same_bytes(
    stuck_image: tuple[SimulatedPlate, Path, bytes], finished_study: Study, tmp_path: Path
) -> None:
    plate, image, whole = stuck_image
    study = create_study(tmp_path / "s", plate)
    workers = kill(start("segment", study.path, "--method", "watershed", "--workers", 2), when='"done": 3,')
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    image.unlink()
    image.write_bytes(whole)
    done = len(Ledger(study.segmentation_folder("watershed") / "fields.parquet").done())
    assert 3 <= done < 32
    summary = segment_study(study, "watershed", workers=1)
    assert summary.skipped == done
    measure_study(study, workers=1)
    assert tables_and_masks(study) == tables_and_masks(finished_study)


def test_a_run_whose_worker_is_killed_goes_on_to_the_same_bytes(new_study: Study, finished_study: Study) -> None:
    killed: list[psutil.Process] = []

    def kill_a_worker(progress: Progress) -> None:
        if progress.done == 4 and not killed:
            workers = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
            killed.append(workers[0])
            workers[0].kill()

    summary = segment_study(new_study, "watershed", workers=2, report=kill_a_worker)
    assert killed
    assert (summary.failed, summary.skipped) == ([], 0)
    measure_study(new_study, workers=2)
    assert tables_and_masks(new_study) == tables_and_masks(finished_study)


# Training


def predict_with(study: Study, settings: dict[str, Any], name: str) -> dict[str, bytes]:
    """Train to the end, predict, and return predictions and votes."""
    train_study(study, "moa", settings=settings, name=name, workers=1, device="cpu")
    predict_study(study, name, workers=1, device="cpu")
    return {path.name: path.read_bytes() for path in study.predictions_folder(name).glob("*.parquet")}


def test_killed_trainings_go_on_to_the_same_predictions_and_votes(study: Study, tmp_path: Path) -> None:
    other = Study.open(shutil.copytree(study.path, tmp_path / "other.cellvote"))
    common = ("train", "STUDY", "--classes", "moa", "--name", "m", "--device", "cpu", "--workers", 1)
    runs = []
    for one, settings in ((study, FOREST), (other, NETWORK)):  # both at once: starting takes longest
        assignments = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        runs.append(start(*(one.path if part == "STUDY" else part for part in common), *assignments))
    kill(runs[0], when="fold 1")
    kill(runs[1], when="fold 1 of 2, epoch 1")
    for one in (study, other):
        assert list((one.model_folder("m") / "checkpoint").iterdir())
        assert not (one.model_folder("m") / "model.json").exists()
    assert predict_with(study, FOREST, "m") == predict_with(other, FOREST, "unbroken")
    assert predict_with(other, NETWORK, "m") == predict_with(study, NETWORK, "unbroken")
    weights = [one.model_folder(name) / "model.safetensors" for one, name in ((other, "m"), (study, "unbroken"))]
    assert weights[0].read_bytes() == weights[1].read_bytes()
