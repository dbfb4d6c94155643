"""The training loop of networks on crops: deterministic, resumable after any epoch, cancellable in any batch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from cellvote.errors import ClassifierError
from cellvote.learning.architectures import build_architecture
from cellvote.learning.networks.checkpoint import (
    TrainingState,
    Weights,
    copy_of_weights,
    read_checkpoint,
    write_checkpoint,
)
from cellvote.learning.networks.crops_on_device import augmented, scaled, to_device
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken

PREDICT_BATCH: Final = 512
OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingCrops:
    """What a network is trained on.

    Attributes
    ----------
    crops
        N×C×H×W, as stored.
    codes
        (N,) class numbers.
    limits
        (N, 2, C) what is black and white for each crop.
    validation
        (N,) bool: not trained on, but watched to stop early.
    """

    crops: npt.NDArray[np.generic]
    codes: npt.NDArray[np.int64]
    limits: npt.NDArray[np.float32]
    validation: npt.NDArray[np.bool_]


def fit_network(
    data: TrainingCrops,
    n_classes: int,
    settings: TrainSettings,
    *,
    fold: int,
    device: torch.device,
    checkpoint: Path,
    on_epoch: OnEpoch,
    cancel: CancelToken,
) -> Weights:
    """Train one network, from its checkpoint where there is one.

    Returns
    -------
    dict
        The weights of the best epoch, on the CPU.

    Raises
    ------
    CancelledError
        Where it was cancelled; the last whole epoch is in the checkpoint.
    ClassifierError
        Where the loss is not a number before any epoch was good.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(settings.seed, fold, 0))
        network = build_architecture(
            settings.architecture,
            channels=data.crops.shape[1],
            size_px=data.crops.shape[-1],
            n_classes=n_classes,
        )
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(network, data, n_classes, settings, fold, device, cancel)
    resumed = read_checkpoint(checkpoint, network, run.optimizer)
    state, best = resumed or (TrainingState(), copy_of_weights(network))
    for row in state.history:
        on_epoch(row)
    while not state.finished:
        best = run.epoch(state, best)
        write_checkpoint(checkpoint, state, network, run.optimizer, best)
        on_epoch(state.history[-1])
    return best


class _Run:
    """One network in training."""

    def __init__(
        self,
        network: nn.Module,
        data: TrainingCrops,
        n_classes: int,
        settings: TrainSettings,
        fold: int,
        device: torch.device,
        cancel: CancelToken,
    ) -> None:
        self.network, self.settings, self.fold, self.device, self.cancel = (
            network,
            settings,
            fold,
            device,
            cancel,
        )
        self.crops = to_device(data.crops, device)
        self.codes = torch.from_numpy(data.codes).to(device)
        self.limits = torch.from_numpy(data.limits).to(device)
        self.train_rows = torch.from_numpy(np.flatnonzero(~data.validation))
        self.validation_rows = torch.from_numpy(np.flatnonzero(data.validation))
        counts = np.bincount(data.codes[~data.validation], minlength=n_classes)
        weights = len(self.train_rows) / np.maximum(counts, 1) / n_classes
        self.class_weights = torch.tensor(weights, dtype=torch.float32, device=device)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.n_batches = max(1, math.ceil(len(self.train_rows) / settings.batch_size))

    def epoch(self, state: TrainingState, best: Weights) -> Weights:
        """Train for one epoch, bring the state up to date, and return the best weights so far."""
        started = time.monotonic()
        number = state.epoch + 1
        loss, accuracy = self._train(number)
        seconds = time.monotonic() - started
        watched, watched_accuracy = self._validate() if len(self.validation_rows) else (loss, accuracy)
        state.epoch = number
        state.history.append(
            {
                "fold": self.fold,
                "epoch": number,
                "train_loss": loss,
                "validation_loss": watched if len(self.validation_rows) else None,
                "train_accuracy": accuracy,
                "validation_accuracy": watched_accuracy if len(self.validation_rows) else None,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "cells_per_s": round(len(self.train_rows) / max(seconds, 1e-9), 1),
                "device": str(self.device),
                "seconds": round(seconds, 3),
            }
        )
        if not math.isfinite(loss) or not math.isfinite(watched):
            if state.best_loss is None:
                raise ClassifierError("the loss is not a number from the first epoch on. Lower the learning rate.")
            state.finished = True
            state.history[-1] |= {"train_loss": None, "validation_loss": None}
            return best
        if state.best_loss is None or watched < state.best_loss:
            state.best_loss, state.best_epoch = watched, number
            best = copy_of_weights(self.network)
        stale = number - state.best_epoch
        state.finished = number >= self.settings.epochs or stale >= self.settings.patience
        return best

    def _train(self, epoch: int) -> tuple[float, float]:
        random = torch.Generator().manual_seed(_seed(self.settings.seed, self.fold, epoch))
        order = self.train_rows[torch.randperm(len(self.train_rows), generator=random)]
        self.network.train()
        losses, right = 0.0, 0
        for batch, rows in enumerate(order.split(self.settings.batch_size)):
            self.cancel.raise_if_cancelled()
            if len(rows) < 2:
                continue  # batch normalisation needs two
            self._set_learning_rate((epoch - 1 + batch / self.n_batches) / self.settings.epochs)
            crops = augmented(self._scaled(rows), self.settings.intensity_jitter, random)
            codes = self.codes[rows.to(self.device)]
            scores = self.network(crops.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                scores, codes, self.class_weights, label_smoothing=self.settings.label_smoothing
            )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses += loss.item() * len(rows)
            right += int((scores.argmax(1) == codes).sum())
        return losses / len(order), right / len(order)

    def _validate(self) -> tuple[float, float]:
        rows = self.validation_rows
        scores = torch.cat([_scores(self.network, self._scaled(part)) for part in rows.split(PREDICT_BATCH)])
        codes = self.codes[rows.to(self.device)]
        loss = functional.cross_entropy(scores, codes, self.class_weights)
        return float(loss), float((scores.argmax(1) == codes).float().mean())

    def _scaled(self, rows: Tensor) -> Tensor:
        rows = rows.to(self.device)
        return scaled(self.crops[rows], self.limits[rows])

    def _set_learning_rate(self, share_done: float) -> None:
        """Warm up over a tenth of the run, then fall as a cosine."""
        warm = 0.1
        if share_done < warm:
            factor = 0.1 + 0.9 * share_done / warm
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (share_done - warm) / (1 - warm)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * max(factor, 1e-3)


def predict_network(
    network: nn.Module,
    crops: npt.NDArray[np.generic],
    limits: npt.NDArray[np.float32],
    device: torch.device,
    cancel: CancelToken,
    on_batch: Callable[[int], None],
) -> npt.NDArray[np.float64]:
    """Class probabilities of crops.

    Parameters
    ----------
    crops
        N×C×H×W, may be memory-mapped: read batch by batch.
    limits
        (N, 2, C).
    on_batch
        Told how many crops each batch had.

    Returns
    -------
    ndarray
        (N, K), rows summing to 1.
    """
    parts = [np.zeros((0, 0))]
    for start in range(0, len(crops), PREDICT_BATCH):
        cancel.raise_if_cancelled()
        rows = slice(start, start + PREDICT_BATCH)
        batch = scaled(to_device(crops[rows], device), torch.from_numpy(limits[rows]).to(device))
        parts.append(torch.softmax(_scores(network, batch).double(), dim=1).cpu().numpy())
        on_batch(len(batch))
    return np.concatenate(parts[1:]) if len(parts) > 1 else parts[0]


@torch.inference_mode()
def _scores(network: nn.Module, crops: Tensor) -> Tensor:
    network.eval()
    scores: Tensor = network(crops.contiguous(memory_format=torch.channels_last))
    return scores


def _seed(seed: int, fold: int, epoch: int) -> int:
    """Give each epoch of each fold its own seed, so that a resumed run draws what an unbroken one would."""
    return int(np.random.SeedSequence((seed, fold, epoch)).generate_state(1, np.uint64)[0] >> 1)
