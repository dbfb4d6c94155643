"""Acquisitions: planes, channels, and several folders in one."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import ChannelError, LayoutError
from cellvote.plates.acquisition import (
    PLANE_COLUMNS,
    Acquisition,
    FieldKey,
    channel_index,
    join_acquisitions,
    looks_nuclear,
    plane_table,
    safe_relative,
)


def acquisition(source: str, plate: str = "P", well: str = "A01", channels: tuple[str, ...] = ("DNA",)) -> Acquisition:
    rows = [{"plate": plate, "well": well, "channel": i, "path": f"{name}.tif"} for i, name in enumerate(channels)]
    return Acquisition(Path(source), "numbered", plane_table(rows), channels, problems=(f"of {source}",))


def test_what_a_plane_does_not_say_is_one() -> None:
    (row,) = plane_table([{"well": "A01", "path": "a.tif"}]).to_dict("records")
    assert row == {
        "plate": "plate",
        "well": "A01",
        "field": 1,
        "channel": 0,
        "z": 1,
        "timepoint": 1,
        "path": "a.tif",
        "page": 0,
        "sample": 0,
    }


def test_planes_are_sorted_and_typed() -> None:
    table = plane_table([{"well": w, "path": f"{w}{c}", "channel": c} for w in ("B01", "A02") for c in (1, 0)])
    assert table["path"].tolist() == ["A020", "A021", "B010", "B011"]
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == PLANE_COLUMNS


def test_a_field_is_written_with_its_plate_and_well() -> None:
    assert str(FieldKey("P", "B07", 3)) == "P/B07 field 3"
    assert str(FieldKey("folder", "", 3)) == "folder field 3"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.tif", "a/../../x.tif", "C:\\x.tif", "\\\\server\\x.tif", "http://x/y.tif", "", ".."]
)
def test_a_path_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(LayoutError, match="outside its folder"):
        safe_relative(name)


def test_a_path_below_its_folder_is_kept() -> None:
    assert safe_relative("Images\\r01c01.tiff") == "Images/r01c01.tiff"
    assert safe_relative("./a..b/x.tif") == "a..b/x.tif"


@given(st.text("./\\:aC", max_size=8))
def test_no_path_that_passes_can_leave_its_folder(name: str) -> None:
    try:
        passed = safe_relative(name)
    except LayoutError:
        return
    root = Path("/plate")
    assert (root / passed).is_relative_to(root)
    assert ".." not in Path(passed).parts


def test_a_channel_is_found_by_name_in_any_case_and_by_its_number() -> None:
    channels = ("DNA", "Actin")
    assert [channel_index(channels, wanted) for wanted in ("actin", " DNA ", 2, "1")] == [1, 0, 1, 0]


def test_a_channel_called_by_a_number_is_found_by_its_name_first() -> None:
    assert channel_index(("2", "1"), "1") == 1


@pytest.mark.parametrize("wanted", ["", "Nope", 0, 3, "-1"])
def test_a_channel_that_is_not_there_is_refused_with_those_that_are(wanted: str | int) -> None:
    with pytest.raises(ChannelError, match="DNA, Actin"):
        channel_index(("DNA", "Actin"), wanted)


def test_nuclear_channels_are_known_by_their_dye() -> None:
    assert [looks_nuclear(name) for name in ("Hoechst 33342", "DAPI", "dna", "H2B-mCherry", "GFP", "Actin")] == (
        [True] * 4 + [False] * 2
    )


def test_one_folder_alone_stays_as_it_is() -> None:
    alone = acquisition("/d/one")
    assert join_acquisitions([alone]) is alone


def test_plates_of_several_folders_lie_below_the_folder_that_they_share() -> None:
    joined = join_acquisitions([acquisition("/d/one", "P1"), acquisition("/d/deep/two", "P2")])
    assert joined.source == Path("/d")
    assert joined.planes["path"].tolist() == ["one/DNA.tif", "deep/two/DNA.tif"]
    assert joined.plates == ["P1", "P2"]
    assert joined.problems == ("of /d/one", "of /d/deep/two")


def test_a_folder_beside_its_own_parent_is_joined() -> None:
    joined = join_acquisitions([acquisition("/d", "P1"), acquisition("/d/two", "P2")])
    assert sorted(joined.planes["path"]) == ["DNA.tif", "two/DNA.tif"]


def test_folders_whose_channels_differ_are_not_joined() -> None:
    with pytest.raises(LayoutError, match=r"GFP, but .*DNA.*one study for each"):
        join_acquisitions([acquisition("/d/one"), acquisition("/d/two", channels=("GFP",))])


def test_the_same_well_in_two_folders_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"'P' well A01 is in more than one"):
        join_acquisitions([acquisition("/d/one"), acquisition("/d/two")])


def test_maps_found_in_the_folders_are_put_together() -> None:
    parts = []
    for number in (1, 2):
        one = acquisition(f"/d/{number}", f"P{number}")
        parts.append(
            Acquisition(one.source, one.layout, one.planes, one.channels, plate_map=pd.DataFrame({"well": ["A01"]}))
        )
    joined = join_acquisitions([*parts, acquisition("/d/3", "P3")])
    assert joined.plate_map is not None
    assert joined.plate_map["well"].tolist() == ["A01", "A01"]


def test_a_summary_counts_what_is_there() -> None:
    assert acquisition("/d", channels=("DNA", "GFP")).summary() == {
        "layout": "numbered",
        "plates": ["P"],
        "wells": 1,
        "fields": 1,
        "channels": ["DNA", "GFP"],
        "planes": 2,
        "pixel_size_um": None,
        "problems": ["of /d"],
    }
