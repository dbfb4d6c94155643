"""Nuclei in an image: how large they are, flows at one scale, and masks by Cellpose's dynamics."""

import json
import logging
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cellvote.plates.pixels import Pixels
from cellvote.segmentation.heat import drop_unlike_flows
from cellvote.segmentation.nuclei.network import (
    DIAMETER_PX,
    FLOW_MULTIPLE,
    FLOW_SCALE,
    SIZE_MULTIPLE,
    FlowNetwork,
    SizeNetwork,
    normalise,
)
from cellvote.segmentation.nuclei.remembering import Memory
from cellvote.segmentation.nuclei.settings import NucleiSettings
from cellvote.study.masks import LabelImage

WEIGHTS: Final = "nuclei.safetensors"
_LARGEST_SIDE_PX: Final = 1024
"""To measure nuclei, larger images are made this large first."""

_LEAST_NUCLEI: Final = 0.7
"""So many nuclei must show before their size is believed."""

_TOO_LARGE: Final = 1.07
"""So much larger than they are nuclei are measured on the tuning images: more places lie in large ones."""

_TILE_PX: Final = 1536
_OVERLAP_PX: Final = 64
_MIRROR_PX: Final = 24
"""Images are mirrored at their borders so far: nuclei that are cut there look whole, as their flows do."""

_STEPS: Final = 100
"""A pixel is moved along the flows so often; it takes about half a long nucleus."""


_MOST_DIAMETERS: Final = 128
_MOST_FLOWS_BYTES: Final = 2**26

_DIAMETERS: Final = Memory[float | None](_MOST_DIAMETERS)
_FLOWS: Final = Memory[Tensor](1, lambda flows: flows.nbytes <= _MOST_FLOWS_BYTES)
"""Of the package's own networks: who tries thresholds on a field waits for its masks only."""


@dataclass(frozen=True)
class Networks:
    """Both networks, ready to use."""

    flows: FlowNetwork
    sizes: SizeNetwork


@lru_cache(maxsize=1)
def load_networks() -> Networks:
    """Load the networks from the package, once in a process."""
    from safetensors.torch import load

    content = resources.files("cellvote.segmentation.nuclei").joinpath(WEIGHTS).read_bytes()
    return networks_from(load(content))


def networks_from(weights: dict[str, Tensor]) -> Networks:
    """Make the networks from their weights: ``flows.…`` and ``sizes.…``."""
    networks = Networks(FlowNetwork(), SizeNetwork())
    for name, network in (("flows.", networks.flows), ("sizes.", networks.sizes)):
        own = {key.removeprefix(name): value for key, value in weights.items() if key.startswith(name)}
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in own.items()})
        network.eval().requires_grad_(requires_grad=False)
        _fuse(network)
        network.to(memory_format=torch.channels_last)
    return networks


def find_nuclei(
    nuclear: Pixels, settings: NucleiSettings, networks: Networks | None = None
) -> tuple[LabelImage, float]:
    """Find nuclei in one channel.

    Parameters
    ----------
    nuclear
        YX, any real dtype.

    Returns
    -------
    label_image
        YX int32.
    diameter_px
        How large the nuclei of this image are, or were taken to be.
    """
    diameter = settings.nucleus_diameter_px or measure_diameter(nuclear, networks) or settings.usual_diameter_px or 20.0

    def look() -> Tensor:
        with torch.inference_mode():
            scaled = _mirrored(_resized(_normalised(nuclear), _factor(diameter)))
            return _flows(scaled, (networks or load_networks()).flows, look_again=settings.augment)

    if networks is None:
        flows = _FLOWS.recall(nuclear, (diameter, settings.augment), look)
    else:
        flows = look()
    inside = slice(_MIRROR_PX, -_MIRROR_PX)
    label_image, flows = masks_of(flows.numpy(), settings)[inside, inside], flows[:, inside, inside]
    with torch.inference_mode():
        return _enlarged(label_image, flows[2], settings.cell_probability_threshold, nuclear.shape), diameter


def measure_diameter(nuclear: Pixels, networks: Networks | None = None) -> float | None:
    """Measure how large the nuclei of a YX image are, in px; None where too few show."""

    def measure() -> float | None:
        with torch.inference_mode():
            return _diameter(_normalised(nuclear), (networks or load_networks()).sizes)

    return _DIAMETERS.recall(nuclear, (), measure) if networks is None else measure()


def _normalised(nuclear: Pixels) -> Tensor:
    return normalise(torch.from_numpy(np.ascontiguousarray(nuclear, np.float32)))


def masks_of(flows: npt.NDArray[np.float32], settings: NucleiSettings) -> LabelImage:
    """Turn flows and cell probability (3YX) into a label image, by Cellpose's dynamics."""
    from cellpose.dynamics import compute_masks

    logging.getLogger("cellpose.dynamics").setLevel(logging.ERROR)  # it warns of images without cells
    with torch.sparse.check_sparse_tensor_invariants(enable=False):  # said, or torch warns that nobody said it
        masks = compute_masks(
            flows[:2],
            flows[2],
            niter=_STEPS,
            cellprob_threshold=settings.cell_probability_threshold,
            flow_threshold=0.0,  # its own check takes longer than all else together
            max_size_fraction=1.0,
            device=torch.device("cpu"),
        )
    label_image = np.asarray(masks, np.int32)
    if settings.flow_threshold > 0:
        label_image = drop_unlike_flows(label_image, flows[:2] / FLOW_SCALE, settings.flow_threshold)
    return label_image


def _diameter(image: Tensor, network: SizeNetwork) -> float | None:
    """Measure nuclei twice: as the image is, and again at about the size that the networks know best."""
    factor = min(1.0, _LARGEST_SIDE_PX / max(image.shape))
    first = _measured(_resized(image, factor), network)
    if first is None:
        return None
    again = min(_factor(first / factor), 2 * _LARGEST_SIDE_PX / max(image.shape))
    second = _measured(_resized(image, again), network)
    return first / factor if second is None else second / again


def _measured(image: Tensor, network: SizeNetwork) -> float | None:
    """Take the median diameter over nuclei: each place counts for the part of a nucleus that it holds."""
    answer = network(_padded(image, SIZE_MULTIPLE)[None, None])[0].double().numpy()
    share, size = 1 / (1 + np.exp(-answer[0])), DIAMETER_PX * 2 ** answer[1]
    nuclei = np.where(share > 0.25, share, 0) * 64 / (math.pi / 4 * size**2)  # a place is 8 × 8 px
    if nuclei.sum() < _LEAST_NUCLEI:
        return None
    order = np.argsort(size, axis=None)
    so_far = np.cumsum(nuclei.ravel()[order])
    return float(size.ravel()[order][np.searchsorted(so_far, so_far[-1] / 2)]) / _TOO_LARGE


def _factor(diameter_px: float) -> float:
    return float(np.clip(DIAMETER_PX / diameter_px, 0.05, 3.0))


def _resized(image: Tensor, factor: float) -> Tensor:
    if abs(factor - 1) < 0.02:
        return image
    shape = [max(8, round(side * factor)) for side in image.shape]
    return functional.interpolate(image[None, None], shape, mode="bilinear", antialias=factor < 1)[0, 0]


def _mirrored(image: Tensor) -> Tensor:
    """Extend a YX image by its mirror image on all sides, or by what stands at its border where it is too small."""
    mode = "reflect" if min(image.shape) > _MIRROR_PX else "replicate"
    return functional.pad(image[None, None], (_MIRROR_PX,) * 4, mode=mode)[0, 0]


def _padded(image: Tensor, multiple: int) -> Tensor:
    """Extend a YX image to the right and below by what stands at its border."""
    height, width = image.shape
    missing = (-height % multiple, -width % multiple)
    return functional.pad(image[None, None], (0, missing[1], 0, missing[0]), mode="replicate")[0, 0]


def _flows(image: Tensor, network: FlowNetwork, *, look_again: bool) -> Tensor:
    """Run the network on a YX image, in tiles where it is large: 3YX."""
    height, width = image.shape
    total = torch.zeros(3, height, width)
    weight = torch.zeros(height, width)
    for top, bottom in _spans(height):
        for left, right in _spans(width):
            tile = image[top:bottom, left:right]
            total[:, top:bottom, left:right] += _look(tile, network, again=look_again) * (taper := _taper(tile))
            weight[top:bottom, left:right] += taper
    return total / weight


def _look(tile: Tensor, network: FlowNetwork, *, again: bool) -> Tensor:
    height, width = tile.shape
    total = torch.zeros(3, height, width)
    ways: list[tuple[int, ...]] = [(), (0,), (1,), (0, 1)] if again else [()]
    for flipped in ways:
        seen = _padded(tile.flip(flipped), FLOW_MULTIPLE)[None, None].contiguous(memory_format=torch.channels_last)
        answer = network(seen)[0, :, :height, :width].flip([axis + 1 for axis in flipped])
        sign = [-1.0 if axis in flipped else 1.0 for axis in (0, 1)]
        total += answer * torch.tensor([*sign, 1.0])[:, None, None]
    return total / len(ways)


def _spans(side: int) -> list[tuple[int, int]]:
    """Cut a side into tiles that overlap, the last one flush with the end."""
    if side <= _TILE_PX:
        return [(0, side)]
    starts = range(0, side - _TILE_PX, _TILE_PX - _OVERLAP_PX)
    return [*((s, s + _TILE_PX) for s in starts), (side - _TILE_PX, side)]


def _taper(tile: Tensor) -> Tensor:
    """Let tiles fade into each other over half of their overlap at least."""
    ramps = []
    for side in tile.shape:
        away = torch.minimum(torch.arange(side), torch.arange(side - 1, -1, -1)).float()
        ramps.append(((away + 1) / (_OVERLAP_PX / 2)).clamp(max=1))
    return ramps[0][:, None] * ramps[1][None]


def _enlarged(
    label_image: LabelImage, cell_probability: Tensor, threshold: float, shape: tuple[int, ...]
) -> LabelImage:
    """Bring a label image to the size of the image, its borders by the cell probability between the pixels."""
    if label_image.shape == shape:
        return _filled(label_image)
    height, width = shape
    probability = functional.interpolate(cell_probability[None, None], (height, width), mode="bilinear")[0, 0].numpy()
    rows = np.minimum((np.arange(height) + 0.5) * label_image.shape[0] / height, label_image.shape[0] - 1).astype(
        np.intp
    )
    columns = np.minimum((np.arange(width) + 0.5) * label_image.shape[1] / width, label_image.shape[1] - 1).astype(
        np.intp
    )
    # A rim of one pixel is added before, so that the finer border decides and not the coarse one.
    rim = ndimage.grey_dilation(label_image, size=(3, 3))
    wide = np.where(label_image > 0, label_image, rim)
    return _filled(np.where(probability > threshold, wide[np.ix_(rows, columns)], 0))


def _filled(label_image: LabelImage) -> LabelImage:
    """Fill the holes of every nucleus."""
    from cellpose.utils import fill_holes_and_remove_small_masks

    return np.asarray(fill_holes_and_remove_small_masks(label_image.astype(np.int32), min_size=0), np.int32)


def _fuse(module: torch.nn.Module) -> None:
    """Work the batch norms into the convolutions before them."""
    for child in module.children():
        _fuse(child)
    for convolution, norm in (("first", "first_norm"), ("second", "second_norm")):
        if hasattr(module, norm):
            setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
            setattr(module, norm, torch.nn.Identity())


def weights_facts() -> dict[str, Any]:
    """Say where the weights come from, as they were packed: training data, split, date, scores."""
    from safetensors import safe_open

    weights = resources.files("cellvote.segmentation.nuclei").joinpath(WEIGHTS)
    with resources.as_file(weights) as path, safe_open(path, "pt") as file:
        facts: dict[str, Any] = json.loads((file.metadata() or {}).get("facts", "{}"))
    return facts
