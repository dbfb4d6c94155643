"""The training loop of networks: deterministic, resumable after any epoch, cancellable in any batch."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from cellvote.errors import ClassifierError, DeviceError
from cellvote.learning.examples import Examples, IntArray
from cellvote.learning.networks.augmentation import Streams, augmented, mixed, shrunk
from cellvote.learning.networks.averaging import WeightAverage
from cellvote.learning.networks.checkpoint import (
    TrainingState,
    Weights,
    copy_of_weights,
    read_checkpoint,
    run_name,
    write_checkpoint,
)
from cellvote.learning.networks.feeding import Feed
from cellvote.learning.networks.learner import (
    fabric_on,
    make_learner,
    make_optimizer,
    out_of_memory,
    seen_as_batch,
)
from cellvote.learning.networks.schedules import learning_rate_factor
from cellvote.learning.networks.tallies import Tally, summed
from cellvote.learning.sampling import LEAST_BATCH, downsampled, epoch_batches
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken

OnEpoch = Callable[[dict[str, Any]], None]
_LOOK_EVERY: Final = 100
"""After so many steps a loss that is no number is noticed; at the end of an epoch in any case."""


@dataclass(frozen=True)
class TrainingSet:
    """What one network is trained on.

    Attributes
    ----------
    examples
        N of them.
    codes
        (N,) class numbers.
    validation
        (N,) bool: not trained on, but watched to stop early.
    plate
        (N,) number of the plate of each example.
    n_classes
        How many classes there are, also where some have no example here.
    """

    examples: Examples
    codes: IntArray
    validation: npt.NDArray[np.bool_]
    plate: IntArray
    n_classes: int


@dataclass(frozen=True)
class Fit:
    """How one network is trained: what a run is named after, and where it is kept.

    Attributes
    ----------
    fold
        Which fold it is of: another one draws other random numbers.
    checkpoint
        Path of its checkpoint, without suffix.
    data_name
        Digest of what it is trained on.
    stage
        ``""``, or the value of the column that it is tuned further for.
    """

    settings: TrainSettings
    fold: int
    device: torch.device
    checkpoint: Path
    data_name: str = ""
    stage: str = ""

    @property
    def run(self) -> str:
        """The name of the run."""
        facts = {"settings": self.settings.model_dump(mode="json"), "fold": self.fold, "data": self.data_name}
        return run_name({**facts, "stage": self.stage})


def fit_network(network: nn.Module, data: TrainingSet, fit: Fit, *, on_epoch: OnEpoch, cancel: CancelToken) -> Weights:
    """Train one network, from its checkpoint where there is one.

    Parameters
    ----------
    network
        As it is to start.
    on_epoch
        Told the row of each epoch, also of those that a checkpoint brings.

    Returns
    -------
    dict
        The weights of the best epoch, on the CPU; of the last one where nothing is watched.

    Raises
    ------
    CancelledError
        Where it was cancelled; the last whole epoch is in the checkpoint.
    ClassifierError
        Where the loss is not a number before any epoch was good, or the checkpoint is of another run.
    DeviceError
        Where not even two examples fit into memory.
    """
    if fit.settings.devices > 1:
        from cellvote.learning.networks.several_devices import fit_on_several

        return fit_on_several(network, data, fit, on_epoch=on_epoch, cancel=cancel)
    return train_to_the_end(Run(network, data, fit, cancel), on_epoch)


def train_to_the_end(run: "Run", on_epoch: OnEpoch) -> Weights:
    """Train until the last epoch, or until nothing more is learned."""
    for row in run.state.history:
        on_epoch(row)
    while not run.state.finished:
        run.epoch()
        run.keep()
        on_epoch(run.state.history[-1])
    return run.best


class Run:
    """One network in training."""

    def __init__(
        self, network: nn.Module, data: TrainingSet, fit: Fit, cancel: CancelToken, fabric: Fabric | None = None
    ) -> None:
        settings = fit.settings
        self.fabric = fabric or fabric_on(fit.device, settings)
        self.device = self.fabric.device
        self.network, self.data, self.fit, self.settings, self.cancel = network, data, fit, settings, cancel
        rows = np.flatnonzero(~data.validation)
        chosen = downsampled(data.codes[rows], settings.balance, np.random.default_rng((settings.seed, fit.fold)))
        self.train_rows, self.validation_rows = rows[chosen], np.flatnonzero(data.validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(settings.seed, fit.fold, 0))  # for what is learned beside the network
            self.learner = make_learner(network, data.codes[self.train_rows], data.n_classes, settings)
        self.class_weights = self.learner.class_weights.numpy().astype(np.float64)
        self.learner = self.learner.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.feed = Feed(data.examples, self.device, cancel=cancel)
        self.codes = torch.from_numpy(data.codes).to(self.device)
        plain = make_optimizer(self.learner, settings)
        there = read_checkpoint(fit.checkpoint, fit.run, self.learner, plain)
        self.state = there.state if there else TrainingState(run=fit.run, at_a_time=settings.batch_size)
        self.best = there.best if there else copy_of_weights(network)
        self.average = WeightAverage(network) if settings.average_weights else None
        if there and self.average:
            self.average.load(there.average, self.state.steps)
        if there and self.state.scaler:
            self.fabric.strategy.precision.load_state_dict(self.state.scaler)
        learner: Any = torch.compile(self.learner) if settings.compile else self.learner
        self.wrapped, self.optimizer = self.fabric.setup(learner, plain)
        self.notes: list[str] = []

    def keep(self) -> None:
        """Write the checkpoint."""
        if self.fabric.global_rank:
            return
        self.state.scaler = dict(self.fabric.strategy.precision.state_dict())
        average = {k: v.cpu().contiguous() for k, v in self.average.tensors.items()} if self.average else None
        write_checkpoint(self.fit.checkpoint, self.state, self.learner, self.optimizer, self.best, average)

    def epoch(self) -> None:
        """Train for one epoch, and bring the state and the best weights up to date."""
        started = time.monotonic()
        number = self.state.epoch + 1
        self.notes = []
        loss, accuracy, _ = self._train(number)
        seconds = time.monotonic() - started
        watches = len(self.validation_rows) > 0
        with self._averaged():
            watched, watched_accuracy, balanced = self._validate() if watches else (loss, accuracy, None)
            self._take_stock(number, watched, loss, watches=watches)
        shown = math.isfinite(loss) and math.isfinite(watched)
        self.state.history.append(
            {
                "fold": self.fit.fold,
                "stage": self.fit.stage,
                "epoch": number,
                "train_loss": loss if shown else None,
                "validation_loss": watched if watches and shown else None,
                "train_accuracy": accuracy,
                "validation_accuracy": watched_accuracy if watches else None,
                "validation_balanced_accuracy": balanced,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "cells_per_s": round(len(self.train_rows) / max(seconds, 1e-9), 1),
                "device": str(self.device),
                "seconds": round(seconds, 3),
                "notes": "; ".join(self.notes),
            }
        )

    def _take_stock(self, number: int, watched: float, loss: float, *, watches: bool) -> None:
        """Keep the weights where they are the best so far, and say whether to go on."""
        state = self.state
        state.epoch = number
        if not math.isfinite(loss) or not math.isfinite(watched):
            if state.best_loss is None:
                raise ClassifierError("the loss is not a number from the first epoch on. Lower the learning rate.")
            state.finished = True
            self.notes.append(f"the loss is not a number any more: the weights of epoch {state.best_epoch} are kept")
            return
        if state.best_loss is None or watched < state.best_loss or not watches:
            state.best_loss, state.best_epoch = watched, number
            self.best = copy_of_weights(self.network)
        stale = number - state.best_epoch
        state.finished = number >= self.settings.epochs or stale >= self.settings.patience

    # An epoch

    def _train(self, epoch: int) -> tuple[float, float, float]:
        """Show every example once; (mean loss, accuracy, balanced accuracy) while learning."""
        random = torch.Generator().manual_seed(seed_of(self.settings.seed, self.fit.fold, epoch))
        steps = self._steps(epoch)
        learned = Tally(self.fabric, self.data.n_classes)
        self.wrapped.train()
        with torch.random.fork_rng(devices=_cuda_devices(self.device)):  # for what drops out inside networks
            torch.manual_seed(seed_of(self.settings.seed, self.fit.fold, epoch))
            at = 0
            while at < len(steps):
                at = self._train_from(steps, at, epoch, random, learned)
        return learned.means()

    def _steps(self, epoch: int) -> list[IntArray]:
        """Deal the training examples out: one array of rows for each step of the optimizer."""
        settings, rows = self.settings, self.train_rows
        numbers = np.random.default_rng((settings.seed, self.fit.fold, epoch))
        batches = epoch_batches(
            self.data.codes[rows],
            settings.batch_size * settings.accumulate,
            numbers,
            balance=settings.balance,
            plate=self.data.plate[rows] if settings.batches_within_plate else None,
        )
        own = slice(self.fabric.global_rank, None, self.fabric.world_size)
        return [rows[batch][own] for batch in batches if len(batch) >= LEAST_BATCH * self.fabric.world_size]

    def _train_from(self, steps: list[IntArray], at: int, epoch: int, random: torch.Generator, learned: Tally) -> int:
        """Take steps until all are done, or memory is full; say which comes next."""
        parts = [_in_parts(step, self.state.at_a_time) for step in steps[at:]]
        fed = self.feed.batches([part for step in parts for part in step])
        try:
            for index, step in enumerate(parts, at):
                share_done = (epoch - 1 + index / len(steps)) / self.settings.epochs
                self._set_learning_rate(share_done, epoch)
                self._step(step, fed, random, learned, share_done)
                if index % _LOOK_EVERY == _LOOK_EVERY - 1 and not learned.finite():
                    return len(steps)
                at = index + 1
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self._take_less(len(parts[0][0]))
        return at

    def _step(
        self, step: list[IntArray], fed: Iterator[Streams], random: torch.Generator, learned: Tally, share_done: float
    ) -> None:
        """One step of the optimizer, its examples in parts that fit into memory."""
        self._stop_if_asked()
        self.optimizer.zero_grad(set_to_none=True)
        weight = sum(self._weight(part) for part in step)
        if self.fabric.world_size > 1:  # gradients of devices are averaged: here they are to be added up
            whole = torch.tensor(weight, device=self.device, dtype=torch.float64)
            weight = float(summed(self.fabric, whole)) / self.fabric.world_size
        of_step = []
        for number, part in enumerate(step):
            self.cancel.raise_if_cancelled()
            codes = self._codes(part)
            streams = augmented(next(fed), self.settings, random, self.feed.layouts)
            streams = shrunk(streams, self.settings, share_done)
            streams, targets = mixed(streams, codes, self.data.n_classes, self.settings, random)
            with self.fabric.no_backward_sync(self.wrapped, enabled=number < len(step) - 1):
                losses, scores = self.wrapped(seen_as_batch(streams), targets)
                self.fabric.backward(losses.sum() / weight)
            of_step.append((losses.detach(), self._weight(part), scores.detach(), codes))
        most = self.settings.clip_norm
        if most is not None:
            self.fabric.clip_gradients(self.wrapped, self.optimizer, max_norm=most, error_if_nonfinite=False)
        self.optimizer.step()
        self.state.steps += 1
        if self.average:
            self.average.update(self.network)
        for one in of_step:
            learned.add(*one)

    def _take_less(self, at_a_time: int) -> None:
        """Go on with half as many examples at a time; the gradients of a step are still those of all of them."""
        if self.fabric.world_size > 1:
            raise DeviceError(f"the memory of {self.device} is full. Choose a smaller batch_size, or a single device.")
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.state.at_a_time = at_a_time // 2
        if self.state.at_a_time < LEAST_BATCH:
            raise DeviceError(
                f"not even two examples fit into the memory of {self.device}. Choose a smaller crop size or "
                "architecture, or another --device."
            )
        self.notes.append(f"out of memory: {self.state.at_a_time} examples at a time instead of {at_a_time}")

    def _set_learning_rate(self, share_done: float, epoch: int) -> None:
        factor = learning_rate_factor(self.settings, share_done, epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor

    # What is watched

    def _averaged(self) -> AbstractContextManager[None]:
        """Put the running average in the place of the weights, for a while."""
        return self.average.in_place_of_weights(self.network) if self.average else nullcontext()

    @torch.inference_mode()
    def _validate(self) -> tuple[float, float, float]:
        """(mean loss, accuracy, balanced accuracy) on inner validation."""
        self.wrapped.eval()
        rows = self.validation_rows[self.fabric.global_rank :: self.fabric.world_size]
        watched = Tally(self.fabric, self.data.n_classes)
        parts = _in_parts(rows, max(self.state.at_a_time, LEAST_BATCH))
        for part, streams in zip(parts, self.feed.batches(parts), strict=True):
            self._stop_if_asked()
            codes = self._codes(part)
            targets = functional.one_hot(codes, self.data.n_classes).float()
            losses, scores = self.wrapped(seen_as_batch(streams), targets)
            watched.add(losses, self._weight(part), scores, codes)
        return watched.means()

    # Odds and ends

    def _codes(self, rows: IntArray) -> Tensor:
        return self.codes[torch.from_numpy(rows).to(self.device)]

    def _weight(self, rows: IntArray) -> float:
        """How much some examples weigh, all together."""
        return float(self.class_weights[self.data.codes[rows]].sum())

    def _stop_if_asked(self) -> None:
        """Stop where a person asked to: several devices in the same step, or they would wait for each other."""
        if self.fabric.world_size > 1:
            asked = torch.tensor(float(self.cancel.cancelled), device=self.device)
            if float(summed(self.fabric, asked)) > 0:
                self.cancel.cancel()
        self.cancel.raise_if_cancelled()


def _in_parts(rows: IntArray, at_a_time: int) -> list[IntArray]:
    """Cut into parts of nearly the same size, none of a single row."""
    return np.array_split(rows, max(1, -(-len(rows) // at_a_time)))


def _cuda_devices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


def seed_of(seed: int, fold: int, epoch: int) -> int:
    """Give each epoch of each fold its own seed, so that a resumed run draws what an unbroken one would."""
    return int(np.random.SeedSequence((seed, fold, epoch)).generate_state(1, np.uint64)[0] >> 1)
