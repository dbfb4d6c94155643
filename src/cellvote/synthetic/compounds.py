"""What is done to wells: controls, and compounds that act by a dose-response curve.

The names are of real compounds, so that the plate reads like one; the curves are made up and say nothing of
them.
"""

from dataclasses import dataclass
from typing import Final

from cellvote.synthetic.phenotypes import ENLARGED, ROUNDED, TRANSLOCATED, UNTREATED, Phenotype

CLEAR_RESPONSE: Final = 0.9
"""Wells where at least this share of the cells is expected to respond are named after their mechanism."""


@dataclass(frozen=True)
class HillCurve:
    """A share that rises with the concentration, from 0 to ``top``; half of it at ``ec50_um``."""

    top: float
    ec50_um: float
    slope: float

    def share(self, concentration_um: float) -> float:
        """Give the share at a concentration in µM."""
        reached = concentration_um**self.slope
        return float(self.top * reached / (reached + self.ec50_um**self.slope))


@dataclass(frozen=True)
class Treatment:
    """A compound at a concentration, and what it does.

    Attributes
    ----------
    compound
        Empty for a well that holds nothing.
    concentration_um
        In µM, where there is one.
    control_type
        ``negative``, ``positive`` or empty.
    moa
        Mechanism of action, the class name; empty where it does not clearly show.
    phenotype
        Of the cells that respond.
    responding
        Expected share of the living cells that respond.
    surviving
        Expected share of the cells that are still there.
    """

    compound: str
    concentration_um: float | None = None
    control_type: str = ""
    moa: str = ""
    phenotype: Phenotype = UNTREATED
    responding: float = 0.0
    surviving: float = 1.0


@dataclass(frozen=True)
class Compound:
    """Something given at several concentrations, highest first."""

    name: str
    moa: str
    phenotype: Phenotype
    response: HillCurve
    killing: HillCurve
    concentrations_um: tuple[float, ...]

    def at(self, concentration_um: float) -> Treatment:
        """Give the treatment at a concentration in µM; its ``moa`` is empty where too few cells respond."""
        responding = self.response.share(concentration_um)
        return Treatment(
            self.name,
            concentration_um,
            moa=self.moa if responding >= CLEAR_RESPONSE else "",
            phenotype=self.phenotype,
            responding=responding,
            surviving=1.0 - self.killing.share(concentration_um),
        )

    @property
    def series(self) -> tuple[Treatment, ...]:
        """Every concentration, highest first."""
        return tuple(self.at(concentration) for concentration in self.concentrations_um)


NO_CELLS: Final = Treatment("", surviving=0.0)
"""A well that no cells were put into."""

NEGATIVE_CONTROL: Final = Treatment("DMSO", control_type="negative", moa="vehicle")

POSITIVE_CONTROL: Final = Treatment(
    "wortmannin",
    0.15,
    control_type="positive",
    moa="PI3K inhibitor",
    phenotype=TRANSLOCATED,
    responding=0.97,
)

ACTIVE_COMPOUNDS: Final = (
    Compound(
        "paclitaxel",
        "microtubule stabiliser",
        ROUNDED,
        response=HillCurve(top=0.98, ec50_um=0.008, slope=2.0),
        killing=HillCurve(top=0.25, ec50_um=0.05, slope=1.0),
        concentrations_um=(1.0, 0.25, 0.0625, 0.0156, 0.0039, 0.00098),
    ),
    Compound(
        "etoposide",
        "topoisomerase inhibitor",
        ENLARGED,
        response=HillCurve(top=0.98, ec50_um=0.6, slope=2.0),
        killing=HillCurve(top=0.35, ec50_um=1.0, slope=1.2),
        concentrations_um=(50.0, 12.5, 3.13, 0.78, 0.195, 0.049),
    ),
    Compound(
        "LY294002",
        "PI3K inhibitor",
        TRANSLOCATED,
        response=HillCurve(top=0.98, ec50_um=2.5, slope=2.0),
        killing=HillCurve(top=0.10, ec50_um=20.0, slope=1.0),
        concentrations_um=(50.0, 12.5, 3.13, 0.78, 0.195, 0.049),
    ),
)

TOXIC_COMPOUND: Final = Compound(
    "staurosporine",
    "",
    ROUNDED,
    response=HillCurve(top=0.30, ec50_um=0.3, slope=1.5),
    killing=HillCurve(top=0.93, ec50_um=0.12, slope=1.4),
    concentrations_um=(1.0, 0.25, 0.0625),
)
"""Kills cells rather than changing them; it is of no class."""

CLASS_OF_PHENOTYPE: Final = {
    NEGATIVE_CONTROL.phenotype.name: NEGATIVE_CONTROL.moa,
    **{compound.phenotype.name: compound.moa for compound in ACTIVE_COMPOUNDS},
}
"""The class that a cell of a phenotype truly belongs to."""
