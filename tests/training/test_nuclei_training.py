"""The training of `nuclei`: what it is fed is true, held-out images stay out, and it goes on where it stopped."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from cellvote.synthetic import PlateSettings, design_plate, simulate_field

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    """Return the training scripts as modules."""
    sys.path.insert(0, str(TRAINING))
    try:
        import nuclei_crops
        import nuclei_data
        import train_nuclei
    finally:
        sys.path.remove(str(TRAINING))
    return {"crops": nuclei_crops, "data": nuclei_data, "train": train_nuclei}


@pytest.fixture(scope="module")
def examples(modules: dict[str, ModuleType]) -> list:
    """Return two simulated fields as training images."""
    settings = PlateSettings(field_size_px=256, cells_per_field=18, debris_per_field=1, seed=3)
    fields = [simulate_field(settings, well) for well in list(design_plate(settings).wells)[:2]]
    return [modules["data"].Example(str(i), field.image[0], field.nuclei) for i, field in enumerate(fields)]


def test_flows_of_turned_crops_lead_into_their_nucleus(modules: dict[str, ModuleType], examples: list) -> None:
    stored = [modules["data"].store(example) for example in examples]
    _, truth = modules["crops"].FlowCrops(stored, 128, seed=1).batch(12)
    truth = truth.nan_to_num()
    foreground = truth[:, 2] > 0.99
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    rim = foreground & (torch.nn.functional.avg_pool2d(truth[:, 2], 5, 1, 2) < 0.8)
    target_y, target_x = (y + 4 * truth[:, 0]).round().clamp(0, 127), (x + 4 * truth[:, 1]).round().clamp(0, 127)
    n = torch.arange(12)[:, None, None].expand_as(rim)[rim]
    reached = truth[n, 2, target_y[rim].long(), target_x[rim].long()]
    away = truth[
        n,
        2,
        (2 * y.expand_as(rim)[rim] - target_y[rim]).clamp(0, 127).long(),
        (2 * x.expand_as(rim)[rim] - target_x[rim]).clamp(0, 127).long(),
    ]
    assert rim.sum() > 500
    assert (reached > 0.5).float().mean() > 0.97
    assert (away > 0.5).float().mean() < 0.6


def test_a_crop_of_a_larger_nucleus_says_so(modules: dict[str, ModuleType], examples: list) -> None:
    images, truth = modules["crops"].SizeCrops(examples, 128, seed=0).batch(24)
    assert images.shape == (24, 1, 128, 128)
    assert truth.shape == (24, 2, 16, 16)
    sizes = truth[:, 1][truth[:, 0] > 0.9]
    assert sizes.max() - sizes.min() > 2, "nuclei from 5 to 100 px are shown: more than two doublings"


def test_no_image_is_in_two_parts(modules: dict[str, ModuleType]) -> None:
    parts = [modules["data"].part_of(f"{i:064x}") for i in range(4000)]
    assert 0.12 < parts.count("held-out") / 4000 < 0.18
    assert parts == [modules["data"].part_of(f"{i:064x}") for i in range(4000)]


def test_training_goes_on_where_it_stopped(modules: dict[str, ModuleType], examples: list, tmp_path: Path) -> None:
    from cellvote.segmentation.nuclei.network import SizeNetwork

    train, crops = modules["train"].train, modules["crops"].SizeCrops(examples, 64, seed=0)
    loss = modules["train"].size_loss
    torch.manual_seed(0)
    train(SizeNetwork(), crops, loss, tmp_path, minutes=0.01, batch=2, rate=1e-3)
    first = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    average = train(SizeNetwork(), crops, loss, tmp_path, minutes=0.02, batch=2, rate=1e-3)
    second = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert second["step"] > first["step"] > 0
    assert second["spent"] > first["spent"]
    assert all(np.isfinite(value.numpy()).all() for value in average.state_dict().values())
