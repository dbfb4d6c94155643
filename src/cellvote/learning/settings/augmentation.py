"""How images are changed while a network learns, and when it predicts."""

from pydantic import BaseModel, Field

from cellvote.learning.settings.feeding import NETWORK, NETWORK_ADVANCED


class AugmentationSettings(BaseModel, frozen=True):
    """Of networks; drawn anew for each example and epoch."""

    flips: bool = Field(
        True, title="Flips", description="Left to right and top to bottom", json_schema_extra=NETWORK_ADVANCED
    )
    transposition: bool = Field(
        True,
        title="Transposition",
        description="Rows become columns: with flips all quarter turns; square images only",
        json_schema_extra=NETWORK_ADVANCED,
    )
    rotate_degrees: float = Field(
        0, ge=0, le=180, title="Rotation (degrees)", description="Up to this much", json_schema_extra=NETWORK_ADVANCED
    )
    zoom: float = Field(
        0,
        ge=0,
        lt=1,
        title="Zoom (share)",
        description="Up to this much larger or smaller",
        json_schema_extra=NETWORK_ADVANCED,
    )
    shift: float = Field(
        0,
        ge=0,
        lt=1,
        title="Shift (share of the width)",
        description="Up to this much",
        json_schema_extra=NETWORK_ADVANCED,
    )
    shear_degrees: float = Field(0, ge=0, le=45, title="Shear (degrees)", json_schema_extra=NETWORK_ADVANCED)
    noise: float = Field(
        0,
        ge=0,
        le=1,
        title="Noise",
        description="Standard deviation, where 1 is from black to white",
        json_schema_extra=NETWORK_ADVANCED,
    )
    intensity_jitter: float = Field(
        0.2,
        ge=0,
        lt=1,
        title="Intensity jitter (share)",
        description="Each channel is made up to this much brighter or darker while training",
        json_schema_extra=NETWORK,
    )
    mixup: float = Field(
        0, ge=0, le=10, title="Mixup (alpha)", description="0: none", json_schema_extra=NETWORK_ADVANCED
    )
    cutmix: float = Field(
        0, ge=0, le=10, title="CutMix (alpha)", description="0: none", json_schema_extra=NETWORK_ADVANCED
    )
    small_first: float = Field(
        0,
        ge=0,
        le=1,
        title="Small first (share of the run)",
        description="Images are shown at half their size in the beginning, and at all of it from this share of the run "
        "on: faster epochs",
        json_schema_extra={"architectures": ["small-resnet"], "advanced": True},
    )
    views: int = Field(
        1,
        ge=1,
        le=8,
        title="Views",
        description="Predictions are the mean over so many flips and turns of each image",
        json_schema_extra=NETWORK_ADVANCED,
    )
