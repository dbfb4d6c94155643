"""Plate-shaped grids say the same as long tables."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plates.imaged_wells import imaged

from cellvote.errors import PlateMapError
from cellvote.plates.plate_map import join_plate_map, read_map_file, read_plate_map, save_plate_map
from cellvote.plates.wells import PLATE_SHAPES, row_letters, well_name

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_text(text: str) -> Path:
        path = tmp_path / "layout.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


SMALL = "{corner},1,2,3\nA,{a},,\nB,,,{b}\n"


def small(corner: str = "", a: str = "x", b: str = "y") -> str:
    return SMALL.format(corner=corner, a=a, b=b)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (small("compound"), "compound"),
        ("compound\n" + small(), "compound"),
        ("compound:,,,\n\n" + small(), "compound"),
        ("# comment\nsome notes,of mine\ncompound\n" + small("row"), "compound"),
        (small(), "treatment"),
        (small(a="1", b="2.5"), "value"),
        (small("compound").replace("1,2,3", "01,02,03"), "compound"),
        (small("compound").replace(",", "\t"), "compound"),
        (small("compound").replace("A,", "a,").replace("B,", "b,"), "compound"),
        ("\n".join("," + line for line in small("compound").splitlines()), "compound"),
    ],
)
def test_a_grid_becomes_a_column(write: Write, text: str, name: str) -> None:
    table = read_plate_map(write(text))
    assert table["well"].tolist() == ["A01", "B03"]
    assert list(table) == ["well", name]


def test_grids_below_each_other_become_columns_side_by_side(write: Write) -> None:
    table = read_plate_map(
        write(small("compound") + "\n" + small("concentration_um", "0.1", "") + "\n\n" + small("n", "3"))
    )
    assert table.to_dict("list") == {
        "well": ["A01", "B03"],
        "compound": ["x", "y"],
        "concentration_um": ["0.1", ""],
        "n": ["3", "y"],
    }


def test_a_grid_with_columns_down_is_read_too(write: Write) -> None:
    table = read_plate_map(write("drug,A,B,C\n1,x,,\n2,,,y\n"))
    assert table.to_dict("list") == {"well": ["A01", "C02"], "drug": ["x", "y"]}


def test_grids_of_several_plates_name_them(write: Write) -> None:
    text = "Plate: P1\n" + small("drug") + small("dose", "1", "2") + "\nPlate: P2\n" + small("drug", "z", "")
    table = read_plate_map(write(text))
    assert table.to_dict("list") == {
        "plate": ["P1", "P1", "P2"],
        "well": ["A01", "B03", "A01"],
        "drug": ["x", "y", "z"],
        "dose": ["1", "2", ""],
    }
    by_title = read_plate_map(write("P1\n" + small("drug") + "\nP2\n" + small("drug", "z", "")))
    assert by_title["plate"].tolist() == ["P1", "P1", "P2"]


def test_a_grid_called_like_a_plate_is_of_that_plate(write: Write) -> None:
    (part,) = read_map_file(write("P1\n" + small() + "\nP2\n" + small(a="z")), plates=["P1", "P2"])
    table, problems = join_plate_map(imaged("A01", "B03", plates=("P1", "P2")), [part])
    assert table["treatment"].tolist() == ["x", "y", "z", "y"]
    assert problems == ()


def test_two_grids_of_one_name_are_refused(write: Write) -> None:
    with pytest.raises(PlateMapError, match=r"layout\.csv, line 4: a second grid is called 'drug'"):
        read_plate_map(write(small("drug") + small("drug")))


def test_a_table_with_rows_and_columns_is_no_grid(write: Write) -> None:
    table = read_plate_map(write("row,column,n\nA,1,2\nB,1,2\n"))
    assert table["well"].tolist() == ["A01", "B01"]
    (part,) = read_map_file(write("grade,x,y,z\nA,1,2,3\nB,1,2,3\n"))
    assert not part.has_wells


ENTRIES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Zs"], exclude_characters='"'), max_size=6)


@settings(max_examples=25)
@given(st.data(), st.sampled_from(sorted(PLATE_SHAPES.values())), st.sampled_from([",", ";", "\t"]))
def test_a_grid_and_a_long_table_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, shape: tuple[int, int], separator: str
) -> None:
    rows, columns = shape
    wells = data.draw(
        st.dictionaries(
            st.tuples(st.integers(1, rows), st.integers(1, columns)), ENTRIES.filter(bool), min_size=1, max_size=12
        )
    )
    long = pd.DataFrame(
        {"well": [well_name(*place) for place in sorted(wells)], "drug": [wells[place] for place in sorted(wells)]},
        dtype="str",
    )
    folder = tmp_path_factory.getbasetemp()
    save_plate_map(long, folder / "long.csv")
    lines = [["drug", *map(str, range(1, columns + 1))]]
    lines += [[row_letters(r), *(wells.get((r, c), "") for c in range(1, columns + 1))] for r in range(1, rows + 1)]
    text = "\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines)
    (folder / "grid.csv").write_text(text, encoding="utf-8")
    pd.testing.assert_frame_equal(read_plate_map(folder / "grid.csv"), read_plate_map(folder / "long.csv"))
