"""Tiles go through a network in batches that fit, and none depends on those beside it."""

import numpy as np
import pytest
import torch

from cellvote.errors import DeviceError
from cellvote.segmentation.tile_runner import TileRunner, is_out_of_memory

FAR = torch.device("meta")
"""Stands in for a GPU: what is moved there has a shape, and no values."""


class Doubling(torch.nn.Module):
    """Notes the batches that it sees; its memory takes so many tiles where it is not on the CPU."""

    def __init__(self, room: int = 1000, message: str = "") -> None:
        super().__init__()
        self.room, self.message = room, message
        self.batches: list[tuple[str, int]] = []

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        self.batches.append((x.device.type, len(x)))
        if x.device.type != "cpu" and len(x) > self.room:
            if self.message:
                raise RuntimeError(self.message)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        values = x if x.device.type == "cpu" else torch.full(x.shape, 7.0)
        return 2 * values, None


def tiles(n: int) -> np.ndarray:
    return np.arange(n * 4, dtype=np.float32).reshape(n, 1, 2, 2)


def run(network: Doubling, device: torch.device, batch_size: int = 4) -> TileRunner:
    return TileRunner(network, device, batch_size=batch_size, dtype=torch.float32)


def test_on_the_cpu_each_tile_runs_alone_and_in_order() -> None:
    network = Doubling()
    runner = run(network, torch.device("cpu"))
    assert np.array_equal(runner(tiles(3)), 2 * tiles(3))
    assert network.batches == [("cpu", 1)] * 3
    assert (runner.device, runner.tiles_at_once, runner.notices) == ("cpu", 1, [])


def test_on_a_gpu_every_batch_has_the_same_size() -> None:
    network = Doubling()
    runner = run(network, FAR)
    assert runner.tiles_at_once == 4
    outputs = runner(tiles(9))
    assert outputs.shape == (9, 1, 2, 2)
    assert network.batches == [("meta", 4)] * 3


@pytest.mark.parametrize("message", ["", "cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED", "MPS backend out of memory"])
def test_full_memory_halves_the_batch_and_says_so(message: str) -> None:
    network = Doubling(room=2, message=message)
    runner = run(network, FAR, 8)
    assert runner(tiles(5)).shape == (5, 1, 2, 2)
    assert [n for _, n in network.batches] == [8, 4, 2, 2, 2]
    assert runner.device == "meta"
    assert len(runner.notices) == 2
    assert "halved to 2" in runner.notices[-1]
    runner(tiles(2))
    assert network.batches[-1] == ("meta", 2)


def test_where_not_even_one_tile_fits_the_cpu_takes_over_and_it_is_said() -> None:
    network = Doubling(room=0)
    runner = run(network, FAR, 2)
    assert np.array_equal(runner(tiles(3)), 2 * tiles(3))
    assert runner.device == "cpu"
    assert "the CPU goes on" in runner.notices[-1]
    assert network.batches == [("meta", 2), ("meta", 1), *[("cpu", 1)] * 3]


def test_another_failure_of_the_device_is_no_full_memory() -> None:
    network = Doubling(room=0, message="CUDA error: an illegal memory access was encountered")
    with pytest.raises(DeviceError, match="the network failed on meta: CUDA error"):
        run(network, FAR)(tiles(2))


def test_what_torch_says_of_full_memory_is_known() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))
