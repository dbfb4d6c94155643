"""What cells look like: each phenotype is a set of numbers, and cells vary around them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Phenotype:
    """The typical cell of one kind.

    Brightness is in photo-electrons per pixel where the cell is thickest. What varies from cell to cell is in
    `Variation`.

    Attributes
    ----------
    name
        As the truth calls it.
    nucleus_radius_um, nucleus_elongation, nucleus_irregularity
        Mean radius; long over short axis; how far the outline strays from an ellipse, as a share of it.
    dna_brightness, chromatin_contrast, nucleoli
        Brightness of DNA; its texture, as a share of the brightness; mean number of dark nucleoli.
    body_radius_um, body_elongation, body_irregularity
        The same for the outline of the cell.
    edge_height
        Height of the cell at its edge, as a share of its middle: 0 for a ball, towards 1 for a flat cell.
    actin_brightness, actin_cortex, actin_fibres
        Brightness of actin; what cortex and stress fibres add to it, as shares.
    reporter_brightness, reporter_ratio
        Brightness of the reporter; nucleus over cytoplasm.
    """

    name: str
    nucleus_radius_um: float
    nucleus_elongation: float
    nucleus_irregularity: float
    dna_brightness: float
    chromatin_contrast: float
    nucleoli: float
    body_radius_um: float
    body_elongation: float
    body_irregularity: float
    edge_height: float
    actin_brightness: float
    actin_cortex: float
    actin_fibres: float
    reporter_brightness: float
    reporter_ratio: float


@dataclass(frozen=True)
class Variation:
    """How far cells of one phenotype differ, as standard deviations of natural logarithms."""

    size: float = 0.12
    body_size: float = 0.15
    elongation: float = 0.10
    brightness: float = 0.20
    expression: float = 0.35
    reporter_ratio: float = 0.28
    fibres: float = 0.45


VARIATION: Final = Variation()

UNTREATED: Final = Phenotype(
    name="untreated",
    nucleus_radius_um=6.8,
    nucleus_elongation=1.25,
    nucleus_irregularity=0.03,
    dna_brightness=620.0,
    chromatin_contrast=0.10,
    nucleoli=2.5,
    body_radius_um=16.5,
    body_elongation=1.35,
    body_irregularity=0.13,
    edge_height=0.22,
    actin_brightness=260.0,
    actin_cortex=0.9,
    actin_fibres=0.6,
    reporter_brightness=330.0,
    reporter_ratio=0.55,
)
"""A flat, polygonal cell with the reporter in its cytoplasm."""

TRANSLOCATED: Final = Phenotype(
    name="translocated",
    nucleus_radius_um=6.7,
    nucleus_elongation=1.25,
    nucleus_irregularity=0.03,
    dna_brightness=640.0,
    chromatin_contrast=0.10,
    nucleoli=2.5,
    body_radius_um=16.0,
    body_elongation=1.35,
    body_irregularity=0.13,
    edge_height=0.22,
    actin_brightness=250.0,
    actin_cortex=0.9,
    actin_fibres=0.5,
    reporter_brightness=330.0,
    reporter_ratio=2.2,
)
"""As untreated, but the reporter has moved into the nucleus."""

ROUNDED: Final = Phenotype(
    name="rounded",
    nucleus_radius_um=5.4,
    nucleus_elongation=1.35,
    nucleus_irregularity=0.10,
    dna_brightness=1080.0,
    chromatin_contrast=0.22,
    nucleoli=0.0,
    body_radius_um=9.5,
    body_elongation=1.10,
    body_irregularity=0.05,
    edge_height=0.05,
    actin_brightness=420.0,
    actin_cortex=1.1,
    actin_fibres=0.0,
    reporter_brightness=480.0,
    reporter_ratio=0.85,
)
"""Arrested in mitosis: a small, round, bright cell with condensed DNA."""

ENLARGED: Final = Phenotype(
    name="enlarged",
    nucleus_radius_um=10.0,
    nucleus_elongation=1.30,
    nucleus_irregularity=0.06,
    dna_brightness=520.0,
    chromatin_contrast=0.12,
    nucleoli=3.5,
    body_radius_um=25.0,
    body_elongation=1.45,
    body_irregularity=0.20,
    edge_height=0.35,
    actin_brightness=230.0,
    actin_cortex=0.6,
    actin_fibres=2.2,
    reporter_brightness=260.0,
    reporter_ratio=0.65,
)
"""Grown without dividing: a large flat nucleus, a large cell, actin stress fibres."""

PHENOTYPES: Final = {p.name: p for p in (UNTREATED, TRANSLOCATED, ROUNDED, ENLARGED)}
"""Every phenotype, by name."""

SPONTANEOUS: Final = {TRANSLOCATED: 0.01, ROUNDED: 0.02, ENLARGED: 0.01}
"""Share of the cells that look so without any treatment."""
