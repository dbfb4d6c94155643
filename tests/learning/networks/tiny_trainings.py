"""Trainings of three tiny folds, whose networks other processes can make; some of these come to harm, or take long."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from cellvote.errors import DeviceError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.network_training import NetworkTraining, Stages, Trained, train_networks
from cellvote.learning.networks.side_by_side import SharedCores
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split
from cellvote.learning.training import History, TrainingCells
from cellvote.progress import CancelToken, Progress

CPU = torch.device("cpu")
SETTINGS = TrainSettings(architecture="small-resnet", epochs=4, fine_tune_epochs=1, batch_size=8, patience=9)
SIDE_BY_SIDE = SharedCores(2, 1)
ONE_BY_ONE = SharedCores(1, 1)


class Tiny(nn.Module):
    """A convolution with normalisation and something that drops out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveMaxPool2d(1))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(4, 2))
        self.before: Callable[[], None] = lambda: None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """N×C×H×W to N×2."""
        self.before()
        scores: torch.Tensor = self.head(self.body(images))
        return scores


@dataclass(frozen=True)
class Make:
    """Makes the network of a fold."""

    def __call__(self, fold: int) -> Tiny:
        with torch.random.fork_rng():
            torch.manual_seed(fold)
            return Tiny()


@dataclass(frozen=True)
class MakeSlow(Make):
    """Makes networks that take their time over each batch."""

    seconds: float

    def __call__(self, fold: int) -> Tiny:
        network = super().__call__(fold)
        network.before = lambda: time.sleep(self.seconds)
        return network


@dataclass(frozen=True)
class MakeHarmful(Make):
    """Makes networks of which that of the second fold harms its process in the second epoch, unless it is the first."""

    harm: Callable[[], None]

    def __call__(self, fold: int) -> Tiny:
        network, batches = super().__call__(fold), iter(range(1000))

        def before() -> None:
            if next(batches) == 5:  # an epoch has three, and one to watch
                self.harm()

        if fold == 1 and multiprocessing.parent_process() is not None:
            network.before = before
        return network


def die() -> None:
    os._exit(9)


def fail() -> None:
    raise DeviceError("the sun went down")


@dataclass(frozen=True)
class SameExamples:
    """The same examples for each fold."""

    examples: Examples

    def __call__(self, fold: int) -> Examples:
        del fold
        return self.examples


def tiny_training(folder: Path, build: Callable[[int], nn.Module] | None = None, **settings: Any) -> NetworkTraining:
    """Make four crops in each of twelve wells, on eight of which there is one cell line, and on four another."""
    random, well = np.random.default_rng(0), np.arange(48) // 4
    codes = well % 2
    crops = random.poisson(100, (48, 1, 12, 12)).astype(np.uint16)
    crops[codes == 1, :, 4:8, 4:8] += 150
    path = folder / "crops.npy"
    if not path.exists():
        np.save(path, crops)
    rows = np.arange(48)
    limits = np.array([[[60.0], [300.0]]], np.float32)
    images = StoredImages(np.load(path, mmap_mode="r"), rows, np.array([0]), limits, np.zeros(48, np.int64))
    numbers = np.arange(12)
    names = [f"A{number + 1:02d}" for number in numbers]
    wells = pd.DataFrame({"plate": "P", "well": names, "class_name": [f"c{number % 2}" for number in numbers]})
    return NetworkTraining(
        cells=TrainingCells(codes, wells.assign(group=names), well, 2, Split.of_folds(numbers // 2 % 3)),
        examples_of=SameExamples(Examples(((images,),))),
        build=build or Make(),
        plate=np.zeros(48, np.int64),
        settings=SETTINGS.model_copy(update=settings),
        data_name="tiny",
        stages=Stages.of("line", pd.Series(np.where(well < 8, "left", "right"))),
    )


def train(
    training: NetworkTraining,
    folder: Path,
    cores: SharedCores | None,
    report: Callable[[Progress], None] = lambda progress: None,
    cancel: CancelToken | None = None,
) -> Trained:
    history = History(folder / "history.csv")
    cancel = cancel or CancelToken()
    return train_networks(training, folder, device=CPU, history=history, report=report, cancel=cancel, cores=cores)


def train_until_killed(folder: Path) -> None:
    """Train side by side, slowly, and say each progress."""

    def report(progress: Progress) -> None:
        sys.stdout.write(f"{progress}\n")

    train(tiny_training(folder, MakeSlow(0.1)), folder, SIDE_BY_SIDE, report)
