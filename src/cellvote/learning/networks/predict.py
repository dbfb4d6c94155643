"""Predicting with a trained network: class probabilities of examples, batch by batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cellvote.errors import DeviceError
from cellvote.learning.examples import Examples, IntArray
from cellvote.learning.networks.augmentation import views as views_of
from cellvote.learning.networks.feeding import Feed
from cellvote.learning.networks.learner import out_of_memory, seen_as_batch
from cellvote.learning.networks.losses import probabilities_of
from cellvote.progress import CancelToken

PREDICT_BATCH: Final = 512
Probabilities = npt.NDArray[np.float64]


def predict_network(
    network: nn.Module,
    examples: Examples,
    rows: IntArray,
    device: torch.device,
    *,
    views: int = 1,
    cancel: CancelToken,
    on_batch: Callable[[int], None],
) -> Probabilities:
    """Class probabilities of some examples.

    Where memory is full, batches are halved; what is said of an example does not hang on its batch.

    Parameters
    ----------
    rows
        Which of the examples.
    views
        So many flips and turns of each are predicted, and the mean is taken.
    on_batch
        Told how many examples each batch had.

    Returns
    -------
    ndarray
        (len(rows), K), rows summing to 1.

    Raises
    ------
    DeviceError
        Where not a single example fits into memory.
    """
    network.eval()
    feed, said, at, size = Feed(examples, device, cancel=cancel), [np.zeros((0, 0))], 0, PREDICT_BATCH
    while at < len(rows):
        try:
            for part in _batches(feed, network, rows[at:], size, views, cancel):
                said.append(part)
                at += len(part)
                on_batch(len(part))
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise DeviceError(
                    f"not even one example fits into the memory of {device}. Choose another --device."
                ) from error
            size //= 2
            if device.type == "cuda":
                torch.cuda.empty_cache()
    return np.concatenate(said[1:]) if len(said) > 1 else said[0]


@torch.inference_mode()
def _batches(
    feed: Feed, network: nn.Module, rows: IntArray, size: int, views: int, cancel: CancelToken
) -> Iterator[Probabilities]:
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    for streams in feed.batches(parts):
        cancel.raise_if_cancelled()
        seen = [probabilities_of(network(*seen_as_batch(view))) for view in views_of(streams, views, feed.layouts)]
        yield (sum(seen[1:], seen[0]) / len(seen)).cpu().numpy()


@contextmanager
def adapted(network: nn.Module, examples: Examples, rows: IntArray, device: torch.device) -> Iterator[nn.Module]:
    """Estimate the statistics of batch normalisation anew on some examples, for a while.

    Nado et al., "Evaluating prediction-time batch normalization for robustness under covariate shift", 2020. What is
    predicted is looked at as a whole, so predictions are transductive, and whoever reports them says so.

    Parameters
    ----------
    rows
        The examples: those of one plate. Of a single one nothing can be estimated: the statistics stay as they are.
    """
    parts = [part for part in np.array_split(rows, max(1, -(-len(rows) // PREDICT_BATCH))) if len(part) > 1]
    if not parts:
        yield network.eval()
        return
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    kept = [{k: v.detach().clone() for k, v in layer.state_dict().items()} for layer in layers]
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
        layer.train()
    try:
        with torch.inference_mode():
            for streams in Feed(examples, device).batches(parts):
                network(*seen_as_batch(streams))
        yield network.eval()
    finally:
        for layer, state, momentum in zip(layers, kept, momenta, strict=True):
            layer.load_state_dict(state)
            layer.momentum = momentum
        network.eval()
