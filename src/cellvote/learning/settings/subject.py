"""What is classified, and by what."""

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from cellvote.learning.architectures import checked_architecture


class SubjectSettings(BaseModel, frozen=True):
    """What is classified, and by what."""

    unit: Literal["cell", "field"] = Field(
        "cell", title="Unit", description="What is classified: cells, or fields as a whole"
    )
    architecture: str = Field(
        "forest",
        title="Architecture",
        description="forest, boosting, logistic: on measurements, in seconds; small-resnet: a network on crops of the "
        "cells; and others, see docs/architectures.md",
    )

    @field_validator("architecture")
    @classmethod
    def _check_architecture(cls, name: str) -> str:
        return checked_architecture(name)
