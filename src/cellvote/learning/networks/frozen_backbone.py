"""Frozen backbones: networks that turn images into features, from timm or from a classifier of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from cellvote.errors import ClassifierError, StudyError
from cellvote.learning.architectures import build_architecture, find_architecture
from cellvote.learning.classifier import load_classifier
from cellvote.learning.inputs import Inputs
from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.learning.networks.pretrained import choose_start
from cellvote.learning.predicting import load_networks
from cellvote.study.atomic import file_checksum, read_json, write_bytes, write_json

WEIGHTS_NAME: Final = "backbone.safetensors"
NOTE_NAME: Final = "backbone.json"


class BackboneNote(BaseModel, frozen=True, extra="forbid"):
    """What ``backbone.json`` holds beside the weights: all that is needed to use them again."""

    name: str
    """The timm name, or the classifier's."""
    architecture: str
    channels: int
    size_px: tuple[int, int]
    n_measurements: int = 0
    """Of the classifier that it was the backbone of; they play no part here."""
    n_features: int
    checksum: str
    """Of the file that the weights came from."""
    start: str = ""
    """What the weights came from, in one sentence."""
    licence: str = ""
    inputs: Inputs | None = None
    """What the classifier that it was the backbone of was fed: the same images are wanted here."""
    learned_from: tuple[str, ...] = ()
    """Hashes of the images that the backbone learned its classes from: what is said of these is not held out."""


@dataclass
class FrozenBackbone:
    """A network that turns images into features and does not learn."""

    note: BackboneNote
    network: nn.Module
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return self.note.name

    @property
    def n_features(self) -> int:
        """F."""
        return self.note.n_features

    def to_json(self) -> dict[str, Any]:
        """Give the plain values that embeddings depend on."""
        return self.note.model_dump(mode="json", include={"architecture", "channels", "size_px", "checksum"})

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self.device = device
        self.network = self.network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @torch.inference_mode()
    def embed(self, images: Tensor) -> npt.NDArray[np.float32]:
        """N×C×H×W images, scaled, to N×F float32."""
        features: Tensor = self.network(images.to(self.device).contiguous(memory_format=torch.channels_last))
        return np.asarray(features.float().cpu().numpy(), np.float32)

    def held_out(self, image_hashes: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Say of which images the backbone has not learned the classes: (N,) bool."""
        seen = set(self.note.learned_from)
        return np.array([one not in seen for one in image_hashes], bool)


def open_backbone(
    name: str,
    *,
    channels: int,
    size_px: tuple[int, int],
    pretrained: Literal["no", "if-there", "yes", "download"] = "yes",
    weights: str = "",
) -> FrozenBackbone:
    """Open the backbone that a setting names.

    Parameters
    ----------
    name
        An architecture with pretrained weights, the name of a timm model, or the folder of a trained classifier.
    channels, size_px
        Of the images.
    pretrained, weights
        As for `choose_start`; without pretrained weights there is nothing that a frozen network would know.

    Raises
    ------
    ClassifierError
        Where there is no such network, its weights are not there, or the classifier is fed other images.
    """
    folder = Path(name).expanduser()
    if (folder / "model.json").is_file():
        return _of_classifier(folder, channels, size_px)
    if len(folder.parts) > 1:
        raise ClassifierError(f"{name}: there is no classifier in this folder (no model.json).")
    architecture = find_architecture(name)
    knows_something = architecture.backbone is not None or architecture.own_weights
    if not knows_something or "pixels" not in architecture.parts:
        raise ClassifierError(
            f"{name} cannot be a backbone: it has no pretrained weights. Name nuclei, a model of timm, such as "
            "resnet50, or the folder of a trained classifier."
        )
    start = choose_start(name, "yes" if pretrained == "no" and not weights else pretrained, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # without pretrained weights, the same random ones each time
        built = build_architecture(
            name, channels=channels, size_px=size_px, n_classes=1, pretrained=start.path or False
        )
    network = _image_backbone(built, name)
    note = BackboneNote(
        name=name,
        architecture=name,
        channels=channels,
        size_px=size_px,
        n_features=network.n_features,
        checksum=start.about.get("checksum", "random"),
        start=start.note,
        licence=start.about.get("licence", ""),
    )
    return FrozenBackbone(note, network.backbone.eval())


def _of_classifier(folder: Path, channels: int, size_px: tuple[int, int]) -> FrozenBackbone:
    classifier = load_classifier(folder)
    inputs = classifier.info.inputs
    if not inputs.has_images:
        raise ClassifierError(f"{folder}: {classifier.info.architecture} is no network, so it has no backbone.")
    if (len(inputs.channels), inputs.size_px) != (channels, size_px):
        raise ClassifierError(
            f"{folder}: is fed {len(inputs.channels)} channels of {_size(inputs.size_px)}, the images have {channels} "
            f"of {_size(size_px)}. Choose the same channels and crop size."
        )
    network = _image_backbone(load_networks(classifier, torch.device("cpu"))[0][""], classifier.info.architecture)
    note = BackboneNote(
        name=classifier.info.name,
        architecture=classifier.info.architecture,
        channels=channels,
        size_px=size_px,
        n_measurements=len(inputs.columns) if inputs.has_measurements else 0,
        n_features=network.n_features,
        checksum=file_checksum(classifier.weights_path),
        start=f"from the first fold of the classifier {classifier.info.name}",
        inputs=inputs,
        learned_from=tuple(sorted(set(classifier.split["image_hash"].dropna().astype(str)))),
    )
    return FrozenBackbone(note, network.backbone.eval())


def _image_backbone(network: Any, name: str) -> ImageNetwork:
    if not isinstance(network, ImageNetwork):
        raise ClassifierError(f"{name} cannot be a backbone: it is fed more than one image.")
    return network


def _size(size_px: tuple[int, int] | None) -> str:
    return "×".join(map(str, size_px or ())) + " px"


def write_backbone(folder: Path, backbone: FrozenBackbone) -> None:
    """Keep a backbone in the folder of the classifier that is a head on it, so that the folder is all it needs."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in backbone.network.state_dict().items()}
    write_bytes(folder / WEIGHTS_NAME, safetensors.torch.save(tensors))
    write_json(folder / NOTE_NAME, backbone.note.model_dump(mode="json"))


def read_backbone(folder: Path) -> FrozenBackbone:
    """Read the backbone in a classifier's folder.

    Raises
    ------
    ClassifierError
        Where it is missing or damaged, or its weights are of another network.
    """
    try:
        note = BackboneNote.model_validate(read_json(folder / NOTE_NAME))
        network = _image_backbone(
            build_architecture(
                note.architecture,
                channels=note.channels,
                size_px=note.size_px,
                n_classes=1,
                n_measurements=note.n_measurements,
            ),
            note.architecture,
        ).backbone
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS_NAME))
    except ValidationError as error:
        raise ClassifierError(f"{folder / NOTE_NAME}: is damaged ({error.errors()[0]['loc']}). Train again.") from error
    except StudyError as error:
        raise ClassifierError(str(error)) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ClassifierError(
            f"{folder / WEIGHTS_NAME}: does not fit {NOTE_NAME} ({first}). Copy the whole folder again, or train again."
        ) from error
    return FrozenBackbone(note, network.eval())
