"""MetaXpress: raw folders, exports, descriptions that may be wrong, and plates that were imaged twice."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import PROJECTION, Acquisition
from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.base import open_folder
from cellvote.plates.layouts.htd import read_htd
from cellvote.plates.layouts.metaxpress import MetaXpress

WELLS = ("B02", "C11")


def guid(number: int) -> str:
    return str(uuid.UUID(int=number * 7919, version=4)).upper()


def raw(plate: str = "P-1", wells: Sequence[str] = WELLS, sites: int = 2, waves: Sequence[int] = (1, 2)) -> list[str]:
    names = [f"{plate}_{well}_s{s}_w{w}" for well in wells for s in range(1, sites + 1) for w in waves]
    return [f"{name}{guid(i)}.tif" for i, name in enumerate(names)]


def htd(**changed: str) -> str:
    entries = {
        "Description": '"made here"',
        "TimePoints": "1",
        "ZSeries": "FALSE",
        "XWells": "12",
        "YWells": "8",
        "WellsSelection2": ", ".join(["FALSE", "TRUE", *["FALSE"] * 10]),
        "WellsSelection3": ", ".join([*["FALSE"] * 10, "TRUE", "FALSE"]),
        "Sites": "TRUE",
        "XSites": "2",
        "YSites": "1",
        "SiteSelection1": "TRUE, TRUE",
        "NWavelengths": "2",
        "WaveName1": '"DAPI"',
        "WaveName2": '"Texas Red, bright"',
    } | changed
    lines = ['"HTSInfoFile", Version 1.0', *(f'"{key}", {value}' for key, value in entries.items()), '"EndFile"']
    return "\r\n".join(lines) + "\r\n"


def write_htd(folder: Path, name: str = "P-1", **changed: str) -> Path:
    (folder / f"{name}.HTD").write_bytes(htd(**changed).encode("latin-1"))
    return folder


def write_described(path: Path, channel: str, x_um: float = 0.0, y_um: float = 0.0) -> None:
    properties = {
        "spatial-calibration-state": "on",
        "spatial-calibration-x": "0.5",
        "spatial-calibration-units": "um",
        "stage-position-x": str(x_um),
        "stage-position-y": str(y_um),
        "_IllumSetting_": channel,
    }
    text = "<MetaData>\n" + "\n".join(f'<prop id="{k}" type="x" value="{v}"/>' for k, v in properties.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.ones((8, 8), np.uint16), description=text + "</MetaData>", metadata=None)


def z_of(acquisition: Acquisition, channel: int = 0) -> list[int]:
    planes = acquisition.planes
    rows = (planes["channel"] == channel) & (planes["well"] == "B02") & (planes["field"] == 1)
    return planes.loc[rows, "z"].tolist()


def test_raw_names_end_in_a_unique_number_that_may_begin_with_digits(tmp_path: Path) -> None:
    names = [
        "P-1_B02_s1_w117654C10-92F1-4DFD-98AA-6A01BBD77557.tif",
        "P-1_B02_s1_w281928711-999D-41F6-B88C-999513D4C092.tif",
    ]
    acquisition = read_plate(write_images(tmp_path / "P-1", names))
    assert acquisition.summary() | {"problems": []} == {
        "layout": "metaxpress",
        "plates": ["P-1"],
        "wells": 1,
        "fields": 1,
        "channels": ["w1", "w2"],
        "planes": 2,
        "pixel_size_um": None,
        "problems": [],
    }


def test_folders_of_dates_are_no_plates_and_thumbnails_no_images(tmp_path: Path) -> None:
    names = raw()
    thumbs = [name.replace("_w1", "_w1_thumb") for name in names if "_w1" in name]
    write_images(tmp_path / "My plate" / "2023-02-21" / "1334" / "TimePoint_1", [*names, *thumbs])
    for folder in (tmp_path, tmp_path / "My plate" / "2023-02-21" / "1334", tmp_path / "My plate" / "2023-02-21"):
        acquisition = read_plate(folder)
        assert (acquisition.plates, len(acquisition.planes), acquisition.problems) == (["My plate"], len(names), ())


def test_plates_of_bbbc021_are_named_after_their_folders(tmp_path: Path) -> None:
    for plate, prefix in (("Week4_27481", ""), ("Week1_22123", "Week1_150607_")):
        names = [f"{prefix}G10_s{s}_w{w}{guid(10 * s + w)}.tif" for s in (1, 2) for w in (1, 2, 4)]
        write_images(tmp_path / plate.partition("_")[0] / plate, names)
    acquisition = read_plate(tmp_path)
    assert acquisition.plates == ["Week1_22123", "Week4_27481"]
    assert acquisition.channels == ("w1", "w2", "w4")
    assert len(acquisition.fields) == 4


def test_a_plate_imaged_twice_is_two_plates(tmp_path: Path) -> None:
    for number, run in enumerate(("1334", "1400")):
        write_images(tmp_path / "P-1" / "2023-02-21" / run, raw(wells=WELLS[: 2 - number]))
    acquisition = read_plate(tmp_path)
    assert acquisition.plates == ["P-1 1334", "P-1 1400"]
    assert acquisition.problems == ("P-1 was imaged 2 times; these are called P-1 1334, P-1 1400.",)


def test_wells_of_one_plate_in_several_folders_stay_one_plate(tmp_path: Path) -> None:
    for well in WELLS:
        write_images(tmp_path / "P-1" / well, [f"P-1_{well}_s1_w1.TIF"])
    acquisition = read_plate(tmp_path)
    assert (acquisition.plates, len(acquisition.wells)) == (["P-1"], 2)


def test_projections_lie_beside_the_steps_or_in_step_0(tmp_path: Path) -> None:
    beside = write_images(
        tmp_path / "a" / "P-1", ["P-1_B02_s1_w1.TIF", "ZStep_1/P-1_B02_s1_w1.TIF", "ZStep_2/P-1_B02_s1_w1.TIF"]
    )
    zero = write_images(tmp_path / "b" / "P-1", [f"TimePoint_1/ZStep_{z}/P-1_B02_s1_w1.TIF" for z in (0, 1, 2)])
    assert z_of(read_plate(beside)) == z_of(read_plate(zero)) == [PROJECTION, 1, 2]


def test_steps_that_the_description_counts_from_0_are_counted_from_1(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "P-1", [f"ZStep_{z}/P-1_B02_s1_w1.TIF" for z in (0, 1, 2)])
    write_htd(folder, ZSeries="TRUE", ZSteps="3", ZProjection="FALSE")
    assert z_of(read_plate(folder)) == [1, 2, 3]


def test_projections_in_place_of_a_stack_are_known_by_the_description(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "P-1", ["P-1_B02_s1_w1.TIF"])
    assert z_of(read_plate(folder)) == [1]
    write_htd(folder, ZSeries="TRUE", ZSteps="3", ZProjection="TRUE")
    assert z_of(read_plate(folder)) == [PROJECTION]


def test_a_channel_may_have_a_single_plane_beside_the_stack_of_another(tmp_path: Path) -> None:
    names = ["P_B02_s1_w2.TIF", *(f"ZStep_{z}/P_B02_s1_w1.TIF" for z in (1, 2)), "ZStep_1/P_B02_s1_w3.TIF"]
    acquisition = read_plate(write_images(tmp_path / "P", names))
    assert [z_of(acquisition, channel) for channel in (0, 1, 2)] == [[1, 2], [PROJECTION], [1]]


def test_timepoints_are_folders(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path / "P", [f"TimePoint_{t}/P_B02_s1_w1.TIF" for t in (1, 2, 10)]))
    assert acquisition.planes["timepoint"].tolist() == [1, 2, 10]


def test_exports_need_not_name_site_or_channel(tmp_path: Path) -> None:
    for kind, name in {"w": "{}_w1.TIF", "s": "{}_s1.TIF", "none": "{}.TIF"}.items():
        folder = write_images(tmp_path / kind, [name.format(f"PLATE_{well}") for well in WELLS])
        write_htd(folder, "PLATE", NWavelengths="1")
        acquisition = read_plate(folder)
        assert (acquisition.layout, acquisition.plates, acquisition.channels) == ("metaxpress", ["PLATE"], ("DAPI",))
        assert acquisition.wells["well"].tolist() == list(WELLS)


def test_a_name_that_tells_only_the_well_is_not_taken_for_this_layout(tmp_path: Path) -> None:
    folder = write_images(tmp_path, ["PLATE_B02.TIF"])
    assert MetaXpress().recognise(open_folder(folder)) < 0.5
    assert MetaXpress().recognise(open_folder(write_htd(folder, "PLATE"))) == 1


def test_the_pages_of_files_without_a_channel_in_the_name_are_the_channels(tmp_path: Path) -> None:
    stack = np.zeros((2, 8, 8), np.uint16)
    for well in WELLS:
        tifffile.imwrite(tmp_path / f"PLATE_{well}_s1.TIF", stack, photometric="minisblack", metadata=None)
    write_htd(tmp_path, "PLATE")
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DAPI", "Texas Red, bright")
    assert acquisition.planes["page"].tolist() == [0, 1, 0, 1]


def test_the_description_names_the_channels_and_places_the_fields(tmp_path: Path) -> None:
    for well in WELLS:
        for site, x_um in ((1, 100.0), (2, 103.5)):
            for wave in (1, 2):
                write_described(tmp_path / f"P-1_{well}_s{site}_w{wave}.TIF", f"setting {wave}", x_um)
    acquisition = read_plate(write_htd(tmp_path))
    assert acquisition.channels == ("DAPI", "Texas Red, bright")
    assert acquisition.pixel_size_um == 0.5
    assert acquisition.problems == ()
    assert acquisition.positions is not None
    columns = acquisition.positions[["well", "field", "x_um", "y_um"]].to_numpy().tolist()
    assert columns[:2] == [["B02", 1, -1.75, 0.0], ["B02", 2, 1.75, 0.0]]


def test_fields_of_a_selection_are_numbered_over_those_taken(tmp_path: Path) -> None:
    sites = {
        "XSites": "3",
        "YSites": "2",
        "SiteSelection1": "FALSE, TRUE, FALSE",
        "SiteSelection2": "TRUE, FALSE, TRUE",
    }
    for site in (1, 2, 3):
        write_described(tmp_path / f"P-1_B02_s{site}_w1.TIF", "DAPI")
    acquisition = read_plate(write_htd(tmp_path, **sites))
    assert acquisition.positions is not None  # the stage did not move: fields of 8 pixels of 0.5 µm lie side by side
    assert acquisition.positions[["x_um", "y_um"]].to_numpy().tolist() == [[0.0, -2.0], [-4.0, 2.0], [4.0, 2.0]]


def test_headers_name_the_channels_where_there_is_no_description(tmp_path: Path) -> None:
    for wave, name in ((1, "DAPI"), (2, "Cy5 &amp; co"), (3, "DAPI")):
        write_described(tmp_path / f"P_B02_s1_w{wave}.TIF", name)
    assert read_plate(tmp_path).channels == ("DAPI w1", "Cy5 & co", "DAPI w3")


def test_one_header_per_channel_is_opened_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "P-1", raw(waves=(1, 2, 3)))
    opened: list[object] = []
    open_tiff = tifffile.TiffFile
    monkeypatch.setattr(tifffile, "TiffFile", lambda path: opened.append(path) or open_tiff(path))
    read_plate(tmp_path / "P-1")
    assert len(opened) == 3


@pytest.mark.parametrize("content", [b"", b"II*\x00\xff\xff\xff\x7f", b"not a TIFF"])
def test_a_header_that_cannot_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    for name in raw():
        (tmp_path / name).write_bytes(content)
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, acquisition.pixel_size_um) == (("w1", "w2"), None)


def test_what_the_description_speaks_of_and_is_not_there_is_told(tmp_path: Path) -> None:
    write_images(tmp_path, ["P-1_B02_s1_w1.TIF", "P-1_B02_s2_w1.TIF"])
    problems = read_plate(write_htd(tmp_path)).problems
    assert problems == (
        "P-1: P-1.HTD speaks of channel Texas Red, bright (w2), 1 well(s), such as C11; there are no images.",
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(256)) * 9, id="binary"),
        pytest.param(b'"HTSInfoFile", Version 1.0\r\n"XSites", 99999999999999\r\n"SiteSelection1"', id="huge"),
        pytest.param(b'"HTSInfoFile", Version 1.0\r\n"XSites", -3\r\n"YSites", x\r\n"WaveName1"\r\n', id="garbled"),
        pytest.param(b'"HTSInfoFile", Version 1.0\r\n' + b"x" * (1 << 21), id="too large"),
    ],
)
def test_a_description_that_cannot_be_read_is_done_without(tmp_path: Path, content: bytes) -> None:
    write_images(tmp_path, ["P-1_B02_s1_w1.TIF", "P-1_B02_s2_w1.TIF"])
    (tmp_path / "P-1.HTD").write_bytes(content)
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, acquisition.positions) == (("w1",), None)


def test_a_description_is_latin_and_knows_commas_in_names(tmp_path: Path) -> None:
    description = read_htd(write_htd(tmp_path, WaveName1='"5µm, left"') / "P-1.HTD")
    assert description is not None
    assert description.wave_names == {1: "5µm, left", 2: "Texas Red, bright"}
    assert description.wells == {"B02", "C11"}


def test_a_step_beyond_any_stack_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path, ["ZStep_99999999999/P_B02_s1_w1.TIF"])
    with pytest.raises(LayoutError, match="Rename the folder"):
        read_plate(tmp_path)


def test_two_files_of_one_plane_are_refused(tmp_path: Path) -> None:
    names = [f"P_B02_s1_w1{guid(number)}.tif" for number in (1, 2)]
    with pytest.raises(LayoutError, match="the same image plane"):
        read_plate(write_images(tmp_path, names))


def test_the_real_raw_folders(real_data: Path) -> None:
    acquisition = read_plate(real_data / "imagexpress")
    assert [doubt.kind for doubt in acquisition.doubts] == ["ragged channels"]  # one of the two plates has only w1
    assert acquisition.summary() | {"problems": list(acquisition.problems)} == {
        "layout": "metaxpress",
        "plates": ["Projection-Mix", "SingleChannel"],
        "wells": 4,
        "fields": 8,
        "channels": ["FITC_05 w1", "FITC_05 w2", "FITC_05 w3", "FITC_05 w4"],
        "planes": 108,
        "pixel_size_um": 1.3668,
        "problems": [],
    }
    planes = acquisition.planes[acquisition.planes["plate"] == "Projection-Mix"]
    assert sorted(planes["well"].unique()) == ["E07", "E08"]
    stacks = planes.groupby("channel")["z"].agg(lambda z: sorted(set(z))).tolist()
    assert stacks == [[PROJECTION, *range(1, 11)], [PROJECTION, *range(1, 11)], [PROJECTION], [1]]
    alone = acquisition.planes[acquisition.planes["plate"] == "SingleChannel"]
    assert sorted(set(alone["z"])) == [PROJECTION, 1, 2]
    assert set(alone["channel"]) == {0}


def test_the_real_export(real_data: Path) -> None:
    acquisition = read_plate(real_data / "imagexpress_exported")
    assert acquisition.summary() == {
        "layout": "metaxpress",
        "plates": ["9987"],
        "wells": 2,
        "fields": 4,
        "channels": ["DAPI", "FITC", "Texas Red"],
        "planes": 36,
        "pixel_size_um": 1.3672,
        "problems": ["9987: 9987.HTD speaks of channel Cy5 (w4), z-planes after 2 (of 3); there are no images."],
    }
    assert acquisition.wells["well"].tolist() == ["B02", "B03"]
    assert z_of(acquisition) == [PROJECTION, 1, 2]
    assert acquisition.positions is not None  # the headers say 22985 and 23300
    assert acquisition.positions["x_um"].tolist() == [-157.5, 157.5, -157.5, 157.5]
