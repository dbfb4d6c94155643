"""What TIFF files say of their planes: OME-XML, ImageJ, tifffile's axes, colours, numbered pages."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellvote.errors import CellVoteError, ImageReadError, LayoutError
from cellvote.plates.file_planes import FilePlanes, Scene, file_planes
from cellvote.plates.pixels import Pixels, read_plane

STACK = np.random.default_rng(0).integers(0, 4096, (2, 4, 3, 6, 7), dtype=np.uint16)
"""TZCYX."""


def check_planes(path: Path, held: FilePlanes, stack: Pixels = STACK) -> None:
    """Read every plane and compare it with what was written."""
    assert len(held.planes) == int(np.prod(stack.shape[:3]))
    for plane in held.planes:
        pixels = read_plane(path, plane.page, plane.sample)
        assert np.array_equal(pixels, stack[plane.timepoint - 1, plane.z - 1, plane.channel]), plane


@pytest.mark.parametrize("axes", ["TZCYX", "CZTYX", "TCZYX", "ZTCYX"])
def test_an_ome_tiff_tells_its_planes_whatever_their_order(tmp_path: Path, axes: str) -> None:
    stack = np.transpose(STACK, ["TZCYX".index(axis) for axis in axes])
    metadata = {
        "axes": axes,
        "Channel": {"Name": ["DAPI", "GFP", "RFP"]},
        "PhysicalSizeX": 325.0,
        "PhysicalSizeXUnit": "nm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata)
    held = file_planes(tmp_path / "a.ome.tif")
    assert (held.channels, held.pixel_size_um, held.told) == (("DAPI", "GFP", "RFP"), 0.325, True)
    check_planes(tmp_path / "a.ome.tif", held)


@pytest.mark.parametrize("truncate", [False, True], ids=["a header each", "one header"])
def test_an_imagej_hyperstack_tells_its_planes(tmp_path: Path, truncate: bool) -> None:
    metadata = {"axes": "TZCYX", "unit": "micron", "Labels": ["DAPI", "GFP", "RFP"] * 8}
    tifffile.imwrite(
        tmp_path / "a.tif", STACK, imagej=True, truncate=truncate, resolution=(1 / 0.65, 1 / 0.65), metadata=metadata
    )
    held = file_planes(tmp_path / "a.tif")
    assert (held.channels, held.pixel_size_um) == (("DAPI", "GFP", "RFP"), 0.65)
    check_planes(tmp_path / "a.tif", held)


def test_axes_that_tifffile_wrote_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", metadata={"axes": "TZCYX"})
    held = file_planes(tmp_path / "a.tif")
    assert held.channels == ("Channel1", "Channel2", "Channel3")
    check_planes(tmp_path / "a.tif", held)


@pytest.mark.parametrize(
    "description",
    ['{"axes": "TZCYX", "shape": [2, 400, 3, 6, 7]}', '{"axes": "CYX", "shape": 3}', "{broken", "ImageJ=1.5\nslices=9"],
)
def test_pages_whose_description_does_not_fit_are_numbered_as_channels(tmp_path: Path, description: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0], photometric="minisblack", metadata=None, description=description)
    try:
        held = file_planes(tmp_path / "a.tif")
    except ImageReadError:
        assert description == "{broken"
        return
    assert held.channels == ("Channel1", "Channel2", "Channel3")
    assert not held.told


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_a_coloured_image_has_three_channels(tmp_path: Path, name: str) -> None:
    colours = np.random.default_rng(1).integers(0, 255, (6, 7, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / name, colours, photometric="rgb")
    held = file_planes(tmp_path / name)
    assert held.channels == ("red", "green", "blue")
    read = [read_plane(tmp_path / name, plane.page, plane.sample) for plane in held.planes]
    assert np.array_equal(np.stack(read, axis=2), colours)


def test_transparency_is_no_channel(tmp_path: Path) -> None:
    rgba = np.zeros((6, 7, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    assert file_planes(tmp_path / "a.tif").channels == ("red", "green", "blue")


def ome_tiff(path: Path, xml: str, n_pages: int = 2) -> Path:
    """Write pages with an OME-XML text of one's own."""
    tifffile.imwrite(path, STACK[0, 0, :n_pages], photometric="minisblack", metadata=None, description=xml)
    return path


def ome(pixels: str, more: str = "", size_c: int = 2) -> str:
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0" Name="one"><Pixels DimensionOrder="XYCZT" SizeX="7" SizeY="6" SizeC="{size_c}" SizeZ="1"'
        f' SizeT="1" Type="uint16">{pixels}</Pixels></Image>{more}</OME>'
    )


def test_tiff_data_say_which_page_a_plane_is(tmp_path: Path) -> None:
    blocks = '<TiffData FirstC="0" IFD="1" PlaneCount="1"/><TiffData FirstC="1" IFD="0" PlaneCount="1"/>'
    held = file_planes(ome_tiff(tmp_path / "a.ome.tif", ome(blocks)))
    assert [(plane.channel, plane.page) for plane in held.planes] == [(0, 1), (1, 0)]


def test_planes_in_a_file_beside_are_found_there(tmp_path: Path) -> None:
    blocks = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="c{c}.ome.tif">urn:{c}</UUID></TiffData>'
        for c in (0, 1)
    )
    held = file_planes(ome_tiff(tmp_path / "c0.ome.tif", ome(blocks)))
    assert [(plane.channel, plane.page, plane.file) for plane in held.planes] == [(0, 0, ""), (1, 0, "c1.ome.tif")]


def test_a_file_that_was_renamed_is_still_itself(tmp_path: Path) -> None:
    block = '<TiffData IFD="0" PlaneCount="2"><UUID FileName="old name.ome.tif">urn:1</UUID></TiffData>'
    held = file_planes(ome_tiff(tmp_path / "new.ome.tif", ome(block)))
    assert [plane.file for plane in held.planes] == ["", ""]


@pytest.mark.parametrize("name", ["../secret.tif", "/etc/secret.tif", "C:\\secret.tif", "x/../../secret.tif"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    blocks = "".join(
        f'<TiffData FirstC="{c}" IFD="0"><UUID FileName="{file}">urn:{c}</UUID></TiffData>'
        for c, file in enumerate(["a.ome.tif", name])
    )
    with pytest.raises(LayoutError, match="outside its folder: refused"):
        file_planes(ome_tiff(tmp_path / "a.ome.tif", ome(blocks)))


def test_wells_and_fields_inside_an_ome_tiff_are_told(tmp_path: Path) -> None:
    image = '<Image ID="Image:1" Name="two"><Pixels DimensionOrder="XYCZT" SizeX="7" SizeY="6" SizeC="1" SizeZ="1" '
    image += 'SizeT="1" Type="uint16"><TiffData IFD="1"/></Pixels></Image>'
    plate = '<Plate ID="Plate:0"><Well ID="W:0" Row="1" Column="2"><WellSample Index="0"><ImageRef ID="Image:0"/>'
    plate += '</WellSample><WellSample Index="1"><ImageRef ID="Image:1"/></WellSample></Well></Plate>'
    held = file_planes(ome_tiff(tmp_path / "a.ome.tif", ome('<TiffData IFD="0"/>', image + plate, size_c=1)))
    assert held.scenes == (Scene("one", "B03", 1), Scene("two", "B03", 2))
    assert [(plane.scene, plane.page) for plane in held.planes] == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param('<!DOCTYPE a [<!ENTITY b "c">]>' + ome("").partition("?>")[2], id="an entity"),
        pytest.param(ome("").replace('SizeC="2"', 'SizeC="2000000000"'), id="billions of channels"),
        pytest.param(ome("").replace('SizeZ="1"', 'SizeZ="-3"'), id="less than nothing"),
        pytest.param(ome("").replace("XYCZT", "XYCCC"), id="an order of its own"),
        pytest.param(ome('<TiffData FirstC="7"/>'), id="a channel that is not there"),
        pytest.param(ome("").replace("<Pixels", "<Voxels").replace("</Pixels", "</Voxels"), id="no pixels"),
        pytest.param("<OME><Image></OME>", id="not closed"),
        pytest.param('<?xml version="1.0"?><OME></OME>', id="no image"),
    ],
)
def test_damaged_or_hostile_ome_xml_is_refused(tmp_path: Path, xml: str) -> None:
    with pytest.raises(CellVoteError, match=r"a\.ome\.tif"):
        file_planes(ome_tiff(tmp_path / "a.ome.tif", xml))


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(20))
    for name in ("a.tif", "gone.tif", "gone.png"):
        with pytest.raises(ImageReadError, match=name.replace(".", r"\.")):
            file_planes(tmp_path / name)
