"""The rules of image quality: from figures to flags."""

from pydantic import BaseModel, Field


class QualitySettings(BaseModel, frozen=True, extra="forbid"):
    """When a field is flagged; the dock, the command line, recipes and the saved file are made from this."""

    channels: tuple[str, ...] = Field(
        (), title="Channels", description="That are looked at; empty: all. A field is empty where all of them are"
    )
    least_structure_percent: float = Field(
        1.0,
        ge=0,
        le=100,
        title="Least structure (% of area)",
        description="A field is empty where less of it stands out from background and noise",
    )
    focus_z: float = Field(
        4.0,
        gt=0,
        le=100,
        title="Focus (robust z)",
        description="A channel is out of focus where its power slope lies so many robust standard deviations below "
        "the median of its plate and channel",
    )
    focus_drop: float = Field(
        0.5, ge=0, le=10, title="Focus (drop of the slope)", description="and at least so far below that median"
    )
    least_fields: int = Field(
        8,
        ge=3,
        le=100_000,
        title="Least fields",
        description="With fewer fields that show something, a plate has no usual slope to be compared with",
    )
    lowest_slope: float | None = Field(
        None,
        ge=-20,
        le=5,
        title="Lowest power slope",
        description="A channel is out of focus below it, whatever the plate; for plates of few fields, or blurred "
        "altogether. Empty: not looked at",
    )
    most_saturated_percent: float = Field(
        0.1,
        ge=0,
        le=100,
        title="Most saturated pixels (%)",
        description="More pixels at the end of the camera's range, in one channel, make a field saturated",
    )
    most_trend_percent: float = Field(
        30.0,
        ge=0,
        le=10_000,
        title="Most illumination trend (% of median)",
        description="Background that differs more between brightest and dimmest place makes a field uneven",
    )
    least_trend_fit: float = Field(
        0.6,
        ge=0,
        le=1,
        title="Least fit of the trend",
        description="and a smooth surface explains at least this share of it: cells that crowd on one side do not",
    )
