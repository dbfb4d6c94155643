"""Writers of layouts: files lie and are called as microscopes, exports and data sets have them."""

import re
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import parse

from cellvote.synthetic import CHANNELS, PlateSettings, simulate_field
from cellvote.synthetic.layout_writers import LAYOUT_WRITERS, PlateImages, simulated_images

EXAMPLES = {
    "operetta": r"P/Images/r02c03f01p01-ch1sk1fk1fl1\.tiff",
    "operetta-bare": r"P/Images/r02c03f01p01-ch1sk1fk1fl1\.tiff",
    "metaxpress-raw": r"P/\d{4}-\d\d-\d\d/\d+/ZStep_1/P_B03_s1_w1[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\.tif",
    "metaxpress-exported": r"P/TimePoint_1/ZStep_1/P_B03_s1_w1\.TIF",
    "yokogawa": r"P/P_B03_T0001F001L01A01Z01C01\.tif",
    "rxrx": r"images/P/Plate1/B03_s1_w1\.png",
    "load-data": r"P/image_00000\.tif",
    "numbered": r"P/Channel1-15-B-03\.tif",
    "cellomics": r"P/AS_\d+_\d+_B03f00d0\.TIF",
    "scanr": r"P/data/B03--W00015--P00000--Z00000--T00000--DAPI\.tif",
    "in-cell": r"P/B - 03\(fld 01 wv DAPI - DAPI z 01\)\.tif",
    "in-cell-flat": r"P/B - 03\(fld 1 wv DAPI - DAPI\)\.tif",
    "cytation": r"P/B3_01_1_1_DAPI_001\.tif",
    "sites": r"P/B03_s1_w1\.TIF",
    "tiff-stacks": r"P/B03\.tif",
    "ome-tiff": r"P/B03\.ome\.tif",
}


@pytest.fixture
def images() -> PlateImages:
    """Return a plate of one well, with one field of one plane in two channels."""
    pixels = np.random.default_rng(3).integers(0, 4000, (1, 1, 2, 1, 4, 5), dtype=np.uint16)
    return PlateImages("P", ("B03",), ("DAPI", "GFP"), pixels)


@pytest.mark.parametrize("name", LAYOUT_WRITERS)
def test_files_are_called_as_they_are_out_there(name: str, images: PlateImages, tmp_path: Path) -> None:
    LAYOUT_WRITERS[name].write(images, tmp_path)
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(re.fullmatch(EXAMPLES[name], file) for file in files), files


@pytest.mark.parametrize("name", LAYOUT_WRITERS)
def test_a_layout_is_written_the_same_twice(name: str, images: PlateImages, tmp_path: Path) -> None:
    for below in ("a", "b"):
        (tmp_path / below).mkdir()
        LAYOUT_WRITERS[name].write(images, tmp_path / below)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all(
        re.sub(rb"urn:uuid:[0-9a-f-]+", b"", (tmp_path / "a" / file).read_bytes())
        == re.sub(rb"urn:uuid:[0-9a-f-]+", b"", (tmp_path / "b" / file).read_bytes())
        for file in files
    )


def test_the_index_of_an_operetta_names_every_file(images: PlateImages, tmp_path: Path) -> None:
    LAYOUT_WRITERS["operetta"].write(images, tmp_path)
    index = parse(tmp_path / "P/Images/Index.idx.xml", forbid_dtd=True)
    named = {element.text for element in index.iter() if element.tag.endswith("URL")}
    assert named == {path.name for path in (tmp_path / "P/Images").glob("*.tiff")}


def test_simulated_images_are_those_of_the_simulation() -> None:
    settings = PlateSettings(rows=1, columns=2, fields_per_well=2, field_size_px=64, cells_per_field=3)
    images = simulated_images(settings)
    assert (images.wells, images.channels, images.n_fields, images.n_z) == (("A01", "A02"), CHANNELS, 2, 1)
    np.testing.assert_array_equal(images.pixels[1, 0, :, 0], simulate_field(settings, "A02", 1).image)
    last = list(images.places())[-1]
    assert (last.well, last.row, last.column, last.field, last.channel, last.z) == ("A02", 1, 2, 2, len(CHANNELS), 1)
    np.testing.assert_array_equal(images.plane(last), images.pixels[1, 1, -1, 0])
