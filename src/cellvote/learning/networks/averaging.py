"""A running average of a network's weights: what is kept of a run instead of its last, noisy step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn

MOST: Final = 0.99
"""How much of the average stays with each step, once there have been many."""


class WeightAverage:
    """The exponential running average of all weights and statistics of a network (Polyak & Juditsky, 1992).

    Early on it forgets faster, so that the first, random weights do not stay in it.
    """

    def __init__(self, network: nn.Module) -> None:
        self.tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take a step of the network into the average."""
        self.steps += 1
        keep = min(MOST, (1 + self.steps) / (10 + self.steps))
        floats: tuple[list[Tensor], list[Tensor]] = ([], [])
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                floats[0].append(self.tensors[name])
                floats[1].append(tensor.detach())
            else:
                self.tensors[name].copy_(tensor)  # how many batches a normalisation has seen
        torch._foreach_lerp_(*floats, 1 - keep)

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Go on from an average that was kept."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)
        self.steps = steps

    @contextmanager
    def in_place_of_weights(self, network: nn.Module) -> Iterator[None]:
        """Put the average in the place of the network's weights while a block runs."""
        own = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.tensors)
        try:
            yield
        finally:
            network.load_state_dict(own)
