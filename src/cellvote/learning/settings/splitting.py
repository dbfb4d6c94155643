"""How a classifier is held to account: settings of the split."""

from typing import Literal

from pydantic import BaseModel, Field

from cellvote.learning.settings.feeding import NETWORK_ADVANCED


class SplittingSettings(BaseModel, frozen=True):
    """What is held out whole, and in how many folds."""

    split_by: str = Field(
        "well",
        title="Hold out by",
        description="Whole wells, plates or values of a plate-map column are held out together: never single cells; "
        "two of them (compound,batch): what is tested shares neither with what was learned",
    )
    folds: int = Field(
        5,
        ge=2,
        le=50,
        title="Folds",
        description="At most this many; with fewer groups each is left out once",
    )
    leave_one_out: bool = Field(
        False,
        title="Leave one out",
        description="Every well, plate or value is held out by itself, however many there are",
        json_schema_extra={"advanced": True},
    )
    validation_share: float = Field(
        0.2,
        ge=0,
        le=0.33,
        title="Validation share",
        description="Of what a fold learns from, set aside to stop early by; 0: all is learned from, for all epochs",
        json_schema_extra=NETWORK_ADVANCED,
    )
    leaks: Literal["stop", "report"] = Field(
        "stop",
        title="Where the split leaks",
        description="The same image on both sides: stop, and say which; or report it beside every figure and go on",
        json_schema_extra={"advanced": True},
    )
    balance: Literal["weights", "sampling", "root-sampling", "downsample", "downsample-to-second", "none"] = Field(
        "weights",
        title="Balance",
        description="weights: each class weighs the same; sampling: each is drawn equally often; root-sampling: by the "
        "root of its number; downsample: to the smallest class; downsample-to-second: the largest to the size of the "
        "second; none: as they are",
        json_schema_extra={"advanced": True},
    )
    min_wells: int = Field(
        8,
        ge=2,
        le=100_000,
        title="Least wells",
        description="With several targets, one with fewer wells in its smallest class is dropped and listed",
        json_schema_extra={"advanced": True},
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="The same seed gives the same classifier")
