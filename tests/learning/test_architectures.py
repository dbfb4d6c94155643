"""The registry of architectures, and that each network is the one of its source."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cellvote as cv
from cellvote.errors import ClassifierError
from cellvote.learning.architectures import (
    ARCHITECTURES,
    build_architecture,
    checked_architecture,
    find_architecture,
    is_network,
    output_count,
)
from cellvote.learning.settings import TrainSettings, settings_for
from cellvote.settings import validated

# name: (channels, size in px, classes, measurements), all parameters, those that learn
COUNTS: dict[str, tuple[tuple[int, int, int, int], int, int]] = {
    "small-resnet": ((3, 64, 4, 0), 893_607, 893_607),
    "nuclei": ((3, 64, 4, 0), 895_845, 9_988),
    "wide-cnn": ((1, 64, 2, 0), 3_936_674, 3_936_674),
    "deep-cnn": ((1, 64, 2, 0), 519_010, 519_010),
    "vit-b32-simple": ((3, 64, 2, 0), 87_421_441, 769),
    "vit-b32-tuned": ((3, 64, 2, 0), 87_660_801, 240_129),
    "vit-b32-500k": ((3, 64, 2, 0), 87_988_993, 568_321),
    "rxrx1-baseline": ((6, 512, 1108, 0), 147_737_984, 147_737_984),
    "resnet50": ((3, 224, 1000, 0), 25_557_032, 25_557_032),
    "inception-v3": ((3, 299, 1000, 0), 23_834_568, 23_834_568),
    "inception-resnet-v2": ((3, 299, 1000, 0), 55_843_464, 55_843_464),
    "densenet161": ((3, 224, 1000, 0), 28_681_000, 28_681_000),
    "efficientnet-b0": ((3, 224, 1000, 0), 5_288_548, 5_288_548),
    "convnext-tiny": ((3, 224, 1000, 0), 28_589_128, 28_589_128),
    "fusion": ((4, 224, 300, 20), 10_164_196, 10_164_196),
}
NETWORKS = [one.name for one in ARCHITECTURES.values() if one.kind == "network"]
DOCS = Path(__file__).parents[2] / "docs" / "architectures.md"


@cache
def on_no_memory(
    name: str, channels: int, size_px: int | tuple[int, int], n_classes: int, n_measurements: int = 0
) -> nn.Module:
    with torch.device("meta"):
        return build_architecture(
            name, channels=channels, size_px=size_px, n_classes=n_classes, n_measurements=n_measurements
        )


def parameters(network: nn.Module, *, learning: bool = False) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not learning)


def test_every_network_has_its_count_of_parameters_here() -> None:
    assert set(COUNTS) == set(NETWORKS)


@pytest.mark.parametrize("name", COUNTS)
def test_a_network_has_as_many_parameters_as_in_its_source(name: str) -> None:
    shape, total, learning = COUNTS[name]
    network = on_no_memory(name, *shape)
    assert parameters(network) == total
    assert parameters(network, learning=True) == learning


def test_the_documentation_states_these_counts() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    stated = {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}
    assert list(stated) == list(ARCHITECTURES)
    for name, ((channels, size_px, n_classes, n_measurements), total, learning) in COUNTS.items():
        numbers = f"{total:,}" if total == learning else f"{total:,}, {learning:,} of them learn"
        beside = f", {n_measurements} measurements" if n_measurements else ""
        at = f"{channels}×{size_px}×{size_px}{beside}, {n_classes:,} classes"
        assert f"{numbers} ({at})" == stated[name][1]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "fusion"])
def test_the_least_size_is_one_that_the_network_takes_and_one_less_is_refused(name: str) -> None:
    least_px = ARCHITECTURES[name].least_px
    network = on_no_memory(name, 5, least_px, 3, 2)
    scores = network(torch.empty(2, 5, least_px, least_px, device="meta"), torch.empty(2, 2, device="meta"))
    assert scores.shape == (2, 3)
    with pytest.raises(ClassifierError, match=f"{name} needs images of at least {least_px} px"):
        build_architecture(name, channels=5, size_px=least_px - 1, n_classes=3)


def test_images_need_not_be_square() -> None:
    network = on_no_memory("wide-cnn", 2, (20, 33), 3)
    assert network(torch.empty(2, 2, 20, 33, device="meta")).shape == (2, 3)
    with pytest.raises(ClassifierError, match=r"multiples of 32 px, not 64×80 px"):
        build_architecture("vit-b32-tuned", channels=1, size_px=(64, 80), n_classes=2)


def test_inception_takes_images_of_75_px_and_none_smaller() -> None:
    with pytest.raises(RuntimeError), torch.device("meta"):
        on_no_memory("inception-v3", 5, 75, 3, 2)(torch.empty(2, 5, 74, 74), torch.empty(2, 2))


def test_the_base_model_of_rxrx1_is_the_one_that_its_report_lists() -> None:
    network = on_no_memory("rxrx1-baseline", 6, 512, 1108)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in convolutions] == [
        (6, 16, (7, 7), (2, 2)),
        (16, 64, (7, 7), (2, 2)),
    ]
    dense = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(65_536, 2_216), (2_216, 1_108)]
    assert all(layer.bias is None for layer in (*convolutions, *dense))


def test_fusion_weighs_2592_features_by_attention() -> None:
    network: Any = on_no_memory("fusion", 4, 224, 300, 20)
    assert network.mask.n_features == network.flows.n_features == 1280
    layers = [type(layer).__name__ for layer in network.attention]
    assert layers == ["Linear", "ReLU", "Linear", "Sigmoid"]
    assert network.attention[0].in_features == network.attention[2].out_features == 2592
    assert [type(layer).__name__ for layer in network.branch] == ["Linear", "ReLU", "BatchNorm1d", "Dropout"]
    assert network.mask.network.conv_stem.in_channels == 4


def test_all_of_fusion_learns_from_one_batch() -> None:
    torch.manual_seed(0)
    network = build_architecture("fusion", channels=4, size_px=32, n_classes=3, n_measurements=5)
    scores = network(torch.rand(4, 4, 32, 32), torch.rand(4, 4, 32, 32), torch.rand(4, 5))
    nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
    assert scores.shape == (4, 3)
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_frozen_network_stays_as_it_is_while_its_head_learns() -> None:
    torch.manual_seed(0)
    network: Any = build_architecture("vit-b32-tuned", channels=1, size_px=64, n_classes=2).train()
    assert network.head.training
    assert not network.backbone.network.training
    scores = network(torch.rand(2, 1, 64, 64))
    assert scores.shape == (2, 1)
    scores.sum().backward()
    assert all(p.grad is None for p in network.backbone.parameters())
    assert all(p.grad is not None for p in network.head.parameters())
    assert {layer.negative_slope for layer in network.head if isinstance(layer, nn.LeakyReLU)} == {0.2}


def test_a_sigmoid_tells_two_classes_apart_by_one_score() -> None:
    assert output_count("vit-b32-simple", 2) == 1
    assert output_count("vit-b32-simple", 3) == 3
    assert output_count("wide-cnn", 2) == 2
    assert on_no_memory("wide-cnn", 1, 16, 1).head.out_features == 1


def test_measurements_are_32_more_features_before_the_head() -> None:
    torch.manual_seed(0)
    network: Any = build_architecture("small-resnet", channels=2, size_px=16, n_classes=3, n_measurements=7).eval()
    images, measurements = torch.rand(4, 2, 16, 16), torch.rand(4, 7)
    features = network.features(images, measurements)
    assert features.shape == (4, network.n_features + 32)
    assert torch.equal(features[:, :-32], network.backbone(images))
    assert torch.equal(network.head(features), network(images, measurements))
    assert not torch.equal(network(images, measurements), network(images, -measurements))


def test_xavier_draws_every_layer_within_its_bound_and_no_bias() -> None:
    torch.manual_seed(0)
    network = build_architecture("timm:test_resnet", channels=2, size_px=64, n_classes=3, xavier=True)
    drawn = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(drawn) > 5
    for layer in drawn:
        area = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
        bound = (6 / ((layer.weight.shape[0] + layer.weight.shape[1]) * area)) ** 0.5
        assert 0.8 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("name", ["test_resnet", "timm:test_resnet", "timm:test_resnet.r160_in1k"])
def test_any_model_of_timm_can_be_named(name: str) -> None:
    assert checked_architecture(name) == name
    assert is_network(name)
    network = build_architecture(name, channels=4, size_px=64, n_classes=3)
    assert network(torch.rand(2, 4, 64, 64)).shape == (2, 3)


def test_a_transformer_of_timm_is_built_for_the_size_of_the_images() -> None:
    network = build_architecture("timm:test_vit", channels=2, size_px=(48, 64), n_classes=3)
    assert network(torch.rand(2, 2, 48, 64)).shape == (2, 3)


def test_a_model_of_timm_says_which_size_it_would_take() -> None:
    with pytest.raises(ClassifierError, match=r"vgg11 takes no images of 16×16 px .* next size that it takes is 32 px"):
        build_architecture("timm:vgg11", channels=3, size_px=16, n_classes=2)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet5", r"no architecture 'resnet5'. Did you mean resnet50, .*Ours are: forest, boosting"),
        ("small_resnet", r"Did you mean small-resnet"),
        ("timm:tset_vit", r"Did you mean .*test_vit"),
        ("hf-hub:timm/resnet18", r"no architecture 'hf-hub:timm/resnet18'"),
        ("local-dir:/tmp", r"no architecture 'local-dir:/tmp'"),
        ("test_vit.nope", r"timm's test_vit has no pretrained weights 'nope'; there are: test_vit\.r160_in1k"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_those_that_are_near(name: str, says: str) -> None:
    with pytest.raises(ClassifierError, match=says):
        find_architecture(name)
    with pytest.raises(cv.errors.SettingsError, match="architecture"):
        validated(TrainSettings, {"architecture": name})


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("small-resnet", {"channels": 0}, "small-resnet needs at least 1 channel"),
        ("small-resnet", {"n_classes": 0}, "small-resnet needs at least 1 channel and 1 class"),
        ("small-resnet", {"size_px": 8}, "small-resnet needs images of at least 16 px, not 8×8 px"),
        ("wide-cnn", {"pretrained": True}, "wide-cnn has no pretrained weights: train it from scratch"),
        ("resnet50", {"pretrained": True, "xavier": True}, "either pretrained or drawn after Xavier"),
        ("fusion", {}, "fusion needs measurements beside its images"),
        ("forest", {}, "forest has no network: it is a model on measurements"),
        ("embeddings", {}, "embeddings has no network of its own"),
    ],
)
def test_a_network_that_cannot_be_is_refused(name: str, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ClassifierError, match=re.escape(says)):
        cv.learning.build_architecture(name, **{"channels": 3, "size_px": 32, "n_classes": 2, **values})


def test_what_was_learned_by_hand_in_the_reports_uses_names_of_settings() -> None:
    for architecture in ARCHITECTURES.values():
        if architecture.hints:
            validated(TrainSettings, {"architecture": architecture.name, **architecture.hints})


def test_each_architecture_has_its_own_settings() -> None:
    assert "n_trees" in settings_for("forest")
    assert "n_rounds" in settings_for("boosting")
    assert "epochs" not in settings_for("forest")
    assert "n_trees" not in settings_for("small-resnet")
    assert {"epochs", "crop_size_px", "channels"} <= set(settings_for("small-resnet"))
    assert set(settings_for("logistic")) < set(settings_for("forest"))
    assert "architecture" in settings_for("forest")[:2]


def test_only_what_can_start_from_pretrained_weights_is_asked_for_them() -> None:
    for name in ("resnet50", "fusion", "vit-b32-tuned", "embeddings", "timm:test_vit"):
        assert {"pretrained", "weights"} <= set(settings_for(name)), name
    for name in ("forest", "small-resnet", "nuclei", "wide-cnn", "rxrx1-baseline"):
        assert not {"pretrained", "weights"} & set(settings_for(name)), name


def test_a_frozen_network_is_not_asked_how_it_is_trained() -> None:
    used = set(settings_for("embeddings"))
    assert {"backbone", "channels", "crop_size_px", "scale"} <= used
    assert not {"epochs", "learning_rate", "flips", "initialisation"} & used
