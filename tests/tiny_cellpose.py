"""Cellpose without its 305 million parameters: its own classes made small, and a network that finds blobs."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from cellpose import vit
from scipy import ndimage
from segment_anything.modeling import ImageEncoderViT
from torch.nn import functional

from cellvote.segmentation.cellpose import segmenter as segmenter_module


def shrink_sam(patch: pytest.MonkeyPatch) -> None:
    """Let Cellpose-SAM be built with an encoder of two narrow layers; all the rest of it is as it is."""
    patch.setitem(vit.sam_model_registry, "vit_l", _small_sam)


def _small_sam(checkpoint: None = None) -> SimpleNamespace:
    encoder = ImageEncoderViT(
        img_size=1024,
        patch_size=16,
        embed_dim=16,
        depth=2,
        num_heads=2,
        mlp_ratio=2,
        out_chans=16,
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=[1],
    )
    return SimpleNamespace(image_encoder=encoder)


def write_small_weights(path: Path) -> Path:
    """Write a checkpoint as Cellpose writes one, of the small network (see `shrink_sam`) with random values."""
    torch.manual_seed(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    vit.CPSAM().save_model(path)
    return path


class BlobNetwork(torch.nn.Module):
    """Stands in for the transformer: bright is cell, and flows climb to where it is brightest."""

    def __init__(self) -> None:
        super().__init__()
        size = torch.arange(-10, 11, dtype=torch.float32)
        bell = torch.exp(-(size**2) / (2 * 3.5**2))
        kernel = bell[:, None] * bell[None]
        self.kernel = torch.nn.Parameter((kernel / kernel.sum())[None, None], requires_grad=False)

    @property
    def device(self) -> torch.device:
        return self.kernel.device

    @property
    def dtype(self) -> torch.dtype:
        return self.kernel.dtype

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        smooth = functional.conv2d(functional.pad(x[:, :1], (10, 10, 10, 10), mode="replicate"), self.kernel)
        around = functional.pad(smooth, (1, 1, 1, 1), mode="replicate")
        dy = around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]
        dx = around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]
        length = torch.sqrt(dy**2 + dx**2) + 1e-3
        output = torch.cat([5 * dy / length, 5 * dx / length, 20 * (smooth - 0.3)], dim=1)
        return output, torch.zeros((len(x), 256))


def use_blob_network(patch: pytest.MonkeyPatch) -> None:
    """Let the segmenter load the stand-in, whatever the weights."""
    patch.setattr(segmenter_module, "load_network", lambda path, device, bfloat16: BlobNetwork())


def blobs(seed: int, shape_px: tuple[int, int] = (180, 210), n_channels: int = 2) -> npt.NDArray[np.uint16]:
    """Paint a CYX image with round cells about 20 px wide, some of them touching."""
    rng = np.random.default_rng(seed)
    image = np.zeros((n_channels, *shape_px), np.float32)
    for y in range(18, shape_px[0] - 10, 30):
        for x in range(18, shape_px[1] - 10, 30):
            at = (int(y + rng.integers(-5, 6)), int(x + rng.integers(-5, 6)))
            image[:, at[0], at[1]] = rng.uniform(0.7, 1.3)
    image = ndimage.gaussian_filter(image, (0, 5, 5)) * 160 + rng.normal(0, 0.01, image.shape)
    return np.clip(300 + 4000 * image, 0, 65535).astype(np.uint16)


def stock_model(network: Any) -> Any:
    """Cellpose's own model around a network."""
    from cellpose.models import CellposeModel

    model = CellposeModel.__new__(CellposeModel)
    model.device, model.gpu, model.net, model.backbone = torch.device("cpu"), False, network, "sam_vitl"
    return model
