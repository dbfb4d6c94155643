"""How cells vote: one model for the form, the command line and the saved file; and the words of a vote."""

from typing import Final, Literal, Self, get_args

from pydantic import BaseModel, Field, model_validator

from cellvote.study.field_flags import Flag

TIE: Final = "tie"
"""The class of a group where two classes lead."""

NO_VOTE: Final = "too few cells"
"""The class of a group with fewer cells than asked for."""

UNDECIDED: Final = "undecided"
"""The class of a group whose lead, or whose conformal set, does not name one class surely enough."""

NO_CLASS: Final = (TIE, NO_VOTE, UNDECIDED)
"""What a vote may say instead of a class; no class may be called so (`learning.classes.RESERVED`)."""

PREFIX: Final = "probability_"
SHARE: Final = "share_"
IN_SET: Final = "in_set_"
"""Beginnings of the columns that hold something of each class."""

LEVELS: Final[dict[str, list[str]]] = {
    "field": ["plate", "well", "field"],
    "well": ["plate", "well"],
    "treatment": ["treatment"],
}
"""What makes a group, by the name of the level."""

Method = Literal["majority", "mean-probability", "mean-log-probability", "confidence-weighted", "attention"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

SetScore = Literal["lac", "aps", "aps-randomised"]
SET_SCORES: Final[tuple[str, ...]] = get_args(SetScore)


class VoteSettings(BaseModel, frozen=True, extra="forbid"):
    """How cells vote; the dock, the command line, recipes and the saved file are made from this."""

    method: Method = Field(
        "majority",
        title="Method",
        description="majority: one cell, one vote; mean-probability: doubtful cells count less; mean-log-probability: "
        "a class that a cell rules out loses much; confidence-weighted: a cell counts by how sure it is; attention: "
        "what to make of each cell was learned from the training wells",
    )
    min_cells: int = Field(10, ge=1, le=1_000_000, title="Least cells", description="With fewer cells there is no vote")
    exclude_flags: tuple[Flag, ...] = Field(
        (),
        title="Leave out fields that are",
        description="Cells of fields with one of these flags of image quality have no say: empty, out_of_focus, "
        "saturated, uneven; empty: all have one",
    )
    min_margin: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Least margin (share)",
        description="Where the winner leads by less than this, the vote is undecided",
    )
    min_agreement: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Least agreement (share)",
        description="Where a smaller share of the fields of a well (wells of a treatment) votes the same, the vote is "
        "undecided; a single field or well is not judged by this",
        json_schema_extra={"advanced": True},
    )
    tie_rule: Literal["tie", "mean-probability"] = Field(
        "tie",
        title="Ties",
        description="tie: where two classes lead there is no class; mean-probability: of those that lead, the one "
        "with the higher mean probability wins",
        json_schema_extra={"advanced": True},
    )
    set_level: float | None = Field(
        0.9,
        ge=0.5,
        le=0.999,
        title="Sets hold the true class (share)",
        description="How often conformal sets are to hold the true class; empty: no sets",
    )
    set_score: SetScore = Field(
        "lac",
        title="Sets made by",
        description="lac: every class that is likely enough, so that sets are small, and empty where none is; aps: "
        "the likeliest class and as many after it as are needed, never empty; aps-randomised: with less excess",
        json_schema_extra={"advanced": True},
    )
    set_unit: Literal["auto", "well", "plate"] = Field(
        "auto",
        title="Sets hold for new",
        description="well: for another well of such plates; plate: for plates never seen, which takes many plates to "
        "calibrate; auto: plate where there are enough",
        json_schema_extra={"advanced": True},
    )
    set_per_class: bool = Field(
        False,
        title="Sets hold for each class",
        description="The true class is held as often in each class by itself, not only over all of them; takes as "
        "many wells (plates) of every class",
        json_schema_extra={"advanced": True},
    )
    undecided_unless_single: bool = Field(
        False,
        title="Decide by sets",
        description="Where the conformal set does not hold exactly the class that won, or no set can be had, the vote "
        "is undecided",
    )

    @model_validator(mode="after")
    def _sets_are_there(self) -> Self:
        if self.undecided_unless_single and self.set_level is None:
            raise ValueError("undecided_unless_single decides by conformal sets: give set_level, too")
        return self


def usual_votes(*, of_fields: bool, have_wells: bool) -> VoteSettings:
    """Give the settings of a vote that were not chosen.

    Parameters
    ----------
    of_fields
        Whether fields are classified as a whole: the only one of a field is not asked for its class but for its
        probabilities, so that shares, margins and conformal sets say how sure it is.
    have_wells
        Whether images have wells: where they have none, a field may show a single cell.
    """
    if of_fields:
        return VoteSettings(method="mean-probability", min_cells=1)
    return VoteSettings() if have_wells else VoteSettings(min_cells=1)
