"""What a classifier is fed: settings of cells, channels, crops and intensity scale."""

from typing import Final, Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from cellvote.learning.architectures import CLASSIC
from cellvote.study.field_flags import Flag

NETWORK: Final[JsonDict] = {"except": list(CLASSIC)}
NETWORK_ADVANCED: Final[JsonDict] = {**NETWORK, "advanced": True}


class FeedingSettings(BaseModel, frozen=True):
    """What a classifier is fed."""

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
    scale: Literal["plate", "control", "image", "none"] = Field(
        "plate",
        title="Intensity scale",
        description="plate: between the dimmest and the brightest cells of the same plate, so that plates may differ "
        "in exposure, but should hold a similar mix of wells; control: the same by the negative controls of the plate, "
        "whatever else is on it; image: by each image; none: grey values as they are",
    )
    channels: tuple[str, ...] = Field(
        (), title="Channels", description="Fed to the network; empty: all", json_schema_extra=NETWORK
    )
    parts: tuple[Literal["pixels", "mask", "flows", "measurements"], ...] = Field(
        (),
        title="Parts",
        description="What a network is fed: pixels, mask (the cell's own, its neighbours', outline, distance), flows, "
        "measurements; empty: what the architecture asks for",
        json_schema_extra=NETWORK_ADVANCED,
    )
    measurements: tuple[str, ...] = Field(
        (),
        title="Measurements",
        description="Columns of the cells table that it is fed; empty: all",
        json_schema_extra={"advanced": True},
    )
    crop_size_px: int | None = Field(
        None,
        ge=16,
        le=1024,
        title="Crop size (px)",
        description="Width of the square around each cell, or of what it is resized to; empty: holds nine cells of ten",
        json_schema_extra=NETWORK,
    )
    cut: Literal["pad", "rescale"] = Field(
        "pad",
        title="Cut",
        description="pad: every cell at the same scale, beyond the image its edge pixels are repeated; rescale: the "
        "square that just holds the cell is resized, so that size is not seen",
        json_schema_extra=NETWORK_ADVANCED,
    )
    background: Literal["kept", "zeroed"] = Field(
        "kept",
        title="Background",
        description="Of a crop: kept, or zeroed outside the cell's own mask",
        json_schema_extra=NETWORK_ADVANCED,
    )
    field_size_px: tuple[int, int] | None = Field(
        None,
        title="Field size (px)",
        description="Height and width that whole fields are resized to; empty: as they are",
        json_schema_extra=NETWORK_ADVANCED,
    )
