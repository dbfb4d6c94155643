"""Run tiles through a torch network: on a GPU in batches that fit its memory, on a CPU one by one."""

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cellvote.errors import DeviceError
from cellvote.segmentation.base import TilePixels

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# What torch says, in its many ways, where a GPU's memory is full: not all of them are an OutOfMemoryError.
_OUT_OF_MEMORY: Final = (
    "out of memory",
    "ALLOC_FAILED",
    "unable to find an engine to execute",
    "Unable to find a valid cuDNN algorithm",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch means that the memory of a GPU is full."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _OUT_OF_MEMORY)


class TileRunner:
    """A torch network on a device, as a `TileNetwork`.

    A tile's output does not depend on the tiles beside it. On a GPU every batch has the same size (the last is
    filled up with empty tiles), so that the same kernels run; on a CPU, where batches gain nothing, each tile runs
    alone, and its output is the same to the bit however tiles are pooled.

    Where the memory of a GPU is full the batch is halved, and where not even one tile fits, the CPU takes over:
    `notices` says so.

    Parameters
    ----------
    network
        Takes NCYX and gives NKYX, or a tuple that begins with it.
    batch_size
        Tiles a batch, on a GPU.
    dtype
        Of the network's weights and inputs; outputs are float32.
    """

    def __init__(
        self, network: "torch.nn.Module", device: "torch.device", *, batch_size: int = 8, dtype: "torch.dtype"
    ) -> None:
        self._network = network.to(device, dtype=dtype).eval()
        self._device = device
        self._batch_size = batch_size
        self._dtype = dtype
        self.notices: list[str] = []

    @property
    def device(self) -> str:
        """Where it computes now."""
        return str(self._device)

    @property
    def tiles_at_once(self) -> int:
        """How many tiles it takes at its best."""
        return 1 if self._device.type == "cpu" else self._batch_size

    def __call__(self, tiles: TilePixels) -> TilePixels:
        """Run NCYX float32 tiles, and give NKYX float32 outputs.

        Raises
        ------
        DeviceError
            Where the device fails for another reason than full memory.
        """
        outputs: list[TilePixels] = []
        done = 0
        while done < len(tiles):
            batch = tiles[done : done + self.tiles_at_once]
            try:
                output = self._run(batch)
            except RuntimeError as error:
                if self._device.type == "cpu" or not is_out_of_memory(error):
                    raise DeviceError(f"the network failed on {self.device}: {error}") from error
                output = None
            except MemoryError as error:
                raise DeviceError("the memory of this machine is full: close other programs, and run again.") from error
            if output is None:  # not while the error is held: with it go the tensors that fill the memory
                self._make_room()
                continue
            outputs.append(output)
            done += len(batch)
        return np.concatenate(outputs)

    def _run(self, batch: TilePixels) -> TilePixels:
        import torch

        lacking = self.tiles_at_once - len(batch)
        if lacking:
            batch = np.concatenate([batch, np.zeros((lacking, *batch.shape[1:]), np.float32)])
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device, dtype=self._dtype)
            answer: Any = self._network(given)
            output = answer[0] if isinstance(answer, tuple) else answer
            found: TilePixels = output[: len(batch) - lacking].to("cpu", dtype=torch.float32).numpy()
        return found

    def _make_room(self) -> None:
        """Halve the batch; where it is one tile already, go to the CPU."""
        import torch

        was = self.device
        if self._batch_size > 1:
            self._batch_size //= 2
            notice = f"the memory of {was} is full: tiles a batch halved to {self._batch_size}"
        else:
            self._device = torch.device("cpu")
            self._network = self._network.to(self._device)
            notice = (
                f"the memory of {was} is too small for one tile: the CPU goes on, slowly. Close what else uses the "
                "GPU, and run again"
            )
        if was.startswith("cuda"):
            torch.cuda.empty_cache()
        logger.info("%s", notice)
        self.notices.append(notice)
