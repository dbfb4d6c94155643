"""Cells to light: the expected photo-electrons of each channel, and masks that are true by construction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cellvote.study.masks import LabelImage
from cellvote.synthetic.cells import N_ANGLES, Cell

Light = npt.NDArray[np.float32]

CHANNELS: Final = ("DNA", "Actin", "Reporter")
"""Channel names, in order."""

_EDGE_PX: Final = 1.5
_FINE_UM: Final = 0.8
_COARSE_UM: Final = 3.5
_CORTEX_UM: Final = 1.0
_FIBRE_PERIODS_UM: Final = (2.4, 3.7)
_FIBRE_WARP_UM: Final = 0.35
_FIBRE_BEND: Final = 0.004
_FIBRE_SHARPNESS: Final = 3.5
_DOME: Final = 0.75
_CYTOPLASM_TEXTURE: Final = 0.14
_NUCLEOLUS_SIZE: Final = 0.22
_NUCLEOLUS_DEPTH: Final = 0.45
_DNA_IN_CYTOPLASM: Final = 0.015


@dataclass(frozen=True)
class Canvas:
    """What the cells of a field leave behind.

    Attributes
    ----------
    light
        CYX float32: expected photo-electrons, before any optics.
    label_image, nuclei
        YX int32: cells and their nuclei, numbered from 1 in the order of the cells.
    """

    light: Light
    label_image: LabelImage
    nuclei: LabelImage


@dataclass(frozen=True)
class _Window:
    """The part of the canvas that a cell may reach; distances are shares of the outlines (1 lies on one)."""

    place: tuple[slice, slice]
    down: Light
    right: Light
    from_nucleus: Light
    from_centre: Light


def paint_cells(cells: Sequence[Cell], canvas_px: int, pixel_size_um: float, rng: np.random.Generator) -> Canvas:
    """Paint cells onto an empty square canvas; where bodies meet, the nearer cell has the pixel."""
    shape = (canvas_px, canvas_px)
    light = np.zeros((len(CHANNELS), *shape), np.float32)
    fine = _noise(rng, shape, _FINE_UM / pixel_size_um)
    coarse = _noise(rng, shape, _COARSE_UM / pixel_size_um)
    windows = [_window(cell, canvas_px) for cell in cells]
    label_image, nuclei, gap = _share_out(windows, shape)
    for number, (cell, window) in enumerate(zip(cells, windows, strict=True), start=1):
        place = window.place
        inside = label_image[place] == number
        textures = (fine[place], coarse[place])
        painted = _paint(cell, window, gap[place], textures, pixel_size_um, rng)
        light[(slice(None), *place)] += painted * inside
    return Canvas(light, label_image, nuclei)


def _noise(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> Light:
    """Make a smooth random texture of mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma_px, truncate=2.5)
    texture: Light = noise / max(float(noise.std()), 1e-9)
    return texture


def _window(cell: Cell, canvas_px: int) -> _Window:
    reach = float(cell.body.max()) + 1
    place = tuple(
        slice(max(0, int(centre - reach)), max(0, min(canvas_px, int(centre + reach) + 2)))
        for centre in (cell.y_px, cell.x_px)
    )
    down = (np.arange(place[0].start, place[0].stop, dtype=np.float32) - np.float32(cell.y_px))[:, None]
    right = (np.arange(place[1].start, place[1].stop, dtype=np.float32) - np.float32(cell.x_px))[None, :]
    distance = np.hypot(down, right)
    angle = ((np.arctan2(down, right) + np.pi) * (N_ANGLES / (2 * np.pi))).astype(np.int32) % N_ANGLES
    return _Window((place[0], place[1]), down, right, distance / cell.nucleus[angle], distance / cell.body[angle])


def _share_out(windows: Sequence[_Window], shape: tuple[int, int]) -> tuple[LabelImage, LabelImage, Light]:
    """Give each pixel to the nearest cell.

    Returns
    -------
    label_image, nuclei
        YX int32.
    gap
        YX float32: how far the pixel is from the outline or the next cell, as a share of the cell's radius.
    """
    label_image = np.zeros(shape, np.int32)
    nuclei = np.zeros(shape, np.int32)
    nearest = np.ones(shape, np.float32)
    second = np.ones(shape, np.float32)
    for number, window in enumerate(windows, start=1):
        # Nuclei always belong to their cell: inside them the cell counts as at hand.
        distance = np.where(window.from_nucleus <= 1, 0, window.from_centre).astype(np.float32)
        closer = distance < nearest[window.place]
        second[window.place] = np.minimum(second[window.place], np.maximum(distance, nearest[window.place]))
        nearest[window.place] = np.minimum(nearest[window.place], distance)
        label_image[window.place][closer] = number
        nuclei[window.place][closer & (window.from_nucleus <= 1)] = number
    return label_image, nuclei, second - nearest


def _paint(
    cell: Cell,
    window: _Window,
    gap: Light,
    textures: tuple[Light, Light],
    pixel_size_um: float,
    rng: np.random.Generator,
) -> Light:
    """Give the light of one cell in its window, CYX."""
    fine, coarse = textures
    kind = cell.phenotype
    edge = kind.edge_height
    dome = np.maximum(1 - window.from_centre**2, 0) ** _DOME
    height = edge + (1 - edge) * dome
    cytoplasm = height * (1 + _CYTOPLASM_TEXTURE * (coarse + 0.6 * fine))
    nucleus_px = float(cell.nucleus.mean())
    covered = np.clip((1 - window.from_nucleus) * nucleus_px / _EDGE_PX + 0.5, 0, 1)
    nucleoli = _nucleoli(rng, kind.nucleoli, window, nucleus_px)
    thickness = covered * (0.75 + 0.25 * np.sqrt(np.maximum(1 - window.from_nucleus**2, 0)))
    dna = cell.dna * thickness * (1 + kind.chromatin_contrast * fine) * nucleoli
    cortex = np.exp(-((gap * float(cell.body.mean()) * pixel_size_um / _CORTEX_UM) ** 2))
    fibres = _fibres(rng, window, cell.axis, coarse, pixel_size_um) * dome
    actin = cell.actin * (0.6 * cytoplasm + kind.actin_cortex * cortex + cell.fibres * fibres)
    nuclear = cell.reporter_nucleus * thickness * (1 + 0.3 * kind.chromatin_contrast * fine) * np.sqrt(nucleoli)
    reporter = cell.reporter_cytoplasm * cytoplasm * (1 - covered) + nuclear
    return np.stack([dna + _DNA_IN_CYTOPLASM * cell.dna * height, actin, reporter]).astype(np.float32)


def _nucleoli(rng: np.random.Generator, mean_number: float, window: _Window, nucleus_px: float) -> Light:
    """Give what nucleoli leave of the light, 0 to 1."""
    left = np.ones(window.from_nucleus.shape, np.float32)
    for _ in range(int(rng.poisson(mean_number))):
        angle, away = rng.uniform(0, 2 * np.pi), nucleus_px * 0.6 * np.sqrt(rng.random())
        size = nucleus_px * _NUCLEOLUS_SIZE * rng.uniform(0.7, 1.3)
        down = np.exp(-(((window.down - away * np.sin(angle)) / size) ** 2))
        right = np.exp(-(((window.right - away * np.cos(angle)) / size) ** 2))
        left *= 1 - _NUCLEOLUS_DEPTH * down * right
    return left


def _fibres(rng: np.random.Generator, window: _Window, axis: float, coarse: Light, pixel_size_um: float) -> Light:
    """Draw stress fibres: bent lines along an axis, irregularly spaced and interrupted, about 0 to 1."""
    along_um = (window.down * np.sin(axis) + window.right * np.cos(axis)) * pixel_size_um
    across_um = (window.down * np.cos(axis) - window.right * np.sin(axis)) * pixel_size_um
    place_um = across_um + _FIBRE_BEND * rng.standard_normal() * along_um**2 + _FIBRE_WARP_UM * coarse
    scale, phase = rng.uniform(0.85, 1.25), rng.uniform(0, 2 * np.pi)
    first, second = (np.cos(place_um * (2 * np.pi / (scale * p)) + phase) for p in _FIBRE_PERIODS_UM)
    lines: Light = np.exp(_FIBRE_SHARPNESS * ((first + second) / 2 - 1)) * np.clip(0.8 + 0.6 * coarse, 0, 2)
    return lines
