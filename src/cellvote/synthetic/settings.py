"""The settings of a simulated plate, and the random streams that they fix."""

import numpy as np
from pydantic import BaseModel, Field

from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS


class PlateSettings(BaseModel, frozen=True, extra="forbid"):
    """What plate to simulate; the same settings give the same bytes, with any number of workers."""

    name: str = Field(
        "simulated",
        min_length=1,
        max_length=100,
        title="Plate",
        description="Name of the plate, as its index says it",
    )
    rows: int = Field(8, ge=1, le=MAX_ROWS, title="Rows", description="Rows of wells on the plate")
    columns: int = Field(12, ge=1, le=MAX_COLUMNS, title="Columns", description="Columns of wells on the plate")
    fields_per_well: int = Field(2, ge=1, le=99, title="Fields per well", description="Positions imaged in each well")
    field_size_px: int = Field(
        360, ge=64, le=4096, title="Field size (px)", description="Width and height of the image of a field"
    )
    pixel_size_um: float = Field(
        0.65,
        ge=0.1,
        le=3.0,
        title="Pixel size (µm)",
        description="Width of a pixel; 0.65 is a 10× to 20× objective",
    )
    cells_per_field: float = Field(
        30.0,
        ge=0,
        le=5000,
        title="Cells per field",
        description="In an untreated inner well; where it is crowded fewer fit, as nuclei do not overlap",
    )
    debris_per_field: float = Field(
        3.0, ge=0, le=200, title="Debris per field", description="Mean number of bright specks; lint is rarer"
    )
    plate_effects: float = Field(
        1.0,
        ge=0,
        le=2,
        title="Plate effects",
        description="Vignetting, brightness gradient, edge wells and staining; 0 is none, 1 is usual",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, title="Seed", description="Another seed, another plate")

    @property
    def field_size_um(self) -> float:
        """Width and height of a field in micrometres."""
        return self.field_size_px * self.pixel_size_um


def plate_stream(settings: PlateSettings) -> np.random.Generator:
    """Give the random numbers that lay out the plate."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed))


def well_stream(settings: PlateSettings, row: int, column: int) -> np.random.Generator:
    """Give the random numbers of what the fields of a well share; row and column are counted from 1."""
    return field_stream(settings, row, column, 0)


def field_stream(settings: PlateSettings, row: int, column: int, field: int) -> np.random.Generator:
    """Give the random numbers of one field, whoever else is simulated before it or beside it."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(row, column, field)))
