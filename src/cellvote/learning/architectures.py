"""The registry of architectures: a name, what it is fed, and how its network is built."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cellvote.errors import ClassifierError

if TYPE_CHECKING:
    from torch import nn

NetworkBuilder = Callable[[int, int, int], "nn.Module"]
"""(channels, size in px, number of classes) to a network from N×C×H×W to N×K."""


def _small_resnet(channels: int, size_px: int, n_classes: int) -> "nn.Module":
    from cellvote.learning.networks.small_resnet import SmallResNet

    del size_px  # pools over whatever is left
    return SmallResNet(channels, n_classes)


CLASSIC: Final = ("forest", "boosting", "logistic")
"""Architectures on measurements, without a network."""

NETWORK_BUILDERS: Final[dict[str, NetworkBuilder]] = {"small-resnet": _small_resnet}


def checked_architecture(name: str) -> str:
    """Give the name back where there is such an architecture.

    Raises
    ------
    ClassifierError
        Where there is none.
    """
    if name not in CLASSIC and name not in NETWORK_BUILDERS:
        raise ClassifierError(
            f"there is no architecture {name!r}; there are: {', '.join((*CLASSIC, *NETWORK_BUILDERS))}."
        )
    return name


def build_architecture(
    name: str,
    *,
    channels: int,
    size_px: int,
    n_classes: int,
    n_measurements: int = 0,
    pretrained: bool = False,
) -> "nn.Module":
    """Build the network of an architecture, its weights drawn anew.

    Parameters
    ----------
    channels, size_px
        Of the crops: N × channels × size_px × size_px.
    n_measurements
        How many measurements it is fed beside the crops; the architectures so far take none.
    pretrained
        Start from weights trained before; no architecture so far has any.

    Raises
    ------
    ClassifierError
        Where there is no such network, or it cannot be what was asked for.
    """
    if name not in NETWORK_BUILDERS:
        raise ClassifierError(
            f"there is no network {name!r}; there are: {', '.join(NETWORK_BUILDERS)} "
            f"(without a network: {', '.join(CLASSIC)})."
        )
    if n_measurements or pretrained:
        raise ClassifierError(f"{name} takes no measurements and has no pretrained weights.")
    if min(channels, n_classes) < 1 or size_px < 16:
        raise ClassifierError(f"{name} needs at least 1 channel, 16 px and 1 class.")
    return NETWORK_BUILDERS[name](channels, size_px, n_classes)
