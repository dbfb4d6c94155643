"""Random crops to train on: turned, scaled, brightened, blurred and made noisy."""

import math

import numpy as np
import torch
from torch.nn import functional

from cellvote.segmentation.nuclei.network import DIAMETER_PX, normalise
from nuclei_data import STORED_DIAMETER_PX, Example, Stored


class FlowCrops:
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
        images = torch.stack([vary(image, self.random) for image in planes[:, 0]])
        return images[:, None], planes[:, [2, 3, 1]]

    def _crop(self) -> torch.Tensor:
        if self.random.random() < 0.03:
            planes = torch.zeros(4, self.size_px, self.size_px)
            planes[0] = draw_nothing(self.size_px, self.random)
            return planes
        stored = self.stored[self.random.choice(len(self.stored), p=self.chance)]
        height, width = stored.planes.shape[1:]
        if self.random.random() < 0.85:
            middle = stored.points[self.random.integers(len(stored.points))]
            middle = middle + self.random.uniform(-0.35, 0.35, 2) * self.size_px
        else:
            middle = self.random.random(2) * (height, width)
        scale = 2 ** self.random.normal(0, 0.28) * DIAMETER_PX / STORED_DIAMETER_PX
        half = self.size_px / scale / 2
        sides = np.array([height, width])
        middle = np.clip(middle, np.minimum(half, sides / 2), np.maximum(sides - half, sides / 2))
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


class SizeCrops:
    """Random crops with nuclei of any size, and the share of foreground and log diameter of each square of 8 px."""

    def __init__(self, examples: list[Example], size_px: int, seed: int) -> None:
        self.examples = examples
        self.size_px = size_px
        self.random = np.random.default_rng(seed)
        self.images = [normalise(torch.from_numpy(e.image.astype(np.float32))) for e in examples]
        self.sizes = []
        for example in examples:
            area = np.bincount(example.label_image.ravel()).astype(np.float32)
            diameter = np.sqrt(4 * np.maximum(area, 1) / np.pi)
            self.sizes.append(torch.from_numpy(np.log2(diameter / DIAMETER_PX).astype(np.float32))[example.label_image])

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ``n`` crops: N1YX images, and N2YX truth at an eighth of the resolution."""
        crops = [self._crop() for _ in range(n)]
        return torch.stack([c[0] for c in crops]), torch.stack([c[1] for c in crops])

    def _crop(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.random.random() < 0.04:
            return draw_nothing(self.size_px, self.random)[None], torch.zeros(2, self.size_px // 8, self.size_px // 8)
        i = int(self.random.integers(len(self.examples)))
        image, sizes = self.images[i], self.sizes[i]
        foreground = torch.from_numpy(self.examples[i].label_image > 0)
        wanted = math.exp(self.random.uniform(math.log(5), math.log(100)))
        factor = float(np.clip(wanted / self.examples[i].diameter_px, 0.2, 4))
        window = [min(side, math.ceil(self.size_px / factor)) for side in image.shape]
        top, left = (int(self.random.integers(side - w + 1)) for side, w in zip(image.shape, window, strict=True))
        part = slice(top, top + window[0]), slice(left, left + window[1])
        planes = torch.stack(
            [image[part], foreground[part].float(), foreground[part] * (sizes[part] + math.log2(factor))]
        )
        shape = [min(self.size_px, round(w * factor)) for w in window]
        planes = functional.interpolate(planes[None], shape, mode="bilinear", antialias=True)[0]
        missing = [self.size_px - side for side in planes.shape[1:]]
        planes = functional.pad(planes, (0, missing[1], 0, missing[0]))
        if self.random.random() < 0.5:
            planes = planes.flip(-1)
        planes = torch.rot90(planes, int(self.random.integers(4)), (-2, -1))
        truth = functional.avg_pool2d(planes[1:], 8)
        truth[1] = truth[1] / truth[0].clamp(min=1e-3)
        return vary(planes[0], self.random)[None], truth


def draw_nothing(size_px: int, random: np.random.Generator) -> torch.Tensor:
    """Draw a YX field without cells: noise of any grain, scaled like an image."""
    grain = int(random.choice([1, 2, 4, 16]))
    coarse = torch.from_numpy(random.normal(size=(1, 1, size_px // grain, size_px // grain))).float()
    noise = functional.interpolate(coarse, (size_px, size_px), mode="bilinear")[0, 0]
    return normalise(noise + torch.from_numpy(random.normal(size=noise.shape)).float() * random.uniform(0, 1))


def vary(image: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Change a YX image as microscopes and stains do: focus, gamma, gain, offset, shading, noise, saturation."""
    if random.random() < 0.3:
        sigma = random.uniform(0.3, 1.3)
        reach = torch.arange(-4, 5, dtype=torch.float32)
        kernel = torch.exp(-(reach**2) / (2 * sigma**2))
        kernel = kernel / kernel.sum()
        padded = functional.pad(image[None, None], (4, 4, 4, 4), mode="reflect")
        image = functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 9, 1)), kernel.view(1, 1, 1, 9))[0, 0]
    if random.random() < 0.5:
        image = image.clamp(min=0) ** float(2 ** random.normal(0, 0.4)) + image.clamp(max=0)
    image = image * float(2 ** random.normal(0, 0.5)) + float(random.normal(0, 0.04))
    if random.random() < 0.3:
        ramp = torch.linspace(-1, 1, image.shape[-1])
        a, b = random.normal(0, 0.12, 2)
        image = image + float(a) * ramp[:, None] + float(b) * ramp[None]
    if random.random() < 0.5:
        noise = torch.from_numpy(random.normal(size=image.shape).astype(np.float32))
        image = image + noise * (
            float(random.uniform(0, 0.06)) + float(random.uniform(0, 0.1)) * image.clamp(0, 2).sqrt()
        )
    if random.random() < 0.1:
        image = image.clamp(max=float(random.uniform(0.5, 1.2)))
    return image.clamp(-1, 20)
