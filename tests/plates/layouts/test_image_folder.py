"""Images without wells: plain folders, a folder for each class, label images beside, coloured and grey ones."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.tiny_plates import write_images

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import Acquisition, FieldKey
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLOURS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)


def kinds(acquisition: Acquisition) -> set[str]:
    return {doubt.kind for doubt in acquisition.doubts}


def names_of(acquisition: Acquisition) -> list[tuple[str, ...]]:
    assert acquisition.plate_map is not None
    return list(acquisition.plate_map.itertuples(index=False, name=None))


def test_every_image_of_a_plain_folder_is_a_numbered_field_in_the_order_of_people(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path / "cells", ["image_10.tif", "image_2.tif", "image_1.tif"]))
    assert acquisition.layout == "image-folder"
    assert acquisition.fields == [FieldKey("cells", "", n) for n in (1, 2, 3)]
    assert acquisition.planes["path"].tolist() == ["image_1.tif", "image_2.tif", "image_10.tif"]
    assert names_of(acquisition) == [("cells", "", n, f"image_{m}") for n, m in ((1, 1), (2, 2), (3, 10))]
    assert acquisition.doubts == ()


def test_a_folder_for_each_class_gives_class_names(tmp_path: Path) -> None:
    names = [f"{name}/A01_c{i}.png" for name in ("mitosis", "interphase") for i in (1, 2)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GREY).save(tmp_path / name)
    acquisition = read_plate(tmp_path, layout="image-folder")
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["class_name"].tolist() == ["interphase"] * 2 + ["mitosis"] * 2
    assert acquisition.plate_map["image_name"].tolist() == ["A01_c1", "A01_c2"] * 2
    assert acquisition.fields == [FieldKey(tmp_path.name, "", n) for n in (1, 2, 3, 4)]


def test_classes_within_train_and_test_are_plates_of_that_name(tmp_path: Path) -> None:
    names = [f"{part}/{name}/x{i}.tif" for part in ("train", "test") for name in ("yes", "no") for i in (1, 2)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.plates == ["test", "train"]
    assert acquisition.plate_map is not None
    assert set(acquisition.plate_map["class_name"]) == {"yes", "no"}
    assert [key.field for key in acquisition.fields] == [1, 2, 3, 4] * 2


def test_crops_that_are_called_by_their_wells_in_folders_of_classes_are_asked_about(tmp_path: Path) -> None:
    crops = [f"{well}_cell{i:03d}.tif" for well in ("A01", "B02") for i in range(3)]
    names = [f"{name}/{crop}" for name in ("mitosis", "other") for crop in crops]
    acquisition = read_plate(write_images(tmp_path, names))
    assert (acquisition.layout, len(acquisition.fields)) == ("image-folder", 12)
    assert kinds(acquisition) == {"no wells"}
    assert "as classes" in acquisition.doubts[0].question


def test_plates_that_are_called_by_words_are_asked_about(tmp_path: Path) -> None:
    images = [f"{well}_{dye}.tif" for well in ("A01", "B02") for dye in ("DAPI", "GFP")]
    names = [f"{plate}/{image}" for plate in ("treated", "control") for image in images]
    acquisition = read_plate(write_images(tmp_path, names))
    assert (acquisition.plates, acquisition.channels) == (["control", "treated"], ("DAPI", "GFP"))
    assert kinds(acquisition) == {"folders"}


def test_wells_in_a_part_of_the_names_are_asked_about(tmp_path: Path) -> None:
    names = [f"{well}.tif" for well in ("A01", "B02", "C03")] + [f"note_{i}_x_y.tif" for i in range(3)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert acquisition.layout == "image-folder"
    assert "no wells" in kinds(acquisition)


def test_the_real_crops_are_2183_fields_of_16_classes(real_data: Path) -> None:
    acquisition = read_plate(real_data / "mitocheck_crops")
    assert (acquisition.layout, len(acquisition.plates)) == ("image-folder", 45)
    assert (len(acquisition.fields), len(acquisition.planes), acquisition.channels) == (2183, 2183, ("Channel1",))
    assert set(acquisition.planes["well"]) == {""}
    assert acquisition.plate_map is not None
    counts = acquisition.plate_map["class_name"].value_counts()
    assert (len(counts), counts.sum()) == (16, 2183)
    for name, n in counts.items():
        assert len(list((real_data / "mitocheck_crops" / str(name)).iterdir())) == n
    assert kinds(acquisition) == {"plates in names"}


def test_real_masks_beside_real_images_are_label_images_not_images(real_data: Path) -> None:
    acquisition = read_plate(real_data / "dsb2018")
    assert (acquisition.plates, len(acquisition.fields), acquisition.channels) == (["dsb2018"], 475, ("Channel1",))
    assert acquisition.planes["path"].str.startswith("images/").all()
    labels = acquisition.label_images
    assert labels is not None
    assert len(labels) == 475
    assert acquisition.plate_map is not None
    names = dict(zip(acquisition.plate_map["field"], acquisition.plate_map["image_name"], strict=True))
    assert all(path == f"masks/{names[field]}.tif" for field, path in zip(labels["field"], labels["path"], strict=True))
    assert "mixed images" in kinds(acquisition)  # three of them are stained with haematoxylin and eosin


def test_grey_images_with_three_equal_colours_are_grey(tmp_path: Path) -> None:
    for i, mode in enumerate(("RGBA", "RGB", "L")):
        Image.fromarray(GREY).convert(mode).save(tmp_path / f"{i}.png")
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, acquisition.doubts) == (("Channel1",), ())
    for plane in acquisition.planes.itertuples():
        assert np.array_equal(read_plane(tmp_path / str(plane.path), 0, int(str(plane.sample))), GREY)


def test_coloured_images_have_three_channels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(COLOURS).save(tmp_path / name)
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("red", "green", "blue")
    key = acquisition.fields[1]
    planes = acquisition.planes[acquisition.planes["field"] == 2]
    assert np.array_equal(read_field(tmp_path, planes, acquisition.channels, key), np.moveaxis(COLOURS, 2, 0))


@pytest.mark.parametrize("first", ["grey", "coloured"])
def test_grey_and_coloured_images_together_are_asked_about_and_never_read_as_each_other(
    tmp_path: Path, first: str
) -> None:
    for i in range(100):
        coloured = (i == 57) == (first == "grey")
        Image.fromarray(COLOURS if coloured else GREY).save(tmp_path / f"{i}.png")
    acquisition = read_plate(tmp_path)
    assert "mixed images" in kinds(acquisition)
    if first == "grey":
        with pytest.raises(ImageReadError, match="a grey image was expected"):
            read_plane(tmp_path / "57.png")


def test_as_many_numbers_as_a_plate_has_wells_are_asked_about(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path, [f"image_{i:03d}.tif" for i in range(1, 97)]))
    assert (acquisition.layout, len(acquisition.fields)) == ("image-folder", 96)
    assert kinds(acquisition) == {"numbered wells"}


@pytest.mark.parametrize(
    ("template", "channels"),
    [
        ("Series{s:03d}_z{z:02d}_ch{c:02d}.tif", ("ch00", "ch01")),
        ("seq0000xy{s:02d}z{z}c{c}.tif", ("c0", "c1")),
        ("img_channel{c:03d}_position{s:03d}_time000000000_z{z:03d}.tif", ("channel000", "channel001")),
    ],
)
def test_channels_that_names_spell_out_belong_to_one_image(
    tmp_path: Path, template: str, channels: tuple[str, ...]
) -> None:
    names = [template.format(s=s, z=z, c=c) for s in range(4) for z in range(3) for c in range(2)]
    acquisition = read_plate(write_images(tmp_path, names))
    assert (len(acquisition.fields), acquisition.channels) == (4, channels)
    assert sorted(set(acquisition.planes["z"])) == [1, 2, 3]
    assert kinds(acquisition) == {"no wells"}


def test_channels_of_which_many_images_lack_some_stay_images_of_their_own(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path, [f"cell{i}_c{1 + i % 2}.tif" for i in range(10)]))
    assert len(acquisition.fields) == 10


def test_images_of_different_sizes_are_read_as_they_are(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.tif"], size_px=8)
    write_images(tmp_path, ["b.tif"], size_px=12)
    acquisition = read_plate(tmp_path)
    shapes = [read_plane(tmp_path / path).shape for path in acquisition.planes["path"]]
    assert shapes == [(8, 8), (12, 12)]


def test_masks_alone_are_images(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path / "masks", ["a.tif", "b.tif"]))
    assert (len(acquisition.fields), acquisition.label_images) == (2, None)


def test_masks_of_other_names_are_left_out_and_told_of(tmp_path: Path) -> None:
    acquisition = read_plate(write_images(tmp_path, ["images/a.tif", "images/b.tif", "masks/other.tif"]))
    assert (len(acquisition.fields), acquisition.label_images) == (2, None)
    assert "masks/other.tif: they were left out" in acquisition.problems[0]


# OME-TIFF with several images, and sets of files

STACK = np.random.default_rng(0).integers(0, 4096, (2, 6, 7), dtype=np.uint16)
_PIXELS = '<Pixels DimensionOrder="XYCZT" SizeX="7" SizeY="6" SizeC="{c}" SizeZ="1" SizeT="1" Type="uint16">'


def ome(images: list[str], more: str = "", n_channels: int = 1) -> str:
    told = "".join(
        f'<Image ID="Image:{i}" Name="image {i}">{_PIXELS.format(c=n_channels)}{blocks}</Pixels></Image>'
        for i, blocks in enumerate(images)
    )
    return f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{told}{more}</OME>'


def test_a_plate_inside_one_ome_tiff_has_its_wells(tmp_path: Path) -> None:
    wells = "".join(
        f'<Well ID="W:{i}" Row="{i}" Column="{i + 1}"><WellSample><ImageRef ID="Image:{i}"/></WellSample></Well>'
        for i in (0, 1)
    )
    xml = ome(['<TiffData IFD="0"/>', '<TiffData IFD="1"/>'], f'<Plate ID="Plate:0">{wells}</Plate>')
    tifffile.imwrite(tmp_path / "all.ome.tif", STACK, photometric="minisblack", metadata=None, description=xml)
    acquisition = read_plate(tmp_path)
    assert [key.well for key in acquisition.fields] == ["A02", "B03"]
    assert acquisition.planes["page"].tolist() == [0, 1]


def test_several_images_inside_one_ome_tiff_are_fields(tmp_path: Path) -> None:
    xml = ome(['<TiffData IFD="0"/>', '<TiffData IFD="1"/>'])
    tifffile.imwrite(tmp_path / "all.ome.tif", STACK, photometric="minisblack", metadata=None, description=xml)
    acquisition = read_plate(tmp_path)
    assert [key.field for key in acquisition.fields] == [1, 2]
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["scene_name"].tolist() == ["image 0", "image 1"]


def write_set(folder: Path, names: tuple[str, str]) -> None:
    blocks = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:{name}</UUID></TiffData>'
        for c, name in enumerate(names)
    )
    for c, name in enumerate(names):
        tifffile.imwrite(folder / name, STACK[c], metadata=None, description=ome([blocks], n_channels=2))


def test_a_set_of_ome_tiff_files_is_one_image(tmp_path: Path) -> None:
    write_set(tmp_path, ("one x.ome.tif", "one y.ome.tif"))
    write_set(tmp_path, ("two x.ome.tif", "two y.ome.tif"))
    acquisition = read_plate(tmp_path, layout="image-folder")
    assert len(acquisition.fields) == 2
    first = acquisition.planes[acquisition.planes["field"] == 1]
    assert first["path"].tolist() == ["one x.ome.tif", "one y.ome.tif"]


def test_a_set_with_a_channel_for_each_file_and_wells_is_read_right(tmp_path: Path) -> None:
    for well in ("A01", "B02"):
        write_set(tmp_path, (f"{well}_c0.ome.tif", f"{well}_c1.ome.tif"))
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("c0", "c1")
    assert acquisition.planes["path"].tolist() == [f"{w}_c{c}.ome.tif" for w in ("A01", "B02") for c in (0, 1)]
    for plane in acquisition.planes.itertuples():
        assert np.array_equal(
            read_plane(tmp_path / str(plane.path), int(str(plane.page))), STACK[int(str(plane.channel))]
        )


def test_an_ome_tiff_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_set(tmp_path / "in", ("a.ome.tif", "b.ome.tif"))
    text = (tmp_path / "in" / "a.ome.tif").read_bytes().replace(b'"b.ome.tif"', b'"../b.tif" ')
    (tmp_path / "in" / "a.ome.tif").write_bytes(text)
    with pytest.raises(LayoutError, match="outside its folder: refused"):
        read_plate(tmp_path / "in")


# What is no folder of images


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="it is empty"):
        read_plate(tmp_path)


def test_renamed_files_are_named(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_text("well,compound\n")
    with pytest.raises(ImageReadError, match=r"\.tif: the file is damaged"):
        read_plate(tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_unrelated_files_are_told_of_at_once(tmp_path: Path) -> None:
    for i in range(100_000):
        (tmp_path / f"{i}.dat").touch()
    start = time.process_time()
    with pytest.raises(LayoutError, match=r"no images found; the first files are 0\.dat"):
        read_plate(tmp_path)
    assert time.process_time() - start < 2


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the rights of this user cannot be taken away")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_images(tmp_path / "locked", ["a.tif"])
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(LayoutError, match="locked: cannot be listed"):
            read_plate(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
