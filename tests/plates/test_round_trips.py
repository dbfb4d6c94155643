"""A plate written in a layout and read back is the same plate: places, pixels, and whatever else the layout holds."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvote.plates.fields import FieldReading, read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane
from cellvote.plates.wells import well_name
from cellvote.study import Study
from cellvote.synthetic import PlateSettings
from cellvote.synthetic.layout_writers import LAYOUT_WRITERS, LayoutWriter, PlateImages, simulated_images
from cellvote.synthetic.layout_writers.with_index import stage_position_um

CHANNELS = ("DAPI", "FITC", "TexasRed")


def noise(writer: LayoutWriter, wells: tuple[str, ...], n_fields: int = 2, n_z: int = 3, seed: int = 0) -> PlateImages:
    """Make a plate of noise, no two planes the same, with no more axes than the layout can hold."""
    shape = (len(wells), n_fields if writer.holds_fields else 1, len(CHANNELS), n_z if writer.holds_z else 1, 6, 7)
    pixels = np.random.default_rng(seed).integers(0, 4000, shape, dtype=np.uint16)
    return PlateImages("Screen-7", wells, CHANNELS, pixels)


def check_round_trip(writer: LayoutWriter, images: PlateImages, folder: Path) -> None:
    writer.write(images, folder)
    acquisition = read_plate(folder)
    plate = writer.plate.format(name=images.name)
    assert (acquisition.layout, acquisition.plates) == (writer.layout, [plate])
    found = acquisition.planes.set_index(["well", "field", "channel", "z"])
    assert sorted(found.index) == sorted((p.well, p.field, p.channel - 1, p.z) for p in images.places())
    for place in images.places():
        row = found.loc[(place.well, place.field, place.channel - 1, place.z)]
        read = read_plane(folder / row["path"], int(row["page"]), int(row["sample"]))
        np.testing.assert_array_equal(read, images.plane(place), err_msg=f"{place}")
    assert len(acquisition.channels) == len(images.channels)
    if writer.holds_names:
        assert acquisition.channels == images.channels
    if writer.holds_pixel_size:
        assert acquisition.pixel_size_um == pytest.approx(images.pixel_size_um)
    if writer.holds_positions:
        assert acquisition.positions is not None
        of_first = acquisition.positions[acquisition.positions["well"] == images.wells[0]].set_index("field")
        for field in range(1, images.n_fields + 1):
            assert of_first.loc[field, ["x_um", "y_um"]].tolist() == pytest.approx(stage_position_um(images, field))


@pytest.mark.parametrize("name", LAYOUT_WRITERS)
def test_a_plate_comes_back_from_every_layout(name: str, tmp_path: Path) -> None:
    writer = LAYOUT_WRITERS[name]
    check_round_trip(writer, noise(writer, ("A01", "B02", "H12")), tmp_path)


@pytest.mark.parametrize("name", LAYOUT_WRITERS)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.sets(st.tuples(st.integers(1, 16), st.integers(1, 24)), min_size=2, max_size=6),
    n_fields=st.integers(1, 4),
    n_z=st.integers(1, 3),
)
def test_any_few_wells_come_back(
    name: str, places: set[tuple[int, int]], n_fields: int, n_z: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    writer = LAYOUT_WRITERS[name]
    wells = tuple(well_name(*place) for place in sorted(places))
    check_round_trip(writer, noise(writer, wells, n_fields, n_z), tmp_path_factory.mktemp("plate"))


@pytest.mark.parametrize("name", [name for name, writer in LAYOUT_WRITERS.items() if writer.holds_fields])
def test_the_simulated_plate_is_the_same_study_in_every_layout(name: str, tmp_path: Path) -> None:
    images = simulated_images(PlateSettings(rows=1, columns=2, fields_per_well=1, field_size_px=64, cells_per_field=3))
    writer = LAYOUT_WRITERS[name]
    writer.write(images, tmp_path / "images")
    study = Study.create(tmp_path / "study", read_plate(tmp_path / "images"))
    names = study.info.channels if writer.holds_names else images.channels  # some layouts sort them
    order = [images.channels.index(channel) for channel in names]
    for i, key in enumerate(study.fields):
        np.testing.assert_array_equal(study.read_field(key), images.pixels[i, 0, order, 0])


def test_planes_of_a_stack_can_be_chosen(tmp_path: Path) -> None:
    writer = LAYOUT_WRITERS["operetta"]
    images = noise(writer, ("A01",), n_fields=1)
    writer.write(images, tmp_path)
    acquisition = read_plate(tmp_path)
    for z, expected in ((2, images.pixels[0, 0, :, 1]), ("max", images.pixels[0, 0].max(axis=1))):
        image = read_field(tmp_path, acquisition.planes, acquisition.channels, acquisition.fields[0], FieldReading(z=z))
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("name", LAYOUT_WRITERS)
def test_nothing_is_written_over(name: str, tmp_path: Path) -> None:
    writer = LAYOUT_WRITERS[name]
    images = noise(writer, ("A01",))
    writer.write(images, tmp_path)
    with pytest.raises(FileExistsError):
        writer.write(images, tmp_path)


def test_the_names_of_the_writers_are_plain() -> None:
    assert all(re.fullmatch(r"[a-z][a-z-]*", name) for name in LAYOUT_WRITERS)
