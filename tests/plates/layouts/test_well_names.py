"""Names of no particular microscope: every one is read right, or a person is asked."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.name_meanings import Meanings, read_meanings
from cellvote.plates.wells import parse_well

ROWS, COLUMNS = "ABCD", range(1, 13)
PLATE = [(row, column) for row in ROWS for column in COLUMNS]
WELLS = [f"{row}{column:02d}" for row, column in PLATE]


def meanings_of(names: Sequence[str]) -> Meanings:
    meanings = read_meanings(names)
    assert meanings is not None
    return meanings


def kinds(acquisition: Acquisition) -> set[str]:
    return {doubt.kind for doubt in acquisition.doubts}


def read_names(tmp_path: Path, names: Iterable[str]) -> Acquisition:
    acquisition = read_plate(write_images(tmp_path / "plate", names))
    assert acquisition.layout == "well-names"
    return acquisition


SPELLED = {
    "prefix_{w}_s{f}_w{c}.tif": ("w1", "w2"),
    "{w}-f{f}-ch{c}.png": ("ch1", "ch2"),
    "{w}f{f}c{c}.tif": ("c1", "c2"),
    "{w}_{f}_{dye}.tif": ("DAPI", "GFP"),
    "plate_{w}_f{f}_{dye}.png": ("DAPI", "GFP"),
    "{w}-{f}-{dye}.tiff": ("DAPI", "GFP"),
    "Well{w}_Point{w}_{f:04d}_Channel{dye}_Seq{i:04d}.tif": ("DAPI", "GFP"),
    "20240101_{w}_t1_z1_f{f}_c{c}.tif": ("c1", "c2"),
    "Well {w} Field {f} Channel {c}.tif": ("Channel1", "Channel2"),
    "{w}/Site_{f}/{dye}.tif": ("DAPI", "GFP"),
    "{dye}/{w}_site{f}.tif": ("DAPI", "GFP"),
    "r{r:02d}c{k:02d}f{f:02d}_{long_dye}.tif": ("Alexa 488", "Hoechst 33342"),
    "row{r}_col{k}_f{f}_ch{c}.tif": ("ch1", "ch2"),
    "scan_R_p1_z1_0_{w}f{f:02d}d{c}.tif": ("d1", "d2"),
    "{k:02d}{row}_f{f}_{dye}.tif": ("DAPI", "GFP"),
    "{k}-{row}-f{f}-{dye}.tif": ("DAPI", "GFP"),
}


@pytest.mark.parametrize("template", SPELLED)
def test_names_that_spell_it_out_are_read_without_a_doubt(template: str) -> None:
    names, truth = [], []
    for i, ((row, k), f, c) in enumerate(product(PLATE, (1, 2), (1, 2))):
        dye, long_dye = ("DAPI", "GFP")[c - 1], ("Alexa-488", "Hoechst 33342")[c - 1]
        w = f"{row}{k:02d}"
        known = {"w": w, "row": row, "k": k, "r": ord(row) - 64, "f": f, "c": c, "dye": dye, "long_dye": long_dye}
        names.append(template.format(i=i, **known))
        truth.append((w, f, SPELLED[template][c - 1]))
    meanings = meanings_of(names)
    told = [meanings.told[name].texts.tolist() for name in ("well", "field", "channel")]
    assert [(w, int(f), c) for w, f, c in zip(*told, strict=True)] == truth
    assert meanings.doubts == []


WELL_SPELLINGS = ("{0}{1:02d}", "{0}{1}", "{1:02d}{0}", "{1}{0}", "{0}-{1:02d}", "{1:02d}-{0}", "{0}_{1}", "{1}_{0}")
CHANNELS = (("Channel1", "Channel2"), ("ch0", "ch1"), ("w1", "w2"), ("DAPI", "GFP"), ("1", "2"), ("01", "02"))


@settings(max_examples=50)
@given(
    well=st.sampled_from(WELL_SPELLINGS),
    channels=st.sampled_from(CHANNELS),
    field=st.sampled_from(["s{}", "f{:02d}", "site{}", "{}", "{:03d}", "p{}", ""]),
    running=st.sampled_from(["{:02d}", "{:04d}", ""]),
    prefix=st.sampled_from(["", "exp", "Plate1", "20240101", "BR00117", "10X"]),
    separator=st.sampled_from("_- "),
    order=st.permutations("wcfr"),
)
def test_in_whatever_order_wells_are_right_or_a_person_is_asked(
    well: str, channels: tuple[str, str], field: str, running: str, prefix: str, separator: str, order: list[str]
) -> None:
    names: dict[str, tuple[str, int]] = {}
    for c, (i, (row, column)), f in product((0, 1), enumerate(PLATE, start=1), (1, 2) if field else (1,)):
        parts = {"w": well.format(row, column), "c": channels[c], "f": field.format(f), "r": running.format(i)}
        name = separator.join(part for part in [prefix, *(parts[o] for o in order)] if part) + ".tif"
        names[name] = (f"{row}{column:02d}", c)
    assume(len(names) == 2 * len(PLATE) * (2 if field else 1))
    meanings = meanings_of(list(names))
    if meanings.doubts:
        return
    read = dict(zip(meanings.paths, meanings.told["well"].texts, strict=True))
    assert read == {name: truth for name, (truth, _) in names.items()}
    of_channel = zip(meanings.told["channel"].texts, (names[path][1] for path in meanings.paths), strict=True)
    assert len(set(of_channel)) == 2


PERMUTED = ("{k:02d}{row}-{channel}", "{channel}_{row}_{k}", "{k}-{row}-{i:02d}-{channel}", "{channel}{row}{k:02d}")


@pytest.mark.parametrize("template", PERMUTED[:3])
def test_the_real_plate_of_96_files_keeps_its_48_wells_whatever_its_files_are_called(
    tmp_path: Path, real_data: Path, template: str
) -> None:
    original = read_plate(real_data / "sbs_bbbc013").planes
    expected = []
    for i, plane in enumerate(original.itertuples()):
        row, k, channel = str(plane.well)[0], int(str(plane.well)[1:]), f"Channel{int(str(plane.channel)) + 1}"
        name = template.format(row=row, k=k, channel=channel, i=i // 2 + 1) + ".tif"
        (tmp_path / name).symlink_to(real_data / "sbs_bbbc013" / str(plane.path))
        expected.append((plane.well, channel, name))
    acquisition = read_plate(tmp_path)
    planes = acquisition.planes
    names = [acquisition.channels[channel] for channel in planes["channel"]]
    assert sorted(zip(planes["well"], names, planes["path"], strict=True)) == sorted(expected)
    assert acquisition.doubts == ()


def test_two_parts_that_look_like_wells_are_asked_about(tmp_path: Path) -> None:
    names = [f"{first}_{second}.tif" for first in ("A01", "A02", "B01") for second in ("C05", "D06")]
    acquisition = read_names(tmp_path, names)
    assert acquisition.wells["well"].tolist() == ["A01", "A02", "B01"]
    assert "two wells" in kinds(acquisition)
    assert any("A01_C05.tif is well A01" in str(doubt) for doubt in acquisition.doubts)


def test_a_number_that_may_be_field_or_channel_is_asked_about(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"{well}_{n}.tif" for well in ("A01", "B02") for n in (1, 2, 3)])
    assert [key.field for key in acquisition.fields] == [1, 2, 3, 1, 2, 3]
    assert kinds(acquisition) == {"field or channel"}


def test_two_bare_numbers_are_asked_about(tmp_path: Path) -> None:
    names = [f"{w}_{f}_{c}.tif" for w in ("A01", "B02") for f in (1, 2, 3) for c in (1, 2)]
    acquisition = read_names(tmp_path, names)
    assert (len(acquisition.fields), acquisition.channels) == (6, ("1", "2"))
    assert kinds(acquisition) == {"unnamed numbers"}


def test_a_treatment_in_the_name_is_no_channel(tmp_path: Path) -> None:
    names = [f"{well}_{treatment}.tif" for well, treatment in zip(WELLS, ["DMSO", "taxol"] * 24, strict=True)]
    acquisition = read_names(tmp_path, names)
    assert acquisition.channels == ("Channel1",)
    assert kinds(acquisition) == {"note on the well"}


def test_a_text_that_is_no_dye_is_read_as_a_channel_and_asked_about(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"{well}_{side}.tif" for well in WELLS for side in ("left", "right")])
    assert acquisition.channels == ("left", "right")
    assert kinds(acquisition) == {"channel names"}


def test_many_files_in_one_well_are_asked_about(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"A01-f{f}-ch1.tif" for f in range(1, 13)])
    assert kinds(acquisition) == {"one well"}


def test_more_than_eight_channels_are_asked_about(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"{well}-ch{c}.tif" for well in ("A01", "B02") for c in range(1, 11)])
    assert kinds(acquisition) == {"many channels"}


def test_wells_that_may_be_channels_or_fields_are_asked_about(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"C0{c}_F0{f}.tif" for c in (1, 2, 3) for f in (1, 2)])
    assert "well or field" in kinds(acquisition)


@pytest.mark.parametrize("name", ["s1_w1_{}.tif", "c{}_t1.tif", "image_{}.tif", "10X_{}.tif", "fig2D_{}.tif"])
def test_letters_with_a_number_that_mean_something_else_are_no_wells(name: str) -> None:
    assert read_meanings([name.format(i) for i in range(1, 13)]) is None


def test_the_dye_that_all_names_hold_is_the_one_channel(tmp_path: Path) -> None:
    acquisition = read_names(tmp_path, [f"screen_{well}_DAPI.tif" for well in ("A01", "A02", "B02")])
    assert (acquisition.channels, acquisition.doubts) == (("DAPI",), ())


def test_plates_are_told_by_the_names_or_the_folders(tmp_path: Path) -> None:
    by_name = [f"plate{p}_{well}_f{f}.tif" for p in (1, 2) for well in ("A01", "B02") for f in (1, 2)]
    assert read_plate(write_images(tmp_path / "a", by_name)).plates == ["plate1", "plate2"]
    names = [f"images/exp_{well}_{dye}.tif" for well in ("A01", "B02") for dye in ("DAPI", "GFP")]
    by_folder = [f"Plate_{p}/{name}" for p in (1, 2) for name in names]
    assert read_plate(write_images(tmp_path / "b", by_folder)).plates == ["Plate_1", "Plate_2"]
    by_well = [f"KD7/{well}/s{f}_{dye}.tif" for well in ("A01", "B02") for f in (1, 2) for dye in ("DAPI", "GFP")]
    acquisition = read_plate(write_images(tmp_path / "c", by_well))
    assert (acquisition.plates, len(acquisition.fields)) == (["KD7"], 4)


def test_fields_and_z_planes_that_start_at_zero_are_shifted(tmp_path: Path) -> None:
    names = [f"{w}_f{f}_z{z}_t{t}.tif" for w in ("A01", "B02") for f, z, t in product((0, 1), repeat=3)]
    planes = read_names(tmp_path, names).planes
    assert {name: sorted(set(planes[name])) for name in ("field", "z", "timepoint")} == {
        "field": [1, 2],
        "z": [1, 2],
        "timepoint": [0, 1],
    }


def test_overlays_and_masks_beside_the_images_are_no_planes(tmp_path: Path) -> None:
    names = [f"{well}_{dye}.tif" for well in ("A01", "B02") for dye in ("DAPI", "GFP")]
    acquisition = read_names(tmp_path, [*names, "A01_DAPI_Overlay.png", "masks/A01_DAPI.tif", "thumbs/A01_DAPI.tif"])
    assert acquisition.planes["path"].tolist() == names
    assert acquisition.problems == ()


def test_images_of_another_name_are_left_out_and_told_of(tmp_path: Path) -> None:
    names = [f"{well}_{dye}.tif" for well in WELLS for dye in ("DAPI", "GFP")]
    acquisition = read_names(tmp_path, [*names, "overview.tif"])
    assert "1 image(s) have another kind of name" in acquisition.problems[0]


def test_a_forced_layout_says_that_there_are_no_wells(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no wells are found in names such as image_1\.tif"):
        read_plate(write_images(tmp_path, ["image_1.tif", "image_2.tif"]), layout="well-names")


# Files that hold several planes

STACK = np.random.default_rng(0).integers(0, 4096, (2, 3, 8, 9), dtype=np.uint16)


@pytest.mark.parametrize(
    "names",
    [
        ("A01.ome.tif", "B12.ome.tif"),
        ("01A.ome.tif", "12B.ome.tif"),
        ("plate1_A01_f2.ome.tiff", "plate1_B12_f2.ome.tiff"),
        ("01-A.ome.tif", "12-B.ome.tif"),
    ],
)
def test_an_ome_tiff_for_each_well_tells_its_channels(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP", "Cy5"]}, "PhysicalSizeX": 0.65}
        tifffile.imwrite(tmp_path / name, STACK, metadata=metadata)
    acquisition = read_plate(tmp_path)
    assert acquisition.wells["well"].tolist() == ["A01", "B12"]
    assert (acquisition.channels, acquisition.pixel_size_um) == (("DAPI", "GFP", "Cy5"), 0.65)
    assert len(acquisition.planes) == 2 * 6
    key = acquisition.fields[0]
    planes = acquisition.planes[acquisition.planes["well"] == "A01"]
    image = read_field(acquisition.source, planes, acquisition.channels, key)
    assert np.array_equal(image, STACK.max(axis=0))


def test_a_pattern_that_tells_no_channel_takes_those_inside_the_files(tmp_path: Path) -> None:
    metadata = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP", "Cy5"]}, "PhysicalSizeX": 0.65}
    tifffile.imwrite(tmp_path / "x7y3.ome.tif", STACK, metadata=metadata)
    acquisition = read_plate(tmp_path, pattern=r"x(?P<row>\d)y(?P<column>\d)\.ome\.tif")
    assert (acquisition.channels, acquisition.pixel_size_um) == (("DAPI", "GFP", "Cy5"), 0.65)
    assert acquisition.wells["well"].tolist() == ["G03"]
    assert sorted(set(acquisition.planes["z"])) == [1, 2]


def test_plain_pages_are_channels_where_the_names_tell_none(tmp_path: Path) -> None:
    for name in ("01A.tif", "02A.tif", "01B.tif"):
        tifffile.imwrite(tmp_path / name, STACK[0], photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path)
    assert acquisition.wells["well"].tolist() == ["A01", "A02", "B01"]
    assert acquisition.channels == ("Channel1", "Channel2", "Channel3")


def test_plain_pages_are_z_planes_where_the_names_tell_the_channel_and_a_person_is_asked(tmp_path: Path) -> None:
    for name in ("A01_DAPI.tif", "A01_GFP.tif", "B01_DAPI.tif", "B01_GFP.tif"):
        tifffile.imwrite(tmp_path / name, STACK[0], photometric="minisblack", metadata=None)
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DAPI", "GFP")
    assert sorted(set(acquisition.planes["z"])) == [1, 2, 3]
    assert kinds(acquisition) == {"pages"}


def test_channels_inside_a_file_that_the_names_do_not_know_are_told_of(tmp_path: Path) -> None:
    for name in ("A01_DAPI.ome.tif", "A01_GFP.ome.tif"):
        tifffile.imwrite(tmp_path / name, STACK[0], metadata={"axes": "CYX"})
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, len(acquisition.planes)) == (("DAPI", "GFP"), 2)
    assert "only the first of them is read" in acquisition.problems[0]


def test_a_coloured_picture_of_each_well_has_three_channels(tmp_path: Path) -> None:
    for name in ("A01.tif", "A02.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("red", "green", "blue")
    assert acquisition.planes["sample"].tolist() == [1, 2, 3] * 2


def test_a_damaged_first_file_is_told_of_and_the_next_is_asked(tmp_path: Path) -> None:
    for name in ("A01.tif", "A02.tif", "B01.tif"):
        tifffile.imwrite(tmp_path / name, STACK[0], photometric="minisblack", metadata=None)
    (tmp_path / "A01.tif").write_bytes(b"")
    acquisition = read_plate(tmp_path)
    assert len(acquisition.channels) == 3
    assert "A01.tif" in acquisition.problems[0]


@given(st.lists(st.sampled_from(WELLS), min_size=2, max_size=20, unique=True), st.booleans())
def test_any_choice_of_wells_is_read_as_it_is(wells: list[str], column_first: bool) -> None:
    names = [f"{well[1:]}{well[0]}.tif" if column_first else f"{well}.tif" for well in wells]
    meanings = read_meanings(names)
    assume(meanings is not None)  # of F, C, S and the like alone nobody can say
    if meanings is not None and not meanings.doubts:
        assert [parse_well(str(well)) for well in meanings.told["well"].texts] == wells
