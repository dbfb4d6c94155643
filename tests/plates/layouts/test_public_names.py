"""Names and folders as they are in public data sets and in the manuals of microscopes."""

from pathlib import Path

import pytest
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.layouts import read_plate

GUID = "1A5FCFF1-3C81-4ADC-8872-0F0B1882A44F"
HTD = '"HTSInfoFile", Version 1.0\n"XSites", 1\n"YSites", 1\n"WaveName1", "DAPI"\n"WaveName2", "FITC"\n'


def rows(acquisition: Acquisition) -> dict[str, tuple[object, ...]]:
    """Say what each file is read as: plate, well, field, channel's name, z, time."""
    planes = acquisition.planes.assign(channel=[acquisition.channels[i] for i in acquisition.planes["channel"]])
    columns = ["plate", "well", "field", "channel", "z", "timepoint"]
    return dict(zip(planes["path"], planes[columns].itertuples(index=False, name=None), strict=True))


def kinds(acquisition: Acquisition) -> list[str]:
    return [doubt.kind for doubt in acquisition.doubts]


def test_a_folder_for_each_channel_is_one_plate(tmp_path: Path) -> None:  # BBBC022
    names = [
        f"images_{plate}w{w}/IXMtest_{well}_s1_w{w}{GUID}.tif"
        for plate in (20585, 20586)
        for well in ("A01", "P24")
        for w in (1, 2, 3)
    ]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.plates == ["images_20585", "images_20586"]
    assert len(acquisition.fields) == 4
    assert rows(acquisition)[names[2]] == ("images_20585", "A01", 1, "w3", 1, 1)
    assert kinds(acquisition) == []


def test_a_folder_for_each_z_plane_is_one_plate(tmp_path: Path) -> None:  # BBBC006
    names = [f"v1_images_z_{z:02d}/mcf_{well}_s1_w1{GUID}.tif" for z in (0, 1, 16) for well in ("a01", "p24")]
    found = rows(read_plate(write_images(tmp_path, names)))
    assert found[names[0]] == ("v1_images", "A01", 1, "w1", 1, 1)
    assert found[names[5]] == ("v1_images", "P24", 1, "w1", 17, 1)


def test_folders_called_alike_that_hold_all_channels_stay_plates(tmp_path: Path) -> None:
    names = [f"plate_w{n}/x_{well}_s1_w{w}{GUID}.tif" for n in (1, 2) for well in ("A01", "A02") for w in (1, 2)]
    assert read_plate(write_images(tmp_path, names)).plates == ["plate_w1", "plate_w2"]


def test_a_field_called_like_a_well_is_not_taken_for_one(tmp_path: Path) -> None:  # BBBC005
    names = [
        f"SIMCEPImages_{well}_C{n}_F{f}_s{s}_w{w}.TIF"
        for well, n, s in (("A01", 1, 7), ("A02", 5, 25))
        for f in (1, 23)
        for w in (1, 2)
    ]
    acquisition = read_plate(write_images(tmp_path, names))
    assert sorted(set(acquisition.wells["well"])) == ["A01", "A02"]
    assert kinds(read_plate(tmp_path, layout="metaxpress"))[0] == "two wells"


def test_a_description_inside_of_the_timepoints_is_found(tmp_path: Path) -> None:
    names = [f"P1/TimePoint_{t}/P1_{well}_w{w}{GUID}.tif" for t in (1, 2) for well in ("A01", "A02") for w in (1, 2)]
    write_images(tmp_path, names)
    for t in (1, 2):
        (tmp_path / f"P1/TimePoint_{t}/P1.HTD").write_text(HTD)
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DAPI", "FITC")
    assert acquisition.plates == ["P1"]


def test_folders_of_stains_are_asked_about(tmp_path: Path) -> None:
    names = [f"{stain}/{well}_s1.tif" for stain in ("Nuclei", "Membrane") for well in ("A01", "B02")]
    assert kinds(read_plate(write_images(tmp_path, names))) == ["folders"]


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("yokogawa", "{day}/AssayPlate_{well}_T0001F001L01A0{n}Z01C0{n}.tif"),
        ("cellomics", "{day}/MFGTMP_{well}f00d{n}.TIF"),
        ("well-names", "{day}/plate1_{well}_ch{n}.tif"),
    ],
)
def test_plates_of_one_name_in_two_folders_are_told_apart_and_asked_about(
    tmp_path: Path, layout: str, name: str
) -> None:
    names = [name.format(day=d, well=w, n=n) for d in ("day1", "day2") for w in ("A01", "B02") for n in (1, 2)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.layout == layout
    assert [plate.rpartition(" ")[2] for plate in acquisition.plates] == ["day1", "day2"]
    assert len(acquisition.planes) == 8
    assert len(acquisition.channels) == 2
    assert kinds(acquisition) == ["same names"]


def test_plates_without_a_common_channel_are_asked_about(tmp_path: Path) -> None:
    names = [f"{well}_{plate}x_{dye}.tif" for plate, dye in (("P1", "DAPI"), ("P2", "GFP")) for well in ("A01", "B02")]
    pattern = r"(?P<well>\w\d\d)_(?P<plate>\w+)_(?P<channel>\w+)\.tif"
    acquisition = read_plate(write_images(tmp_path, names), pattern=pattern)
    assert "plates without common channels" in kinds(acquisition)


def test_overlays_of_cellomics_are_left_out_and_told_of(tmp_path: Path) -> None:
    write_images(tmp_path, ["M_A01f00d0.TIF", "M_A01f00d1.TIF", "M_A01f00o1.TIF"])
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("d0", "d1")
    assert acquisition.problems == ("1 overlay(s) were left out, such as M_A01f00o1.TIF.",)


def test_what_an_evos_made_of_its_images_is_left_out(tmp_path: Path) -> None:
    names = [f"x_Plate_{kind}_p00_0_A01f00d{d}.TIF" for kind in ("R", "D", "TR") for d in (0, 1)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.plates == ["x_Plate_R_p00_0"]
    assert acquisition.problems[0].startswith("4 image(s) that the microscope made of others")


def test_the_channels_of_a_cytation_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = [f"{w}_01_{n}_1_{dye}_001.tif" for w in ("A1", "B2") for n, dye in ((1, "DAPI"), (2, "GFP"), (3, "CY5"))]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.channels == ("DAPI", "GFP", "CY5")
    assert rows(acquisition)["B2_01_3_1_CY5_001.tif"][3] == "CY5"


@pytest.mark.parametrize(
    "times",
    [
        ("00d00h00m", "00d22h00m", "10d02h00m"),
        ("2019y12m27d_23h00m", "2019y12m28d_01h00m", "2020y01m02d_00h30m"),
    ],
)
def test_times_in_the_names_of_an_incucyte_are_timepoints(tmp_path: Path, times: tuple[str, ...]) -> None:
    names = [f"VID1234_{well}_{f}_{time}.tif" for well in ("A1", "H12") for f in (1, 2) for time in times]
    found = rows(read_plate(write_images(tmp_path, names)))
    assert [found[f"VID1234_H12_2_{time}.tif"] for time in times] == [
        ("VID1234", "H12", 2, "Channel1", 1, t) for t in (1, 2, 3)
    ]


def test_leica_counts_columns_rows_and_fields_from_zero(tmp_path: Path) -> None:
    name = "image--L0000--S00--U{u:02d}--V{v:02d}--J08--E00--O00--X{x:02d}--Y{y:02d}--T0000--Z00--C{c:02d}.ome.tif"
    names = [
        "exp/slide--S00/chamber/" + name.format(u=u, v=v, x=x, y=y, c=c)
        for u, v in ((0, 0), (11, 7))
        for x in (0, 1)
        for y in (0, 1)
        for c in (0, 1)
    ]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.layout == "leica"
    assert acquisition.channels == ("C00", "C01")
    last = "exp/slide--S00/chamber/" + name.format(u=11, v=7, x=1, y=1, c=1)
    assert rows(acquisition)[last][1:] == ("H12", 4, "C01", 1, 0)


def test_leica_wells_beyond_any_plate_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, ["image--L0000--S00--U70--V00--J08--X00--Y00--T0000--C00.tif"])
    with pytest.raises(LayoutError, match="no plate has such a well"):
        read_plate(tmp_path, layout="leica")


def test_a_day_before_the_well_is_no_channel_where_dyes_are(tmp_path: Path) -> None:
    names = [f"D{day}_{well}_{dye}.tif" for day in (1, 7) for well in ("A01", "B02") for dye in ("DAPI", "GFP")]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.channels == ("DAPI", "GFP")
    assert acquisition.plates == ["D1", "D7"]


def test_a_number_before_the_row_is_not_its_column(tmp_path: Path) -> None:
    wells = ((row, column) for row, column in (("A", 1), ("A", 2), ("B", 1), ("H", 12)))
    names = [f"TileScan 1--{row}--{column}--0{f}--DAPI.tif" for row, column in wells for f in (1, 2)]
    found = rows(read_plate(write_images(tmp_path, names)))
    assert [found[f"TileScan 1--{place}--02--DAPI.tif"][1:3] for place in ("A--2", "H--12")] == [("A02", 2), ("H12", 2)]


def test_a_running_number_behind_the_dye_is_not_a_part_of_it(tmp_path: Path) -> None:
    names = [f"Well {well}/{dye} - n00000{f}.tif" for well in ("A01", "B02") for dye in ("DAPI", "GFP") for f in (0, 1)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.channels == ("DAPI", "GFP")
    assert rows(acquisition)["Well B02/GFP - n000001.tif"][:4] == (tmp_path.name, "B02", 2, "GFP")


def test_a_folder_that_a_pattern_reads_is_no_plate(tmp_path: Path) -> None:
    names = [f"P{p}/ZStep_{z}/A01_w{w}.tif" for p in (1, 2) for z in (1, 2) for w in (1, 2)]
    pattern = r".*ZStep_(?P<z>\d)/(?P<well>\w\d\d)_w(?P<channel>\d)\.tif"
    acquisition = read_plate(write_images(tmp_path, names), pattern=pattern)
    assert acquisition.plates == ["P1", "P2"]
    assert sorted(set(acquisition.planes["z"])) == [1, 2]


def test_files_that_only_the_microscope_reads_are_named(tmp_path: Path) -> None:
    (tmp_path / "001001000.flex").write_bytes(b"II*\0")
    with pytest.raises(LayoutError, match=r"001001000\.flex is a file of the microscope's own kind"):
        read_plate(tmp_path)
