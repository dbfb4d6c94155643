"""Train the networks of `nuclei`, on a CPU or a GPU, within a given time; go on where a run was stopped.

    python training/train_nuclei.py sizes DSB2018_FOLDER RUN_FOLDER --minutes 8
    python training/train_nuclei.py flows DSB2018_FOLDER RUN_FOLDER --minutes 100
    python training/train_nuclei.py pack  DSB2018_FOLDER RUN_FOLDER

On a GPU, crops are drawn by processes of their own, and batches are larger: ``--device cuda --batch 64 --rate 3e-3
--crop-workers 14``. ``pack`` writes the weights file of the package. How good they are:
``python benchmarks/nuclei.py``.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from cellvote.segmentation.nuclei import network as architecture
from cellvote.segmentation.nuclei.network import FLOW_SCALE, FlowNetwork, SizeNetwork
from nuclei_crops import FlowCrops, SizeCrops
from nuclei_data import Example, Stored, read_examples, store

Loss = Callable[[Tensor, Tensor], Tensor]


def flow_loss(answer: Tensor, truth: Tensor) -> Tensor:
    """Cellpose's loss: squared error of the flows and cross-entropy of the foreground, where truth is known."""
    known = ~truth.isnan()
    truth = truth.nan_to_num()
    flows = ((answer[:, :2] - FLOW_SCALE * truth[:, :2]) ** 2)[known[:, :2]].mean() / 2
    # Soft at borders, and these count more: at IoU 0.75 they decide.
    cells = functional.binary_cross_entropy_with_logits(answer[:, 2], truth[:, 2], reduction="none")
    near = functional.max_pool2d(truth[:, 2:], 5, 1, 2)[:, 0]
    cells = (cells * (1 + 2 * near))[known[:, 2]].mean()
    return flows + cells


def size_loss(answer: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the share of foreground, and error of the log diameter where there is some."""
    share, size = truth[:, 0], truth[:, 1]
    found = functional.binary_cross_entropy_with_logits(answer[:, 0], share)
    error = functional.smooth_l1_loss(answer[:, 1], size, reduction="none", beta=0.2)
    return found + 2 * (error * share).sum() / share.sum().clamp(min=1)


class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches without end, drawn here or by the processes of a `DataLoader`, each its own."""

    def __init__(self, crops: FlowCrops | SizeCrops, batch: int, first: int) -> None:
        self.crops, self.batch, self.first = crops, batch, first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Draw on; what is drawn depends on the step at which a run goes on."""
        worker = get_worker_info()
        self.crops.random = np.random.default_rng([self.first, worker.id if worker else 0])
        while True:
            yield self.crops.batch(self.batch)


def train(
    network: nn.Module,
    crops: FlowCrops | SizeCrops,
    loss_of: Loss,
    folder: Path,
    *,
    minutes: float,
    batch: int,
    rate: float,
    device: str = "cpu",
    crop_workers: int = 0,
) -> nn.Module:
    """Train for so many minutes in all runs together, and give the average of the last weights."""
    network = network.to(device).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    spent, step, losses = 0.0, 0, []
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        there = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(there["network"])
        average.load_state_dict(there["average"])
        optimiser.load_state_dict(there["optimiser"])
        spent, step = there["spent"], there["step"]
    batches = iter(DataLoader(Batches(crops, batch, first=step), batch_size=None, num_workers=crop_workers))
    saved = began = time.monotonic()
    before = spent
    while spent < minutes * 60:
        share = spent / (minutes * 60)
        warm = min(1.0, (step + 1) / 200)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * (0.5 * (1 + math.cos(math.pi * share)) + 0.003)
        images, truth = (part.to(device) for part in next(batches))
        loss = loss_of(network(images.contiguous(memory_format=torch.channels_last)), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        _blend(average, network, min(0.998, step / (step + 20)))
        losses.append(loss.detach())
        spent = before + time.monotonic() - began
        if step % 50 == 0:
            mean = torch.stack(losses[-200:]).mean().item()
            print(f"{spent / 60:6.1f} min  step {step:6d}  loss {mean:.4f}", flush=True)
        if time.monotonic() - saved > 60 or spent >= minutes * 60:
            saved = time.monotonic()
            state = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save({**state, "spent": spent, "step": step}, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)
            weights = {name: value.cpu().contiguous() for name, value in average.state_dict().items()}
            save_file(weights, folder / "average.safetensors")
    return average


@torch.no_grad()
def _blend(average: nn.Module, network: nn.Module, keep: float) -> None:
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - keep)
        else:
            mean.copy_(now)


def stored_examples(examples: list[Example], folder: Path) -> list[Stored]:
    """Compute the flows of all examples once."""
    path = folder / f"stored-{len(examples)}.pt"
    if not path.exists():
        made = [store(example) for example in examples]
        torch.save([(s.planes, torch.from_numpy(s.points)) for s in made], path)
    return [Stored(planes, points.numpy()) for planes, points in torch.load(path, weights_only=True)]


def pack(run: Path, data: Path) -> None:
    """Write the weights of both networks into the package, convolutions in half precision."""
    weights: dict[str, Tensor] = {}
    steps = {}
    for name in ("flows", "sizes"):
        for key, value in load_file(run / name / "average.safetensors").items():
            weights[f"{name}.{key}"] = value.half().contiguous() if value.ndim == 4 else value
        there = torch.load(run / name / "checkpoint.pt", weights_only=True)
        steps[name] = {"steps": there["step"], "minutes": round(there["spent"] / 60)}
    facts = {
        "images": "BBBC038 (2018 Data Science Bowl), grey fluorescence images, CC0",
        "parts": {part: len(read_examples(data, part)) for part in ("train", "tune", "held-out")},
        "last_minutes_on": "train and tune",
        "split": "by the image's name: nuclei_data.part_of",
        "training": steps,
    }
    path = Path(architecture.__file__).with_name("nuclei.safetensors")
    save_file(weights, path, metadata={"facts": json.dumps(facts)})
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {json.dumps(facts)}")


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("flows", "sizes", "pack"))
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=100.0)
    parser.add_argument("--parts", default="train", help="train, or train,tune once the settings are chosen")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, help="default: 8 for flows, 12 for sizes")
    parser.add_argument("--rate", type=float, help="largest learning rate; default: 1.5e-3 for flows, 2e-3 for sizes")
    parser.add_argument("--crop-workers", type=int, default=0, help="processes that draw crops; 0: the one that trains")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    folder = given.run / given.what
    if given.what == "pack":
        pack(given.run, given.data)
        return
    folder.mkdir(parents=True, exist_ok=True)
    examples = [example for part in given.parts.split(",") for example in read_examples(given.data, part)]
    print(f"{len(examples)} images to train on", flush=True)
    where = {"minutes": given.minutes, "device": given.device, "crop_workers": given.crop_workers}
    if given.what == "flows":
        crops = FlowCrops(stored_examples(examples, folder), 128, seed=0)
        train(FlowNetwork(), crops, flow_loss, folder, batch=given.batch or 8, rate=given.rate or 1.5e-3, **where)
    else:
        sizes = SizeCrops(examples, 256, seed=0)
        train(SizeNetwork(), sizes, size_loss, folder, batch=given.batch or 12, rate=given.rate or 2e-3, **where)


if __name__ == "__main__":
    main()
