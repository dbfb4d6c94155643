"""What a network has learned so far, added up on the device: looking at each batch would wait for it."""

import torch
from lightning_fabric import Fabric
from torch import Tensor


class Tally:
    """Losses and right answers of many batches, on all devices.

    Parameters
    ----------
    fabric
        Knows the other devices.
    """

    def __init__(self, fabric: Fabric, n_classes: int) -> None:
        self.fabric = fabric
        self.sums = torch.zeros(2, device=fabric.device, dtype=torch.float64)
        self.right, self.shown = (torch.zeros(n_classes, device=fabric.device) for _ in range(2))

    def add(self, losses: Tensor, weight: float, scores: Tensor, codes: Tensor) -> None:
        """Add a batch.

        Parameters
        ----------
        losses
            (N,).
        weight
            What these losses are to be divided by: how much their examples weigh.
        scores
            N×K, or N×1.
        codes
            (N,) class numbers.
        """
        self.sums += torch.stack([losses.detach().sum(), torch.as_tensor(weight, device=losses.device)])
        said = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.detach().argmax(dim=1)
        self.right += torch.bincount(codes[said == codes], minlength=len(self.right))
        self.shown += torch.bincount(codes, minlength=len(self.shown))

    def finite(self) -> bool:
        """Whether the loss is still a number."""
        return bool(torch.isfinite(self.sums[0]))

    def means(self) -> tuple[float, float, float]:
        """(mean loss, accuracy, balanced accuracy) over all devices."""
        if self.fabric.world_size > 1:
            for part in (self.sums, self.right, self.shown):
                part.copy_(summed(self.fabric, part))
        loss, weight = self.sums.tolist()
        there = self.shown > 0
        recalls = self.right[there] / self.shown[there]
        accuracy = float(self.right.sum() / self.shown.sum().clamp(min=1))
        return loss / max(weight, 1e-12), accuracy, float(recalls.mean()) if len(recalls) else 0.0


def summed(fabric: Fabric, tensor: Tensor) -> Tensor:
    """Add a tensor up over all devices."""
    result = fabric.all_reduce(tensor, reduce_op="sum")
    assert isinstance(result, Tensor)  # noqa: S101 - tells the type: a tensor comes back for a tensor
    return result
