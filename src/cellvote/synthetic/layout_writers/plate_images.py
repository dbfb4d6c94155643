"""A small plate in memory: what every writer of a layout is given."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from cellvote.plates.wells import well_position
from cellvote.synthetic.field import simulate_field
from cellvote.synthetic.painting import CHANNELS
from cellvote.synthetic.plate_design import design_plate
from cellvote.synthetic.settings import PlateSettings


class Place(NamedTuple):
    """One image plane of a plate; row, column, field, channel and z are counted from 1."""

    well: str
    row: int
    column: int
    field: int
    channel: int
    channel_name: str
    z: int


@dataclass(frozen=True)
class PlateImages:
    """The images of a plate.

    Attributes
    ----------
    name
        Of the plate.
    wells
        Such as ``A01``.
    channels
        Their names, in order.
    pixels
        uint16, axes well, field, channel, z, Y, X.
    pixel_size_um
        Width of a pixel.
    """

    name: str
    wells: tuple[str, ...]
    channels: tuple[str, ...]
    pixels: npt.NDArray[np.uint16]
    pixel_size_um: float = 0.65

    @property
    def n_fields(self) -> int:
        """Fields of each well."""
        return int(self.pixels.shape[1])

    @property
    def n_z(self) -> int:
        """Z-planes of each field."""
        return int(self.pixels.shape[3])

    def places(self) -> Iterator[Place]:
        """Every image plane, in the order of the axes of `pixels`."""
        for well in self.wells:
            row, column = well_position(well)
            for field in range(1, self.n_fields + 1):
                for channel, name in enumerate(self.channels, start=1):
                    for z in range(1, self.n_z + 1):
                        yield Place(well, row, column, field, channel, name, z)

    def plane(self, place: Place) -> npt.NDArray[np.uint16]:
        """The pixels of one image plane: YX."""
        well = self.wells.index(place.well)
        return np.asarray(self.pixels[well, place.field - 1, place.channel - 1, place.z - 1])


def simulated_images(settings: PlateSettings) -> PlateImages:
    """Simulate a whole plate into memory: for small ones."""
    wells = tuple(design_plate(settings).wells)
    fields = range(1, settings.fields_per_well + 1)
    pixels = np.stack([[simulate_field(settings, well, field).image for field in fields] for well in wells])
    return PlateImages(settings.name, wells, CHANNELS, pixels[:, :, :, None], settings.pixel_size_um)


def write_tiff(path: Path, plane: npt.NDArray[np.uint16]) -> None:
    """Write one plane; folders are made, and what lies there already is never written over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        tifffile.imwrite(file, plane, compression="lzw", predictor=True, metadata=None, software=False, maxworkers=1)
