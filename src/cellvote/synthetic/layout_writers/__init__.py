"""Writers of layouts: a small plate in memory becomes a folder as a microscope, an export or a data set has it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cellvote.synthetic.layout_writers.by_name import NAMINGS, write_by_name
from cellvote.synthetic.layout_writers.in_stacks import write_ome_tiff, write_tiff_stacks
from cellvote.synthetic.layout_writers.plate_images import PlateImages, simulated_images
from cellvote.synthetic.layout_writers.with_index import (
    write_load_data,
    write_metaxpress_exported,
    write_operetta,
    write_rxrx,
    write_yokogawa,
)

__all__ = ["LAYOUT_WRITERS", "LayoutWriter", "PlateImages", "simulated_images"]


@dataclass(frozen=True)
class LayoutWriter:
    """How a plate is written in one layout, and what of it the layout can hold.

    Attributes
    ----------
    write
        Writes the images below a folder.
    layout
        Name of the layout that reads it.
    holds_fields, holds_z
        Whether there may be several fields in a well, several z-planes in a field.
    holds_names, holds_pixel_size, holds_positions
        Whether the names of the channels, the size of a pixel and the stage positions come back.
    plate
        What the plate is called when it is read back.
    """

    write: Callable[[PlateImages, Path], None]
    layout: str
    holds_fields: bool = True
    holds_z: bool = True
    holds_names: bool = False
    holds_pixel_size: bool = False
    holds_positions: bool = False
    plate: str = "{name}"


def _write(naming: str) -> Callable[[PlateImages, Path], None]:
    return partial(write_by_name, naming=NAMINGS[naming])


LAYOUT_WRITERS: Final[dict[str, LayoutWriter]] = {
    "operetta": LayoutWriter(write_operetta, "operetta", holds_names=True, holds_pixel_size=True, holds_positions=True),
    "operetta-bare": LayoutWriter(_write("operetta-bare"), "operetta"),
    "metaxpress-raw": LayoutWriter(_write("metaxpress-raw"), "metaxpress"),
    "metaxpress-exported": LayoutWriter(write_metaxpress_exported, "metaxpress", holds_names=True),
    "yokogawa": LayoutWriter(write_yokogawa, "yokogawa", holds_pixel_size=True, holds_positions=True),
    "rxrx": LayoutWriter(write_rxrx, "rxrx", holds_z=False, plate="{name}_Plate1"),
    "load-data": LayoutWriter(write_load_data, "load-data", holds_names=True),
    "numbered": LayoutWriter(_write("numbered"), "numbered", holds_fields=False, holds_z=False),
    "cellomics": LayoutWriter(_write("cellomics"), "cellomics", holds_z=False, plate="AS_09125_240517090001"),
    "scanr": LayoutWriter(_write("scanr"), "scanr", holds_names=True),
    "in-cell": LayoutWriter(_write("in-cell"), "in-cell", holds_names=True),
    "in-cell-flat": LayoutWriter(_write("in-cell-flat"), "in-cell", holds_names=True, holds_z=False),
    "cytation": LayoutWriter(_write("cytation"), "cytation", holds_names=True, holds_z=False),
    "sites": LayoutWriter(_write("sites"), "metaxpress", holds_z=False),
    "tiff-stacks": LayoutWriter(write_tiff_stacks, "well-names", holds_fields=False, holds_z=False),
    "ome-tiff": LayoutWriter(write_ome_tiff, "well-names", holds_fields=False, holds_names=True, holds_pixel_size=True),
}
"""Every layout that a plate can be written in; ``cellvote export --format ome-zarr`` writes OME-Zarr."""
