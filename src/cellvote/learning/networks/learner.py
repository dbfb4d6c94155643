"""The learner: a network and its loss as one module, so that precision and several devices wrap both at once."""

import logging
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cellvote.errors import SettingsError
from cellvote.learning.architectures import output_count
from cellvote.learning.networks.losses import ArcFaceLoss, ScoreLoss, make_loss
from cellvote.learning.sampling import IntArray
from cellvote.learning.settings import TrainSettings

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells everybody its precision and processes


class Learner(nn.Module):
    """A network and the loss that it learns by."""

    def __init__(self, network: nn.Module, loss: ScoreLoss | ArcFaceLoss) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    @property
    def class_weights(self) -> Tensor:
        """(K,) how much each class weighs."""
        return (self.loss.scores if isinstance(self.loss, ArcFaceLoss) else self.loss).class_weights

    def forward(self, streams: tuple[Tensor, ...], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Streams and N×K targets, rows summing to 1, to (N,) losses and the scores."""
        losses, scores = self.loss(self.network, streams, targets)
        return losses, scores


def make_learner(network: nn.Module, codes: IntArray, n_classes: int, settings: TrainSettings) -> Learner:
    """Put a network and the loss of the settings together.

    Parameters
    ----------
    codes
        (N,) class numbers of the examples that are learned from.

    Raises
    ------
    SettingsError
        Where the loss asks for something that the network or the classes do not have.
    """
    if settings.loss == "binary" and n_classes != 2:
        raise SettingsError(f"loss=binary is for two classes, and there are {n_classes}: choose another loss.")
    weights = torch.ones(n_classes)
    if settings.balance == "weights":
        counts = np.bincount(codes, minlength=n_classes)
        weights = torch.tensor(len(codes) / np.maximum(counts, 1) / n_classes, dtype=torch.float32)
    one_score = n_classes == 2 and output_count(settings.architecture, n_classes) == 1
    if one_score and settings.loss != "binary":
        settings = settings.model_copy(update={"loss": "binary"})
    head = getattr(network, "head", None)
    if settings.loss == "arcface" and not (isinstance(head, nn.Linear) and hasattr(network, "features")):
        raise SettingsError(f"loss=arcface asks for the features of a network, and {settings.architecture} gives none.")
    return Learner(network, make_loss(settings, weights, head.in_features if isinstance(head, nn.Linear) else 0))


def make_optimizer(learner: Learner, settings: TrainSettings) -> torch.optim.Optimizer:
    """Make the optimizer of the settings over what is to be learned."""
    learned = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(learned, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    # One pass over all weights takes a third of the time; on GPUs it would not go with fp16 and clipped gradients.
    return kind(learned, rate, weight_decay=decay, fused=all(one.device.type == "cpu" for one in learned))


def precision_of(settings: TrainSettings, device: torch.device) -> Any:
    """Name the precision in Fabric's words: bf16 by itself only where the hardware computes in it."""
    wanted = settings.precision
    if wanted == "auto":
        wanted = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}[wanted]


def fabric_on(device: torch.device, settings: TrainSettings) -> Fabric:
    """Make Fabric for one device."""
    devices: Any = 1 if device.type != "cuda" else [device.index or 0]
    return Fabric(accelerator=device.type, devices=devices, precision=precision_of(settings, device))


def seen_as_batch(streams: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Lay images out as convolutions read them fastest."""
    return tuple(
        stream.contiguous(memory_format=torch.channels_last) if stream.ndim == 4 else stream for stream in streams
    )


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's memory is full."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
