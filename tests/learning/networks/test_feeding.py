"""Feeding: what lies in a file comes to the network scaled, in order, on the device."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from cellvote.errors import CancelledError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.feeding import Feed
from cellvote.progress import CancelToken


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


def on_disk(array: np.ndarray, path: Path) -> np.ndarray:
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def test_what_is_read_ahead_from_a_file_is_what_is_in_memory(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (40, 3, 5, 7), np.uint16)
    rows, batches = list(range(39, -1, -1)), [np.arange(start, start + 4) for start in range(0, 40, 4)]
    device = torch.device("cpu")
    for channels in (None, [2, 0]):
        lying = Examples(((stored(on_disk(array, tmp_path / "a.npy"), rows, channels),),))
        held = Examples(((stored(array, rows, channels),),))
        for (ahead,), (direct,) in zip(
            Feed(lying, device).batches(batches), Feed(held, device).batches(batches), strict=True
        ):
            assert torch.equal(ahead, direct)


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("cellvote-read-ahead")]


def test_the_reading_thread_ends_with_whoever_asks_for_batches(tmp_path: Path) -> None:
    array = on_disk(np.zeros((8, 1, 4, 4), np.uint8), tmp_path / "a.npy")
    batches = Feed(Examples(((stored(array, list(range(8))),),)), torch.device("cpu")).batches([np.arange(2)] * 100)
    next(batches)
    assert reading_threads()
    batches.close()
    assert not reading_threads()


def test_cancelling_stops_before_the_next_batch(tmp_path: Path) -> None:
    array = on_disk(np.zeros((8, 1, 4, 4), np.uint8), tmp_path / "a.npy")
    cancel = CancelToken()
    feed = Feed(Examples(((stored(array, list(range(8))),),)), torch.device("cpu"), cancel=cancel)
    batches = feed.batches([np.arange(2)] * 100)
    next(batches)
    cancel.cancel()
    with pytest.raises(CancelledError):
        next(batches)
    assert not reading_threads()


def test_what_goes_wrong_in_reading_is_raised_where_the_batch_is_asked_for(tmp_path: Path) -> None:
    array = on_disk(np.zeros((8, 1, 4, 4), np.uint8), tmp_path / "a.npy")
    feed = Feed(Examples(((stored(array, [0, 1, 99]),),)), torch.device("cpu"))
    batches = feed.batches([np.array([0]), np.array([2])])
    next(batches)
    with pytest.raises(IndexError, match="the images have 8 rows"):
        next(batches)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("whole", [True, False])
def test_a_gpu_is_fed_what_the_cpu_is_fed(tmp_path: Path, whole: bool) -> None:
    array = np.random.default_rng(0).integers(0, 60_000, (64, 3, 9, 9), np.uint16)
    examples = Examples(((stored(on_disk(array, tmp_path / "a.npy"), list(range(63, -1, -1)), [2, 0]),),))
    batches = [np.random.default_rng(i).integers(0, 64, 16) for i in range(20)]
    feeds = (Feed(examples, torch.device("cpu")), Feed(examples, torch.device("cuda"), whole=whole))
    for (cpu,), (gpu,) in zip(*(feed.batches(batches) for feed in feeds), strict=True):
        torch.testing.assert_close(cpu, gpu.cpu())
