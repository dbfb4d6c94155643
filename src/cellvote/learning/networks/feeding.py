"""Feeding: batches of examples, scaled, on the device."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from cellvote.learning.examples import Examples, IntArray, StoredImages, StreamLayout
from cellvote.learning.networks.augmentation import Streams, augmented

__all__ = ["Examples", "Feed", "StoredImages", "StreamLayout", "Streams", "augmented"]


class Feed:
    """Gives batches of examples, scaled, on a device.

    Parameters
    ----------
    examples
        What is fed.
    device
        Where the batches are wanted.
    """

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self.examples, self.device = examples, device

    @property
    def layouts(self) -> tuple[StreamLayout, ...]:
        """What the channels of each stream of images are, for `augmented`."""
        return self.examples.layouts

    def batches(self, batches: Sequence[IntArray]) -> Iterator[Streams]:
        """Give batches in order.

        Parameters
        ----------
        batches
            Which examples each batch is made of.

        Yields
        ------
        tuple of Tensor
            For each stream of images N×C×H×W float32, scaled; then N×F measurements where there are any.
        """
        for batch in batches:
            streams = [self._images(stream, batch) for stream in self.examples.streams]
            if self.examples.measurements is not None:
                streams.append(torch.from_numpy(self.examples.measurements[batch]).to(self.device))
            yield tuple(streams)

    def _images(self, stream: Sequence[StoredImages], batch: IntArray) -> Tensor:
        parts = []
        for images in stream:
            stored = np.ascontiguousarray(images.array[images.rows[batch]][:, images.channels])
            limits = torch.from_numpy(images.limits[images.group[batch]]).to(self.device)
            parts.append(scaled(torch.from_numpy(stored).to(self.device), limits, images.curve))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def scaled(stored: Tensor, limits: Tensor, curve: str = "root") -> Tensor:
    """Scale N×C×H×W stored images so that the first limit is 0 and the second 1: N×2×C, or 2×C for all."""
    low, high = limits.unbind(-2)
    low, high = low[..., None, None], high[..., None, None]
    images = stored.float().sub_(low).div_(high - low)
    return images.clamp_(0.0, 4.0).sqrt_() if curve == "root" else images
