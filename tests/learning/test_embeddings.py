"""Embeddings: computed once, made anew where they are stale, gone on with where they were broken off."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cellvote.errors import CancelledError, ClassifierError, StudyError
from cellvote.learning.classic import fit_head
from cellvote.learning.embeddings import EmbeddingsFile, compute_embeddings, embeddings_path
from cellvote.learning.networks.frozen_backbone import BackboneNote, FrozenBackbone
from cellvote.learning.networks.small_resnet import SmallResNet
from cellvote.progress import CancelToken, Progress

CPU = torch.device("cpu")
CODES = np.arange(90) % 3
RANDOM = np.random.default_rng(0)
IMAGES = (RANDOM.random((90, 2, 16, 16)) + CODES[:, None, None, None] * [[[1.0]], [[0.3]]]).astype(np.float32)
NOTE = {"crops": "abc", "limits": [0, 1]}


class Batches:
    """Gives the images above, and counts what it gave; stops after some batches as a killed run does."""

    def __init__(self, stop_after: int = 1000, cancel: CancelToken | None = None) -> None:
        self.given, self.stop_after, self.cancel = 0, stop_after, cancel

    def batches(self, batches: Sequence[np.ndarray]) -> Iterator[tuple[torch.Tensor, ...]]:
        for number, rows in enumerate(batches):
            if number == self.stop_after:
                if self.cancel is None:
                    raise KeyboardInterrupt
                self.cancel.cancel()
            self.given += len(rows)
            yield (torch.from_numpy(IMAGES[rows]),)


@pytest.fixture(scope="module")
def backbone() -> FrozenBackbone:
    torch.manual_seed(0)
    network = SmallResNet(2, 1)
    note = BackboneNote(
        name="own", architecture="small-resnet", channels=2, size_px=(16, 16), n_features=384, checksum="0"
    )
    return FrozenBackbone(note, network.backbone.eval())


def file_at(folder: Path, images: dict[str, Any] | None = None) -> EmbeddingsFile:
    return EmbeddingsFile(embeddings_path(folder / "crops-16.npy", "own"), len(IMAGES), images or NOTE)


def compute(file: EmbeddingsFile, backbone: FrozenBackbone, batches: Batches | None = None, **more: Any) -> Any:
    return compute_embeddings(file, backbone, batches or Batches(), device=CPU, batch_size=8, **more)


def test_embeddings_are_what_the_network_says_of_each_image(tmp_path: Path, backbone: FrozenBackbone) -> None:
    found = compute(file_at(tmp_path), backbone)
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float32
    with torch.inference_mode():
        expected = backbone.network(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_head_on_them_tells_the_classes_apart(tmp_path: Path, backbone: FrozenBackbone) -> None:
    found = compute(file_at(tmp_path), backbone)
    head = fit_head(np.asarray(found[:60]), CODES[:60], 0)
    right = (head.predict_proba(np.asarray(found[60:])).argmax(axis=1) == CODES[60:]).mean()
    assert right > 0.75  # by chance a third; the weights are drawn anew


def test_they_are_computed_once(tmp_path: Path, backbone: FrozenBackbone) -> None:
    compute(file_at(tmp_path), backbone)
    again = Batches()
    compute(file_at(tmp_path), backbone, again)
    assert again.given == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crops-16-embeddings-own.json", "crops-16-embeddings-own.npy"]


@pytest.mark.parametrize("what", ["the images", "the weights"])
def test_they_are_computed_anew_where_something_has_changed(
    tmp_path: Path, backbone: FrozenBackbone, what: str
) -> None:
    compute(file_at(tmp_path), backbone)
    again = Batches()
    if what == "the images":
        compute(file_at(tmp_path, {**NOTE, "crops": "cut anew"}), backbone, again)
    else:
        other = replace(backbone, note=backbone.note.model_copy(update={"checksum": "1"}))
        compute(file_at(tmp_path), other, again)
    assert again.given == len(IMAGES)


def test_a_broken_off_run_goes_on_where_it_was_and_ends_with_the_same_bytes(
    tmp_path: Path, backbone: FrozenBackbone
) -> None:
    whole = file_at(tmp_path / "whole")
    compute(whole, backbone)
    file = file_at(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        compute(file, backbone, Batches(stop_after=5))
    assert not file.path.exists()
    rest = Batches()
    compute(file, backbone, rest)
    assert rest.given == len(IMAGES) - 5 * 8
    assert file.path.read_bytes() == whole.path.read_bytes()


def test_what_was_kept_of_other_images_is_not_gone_on_with(tmp_path: Path, backbone: FrozenBackbone) -> None:
    with pytest.raises(KeyboardInterrupt):
        compute(file_at(tmp_path), backbone, Batches(stop_after=5))
    anew = Batches()
    compute(file_at(tmp_path, {"crops": "cut anew"}), backbone, anew)
    assert anew.given == len(IMAGES)


def test_it_can_be_cancelled_within_a_batch(tmp_path: Path, backbone: FrozenBackbone) -> None:
    cancel, seen = CancelToken(), []
    with pytest.raises(CancelledError):
        compute(file_at(tmp_path), backbone, Batches(stop_after=3, cancel=cancel), cancel=cancel, report=seen.append)
    last: Progress = seen[-1]
    assert (last.done, last.total) == (24, 90)


def test_damaged_files_are_computed_anew_or_named(tmp_path: Path, backbone: FrozenBackbone) -> None:
    file = file_at(tmp_path)
    compute(file, backbone)
    file.note_path.write_text("{", encoding="utf-8")
    again = Batches()
    compute(file, backbone, again)
    assert again.given == len(IMAGES)
    file.path.write_bytes(b"no array")
    with pytest.raises(StudyError, match=r"embeddings-own\.npy: cannot be opened"):
        file.open()
    np.save(file.path, np.zeros((3, 2)))
    with pytest.raises(StudyError, match=r"holds float64 of \(3, 2\), not 90 rows"):
        file.open()


def test_the_file_says_what_it_was_made_from(tmp_path: Path, backbone: FrozenBackbone) -> None:
    file = file_at(tmp_path)
    compute(file, backbone)
    noted = json.loads(file.note_path.read_text(encoding="utf-8"))
    assert noted["images"] == NOTE
    assert noted["backbone"]["architecture"] == "small-resnet"
    assert noted["shape"] == [90, 384]


def test_values_that_are_no_numbers_are_not_kept(tmp_path: Path, backbone: FrozenBackbone) -> None:
    broken = torch.nn.Sequential(backbone.network, Nan())
    with pytest.raises(ClassifierError, match="no number of the images 0 to 7"):
        compute(file_at(tmp_path), replace(backbone, network=broken))


class Nan(torch.nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * float("nan")


def test_the_name_of_a_folder_is_no_path_in_the_name_of_the_file() -> None:
    assert embeddings_path(Path("a/crops-64.npy"), "../b/my model") == Path("a/crops-64-embeddings-my_model.npy")
