"""Training on several devices of one machine: a process for each, their gradients averaged (DDP)."""

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from cellvote import errors
from cellvote.errors import CancelledError, CellVoteError, DeviceError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.checkpoint import Weights
from cellvote.learning.networks.fit import Fit, OnEpoch, Run, TrainingSet, train_to_the_end
from cellvote.learning.networks.learner import precision_of
from cellvote.progress import CancelToken
from cellvote.study.atomic import read_json

_LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True)
class _MappedFile:
    """A memory-mapped array, to be opened anew in another process instead of being sent there."""

    path: Path
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    offset: int

    def open(self) -> np.memmap[Any, Any]:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


class _EventToken(CancelToken):
    """A cancel token that another process sets."""

    def __init__(self, event: Any) -> None:
        super().__init__()
        self.event = event

    @property
    def cancelled(self) -> bool:
        return super().cancelled or bool(self.event.is_set())

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise CancelledError("stopped")


def fit_on_several(
    network: nn.Module, data: TrainingSet, fit: Fit, *, on_epoch: OnEpoch, cancel: CancelToken
) -> Weights:
    """As `fit.fit_network`, on ``settings.devices`` devices.

    Every step's batch is dealt out to the devices, and their gradients are added up: the same step as on a single
    device, but for the statistics of batch normalisation, which on GPUs are shared, too.

    Raises
    ------
    DeviceError
        Where there are not so many devices.
    """
    n, kind = fit.settings.devices, fit.device.type
    there = torch.cuda.device_count() if kind == "cuda" else n if kind == "cpu" else 1
    if n > there:
        raise DeviceError(f"{n} devices were asked for, and there are {there} of {kind}. Lower --set devices=.")
    fabric = Fabric(accelerator=kind, devices=n, strategy="ddp_spawn", precision=precision_of(fit.settings, fit.device))
    if kind == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    stop = torch.multiprocessing.get_context("spawn").Event()
    told = _Teller(fit.checkpoint.with_suffix(".json"), fit.run, on_epoch)
    with _Watch(stop, cancel, told):
        outcome: tuple[str, Any] = fabric.launch(_TrainRank(network, data, fit, stop))
    told.tell_new()
    what, content = outcome
    if what == "cancelled":
        raise CancelledError("stopped")
    if what == "error":
        name, message = content
        raise getattr(errors, name, CellVoteError)(message)
    return {name: torch.from_numpy(array) for name, array in content.items()}


class _TrainRank:
    """Trains in one of the processes: what happened, and the weights as arrays.

    One object, as Fabric looks for tensors in each argument by itself, and into every container.
    """

    def __init__(self, network: nn.Module, data: TrainingSet, fit: Fit, stop: Any) -> None:
        self.network, self.data, self.fit, self.stop = network, _sent(data), fit, stop

    def __call__(self, fabric: Fabric) -> tuple[str, Any]:
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))
        try:
            network = copy.deepcopy(self.network)  # what is sent to a process lies in memory that all of them share
            run = Run(network, _received(self.data), self.fit, _EventToken(self.stop), fabric)
            best = train_to_the_end(run, _tell_nobody)
        except CancelledError:
            return "cancelled", None
        except CellVoteError as error:
            return "error", (type(error).__name__, str(error))
        return "done", {name: tensor.numpy() for name, tensor in best.items()} if fabric.global_rank == 0 else None


def _tell_nobody(row: dict[str, Any]) -> None:
    """Say nothing here: the first process reads the history from the checkpoint."""
    del row


class _Teller:
    """Tells the rows of a history that another process writes, each once."""

    def __init__(self, path: Path, run: str, on_epoch: OnEpoch) -> None:
        self.path, self.run, self.on_epoch, self.told = path, run, on_epoch, 0

    def tell_new(self) -> None:
        """Tell what was added."""
        state = read_json(self.path) if self.path.exists() else {}
        if state.get("run") != self.run:
            return
        for row in state["history"][self.told :]:
            self.told += 1
            self.on_epoch(row)


class _Watch:
    """While training goes on elsewhere: tells epochs, and passes on that a person wants to stop."""

    def __init__(self, stop: Any, cancel: CancelToken, told: _Teller) -> None:
        self.stop, self.cancel, self.told = stop, cancel, told
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="watch-training", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(_LOOK_EVERY_S):
            if self.cancel.cancelled:
                self.stop.set()
            self.told.tell_new()


def _sent(data: TrainingSet) -> TrainingSet:
    """Replace memory-mapped arrays by where they are."""

    def without(array: Any) -> Any:
        if isinstance(array, np.memmap) and isinstance(array.filename, str | Path):
            return _MappedFile(Path(array.filename), array.dtype, array.shape, array.offset)
        return array

    return replace(data, examples=_with_arrays(data.examples, without))


def _received(data: TrainingSet) -> TrainingSet:
    def opened(array: Any) -> Any:
        return array.open() if isinstance(array, _MappedFile) else array

    return replace(data, examples=_with_arrays(data.examples, opened))


def _with_arrays(examples: Examples, change: Callable[[Any], Any]) -> Examples:
    def changed(images: StoredImages) -> StoredImages:
        return replace(images, array=change(images.array))

    return replace(examples, streams=tuple(tuple(changed(one) for one in stream) for stream in examples.streams))
