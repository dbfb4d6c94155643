"""How fast a network trains on stored crops: against one fixed batch, and against reading each cell from its TIFF.

    python benchmarks/loader.py [--device cuda] [--architecture small-resnet] [--size 64] [--rounds 9]
    python benchmarks/loader.py --device cuda --architecture fusion --size 224 --precision bf16 --slow-rounds 0

Three ways to feed the very same training loop (flips, turns and brightness drawn on the device, AdamW):

stored
    CellVote's way: crops lie in one memory-mapped file and come through `Feed`, shuffled.
fixed
    One batch that is on the device already, again and again: nothing can be faster.
per cell
    The reports' way: a torch ``Dataset`` that opens the field's TIFF files for each cell, cuts the cell out and resizes
    it, with two worker processes. Fields are like those of CPJUMP1 (report 001): five channels of 1080², 16-bit, LZW.

Rounds of the ways take turns, so that a busy machine slows all alike; the ratios are medians over rounds. Where it is
so busy that they scatter, the processor time of a cell is what counts: it is that of this process, all threads. Beside
training, delivering alone is measured: batches are fetched and nothing is learned from them. ``fusion`` is fed a mask
image, a flow image and measurements.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from skimage.transform import resize
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from cellvote.learning.architectures import build_architecture
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.augmentation import Streams, augmented
from cellvote.learning.networks.feeding import Feed
from cellvote.learning.settings.augmentation import AugmentationSettings

N_CLASSES = 4


class CellsInFiles(Dataset[torch.Tensor]):
    """Opens the files of a field for each of its cells, cuts a box out and resizes it: what scripts usually do."""

    def __init__(self, files: list[list[Path]], boxes: np.ndarray, size_px: int) -> None:
        self.files, self.boxes, self.size_px = files, boxes, size_px

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self.boxes)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Read one cell: C×H×W float32."""
        field, y, x, side = self.boxes[index].tolist()
        planes = np.stack([tifffile.imread(path) for path in self.files[field]])
        cell = planes[:, y : y + side, x : x + side].astype(np.float32) / 65535
        cut = resize(cell, (len(planes), self.size_px, self.size_px), anti_aliasing=True)
        return torch.from_numpy(cut.astype(np.float32))


def write_fields(folder: Path, n_fields: int, n_channels: int, width_px: int) -> list[list[Path]]:
    """Write fields as microscopes of screens do: a TIFF file with LZW compression for each channel."""
    random = np.random.default_rng(0)
    files = []
    for field in range(n_fields):
        files.append([folder / f"f{field}_c{channel}.tif" for channel in range(n_channels)])
        for path in files[-1]:
            grey = random.gamma(4, 100, (width_px, width_px)).astype(np.uint16)
            tifffile.imwrite(path, grey, compression="lzw")
    return files


def stored_images(
    path: Path, shape: tuple[int, ...], dtype: type, vectors: tuple[tuple[int, int], ...] = ()
) -> StoredImages:
    """Write images of noise as CellVote stores them, and open them memory-mapped."""
    images = np.lib.format.open_memmap(path, "w+", dtype, shape)
    random = np.random.default_rng(1)
    white = 6000 if dtype is np.uint16 else 255
    for start in range(0, len(images), 512):
        part = images[start : start + 512]
        part[...] = random.integers(0, white, part.shape, dtype)
    images.flush()
    n_channels = shape[1]
    return StoredImages(
        np.load(path, mmap_mode="r"),
        np.arange(len(images)),
        np.arange(n_channels),
        np.array([[[0.0] * n_channels, [float(white)] * n_channels]], np.float32),
        np.zeros(len(images), np.int64),
        vectors,
        curve="linear" if dtype is np.uint8 else "root",
        jittered=dtype is not np.uint8,
    )


def stored_examples(folder: Path, options: argparse.Namespace) -> Examples:
    """Store what the architecture is fed."""
    if options.architecture == "fusion":
        shape = (options.cells, 4, options.size, options.size)
        mask = stored_images(folder / "mask.npy", shape, np.uint8)
        flows = stored_images(folder / "flows.npy", shape, np.uint8, ((0, 1),))
        measurements = np.random.default_rng(3).normal(size=(options.cells, options.measurements))
        return Examples(((mask,), (flows,)), measurements.astype(np.float32))
    shape = (options.cells, options.channels, options.size, options.size)
    return Examples(((stored_images(folder / "crops.npy", shape, np.uint16),),))


class Training:
    """A network in training; the same loop whatever feeds it."""

    def __init__(self, options: argparse.Namespace, feed: Feed, learns: bool) -> None:
        torch.manual_seed(0)
        device, fusion = feed.device, options.architecture == "fusion"
        network = build_architecture(
            options.architecture,
            channels=4 if fusion else options.channels,
            size_px=options.size,
            n_classes=N_CLASSES,
            n_measurements=feed.examples.n_measurements,
        )
        self.network = network.to(device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 1e-3)
        self.device, self.learns, self.settings = device, learns, AugmentationSettings()
        self.cpu_ms = 0.0
        self.layouts, self.bf16 = feed.layouts, options.precision == "bf16"
        self.random = torch.Generator().manual_seed(0)

    def cells_per_s(self, batches: Iterable[Streams], n_batches: int) -> float:
        """Train on some batches; the time counts from when the first one is there."""
        n_cells = 0
        iterator = iter(batches)
        next(iterator)
        started, computed = time.perf_counter(), time.process_time()
        for streams in itertools.islice(iterator, n_batches - 1):
            n_cells += len(streams[0])
            if not self.learns:
                continue
            seen = augmented(streams, self.settings, self.random, self.layouts)
            seen = tuple(one.contiguous(memory_format=torch.channels_last) if one.ndim == 4 else one for one in seen)
            codes = torch.arange(len(streams[0]), device=self.device) % N_CLASSES
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                loss = functional.cross_entropy(self.network(*seen), codes)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        self.cpu_ms = 1e3 * (time.process_time() - computed) / max(n_cells, 1)
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
        return n_cells / seconds


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let the three ways take turns."""
    device = torch.device(options.device)
    files = write_fields(folder, 8, options.channels, options.field_size)
    random = np.random.default_rng(2)
    side = options.size
    boxes = np.column_stack(
        [
            random.integers(0, len(files), options.cells),
            random.integers(0, options.field_size - side, (options.cells, 2)),
        ]
    )
    boxes = np.column_stack([boxes, np.full(len(boxes), side)])
    cells = CellsInFiles(files, boxes, options.size)
    feed = Feed(stored_examples(folder, options), device, whole=options.whole)
    (fixed,) = feed.batches([np.arange(options.batch)])

    computed = time.process_time()
    for index in range(20):
        cells[index]
    reading_ms = 1e3 * (time.process_time() - computed) / 20

    def ways(n_batches: int) -> dict[str, Iterator[Streams]]:
        order = [random.integers(0, options.cells, options.batch) for _ in range(n_batches)]
        per_cell = DataLoader(cells, options.batch, shuffle=True, num_workers=2, persistent_workers=False)
        return {
            "stored": feed.batches(order),
            "fixed": itertools.repeat(fixed, n_batches),
            "per cell": ((batch.to(device),) for batch in per_cell),
        }

    result: dict[str, Any] = {"device": str(device), "whole on device": feed.whole, **vars(options)}
    result["reading a cell from its files, processor ms"] = round(reading_ms, 3)
    for what, learns in (("training", True), ("delivering", False)):
        training = Training(options, feed, learns)
        rates: dict[str, list[float]] = {"stored": [], "fixed": [], "per cell": []}
        cpu_ms: dict[str, list[float]] = {"stored": [], "fixed": []}
        training.cells_per_s(ways(5)["fixed"], 5)  # warm
        for number in range(options.rounds):
            for way in ("stored", "fixed") if number % 2 else ("fixed", "stored"):
                if learns or way == "stored":
                    rates[way].append(training.cells_per_s(ways(options.batches)[way], options.batches))
                    cpu_ms[way].append(training.cpu_ms)
        rates["per cell"] = [training.cells_per_s(ways(6)["per cell"], 6) for _ in range(options.slow_rounds)]
        result[f"{what}, processor ms a cell"] = {way: round(min(all_), 4) for way, all_ in cpu_ms.items() if all_}
        result[f"{what}, cells/s"] = {way: round(statistics.median(all_)) for way, all_ in rates.items() if all_}
        if learns:
            shares = [one / other for one, other in zip(rates["stored"], rates["fixed"], strict=True)]
            result["stored against fixed"] = round(statistics.median(shares), 3)
            result["stored against fixed, each round"] = [round(share, 3) for share in shares]
        if rates["per cell"]:
            ratio = statistics.median(rates["stored"]) / statistics.median(rates["per cell"])
            result[f"{what}, stored against per cell"] = round(ratio, 1)
    return result


def main() -> None:
    """Measure, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--architecture", default="small-resnet")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--measurements", type=int, default=500, help="of fusion")
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--field-size", type=int, default=1080)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slow-rounds", type=int, default=2)
    parser.add_argument(
        "--whole", action=argparse.BooleanOptionalAction, help="put all crops on the GPU, or stream them"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
