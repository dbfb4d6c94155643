"""Layouts whose file names tell everything."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cellvote.synthetic.layout_writers.plate_images import Place, PlateImages, write_tiff

Naming = Callable[[str, Place], str]
"""From the plate's name and a place to the path below the folder that is written to."""


def operetta_bare(plate: str, at: Place) -> str:
    """Harmony's image names, without its index."""
    return f"{plate}/Images/r{at.row:02d}c{at.column:02d}f{at.field:02d}p{at.z:02d}-ch{at.channel}sk1fk1fl1.tiff"


def metaxpress_raw(plate: str, at: Place) -> str:
    """A dated folder, names that end in a GUID; z-planes in folders of their own."""
    guid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{plate}{at}")).upper()
    return f"{plate}/2024-05-17/1334/ZStep_{at.z}/{plate}_{at.well}_s{at.field}_w{at.channel}{guid}.tif"


def metaxpress_exported(plate: str, at: Place) -> str:
    """As MetaXpress exports plates: folders for time and z, plain names."""
    return f"{plate}/TimePoint_1/ZStep_{at.z}/{plate}_{at.well}_s{at.field}_w{at.channel}.TIF"


def cellomics(plate: str, at: Place) -> str:
    """Cellomics ArrayScan: fields and channels are counted from 0."""
    return f"{plate}/AS_09125_240517090001_{at.well}f{at.field - 1:02d}d{at.channel - 1}.TIF"


def scanr(plate: str, at: Place) -> str:
    """Olympus ScanR: positions and z-planes are counted from 0."""
    n_well = (at.row - 1) * 12 + at.column
    return f"{plate}/data/{at.well}--W{n_well:05d}--P{at.field - 1:05d}--Z{at.z - 1:05d}--T00000--{at.channel_name}.tif"


def in_cell(plate: str, at: Place) -> str:
    """GE IN Cell Analyzer: spaces and brackets."""
    wave = f"{at.channel_name} - {at.channel_name}"
    return f"{plate}/{at.well[0]} - {at.column:02d}(fld {at.field:02d} wv {wave} z {at.z:02d}).tif"


def in_cell_flat(plate: str, at: Place) -> str:
    """GE IN Cell Analyzer without z-planes."""
    wave = f"{at.channel_name} - {at.channel_name}"
    return f"{plate}/{at.well[0]} - {at.column:02d}(fld {at.field} wv {wave}).tif"


def cytation(plate: str, at: Place) -> str:
    """BioTek Cytation: well, read, channel number, field, channel, time."""
    return f"{plate}/{at.well[0]}{at.column}_01_{at.channel}_{at.field}_{at.channel_name}_001.tif"


def sites(plate: str, at: Place) -> str:
    """A well, a site and a wavelength, and nothing else."""
    return f"{plate}/{at.well}_s{at.field}_w{at.channel}.TIF"


def rxrx(plate: str, at: Place) -> str:
    """Recursion's data sets: the experiment is a folder, its plates are folders in it."""
    return f"{plate}/Plate1/{at.well}_s{at.field}_w{at.channel}.png"


def numbered(plate: str, at: Place) -> str:
    """BBBC013: channel, running number, row, column."""
    number = (at.row - 1) * 12 + at.column
    return f"{plate}/Channel{at.channel}-{number:02d}-{at.well[0]}-{at.column:02d}.tif"


NAMINGS: Final[dict[str, Naming]] = {
    "operetta-bare": operetta_bare,
    "metaxpress-raw": metaxpress_raw,
    "metaxpress-exported": metaxpress_exported,
    "cellomics": cellomics,
    "scanr": scanr,
    "in-cell": in_cell,
    "in-cell-flat": in_cell_flat,
    "cytation": cytation,
    "sites": sites,
    "numbered": numbered,
}


def write_by_name(images: PlateImages, folder: Path, naming: Naming) -> None:
    """Write every plane as a TIFF file of its own."""
    for place in images.places():
        write_tiff(folder / naming(images.name, place), images.plane(place))
