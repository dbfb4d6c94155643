"""Folds side by side: the same weights as one after the other, whatever becomes of the processes."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from tests.learning.networks.tiny_trainings import (
    ONE_BY_ONE,
    SIDE_BY_SIDE,
    MakeHarmful,
    SameExamples,
    die,
    fail,
    tiny_training,
    train,
)

from cellvote.errors import CancelledError, ClassifierError, DeviceError, WorkerError
from cellvote.learning.networks import side_by_side
from cellvote.learning.networks.side_by_side import SharedCores, keeping_threads, share_cores
from cellvote.progress import CancelToken, Progress

GIB = 2**30


# Which folds are trained side by side


class Machine:
    """A machine as `share_cores` sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cores, self.available, self.total = 8, 100 * GIB, 100 * GIB
        monkeypatch.setattr(side_by_side, "default_workers", lambda: self.cores)
        monkeypatch.setattr(
            psutil, "virtual_memory", lambda: SimpleNamespace(available=self.available, total=self.total)
        )
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.cores)

    def memory(self) -> SimpleNamespace:
        return SimpleNamespace(available=self.available, total=self.total)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def large_training(folder: Path, size_px: int = 1000) -> Any:
    """Return the training of three folds on large images that take no place."""
    training = tiny_training(folder)
    (images,) = training.examples_of(0).streams[0]
    large = replace(images, array=np.broadcast_to(np.uint16(0), (48, 1, size_px, size_px)))
    return replace(training, examples_of=SameExamples(replace(training.examples_of(0), streams=((large,),))))


def test_as_many_folds_are_trained_as_there_are_cores(machine: Machine, tmp_path: Path) -> None:
    training = large_training(tmp_path)
    assert share_cores(training, workers=8) == SharedCores(3, 2)
    machine.cores = 2
    assert share_cores(training, workers=2) == SharedCores(2, 1)


def test_one_worker_takes_all_cores_for_one_fold_after_the_other(machine: Machine, tmp_path: Path) -> None:
    assert share_cores(large_training(tmp_path), workers=1) == SharedCores(1, 8)


def test_no_process_is_started_for_what_is_trained_in_a_moment(machine: Machine, tmp_path: Path) -> None:
    assert share_cores(tiny_training(tmp_path), workers=8) == SharedCores(1, 8)


def test_a_process_that_may_have_no_children_trains_the_folds_itself(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "may_start_processes", lambda: False)
    assert share_cores(large_training(tmp_path), workers=8) == SharedCores(1, 8)


def test_no_more_folds_are_trained_than_memory_holds(machine: Machine, tmp_path: Path) -> None:
    training = large_training(tmp_path)  # a batch of eight megapixels takes 16 GB
    machine.available = 40 * GIB
    assert share_cores(training, workers=8) == SharedCores(2, 2)
    machine.available = GIB
    assert share_cores(training, workers=8) == SharedCores(1, 2)


def test_threads_hang_on_the_machine_and_not_on_what_else_runs_there(machine: Machine, tmp_path: Path) -> None:
    training = large_training(tmp_path)
    machine.total = 40 * GIB
    machine.available = 36 * GIB
    alone = share_cores(training, workers=8)
    machine.available = GIB
    assert alone == SharedCores(2, 4)
    assert share_cores(training, workers=8).threads == alone.threads


def test_a_training_goes_on_with_the_threads_that_it_began_with(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    with keeping_threads(SharedCores(4, 3), tmp_path) as cores:
        assert cores == SharedCores(4, 3)
        assert torch.get_num_threads() == 3
    with keeping_threads(SharedCores(1, 12), tmp_path) as cores:  # --workers 1, as was advised
        assert cores == SharedCores(1, 3)
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_a_training_that_began_on_all_cores_goes_on_one_fold_after_the_other(tmp_path: Path) -> None:
    with keeping_threads(SharedCores(1, 2), tmp_path):
        pass
    with keeping_threads(SharedCores(2, 1), tmp_path) as cores:
        assert cores == SharedCores(1, 2)


@pytest.mark.parametrize("threads", ["0", '"two"', "null"])
def test_threads_that_are_no_number_are_refused_with_what_to_do(tmp_path: Path, threads: str) -> None:
    note = tmp_path / "checkpoint" / "threads.json"
    note.parent.mkdir()
    note.write_text(f'{{"threads": {threads}}}')
    with pytest.raises(ClassifierError, match=r"threads\.json.* Delete it"), keeping_threads(ONE_BY_ONE, tmp_path):
        pass


# Training them


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which three folds, and those tuned further, were trained one after the other."""
    folder = tmp_path_factory.mktemp("unbroken")
    train(tiny_training(folder), folder, ONE_BY_ONE)
    return folder


def weights_in(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def history_in(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "history.csv", keep_default_na=False).drop(columns=["seconds", "cells_per_s"])
    return table.sort_values(["fold", "stage", "epoch"]).reset_index(drop=True)


@pytest.mark.slow
def test_folds_side_by_side_come_to_the_bytes_of_folds_one_after_the_other(tmp_path: Path, unbroken: Path) -> None:
    told: list[Progress] = []
    alone = train(tiny_training(unbroken), unbroken, ONE_BY_ONE)
    trained = train(tiny_training(tmp_path), tmp_path, SIDE_BY_SIDE, told.append)
    assert weights_in(tmp_path) == weights_in(unbroken)
    assert trained == alone
    assert trained.tuned == (("left", "right"), ("left",), ("left",))
    pd.testing.assert_frame_equal(history_in(tmp_path), history_in(unbroken))
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert (told[-1].done, told[-1].total) == (16, 16)
    assert (told[0].where, told[0].message) == ("folds 1, 2 of 3", "training side by side")
    assert any("folds 1, 2 side by side" in one.message for one in told if "epoch" in one.where)


@pytest.mark.slow
def test_what_the_death_of_a_process_leaves_is_gone_on_with_to_the_same_bytes(tmp_path: Path, unbroken: Path) -> None:
    with pytest.raises(WorkerError, match=r"trained .*2.* died, .*run again with --workers 1"):
        train(tiny_training(tmp_path, MakeHarmful(die)), tmp_path, SIDE_BY_SIDE)
    assert (tmp_path / "checkpoint" / "fold-1.json").exists()
    assert not (tmp_path / "model.safetensors").exists()
    train(tiny_training(tmp_path), tmp_path, SharedCores(1, 4))
    assert weights_in(tmp_path) == weights_in(unbroken)


@pytest.mark.slow
def test_what_goes_wrong_in_one_process_is_raised_here_and_stops_the_others(tmp_path: Path, unbroken: Path) -> None:
    before = _children()
    with pytest.raises(DeviceError, match="^the sun went down$"):
        train(tiny_training(tmp_path, MakeHarmful(fail)), tmp_path, SIDE_BY_SIDE)
    assert _children() <= before
    assert (tmp_path / "checkpoint" / "fold-1.json").exists()


@pytest.mark.slow
def test_cancelling_stops_every_process_within_a_batch(tmp_path: Path, unbroken: Path) -> None:
    cancel = CancelToken()

    def stop(progress: Progress) -> None:
        if "epoch 1" in progress.where:
            cancel.cancel()

    before = _children()
    long = tiny_training(tmp_path, epochs=5000)
    with pytest.raises(CancelledError):
        train(long, tmp_path, SIDE_BY_SIDE, stop, cancel)
    assert _children() <= before
    assert len(history_in(tmp_path)) < 5000


def _children() -> set[psutil.Process]:
    """Return the processes below this one, but for those that multiprocessing keeps to clean up after its own."""
    below = psutil.Process().children(recursive=True)
    return {one for one in below if "resource_tracker" not in " ".join(one.cmdline())}


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_and_goes_on_to_the_same_bytes(tmp_path: Path, unbroken: Path) -> None:
    program = f"""
from pathlib import Path
from tests.learning.networks.tiny_trainings import train_until_killed
train_until_killed(Path({str(tmp_path)!r}))
"""
    with subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("epoch 1" in line for line in process.stdout)
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert not (tmp_path / "model.safetensors").exists()
    train(tiny_training(tmp_path), tmp_path, ONE_BY_ONE)
    assert weights_in(tmp_path) == weights_in(unbroken)
