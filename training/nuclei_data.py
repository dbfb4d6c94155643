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
from cellpose.dynamics import masks_to_flows_gpu
from PIL import Image
from torch.nn import functional

from cellvote.segmentation.nuclei.network import DIAMETER_PX, normalise

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
    flows, _ = masks_to_flows_gpu(label_image.astype(np.int64), device=torch.device("cpu"))
    planes = np.stack([image.numpy(), label_image > 0, *flows]).astype(np.float16)
    order = np.argsort(label_image, axis=None, kind="stable")
    ids, first, count = np.unique(label_image.ravel()[order], return_index=True, return_counts=True)
    middle = order[(first + count // 2)[ids > 0]]
    return Stored(torch.from_numpy(planes), np.stack(np.unravel_index(middle, label_image.shape), 1))


class Crops:
    """Random crops at `DIAMETER_PX`: turned, flipped, scaled, brightened, blurred and made noisy."""

    def __init__(self, stored: list[Stored], size_px: int, seed: int) -> None:
        self.stored = stored
        self.size_px = size_px
        self.random = np.random.default_rng(seed)
        weight = np.sqrt([len(s.points) + 4 for s in stored])
        self.chance = weight / weight.sum()

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ``n`` crops: N1YX images, and N3YX truth (unit flows and foreground)."""
        planes = torch.stack([self._crop() for _ in range(n)])
        images = torch.stack([self._varied(image) for image in planes[:, 0]])
        return images[:, None], planes[:, [2, 3, 1]]

    def _crop(self) -> torch.Tensor:
        if self.random.random() < 0.03:
            return self._nothing()
        stored = self.stored[self.random.choice(len(self.stored), p=self.chance)]
        height, width = stored.planes.shape[1:]
        if self.random.random() < 0.85:
            middle = stored.points[self.random.integers(len(stored.points))]
            middle = middle + self.random.uniform(-0.35, 0.35, 2) * self.size_px
        else:
            middle = self.random.random(2) * (height, width)
        scale = 2 ** self.random.normal(0, 0.28) * DIAMETER_PX / STORED_DIAMETER_PX
        half = self.size_px / scale / 2
        middle = [np.clip(m, min(half, side / 2), max(side - half, side / 2)) for m, side in zip(middle, (height, width))]
        angle = self.random.uniform(0, 2 * np.pi)
        flip = self.random.choice([-1, 1])
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([1, flip])  # crop (x, y) to image (x, y)
        steps = torch.arange(self.size_px) - (self.size_px - 1) / 2
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        source_x = middle[1] + (turn[0, 0] * x + turn[0, 1] * y) / scale
        source_y = middle[0] + (turn[1, 0] * x + turn[1, 1] * y) / scale
        grid = torch.stack([(2 * source_x + 1) / width - 1, (2 * source_y + 1) / height - 1], -1)[None].float()
        crop = functional.grid_sample(
            stored.planes[None].float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )[0]
        inside = (grid.abs() <= 1).all(-1)[0]
        dy, dx = crop[2].clone(), crop[3].clone()
        crop[3] = turn[0, 0] * dx + turn[1, 0] * dy  # the inverse of a turn is its transpose
        crop[2] = turn[0, 1] * dx + turn[1, 1] * dy
        # Beyond the edge lies a mirror image, whose flows are mirrored too: there, no flow is asked for.
        crop[2:] = torch.where(inside, crop[2:], torch.nan)
        return crop

    def _nothing(self) -> torch.Tensor:
        """A field without cells: noise of any grain, scaled like an image."""
        grain = int(self.random.choice([1, 2, 4, 16]))
        noise = torch.from_numpy(self.random.normal(size=(1, 1, self.size_px // grain, self.size_px // grain)))
        noise = functional.interpolate(noise.float(), (self.size_px, self.size_px), mode="bilinear")[0, 0]
        noise = noise + torch.from_numpy(self.random.normal(size=noise.shape)).float() * self.random.uniform(0, 1)
        planes = torch.zeros(4, self.size_px, self.size_px)
        planes[0] = normalise(noise)
        return planes

    def _varied(self, image: torch.Tensor) -> torch.Tensor:
        rng = self.random
        if rng.random() < 0.3:
            sigma = rng.uniform(0.3, 1.3)
            reach = torch.arange(-4, 5, dtype=torch.float32)
            kernel = torch.exp(-(reach**2) / (2 * sigma**2))
            kernel = kernel / kernel.sum()
            padded = functional.pad(image[None, None], (4, 4, 4, 4), mode="reflect")
            image = functional.conv2d(
                functional.conv2d(padded, kernel.view(1, 1, 9, 1)), kernel.view(1, 1, 1, 9)
            )[0, 0]
        if rng.random() < 0.5:
            image = image.clamp(min=0) ** float(2 ** rng.normal(0, 0.4)) + image.clamp(max=0)
        image = image * float(2 ** rng.normal(0, 0.5)) + float(rng.normal(0, 0.04))
        if rng.random() < 0.3:
            ramp = torch.linspace(-1, 1, self.size_px)
            a, b = rng.normal(0, 0.12, 2)
            image = image + float(a) * ramp[:, None] + float(b) * ramp[None]
        if rng.random() < 0.5:
            noise = torch.from_numpy(rng.normal(size=image.shape).astype(np.float32))
            image = image + noise * (float(rng.uniform(0, 0.06)) + float(rng.uniform(0, 0.1)) * image.clamp(0, 2).sqrt())
        if rng.random() < 0.1:
            image = image.clamp(max=float(rng.uniform(0.5, 1.2)))
        return image.clamp(-1, 20)
