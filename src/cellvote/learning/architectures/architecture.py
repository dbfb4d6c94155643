"""One architecture: what it is fed, where it comes from, and how its network is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

Part = Literal["pixels", "mask", "flows", "measurements"]

Pretrained = bool | Literal["download"] | Path
"""False: weights drawn anew. True: those in timm's cache. ``download``: those too, fetched where they are not there.
A path: the file of the weights."""


@dataclass(frozen=True)
class NetworkShape:
    """What a network takes and gives.

    Attributes
    ----------
    channels, height_px, width_px
        Of the images: N × channels × height_px × width_px.
    n_outputs
        How many scores it gives.
    n_measurements
        How many measurements it is fed beside the images; 0 where none.
    pretrained
        What its weights start from.
    """

    channels: int
    height_px: int
    width_px: int
    n_outputs: int
    n_measurements: int = 0
    pretrained: Pretrained = False


Builder = Callable[[NetworkShape], "nn.Module"]


@dataclass(frozen=True)
class Architecture:
    """What can be trained.

    Attributes
    ----------
    name, title
        As the settings call it, and as people read it.
    kind
        ``network``; ``classic``: a scikit-learn model on measurements; ``embeddings``: a scikit-learn head on the
        features of a frozen network.
    source
        The paper or report that it is taken from.
    parts
        What it is fed where nothing else is said.
    takes_measurements
        Whether measurements may be fed beside the images; ``fusion`` always is fed them.
    build
        Makes its network; none for those that have no network of their own.
    least_px
        The smallest height and width of its images.
    multiple_px
        Heights and widths are multiples of it.
    usual_px
        Height and width in its source.
    backbone
        The timm model that it is made of, whose pretrained weights it can start from.
    is_frozen
        Whether the backbone keeps its weights: without pretrained ones it has nothing to say.
    own_weights
        The file in the package of the weights that come with CellVote; empty where none do.
    one_output_for_two
        Whether it tells two classes apart by one score (a sigmoid), whatever the loss.
    hints
        How it was trained in its source, by the names of the settings where there are such.
    """

    name: str
    title: str
    kind: Literal["network", "classic", "embeddings"]
    source: str
    parts: tuple[Part, ...] = ("pixels",)
    takes_measurements: bool = True
    build: Builder | None = None
    least_px: int = 16
    multiple_px: int = 1
    usual_px: tuple[int, int] | None = None
    backbone: str | None = None
    is_frozen: bool = False
    own_weights: str = ""
    one_output_for_two: bool = False
    hints: Mapping[str, Any] = field(default_factory=dict)
