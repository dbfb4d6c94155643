"""Training on several devices of one machine: a process for each, their gradients averaged (DDP)."""

import copy
import threading
from dataclasses import replace
from typing import Any, Final

import torch
from lightning_fabric import Fabric
from torch import nn

from cellvote import errors
from cellvote.errors import CancelledError, CellVoteError, DeviceError
from cellvote.learning.networks.checkpoint import Weights
from cellvote.learning.networks.elsewhere import HistoryReader, received, sent, tell_nobody
from cellvote.learning.networks.fit import Fit, OnEpoch, Run, TrainingSet, train_to_the_end
from cellvote.learning.networks.learner import precision_of
from cellvote.processes import SharedToken, new_flag
from cellvote.progress import CancelToken

_LOOK_EVERY_S: Final = 0.2


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
    stop = new_flag(torch.multiprocessing.get_context("spawn"))
    told = HistoryReader(fit, on_epoch)
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
        self.network, self.fit, self.stop = network, fit, stop
        self.data = replace(data, examples=sent(data.examples))

    def __call__(self, fabric: Fabric) -> tuple[str, Any]:
        torch.set_num_threads(max(1, torch.get_num_threads() // fabric.world_size))
        try:
            network = copy.deepcopy(self.network)  # what is sent to a process lies in memory that all of them share
            data = replace(self.data, examples=received(self.data.examples))
            run = Run(network, data, self.fit, SharedToken(self.stop), fabric)
            best = train_to_the_end(run, tell_nobody)
        except CancelledError:
            return "cancelled", None
        except CellVoteError as error:
            return "error", (type(error).__name__, str(error))
        return "done", {name: tensor.numpy() for name, tensor in best.items()} if fabric.global_rank == 0 else None


class _Watch:
    """While training goes on elsewhere: tells epochs, and passes on that a person wants to stop."""

    def __init__(self, stop: Any, cancel: CancelToken, told: HistoryReader) -> None:
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
                self.stop.value = True
            self.told.tell_new()
