"""Names of microscopes that keep no index: Cellomics, ScanR, IN Cell and Cytation."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_plates import write_images

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import PROJECTION, FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import Pixels, read_plane

COLUMNS = ["plate", "well", "field", "channel", "z", "timepoint"]


def rows(folder: Path) -> dict[str, tuple[object, ...]]:
    """Say what each file is read as."""
    planes = read_plate(folder).planes
    return dict(zip(planes["path"], planes[COLUMNS].itertuples(index=False, name=None), strict=True))


# Cellomics


def test_a_real_cellomics_field_has_three_dyes(real_data: Path) -> None:
    acquisition = read_plate(real_data / "cellprofiler_ExampleHuman", layout="cellomics")
    assert acquisition.fields == [FieldKey("AS_09125_050116030001", "D03", 1)]
    assert acquisition.channels == ("d0", "d1", "d2")
    assert acquisition.planes["path"].tolist() == [f"AS_09125_050116030001_D03f00d{dye}.tif" for dye in range(3)]
    assert acquisition.problems == ()  # the overlay beside them is no plane
    for plane in acquisition.planes.itertuples():
        assert read_plane(acquisition.source / str(plane.path)).shape == (512, 512)


def test_cellomics_counts_fields_from_zero(tmp_path: Path) -> None:
    names = [f"MFGTMP_150203100001_{well}f{f:02d}d{d}.TIF" for well in ("A01", "P24") for f in (0, 1) for d in (0, 1)]
    found = rows(write_images(tmp_path, names))
    assert read_plate(tmp_path).layout == "cellomics"
    assert found["MFGTMP_150203100001_A01f00d0.TIF"] == ("MFGTMP_150203100001", "A01", 1, 0, 1, 1)
    assert found["MFGTMP_150203100001_P24f01d1.TIF"] == ("MFGTMP_150203100001", "P24", 2, 1, 1, 1)


def test_cellomics_without_a_prefix_and_with_timepoints(tmp_path: Path) -> None:
    assert rows(write_images(tmp_path / "plate7", ["A01f00d0.TIF", "A02f00d0.TIF"]))["A02f00d0.TIF"][:2] == (
        "plate7",
        "A02",
    )
    kinetic = rows(write_images(tmp_path / "k", [f"020506platei3t00{t}A01f00d2.TIF" for t in (1, 2)]))
    assert kinetic["020506platei3t002A01f00d2.TIF"] == ("020506plate", "A01", 1, 0, 1, 2)


def c01(plane: Pixels, per_metre: int = 1_550_388, bits: int = 16) -> bytes:
    height, width = plane.shape
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, plane.nbytes, per_metre, per_metre, 0, 0)
    return b"\x10\x00\x00\x00" + zlib.compress(head + bytes(12) + plane.tobytes())


CLAIMS_TERABYTES = b"\x10\x00\x00\x00" + zlib.compress(
    struct.pack("<IiiHHIIi", 40, 2**20, 2**20, 1, 16, 0, 0, 0) + bytes(99)
)


def test_c01_files_are_read_with_their_pixel_size(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 4096, (6, 9), dtype=np.uint16)
    for well in ("A01", "A02"):
        (tmp_path / f"MFGTMP_150203100001_{well}f00d0.C01").write_bytes(c01(plane))
    acquisition = read_plate(tmp_path)
    assert (acquisition.layout, acquisition.pixel_size_um, len(acquisition.wells)) == ("cellomics", 0.645, 2)
    assert np.array_equal(read_plane(tmp_path / acquisition.planes["path"].iloc[0]), plane)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (c01(np.ones((6, 9), np.uint16))[:-9], "damaged|truncated"),
        (CLAIMS_TERABYTES, "2048.0 GiB"),
        (c01(np.ones((6, 9), np.uint16), bits=24), "cannot be read"),
        (b"\x10\x00\x00\x00no zlib", "damaged"),
        (b"II*\0", "no Cellomics C01 file"),
        (b"", "no Cellomics C01 file"),
    ],
)
def test_a_damaged_c01_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.C01").write_bytes(content)
    with pytest.raises(ImageReadError, match=message):
        read_plane(tmp_path / "a.C01")


# ScanR


def scanr(well: int, position: int = 1, channel: str = "DAPI", prefix: str = "", z: int = 0) -> str:
    return f"{prefix}--W{well:05d}--P{position:05d}--Z{z:05d}--T00000--{channel}.tif"


def labview(**values: object) -> str:
    """Write names and values as LabVIEW does."""
    pairs = "".join(
        f"<String><Name>{name.replace('__', ' ')}</Name><Val>{value}</Val></String>"
        for name, many in values.items()
        for value in (many if isinstance(many, list) else [many])
    )
    return f'<?xml version="1.0"?><LVData xmlns="http://www.ni.com/LVData"><Cluster>{pairs}</Cluster></LVData>'


def test_scanr_counts_wells_along_the_rows_and_asks_about_the_plate(tmp_path: Path) -> None:
    names = [scanr(well, p, c) for well in (1, 13, 96) for p in (1, 2) for c in ("DAPI", "Alexa 488")]
    found = rows(write_images(tmp_path / "screen" / "data", names))
    assert found[scanr(1)] == ("screen", "A01", 1, 1, 1, 0)
    assert found[scanr(13)][1] == "B01"
    assert found[scanr(96, 2, "Alexa 488")] == ("screen", "H12", 2, 0, 1, 0)
    acquisition = read_plate(tmp_path / "screen")
    assert (acquisition.layout, acquisition.channels) == ("scanr", ("Alexa 488", "DAPI"))
    assert [doubt.kind for doubt in acquisition.doubts] == ["well numbers"]
    assert "96 wells" in acquisition.doubts[0].question


def test_scanr_takes_a_larger_plate_for_larger_numbers(tmp_path: Path) -> None:
    found = rows(write_images(tmp_path, [scanr(25), scanr(384, z=2)]))
    assert (found[scanr(25)][1], found[scanr(384, z=2)][1]) == ("B01", "P24")
    assert found[scanr(384, z=2)][4] == 3


def test_scanr_with_a_descriptor_is_sure(tmp_path: Path) -> None:
    write_images(tmp_path / "data", [scanr(1), scanr(25)])
    descriptor = labview(Rows=16, Columns=24, plate__name="KD-7", **{"conversion__factor__um/pixel": 0.3225})
    (tmp_path / "experiment_descriptor.xml").write_text(descriptor)
    for folder in (tmp_path, tmp_path / "data"):
        acquisition = read_plate(folder)
        assert acquisition.plates == ["KD-7"]
        assert acquisition.wells["well"].tolist() == ["A01", "B01"]
        assert (acquisition.pixel_size_um, acquisition.doubts) == (0.3225, ())


def test_scanr_wells_that_the_descriptor_names_are_these(tmp_path: Path) -> None:
    write_images(tmp_path, [scanr(1), scanr(2)])
    table = {"well__selection__table__+__cDNA": ["1", "A1", "siScramble", "2", "B1", "siGENE"]}
    (tmp_path / "experiment_descriptor.xml").write_text(labview(**table))
    acquisition = read_plate(tmp_path)
    assert acquisition.wells["well"].tolist() == ["A01", "B01"]
    assert acquisition.doubts == ()


def test_scanr_names_may_begin_with_the_well(tmp_path: Path) -> None:
    names = [scanr(1, prefix="A1"), scanr(2, prefix="C7")]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.wells["well"].tolist() == ["A01", "C07"]
    assert acquisition.doubts == ()


def test_a_hostile_scanr_descriptor_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path, [scanr(1), scanr(2)])
    (tmp_path / "experiment_descriptor.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(LayoutError, match=r"experiment_descriptor\.xml.*damaged or hostile"):
        read_plate(tmp_path)


def test_scanr_wells_beyond_any_plate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="well number 2000"):
        read_plate(write_images(tmp_path, [scanr(2000)]))


# IN Cell


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("B - 02(fld 1 wv DAPI - DAPI).tif", ("B02", 1, "DAPI", 1, 1)),
        ("A - 1(fld 01 wv UV - DAPI z 3 time 2).tif", ("A01", 1, "UV - DAPI", 3, 2)),
        ("A - 01(fld 1 wv UV - DAPI z 3 time 2 - 2636ms).tif", ("A01", 1, "UV - DAPI", 3, 2)),
        ("C - 6(fld 1 wv TL - Bright field - open z 01).tif", ("C06", 1, "TL - Bright field - open", 1, 1)),
        ("P - 24(fld 12 wv Cy5 - Cy5 z 10).tif", ("P24", 12, "Cy5", 10, 1)),
        ("N - 6(fld 1- time 1 - 22858 ms).tif", ("N06", 1, "Channel1", 1, 1)),
        ("A - 13(fld 2).tif", ("A13", 2, "Channel1", 1, 1)),
        ("A - 13(wv DAPI - DAPI).tif", ("A13", 1, "DAPI", 1, 1)),
    ],
)
def test_in_cell_names_are_read(tmp_path: Path, name: str, expected: tuple[object, ...]) -> None:
    acquisition = read_plate(write_images(tmp_path, [name]))
    _, well, field, channel, z, timepoint = acquisition.planes[COLUMNS].iloc[0]
    assert acquisition.layout == "in-cell"
    assert (well, field, acquisition.channels[channel], z, timepoint) == expected


def test_in_cell_takes_the_pixel_size_from_its_list(tmp_path: Path) -> None:
    filters = ("DAPI - DAPI", "FITC - FITC")
    wells = [f"{row} - {column}" for row in "AB" for column in (1, 12)]
    names = [f"{well}(fld {f} wv {c}).tif" for well in wells for f in (1, 2) for c in filters]
    write_images(tmp_path, names)
    (tmp_path / "plate.xdce").write_text(
        '<?xml version="1.0"?><ImageStack xmlns="x"><AutoLeadAcquisitionProtocol>'
        '<ObjectiveCalibration pixel_width="0.325" pixel_height="0.325"/></AutoLeadAcquisitionProtocol></ImageStack>'
    )
    acquisition = read_plate(tmp_path)
    assert (acquisition.pixel_size_um, acquisition.channels) == (0.325, ("DAPI", "FITC"))
    assert (len(acquisition.wells), len(acquisition.fields)) == (4, 8)


# Cytation


def test_cytation_names_are_read(tmp_path: Path) -> None:
    names = [f"B7_01_{i}_{f}_{c}_001.tif" for i, c in ((1, "DAPI"), (2, "Texas Red")) for f in (1, 3)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert (acquisition.layout, acquisition.channels) == ("cytation", ("DAPI", "Texas Red"))
    assert rows(tmp_path)["B7_01_2_3_Texas Red_001.tif"] == (tmp_path.name, "B07", 3, 1, 1, 1)


def test_cytation_z_planes_and_projections(tmp_path: Path) -> None:
    names = [f"B7_01_1_3Z{z}_DAPI_001.tif" for z in (0, 1)] + ["B7_-1_1_3_ZProj[DAPI 377,447]_001.tif"]
    found = rows(write_images(tmp_path, names))
    assert [found[name][4] for name in names] == [1, 2, PROJECTION]
    assert read_plate(tmp_path).channels == ("DAPI",)


def test_cytation_stitched_images_are_left_out_beside_the_fields(tmp_path: Path) -> None:
    names = [f"B7_01_1_{f}_DAPI_001.tif" for f in (1, 2)] + ["B7_-1_1_1_Stitched[DAPI 377,447]_001.tif"]
    acquisition = read_plate(write_images(tmp_path, names))
    assert len(acquisition.planes) == 2
    assert "1 image(s) that Gen5 made of others" in acquisition.problems[0]


def test_cytation_regions_are_fields_of_their_own(tmp_path: Path) -> None:
    names = [f"A1ROI{r}_02_1_{f}_Bright Field_High Contrast_003.tif" for r in (1, 2) for f in (1, 2)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert [key.field for key in acquisition.fields] == [1, 2, 3, 4]
    assert acquisition.channels == ("Bright Field_High Contrast",)


def test_cytation_steps_that_took_the_same_fields_are_asked_about(tmp_path: Path) -> None:
    names = [f"A1_0{step}_1_1_DAPI_001.tif" for step in (1, 2)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.channels == ("DAPI step 1", "DAPI step 2")
    assert "steps" in [doubt.kind for doubt in acquisition.doubts]
