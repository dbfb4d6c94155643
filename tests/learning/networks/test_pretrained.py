"""Pretrained weights: found or not, read without running code, and fitted to any number of channels."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest
import safetensors.torch
import timm
import torch
from timm.models._manipulate import adapt_input_conv
from torch import nn

from cellvote.errors import ClassifierError
from cellvote.learning.architectures import build_architecture
from cellvote.learning.networks.pretrained import cached_weights, choose_start, find_weights, read_weights

NAME = "test_resnet"
HUB_NAME = "models--timm--test_resnet.r160_in1k"


def network_of(name: str = NAME, n_classes: int = 10, **about: Any) -> nn.Module:
    torch.manual_seed(1)
    return timm.create_model(name, num_classes=n_classes, **about).eval()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    safetensors.torch.save_file(network_of().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody asked for a download")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)


def put_into_cache(tmp_path: Path, path: Path) -> Path:
    place = tmp_path / "hub" / HUB_NAME
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    cached = place / "snapshots" / "abc" / "model.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(path.read_bytes())
    return cached


def build(path: Path | str | bool, channels: int = 3, name: str = NAME, size_px: int = 64) -> Any:
    return build_architecture(name, channels=channels, size_px=size_px, n_classes=2, pretrained=path).eval()


def centred(images: torch.Tensor) -> torch.Tensor:
    about = timm.get_pretrained_cfg(NAME)
    return (images - sum(about.mean) / 3) / (sum(about.std) / 3)


def save_plain(tensors: Any, path: Path) -> None:
    torch.save(tensors, path)


def save_wrapped(tensors: Any, path: Path) -> None:
    torch.save({"state_dict": {f"module.{k}": v for k, v in tensors.items()}, "epoch": 3}, path)


def save_legacy(tensors: Any, path: Path) -> None:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [safetensors.torch.save_file, save_plain, save_wrapped, save_legacy])
def test_weights_are_read_in_every_usual_form(tmp_path: Path, save: Callable[..., None]) -> None:
    save(network_of().state_dict(), tmp_path / "weights.bin")
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network_of().forward_head(network_of().forward_features(centred(images)), pre_logits=True)
        torch.testing.assert_close(build(tmp_path / "weights.bin").backbone(images), expected)


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 6, 7])
def test_the_same_grey_in_every_channel_gives_what_it_gave_in_rgb(path: Path, channels: int) -> None:
    grey = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        expected = build(path).backbone(grey.expand(-1, 3, -1, -1))
        given = build(path, channels).backbone(grey.expand(-1, channels, -1, -1))
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 6])
def test_the_filters_are_those_of_timms_own_way(path: Path, channels: int) -> None:
    expected = adapt_input_conv(channels, network_of().state_dict()[first_name()])
    weight = build(path, channels).backbone.network.get_submodule(first_name().removesuffix(".weight")).weight
    torch.testing.assert_close(weight.detach(), expected)


def first_name() -> str:
    return f"{timm.get_pretrained_cfg(NAME).first_conv}.weight"


def test_a_transformer_is_fitted_to_the_size_of_the_images(tmp_path: Path) -> None:
    safetensors.torch.save_file(network_of("test_vit").state_dict(), tmp_path / "vit.safetensors")
    network = build(tmp_path / "vit.safetensors", 2, "test_vit", 64)
    assert network(torch.rand(2, 2, 64, 64)).isfinite().all()
    patches = network_of("test_vit").state_dict()["patch_embed.proj.weight"]
    fitted = network.backbone.network.state_dict()["patch_embed.proj.weight"]
    torch.testing.assert_close(fitted.sum(dim=1), patches.sum(dim=1))


def test_fusion_starts_both_of_its_image_branches_from_the_same_weights(tmp_path: Path) -> None:
    safetensors.torch.save_file(network_of("efficientnet_b0", 0).state_dict(), tmp_path / "b0.safetensors")
    network: Any = build_architecture(
        "fusion",
        channels=4,
        size_px=32,
        n_classes=3,
        n_measurements=2,
        pretrained=str(tmp_path / "b0.safetensors"),
    )
    stem = network.mask.network.conv_stem.weight
    assert stem.shape[1] == 4
    assert torch.equal(stem, network.flows.network.conv_stem.weight)


def test_a_classifier_with_pretrained_weights_is_built_again_without_them(path: Path) -> None:
    trained, again = build(path, 5), build(False, 5)
    again.load_state_dict(trained.state_dict())
    images = torch.rand(2, 5, 64, 64)
    with torch.inference_mode():
        assert torch.equal(trained(images), again(images))


def test_weights_of_another_network_are_refused_with_what_does_not_fit(tmp_path: Path, path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"holds no weights of test_vit: 'cls_token' is missing .* begins with"):
        build(path, name="test_vit")
    tensors = network_of().state_dict()
    safetensors.torch.save_file({**tensors, first_name(): torch.zeros(1, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(ClassifierError, match=rf"'{first_name()}' is 1×3×3×3, not "):
        build(tmp_path / "other.safetensors")
    safetensors.torch.save_file({**tensors, "layer9.weight": torch.zeros(3)}, tmp_path / "more.safetensors")
    with pytest.raises(ClassifierError, match=r"which has no 'layer9\.weight'"):
        build(tmp_path / "more.safetensors")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    tensors = network_of().state_dict()
    tensors[first_name()][0] = torch.nan
    safetensors.torch.save_file(tensors, tmp_path / "nan.safetensors")
    with pytest.raises(ClassifierError, match="holds values that are not numbers"):
        build(tmp_path / "nan.safetensors")


class Harmful:
    """What would write a file if a pickle with it was opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [True, False])
def test_no_code_in_a_file_of_weights_is_run(tmp_path: Path, *, legacy: bool) -> None:
    torch.save({"a": Harmful(tmp_path / "harm")}, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ClassifierError, match="cannot be read as weights"):
        read_weights(tmp_path / "w.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    with pytest.raises(ClassifierError, match="neither safetensors nor a file of torch"):
        read_weights(tmp_path / "plain.pkl")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x93NUMPY", "neither safetensors nor"),
        (b"PK\x03\x04 cut off", "cannot be read as weights"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", "something else than weights by name"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "cannot be read as weights"),
    ],
)
def test_what_are_no_weights_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ClassifierError, match=says):
        read_weights(tmp_path / "file")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_weights_that_were_cut_off_are_refused(tmp_path: Path, path: Path, share: float) -> None:
    whole = path.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ClassifierError, match="cannot be read as weights"):
        read_weights(tmp_path / "cut.safetensors")


def test_a_file_of_other_things_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2), "note": "text"}, tmp_path / "w.pth")
    with pytest.raises(ClassifierError, match="something else than tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"gone\.safetensors: there is no such file of weights"):
        build(str(tmp_path / "gone.safetensors"))


def test_weights_that_are_nowhere_are_asked_for_with_every_way_to_get_them() -> None:
    with pytest.raises(ClassifierError) as caught:
        build(True)
    said = str(caught.value)
    for part in (
        "timm/test_resnet.r160_in1k",
        "licence apache-2.0",
        "--set pretrained=download",
        "--set weights=PATH",
        "--set pretrained=no",
        "https://huggingface.co/timm/test_resnet.r160_in1k",
    ):
        assert part in said, part


def test_weights_in_timms_cache_are_taken_without_a_network(tmp_path: Path, path: Path) -> None:
    cached = put_into_cache(tmp_path, path)
    assert cached_weights(NAME) == cached
    name = first_name()
    assert torch.equal(build(True).backbone.network.state_dict()[name], safetensors.torch.load_file(path)[name])


def test_other_weights_of_the_same_network_in_the_cache_are_pointed_out(tmp_path: Path, path: Path) -> None:
    there = tmp_path / "torch" / "checkpoints" / "resnet18-5c106cde.pth"
    there.parent.mkdir(parents=True)
    there.touch()
    other = str(timm.get_pretrained_cfg("resnet18.tv_in1k").url).rpartition("/")[2]
    there.with_name(other).touch()
    with pytest.raises(ClassifierError, match=r"Of its other weights these are: .*timm:resnet18\.tv_in1k"):
        find_weights("resnet18.a1_in1k", True)


def test_weights_are_fetched_where_that_was_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(repository: str, name: str, revision: str | None = None) -> str:
        asked.append((repository, name, revision))
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert build("download")(torch.rand(1, 3, 64, 64)).isfinite().all()
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors", None)]


def test_without_a_network_a_download_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(ClassifierError, match=r"cannot be fetched \(no connection\)\. Without a network: fetch model"):
        build("download")


def test_training_from_scratch_goes_on_only_where_that_was_said(path: Path) -> None:
    assert choose_start(NAME).path is None
    assert choose_start("small-resnet").note == ""
    with pytest.raises(ClassifierError, match="not on this machine"):
        choose_start(NAME, "yes")
    instead = choose_start(NAME, "if-there")
    assert instead.path is None
    assert instead.note.startswith("from scratch, since: test_resnet: its pretrained weights")
    given = choose_start(NAME, "no", str(path))
    assert given.path == path
    assert given.about["file"] == "model.safetensors"
    with pytest.raises(ClassifierError, match="no such file"):
        choose_start(NAME, "if-there", "gone.safetensors")


def test_what_the_weights_are_is_kept_for_the_classifier(tmp_path: Path, path: Path) -> None:
    put_into_cache(tmp_path, path)
    about = choose_start(NAME, "yes").about
    assert about["licence"] == "apache-2.0"
    assert len(about["checksum"]) == 32


def test_a_frozen_network_without_pretrained_weights_is_not_trained_unawares() -> None:
    with pytest.raises(ClassifierError, match="keeps the weights of its vit_base_patch32_224, so it needs pretrained"):
        choose_start("vit-b32-tuned")
    with pytest.raises(ClassifierError, match="small-resnet has no pretrained weights"):
        choose_start("small-resnet", "yes")
