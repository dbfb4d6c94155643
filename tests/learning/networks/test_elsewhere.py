"""What is sent to another process that trains, and what is read of it."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.elsewhere import HistoryReader, received, sent, sent_bytes
from cellvote.learning.networks.fit import Fit
from cellvote.learning.settings import TrainSettings
from cellvote.study.atomic import write_json


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    """Return a thousand crops in a file, and two measurements of each."""
    np.save(tmp_path / "crops.npy", np.arange(1000 * 64, dtype=np.uint16).reshape(1000, 1, 8, 8))
    limits = np.array([[[60.0], [300.0]]], np.float32)
    array = np.load(tmp_path / "crops.npy", mmap_mode="r")
    images = StoredImages(array, np.arange(1000), np.array([0]), limits, np.zeros(1000, np.int64))
    return Examples(((images,),), np.ones((1000, 2), np.float32))


def test_pixels_are_not_sent_but_opened_again(examples: Examples) -> None:
    message = pickle.dumps(sent(examples))
    assert len(message) < 30_000
    arrived = received(pickle.loads(message))  # noqa: S301 - our own, as processes send it
    assert isinstance(arrived.streams[0][0].array, np.memmap)
    batch = np.array([3, 999])
    assert (arrived.streams[0][0].gather(batch) == examples.streams[0][0].gather(batch)).all()


def test_what_lies_in_memory_is_sent_and_counted(examples: Examples) -> None:
    in_file = sent_bytes(examples)
    assert in_file == pytest.approx(1000 * (2 * 8 + 2 * 4), rel=0.01)
    (images,) = examples.streams[0]
    copied = StoredImages(np.array(images.array), images.rows, images.channels, images.limits, images.group)
    assert sent_bytes(Examples(((copied,),), examples.measurements)) == in_file + 1000 * 64 * 2


def test_each_epoch_in_a_checkpoint_is_told_once(tmp_path: Path) -> None:
    fit = Fit(TrainSettings(architecture="small-resnet"), 0, torch.device("cpu"), tmp_path / "fold-0")
    told: list[dict[str, Any]] = []
    reader = HistoryReader(fit, told.append)
    reader.tell_new()
    rows = [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]
    for n in (1, 1, 3):
        write_json(tmp_path / "fold-0.json", {"run": fit.run, "history": rows[:n], "finished": n == 3})
        reader.tell_new()
        assert told == rows[:n]
    assert reader.finished


def test_the_epochs_of_another_run_are_not_told(tmp_path: Path) -> None:
    fit = Fit(TrainSettings(architecture="small-resnet"), 0, torch.device("cpu"), tmp_path / "fold-0")
    told: list[dict[str, Any]] = []
    write_json(tmp_path / "fold-0.json", {"run": "another", "history": [{"epoch": 1}], "finished": True})
    reader = HistoryReader(fit, told.append)
    reader.tell_new()
    assert not told
    assert not reader.finished
