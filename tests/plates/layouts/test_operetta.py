"""Operetta and Opera Phenix: bare names, and names told by an index that nobody trusts."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate

HARMONY = "http://www.perkinelmer.com/PEHH/HarmonyV5"


def image_element(url: str, **changed: str) -> str:
    entries = {
        "URL": url,
        "Row": "2",
        "Col": "3",
        "FieldID": "1",
        "PlaneID": "1",
        "TimepointID": "0",
        "ChannelID": "1",
        "ChannelName": "DAPI",
        "ImageResolutionX": "6.5E-07",
    }
    entries |= changed
    return "<Image>" + "".join(f"<{tag}>{text}</{tag}>" for tag, text in entries.items()) + "</Image>"


def index_of(images: Iterable[str], plate: str = "Screen 7", head: str = "") -> str:
    return (
        f"{head}<EvaluationInputData xmlns='{HARMONY}'><Plates><Plate><PlateID>id</PlateID><Name>{plate}</Name>"
        f"</Plate></Plates><Images>{''.join(images)}</Images></EvaluationInputData>"
    )


def write_index(folder: Path, text: str) -> Path:
    (folder / "Index.idx.xml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two channels of the well B03."""
    return write_images(tmp_path / "Plate 7" / "Images", operetta_names([(2, 3)]))


URL, SECOND_URL = operetta_names([(2, 3)])


def test_names_alone_tell_wells_fields_and_channels(tmp_path: Path) -> None:
    write_images(tmp_path / "Plate 7" / "Images", operetta_names([(1, 1), (16, 24)], channels=3, fields=2))
    acquisition = read_plate(tmp_path / "Plate 7")
    assert acquisition.summary() == {
        "layout": "operetta",
        "plates": ["Plate 7"],
        "wells": 2,
        "fields": 4,
        "channels": ["ch1", "ch2", "ch3"],
        "planes": 12,
        "pixel_size_um": None,
        "problems": [],
    }
    assert acquisition.wells["well"].tolist() == ["A01", "P24"]


@pytest.mark.parametrize("below", ["", "Images", "images/orig"])
def test_the_plate_is_named_after_its_folder_even_when_the_images_folder_is_given(tmp_path: Path, below: str) -> None:
    folder = write_images(tmp_path / "Plate 7" / below, operetta_names([(1, 1)]))
    assert read_plate(folder).plates == ["Plate 7"]


def test_z_planes_and_timepoints_are_told_by_the_names(tmp_path: Path) -> None:
    names = [f"r01c01f01p{z:02d}-ch1sk{t}fk1fl1.tiff" for z in (1, 2, 3) for t in (1, 2)]
    planes = read_plate(write_images(tmp_path / "P", names)).planes
    assert sorted(set(planes["z"])) == [1, 2, 3]
    assert sorted(set(planes["timepoint"])) == [1, 2]


def test_ten_channels_keep_their_order(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path / "P", operetta_names([(1, 1)], channels=10)))
    assert acquisition.channels == tuple(f"ch{number}" for number in range(1, 11))


def test_a_name_without_a_timepoint_is_of_the_first(tmp_path: Path) -> None:
    names = ["r01c01f01p01-ch1sk1fk1fl1.tiff", "r01c02f01p01-ch1.tiff"]
    planes = read_plate(write_images(tmp_path / "P", names)).planes
    assert planes["timepoint"].tolist() == [1, 1]


def test_the_index_names_plate_channels_and_pixel_size(folder: Path) -> None:
    images = [image_element(URL), image_element(SECOND_URL, ChannelID="2", ChannelName="Alexa 488")]
    acquisition = read_plate(write_index(folder, index_of(images)))
    assert acquisition.plates == ["Screen 7"]
    assert acquisition.channels == ("DAPI", "Alexa 488")
    assert acquisition.pixel_size_um == 0.65
    assert acquisition.planes[["well", "field", "channel"]].to_numpy().tolist() == [["B03", 1, 0], ["B03", 1, 1]]


def test_the_index_counts_more_than_the_names(folder: Path) -> None:
    acquisition = read_plate(write_index(folder, index_of([image_element(URL, Row="4", Col="5", FieldID="9")])))
    assert [str(key) for key in acquisition.fields] == ["Screen 7/D05 field 9"]


def test_two_channels_of_one_dye_are_told_apart(folder: Path) -> None:
    images = [image_element(URL), image_element(SECOND_URL, ChannelID="2")]
    assert read_plate(write_index(folder, index_of(images))).channels == ("DAPI ch1", "DAPI ch2")


def test_a_channel_without_a_name_is_called_by_its_number(folder: Path) -> None:
    assert read_plate(write_index(folder, index_of([image_element(URL, ChannelName="")]))).channels == ("ch1",)


def test_images_that_the_index_names_and_that_are_not_there_are_a_problem(folder: Path) -> None:
    images = [image_element(URL), image_element("gone.tiff", ChannelID="2", ChannelName="GFP")]
    acquisition = read_plate(write_index(folder, index_of(images)))
    assert acquisition.problems == (
        "Index.idx.xml names 1 image(s) that are not there, such as gone.tiff.",
        f"1 image(s) are not named by the index and were left out, such as {SECOND_URL}.",
    )
    assert len(acquisition.planes) == 1


def test_an_index_whose_images_are_all_gone_is_refused(folder: Path) -> None:
    with pytest.raises(LayoutError, match="none of the 1 images that it names is there"):
        read_plate(write_index(folder, index_of([image_element("gone.tiff")])))


def test_an_index_without_images_is_refused(folder: Path) -> None:
    with pytest.raises(LayoutError, match="names no images"):
        read_plate(write_index(folder, index_of([])))


def test_each_plate_of_a_folder_is_read_from_its_own_index(tmp_path: Path) -> None:
    for plate in ("P1", "P2"):
        images = write_images(tmp_path / plate / "Images", operetta_names([(2, 3)], channels=1))
        write_index(images, index_of([image_element(URL)], plate))
    acquisition = read_plate(tmp_path)
    assert acquisition.plates == ["P1", "P2"]
    assert acquisition.planes["path"].tolist() == [f"P1/Images/{URL}", f"P2/Images/{URL}"]


@pytest.mark.parametrize(
    "url",
    [
        "../secret.tiff",
        "/etc/passwd",
        "a/../../secret.tiff",
        "C:\\secret.tiff",
        "file:///etc/passwd",
        "http://host/a.tiff",
        ".",
    ],
)
def test_an_index_that_points_outside_its_folder_is_refused(folder: Path, url: str) -> None:
    with pytest.raises(LayoutError):
        read_plate(write_index(folder, index_of([image_element(URL), image_element(url)])))


BILLION_LAUGHS = (
    "<!DOCTYPE lolz [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    ("head", "plate"),
    [
        pytest.param(BILLION_LAUGHS, "&j;", id="billion laughs"),
        pytest.param("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>", "&e;", id="external entity"),
        pytest.param("<!DOCTYPE x SYSTEM 'http://localhost/x.dtd'>", "P", id="external DTD"),
        pytest.param("<!DOCTYPE x>", "P", id="any DTD"),
    ],
)
def test_a_hostile_index_is_refused_before_anything_is_expanded(folder: Path, head: str, plate: str) -> None:
    with pytest.raises(LayoutError, match="DTDForbidden") as caught:
        read_plate(write_index(folder, index_of([image_element(URL)], plate, head)))
    assert len(str(caught.value)) < 1000


WHOLE = index_of([image_element(URL)])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\xff\xfe\x00", id="binary"),
        pytest.param(WHOLE[: len(WHOLE) // 2].encode(), id="cut off"),
        pytest.param(b"<?xml version='1.0' encoding='no-such-code'?>" + WHOLE.encode(), id="unknown encoding"),
        pytest.param(b"<?xml version='1.0' encoding='utf-8'?>" + WHOLE.replace("DAPI", "\xe4").encode("latin-1")),
        pytest.param(WHOLE.replace("<Row>2</Row>", "").encode(), id="no row"),
        pytest.param(WHOLE.replace("<Row>2</Row>", "<Row>two</Row>").encode(), id="row in words"),
        pytest.param(WHOLE.replace("<Row>2</Row>", "<Row>99</Row>").encode(), id="row beyond every plate"),
        pytest.param(WHOLE.replace("<FieldID>1</FieldID>", "<FieldID></FieldID>").encode(), id="empty field"),
        pytest.param(WHOLE.replace("<FieldID>1</FieldID>", "<FieldID>9999999999</FieldID>").encode(), id="huge field"),
        pytest.param(WHOLE.replace("<ChannelID>1</ChannelID>", "<ChannelID>red</ChannelID>").encode(), id="channel"),
        pytest.param(WHOLE.replace("<PlaneID>1</PlaneID>", "<PlaneID>top</PlaneID>").encode(), id="plane in words"),
    ],
)
def test_a_damaged_index_is_refused_by_name(folder: Path, content: bytes) -> None:
    (folder / "Index.idx.xml").write_bytes(content)
    with pytest.raises(LayoutError):
        read_plate(folder)


@pytest.mark.parametrize("size", ["inf", "NaN", "0", "-6.5E-07", "wide"])
def test_a_pixel_size_that_cannot_be_is_taken_for_unknown(folder: Path, size: str) -> None:
    acquisition = read_plate(write_index(folder, index_of([image_element(URL, ImageResolutionX=size)])))
    assert acquisition.pixel_size_um is None


def planes_of(acquisition: Acquisition, field: int) -> list[tuple[str, int]]:
    planes = acquisition.planes[acquisition.planes["field"] == field]
    return list(zip(planes["path"], planes["channel"], strict=True))


def test_a_real_harmony_plate_is_read_with_its_index(real_data: Path) -> None:
    acquisition = read_plate(real_data / "operetta_harmony" / "operetta_plate")
    assert acquisition.summary() == {
        "layout": "operetta",
        "plates": ["Test_Sample_BALL"],
        "wells": 1,
        "fields": 2,
        "channels": ["Fluorescein (FITC)"],
        "planes": 2,
        "pixel_size_um": 1.195952,
        "problems": [],
    }
    assert acquisition.wells["well"].tolist() == ["C03"]
    assert planes_of(acquisition, 2) == [("Images/r03c03f02p01-ch1sk1fk1fl1.tiff", 0)]
    key = acquisition.fields[0]
    field = read_field(acquisition.source, acquisition.planes.head(1), acquisition.channels, key)
    assert field.shape == (1, 1080, 1080)


def test_a_real_folder_without_an_index_is_read_by_its_names(real_data: Path) -> None:
    acquisition = read_plate(real_data / "jump_BR00117006" / "images" / "orig")
    assert acquisition.layout == "operetta"
    assert acquisition.plates == ["jump_BR00117006"]
    assert acquisition.channels == ("ch2", "ch3", "ch5")
    assert acquisition.wells["well"].tolist() == ["A01"]
    assert len(acquisition.planes) == 3
