"""What is measured: the sets of measurements, and how each is taken."""

from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, Field, field_validator

SetName = Literal[
    "core",
    "texture",
    "granularity",
    "radial_distribution",
    "neighbours",
    "correlation",
    "local_patterns",
    "scale_space",
    "polar",
    "outline",
]
SET_NAMES: Final[tuple[SetName, ...]] = get_args(SetName)


class MeasureSettings(BaseModel, frozen=True, extra="forbid"):
    """What is measured of every cell; the command line, recipes and the saved file are made from this."""

    sets: tuple[SetName, ...] = Field(
        ("core",),
        title="Sets",
        description="core (always: shape and intensity), texture, granularity, radial_distribution, neighbours, "
        "correlation, local_patterns, scale_space, polar, outline; several parted by commas",
    )
    exclude_border: bool = Field(
        False, title="Leave out cells at the border", description="Of these a part may be missing"
    )
    exclude_degenerate: bool = Field(
        False,
        title="Leave out pixels and lines",
        description="Cells without a perimeter or without a width, which have no shape",
    )
    texture_scales_px: tuple[int, ...] = Field(
        (3,), title="Texture scales (px)", description="How far apart the compared pixels lie", min_length=1
    )
    texture_levels: int = Field(
        32, ge=2, le=256, title="Texture grey levels", description="How many grey levels are told apart"
    )
    texture_range: Literal["cell", "image"] = Field(
        "cell",
        title="Texture range",
        description="Grey levels are spread from each cell's darkest to its brightest pixel, so that neither gain nor "
        "offset of the camera matters; or over all values of the image's type, as CellProfiler does",
    )
    granularity_steps: int = Field(16, ge=1, le=64, title="Granularity steps", description="Grain sizes, from 1 up")
    granularity_subsampling: float = Field(
        0.25, gt=0, le=1, title="Granularity subsampling (share)", description="Images are shrunk to this first"
    )
    granularity_background_px: int = Field(
        10,
        ge=1,
        le=100,
        title="Granularity background (px)",
        description="Radius of what is background, in pixels of the image shrunk by the subsampling twice",
    )
    radial_rings: int = Field(4, ge=2, le=20, title="Radial rings", description="From the centre to the edge")
    neighbour_distance_px: int = Field(
        5, ge=1, le=50, title="Neighbour distance (px)", description="Cells within it are neighbours"
    )
    correlation_threshold: float = Field(
        0.15,
        ge=0,
        lt=1,
        title="Correlation threshold (share)",
        description="Manders and overlap look at pixels above this share of the cell's brightest",
    )

    @field_validator("sets", mode="before")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        """Take ``"texture,granularity"`` too; core is always measured, and the order makes no difference."""
        names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)
        unknown = [name for name in names if name not in SET_NAMES]
        return (*(name for name in SET_NAMES if name == "core" or name in names), *unknown)

    @field_validator("texture_scales_px", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        """Take ``3`` and ``"3,7"`` too."""
        if isinstance(value, str):
            return [part.strip() for part in value.split(",")]
        return [value] if isinstance(value, int) else value

    @field_validator("texture_scales_px")
    @classmethod
    def _are_distances(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= scale <= 100 for scale in value):
            raise ValueError("scales are from 1 to 100 px")
        return tuple(sorted(set(value)))
