"""How long the networks of four folds take to train on a CPU: side by side, and one after the other.

    python benchmarks/folds.py [--examples 1000] [--size 64] [--folds 4] [--epochs 3] [--rounds 1]

Three ways to train the same networks (`small-resnet` at batch 32) on the same crops in a memory-mapped file:

side by side
    A process for each of as many folds as there are cores, with its share of the threads: what `cellvote train` does.
one by one, all threads
    In this process, on every core; what ``--workers 1`` does.
one by one, a share
    In this process, on as many threads as each fold has side by side: the weights must be the same bytes.

The ways take turns. Beside seconds stands the processor time of this process and those that it started, all threads
and the start of these: the ways do the same work, and what one takes more is lost, to threads that wait in a loop.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cellvote.jobs.fitting import NetworkBuilder
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.inputs import Inputs
from cellvote.learning.network_training import NetworkTraining, train_networks
from cellvote.learning.networks.side_by_side import SharedCores
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split
from cellvote.learning.training import History, TrainingCells
from cellvote.processes import default_workers
from cellvote.progress import CancelToken, ignore_progress

N_WELLS = 24


@dataclass(frozen=True)
class SameExamples:
    """The same crops for each fold."""

    examples: Examples

    def __call__(self, fold: int) -> Examples:
        """Give them."""
        del fold
        return self.examples


def make_training(folder: Path, n: int, size_px: int, n_folds: int, epochs: int) -> NetworkTraining:
    """Make crops of noise, half of them with a bright square in the middle."""
    well = np.arange(n) % N_WELLS
    crops = np.random.default_rng(0).poisson(100, (n, 1, size_px, size_px)).astype(np.uint16)
    third = size_px // 3
    crops[well % 2 == 1, :, third:-third, third:-third] += 100
    np.save(folder / "crops.npy", crops)
    limits = np.array([[[60.0], [300.0]]], np.float32)
    array = np.load(folder / "crops.npy", mmap_mode="r")
    images = StoredImages(array, np.arange(n), np.array([0]), limits, np.zeros(n, np.int64))
    names = [f"A{number + 1:02d}" for number in range(N_WELLS)]
    wells = pd.DataFrame({"plate": "P", "well": names, "group": names})
    wells["class_name"] = [f"class {number % 2}" for number in range(N_WELLS)]
    settings = TrainSettings(architecture="small-resnet", epochs=epochs, batch_size=32, validation_share=0)
    return NetworkTraining(
        cells=TrainingCells(well % 2, wells, well, 2, Split.of_folds(np.arange(N_WELLS) // 2 % n_folds)),
        examples_of=SameExamples(Examples(((images,),))),
        build=NetworkBuilder(Inputs(parts=("pixels",), channels=("DNA",), size_px=(size_px, size_px)), settings, 2),
        plate=np.zeros(n, np.int64),
        settings=settings,
        data_name="noise",
    )


def processor_seconds() -> float:
    """How much processor time this process and those that it has started and outlived have taken."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Train in each way, in turns."""
    training = make_training(folder, options.examples, options.size, options.folds, options.epochs)
    cores = default_workers()
    at_once = min(options.folds, cores)
    share = max(1, cores // at_once)
    ways = {
        "side by side": SharedCores(at_once, share),
        "one by one, all threads": SharedCores(1, cores),
        "one by one, a share": SharedCores(1, share),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    weights: dict[str, bytes] = {}
    for number in range(options.rounds):
        for way, shared in ways.items():
            place = folder / f"{way} {number}"
            began, before = time.perf_counter(), processor_seconds()
            train_networks(
                training,
                place,
                device=torch.device("cpu"),
                history=History(place / "history.csv"),
                report=ignore_progress,
                cancel=CancelToken(),
                cores=shared,
            )
            seconds[way].append(round(time.perf_counter() - began, 1))
            processor[way].append(round(processor_seconds() - before, 1))
            weights[way] = (place / "model.safetensors").read_bytes()
    assert weights["side by side"] == weights["one by one, a share"]
    median = {way: statistics.median(values) for way, values in seconds.items()}
    return {
        "cores": cores,
        "load_at_the_end": [round(value, 1) for value in os.getloadavg()],
        "seconds": seconds,
        "processor_seconds": processor,
        "same_weights_on_all_threads": weights["one by one, all threads"] == weights["side by side"],
        "times_faster_than_all_threads": round(median["one by one, all threads"] / median["side by side"], 2),
        "times_faster_than_a_share": round(median["one by one, a share"] / median["side by side"], 2),
    }


def main() -> None:
    """Measure, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
