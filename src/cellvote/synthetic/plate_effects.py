"""What differs between wells for no good reason: edges, staining, a gradient across the plate, seeding."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cellvote.plates.wells import edge_distance
from cellvote.synthetic.plate_design import WellPlan
from cellvote.synthetic.settings import PlateSettings, well_stream

EDGE_DENSITY_LOSS: Final = 0.20
EDGE_BRIGHTNESS_GAIN: Final = 0.08
GRADIENT: Final = 0.12
"""Shares: fewer cells and more light in edge wells, and more light in the last corner of the plate."""

STAINING_LOG_SD: Final = 0.06
SEEDING_LOG_SD: Final = 0.12
RESPONSE_LOGIT_SD: Final = 0.25
"""How far wells differ in brightness, in number of cells and in the odds of responding."""


@dataclass(frozen=True)
class WellEffects:
    """What the fields of a well share.

    Attributes
    ----------
    density
        Times the usual number of cells.
    brightness
        Times the usual brightness, one for each channel.
    responding
        Share of the cells that respond in this very well.
    """

    density: float
    brightness: tuple[float, ...]
    responding: float


def well_effects(settings: PlateSettings, plan: WellPlan, n_channels: int) -> WellEffects:
    """Draw what the fields of a well share; strength as in the settings."""
    rng = well_stream(settings, plan.row, plan.column)
    strength = settings.plate_effects
    at_edge = strength if edge_distance(plan.well, (settings.rows, settings.columns)) == 0 else 0.0
    density = (1 - EDGE_DENSITY_LOSS * at_edge) * np.exp(SEEDING_LOG_SD * strength * rng.standard_normal())
    across = _across(plan.row, settings.rows) + _across(plan.column, settings.columns)
    staining = np.exp(STAINING_LOG_SD * strength * rng.standard_normal(n_channels))
    brightness = (1 + EDGE_BRIGHTNESS_GAIN * at_edge) * (1 + GRADIENT * strength * across / 2) * staining
    return WellEffects(
        density=float(density) * plan.treatment.surviving,
        brightness=tuple(float(b) for b in brightness),
        responding=_jittered(plan.treatment.responding, rng),
    )


def _across(position: int, n_positions: int) -> float:
    """Say where a row or column lies between the ends of the plate: -1 to 1."""
    return 2 * (position - 1) / (n_positions - 1) - 1 if n_positions > 1 else 0.0


def _jittered(share: float, rng: np.random.Generator) -> float:
    """Move a share a little, staying between 0 and 1, and leaving these two alone."""
    odds = share / (1 - share) * np.exp(RESPONSE_LOGIT_SD * rng.standard_normal())
    return float(odds / (1 + odds))
