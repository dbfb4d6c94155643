"""Frozen backbones: opened from timm or from a classifier, and kept with the head that is trained on them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from cellvote.errors import ClassifierError
from cellvote.learning.architectures import build_architecture
from cellvote.learning.classifier import ClassifierInfo
from cellvote.learning.inputs import Inputs
from cellvote.learning.networks.frozen_backbone import open_backbone, read_backbone, write_backbone
from cellvote.learning.weights_note import write_note
from cellvote.study.atomic import write_json, write_table

IMAGES = torch.rand(3, 2, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weights(tmp_path: Path) -> str:
    torch.manual_seed(1)
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet", num_classes=7).state_dict(), path)
    return str(path)


def write_classifier(folder: Path, architecture: str, inputs: Inputs) -> dict[str, torch.Tensor]:
    folder.mkdir()
    info = ClassifierInfo(
        name="mine",
        architecture=architecture,
        classes=("a", "b"),
        class_column="compound",
        inputs=inputs,
        settings={},
        split_by="well",
        n_folds=2,
        seed=0,
        segmentation={},
        training_data="",
    )
    write_json(folder / "model.json", info.model_dump(mode="json"))
    split = pd.DataFrame({"plate": ["P", "P"], "well": ["A01", "A02"], "field": [1, 1], "image_hash": ["h1", "h2"]})
    write_table(folder / "split.parquet", split.assign(class_name=["a", "b"], group=["A01", "A02"], fold=[0, 1]))
    tensors: dict[str, torch.Tensor] = {}
    if architecture == "small-resnet":
        for fold in range(2):
            torch.manual_seed(fold)
            network = build_architecture(architecture, channels=2, size_px=64, n_classes=2)
            tensors |= {f"fold{fold}/{name}": tensor for name, tensor in network.state_dict().items()}
        safetensors.torch.save_file(tensors, folder / "model.safetensors")
        write_note(folder / "model.safetensors", info)
    else:
        zipfile.ZipFile(folder / "model.skops", "w").close()
        write_note(folder / "model.skops", info)
    return tensors


def test_a_model_of_timm_with_weights_gives_features(weights: str) -> None:
    backbone = open_backbone("timm:test_resnet", channels=2, size_px=(64, 64), weights=weights)
    features = backbone.embed(IMAGES)
    assert features.shape == (3, backbone.n_features)
    assert features.dtype == np.float32
    assert backbone.note.start.endswith("weights.safetensors")
    assert backbone.held_out(["x"]).tolist() == [True]


def test_the_network_that_finds_nuclei_comes_with_the_program(tmp_path: Path) -> None:
    backbone = open_backbone("nuclei", channels=2, size_px=(64, 64))
    features = backbone.embed(IMAGES)
    assert features.shape == (3, 2 * 832)
    assert (backbone.note.start, backbone.note.licence) == (
        "from the weights nuclei.safetensors that come with CellVote",
        "BSD-3-Clause",
    )
    other = open_backbone("nuclei", channels=1, size_px=(32, 32))
    assert other.note.checksum == backbone.note.checksum != "random"
    write_backbone(tmp_path, backbone)
    assert read_backbone(tmp_path).embed(IMAGES).tobytes() == features.tobytes()
    with pytest.raises(ClassifierError, match="leave weights out"):
        open_backbone("nuclei", channels=2, size_px=(64, 64), weights="mine.safetensors")


def test_each_channel_has_its_own_features_of_nuclei() -> None:
    one, both = (open_backbone("nuclei", channels=n, size_px=(64, 64)) for n in (1, 2))
    apart = [one.embed(IMAGES[:, i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(both.embed(IMAGES), np.concatenate(apart, axis=1), rtol=1e-4, atol=1e-5)


def test_what_is_frozen_stays_so_while_a_layer_on_it_learns() -> None:
    network: Any = build_architecture("nuclei", channels=2, size_px=64, n_classes=3).train()
    before = [p.clone() for p in network.backbone.parameters()]
    learner = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 0.003)
    for _ in range(10):
        learner.zero_grad()
        nn.functional.cross_entropy(network(IMAGES), torch.tensor([0, 1, 2])).backward()
        learner.step()
    assert all(torch.equal(a, b) for a, b in zip(before, network.backbone.parameters(), strict=True))
    assert nn.functional.cross_entropy(network(IMAGES), torch.tensor([0, 1, 2])) < 0.1
    assert len(list(network.backbone.parameters())) == len(before) > 20


def test_the_folder_of_a_head_is_all_that_it_needs(tmp_path: Path, weights: str) -> None:
    backbone = open_backbone("timm:test_resnet", channels=2, size_px=(64, 64), weights=weights)
    write_backbone(tmp_path / "model", backbone)
    Path(weights).unlink()
    again = read_backbone(tmp_path / "model")
    assert again.note == backbone.note
    assert again.embed(IMAGES).tobytes() == backbone.embed(IMAGES).tobytes()


def test_without_pretrained_weights_there_is_no_backbone_unless_that_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellvote.learning.networks.pretrained.cached_weights", lambda name: None)
    with pytest.raises(ClassifierError, match="not on this machine"):
        open_backbone("timm:test_resnet", channels=2, size_px=(64, 64), pretrained="no")
    one, two = (
        open_backbone("timm:test_resnet", channels=2, size_px=(64, 64), pretrained="if-there") for _ in range(2)
    )
    assert one.note.start.startswith("from scratch, since")
    assert one.embed(IMAGES).tobytes() == two.embed(IMAGES).tobytes()


def test_the_backbone_of_a_trained_classifier_knows_what_it_has_learned_from(tmp_path: Path) -> None:
    inputs = Inputs(parts=("pixels",), channels=("DNA", "Actin"), size_px=(64, 64), scale="plate")
    tensors = write_classifier(tmp_path / "mine", "small-resnet", inputs)
    backbone = open_backbone(str(tmp_path / "mine"), channels=2, size_px=(64, 64))
    network: Any = build_architecture("small-resnet", channels=2, size_px=64, n_classes=2).eval()
    network.load_state_dict({k.removeprefix("fold0/"): t for k, t in tensors.items() if k.startswith("fold0/")})
    with torch.inference_mode():
        np.testing.assert_allclose(backbone.embed(IMAGES), network.backbone(IMAGES).numpy(), rtol=1e-5, atol=1e-6)
    assert backbone.held_out(["h1", "new", "h2"]).tolist() == [False, True, False]
    assert backbone.note.inputs == inputs


def test_images_of_another_kind_than_the_classifiers_are_refused_with_both_sides(tmp_path: Path) -> None:
    inputs = Inputs(parts=("pixels",), channels=("DNA", "Actin"), size_px=(64, 64))
    write_classifier(tmp_path / "mine", "small-resnet", inputs)
    with pytest.raises(ClassifierError, match="is fed 2 channels of 64×64 px, the images have 3 of 32×32 px"):
        open_backbone(str(tmp_path / "mine"), channels=3, size_px=(32, 32))


def test_what_has_no_backbone_is_refused(tmp_path: Path) -> None:
    write_classifier(tmp_path / "forest", "forest", Inputs(parts=("measurements",), columns=("area",)))
    with pytest.raises(ClassifierError, match="forest is no network, so it has no backbone"):
        open_backbone(str(tmp_path / "forest"), channels=1, size_px=(64, 64))
    with pytest.raises(ClassifierError, match="no classifier in this folder"):
        open_backbone(str(tmp_path / "gone"), channels=1, size_px=(64, 64))
    for name in ("small-resnet", "forest", "fusion"):
        with pytest.raises(ClassifierError, match=f"{name} cannot be a backbone"):
            open_backbone(name, channels=1, size_px=(64, 64))


@pytest.mark.parametrize("damage", ["note", "field", "weights", "missing"])
def test_a_damaged_backbone_is_refused(tmp_path: Path, weights: str, damage: str) -> None:
    write_backbone(tmp_path, open_backbone("timm:test_resnet", channels=2, size_px=(64, 64), weights=weights))
    note, kept = tmp_path / "backbone.json", tmp_path / "backbone.safetensors"
    if damage == "note":
        note.write_text("{", encoding="utf-8")
    elif damage == "field":
        write_json(note, {**json.loads(note.read_text(encoding="utf-8")), "channels": 3})
    elif damage == "weights":
        kept.write_bytes(kept.read_bytes()[:1000])
    else:
        kept.unlink()
    with pytest.raises(ClassifierError, match=r"backbone\.(json|safetensors)"):
        read_backbone(tmp_path)
