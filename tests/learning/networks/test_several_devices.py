"""Several devices: two processes learn as one does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cellvote.errors import CancelledError, DeviceError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.fit import Fit, TrainingSet, fit_network
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken

CPU = torch.device("cpu")
SETTINGS = TrainSettings(
    architecture="small-resnet",
    epochs=3,
    batch_size=16,
    optimizer="sgd",  # Adam makes much of the last digit of a small gradient
    learning_rate=0.02,
    flips=False,
    transposition=False,
    intensity_jitter=0,
)


def plain_network() -> nn.Module:
    """Make a network without normalisation over the batch: parts of a batch add up to the whole."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 2))


def mapped_crops(folder: Path, n: int = 40) -> TrainingSet:
    random = np.random.default_rng(0)
    codes = np.arange(n) % 2
    crops = random.poisson(100, (n, 1, 16, 16)).astype(np.uint16)
    crops[codes == 1, :, 5:11, 5:11] += 150
    np.save(folder / "crops.npy", crops)
    rows = np.arange(n)
    limits = np.array([[[60.0], [300.0]]], np.float32)
    array = np.load(folder / "crops.npy", mmap_mode="r")
    images = StoredImages(array, rows, np.array([0]), limits, np.zeros(n, np.int64))
    return TrainingSet(Examples(((images,),)), codes, rows % 8 > 5, np.zeros(n, np.int64), 2)


def run(folder: Path, data: TrainingSet, devices: int, **options: Any) -> tuple[dict[str, torch.Tensor], list[Any]]:
    settings = SETTINGS.model_copy(update={"devices": devices})
    rows: list[dict[str, Any]] = []
    fit = Fit(settings, 0, CPU, folder / f"on-{devices}")
    network = plain_network()
    weights = fit_network(network, data, fit, on_epoch=rows.append, **{"cancel": CancelToken(), **options})
    return weights, rows


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    data = mapped_crops(tmp_path)
    one, told_by_one = run(tmp_path, data, 1)
    two, told_by_two = run(tmp_path, data, 2)
    assert [row["epoch"] for row in told_by_two] == [1, 2, 3]
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-5)
    for ours, theirs in zip(told_by_one, told_by_two, strict=True):
        assert theirs["train_loss"] == pytest.approx(ours["train_loss"], rel=1e-4)
        assert theirs["validation_accuracy"] == pytest.approx(ours["validation_accuracy"])


def test_several_processes_stop_when_they_are_asked_to(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        run(tmp_path, mapped_crops(tmp_path), 2, cancel=token)


def test_more_devices_than_there_are_is_an_error(tmp_path: Path) -> None:
    fit = Fit(SETTINGS.model_copy(update={"devices": 64}), 0, torch.device("cuda"), tmp_path / "fold-0")
    with pytest.raises(DeviceError, match="64 devices were asked for"):
        fit_network(plain_network(), mapped_crops(tmp_path), fit, on_epoch=lambda row: None, cancel=CancelToken())
