"""The training loop: it learns, it stops, and it goes on after a stop as if there had been none."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from cellvote.errors import CancelledError, ClassifierError, DeviceError, SettingsError
from cellvote.learning.examples import Examples, StoredImages
from cellvote.learning.networks.checkpoint import Weights
from cellvote.learning.networks.fit import Fit, Run, TrainingSet, fit_network, seed_of
from cellvote.learning.networks.predict import predict_network
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken

CPU = torch.device("cpu")


class TinyNetwork(nn.Module):
    """A convolution with normalisation and something that drops out: all that can go wrong in resuming."""

    def __init__(self, n_out: int = 2) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(4, n_out)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """N×C×H×W to N×4."""
        pooled: torch.Tensor = self.body(images)
        return pooled

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """N×C×H×W to N×2."""
        scores: torch.Tensor = self.head(self.features(images))
        return scores


def tiny(n_out: int = 2) -> TinyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return TinyNetwork(n_out)


def two_classes(n: int = 48, *, rare: bool = False) -> TrainingSet:
    """Make crops of noise, half of them (or one in six) with a bright square; every fourth is for validation."""
    random = np.random.default_rng(0)
    codes = (np.arange(n) % (6 if rare else 2) == 1).astype(np.int64)
    crops = random.poisson(100, (n, 1, 16, 16)).astype(np.uint16)
    crops[codes == 1, :, 5:11, 5:11] += 150
    limits = np.array([[[60.0], [300.0]]], np.float32)
    rows = np.arange(n)
    images = StoredImages(crops, rows, np.array([0]), limits, np.zeros(n, np.int64))
    return TrainingSet(Examples(((images,),)), codes, rows % 8 > 5, rows // (n // 3 + 1), 2)


DATA = two_classes()
SETTINGS = TrainSettings(architecture="small-resnet", epochs=3, batch_size=16, patience=9)


def with_settings(**values: Any) -> TrainSettings:
    return TrainSettings(**{**SETTINGS.model_dump(), **values})


def run(
    folder: Path,
    data: TrainingSet = DATA,
    settings: TrainSettings = SETTINGS,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    cancel: CancelToken | None = None,
    data_name: str = "",
) -> Weights:
    network = tiny(1 if settings.loss == "binary" else 2)
    fit = Fit(settings, 0, CPU, folder / "fold-0", data_name)
    return fit_network(network, data, fit, on_epoch=on_epoch, cancel=cancel or CancelToken())


def predict(weights: Weights, data: TrainingSet = DATA, n_out: int = 2) -> np.ndarray:
    network = tiny(n_out)
    network.load_state_dict(weights)
    rows = np.arange(len(data.codes))
    return predict_network(network, data.examples, rows, CPU, cancel=CancelToken(), on_batch=lambda n: None)


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


def assert_same(one: Ended, other: Ended) -> None:
    assert one.history == other.history
    assert one.checkpoint == other.checkpoint
    assert safetensors.torch.save(one.weights) == safetensors.torch.save(other.weights)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Return a run that nobody stopped."""
    return run_to_the_end(tmp_path_factory.mktemp("unbroken"))


LEARNS: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "smoothed": {"label_smoothing": 0.2},
    "focal": {"loss": "focal"},
    "binary": {"loss": "binary"},
    "arcface": {"loss": "arcface"},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "adam, one-cycle": {"optimizer": "adam", "schedule": "one-cycle"},
    "step": {"schedule": "step", "schedule_epochs": 10},
    "exponential": {"schedule": "exponential", "schedule_factor": 0.95},
    "constant": {"schedule": "constant"},
    "averaged": {"average_weights": True},
    "accumulated and clipped": {"accumulate": 2, "clip_norm": 1.0},
    "bf16": {"precision": "bf16"},
}


@pytest.mark.parametrize("name", LEARNS)
def test_crops_that_differ_are_told_apart(tmp_path: Path, name: str) -> None:
    values = {"epochs": 40, "patience": 40, "learning_rate": 0.02, "weight_decay": 0.0, **LEARNS[name]}
    settings = with_settings(**values)
    said = predict(run(tmp_path, settings=settings), n_out=1 if settings.loss == "binary" else 2)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said.argmax(axis=1) == DATA.codes).mean() > 0.95


@pytest.mark.parametrize("balance", ["weights", "sampling", "downsample", "downsample-to-second"])
def test_a_rare_class_is_not_given_up(tmp_path: Path, balance: str) -> None:
    data = two_classes(96, rare=True)
    settings = with_settings(epochs=40, patience=40, learning_rate=0.02, balance=balance)
    said = predict(run(tmp_path, data, settings), data).argmax(axis=1)
    assert (said[data.codes == 1] == 1).mean() > 0.9


def test_every_epoch_is_told_with_what_it_learned(unbroken: Ended) -> None:
    rows = unbroken.history
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert all(0 <= row["validation_accuracy"] <= 1 for row in rows)
    assert all(row["device"] == "cpu" for row in rows)


def test_the_same_seed_gives_the_same_run_and_another_gives_another(tmp_path: Path, unbroken: Ended) -> None:
    assert_same(run_to_the_end(tmp_path / "again"), unbroken)
    other = run_to_the_end(tmp_path / "other", settings=with_settings(seed=1))
    assert other.checkpoint != unbroken.checkpoint


def test_each_fold_and_each_epoch_draws_its_own_random_numbers() -> None:
    seeds = [seed_of(seed, fold, epoch) for seed in (0, 1) for fold in (0, 1) for epoch in (0, 1, 2)]
    assert len(set(seeds)) == len(seeds)


def test_a_run_does_not_hang_on_random_numbers_drawn_elsewhere(tmp_path: Path, unbroken: Ended) -> None:
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert_same(run_to_the_end(tmp_path), unbroken)
    assert torch.equal(torch.random.get_rng_state(), before)


# Stopping and going on


def stop_after(
    epoch: int, folder: Path, settings: TrainSettings = SETTINGS, also: Callable[[], object] = lambda: None
) -> None:
    """Run until an epoch is done, and cancel."""
    token = CancelToken()

    def stop(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            token.cancel()
        else:
            also()

    with pytest.raises(CancelledError):
        run(folder, settings=settings, on_epoch=stop, cancel=token)


RESUMED: dict[str, dict[str, Any]] = {
    "adamw": {},
    "adam, arcface": {"optimizer": "adam", "loss": "arcface"},
    "sgd, step": {"optimizer": "sgd", "schedule": "step", "schedule_epochs": 1},
    "one-cycle, averaged, sampling": {"schedule": "one-cycle", "average_weights": True, "balance": "sampling"},
    "within plates, accumulated": {"batches_within_plate": True, "accumulate": 2},
    "downsampled, bf16": {"balance": "downsample", "precision": "bf16"},
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    settings = with_settings(**RESUMED[name])
    stop_after(2, tmp_path / "stopped", settings)
    assert_same(
        run_to_the_end(tmp_path / "stopped", settings=settings), run_to_the_end(tmp_path / "whole", settings=settings)
    )


KILLED = (
    "import sys; sys.path.insert(0, {here!r}); import test_fit; from pathlib import Path; "
    "test_fit.run(Path({folder!r}), settings=test_fit.with_settings(epochs={epochs}, patience={epochs}))"
)


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    here, folder, epochs = str(Path(__file__).parent), tmp_path / "killed", 60
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(here=here, folder=str(folder), epochs=epochs)])
    deadline = time.monotonic() + 120
    while not (folder / "fold-0.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    settings = with_settings(epochs=epochs, patience=epochs)
    assert_same(run_to_the_end(folder, settings=settings), run_to_the_end(tmp_path / "whole", settings=settings))


def test_a_finished_run_is_not_trained_again(tmp_path: Path, unbroken: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    monkeypatch.setattr(Run, "_train", lambda *_: pytest.fail("trained again"))
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


@pytest.mark.parametrize("options", [{"settings": with_settings(learning_rate=1e-4)}, {"data_name": "others"}], ids=str)
def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    stop_after(1, tmp_path)
    with pytest.raises(ClassifierError, match="other settings or cells"):
        run(tmp_path, **options)


def test_nothing_is_trained_after_cancelling(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        run(tmp_path, cancel=token)
    assert not list(tmp_path.iterdir())


# Losses that are no numbers


def test_a_loss_that_is_never_a_number_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (images,) = DATA.examples.streams[0]
    bad = replace(images, limits=np.full_like(images.limits, np.nan))
    with pytest.raises(ClassifierError, match="not a number from the first epoch on. Lower the learning rate"):
        run(tmp_path, replace(DATA, examples=Examples(((bad,),))))


def test_a_loss_that_stops_being_a_number_ends_the_run_with_the_best_weights_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Run._train

    def diverge(self: Run, epoch: int) -> tuple[float, float, float]:
        said = original(self, epoch)
        return said if epoch == 1 else (float("nan"), 0.5, 0.5)

    monkeypatch.setattr(Run, "_train", diverge)
    rows: list[dict[str, Any]] = []
    weights = run(tmp_path, on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["train_loss"] is None
    assert "weights of epoch 1 are kept" in rows[1]["notes"]
    monkeypatch.undo()
    stop_after(1, tmp_path / "first")
    first = safetensors.torch.load_file(tmp_path / "first" / "fold-0.safetensors")
    assert all(torch.equal(weight, first[f"now/network.{name}"]) for name, weight in weights.items())


def test_patience_ends_a_run_that_no_longer_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.4, 0.6, 0.7, 0.1])
    monkeypatch.setattr(Run, "_validate", lambda self: (next(losses), 0.5, 0.5))
    rows: list[dict[str, Any]] = []
    run(tmp_path, settings=with_settings(epochs=9, patience=2), on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_a_run_that_begins_with_small_images_ends_with_whole_ones(tmp_path: Path) -> None:
    class Watching(TinyNetwork):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training:
                sides.append(images.shape[-1])
            return super().forward(images)

    sides: list[int] = []
    images = DATA.examples.streams[0][0]
    large = replace(images, array=np.kron(images.array, np.ones((1, 1, 2, 2), np.uint16)))
    data = replace(DATA, examples=Examples(((large,),)))
    fit = Fit(with_settings(small_first=0.7), 0, CPU, tmp_path / "fold-0")
    fit_network(Watching(), data, fit, on_epoch=lambda row: None, cancel=CancelToken())
    assert sides[0] == 16
    assert sides[-1] == 32
    assert sides == sorted(sides)


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    data = replace(DATA, validation=np.zeros(len(DATA.codes), bool))
    rows: list[dict[str, Any]] = []
    weights = run(tmp_path, data, on_epoch=rows.append)
    assert rows[0]["validation_loss"] is None
    last = safetensors.torch.load_file(tmp_path / "fold-0.safetensors")
    assert all(torch.equal(weight, last[f"now/network.{name}"]) for name, weight in weights.items())


# Memory that is full


class Full:
    """A network on a device that takes only so many examples at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self.sizes: list[int] = []
        original = TinyNetwork.forward

        def forward(network: TinyNetwork, images: torch.Tensor) -> torch.Tensor:
            if len(images) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
            self.sizes.append(len(images))
            return original(network, images)

        monkeypatch.setattr(TinyNetwork, "forward", forward)


def test_full_memory_halves_what_is_shown_at_a_time_and_the_step_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Full(monkeypatch, 5)
    rows: list[dict[str, Any]] = []
    run(tmp_path, on_epoch=rows.append)
    assert max(full.sizes) <= 5
    assert rows[0]["notes"] == (
        "out of memory: 8 examples at a time instead of 16; out of memory: 4 examples at a time instead of 8"
    )
    assert rows[1]["notes"] == ""
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_a_step_taken_in_parts_is_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without normalisation over the batch, and without chance, the parts add up to the whole."""
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, x: x)
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x)
    calm = with_settings(flips=False, transposition=False, intensity_jitter=0, epochs=1)
    whole = run(tmp_path / "whole", settings=calm)
    Full(monkeypatch, 4)
    parts = run(tmp_path / "parts", settings=calm)
    for name in ("body.0.weight", "head.weight"):
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-4, atol=1e-6)


def test_memory_that_takes_no_two_examples_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Full(monkeypatch, 1)
    with pytest.raises(DeviceError, match="not even two examples fit"):
        run(tmp_path)


def test_an_error_that_is_not_about_memory_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(TinyNetwork, "forward", wrong)
    with pytest.raises(RuntimeError, match="size mismatch"):
        run(tmp_path)


def test_full_memory_halves_the_batches_of_predicting(unbroken: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predict(unbroken.weights)
    full = Full(monkeypatch, 7)
    np.testing.assert_allclose(predict(unbroken.weights), whole, atol=1e-6)
    assert max(full.sizes) <= 7


# Odds and ends


def test_a_last_batch_of_one_cell_is_passed_over(tmp_path: Path) -> None:
    data = replace(two_classes(17), validation=np.zeros(17, bool))
    run(tmp_path, data, with_settings(epochs=1))


def test_arcface_asks_for_features(tmp_path: Path) -> None:
    fit = Fit(with_settings(loss="arcface"), 0, CPU, tmp_path / "fold-0")
    with pytest.raises(SettingsError, match="features"):
        fit_network(nn.Flatten(), DATA, fit, on_epoch=lambda row: None, cancel=CancelToken())


def test_no_examples_give_no_probabilities(unbroken: Ended) -> None:
    none = replace(DATA, examples=DATA.examples.take(np.array([], int)), codes=DATA.codes[:0])
    assert len(predict(unbroken.weights, none)) == 0


def test_what_is_said_of_an_example_does_not_hang_on_its_batch(
    unbroken: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict(unbroken.weights)
    monkeypatch.setattr("cellvote.learning.networks.predict.PREDICT_BATCH", 7)
    np.testing.assert_allclose(predict(unbroken.weights), whole, atol=1e-5)
