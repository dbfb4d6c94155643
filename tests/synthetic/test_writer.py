"""A simulated plate on disk is a plate like any other."""

import hashlib
import shutil
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import CancelledError, SettingsError, WorkerError
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.plate_map import join_plate_map, read_plate_map
from cellvote.settings import validated
from cellvote.synthetic import (
    CHANNELS,
    CLASS_COLUMN,
    PlateSettings,
    SimulatedPlate,
    SimulationError,
    simulate_field,
    write_plate,
)

SETTINGS = PlateSettings(
    rows=3, columns=4, fields_per_well=1, field_size_px=128, cells_per_field=4, pixel_size_um=0.8, name="P-7"
)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> SimulatedPlate:
    return write_plate(tmp_path_factory.mktemp("plate"), SETTINGS)


@pytest.fixture
def two_wells() -> PlateSettings:
    return SETTINGS.model_copy(update={"rows": 1, "columns": 2, "field_size_px": 64})


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_plate_is_read_as_operetta_with_its_channels_and_pixel_size(plate: SimulatedPlate) -> None:
    acquisition = read_plate(plate.folder)
    assert acquisition.summary() == {
        "layout": "operetta",
        "plates": ["P-7"],
        "wells": 12,
        "fields": 12,
        "channels": list(CHANNELS),
        "planes": 36,
        "pixel_size_um": 0.8,
        "problems": [],
    }


def test_what_is_read_back_is_what_was_simulated(plate: SimulatedPlate) -> None:
    acquisition = read_plate(plate.folder)
    for key in acquisition.fields[:3]:
        planes = acquisition.planes[acquisition.planes["well"] == key.well]
        image = read_field(acquisition.source, planes, acquisition.channels, key)
        assert np.array_equal(image, simulate_field(SETTINGS, key.well, key.field).image)


def test_the_plate_map_joins_every_imaged_well(plate: SimulatedPlate) -> None:
    joined, problems = join_plate_map(read_plate(plate.folder), [read_plate_map(plate.plate_map_path)])
    assert problems == ()
    assert joined["imaged"].all()
    columns = ["well", "compound", "concentration", "concentration_unit", "control_type", CLASS_COLUMN]
    pd.testing.assert_frame_equal(joined[columns], plate.plate_map[columns])


def test_the_truth_on_disk_is_that_of_each_field(plate: SimulatedPlate) -> None:
    truth = pd.read_csv(plate.truth_path)
    pd.testing.assert_frame_equal(truth, plate.truth, check_dtype=False)
    for well, cells in truth.groupby("well"):
        field = simulate_field(SETTINGS, str(well))
        rows, columns = (cells[axis].round().astype(int).to_numpy() for axis in ("y", "x"))
        assert field.nuclei[rows, columns].tolist() == cells["label_id"].tolist()


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_the_same_bytes_come_from_any_number_of_workers(plate: SimulatedPlate, tmp_path: Path, pool: str) -> None:
    executor: Executor = (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) if pool == "processes" else ThreadPoolExecutor(3)
    )
    with executor:
        other = write_plate(tmp_path, SETTINGS, executor=executor)
    assert contents(other.folder) == contents(plate.folder)


def test_another_seed_gives_other_images(plate: SimulatedPlate, tmp_path: Path) -> None:
    other = write_plate(tmp_path, SETTINGS.model_copy(update={"seed": 1}))
    before, after = contents(plate.folder), contents(other.folder)
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before if name.endswith(".tiff"))


def test_writing_again_mends_a_plate(plate: SimulatedPlate, tmp_path: Path) -> None:
    copy = shutil.copytree(plate.folder, tmp_path / "copy")
    next(copy.rglob("*.tiff")).unlink()
    write_plate(copy, SETTINGS)
    assert contents(copy) == contents(plate.folder)


def test_progress_counts_every_field(tmp_path: Path, two_wells: PlateSettings) -> None:
    seen: list[tuple[int, int]] = []
    write_plate(tmp_path, two_wells, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_a_run_that_was_cancelled_leaves_no_index(tmp_path: Path, two_wells: PlateSettings) -> None:
    def cancel(done: int, total: int) -> None:
        raise CancelledError("stopped")

    write_plate(tmp_path, two_wells)
    with pytest.raises(CancelledError):
        write_plate(tmp_path, two_wells, on_progress=cancel)
    assert not list(tmp_path.rglob("*.xml"))


def test_other_images_are_never_mixed_with_a_simulated_plate(tmp_path: Path, two_wells: PlateSettings) -> None:
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images" / "mine.tif").touch()
    with pytest.raises(SimulationError, match=r"mine\.tif.*another folder"):
        write_plate(tmp_path, two_wells)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, two_wells: PlateSettings) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SimulationError, match=r"file.*cannot be written"):
        write_plate(tmp_path / "file", two_wells)


class DyingPool(Executor):
    """Every worker dies at once."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("died"))
        return future


def test_a_worker_that_dies_is_told_of_in_one_sentence(tmp_path: Path, two_wells: PlateSettings) -> None:
    with pytest.raises(WorkerError, match="fewer workers"):
        write_plate(tmp_path, two_wells, executor=DyingPool())


@pytest.mark.parametrize("values", [{"rows": 33}, {"field_size_px": 10}, {"pixel_size_um": 0}, {"wells": 96}], ids=str)
def test_a_plate_that_cannot_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        validated(PlateSettings, values)
