"""Yokogawa: lists of images that nobody trusts, names alone, and wells that are only numbered."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PROJECTION
from cellvote.plates.layouts import read_plate

NAMESPACE = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'


def name(well: str = "D08", field: int = 1, z: int = 1, channel: int = 1, action: int | None = None) -> str:
    return f"P1_{well}_T0001F{field:03d}L01A{action or channel:02d}Z{z:02d}C{channel:02d}.tif"


def record(file: str, field: int = 1, z: int = 1, channel: int = 1, **changed: str) -> str:
    entries = {"Type": "IMG", "Column": "8", "Row": "4", "TimePoint": "1", "FieldIndex": str(field), "ZIndex": str(z)}
    entries |= {"TimelineIndex": "1", "ActionIndex": str(channel), "Action": "2D", "Ch": str(channel)} | changed
    attributes = " ".join(f'bts:{key}="{value}"' for key, value in entries.items())
    return f"<bts:MeasurementRecord {attributes}>{file}</bts:MeasurementRecord>\n"


def write_list(folder: Path, records: Sequence[str], head: str = "") -> Path:
    text = f"<?xml version='1.0' encoding='utf-8'?>{head}<bts:MeasurementData bts:Version='1.0' {NAMESPACE}>\n"
    (folder / "MeasurementData.mlf").write_text(f"{text}{''.join(records)}</bts:MeasurementData>")
    return folder


def write_detail(folder: Path, plate: str = "Screen 3", pixel_um: str = "0.325", rows: int = 16) -> Path:
    (folder / "MeasurementDetail.mrf").write_text(
        f'\ufeff<bts:MeasurementDetail bts:RowCount="{rows}" bts:ColumnCount="{rows * 3 // 2}" {NAMESPACE}>'
        f'<bts:MeasurementSamplePlate bts:Name="{plate}" bts:WellPlateFileName="x.wpi" />'
        f'<bts:MeasurementChannel bts:Ch="1" bts:HorizontalPixelDimension="{pixel_um}" />'
        "</bts:MeasurementDetail>",
        encoding="utf-8",
    )
    return folder


def write_setting(folder: Path, channels: Sequence[dict[str, str]]) -> Path:
    elements = ""
    for number, channel in enumerate(channels, start=1):
        attributes = " ".join(f"bts:{key}='{value}'" for key, value in channel.items())
        light = "<bts:LightSourceName>405nm</bts:LightSourceName>"
        elements += f"<bts:Channel bts:Ch='{number}' {attributes}>{light}</bts:Channel>"
    text = f"<bts:MeasurementSetting {NAMESPACE}><bts:ChannelList>{elements}</bts:ChannelList></bts:MeasurementSetting>"
    (folder / "s.mes").write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two channels of the well D08."""
    return write_images(tmp_path / "P1", [name(), name(channel=2)])


def test_names_alone_tell_plate_well_field_z_and_channel(tmp_path: Path) -> None:
    names = [name(well, f, z, c) for well in ("A01", "P24") for f in (1, 2) for z in (1, 2) for c in (1, 3)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.summary() == {
        "layout": "yokogawa",
        "plates": ["P1"],
        "wells": 2,
        "fields": 4,
        "channels": ["ch1", "ch3"],
        "planes": 16,
        "pixel_size_um": None,
        "problems": [],
    }


def test_a_plate_may_have_underscores_and_wells_in_its_name(tmp_path: Path) -> None:
    file = "AssayPlate_A01_#655090_B02_T0001F001L01A01Z01C01.tif"
    acquisition = read_plate(write_images(tmp_path, [file]))
    assert (acquisition.plates, acquisition.wells["well"].tolist()) == (["AssayPlate_A01_#655090"], ["B02"])


def test_files_beside_the_list_tell_plate_pixel_size_and_channels(folder: Path) -> None:
    write_list(folder, [record(name()), record(name(channel=2), channel=2)])
    write_detail(folder)
    write_setting(folder, [{"Target": "405", "Fluorophore": "Hoechst"}, {"Target": "488", "Fluorophore": "GFP"}])
    acquisition = read_plate(folder)
    assert acquisition.plates == ["Screen 3"]
    assert acquisition.pixel_size_um == 0.325
    assert acquisition.channels == ("Hoechst", "GFP")
    assert acquisition.problems == ()


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        ([{"Target": "DNA"}, {"Target": "BF"}], ("DNA", "BF")),
        (
            [{"Target": "", "Acquisition": "BP445/45"}, {"Target": "", "Acquisition": "BP525/50"}],
            ("BP445/45", "BP525/50"),
        ),
        ([{"Target": "488"}, {"Target": "488"}], ("488 ch1", "488 ch2")),
        ([{}, {}], ("ch1", "ch2")),
    ],
)
def test_channels_are_named_by_what_the_setting_says(
    folder: Path, channels: list[dict[str, str]], names: tuple[str, ...]
) -> None:
    write_list(folder, [record(name()), record(name(channel=2), channel=2)])
    write_setting(folder, channels)
    assert read_plate(folder).channels == names


def test_positions_grow_downwards(folder: Path) -> None:
    write_list(
        folder, [record(name(), X="-567.1", Y="402.9"), record(name(channel=2), channel=2, X="-567.1", Y="402.9")]
    )
    positions = read_plate(folder).positions
    assert positions is not None
    assert positions[["well", "field", "x_um", "y_um"]].to_numpy().tolist() == [["D08", 1, -567.1, -402.9]]


def test_records_of_errors_are_told_and_need_say_nothing_else(folder: Path) -> None:
    error = '<bts:MeasurementRecord bts:Type="ERR" bts:Column="9" bts:Row="4" />'
    write_list(folder, [record(name()), record(name(channel=2), channel=2), error])
    assert read_plate(folder).problems == (
        "1 image(s) failed as they were taken, such as one of well row 4, column 9.",
    )


def test_images_that_are_not_there_and_images_that_are_not_listed_are_told(folder: Path) -> None:
    write_list(folder, [record(name()), record("P1_gone.tif", field=2)])
    assert read_plate(folder).problems == (
        "MeasurementData.mlf names 1 image(s) that are not there, such as P1_gone.tif.",
        f"1 image(s) are not named by MeasurementData.mlf and were left out, such as {name(channel=2)}.",
    )


def test_projections_are_known_by_how_they_were_processed(folder: Path) -> None:
    write_list(folder, [record(name(), ZImageProcessing="Maximum"), record(name(channel=2), channel=2)])
    assert read_plate(folder).planes["z"].tolist() == [PROJECTION, 1]


@pytest.mark.parametrize("listed", [True, False])
def test_a_channel_taken_in_two_actions_is_two_channels(tmp_path: Path, listed: bool) -> None:
    names = [name(action=1), name(action=2), name(channel=2, action=3)]
    write_images(tmp_path, names)
    if listed:
        records = [record(names[0]), record(names[1], ActionIndex="2"), record(names[2], channel=2, ActionIndex="3")]
        write_list(tmp_path, records)
    assert read_plate(tmp_path).channels == ("ch2", "ch1 A01", "ch1 A02")


def test_correction_images_are_no_planes(folder: Path) -> None:
    write_images(folder, ["DC_DCAM#1_CAM3.tif", "DC_sCMOS #1_CAM1.tif", "SC_BP445-45_20x v2_M01_CH01.tif"])
    assert read_plate(folder).problems == ()
    write_list(folder, [record(name()), record(name(channel=2), channel=2)])
    assert read_plate(folder).problems == ()


def test_plates_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for run in ("run_1", "run_2"):
        folder = write_images(tmp_path / run / "AssayPlate", [name()])
        write_detail(write_list(folder, [record(name())]), "AssayPlate")
    assert read_plate(tmp_path).plates == ["AssayPlate run_1", "AssayPlate run_2"]


def test_a_cq1_numbers_its_wells_row_by_row_and_the_person_is_asked_of_which_plate(tmp_path: Path) -> None:
    names = [f"Image/W{well:04d}F0001T0001Z001C{c}.tif" for well in (1, 13, 96) for c in (1, 2)]
    acquisition = read_plate(write_images(tmp_path / "Plate 9", names))
    assert acquisition.plates == ["Plate 9"]
    assert acquisition.wells["well"].tolist() == ["A01", "B01", "H12"]
    assert [doubt.kind for doubt in acquisition.doubts] == ["well numbers"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("x.wpi", f'<bts:WellPlate bts:Name="N" bts:Rows="16" bts:Columns="24" {NAMESPACE} />'),
        ("x.wpp", f'<bts:WellPlateProduct bts:Rows="16" bts:Columns="24" {NAMESPACE} />'),
        ("MeasurementResult.ome.xml", '<OME xmlns="o"><Plate Name="N" Rows="16" Columns="24"/></OME>'),
    ],
)
def test_a_cq1_plate_is_told_by_a_file_beside_its_images(tmp_path: Path, file: str, content: str) -> None:
    write_images(tmp_path, [f"Image/W{well:04d}F0001T0001Z001C1.tif" for well in (1, 25)])
    (tmp_path / file).write_text(content)
    acquisition = read_plate(tmp_path)
    assert (acquisition.wells["well"].tolist(), acquisition.doubts) == (["A01", "B01"], ())


@pytest.mark.parametrize("well", [0, 1537, 9999])
def test_a_well_number_that_no_plate_has_is_refused(tmp_path: Path, well: int) -> None:
    with pytest.raises(LayoutError, match="no plate"):
        read_plate(write_images(tmp_path, [f"W{well:04d}F0001T0001Z001C1.tif"]))


@pytest.mark.parametrize(
    "file", ["../secret.tif", "/etc/passwd", "a/../../b.tif", "C:\\secret.tif", "file:///etc/passwd", "."]
)
def test_a_list_that_points_outside_its_folder_is_refused(folder: Path, file: str) -> None:
    with pytest.raises(LayoutError, match="outside its folder|refused"):
        read_plate(write_list(folder, [record(name()), record(file, field=2)]))


@pytest.mark.parametrize("head", ["<!DOCTYPE x [<!ENTITY a 'ha'>]>", "<!DOCTYPE x SYSTEM 'http://localhost/x.dtd'>"])
def test_a_hostile_list_is_refused(folder: Path, head: str) -> None:
    with pytest.raises(LayoutError, match="DTDForbidden"):
        read_plate(write_list(folder, [record(name())], head))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("</bts:MeasurementData>", ""),
        ('bts:Row="4"', ""),
        ('bts:Row="4"', 'bts:Row="99"'),
        ('bts:Column="8"', 'bts:Column="x"'),
        ('bts:FieldIndex="1"', 'bts:FieldIndex="99999999999999999999"'),
        ('bts:Ch="1"', 'bts:Ch="-1"'),
        ('bts:ZIndex="1"', 'bts:ZIndex="deep"'),
        (name(), ""),
    ],
)
def test_a_damaged_list_is_refused(folder: Path, right: str, wrong: str) -> None:
    path = write_list(folder, [record(name())]) / "MeasurementData.mlf"
    path.write_text(path.read_text().replace(right, wrong))
    with pytest.raises(LayoutError):
        read_plate(folder)


def test_a_hostile_file_beside_the_list_is_not_used_and_told(folder: Path) -> None:
    write_list(folder, [record(name()), record(name(channel=2), channel=2)])
    (folder / "MeasurementDetail.mrf").write_text("<!DOCTYPE x [<!ENTITY a 'ha'>]><x>&a;</x>")
    acquisition = read_plate(folder)
    assert acquisition.pixel_size_um is None
    assert "DTDForbidden" in acquisition.problems[0]


def test_what_may_be_missing_may_be_missing(folder: Path) -> None:
    short = '<bts:MeasurementRecord bts:Column="8" bts:Row="4" bts:Ch="{}">{}</bts:MeasurementRecord>'
    write_list(folder, [short.format(1, name()), short.format(2, name(channel=2))])
    acquisition = read_plate(folder)
    assert acquisition.planes[["well", "field", "channel", "z"]].to_numpy().tolist() == [
        ["D08", 1, 0, 1],
        ["D08", 1, 1, 1],
    ]


def test_the_list_itself_can_be_given(folder: Path) -> None:
    write_list(folder, [record(name()), record(name(channel=2), channel=2)])
    acquisition = read_plate(folder / "MeasurementData.mlf")
    assert (acquisition.layout, len(acquisition.planes)) == ("yokogawa", 2)


def test_the_real_measurement(real_data: Path) -> None:
    acquisition = read_plate(real_data / "cv8000")
    assert acquisition.summary() == {
        "layout": "yokogawa",
        "plates": ["CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"],
        "wells": 3,
        "fields": 12,
        "channels": ["405", "488"],
        "planes": 96,
        "pixel_size_um": 0.325,
        "problems": [],
    }
    assert acquisition.wells["well"].tolist() == ["D08", "E03", "F08"]
    assert sorted(acquisition.planes["z"].unique()) == [1, 2, 3, 4]
    assert acquisition.positions is not None
    of_well = acquisition.positions[acquisition.positions["well"] == "D08"]
    assert of_well[["x_um", "y_um"]].to_numpy().tolist() == [
        [-567.1, -402.9],
        [82.8, -402.9],
        [-567.1, 247.0],
        [82.8, 247.0],
    ]
