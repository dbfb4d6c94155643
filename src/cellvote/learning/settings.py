"""How a classifier is trained: one model for the form, the command line and the saved file."""

from typing import Final, Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from cellvote.study.field_flags import Flag

NETWORKS: Final = ("small-resnet",)
FORESTS: Final = ("forest",)

_NETWORK: JsonDict = {"architectures": list(NETWORKS)}
_FOREST: JsonDict = {"architectures": list(FORESTS)}


class TrainSettings(BaseModel, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """How a classifier is trained and held to account.

    A field that only some architectures use names them in ``json_schema_extra["architectures"]``.
    """

    architecture: Literal["forest", "logistic", "small-resnet"] = Field(
        "forest",
        title="Architecture",
        description="forest, logistic: on measurements, in seconds; small-resnet: a network on crops of the cells",
    )
    split_by: str = Field(
        "well",
        title="Hold out by",
        description="Whole wells, plates or values of a plate-map column are held out together: never single cells",
    )
    folds: int = Field(
        5,
        ge=2,
        le=50,
        title="Folds",
        description="At most this many; with fewer groups each is left out once",
    )
    segmentation: str = Field("", title="Segmentation", description="Empty: the only one that there is")
    exclude_border: bool = Field(
        False, title="Leave out border cells", description="Do not train on cells that the image border cuts"
    )
    exclude_flags: tuple[Flag, ...] = Field(
        (),
        title="Leave out fields that are",
        description="Do not train on fields with one of these flags of image quality: empty, out_of_focus, saturated, "
        "uneven; empty: train on all",
    )
    scale: Literal["plate", "none"] = Field(
        "plate",
        title="Intensity scale",
        description="plate: between the dimmest and the brightest cells of the same plate, so that plates may differ "
        "in exposure, but should hold a similar mix of wells; none: grey values as they are",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="The same seed gives the same classifier")
    n_trees: int = Field(200, ge=10, le=5000, title="Trees", json_schema_extra=_FOREST)
    crop_size_px: int | None = Field(
        None,
        ge=16,
        le=512,
        title="Crop size (px)",
        description="Width of the square around each cell; empty: holds nine cells of ten",
        json_schema_extra=_NETWORK,
    )
    channels: tuple[str, ...] = Field(
        (), title="Channels", description="Fed to the network; empty: all", json_schema_extra=_NETWORK
    )
    epochs: int = Field(12, ge=1, le=1000, title="Epochs", description="At most this many", json_schema_extra=_NETWORK)
    patience: int = Field(
        4,
        ge=1,
        le=1000,
        title="Patience (epochs)",
        description="Stops after this many epochs without improvement on inner validation wells",
        json_schema_extra=_NETWORK,
    )
    batch_size: int = Field(64, ge=2, le=65536, title="Batch size (cells)", json_schema_extra=_NETWORK)
    learning_rate: float = Field(3e-3, gt=0, le=1, title="Learning rate", json_schema_extra=_NETWORK)
    weight_decay: float = Field(0.05, ge=0, le=1, title="Weight decay", json_schema_extra=_NETWORK)
    label_smoothing: float = Field(0.05, ge=0, lt=1, title="Label smoothing", json_schema_extra=_NETWORK)
    intensity_jitter: float = Field(
        0.2,
        ge=0,
        lt=1,
        title="Intensity jitter (share)",
        description="Each channel is made up to this much brighter or darker while training",
        json_schema_extra=_NETWORK,
    )


def settings_for(architecture: str) -> list[str]:
    """Name the settings that an architecture uses, in their order."""
    names = []
    for name, field in TrainSettings.model_fields.items():
        extra = field.json_schema_extra
        only = extra.get("architectures") if isinstance(extra, dict) else None
        if not isinstance(only, list) or architecture in only:
            names.append(name)
    return names
