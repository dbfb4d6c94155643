"""Images of nuclei to train on: split, scaled, and varied at random.

The images are those of the 2018 Data Science Bowl (BBBC038, CC0): grey fluorescence images with a label image each.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import tifffile
import torch
from PIL import Image
from torch.nn import functional

from cellvote.segmentation.heat import flow_directions
from cellvote.segmentation.nuclei.network import normalise

STORED_DIAMETER_PX = 22.0
"""Training images are kept with nuclei of this size, so that crops of `DIAMETER_PX` lose nothing."""

HELD_OUT_SHARE, TUNING_SHARE = 0.15, 0.07


@dataclass(frozen=True)
class Example:
    """One image and its truth."""

    name: str
    image: npt.NDArray[np.generic]
    label_image: npt.NDArray[np.int32]

    @property
    def diameter_px(self) -> float:
        """The median diameter of its nuclei, as circles of the same area."""
        area = np.bincount(self.label_image.ravel())[1:]
        return float(np.median(np.sqrt(4 * area[area > 0] / np.pi)))


def part_of(name: str) -> str:
    """Say where an image belongs, by its name alone: ``train``, ``tune`` or ``held-out``."""
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    if share < HELD_OUT_SHARE:
        return "held-out"
    return "tune" if share < HELD_OUT_SHARE + TUNING_SHARE else "train"


def read_examples(folder: Path, part: str) -> list[Example]:
    """Read the grey fluorescence images of a part that have nuclei."""
    index = pd.read_csv(folder / "index.csv", dtype={"id": str})
    examples = []
    for name in index.loc[index["kind"] == "fluo", "id"]:
        if part_of(name) == part:
            image = np.asarray(Image.open(folder / "images" / f"{name}.png"))
            label_image = tifffile.imread(folder / "masks" / f"{name}.tif").astype(np.int32)
            if image.ndim == 2 and label_image.any():
                examples.append(Example(name, image, label_image))
    return examples


def resized(image: torch.Tensor, factor: float, mode: str = "bilinear") -> torch.Tensor:
    """Resize a YX image; smooth where it becomes smaller."""
    shape = [max(8, round(side * factor)) for side in image.shape]
    smooth = {"antialias": factor < 1, "align_corners": False} if mode == "bilinear" else {}
    return functional.interpolate(image[None, None].float(), shape, mode=mode, **smooth)[0, 0]


@dataclass(frozen=True)
class Stored:
    """An example at `STORED_DIAMETER_PX`: image, foreground and unit flows as 4YX, and a point in each nucleus."""

    planes: torch.Tensor
    points: npt.NDArray[np.intp]


def store(example: Example) -> Stored:
    """Scale an example and compute its flows."""
    factor = float(np.clip(STORED_DIAMETER_PX / example.diameter_px, 0.2, 3))
    image = resized(normalise(torch.from_numpy(example.image.astype(np.float32))), factor)
    label_image = resized(torch.from_numpy(example.label_image), factor, "nearest-exact").int().numpy()
    _, label_image = np.unique(label_image, return_inverse=True)
    label_image = label_image.reshape(image.shape)
    flows = flow_directions(label_image)
    planes = np.stack([image.numpy(), label_image > 0, *flows]).astype(np.float16)
    order = np.argsort(label_image, axis=None, kind="stable")
    ids, first, count = np.unique(label_image.ravel()[order], return_index=True, return_counts=True)
    middle = order[(first + count // 2)[ids > 0]]
    return Stored(torch.from_numpy(planes), np.stack(np.unravel_index(middle, label_image.shape), 1))
