"""Feeding: what lies in a file comes to the network scaled, in order, on the device."""

import numpy as np
import pytest
import torch

from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.feeding import Feed


def stored(array: np.ndarray, rows: list[int], channels: list[int] | None = None, **changes: object) -> StoredImages:
    n_channels = len(channels) if channels is not None else array.shape[1]
    limits = np.stack([np.zeros(n_channels), np.full(n_channels, 100)])[None].astype(np.float32)
    given = {
        "array": array,
        "rows": np.array(rows),
        "channels": np.arange(array.shape[1]) if channels is None else np.array(channels),
        "limits": limits,
        "group": np.zeros(len(rows), np.int64),
    }
    return StoredImages(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_stored_images_come_scaled_by_the_limits_of_their_group(dtype: type) -> None:
    array = np.full((3, 2, 8, 8), 25, dtype)
    limits = np.array([[[0, 0], [100, 25]], [[25, 0], [50, 100]]], np.float32)
    images = stored(array, [2, 0], limits=limits, group=np.array([0, 1]))
    feed = Feed(Examples(((images,),)), torch.device("cpu"))
    (batch,), (rest,) = feed.batches([np.array([0]), np.array([1])])
    assert batch.dtype == torch.float32
    torch.testing.assert_close(batch[0, :, 0, 0], torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(rest[0, :, 0, 0], torch.tensor([0.0, 0.5]))


def test_channels_come_in_the_order_of_the_network_and_streams_are_stacked() -> None:
    array = np.arange(3, dtype=np.uint8)[None, :, None, None] * np.ones((2, 3, 4, 4), np.uint8)
    first = stored(array, [0, 1], [2, 0], curve="linear")
    second = stored(array, [0, 1], [1], curve="linear", jittered=False)
    examples = Examples(((first, second), (second,)), np.array([[1.0], [2.0]], np.float32))
    ((stacked, alone, measurements),) = Feed(examples, torch.device("cpu")).batches([np.array([1, 0])])
    assert (stacked[0, :, 0, 0] * 100).round().tolist() == [2, 0, 1]
    assert alone.shape == (2, 1, 4, 4)
    assert measurements.tolist() == [[2.0], [1.0]]
    assert examples.n_channels == (3, 1)
    assert examples.layouts[0].jittered == (0, 1)
