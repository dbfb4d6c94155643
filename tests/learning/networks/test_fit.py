"""The training loop: it learns, it stops, and it goes on after a stop as if there had been none."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from cellvote.errors import CancelledError, ClassifierError
from cellvote.learning.architectures import build_architecture
from cellvote.learning.networks import fit
from cellvote.learning.networks.checkpoint import Weights
from cellvote.learning.networks.crops_on_device import intensity_limits
from cellvote.learning.networks.fit import TrainingCrops, fit_network, predict_network
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken

CPU = torch.device("cpu")


def two_classes(n: int = 48) -> TrainingCrops:
    """Make crops of noise, half of them with a bright square; every fourth is for validation."""
    random = np.random.default_rng(0)
    codes = np.arange(n) % 2
    crops = random.poisson(100, (n, 1, 16, 16)).astype(np.uint16)
    crops[codes == 1, :, 5:11, 5:11] += 150
    limits = np.repeat(intensity_limits(crops)[None], n, axis=0)
    return TrainingCrops(crops, codes, limits, np.arange(n) % 8 > 5)


DATA = two_classes()
SETTINGS = TrainSettings(architecture="small-resnet", epochs=3, batch_size=16, patience=9)


def run(
    folder: Path,
    data: TrainingCrops = DATA,
    settings: TrainSettings = SETTINGS,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    cancel: CancelToken | None = None,
    fold: int = 0,
) -> Weights:
    return fit_network(
        data,
        2,
        settings,
        fold=fold,
        device=CPU,
        checkpoint=folder / "fold-0",
        on_epoch=on_epoch,
        cancel=cancel or CancelToken(),
    )


def predict(weights: Weights, data: TrainingCrops = DATA) -> np.ndarray:
    network = build_architecture("small-resnet", channels=data.crops.shape[1], size_px=16, n_classes=2)
    network.load_state_dict(weights)
    return predict_network(network, data.crops, data.limits, CPU, CancelToken(), lambda n: None)


@dataclass(frozen=True)
class Ended:
    """How a run ended: its weights, all that its last checkpoint holds, and its history without times."""

    weights: Weights
    checkpoint: bytes
    history: list[dict[str, Any]]


def run_to_the_end(folder: Path, **options: Any) -> Ended:
    rows: list[dict[str, Any]] = []
    weights = run(folder, on_epoch=rows.append, **options)
    history = [{k: v for k, v in row.items() if k not in {"seconds", "cells_per_s"}} for row in rows]
    return Ended(weights, (folder / "fold-0.safetensors").read_bytes(), history)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Return a run that nobody stopped."""
    return run_to_the_end(tmp_path_factory.mktemp("unbroken"))


def assert_same(one: Ended, other: Ended) -> None:
    assert one.history == other.history
    assert one.checkpoint == other.checkpoint
    assert safetensors.torch.save(one.weights) == safetensors.torch.save(other.weights)


def test_crops_that_differ_are_told_apart(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 14, "patience": 14})
    said = predict(run(tmp_path, settings=settings))
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said.argmax(axis=1) == DATA.codes).all()


def test_every_epoch_is_told_with_what_it_learned(unbroken: Ended) -> None:
    rows = unbroken.history
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert all(0 <= row["validation_accuracy"] <= 1 for row in rows)
    assert all(row["device"] == "cpu" for row in rows)


def test_the_same_seed_gives_the_same_run_and_another_gives_another(tmp_path: Path, unbroken: Ended) -> None:
    assert_same(run_to_the_end(tmp_path / "again"), unbroken)
    other = run_to_the_end(tmp_path / "other", settings=SETTINGS.model_copy(update={"seed": 1}))
    assert other.checkpoint != unbroken.checkpoint


def test_each_fold_and_each_epoch_draws_its_own_random_numbers() -> None:
    seeds = [fit._seed(seed, fold, epoch) for seed in (0, 1) for fold in (0, 1) for epoch in (0, 1, 2)]
    assert len(set(seeds)) == len(seeds)


def test_cells_come_in_another_order_in_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[float] = []
    original = fit.augmented

    def spy(crops: torch.Tensor, *options: Any) -> torch.Tensor:
        shown.extend(crops.flatten(1).sum(dim=1).tolist())
        return original(crops, *options)

    monkeypatch.setattr(fit, "augmented", spy)
    run(tmp_path, settings=SETTINGS.model_copy(update={"epochs": 2}))
    n = int((~DATA.validation).sum())
    first, second = shown[:n], shown[n:]
    assert first != second
    assert sorted(first) == sorted(second)


def test_a_run_does_not_hang_on_random_numbers_drawn_elsewhere(tmp_path: Path, unbroken: Ended) -> None:
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert_same(run_to_the_end(tmp_path), unbroken)
    assert torch.equal(torch.random.get_rng_state(), before)


def stop_after(epoch: int, folder: Path, also: Callable[[], object] = lambda: None) -> None:
    """Run until an epoch is done, and cancel."""
    token = CancelToken()

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            token.cancel()
        else:
            also()

    with pytest.raises(CancelledError):
        run(folder, on_epoch=stop, cancel=token)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, unbroken: Ended, epoch: int) -> None:
    stop_after(epoch, tmp_path)
    assert_same(run_to_the_end(tmp_path), unbroken)


def test_a_finished_run_is_not_trained_again(tmp_path: Path, unbroken: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    monkeypatch.setattr(fit._Run, "_train", lambda *_: pytest.fail("trained again"))
    assert_same(run_to_the_end(tmp_path), unbroken)


def test_a_checkpoint_of_which_a_part_is_lost_is_begun_again(tmp_path: Path, unbroken: Ended) -> None:
    stop_after(1, tmp_path)
    weights = tmp_path / "fold-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert_same(run_to_the_end(tmp_path), unbroken)


def test_a_run_killed_between_the_two_files_of_a_checkpoint_is_begun_again(tmp_path: Path, unbroken: Ended) -> None:
    note, old_note = tmp_path / "fold-0.json", tmp_path / "old"
    stop_after(2, tmp_path, also=lambda: shutil.copy(note, old_note))
    old_note.replace(note)  # the weights are of epoch 2, the note is of epoch 1
    assert_same(run_to_the_end(tmp_path), unbroken)


def test_nothing_is_trained_after_cancelling(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        run(tmp_path, cancel=token)
    assert not list(tmp_path.iterdir())


# Losses that are no numbers


def test_a_loss_that_is_never_a_number_is_refused_with_what_to_do(tmp_path: Path) -> None:
    data = TrainingCrops(DATA.crops, DATA.codes, np.full_like(DATA.limits, np.nan), DATA.validation)
    with pytest.raises(ClassifierError, match="not a number from the first epoch on. Lower the learning rate"):
        run(tmp_path, data)


def test_a_loss_that_stops_being_a_number_ends_the_run_with_the_best_weights_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fit._Run._train

    def diverge(self: fit._Run, epoch: int) -> tuple[float, float]:
        said = original(self, epoch)
        return said if epoch == 1 else (float("nan"), 0.5)

    monkeypatch.setattr(fit._Run, "_train", diverge)
    rows: list[dict[str, Any]] = []
    weights = run(tmp_path, on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["train_loss"] is None
    monkeypatch.undo()
    stop_after(1, tmp_path / "first")
    first = safetensors.torch.load_file(tmp_path / "first" / "fold-0.safetensors")
    assert all(torch.equal(weight, first[f"now/{name}"]) for name, weight in weights.items())


def test_patience_ends_a_run_that_no_longer_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.4, 0.6, 0.7, 0.1])
    monkeypatch.setattr(fit._Run, "_validate", lambda self: (next(losses), 0.5))
    rows: list[dict[str, Any]] = []
    run(tmp_path, settings=SETTINGS.model_copy(update={"epochs": 9, "patience": 2}), on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_without_validation_wells_the_training_loss_is_watched(tmp_path: Path) -> None:
    data = TrainingCrops(DATA.crops, DATA.codes, DATA.limits, np.zeros(len(DATA.codes), bool))
    rows: list[dict[str, Any]] = []
    run(tmp_path, data, SETTINGS.model_copy(update={"epochs": 1}), on_epoch=rows.append)
    assert rows[0]["validation_loss"] is None
    assert rows[0]["train_loss"] > 0


def test_a_last_batch_of_one_cell_is_passed_over(tmp_path: Path) -> None:
    data = two_classes(17)
    data = TrainingCrops(data.crops, data.codes, data.limits, np.zeros(17, bool))
    run(tmp_path, data, SETTINGS.model_copy(update={"epochs": 1}))


# Predicting


def test_no_crops_give_no_probabilities(unbroken: Ended) -> None:
    none = TrainingCrops(DATA.crops[:0], DATA.codes[:0], DATA.limits[:0], DATA.validation[:0])
    assert len(predict(unbroken.weights, none)) == 0


def test_what_is_said_of_a_crop_does_not_hang_on_its_batch(unbroken: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predict(unbroken.weights)
    monkeypatch.setattr(fit, "PREDICT_BATCH", 7)
    np.testing.assert_allclose(predict(unbroken.weights), whole, atol=1e-5)
