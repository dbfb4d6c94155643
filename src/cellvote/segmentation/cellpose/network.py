"""Load a network of Cellpose onto a device."""

import importlib.util
import logging
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cellvote.errors import WeightsError
from cellvote.segmentation.cellpose.weights_format import Backbone, read_format, read_state

if TYPE_CHECKING:
    import torch

TILE_SIZES_PX: Final[dict[Backbone, int]] = {"sam_vitl": 256, "dino_vitl": 384, "dino_vitb": 384}
"""The tile size that each network is used with."""

_SPARE: Final = {"diam_labels", "diam_mean"}
"""Kept from older versions, and used by nothing."""


def check_installed(backbone: Backbone) -> None:
    """See that what the network needs beside Cellpose is installed.

    Raises
    ------
    WeightsError
        Where it is a DINOv3 and the package ``dinov3`` is missing.
    """
    if backbone != "sam_vitl" and importlib.util.find_spec("dinov3") is None:
        raise WeightsError(
            "cpdino models need Meta's dinov3 package, which has a licence of its own: "
            "pip install git+https://github.com/facebookresearch/dinov3. Or choose cpsam_v2."
        )


def load_network(path: Path, device: "torch.device", *, bfloat16: bool = True) -> "torch.nn.Module":
    """Load the network of a model file; it is kept, so that the next call for it costs nothing.

    Returns
    -------
    Module
        In evaluation mode: takes (N, 1…3, Y, X), gives ((N, 3, Y, X), style).

    Raises
    ------
    WeightsError
        Where the file does not fit the network.
    """
    status = path.stat()
    return _loaded(path, (status.st_size, status.st_mtime_ns), str(device), bfloat16)


@lru_cache(maxsize=1)
def _loaded(path: Path, stamp: tuple[int, int], device: str, bfloat16: bool) -> "torch.nn.Module":
    del stamp
    import torch

    backbone = read_format(path).backbone
    with torch.device("meta"):  # without values: to make them at random takes longer than to read them
        network = _build(backbone)
    _take_weights(network, path)
    if any(tensor.is_meta for tensor in chain(network.parameters(), network.buffers())):
        network = _build(backbone)  # it computes something that no file holds
        _take_weights(network, path)
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    return network.to(torch.device(device), dtype=dtype).eval().requires_grad_(False)


def _build(backbone: Backbone) -> "torch.nn.Module":
    check_installed(backbone)
    quiet_cellpose()
    from cellpose import vit

    network: torch.nn.Module = vit.CPSAM() if backbone == "sam_vitl" else vit.CPDINO(model_name=backbone[-4:])
    return network


def _take_weights(network: "torch.nn.Module", path: Path) -> None:
    import torch

    state: dict[str, Any] = read_state(path)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in _SPARE - set(state):
        state[name] = torch.tensor([30.0])
    lacking = sorted(set(wanted) - set(state))
    if lacking:
        raise WeightsError(
            f"{path}: lacks {len(lacking)} of the {len(wanted)} tensors of the network, such as {lacking[0]}."
        )
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise WeightsError(
                f"{path}: {name} has the shape {tuple(state[name].shape)}, the network wants {shape}: it is "
                "another model, or of another version of Cellpose."
            )
    # Copies: what stays mapped to the file would end the program where somebody replaces the file.
    own = {name: state[name].to(torch.float32, copy=True) for name in wanted}
    network.load_state_dict(own, strict=True, assign=True)


def quiet_cellpose() -> None:
    """Let Cellpose's own log messages pass in silence: our errors say what is to be said."""
    logging.getLogger("cellpose").setLevel(logging.ERROR)
