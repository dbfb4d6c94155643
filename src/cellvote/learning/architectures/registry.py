"""Every architecture that has a name of its own; timm's models are found by theirs (see `finding`)."""

from typing import TYPE_CHECKING, Final

from cellvote.learning.architectures.architecture import Architecture, Builder, NetworkShape

if TYPE_CHECKING:
    from torch import nn

_REPORT_000: Final = "report 000 (T. Plott, Predicting cytokine responses from images, part 2, 2023)"
_REPORT_001: Final = "report 001 (J. Zhu, Project 2: CPJUMP1 drug prediction, 2024)"
_REPORT_002: Final = "report 002 (M. Moreau, CellSignal capstone project, 2019)"
_REPORT_004: Final = "report 004 (transfer learning on BBBC021 and BBBC014)"

_KERAS: Final = {"optimizer": "adam", "learning_rate": 1e-3, "patience": 3}


def _small_resnet(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.small_resnet import SmallResNet

    return SmallResNet(shape.channels, shape.n_outputs, shape.n_measurements)


def _wide_cnn(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.report_cnns import WideCNN

    return WideCNN(shape)


def _deep_cnn(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.report_cnns import DeepCNN

    return DeepCNN(shape)


def _rxrx1_baseline(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.report_cnns import RxRx1Baseline

    return RxRx1Baseline(shape)


def _fusion(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.fusion import Fusion

    return Fusion(shape)


def timm_builder(timm_name: str, *, tried: bool) -> Builder:
    """Make the builder of a timm model with a linear head; ``tried``: its least size is known."""

    def build(shape: NetworkShape) -> "nn.Module":
        from cellvote.learning.networks.timm_backbone import build_timm_network

        return build_timm_network(timm_name, shape, tried=tried)

    return build


def _nuclei(shape: NetworkShape) -> "nn.Module":
    from cellvote.learning.networks.nuclei_features import NucleiNetwork

    return NucleiNetwork(shape)


def _frozen_vit(*widths: int) -> Builder:
    def build(shape: NetworkShape) -> "nn.Module":
        from cellvote.learning.networks.frozen_vit import FrozenViT

        return FrozenViT(shape, widths)

    return build


def _vit(name: str, title: str, *widths: int) -> Architecture:
    return Architecture(
        name,
        title,
        "network",
        f"{_REPORT_000}; backbone: Dosovitskiy et al., An image is worth 16x16 words, 2021",
        build=_frozen_vit(*widths),
        least_px=32,
        multiple_px=32,
        usual_px=(64, 64),
        backbone="vit_base_patch32_224",
        is_frozen=True,
        one_output_for_two=True,
        hints={**_KERAS, "loss": "binary"},
    )


def _known(name: str, title: str, timm_name: str, source: str, least_px: int = 32, **about: object) -> Architecture:
    return Architecture(
        name,
        title,
        "network",
        source,
        build=timm_builder(timm_name, tried=True),
        least_px=least_px,
        backbone=timm_name,
        **about,  # type: ignore[arg-type]
    )


def _classic(name: str, title: str, source: str) -> Architecture:
    return Architecture(name, title, "classic", source, parts=("measurements",))


_ALL: Final = (
    _classic("forest", "Forest of randomised trees", "Geurts et al., Extremely randomized trees, 2006 (scikit-learn)"),
    _classic("boosting", "Gradient boosting", "Ke et al., LightGBM, 2017 (scikit-learn's HistGradientBoosting)"),
    _classic("logistic", "Logistic regression", f"{_REPORT_001}, its check of DMSO against compounds (scikit-learn)"),
    Architecture(
        "embeddings",
        "Frozen backbone, logistic head",
        "embeddings",
        "Donahue et al., DeCAF, 2014",
        takes_measurements=False,
    ),
    Architecture(
        "small-resnet",
        "Small residual network",
        "network",
        "own, after He et al., Deep residual learning for image recognition, 2016",
        build=_small_resnet,
    ),
    Architecture(
        "nuclei",
        "Frozen network of ‘nuclei’, one layer",
        "network",
        "own: what the network that finds nuclei sees, after Donahue et al., DeCAF, 2014",
        build=_nuclei,
        least_px=32,
        is_frozen=True,
        own_weights="segmentation/nuclei/nuclei.safetensors",
    ),
    Architecture(
        "wide-cnn",
        "Wider CNN",
        "network",
        _REPORT_000,
        build=_wide_cnn,
        least_px=3,
        usual_px=(64, 64),
        hints=_KERAS,
    ),
    Architecture(
        "deep-cnn",
        "Deeper CNN",
        "network",
        _REPORT_000,
        build=_deep_cnn,
        least_px=38,
        usual_px=(64, 64),
        hints=_KERAS,
    ),
    _vit("vit-b32-simple", "Frozen ViT-B/32, one layer"),
    _vit("vit-b32-tuned", "Frozen ViT-B/32, five layers", 256, 128, 64, 32),
    _vit("vit-b32-500k", "Frozen ViT-B/32, six layers", 512, 256, 128, 64, 32),
    Architecture(
        "rxrx1-baseline",
        "RxRx1 base model",
        "network",
        _REPORT_002,
        build=_rxrx1_baseline,
        usual_px=(512, 512),
        hints={"optimizer": "adam", "learning_rate": 3e-4, "epochs": 2},
    ),
    _known(
        "resnet50",
        "ResNet-50",
        "resnet50",
        f"{_REPORT_002}; {_REPORT_004}; He et al., Deep residual learning for image recognition, 2016",
        usual_px=(512, 512),
        hints={
            "optimizer": "adam",
            "learning_rate": 3e-4,
            "schedule": "exponential",
            "schedule_factor": 0.95,
            "epochs": 15,
        },
    ),
    _known(
        "inception-v3",
        "Inception-v3",
        "inception_v3",
        f"{_REPORT_004}; Szegedy et al., Rethinking the Inception architecture, 2016",
        least_px=75,
    ),
    _known(
        "inception-resnet-v2",
        "Inception-ResNet-v2",
        "inception_resnet_v2",
        f"{_REPORT_004}; Szegedy et al., Inception-v4, Inception-ResNet, 2017",
        least_px=75,
    ),
    _known(
        "densenet161",
        "DenseNet-161",
        "densenet161",
        f"{_REPORT_002} (named there as the next step); Huang et al., Densely connected networks, 2017",
    ),
    _known(
        "efficientnet-b0",
        "EfficientNet-B0",
        "efficientnet_b0",
        f"{_REPORT_001}, one of its branches; Tan and Le, EfficientNet, 2019",
        usual_px=(224, 224),
    ),
    _known("convnext-tiny", "ConvNeXt-T", "convnext_tiny", "Liu et al., A ConvNet for the 2020s, 2022"),
    Architecture(
        "fusion",
        "Mask, flows and measurements",
        "network",
        _REPORT_001,
        parts=("mask", "flows", "measurements"),
        build=_fusion,
        least_px=32,
        usual_px=(224, 224),
        backbone="efficientnet_b0",
        hints={
            "optimizer": "adam",
            "learning_rate": 1e-4,
            "weight_decay": 1e-4,
            "schedule": "step",
            "schedule_epochs": 5,
            "schedule_factor": 0.5,
            "batch_size": 512,
            "epochs": 13,
        },
    ),
)

ARCHITECTURES: Final = {one.name: one for one in _ALL}
"""By name, in the order in which they are offered."""

CLASSIC: Final = tuple(one.name for one in _ALL if one.kind == "classic")
"""Architectures on measurements, without a network."""

EMBEDDINGS: Final = "embeddings"
"""The architecture that is a head on cached features of a frozen network."""

NETWORK_BUILDERS: Final = {one.name: one.build for one in _ALL if one.build is not None}
"""The builder of each network with a name of its own."""
