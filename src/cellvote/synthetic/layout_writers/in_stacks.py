"""Layouts with several planes in one file: plain multi-page TIFF and OME-TIFF, one file for each well or field."""

from pathlib import Path

import numpy as np
import tifffile

from cellvote.synthetic.layout_writers.plate_images import PlateImages


def write_tiff_stacks(images: PlateImages, folder: Path) -> None:
    """One file for each well, its pages are the channels: ``A01.tif``; the first field and z-plane only."""
    for i, well in enumerate(images.wells):
        path = folder / images.name / f"{well}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        pages = np.ascontiguousarray(images.pixels[i, 0, :, 0])
        with path.open("xb") as file:
            tifffile.imwrite(file, pages, photometric="minisblack", metadata=None, software=False)


def write_ome_tiff(images: PlateImages, folder: Path) -> None:
    """One OME-TIFF for each well: channels by name and z-planes, pixel size in its XML; the first field only."""
    for i, well in enumerate(images.wells):
        path = folder / images.name / f"{well}.ome.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {
            "axes": "CZYX",
            "Channel": {"Name": list(images.channels)},
            "PhysicalSizeX": images.pixel_size_um,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": images.pixel_size_um,
            "PhysicalSizeYUnit": "µm",
        }
        pixels = np.ascontiguousarray(images.pixels[i, 0])
        with path.open("xb") as file:
            tifffile.imwrite(file, pixels, photometric="minisblack", metadata=metadata, ome=True, software=False)
