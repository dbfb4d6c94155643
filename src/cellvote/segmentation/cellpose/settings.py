"""The settings of Cellpose: all that its ``eval`` takes for 2-D images, with its own defaults."""

from typing import Any, Final, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic.config import JsonDict

DEFAULT_MODEL: Final = "cpsam_v2"
MEAN_DIAMETER_PX: Final = 30.0
"""Images are resized so that cells of the diameter asked for come to this one."""

HOW: Final[JsonDict] = {"changes_result": False}
"""Marks settings that say how fast it goes, not what comes out: a run may go on with another value."""


class CellposeSettings(BaseModel, frozen=True, extra="forbid", coerce_numbers_to_str=True):
    """How Cellpose finds cells."""

    model: str = Field(
        DEFAULT_MODEL,
        min_length=1,
        title="Model",
        description="cpsam_v2, cpsam, cpdino or cpdino-vitb, the name of a model that was trained in Cellpose, or the "
        "path of a model file",
    )
    channels: tuple[str, ...] = Field(
        (),
        max_length=3,
        title="Channels",
        description="One to three channel names, in the order in which the network sees them; empty: the first three. "
        "The order matters little to Cellpose-SAM",
    )
    diameter_px: float | None = Field(
        None,
        gt=0.5,
        le=2000,
        title="Cell diameter (px)",
        description="The image is resized so that such cells come to 30 px; empty: not resized, which suits cells of "
        "about 8 to 120 px",
    )
    flow_threshold: float = Field(
        0.4,
        ge=0,
        le=3,
        title="Flow threshold",
        description="Masks whose flows differ more than this from the network's are dropped; higher keeps more and "
        "odder masks, 0 keeps all",
    )
    cellprob_threshold: float = Field(
        0.0,
        ge=-20,
        le=20,
        title="Cell probability threshold",
        description="Pixels above this (log odds) belong to cells; lower finds more, larger and dimmer cells",
    )
    min_size_px: int = Field(
        15, ge=0, le=10**7, title="Smallest cell (square px)", description="Smaller masks are dropped; 0 keeps all"
    )
    max_size_fraction: float = Field(
        0.4,
        gt=0,
        le=1,
        title="Largest cell (share of the image)",
        description="Masks that cover more of the image than this are dropped",
    )
    niter: int | None = Field(
        None,
        ge=1,
        le=20000,
        title="Dynamics (steps)",
        description="How many steps pixels follow the flows; more for long cells, such as 2000 for bacteria; empty: "
        "200 for cells of 30 px, in proportion for others",
    )
    resample: bool = Field(
        True,
        title="Dynamics at full size",
        description="Only where a diameter is given: smoother outlines, slower for large cells",
    )
    normalize: bool = Field(
        True,
        title="Normalise",
        description="Each channel of each field by its own percentiles; off: grey values as they are, about 0 to 1",
    )
    lower_percentile: float = Field(
        1.0, ge=0, lt=100, title="Lower percentile (%)", description="Becomes 0 by normalising"
    )
    upper_percentile: float = Field(
        99.0, gt=0, le=100, title="Upper percentile (%)", description="Becomes 1 by normalising"
    )
    lowest_grey: float | None = Field(
        None,
        ge=-(10**6),
        le=10**7,
        title="Lowest grey value",
        description="Becomes 0, in every channel and field, in place of percentiles; only with the highest",
    )
    highest_grey: float | None = Field(
        None,
        ge=-(10**6),
        le=10**7,
        title="Highest grey value",
        description="Becomes 1, in every channel and field, in place of percentiles; only with the lowest",
    )
    sharpen_radius_px: float = Field(
        0.0,
        ge=0,
        le=500,
        title="Sharpen (px)",
        description="Subtracts the surroundings within this radius, before normalising: an eighth to a quarter of the "
        "cell diameter; 0: not",
    )
    smooth_radius_px: float = Field(
        0.0,
        ge=0,
        le=500,
        title="Smooth (px)",
        description="Gaussian blur before normalising, against noise: a tenth to a quarter of the diameter; 0: not",
    )
    tile_norm_px: int = Field(
        0,
        ge=0,
        le=10000,
        title="Local normalising (px)",
        description="Percentiles of windows of this width, which brightens dark regions, such as 100; 0: of the field",
    )
    invert: bool = Field(False, title="Invert", description="For cells that are darker than what is around them")
    augment: bool = Field(
        False,
        title="Average flipped tiles",
        description="Tiles overlap by half and are flipped in turns: slightly better flows, about four times slower",
    )
    tile_overlap: float = Field(
        0.1, ge=0.05, le=0.5, title="Tile overlap (share)", description="How much of its width a tile shares"
    )
    tile_size_px: int | None = Field(
        None,
        ge=64,
        le=2048,
        multiple_of=16,
        title="Tile size (px)",
        description="Empty: 256 for cpsam, which takes no other, and 384 for cpdino",
    )
    bfloat16: bool = Field(
        True,
        title="Half precision",
        description="16-bit weights: half the memory; on most CPUs slower than 32 bits",
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=1024,
        title="Tiles a batch",
        description="On a GPU; halved by itself where the memory is full. The result does not depend on it",
        json_schema_extra=HOW,
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        """Take ``DNA,ER`` as two names, and a single name or number as one."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return (value,) if isinstance(value, int | float) else value or ()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.lower_percentile >= self.upper_percentile:
            raise ValueError("the lower percentile must be below the upper one")
        if (self.lowest_grey is None) != (self.highest_grey is None):
            raise ValueError("give both the lowest and the highest grey value, or neither")
        if self.lowest_grey is not None and self.highest_grey is not None and self.lowest_grey >= self.highest_grey:
            raise ValueError("the lowest grey value must be below the highest")
        of_normalising = {
            "invert": self.invert,
            "tile_norm_px": self.tile_norm_px,
            "sharpen_radius_px": self.sharpen_radius_px,
            "smooth_radius_px": self.smooth_radius_px,
            "lowest_grey": self.lowest_grey is not None,
        }
        idle = [name for name, given in of_normalising.items() if given and not self.normalize]
        if idle:
            raise ValueError(f"{idle[0]} is a part of normalising: leave normalize on")
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("a channel is named twice")
        return self

    @property
    def scale(self) -> float:
        """How much images are resized for the network."""
        return 1.0 if self.diameter_px is None else MEAN_DIAMETER_PX / self.diameter_px

    @property
    def n_steps(self) -> int:
        """How many steps pixels follow the flows."""
        if self.niter is not None:
            return self.niter
        return int(200 / self.scale) if self.resample else 200

    def normalisation(self) -> dict[str, Any]:
        """What Cellpose's ``normalize_img`` takes."""
        fixed = self.lowest_grey is not None
        return {
            "lowhigh": (self.lowest_grey, self.highest_grey) if fixed else None,
            "percentile": (self.lower_percentile, self.upper_percentile),
            "normalize": True,
            "norm3D": True,
            "sharpen_radius": self.sharpen_radius_px,
            "smooth_radius": self.smooth_radius_px,
            "tile_norm_blocksize": self.tile_norm_px,
            "tile_norm_smooth3D": 1,
            "invert": self.invert,
        }
