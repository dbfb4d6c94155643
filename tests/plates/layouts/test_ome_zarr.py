"""OME-Zarr: what the metadata say is what is read, and what is not there is told."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny_plates import operetta_names, write_images
from tests.zarr_stores import (
    halved,
    image_attributes,
    noise,
    write_array,
    write_attributes,
    write_image,
    write_label,
    write_plate,
)

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import Acquisition, FieldKey
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane
from cellvote.plates.wells import row_letters, well_name
from cellvote.plates.zarr_planes import read_source_label

VERSIONS = pytest.mark.parametrize("ngff", ["0.4", "0.5"])


def field_of(acquisition: Acquisition, well: str, field: int = 1) -> np.ndarray:
    planes = acquisition.planes.query("well == @well and field == @field")
    return read_field(acquisition.source, planes, acquisition.channels, FieldKey(acquisition.plates[0], well, field))


@VERSIONS
def test_a_plate_is_read_with_its_wells_fields_channels_pixel_size_and_pixels(tmp_path: Path, ngff: str) -> None:
    wells = {"A/1": ["0", "1"], "B/03": ["0", "1"], "AA/12": ["0"]}
    write_plate(tmp_path / "plate.zarr", wells, ngff, channels=["DNA", "Actin"], pixel_size=0.325)
    acquisition = read_plate(tmp_path / "plate.zarr")
    assert acquisition.summary() == {
        "layout": "ome-zarr",
        "plates": ["P1"],
        "wells": 3,
        "fields": 5,
        "channels": ["DNA", "Actin"],
        "planes": 10,
        "pixel_size_um": 0.325,
        "problems": [],
    }
    assert acquisition.wells["well"].tolist() == ["A01", "AA12", "B03"]
    assert np.array_equal(field_of(acquisition, "B03", 2), noise(2, 8, 8, seed=101))


@VERSIONS
def test_plates_in_one_folder_are_one_acquisition(tmp_path: Path, ngff: str) -> None:
    for name in ("P1", "P2"):
        write_plate(tmp_path / f"{name}.ome.zarr", {"A/01": ["0"]}, ngff, name=name)
    assert read_plate(tmp_path).plates == ["P1", "P2"]


def test_plates_that_share_a_name_are_named_after_their_stores(tmp_path: Path) -> None:
    for name in ("first.zarr", "second.ome.zarr"):
        write_plate(tmp_path / name, {"A/01": ["0"]}, name="TBD")
    assert read_plate(tmp_path).plates == ["first", "second"]


def test_stores_that_share_a_name_too_are_named_after_their_places(tmp_path: Path) -> None:
    for folder in ("monday", "tuesday"):
        write_plate(tmp_path / folder / "p.zarr", {"A/01": ["0"]}, name="TBD")
    assert read_plate(tmp_path).plates == ["monday/p", "tuesday/p"]


def test_two_images_are_never_read_as_one_field(tmp_path: Path) -> None:
    write_plate(tmp_path / "first.zarr", {"A/01": ["0"]}, name="P")
    write_image(tmp_path / "P_A01.zarr", noise(2, 8, 8))
    with pytest.raises(LayoutError, match="two images are P/A01 field 1"):
        read_plate(tmp_path)


def test_a_store_is_taken_for_nothing_but_ome_zarr(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/01": ["0"]})
    with pytest.raises(LayoutError, match="no image has a name like"):
        read_plate(tmp_path, layout="operetta")
    with pytest.raises(LayoutError, match="no image has a name like"):
        read_plate(write_images(tmp_path / "tiff", operetta_names([(1, 1)])), layout="ome-zarr")


def test_images_that_lie_beside_a_store_go_first_where_their_names_are_known(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/01": ["0"]})
    assert read_plate(write_images(tmp_path, operetta_names([(1, 1)]))).layout == "operetta"


# Fields


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (["0", "1", "3"], [1, 2, 4]),
        (["1", "2", "5"], [1, 2, 5]),
        (["0", "0_mip"], [1, 2]),
        (["pos7", "pos3"], [1, 2]),
        (["0", "00"], [1, 2]),
        (["20260101", "20260102"], [1, 2]),
    ],
)
def test_fields_are_numbered_by_their_names_where_these_are_numbers(
    tmp_path: Path, names: list[str], fields: list[int]
) -> None:
    write_plate(tmp_path / "p.zarr", {"A/01": names})
    assert read_plate(tmp_path).planes["field"].drop_duplicates().tolist() == fields


def test_fields_counted_from_0_on_the_plate_are_so_in_every_well(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/01": ["0"], "A/02": ["1"]})
    assert read_plate(tmp_path).fields == [FieldKey("P1", "A01", 1), FieldKey("P1", "A02", 2)]


def test_fields_that_iohub_names_by_column_and_row_are_numbered_from_1(tmp_path: Path) -> None:
    write_plate(tmp_path / "plate.zarr", {"A/1": ["000000", "001000"], "B/2": ["001000", "001001"]}, "0.4")
    assert [key[1:] for key in read_plate(tmp_path).fields] == [("A01", 1), ("A01", 2), ("B02", 2), ("B02", 3)]


def test_the_images_of_several_acquisitions_are_numbered_on_and_that_is_told(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", {"A/01": ["0", "1"]})
    wells = {"name": "P1", "wells": [{"path": "A/01"}], "acquisitions": [{"id": 0}, {"id": 4}]}
    write_attributes(plate, {"plate": wells})
    acquisition = read_plate(tmp_path)
    assert len(acquisition.fields) == 2
    assert "2 acquisitions" in acquisition.problems[0]


def test_wells_and_images_that_are_not_there_are_told_and_left_out(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.zarr", {"A/01": ["0", "1"], "A/02": ["0"], "A/03": ["0"]})
    shutil.rmtree(plate / "A" / "02")
    shutil.rmtree(plate / "A" / "01" / "1")
    acquisition = read_plate(plate)
    assert acquisition.wells["well"].tolist() == ["A01", "A03"]
    assert "1 of 3 wells cannot be read (such as A02)" in acquisition.problems[0]
    assert "1 of 3 images cannot be read" in acquisition.problems[1]


def test_a_well_given_alone_knows_its_place(tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "P 7.zarr", {"C/04": ["0", "1"]})
    acquisition = read_plate(plate / "C" / "04")
    assert acquisition.fields == [FieldKey("P 7", "C04", 1), FieldKey("P 7", "C04", 2)]


@settings(max_examples=20)
@given(
    wells=st.dictionaries(st.tuples(st.integers(1, 32), st.integers(1, 48)), st.integers(1, 3), min_size=1, max_size=6),
    padded=st.booleans(),
    ngff=st.sampled_from(["0.4", "0.5"]),
)
def test_every_well_of_every_plate_is_found(
    tmp_path_factory: pytest.TempPathFactory, wells: dict[tuple[int, int], int], padded: bool, ngff: str
) -> None:
    folder = tmp_path_factory.mktemp("plate")
    paths = {
        f"{row_letters(row)}/{column:02d}" if padded else f"{row_letters(row)}/{column}": list(map(str, range(n)))
        for (row, column), n in wells.items()
    }
    write_plate(folder / "p.zarr", paths, ngff, shape=(1, 2, 2))
    found = {(key.well, key.field) for key in read_plate(folder).fields}
    assert found == {(well_name(*place), i) for place, n in wells.items() for i in range(1, n + 1)}


# Axes, channels, pixel sizes


@VERSIONS
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tyx", "czyx", "tcyx", "tzyx", "tczyx"])
def test_every_choice_of_axes_is_read_plane_by_plane(tmp_path: Path, axes: str, ngff: str) -> None:
    lengths = {"t": 2, "c": 3, "z": 4, "y": 6, "x": 5}
    pixels = noise(*(lengths[axis] for axis in axes))
    write_image(tmp_path / "a_A01.zarr", pixels, axes, ngff)
    acquisition = read_plate(tmp_path)
    assert len(acquisition.channels) == (3 if "c" in axes else 1)
    assert len(acquisition.planes) == np.prod(pixels.shape[:-2])
    for row in acquisition.planes.itertuples():
        place = {"t": row.timepoint - 1, "c": row.channel, "z": row.z - 1}
        expected = pixels[tuple(place[axis] for axis in axes[:-2])]
        assert np.array_equal(read_plane(tmp_path / row.path, row.page), expected)


@pytest.mark.parametrize("axes", ["xy", "cxy", "yxc", "qyx"])
def test_axes_that_are_not_read_are_named(tmp_path: Path, axes: str) -> None:
    write_image(tmp_path / "a.zarr", noise(*range(2, 2 + len(axes))), axes)
    with pytest.raises(LayoutError, match=f"has the axes {', '.join(axes)}"):
        read_plate(tmp_path)


def test_images_of_ngff_0_1_have_five_axes_and_no_pixel_size(tmp_path: Path) -> None:
    store = tmp_path / "old.zarr"
    write_attributes(store, {"multiscales": [{"version": "0.1", "datasets": [{"path": "0"}]}]})
    write_array(store / "0", noise(1, 2, 3, 8, 8))
    acquisition = read_plate(store)
    assert (len(acquisition.channels), len(acquisition.planes), acquisition.pixel_size_um) == (2, 6, None)


def test_axes_of_ngff_0_3_are_names_alone(tmp_path: Path) -> None:
    store = tmp_path / "old.zarr"
    write_attributes(store, {"multiscales": [{"axes": ["c", "y", "x"], "datasets": [{"path": "0"}]}]})
    write_array(store / "0", noise(2, 8, 8))
    assert read_plate(store).channels == ("Channel1", "Channel2")


@pytest.mark.parametrize(
    ("unit", "scale", "size_um"),
    [("nanometer", 325.0, 0.325), ("millimeter", 0.00065, 0.65), ("micrometer", 1.0, 1.0), ("parsec", 1.0, None)],
)
def test_the_pixel_size_is_given_in_micrometres(tmp_path: Path, unit: str, scale: float, size_um: float | None) -> None:
    write_image(tmp_path / "a.zarr", noise(1, 8, 8), pixel_size=scale, unit=unit)
    assert read_plate(tmp_path).pixel_size_um == size_um


def test_a_scale_of_the_whole_image_multiplies_that_of_the_level(tmp_path: Path) -> None:
    wide = [{"type": "scale", "scale": [1.0, 0.25, 0.25]}]
    store = write_image(tmp_path / "a.zarr", noise(1, 8, 8), pixel_size=2.0)
    write_attributes(store, image_attributes(pixel_size=2.0, coordinateTransformations=wide))
    assert read_plate(tmp_path).pixel_size_um == 0.5


def test_a_size_without_a_unit_is_taken_as_micrometres_and_that_is_told(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", noise(1, 8, 8), unit=None)
    acquisition = read_plate(tmp_path)
    assert acquisition.pixel_size_um == 0.5
    assert "micrometres are assumed" in acquisition.problems[0]


def test_a_scale_of_one_without_a_unit_says_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", noise(1, 8, 8), unit=None, pixel_size=1.0)
    acquisition = read_plate(tmp_path)
    assert (acquisition.pixel_size_um, acquisition.problems) == (None, ())


def test_channels_are_joined_by_their_names(tmp_path: Path) -> None:
    write_image(tmp_path / "a_A01.zarr", noise(2, 8, 8), channels=["DNA", "Actin"])
    write_image(tmp_path / "a_A02.zarr", noise(2, 8, 8, seed=1), channels=["Actin", "DNA"])
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DNA", "Actin")
    assert np.array_equal(field_of(acquisition, "A02"), noise(2, 8, 8, seed=1)[::-1])


def test_two_channels_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", noise(3, 8, 8), channels=["DAPI", "DAPI", ""])
    assert read_plate(tmp_path).channels == ("DAPI ch1", "DAPI ch2", "Channel3")


def test_garbled_channel_names_cost_no_image(tmp_path: Path) -> None:
    store = write_image(tmp_path / "a.zarr", noise(2, 8, 8))
    write_attributes(store, {**image_attributes(), "omero": {"channels": "none"}})
    assert read_plate(tmp_path).channels == ("Channel1", "Channel2")


def test_places_of_images_are_stage_positions(tmp_path: Path) -> None:
    for number, name in enumerate(("a_A01_0", "a_A01_1")):
        store = write_image(tmp_path / f"{name}.zarr", noise(1, 8, 4))
        attributes = image_attributes()
        attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"].append(
            {"type": "translation", "translation": [0, 10, 100 * number]}
        )
        write_attributes(store, attributes)
    positions = read_plate(tmp_path).positions
    assert positions is not None
    assert positions[["field", "x_um", "y_um"]].to_numpy().tolist() == [[1, 0.75, 11.75], [2, 100.75, 11.75]]


# Single images


def test_single_images_without_wells_are_numbered_and_keep_their_names(tmp_path: Path) -> None:
    for number, name in enumerate(("img10.zarr", "img2.ome.zarr")):
        write_image(tmp_path / "mine" / name, noise(1, 8, 8, seed=number))
    acquisition = read_plate(tmp_path / "mine")
    assert acquisition.fields == [FieldKey("mine", "", 1), FieldKey("mine", "", 2)]
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["image_name"].tolist() == ["img2", "img10"]


@pytest.mark.parametrize(
    ("name", "plate", "well"),
    [
        ("20260812-Cycle1_B_03_mip.zarr", "20260812-Cycle1", "B03"),
        ("P-7_C11.ome.zarr", "P-7", "C11"),
        ("A1.zarr", "mine", "A01"),
        ("A1_to_B2.zarr", "mine", ""),
        ("Cycle1.zarr", "mine", ""),
    ],
)
def test_the_well_is_read_from_the_name_of_a_store_where_it_is_plain(
    tmp_path: Path, name: str, plate: str, well: str
) -> None:
    write_image(tmp_path / "mine" / name, noise(1, 8, 8))
    assert read_plate(tmp_path / "mine").fields == [FieldKey(plate, well, 1)]


def test_wells_are_read_from_names_only_where_every_name_tells_one(tmp_path: Path) -> None:
    for name in ("x_A01.zarr", "x_A02.zarr", "overview.zarr"):
        write_image(tmp_path / name, noise(1, 8, 8))
    assert set(read_plate(tmp_path).wells["well"]) == {""}


@pytest.mark.parametrize("named", [True, False])
def test_the_series_of_bioformats2raw_are_fields(tmp_path: Path, named: bool) -> None:
    store = write_attributes(tmp_path / "scan.zarr", {"bioformats2raw.layout": 3})
    for series in range(3):
        write_image(store / str(series), noise(1, 2, 1, 8, 8, seed=series), "tczyx")
    if named:
        write_attributes(store / "OME", {"series": ["2", "0"]})
    acquisition = read_plate(store)
    assert len(acquisition.fields) == (2 if named else 3)
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["image_name"].tolist()[0] == "scan_0"


# Missing chunks


def test_an_image_without_full_resolution_is_read_coarser_and_that_is_told(tmp_path: Path) -> None:
    pixels = noise(2, 16, 16)
    store = write_image(tmp_path / "a_A01.zarr", pixels, n_levels=3, pixel_size=0.325)
    for channel in ("0", "1"):
        shutil.rmtree(store / "0" / channel)
    acquisition = read_plate(tmp_path)
    assert acquisition.pixel_size_um == 0.65
    assert "level 1 is read in its place" in acquisition.problems[0]
    assert np.array_equal(field_of(acquisition, "A01"), halved(pixels))


def test_where_only_some_images_lack_full_resolution_these_fail_and_none_is_read_coarser(tmp_path: Path) -> None:
    for name in ("a_A01.zarr", "a_A02.zarr"):
        store = write_image(tmp_path / name, noise(1, 16, 16), n_levels=2)
    shutil.rmtree(store / "0" / "0")
    acquisition = read_plate(tmp_path)
    assert acquisition.pixel_size_um == 0.5
    assert "1 image(s) hold no pixels at full resolution" in acquisition.problems[0]
    assert field_of(acquisition, "A01").shape == (1, 16, 16)
    with pytest.raises(ImageReadError, match="all of its chunks are missing"):
        field_of(acquisition, "A02")


def test_a_missing_chunk_is_told(tmp_path: Path) -> None:
    store = write_image(tmp_path / "a_A01.zarr", noise(3, 16, 16), n_levels=2)
    shutil.rmtree(store / "0" / "1")
    assert "a_A01 (1 of 3)" in read_plate(tmp_path).problems[0]


# Label images


@VERSIONS
def test_label_images_are_found_beside_the_images(tmp_path: Path, ngff: str) -> None:
    plate = write_plate(tmp_path / "p.zarr", {"A/01": ["0", "1"]}, ngff)
    cells = np.arange(64, dtype=np.uint32).reshape(8, 8)
    write_label(plate / "A" / "01" / "1", "cells", cells, ngff=ngff)
    write_label(plate / "A" / "01" / "1", "nuclei", cells[np.newaxis], "zyx", ngff=ngff)
    labels = read_plate(tmp_path).label_images
    assert labels is not None
    assert labels[["field", "name", "path", "page"]].to_numpy().tolist() == [
        [2, "cells", "p.zarr/A/01/1/labels/cells/0", 0],
        [2, "nuclei", "p.zarr/A/01/1/labels/nuclei/0", 0],
    ]
    assert all(np.array_equal(read_source_label(tmp_path / path), cells) for path in labels["path"])


def test_label_images_of_another_kind_are_told_and_left_out(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a_A01.zarr", noise(1, 8, 8))
    write_label(image, "good", np.ones((8, 8), np.int32))
    write_label(image, "real", np.ones((8, 8), np.float32))
    write_label(image, "small", np.ones((4, 4), np.int32))
    write_label(image, "stack", np.ones((5, 8, 8), np.int32), "zyx")
    acquisition = read_plate(tmp_path)
    assert acquisition.label_images is not None
    assert acquisition.label_images["name"].tolist() == ["good"]
    assert "1 image(s) have label images that were left out, such as real of a_A01" in acquisition.problems[0]


# The real store


def test_the_real_store_is_read_from_level_1(real_data: Path) -> None:
    acquisition = read_plate(real_data / "omezarr")
    store = "20200812-CardiomyocyteDifferentiation14-Cycle1_B_03_mip.zarr"
    summary = acquisition.summary()
    problems = summary.pop("problems")
    assert summary == {
        "layout": "ome-zarr",
        "plates": ["20200812-CardiomyocyteDifferentiation14-Cycle1"],
        "wells": 1,
        "fields": 1,
        "channels": ["DAPI", "nanog", "Lamin B1"],
        "planes": 3,
        "pixel_size_um": 0.65,
    }
    assert acquisition.planes["well"].unique().tolist() == ["B03"]
    assert acquisition.planes["path"].unique().tolist() == [f"{store}/1"]
    assert "level 1 is read in its place, whose pixels are 0.65 µm wide" in problems[0]
    assert "stitched" in problems[1]
    image = field_of(acquisition, "B03")
    assert (image.shape, image.dtype) == ((3, 1080, 1280), np.uint16)
    assert [int(plane.max()) for plane in image] == [1122, 1610, 1385]


def test_the_label_image_of_the_real_store_fits_level_1(real_data: Path) -> None:
    acquisition = read_plate(real_data / "omezarr")
    assert acquisition.label_images is not None
    [label] = acquisition.label_images.to_dict("records")
    assert (label["well"], label["field"], label["name"]) == ("B03", 1, "nuclei")
    labels = read_source_label(acquisition.source / label["path"], label["page"])
    assert (labels.shape, labels.dtype, len(np.unique(labels)) - 1) == ((1080, 1280), np.int32, 3006)


def test_full_resolution_of_the_real_store_is_never_read_as_black(real_data: Path) -> None:
    [store] = (real_data / "omezarr").iterdir()
    with pytest.raises(ImageReadError, match="all of its chunks are missing"):
        read_plane(store / "0")
