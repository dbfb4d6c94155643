"""Fields: z-stacks projected, channels combined, as a study was told to."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import ChannelError, ImageReadError, SettingsError
from cellvote.plates.acquisition import PROJECTION, FieldKey, plane_table
from cellvote.plates.fields import CombinedChannel, FieldReading, parse_combination, read_field
from cellvote.plates.pixels import Pixels
from cellvote.study import Study

KEY = FieldKey("P", "A01", 1)
STACK = np.random.default_rng(1).integers(0, 60_000, (4, 6, 5), dtype=np.uint16)


def read(folder: Path, planes: dict[tuple[int, int], Pixels], reading: FieldReading) -> Pixels:
    """Write planes of (channel, z), and read them as a field."""
    for (channel, z), plane in planes.items():
        tifffile.imwrite(folder / f"{channel}_{z}.tif", plane)
    rows = [{"well": "A01", "channel": c, "z": z, "path": f"{c}_{z}.tif"} for c, z in planes]
    names = [f"c{number}" for number in sorted({channel for channel, _ in planes})]
    return read_field(folder, plane_table(rows), names, KEY, reading)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ("max", STACK.max(axis=0)),
        ("median", np.rint(np.median(STACK, axis=0)).astype(np.uint16)),
        (3, STACK[2]),
    ],
)
def test_a_stack_becomes_what_was_asked_for(tmp_path: Path, z: str | int, expected: Pixels) -> None:
    found = read(tmp_path, {(0, i + 1): plane for i, plane in enumerate(STACK)}, FieldReading(z=z))
    assert found.dtype == np.uint16
    assert np.array_equal(found[0], expected)


def test_the_microscopes_projection_stands_beside_the_stack(tmp_path: Path) -> None:
    planes = {(0, PROJECTION): STACK[3], (0, 1): STACK[0], (0, 2): STACK[1]}
    assert np.array_equal(read(tmp_path, planes, FieldReading(z="projection"))[0], STACK[3])
    assert np.array_equal(read(tmp_path, planes, FieldReading())[0], STACK[:2].max(axis=0))


def test_a_channel_with_a_projection_only_is_read_as_that(tmp_path: Path) -> None:
    planes = {(0, 1): STACK[0], (0, 2): STACK[1], (1, PROJECTION): STACK[2]}
    for z in ("max", "median", "projection", 2):
        assert np.array_equal(read(tmp_path, planes, FieldReading(z=z))[1], STACK[2])


def test_a_plane_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="channel c0: has no z-plane 9"):
        read(tmp_path, {(0, 1): STACK[0], (0, 2): STACK[1]}, FieldReading(z=9))


@pytest.mark.parametrize("how", ["median", "mean", "max", "min"])
def test_channels_are_combined_pixel_by_pixel(tmp_path: Path, how: str) -> None:
    combined = CombinedChannel(name="all", of=("c0", "c1", "C2"), how=how)
    found = read(tmp_path, {(c, 1): STACK[c] for c in range(3)}, FieldReading(combine=(combined,)))
    assert found.shape == (4, 6, 5)
    assert found.dtype == np.uint16
    assert np.array_equal(found[3], np.rint(getattr(np, how)(STACK[:3], axis=0)).astype(np.uint16))


@given(name=st.text("abc ", min_size=1).filter(str.strip), of=st.lists(st.text("xyz1", min_size=1), min_size=2))
def test_a_combination_is_read_as_it_is_written(name: str, of: list[str]) -> None:
    assert parse_combination(f"{name} = median({', '.join(of)})") == CombinedChannel(
        name=name.strip(), of=tuple(of), how="median"
    )


@pytest.mark.parametrize("text", ["", "x", "x=median", "=median(a,b)", "x=median(a)", "x=median(a,)", "x=median(a,b"])
def test_a_combination_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="write NAME=median"):
        parse_combination(text)


def test_a_study_keeps_how_its_fields_are_read(tmp_path: Path) -> None:
    from tests.tiny_plates import operetta_names, write_images

    from cellvote.plates.layouts import read_plate

    folder = write_images(tmp_path / "P", operetta_names([(1, 1)], channels=2))
    both = FieldReading(z="median", combine=(CombinedChannel(name="both", of=("ch1", "ch2"), how="max"),))
    made = Study.create(tmp_path / "s", read_plate(folder), reading=both)
    opened = Study.open(made.path)
    assert opened.channels == ("ch1", "ch2", "both")
    assert opened.info.reading == both
    image = opened.read_field(opened.fields[0])
    assert np.array_equal(image[2], image[:2].max(axis=0))


def test_a_combined_channel_needs_a_name_of_its_own() -> None:
    for name in ("ch1", "both"):
        one = CombinedChannel(name=name, of=("ch1", "ch2"))
        with pytest.raises(ChannelError, match="there is a channel"):
            FieldReading(combine=(one, CombinedChannel(name="both", of=("ch1", "ch2")))).check(("ch1", "ch2"), [1])
