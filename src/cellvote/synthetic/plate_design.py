"""Which well gets which treatment: controls and replicates scattered over the whole plate by the seed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, cycle, islice
from typing import Final

import numpy as np
import pandas as pd

from cellvote.plates.wells import well_name
from cellvote.synthetic.compounds import (
    ACTIVE_COMPOUNDS,
    NEGATIVE_CONTROL,
    NO_CELLS,
    POSITIVE_CONTROL,
    TOXIC_COMPOUND,
    Treatment,
)
from cellvote.synthetic.settings import PlateSettings, plate_stream

CLASS_COLUMN: Final = "moa"
"""The column of the plate map whose values are the classes of the demo."""

CONCENTRATION_UNIT: Final = "uM"

_REPLICATES: Final = 3
_LEVELS_WITH_POSITIVE: Final = 4
_SPARE_NEGATIVES: Final = 2
_LEAST_WELLS_FOR_EMPTY: Final = 12


@dataclass(frozen=True)
class WellPlan:
    """What is done to one well; row and column are counted from 1."""

    row: int
    column: int
    treatment: Treatment

    @property
    def well(self) -> str:
        """Its name, such as ``A01``."""
        return well_name(self.row, self.column)


@dataclass(frozen=True)
class PlateDesign:
    """What is done to every well, and which field the microscope failed to focus.

    Attributes
    ----------
    wells
        By name, in the order of rows and columns.
    blurred
        Well and number of the field that is out of focus; None on plates of a few wells.
    """

    wells: dict[str, WellPlan]
    blurred: tuple[str, int] | None

    def plate_map(self) -> pd.DataFrame:
        """Write the design as a plate map, all text.

        Returns
        -------
        DataFrame
            One row per well: ``well``, ``compound``, ``concentration``, ``concentration_unit``,
            ``control_type`` and ``moa``, the class column: filled for controls and for the doses at which
            most cells respond, empty for the doses between and the well without cells.
        """
        rows = [
            {
                "well": well,
                "compound": plan.treatment.compound,
                "concentration": "" if (c := plan.treatment.concentration_um) is None else f"{c:g}",
                "concentration_unit": "" if c is None else CONCENTRATION_UNIT,
                "control_type": plan.treatment.control_type,
                CLASS_COLUMN: plan.treatment.moa,
            }
            for well, plan in self.wells.items()
        ]
        return pd.DataFrame(rows, dtype="str")


@lru_cache(maxsize=8)
def design_plate(settings: PlateSettings) -> PlateDesign:
    """Lay out a plate.

    A 96-well plate holds 20 negative and 12 positive controls, three compounds at six concentrations and a
    toxic one at three, all in triplicate, and one well without cells. Smaller plates leave out the low doses,
    larger ones repeat all but the empty well. Replicates stand in different rows and columns where there is
    room.
    """
    rng = plate_stream(settings)
    n_wells = settings.rows * settings.columns
    n_empty = int(n_wells >= _LEAST_WELLS_FOR_EMPTY)
    treatments = [NO_CELLS] * n_empty + list(islice(cycle(_by_importance()), n_wells - n_empty))
    placed = _scatter(treatments, (settings.rows, settings.columns), rng)
    plans = [WellPlan(*position, placed[position]) for position in sorted(placed)]
    return PlateDesign({plan.well: plan for plan in plans}, _choose_blurred(plans, settings, rng))


def _by_importance() -> list[Treatment]:
    """List the treatments of a 96-well plate but its empty well; any beginning of it makes a fair plate."""
    return list(chain(_rounds(), [NEGATIVE_CONTROL] * _SPARE_NEGATIVES))


def _rounds() -> Iterator[Treatment]:
    """Give one replicate after another, the highest doses first."""
    series = [compound.series for compound in ACTIVE_COMPOUNDS]
    for level, doses in enumerate(zip(*series, strict=True)):
        for _ in range(_REPLICATES):
            yield NEGATIVE_CONTROL
            if level < _LEVELS_WITH_POSITIVE:
                yield POSITIVE_CONTROL
            yield from doses
            if level < len(TOXIC_COMPOUND.series):
                yield TOXIC_COMPOUND.series[level]


def _scatter(
    treatments: list[Treatment], shape: tuple[int, int], rng: np.random.Generator
) -> dict[tuple[int, int], Treatment]:
    """Place treatments at random where row and column hold fewest of the same, the rarest first."""
    positions = [(row, column) for row in range(1, shape[0] + 1) for column in range(1, shape[1] + 1)]
    free = [positions[i] for i in rng.permutation(len(positions))]
    placed: dict[tuple[int, int], Treatment] = {}
    for treatment, n_wells in sorted(Counter(treatments).items(), key=lambda item: item[1]):
        rows: Counter[int] = Counter()
        columns: Counter[int] = Counter()
        for _ in range(n_wells):
            best = min(free, key=lambda p: (rows[p[0]] + columns[p[1]], rows[p[0]]))
            free.remove(best)
            placed[best] = treatment
            rows[best[0]] += 1
            columns[best[1]] += 1
    return placed


def _choose_blurred(plans: list[WellPlan], settings: PlateSettings, rng: np.random.Generator) -> tuple[str, int] | None:
    """Choose a field of a well that has cells but no class, so that no class loses a well to it."""
    wells = [plan.well for plan in plans if plan.treatment.compound and not plan.treatment.moa]
    if not wells:
        return None
    return str(rng.choice(wells)), int(rng.integers(1, settings.fields_per_well + 1))
