"""How a classifier is fitted: settings of models on measurements, and of the training loop of networks."""

from typing import Final, Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from cellvote.learning.architectures import ARCHITECTURES
from cellvote.learning.settings.feeding import NETWORK, NETWORK_ADVANCED

_STARTING: Final[JsonDict] = {
    "except": [one.name for one in ARCHITECTURES.values() if one.backbone is None and one.kind != "embeddings"],
    "advanced": True,
}
"""Of what can start from pretrained weights."""


class ClassicSettings(BaseModel, frozen=True):
    """Of models on measurements."""

    n_trees: int = Field(200, ge=10, le=5000, title="Trees", json_schema_extra={"architectures": ["forest"]})
    n_rounds: int = Field(
        200,
        ge=10,
        le=5000,
        title="Rounds",
        description="Of boosting: one tree for each class in each",
        json_schema_extra={"architectures": ["boosting"]},
    )


class FittingSettings(BaseModel, frozen=True):
    """Of the training loop of networks."""

    epochs: int = Field(12, ge=1, le=10_000, title="Epochs", description="At most this many", json_schema_extra=NETWORK)
    patience: int = Field(
        4,
        ge=1,
        le=10_000,
        title="Patience (epochs)",
        description="Stops after this many epochs without improvement on inner validation wells",
        json_schema_extra=NETWORK,
    )
    batch_size: int = Field(64, ge=2, le=65536, title="Batch size", json_schema_extra=NETWORK)
    learning_rate: float = Field(3e-3, gt=0, le=1, title="Learning rate", json_schema_extra=NETWORK)
    weight_decay: float = Field(0.05, ge=0, le=1, title="Weight decay", json_schema_extra=NETWORK)
    optimizer: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", title="Optimizer", description="sgd: with Nesterov momentum 0.9", json_schema_extra=NETWORK_ADVANCED
    )
    schedule: Literal["cosine", "one-cycle", "step", "exponential", "constant"] = Field(
        "cosine",
        title="Learning rate schedule",
        description="cosine: up over a tenth of the run, then down; step: times the factor every so many epochs; "
        "exponential: times the factor every epoch",
        json_schema_extra=NETWORK_ADVANCED,
    )
    schedule_factor: float = Field(
        0.5,
        gt=0,
        lt=1,
        title="Schedule factor",
        description="Of step and exponential",
        json_schema_extra=NETWORK_ADVANCED,
    )
    schedule_epochs: int = Field(
        5, ge=1, le=10_000, title="Schedule epochs", description="Of step", json_schema_extra=NETWORK_ADVANCED
    )
    loss: Literal["cross-entropy", "focal", "binary", "arcface"] = Field(
        "cross-entropy",
        title="Loss",
        description="binary: one sigmoid output for two classes; arcface: mixed with cross-entropy",
        json_schema_extra=NETWORK_ADVANCED,
    )
    label_smoothing: float = Field(0.05, ge=0, lt=1, title="Label smoothing", json_schema_extra=NETWORK)
    focal_gamma: float = Field(
        2.0, ge=0, le=10, title="Focal gamma", description="Of the focal loss", json_schema_extra=NETWORK_ADVANCED
    )
    arcface_share: float = Field(
        0.5, ge=0, le=1, title="ArcFace share", description="Of the mixed loss", json_schema_extra=NETWORK_ADVANCED
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=1024,
        title="Accumulate (batches)",
        description="Gradients of so many batches make one step",
        json_schema_extra=NETWORK_ADVANCED,
    )
    clip_norm: float | None = Field(
        None, gt=0, title="Clip gradients (norm)", description="Empty: not clipped", json_schema_extra=NETWORK_ADVANCED
    )
    average_weights: bool = Field(
        False,
        title="Average weights",
        description="Keep a running average of the weights, and use that",
        json_schema_extra=NETWORK_ADVANCED,
    )
    precision: Literal["auto", "32", "bf16", "fp16"] = Field(
        "auto",
        title="Precision",
        description="auto: bf16 on GPUs that have it, 32 bits elsewhere",
        json_schema_extra=NETWORK_ADVANCED,
    )
    compile: bool = Field(
        False,
        title="Compile",
        description="torch.compile: a minute at the start, faster epochs on GPUs",
        json_schema_extra=NETWORK_ADVANCED,
    )
    devices: int = Field(
        1, ge=1, le=64, title="Devices", description="Train on several GPUs", json_schema_extra=NETWORK_ADVANCED
    )
    batches_within_plate: bool = Field(
        False,
        title="Batches within a plate",
        description="Every batch holds cells of one plate only",
        json_schema_extra=NETWORK_ADVANCED,
    )
    adapt_to_plate: bool = Field(
        False,
        title="Adapt to each plate",
        description="Batch normalisation is estimated anew on every plate that is predicted: transductive, and said so",
        json_schema_extra=NETWORK_ADVANCED,
    )


class StartingSettings(BaseModel, frozen=True):
    """What the weights of a network start from, and how they are tuned further."""

    pretrained: Literal["no", "if-there", "yes", "download"] = Field(
        "no",
        title="Pretrained weights",
        description="if-there: from the file or cache where they are, else from scratch, and said so; yes: nothing "
        "else will do; download: fetched where they are not there",
        json_schema_extra=_STARTING,
    )
    weights: str = Field(
        "",
        title="Weights file",
        description="safetensors or pth to start from; empty: timm's cache",
        json_schema_extra=_STARTING,
    )
    initialisation: Literal["usual", "xavier"] = Field(
        "usual", title="Initialisation", description="Of what is not pretrained", json_schema_extra=NETWORK_ADVANCED
    )
    backbone: str = Field(
        "nuclei",
        title="Backbone",
        description="Of embeddings: nuclei (comes with CellVote), a timm name, or the folder of a classifier",
        json_schema_extra={"architectures": ["embeddings"]},
    )
    fine_tune_by: str = Field(
        "",
        title="Fine-tune by",
        description="A plate-map column (cell type): after training on all, one model is tuned further for each value",
        json_schema_extra=NETWORK_ADVANCED,
    )
    fine_tune_epochs: int = Field(4, ge=1, le=10_000, title="Fine-tune epochs", json_schema_extra=NETWORK_ADVANCED)
