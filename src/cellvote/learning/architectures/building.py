"""Build the network of an architecture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellvote.errors import ClassifierError
from cellvote.learning.architectures.architecture import Architecture, NetworkShape, Pretrained
from cellvote.learning.architectures.finding import find_architecture
from cellvote.learning.architectures.registry import ARCHITECTURES, CLASSIC, EMBEDDINGS

if TYPE_CHECKING:
    from torch import nn


def build_architecture(
    name: str,
    *,
    channels: int,
    size_px: int | tuple[int, int],
    n_classes: int,
    n_measurements: int = 0,
    pretrained: bool | str | Path = False,
    xavier: bool = False,
) -> "nn.Module":
    """Build the network of an architecture.

    It is called as ``network(images)``, or ``network(images, measurements)`` where it is fed measurements; ``fusion``
    as ``network(mask, flows, measurements)``. It gives N×K scores before the softmax, or N×1 before the sigmoid (see
    `output_count`). What it gives is ``network.head(network.features(…))``; all but ``fusion`` have a ``backbone`` that
    turns images alone into N×F features, pooled.

    Parameters
    ----------
    name
        One of `ARCHITECTURES`, or a model of timm, ``timm:`` before its name or not.
    channels
        Of the images; for ``fusion`` of the mask image and of the flow image, each.
    size_px
        Of the images: their side, or height and width.
    n_classes
        How many scores it gives; 1 for a sigmoid.
    n_measurements
        How many measurements it is fed beside the images.
    pretrained
        False or ``no``: weights are drawn anew. True or ``yes``: the published weights, if they are on this machine.
        ``download``: those, fetched where they are not. Else the path of a file of weights (safetensors, or torch's
        own, read without running code in it). The first convolution is fitted to the channels, its filters kept.
    xavier
        Draw all weights after Glorot and Bengio (2010), as Keras does (report 004); not with pretrained ones.

    Raises
    ------
    ClassifierError
        Where there is no such network, or it cannot be what was asked for, or its pretrained weights are not there.
    """
    if name in CLASSIC:
        raise ClassifierError(f"{name} has no network: it is a model on measurements.")
    if name == EMBEDDINGS:
        raise ClassifierError(f"{name} has no network of its own: it uses that of its backbone.")
    architecture = find_architecture(name)
    height_px, width_px = (size_px, size_px) if isinstance(size_px, int) else size_px
    n_outputs = output_count(architecture, n_classes)
    shape = NetworkShape(channels, height_px, width_px, n_outputs, n_measurements, _chosen(pretrained))
    _check(architecture, shape, xavier=xavier)
    if architecture.build is None:  # no architecture with a network lacks it
        raise ClassifierError(f"{name} has no network.")
    network = architecture.build(shape)
    if xavier:
        from cellvote.learning.networks.initialisation import draw_xavier

        draw_xavier(network)
    return network


def output_count(architecture: Architecture | str, n_classes: int) -> int:
    """How many scores a network gives for so many classes: those that end in a sigmoid give one for two."""
    found = find_architecture(architecture) if isinstance(architecture, str) else architecture
    return 1 if found.one_output_for_two and n_classes == 2 else n_classes


def is_network(name: str) -> bool:
    """Whether an architecture is trained as a network, without looking into timm: what is not ours is one."""
    return name not in ARCHITECTURES or ARCHITECTURES[name].kind == "network"


def check_image_size(architecture: Architecture, height_px: int, width_px: int) -> None:
    """See that an architecture can take images of a size.

    Raises
    ------
    ClassifierError
        Where they are too small for it, or no multiple of what it takes them in.
    """
    name, size = architecture.name, f"{height_px}×{width_px} px"
    if min(height_px, width_px) < architecture.least_px:
        raise ClassifierError(f"{name} needs images of at least {architecture.least_px} px, not {size}.")
    if height_px % architecture.multiple_px or width_px % architecture.multiple_px:
        raise ClassifierError(
            f"{name} needs images whose sides are multiples of {architecture.multiple_px} px, not {size}."
        )


def _chosen(pretrained: bool | str | Path) -> Pretrained:
    if isinstance(pretrained, bool | Path):
        return pretrained
    words: dict[str, Any] = {"": False, "no": False, "yes": True, "download": "download"}
    chosen: Pretrained = words.get(pretrained, Path(pretrained).expanduser())
    return chosen


def _check(architecture: Architecture, shape: NetworkShape, *, xavier: bool) -> None:
    name = architecture.name
    if min(shape.channels, shape.n_outputs) < 1 or shape.n_measurements < 0:
        raise ClassifierError(f"{name} needs at least 1 channel and 1 class, not {shape.channels}, {shape.n_outputs}.")
    check_image_size(architecture, shape.height_px, shape.width_px)
    if shape.n_measurements and not architecture.takes_measurements:
        raise ClassifierError(f"{name} takes no measurements.")
    if not shape.n_measurements and "measurements" in architecture.parts:
        raise ClassifierError(f"{name} needs measurements beside its images: measure the cells first.")
    if shape.pretrained and architecture.backbone is None:
        raise ClassifierError(f"{name} has no pretrained weights: train it from scratch (--set pretrained=no).")
    if shape.pretrained and xavier:
        raise ClassifierError(f"{name}: weights are either pretrained or drawn after Xavier. Choose one of them.")
