"""Files whose names tell their channel, and which hold more than one page."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane

NAMES = {
    "metaxpress": "exp_{well}_s1_w{n}.tif",
    "yokogawa": "AP_{well}_T0001F001L01A01Z01C0{n}.tif",
    "in-cell": "{row} - {column}(fld 1 wv dye{n} - dye{n}).tif",
    "scanr": "{well}--W00001--P00001--Z00000--T00000--dye{n}.tif",
    "cytation": "{well}_01_{n}_1_dye{n}_001.tif",
    "cellomics": "MFGTMP_1_{well}f00d{n}.TIF",
    "operetta": "r01c{column}f01p01-ch{n}sk1fk1fl1.tiff",
    "numbered": "Channel{n}-01-{row}-{column}.tif",
    "well-names": "{well}_field1_ch{n}.tif",
}


def stack(value: int, n_pages: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.stack([np.full((6, 7), value + page, np.uint16) for page in range(n_pages)])


@pytest.mark.parametrize("layout", NAMES)
def test_pages_of_a_file_of_one_channel_are_z_planes_and_asked_about(tmp_path: Path, layout: str) -> None:
    values = {}
    for column in ("01", "02"):
        for n in (1, 2):
            name = NAMES[layout].format(well=f"A{column}", row="A", column=column, n=n)
            values[name] = 100 * int(column) + 10 * n
            tifffile.imwrite(tmp_path / name, stack(values[name]), photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path)
    assert acquisition.layout == layout
    assert len(acquisition.planes) == 12
    assert [doubt.kind for doubt in acquisition.doubts] == ["pages"]
    for plane in acquisition.planes.itertuples():
        pixels = read_plane(tmp_path / str(plane.path), int(str(plane.page)), int(str(plane.sample)))
        assert pixels[0, 0] == values[str(plane.path)] + int(str(plane.z)) - 1


def test_pages_are_read_with_a_pattern_too(tmp_path: Path) -> None:
    for name in ("xA01c1.tif", "xA01c2.tif"):
        tifffile.imwrite(tmp_path / name, stack(5), photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path, pattern=r"x(?P<well>A01)c(?P<channel>\d)\.tif")
    assert sorted(set(acquisition.planes["z"])) == [1, 2, 3]


def test_where_the_names_tell_z_further_pages_are_told_of(tmp_path: Path) -> None:
    for z in (1, 2):
        path = tmp_path / f"AP_A01_T0001F001L01A01Z0{z}C01.tif"
        tifffile.imwrite(path, stack(5), photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path)
    assert len(acquisition.planes) == 2
    assert "holds 3 pages, but the names tell the z-planes" in acquisition.problems[0]


@pytest.mark.parametrize("name", ["scan_Plate_D_p00_0_A01f00d{n}.TIF", "A01_s1_w{n}.png"])
def test_of_a_painted_channel_the_brightest_colour_is_read(tmp_path: Path, name: str) -> None:
    blue = np.full((6, 7, 3), [0, 2, 50], np.uint8)
    for n, image in enumerate((blue, blue[..., ::-1])):
        if name.endswith("png"):
            Image.fromarray(image).save(tmp_path / name.format(n=n))
        else:
            tifffile.imwrite(tmp_path / name.format(n=n), image, photometric="rgb")
    acquisition = read_plate(tmp_path)
    assert acquisition.planes["sample"].tolist() == [3, 1]
    for plane in acquisition.planes.itertuples():
        assert read_plane(tmp_path / str(plane.path), 0, int(str(plane.sample))).max() == 50
    assert "it is coloured: the brightest of its colours is read" in acquisition.problems[0]


def test_nikon_lists_the_channels_of_its_pages_in_the_name(tmp_path: Path) -> None:
    for well in ("A01", "A02"):
        path = tmp_path / f"Well{well}_Point{well}_0000_ChannelDAPI,GFP,Cy5_Seq0000.tif"
        tifffile.imwrite(path, stack(5), photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DAPI", "GFP", "Cy5")
    assert set(acquisition.planes["z"]) == {1}


def plate_xml(name: str) -> bytes:
    image = (
        '<Image ID="Image:{i}"><Pixels ID="Pixels:{i}" DimensionOrder="XYCZT" Type="uint16" SizeX="7" SizeY="6"'
        ' SizeC="1" SizeZ="1" SizeT="1"><Channel ID="Channel:{i}:0" Name="DAPI" SamplesPerPixel="1"/>'
        '<TiffData IFD="{i}" PlaneCount="1"/></Pixels></Image>'
    )
    well = (
        '<Well ID="Well:0:{i}" Row="{i}" Column="{i}"><WellSample ID="WellSample:0:{i}:0" Index="{i}">'
        '<ImageRef ID="Image:{i}"/></WellSample></Well>'
    )
    wells, images = ("".join(part.format(i=i) for i in range(2)) for part in (well, image))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Plate ID="Plate:0" Name="{name}">{wells}</Plate>{images}</OME>'
    ).encode()


def test_ome_tiff_files_that_hold_a_plate_each_are_plates_of_their_own(tmp_path: Path) -> None:
    for number, name in enumerate(("20230101_hela", "20230202_hela")):
        with tifffile.TiffWriter(tmp_path / f"{name}.ome.tif") as tiff:
            for i, page in enumerate(stack(10 * number, 2)):
                tiff.write(page, description=plate_xml(name) if i == 0 else None, metadata=None, contiguous=False)
    acquisition = read_plate(tmp_path)
    assert acquisition.plates == ["20230101_hela", "20230202_hela"]
    assert acquisition.wells["well"].tolist() == ["A01", "B02"] * 2
    last = acquisition.planes.iloc[-1]
    assert read_plane(tmp_path / last["path"], last["page"])[0, 0] == 11
