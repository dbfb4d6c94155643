"""The cells of a field before any light: which phenotype, where, how large, how bright."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cellvote.synthetic.compounds import Treatment
from cellvote.synthetic.phenotypes import PHENOTYPES, SPONTANEOUS, UNTREATED, VARIATION, Phenotype

Outline = npt.NDArray[np.float32]
"""Distance from the centre to the outline, in pixels, at `N_ANGLES` angles from -π."""

N_ANGLES: Final = 256
_ANGLES: Final = np.linspace(-np.pi, np.pi, N_ANGLES, endpoint=False)
_HARMONICS: Final = np.arange(2, 7)
_NUCLEUS_CLEARANCE: Final = 1.15
"""Nuclei keep this distance, times the sum of their radii; a cell reaches this far beyond its nucleus."""
_ATTEMPTS: Final = 40
_AXES_SD: Final = 0.4
"""How far, in radians, the long axes of a nucleus and its body differ."""
_LARGEST_SHIFT: Final = 0.3
"""How far a body may lie to one side of its nucleus, as a share of its radius."""


@dataclass(frozen=True)
class Cell:
    """One cell, ready to be painted.

    Attributes
    ----------
    phenotype
        Its kind.
    y_px, x_px
        Centre of its nucleus on the canvas.
    nucleus, body
        Outlines around that centre.
    dna, actin, reporter_nucleus, reporter_cytoplasm
        Photo-electrons per pixel where it is thickest.
    fibres
        Brightness of stress fibres, as a share of ``actin``.
    axis
        Angle of the long axis of the body, along which fibres run.
    """

    phenotype: Phenotype
    y_px: float
    x_px: float
    nucleus: Outline
    body: Outline
    dna: float
    actin: float
    reporter_nucleus: float
    reporter_cytoplasm: float
    fibres: float
    axis: float


def draw_cells(
    rng: np.random.Generator,
    treatment: Treatment,
    responding: float,
    mean_cells: float,
    canvas_px: int,
    pixel_size_um: float,
) -> list[Cell]:
    """Draw the cells of a canvas.

    Parameters
    ----------
    treatment
        What the well was given; ``responding`` of its cells take its phenotype.
    mean_cells
        Expected number on the canvas; fewer fit where it is crowded.
    canvas_px
        Width and height of the canvas.
    """
    kinds = _draw_phenotypes(rng, treatment.phenotype, responding, int(rng.poisson(mean_cells)))
    radii = np.array([kind.nucleus_radius_um for kind in kinds]) / pixel_size_um
    radii *= np.exp(VARIATION.size * rng.standard_normal(len(kinds)))
    centres = _place(rng, radii * _NUCLEUS_CLEARANCE, canvas_px)
    return [
        _draw_cell(rng, kind, float(radius), centre, pixel_size_um)
        for kind, radius, centre in zip(kinds, radii, centres, strict=True)
        if centre is not None
    ]


def _draw_phenotypes(
    rng: np.random.Generator, responding_as: Phenotype, responding: float, n_cells: int
) -> list[Phenotype]:
    """Let some cells respond, and a few of the others look treated all the same."""
    responds = rng.random(n_cells) < responding
    names = [UNTREATED.name, *(kind.name for kind in SPONTANEOUS)]
    shares = [1 - sum(SPONTANEOUS.values()), *SPONTANEOUS.values()]
    others = rng.choice(names, size=n_cells, p=shares)
    return [responding_as if yes else PHENOTYPES[str(other)] for yes, other in zip(responds, others, strict=True)]


def _place(
    rng: np.random.Generator, radii_px: npt.NDArray[np.float64], canvas_px: int
) -> list[tuple[float, float] | None]:
    """Throw discs onto the canvas that do not overlap; None for those that find no room."""
    centres = np.empty((len(radii_px), 2))
    placed: list[int] = []
    for index, radius in enumerate(radii_px):
        tries = rng.uniform(0, canvas_px, (_ATTEMPTS, 2))
        distances = np.linalg.norm(tries[:, None] - centres[placed], axis=2)
        fits = np.flatnonzero((distances >= radius + radii_px[placed]).all(axis=1))
        if len(fits):
            centres[index] = tries[fits[0]]
            placed.append(index)
    there = set(placed)
    return [(float(y), float(x)) if i in there else None for i, (y, x) in enumerate(centres)]


def _draw_cell(
    rng: np.random.Generator,
    kind: Phenotype,
    radius_px: float,
    centre: tuple[float, float],
    pixel_size_um: float,
) -> Cell:
    angle = rng.uniform(0, np.pi)
    nucleus = _outline(rng, radius_px, kind.nucleus_elongation, kind.nucleus_irregularity, angle)
    body_px = kind.body_radius_um / pixel_size_um * _vary(rng, VARIATION.body_size)
    axis = angle + rng.normal(0, _AXES_SD)
    body = _outline(rng, body_px, kind.body_elongation, kind.body_irregularity, axis)
    body = np.maximum(body * _off_centre(rng), nucleus * _NUCLEUS_CLEARANCE)
    # As much DNA spread over a larger nucleus is dimmer.
    spread = (kind.nucleus_radius_um / (radius_px * pixel_size_um)) ** 2
    expression = kind.reporter_brightness * _vary(rng, VARIATION.expression)
    ratio = kind.reporter_ratio * _vary(rng, VARIATION.reporter_ratio)
    return Cell(
        kind,
        *centre,
        nucleus,
        body.astype(np.float32),
        dna=kind.dna_brightness * spread**0.5 * _vary(rng, VARIATION.brightness),
        actin=kind.actin_brightness * _vary(rng, VARIATION.brightness),
        reporter_nucleus=expression * ratio**0.5,
        reporter_cytoplasm=expression / ratio**0.5,
        fibres=kind.actin_fibres * _vary(rng, VARIATION.fibres),
        axis=axis,
    )


def _vary(rng: np.random.Generator, log_sd: float) -> float:
    return float(np.exp(log_sd * rng.standard_normal()))


def _outline(
    rng: np.random.Generator, radius_px: float, elongation: float, irregularity: float, angle: float
) -> Outline:
    """Draw an ellipse of a mean radius, its outline bent by a few harmonics."""
    axes_ratio = max(1.0, elongation * _vary(rng, VARIATION.elongation))
    long, short = radius_px * axes_ratio**0.5, radius_px / axes_ratio**0.5
    turned = _ANGLES - angle
    ellipse = long * short / np.hypot(short * np.cos(turned), long * np.sin(turned))
    phases = rng.uniform(0, 2 * np.pi, len(_HARMONICS))
    heights = irregularity * rng.standard_normal(len(_HARMONICS)) * 2 / _HARMONICS
    bends = (heights[:, None] * np.cos(_HARMONICS[:, None] * _ANGLES + phases[:, None])).sum(axis=0)
    outline: Outline = (ellipse * np.clip(1 + bends, 0.5, 1.8)).astype(np.float32)
    return outline


def _off_centre(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Push the body to one side of the nucleus."""
    shifted: npt.NDArray[np.float64] = 1 + rng.uniform(0, _LARGEST_SHIFT) * np.cos(_ANGLES - rng.uniform(-np.pi, np.pi))
    return shifted
