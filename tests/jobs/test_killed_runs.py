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
from cellvote.study import Study
from cellvote.study.ledger import Ledger
from cellvote.synthetic import SimulatedPlate


def run_and_kill(until: str, *arguments: str) -> list[psutil.Process]:
    """Start the command line, kill it when its progress comes to a place, and return the processes it had started."""
    command = [sys.executable, "-m", "cellvote", *arguments, "--progress", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = next((line for line in iter(process.stderr.readline, "") if until in line), None)
        assert told is not None, "it ended before"
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    return children


def tables_and_masks(study: Study) -> dict[str, bytes]:
    folder = study.segmentation_folder("watershed")
    paths = [folder / "cells.parquet", *folder.glob("masks/**/*.tif"), *folder.glob("nuclei/**/*.tif")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def stuck_image(tiny_plate: SimulatedPlate, tmp_path: Path) -> tuple[SimulatedPlate, Path, bytes]:
    """Return a copy of the tiny plate with an image that never ends, its path, and what it should hold."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    image = folder / "Images" / "r01c01f02p01-ch1sk1fk1fl1.tiff"  # not among those that settings are measured on
    whole = image.read_bytes()
    image.unlink()
    os.mkfifo(image)  # whoever reads it waits for ever
    return SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth), image, whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_a_killed_segmentation_leaves_no_process_and_goes_on_to_the_same_bytes(
    stuck_image: tuple[SimulatedPlate, Path, bytes], finished_study: Study, tmp_path: Path
) -> None:
    plate, image, whole = stuck_image
    study = create_study(tmp_path / "s", plate)
    workers = run_and_kill('"done": 3,', "segment", str(study.path), "--workers", "2")
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    image.unlink()
    image.write_bytes(whole)
    done = len(Ledger(study.segmentation_folder("watershed") / "fields.parquet").done())
    assert 3 <= done < 32
    summary = segment_study(study, workers=1)
    assert summary.skipped == done
    measure_study(study, workers=1)
    assert tables_and_masks(study) == tables_and_masks(finished_study)


FOREST = {"n_trees": 200}
NETWORK = {"architecture": "small-resnet", "epochs": 3, "crop_size_px": 24}


@pytest.mark.parametrize(
    ("settings", "until", "weights"),
    [(FOREST, "fold 1", None), (NETWORK, "fold 1 of 2, epoch 1", "model.safetensors")],
    ids=["forest", "network"],
)
def test_a_killed_training_goes_on_to_the_same_predictions_and_votes(
    study: Study, tmp_path: Path, settings: dict[str, Any], until: str, weights: str | None
) -> None:
    unbroken = Study.open(shutil.copytree(study.path, tmp_path / "unbroken.cellvote"))
    assignments = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    options = ["--classes", "moa", "--name", "m", "--device", "cpu", "--workers", "1", *assignments]
    run_and_kill(until, "train", str(study.path), *options)
    folder = study.model_folder("m")
    assert list((folder / "checkpoint").iterdir())
    assert not (folder / "model.json").exists()
    for one in (study, unbroken):
        train_study(one, "moa", settings=settings, name="m", workers=1, device="cpu")
        predict_study(one, "m", workers=1, device="cpu")
    if weights:
        assert (folder / weights).read_bytes() == (unbroken.model_folder("m") / weights).read_bytes()
    said = [
        {path.name: path.read_bytes() for path in one.predictions_folder("m").glob("*.parquet")}
        for one in (study, unbroken)
    ]
    assert set(said[0]) == {"cells.parquet", "fields.parquet", "wells.parquet", "treatments.parquet"}
    assert said[0] == said[1]
