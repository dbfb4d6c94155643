"""One simulated field: its images, its true masks and the truth of each cell."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from cellvote.errors import CellVoteError
from cellvote.plates.wells import parse_well
from cellvote.study.masks import LabelImage
from cellvote.synthetic.cells import Cell, draw_cells
from cellvote.synthetic.debris import add_debris
from cellvote.synthetic.optics import expose, focus, illuminate
from cellvote.synthetic.painting import CHANNELS, Canvas, paint_cells
from cellvote.synthetic.plate_design import WellPlan, design_plate
from cellvote.synthetic.plate_effects import well_effects
from cellvote.synthetic.settings import PlateSettings, field_stream

TRUTH_COLUMNS: Final = {
    "plate": "str",
    "well": "str",
    "field": "int32",
    "y": "float64",
    "x": "float64",
    "phenotype": "str",
    "label_id": "int32",
}
"""Columns and dtypes of the truth, one row per cell."""

LEAST_VISIBLE: Final = 0.25
"""A cell cut by the border counts where at least this share of its nucleus is in the image."""

_MARGIN_UM: Final = 20.0


class SimulationError(CellVoteError, ValueError):
    """A plate cannot be simulated or written."""


@dataclass(frozen=True)
class SimulatedField:
    """What the microscope saw, and what was there.

    Attributes
    ----------
    image
        CYX uint16, channels as in `CHANNELS`.
    label_image
        YX int32: one label id per cell, from 1.
    nuclei
        YX int32: the nucleus of each cell, with the label id of its cell.
    cells
        One row per cell, columns and dtypes as in `TRUTH_COLUMNS`; ``y`` and ``x`` are the middle of the
        visible nucleus, in pixels.
    """

    image: npt.NDArray[np.uint16]
    label_image: LabelImage
    nuclei: LabelImage
    cells: pd.DataFrame


def simulate_field(settings: PlateSettings, well: str, field: int = 1) -> SimulatedField:
    """Simulate one field of a plate; the same for the same settings, whatever else is simulated.

    Parameters
    ----------
    settings
        The plate.
    well
        In any spelling, such as ``A01``.
    field
        Counted from 1.

    Raises
    ------
    SimulationError
        Where the plate has no such well or field.
    """
    plan = _plan_of(settings, well, field)
    effects = well_effects(settings, plan, len(CHANNELS))
    rng = field_stream(settings, plan.row, plan.column, field)
    # Cells whose nucleus lies beyond the border still reach into the image.
    margin_px = round(_MARGIN_UM / settings.pixel_size_um)
    canvas_px = settings.field_size_px + 2 * margin_px
    n_fields = (canvas_px / settings.field_size_px) ** 2
    mean_cells = settings.cells_per_field * n_fields * effects.density
    cells = draw_cells(rng, plan.treatment, effects.responding, mean_cells, canvas_px, settings.pixel_size_um)
    canvas = paint_cells(cells, canvas_px, settings.pixel_size_um, rng)
    add_debris(canvas.light, rng, settings.debris_per_field, n_fields, settings.pixel_size_um)
    in_focus = design_plate(settings).blurred != (plan.well, field)
    light = focus(canvas.light, rng, settings.pixel_size_um, in_focus=in_focus)
    view = slice(margin_px, margin_px + settings.field_size_px)
    image = expose(illuminate(light[:, view, view], effects.brightness, settings.plate_effects), rng)
    label_image, nuclei, visible = _crop_masks(canvas, view)
    truth = _truth(nuclei, [cells[number - 1] for number in visible])
    truth = truth.assign(plate=settings.name, well=plan.well, field=field)
    return SimulatedField(image, label_image, nuclei, truth[list(TRUTH_COLUMNS)].astype(TRUTH_COLUMNS))


def _plan_of(settings: PlateSettings, well: str, field: int) -> WellPlan:
    wells = design_plate(settings).wells
    try:
        name = parse_well(well)
    except ValueError as error:
        raise SimulationError(f"{error}.") from error
    if name not in wells:
        raise SimulationError(
            f"there is no well {name} on a plate of {settings.rows} × {settings.columns} wells. "
            "Choose another, or simulate more rows or columns."
        )
    if not 1 <= field <= settings.fields_per_well:
        raise SimulationError(
            f"well {name} has no field {field}: fields are numbered from 1 to {settings.fields_per_well}. "
            "Choose another, or simulate more fields per well."
        )
    return wells[name]


def _crop_masks(canvas: Canvas, view: slice) -> tuple[LabelImage, LabelImage, npt.NDArray[np.intp]]:
    """Cut masks to the image, keep cells whose nucleus shows, and number these from 1.

    Returns
    -------
    label_image, nuclei
        YX int32.
    visible
        The old numbers of the cells that are left, in order.
    """
    n_cells = int(canvas.nuclei.max(initial=0))
    whole = np.bincount(canvas.nuclei.ravel(), minlength=n_cells + 1)
    inside = np.bincount(canvas.nuclei[view, view].ravel(), minlength=n_cells + 1)
    shows = (inside > 0) & (inside >= LEAST_VISIBLE * whole)
    shows[0] = False
    new_numbers = np.where(shows, np.cumsum(shows), 0).astype(np.int32)
    return (
        new_numbers[canvas.label_image[view, view]],
        new_numbers[canvas.nuclei[view, view]],
        np.flatnonzero(shows),
    )


def _truth(nuclei: LabelImage, cells: list[Cell]) -> pd.DataFrame:
    """Tabulate the cells of a YX image of nuclei, numbered from 1 in this order."""
    numbers = np.arange(1, len(cells) + 1)
    centres = np.array(ndimage.center_of_mass(nuclei > 0, nuclei, numbers)).reshape(-1, 2)
    return pd.DataFrame(
        {
            "y": centres[:, 0],
            "x": centres[:, 1],
            "phenotype": [cell.phenotype.name for cell in cells],
            "label_id": numbers,
        }
    )
