"""Harmony's index in its versions, what lies beside it, and measurements of one plate."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import LayoutError
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane

V5 = "http://www.perkinelmer.com/PEHH/HarmonyV5"
V6 = "http://www.perkinelmer.com/PEHH/HarmonyV6"
V7 = "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"

FLATFIELD = "<Map><Entry ChannelID='2'><FlatfieldProfile>{Background: {Mean: 1}}</FlatfieldProfile></Entry></Map>"


def image(url: str, field: int = 1, channel: int = 1, **more: str) -> str:
    entries = {"URL": url, "Row": "2", "Col": "3", "FieldID": str(field), "PlaneID": "1", "TimepointID": "0"}
    entries |= {"SequenceID": "1", "GroupID": "1", "ChannelID": str(channel), "FlimID": "1"} | more
    content = "".join(f"<{tag}>{text}</{tag}>" for tag, text in entries.items())
    return f"<Image Version='1'><id>x</id><State>Ok</State>{content}</Image>"


def at(url: str, field: int, x_m: str, y_m: str) -> str:
    position = f"<PositionX Unit='m'>{x_m}</PositionX><PositionY Unit='m'>{y_m}</PositionY>"
    return image(url, field).replace("</Image>", f"{position}</Image>")


def channel_map(names: Iterable[str]) -> str:
    entries = "".join(
        f"<Entry ChannelID='{n}'><ChannelName>{name}</ChannelName>"
        "<ImageResolutionX Unit='m'>2.96688132474701E-07</ImageResolutionX></Entry>"
        for n, name in enumerate(names, start=1)
    )
    skew = "<Map><Entry ChannelID='1'><SkewcropParameters>eA==</SkewcropParameters></Entry></Map>"
    return f"<Maps>{FLATFIELD}{skew}<Map>{entries}</Map></Maps>"


def write_index(
    path: Path, images: Sequence[str], *, plate: str = "P7", namespace: str = V6, maps: str = "", tag: str = "Name"
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (
        f"\ufeff<?xml version='1.0' encoding='utf-8'?><EvaluationInputData Version='1' xmlns='{namespace}'>"
        f"<User>u</User><Plates><Plate><PlateID>{plate}</PlateID><{tag}>{plate}</{tag}><Well id='0203' /></Plate>"
        "</Plates><Wells><Well><id>0203</id><Row>2</Row><Col>3</Col><Image id='0203K1F1P1R1' /></Well></Wells>"
        f"{maps}<Images>{''.join(images)}</Images></EvaluationInputData>"
    )
    path.write_text(text, encoding="utf-8")


ONE, TWO = operetta_names([(2, 3)])


@pytest.mark.parametrize("namespace", [V6, V7])
def test_newer_harmonys_tell_channels_once_and_not_with_each_image(tmp_path: Path, namespace: str) -> None:
    write_images(tmp_path / "Images", [ONE, TWO])
    maps = channel_map(["HOECHST 33342", "Alexa 488", "never taken"])
    images = [image(ONE), image(TWO, channel=2)]
    write_index(tmp_path / "Images" / "Index.xml", images, namespace=namespace, maps=maps)
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("HOECHST 33342", "Alexa 488")
    assert acquisition.pixel_size_um == 0.296688
    assert acquisition.plates == ["P7"]
    assert acquisition.problems == ()


def test_what_an_image_says_itself_counts_more_than_the_map(tmp_path: Path) -> None:
    write_images(tmp_path, [ONE])
    images = [image(ONE, ChannelName="Cy5", ImageResolutionX="6.5E-07")]
    maps = channel_map(["DAPI"])
    write_index(tmp_path / "Index.xml", images, namespace=V5, maps="")
    assert (read_plate(tmp_path).channels, read_plate(tmp_path).pixel_size_um) == (("Cy5",), 0.65)
    write_index(tmp_path / "Index.xml", [image(ONE)], maps=maps)
    assert read_plate(tmp_path).channels == ("DAPI",)


def test_a_plate_without_a_name_is_called_by_its_id(tmp_path: Path) -> None:
    write_images(tmp_path, [ONE])
    write_index(tmp_path / "Index.xml", [image(ONE)], plate="BR7", tag="PlateTypeName")
    assert read_plate(tmp_path).plates == ["BR7"]


def test_stage_positions_are_micrometres_and_grow_downwards(tmp_path: Path) -> None:
    first, second = operetta_names([(2, 3)], channels=1, fields=2)
    write_images(tmp_path, [first, second])
    write_index(tmp_path / "Index.xml", [at(first, 1, "-0.0005", "0.0005"), at(second, 2, "0.0005", "-2.5E-4")])
    positions = read_plate(tmp_path).positions
    assert positions is not None
    assert positions.to_dict("list") == {
        "plate": ["P7", "P7"],
        "well": ["B03", "B03"],
        "field": [1, 2],
        "x_um": [-500.0, 500.0],
        "y_um": [-500.0, 250.0],
    }


@pytest.mark.parametrize("x_m", ["inf", "nan", "1e300", "left"])
def test_a_position_that_no_stage_reaches_is_taken_for_unknown(tmp_path: Path, x_m: str) -> None:
    write_images(tmp_path, [ONE])
    write_index(tmp_path / "Index.xml", [at(ONE, 1, x_m, "0")])
    assert read_plate(tmp_path).positions is None


def test_images_that_were_planned_but_never_taken_are_told(tmp_path: Path) -> None:
    write_images(tmp_path, [ONE])
    write_index(tmp_path / "Index.idx.xml", [image(ONE), image(""), image("")])
    assert read_plate(tmp_path).problems == ("Index.idx.xml lists 2 image(s) that were never taken.",)


def test_an_image_named_twice_is_read_once_and_told(tmp_path: Path) -> None:
    write_images(tmp_path, [ONE, TWO])
    write_index(tmp_path / "Index.idx.xml", [image(ONE), image(TWO)])
    acquisition = read_plate(tmp_path)
    assert acquisition.planes["path"].tolist() == [ONE]
    assert "planes that it has named before" in acquisition.problems[0]


def test_measurements_of_one_plate_are_told_apart(tmp_path: Path) -> None:
    for number in (1, 2):
        images = tmp_path / "P7" / f"Measurement {number}" / "Images"
        write_images(images, [ONE])
        write_index(images / "Index.idx.xml", [image(ONE)])
    acquisition = read_plate(tmp_path)
    assert acquisition.plates == ["P7 Measurement 1", "P7 Measurement 2"]
    assert any("several measurements of P7" in problem for problem in acquisition.problems)
    assert read_plate(tmp_path / "P7" / "Measurement 2").plates == ["P7"]


def test_measurements_without_an_index_are_told_apart_too(tmp_path: Path) -> None:
    for number in (1, 2):
        write_images(tmp_path / "P7" / f"Measurement {number}" / "Images", [ONE])
    assert read_plate(tmp_path).plates == ["P7 Measurement 1", "P7 Measurement 2"]
    assert read_plate(tmp_path / "P7" / "Measurement 1").plates == ["P7"]


def test_an_archive_keeps_its_index_beside_the_folder_of_the_images(tmp_path: Path) -> None:
    write_images(tmp_path / "images", [ONE])
    write_index(tmp_path / "index" / "0f3a.xml", [image(ONE)], namespace=V7, maps=channel_map(["DAPI"]))
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, acquisition.planes["path"].tolist()) == (("DAPI",), [f"images/{ONE}"])


def test_columbus_keeps_several_planes_in_the_pages_of_one_file(tmp_path: Path) -> None:
    stack = np.arange(4, dtype=np.uint16)[:, None, None] * np.ones((4, 8, 8), np.uint16)
    tifffile.imwrite(tmp_path / "002003-1.tif", stack, photometric="minisblack", metadata=None)
    images = [
        image("002003-1.tif", channel=c, PlaneID=str(z), ChannelName=f"dye {c}").replace(
            "<URL>", f"<URL BufferNo='{(z - 1) * 2 + c - 1}'>"
        )
        for z in (1, 2)
        for c in (1, 2)
    ]
    write_index(tmp_path / "ImageIndex.ColumbusIDX.xml", images, namespace="http://www.perkinelmer.com/Columbus")
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("dye 1", "dye 2")
    planes = acquisition.planes[["channel", "z", "page"]].to_numpy().tolist()
    assert planes == [[0, 1, 0], [1, 1, 1], [0, 2, 2], [1, 2, 3]]
    assert read_plane(tmp_path / "002003-1.tif", page=3).max() == 3


def test_names_of_columbus_exports_are_read_and_what_is_guessed_is_asked(tmp_path: Path) -> None:
    names = [f"002003-{f}-{z:03d}001{c:03d}.tif" for f in (1, 2) for z in (1, 2) for c in (1, 2)]
    acquisition = read_plate(write_images(tmp_path / "P1", names))
    assert acquisition.summary()["fields"] == 2
    assert acquisition.channels == ("ch1", "ch2")
    assert sorted(acquisition.planes["z"].unique()) == [1, 2]
    assert [doubt.kind for doubt in acquisition.doubts] == ["numbers without letters"]


def test_the_first_operettas_wrote_the_channel_after_the_plane(tmp_path: Path) -> None:
    names = [f"r02c07f01p01rc{c}-ch1sk1fk1fl1.tiff" for c in (1, 2, 3)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.channels == ("ch1", "ch2", "ch3")


def write_layout(path: Path, layers: dict[str, dict[tuple[int, int], str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = ""
    for name, values in layers.items():
        wells = "".join(
            f"<Well><Row>{r}</Row><Col>{c}</Col>{f'<Value>{value}</Value>' if value else '<Value />'}"
            "<Color>4294967295</Color></Well>"
            for (r, c), value in values.items()
        )
        content += f"<Layer><Name>{name}</Name><ValueType>string</ValueType>{wells}</Layer>"
    path.write_text(
        f"<AssayLayout xmlns='{V5}'><PlateCols>24</PlateCols><PlateRows>16</PlateRows>{content}</AssayLayout>"
    )


def test_the_assay_layout_is_the_plate_map(tmp_path: Path) -> None:
    write_images(tmp_path / "Images", [ONE])
    write_index(tmp_path / "Images" / "Index.idx.xml", [image(ONE)])
    layers = {"Compound": {(2, 3): "001234", (2, 4): ""}, "Dose [nM]": {(2, 3): "12E3", (16, 24): "5"}}
    write_layout(tmp_path / "Assaylayout" / "Screen.xml", layers)
    for folder in (tmp_path, tmp_path / "Images"):
        plate_map = read_plate(folder).plate_map
        assert plate_map is not None
        assert plate_map.to_dict("list") == {
            "plate": ["P7", "P7"],
            "well": ["B03", "P24"],
            "Compound": ["001234", ""],
            "Dose [nM]": ["12E3", "5"],
        }


def test_an_assay_layout_that_says_nothing_is_no_plate_map(tmp_path: Path) -> None:
    write_images(tmp_path / "Images", [ONE])
    write_index(tmp_path / "Images" / "Index.idx.xml", [image(ONE)])
    write_layout(tmp_path / "Assaylayout" / "Unnamed.xml", {"Compound": {(2, 3): ""}})
    assert read_plate(tmp_path).plate_map is None


def test_a_hostile_assay_layout_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "Images", [ONE])
    write_index(tmp_path / "Images" / "Index.idx.xml", [image(ONE)])
    (tmp_path / "Assaylayout").mkdir()
    (tmp_path / "Assaylayout" / "x.xml").write_text(
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><x>&e;</x>"
    )
    with pytest.raises(LayoutError, match="DTDForbidden"):
        read_plate(tmp_path)


@pytest.mark.parametrize("page", ["-1", "99999999999", "one"])
def test_a_page_that_no_file_has_is_refused(tmp_path: Path, page: str) -> None:
    write_images(tmp_path, [ONE])
    write_index(tmp_path / "Index.xml", [image(ONE).replace("<URL>", f"<URL BufferNo='{page}'>")])
    with pytest.raises(LayoutError, match="page"):
        read_plate(tmp_path)


def test_the_index_itself_can_be_given(tmp_path: Path) -> None:
    write_images(tmp_path / "Images", [ONE])
    write_index(tmp_path / "Images" / "Index.idx.xml", [image(ONE)], maps=channel_map(["DAPI"]))
    acquisition = read_plate(tmp_path / "Images" / "Index.idx.xml")
    assert (acquisition.layout, acquisition.channels, len(acquisition.planes)) == ("operetta", ("DAPI",), 1)


def test_outlines_drawn_on_the_images_are_no_planes(tmp_path: Path) -> None:
    write_images(tmp_path, [f"images/orig/{ONE}"])
    (tmp_path / "images" / "outlines").mkdir()
    (tmp_path / "images" / "outlines" / f"{ONE.removesuffix('.tiff')}_cell_outlines.png").touch()
    acquisition = read_plate(tmp_path)
    assert (len(acquisition.planes), acquisition.problems) == (1, ())


def test_the_real_harmony_plate_has_its_fields_in_place(real_data: Path) -> None:
    acquisition = read_plate(real_data / "operetta_harmony" / "operetta_plate")
    assert acquisition.positions is not None
    positions = acquisition.positions[["well", "field", "x_um", "y_um"]].to_numpy().tolist()
    assert positions == [["C03", 1, -645.814, -645.814], ["C03", 2, 645.814, -645.814]]
    assert acquisition.plate_map is None  # its assay layout has a layer, Compound, and no value in it
