"""Checkpoints of a training run: safetensors and JSON, written atomically, no pickle."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cellvote.study.atomic import read_json, write_bytes, write_json

_MOMENTS: Final = ("exp_avg", "exp_avg_sq")


@dataclass
class TrainingState:
    """Where a training run stands after a whole epoch.

    Attributes
    ----------
    epoch
        How many epochs are done.
    best_epoch, best_loss
        Of the epoch whose weights will be kept.
    finished
        Whether training ended, by itself or by early stopping.
    history
        One row per epoch, as in ``history.csv``.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


Weights = dict[str, Tensor]


def copy_of_weights(network: nn.Module) -> Weights:
    """Copy the weights of a network to the CPU."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in network.state_dict().items()}


def write_checkpoint(
    path: Path, state: TrainingState, network: nn.Module, optimizer: torch.optim.Optimizer, best: Weights
) -> None:
    """Write all that is needed to go on; the JSON file is written last and makes it count."""
    tensors = {f"now/{name}": tensor for name, tensor in copy_of_weights(network).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"{name}/{index}": moments[name].cpu().contiguous() for name in _MOMENTS}
        tensors[f"step/{index}"] = moments["step"].reshape(1).cpu()
    metadata = {"epoch": str(state.epoch)}
    write_bytes(path.with_suffix(".safetensors"), safetensors.torch.save(tensors, metadata))
    write_json(path.with_suffix(".json"), asdict(state))


def read_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[TrainingState, Weights] | None:
    """Go on from a checkpoint: fill the network and the optimizer; None where there is none that is whole."""
    weights_path = path.with_suffix(".safetensors")
    if not path.with_suffix(".json").exists() or not weights_path.exists():
        return None
    state = TrainingState(**read_json(path.with_suffix(".json")))
    try:
        with safetensors.safe_open(weights_path, "pt") as file:
            if (file.metadata() or {}).get("epoch") != str(state.epoch):
                return None  # killed between the two files: begin this fold again
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError:
        return None
    network.load_state_dict(_below(tensors, "now"))
    slots = _below(tensors, "exp_avg")
    saved = optimizer.state_dict()
    saved["state"] = {
        int(index): {
            "step": tensors[f"step/{index}"].reshape(()),
            **{name: tensors[f"{name}/{index}"] for name in _MOMENTS},
        }
        for index in slots
    }
    optimizer.load_state_dict(saved)
    return state, _below(tensors, "best")


def _below(tensors: Weights, prefix: str) -> Weights:
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}
