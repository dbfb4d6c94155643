"""Checkpoints of a training run: safetensors and JSON, written atomically, no pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cellvote.errors import ClassifierError
from cellvote.study.atomic import read_json, write_bytes, write_json


@dataclass
class TrainingState:
    """Where a training run stands after a whole epoch.

    Attributes
    ----------
    run
        What is trained, in one word: a checkpoint of another run is not gone on from.
    epoch
        How many epochs are done.
    best_epoch, best_loss
        Of the epoch whose weights will be kept.
    finished
        Whether training ended, by itself or by early stopping.
    at_a_time
        How many examples fit into memory at once.
    scaler
        Of 16-bit training: by what gradients are kept from vanishing.
    history
        One row per epoch, as in ``history.csv``.
    """

    run: str = ""
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    finished: bool = False
    at_a_time: int = 0
    steps: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


Weights = dict[str, Tensor]


def copy_of_weights(network: nn.Module) -> Weights:
    """Copy the weights of a network to the CPU."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in network.state_dict().items()}


def write_checkpoint(
    path: Path,
    state: TrainingState,
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Weights,
    average: Weights | None = None,
) -> None:
    """Write all that is needed to go on; the JSON file is written last and makes it count.

    Parameters
    ----------
    learner
        The network with what is learned beside it.
    average
        The running average of the network's weights, where there is one.
    """
    tensors = {f"now/{name}": tensor for name, tensor in copy_of_weights(learner).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    tensors |= {f"average/{name}": tensor for name, tensor in (average or {}).items()}
    for index, kept in optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                # a copy: fused optimizers may share memory, which safetensors refuses
                tensors[f"optimizer/{index}/{name}"] = value.detach().cpu().clone().contiguous()
    metadata = {"epoch": str(state.epoch)}  # one entry: their order is not kept
    write_bytes(path.with_suffix(".safetensors"), safetensors.torch.save(tensors, metadata))
    write_json(path.with_suffix(".json"), asdict(state))


@dataclass(frozen=True)
class Checkpoint:
    """What was read of a run."""

    state: TrainingState
    best: Weights
    average: Weights


def read_checkpoint(path: Path, run: str, learner: nn.Module, optimizer: torch.optim.Optimizer) -> Checkpoint | None:
    """Go on from a checkpoint: fill the learner and the optimizer; None where there is none that is whole.

    Raises
    ------
    ClassifierError
        Where it is of another run: other settings, other examples.
    """
    weights_path = path.with_suffix(".safetensors")
    if not path.with_suffix(".json").exists() or not weights_path.exists():
        return None
    try:
        state = TrainingState(**read_json(path.with_suffix(".json")))
    except TypeError as error:
        raise ClassifierError(f"{path.with_suffix('.json')}: is of another version ({error}). Delete it.") from error
    if state.run != run:
        raise ClassifierError(
            f"{path}: is the checkpoint of a run with other settings or cells. Train with --overwrite, or under "
            "another --name."
        )
    try:
        with safetensors.safe_open(weights_path, "pt") as file:
            if (file.metadata() or {}).get("epoch") != str(state.epoch):
                return None  # killed between the two files: begin this fold again
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError:
        return None
    learner.load_state_dict(_below(tensors, "now"))
    saved = optimizer.state_dict()
    saved["state"] = {}
    for name, tensor in _below(tensors, "optimizer").items():
        index, _, what = name.partition("/")
        saved["state"].setdefault(int(index), {})[what] = tensor
    optimizer.load_state_dict(saved)
    _lay_out_as_weights(optimizer)
    return Checkpoint(state, _below(tensors, "best"), _below(tensors, "average"))


def _lay_out_as_weights(optimizer: torch.optim.Optimizer) -> None:
    """Lay moments out in memory as the weights are: else other kernels compute them, and round differently."""
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.ndim:
                kept[name] = torch.empty_like(weight).copy_(value)


def run_name(facts: dict[str, Any]) -> str:
    """Name a run after all that its result hangs on: settings and a digest of the examples."""
    import hashlib

    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=12).hexdigest()


def _below(tensors: Weights, prefix: str) -> Weights:
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}
