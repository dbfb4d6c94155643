"""Single planes of a field: z-planes and timepoints, ragged ones too, and channels that are computed from others."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellvote.errors import ImageReadError
from cellvote.plates.acquisition import PROJECTION, FieldKey, plane_table
from cellvote.plates.fields import CombinedChannel, FieldReading, read_channels
from cellvote.plates.stacks import FieldStack, timepoints, z_planes

KEY = FieldKey("P", "A01", 1)


def write(folder: Path, planes: list[tuple[int, int, int, int]]):
    """Write a plane of one value for each (channel, z, timepoint, value)."""
    rows = []
    for channel, z, time, value in planes:
        name = f"{channel}_{z}_{time}.tif"
        tifffile.imwrite(folder / name, np.full((4, 6), value, np.uint16), metadata=None)
        rows.append({"plate": "P", "well": "A01", "channel": channel, "z": z, "timepoint": time, "path": name})
    return plane_table(rows)


def stack(folder: Path, planes, reading: FieldReading | None = None, **axes) -> FieldStack:
    return FieldStack(folder, planes, ("DNA", "ER"), KEY, reading or FieldReading(), **axes)


def test_a_stack_has_an_axis_for_time_and_one_for_z(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, z, t, 10 * t + z) for t in (0, 1) for z in (1, 2, 3)])
    there = stack(tmp_path, planes, z=z_planes(planes), timepoints=timepoints(planes))
    assert (there.axes, there.shape) == (("time", "z"), (2, 3))
    assert there.read(0, (1, 2))[0, 0] == 13
    assert there.name((1, 2)) == "time 1 · z 3"


def test_time_alone_projects_z_and_z_alone_takes_the_start(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, z, t, 10 * t + z) for t in (0, 1) for z in (1, 2, 3)])
    assert stack(tmp_path, planes, timepoints=(0, 1)).read(0, (1,))[0, 0] == 13
    assert stack(tmp_path, planes, z=(1, 2, 3)).read(0, (1,))[0, 0] == 2


def test_the_projection_of_the_microscope_is_no_z_plane(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, PROJECTION, 1, 99), (0, 1, 1, 1), (0, 2, 1, 2)])
    assert z_planes(planes) == (1, 2)
    assert z_planes(planes[planes["z"] != 2]) == ()
    assert stack(tmp_path, planes, z=(1, 2)).read(0, (0,))[0, 0] == 1


def test_a_channel_of_one_plane_is_the_same_at_every_z(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, 1, 1, 1), (0, 2, 1, 2), (1, PROJECTION, 1, 7)])
    there = stack(tmp_path, planes, z=(1, 2))
    assert [int(there.read(1, (i,))[0, 0]) for i in (0, 1)] == [7, 7]
    assert there.lacks((0,)) == []


def test_a_plane_that_was_not_imaged_is_named_and_never_zero(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, 1, 1, 1), (0, 2, 1, 2), (0, 3, 1, 3), (1, 1, 1, 5), (1, 2, 1, 6)])
    there = stack(tmp_path, planes, z=(1, 2, 3))
    assert there.lacks((2,)) == ["ER"]
    with pytest.raises(ImageReadError, match="z 3: .*channel ER is missing"):
        there.read(1, (2,))


def test_a_combined_channel_is_computed_at_every_z(tmp_path: Path) -> None:
    planes = write(tmp_path, [(c, z, 1, 10 * c + z) for c in (0, 1) for z in (1, 2)])
    reading = FieldReading(combine=(CombinedChannel(name="both", of=("2", "dna"), how="max"),))
    there = stack(tmp_path, planes, reading, z=(1, 2))
    assert there.channels == ("DNA", "ER", "both")
    assert there.read(2, (1,))[0, 0] == 12


def test_channels_that_are_there_are_read_though_one_is_missing(tmp_path: Path) -> None:
    planes = write(tmp_path, [(0, 1, 1, 3)])
    reading = FieldReading(combine=(CombinedChannel(name="both", of=("DNA", "ER")),))
    dna, er, both = read_channels(tmp_path, planes, ("DNA", "ER"), KEY, reading)
    assert isinstance(dna, np.ndarray)
    assert dna[0, 0] == 3
    assert isinstance(er, ImageReadError)
    assert both is er
