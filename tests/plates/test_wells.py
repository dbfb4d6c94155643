"""Wells in every spelling, and the plates that hold them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.plates.wells import (
    MAX_COLUMNS,
    MAX_ROWS,
    PLATE_SHAPES,
    edge_distance,
    parse_row,
    parse_well,
    plate_shape,
    row_letters,
    row_number,
    well_name,
    well_position,
)

SPELLINGS: dict[str, Callable[[int, int], str]] = {
    "A1": lambda row, column: f"{row_letters(row)}{column}",
    "A01": lambda row, column: f"{row_letters(row)}{column:02d}",
    "A001": lambda row, column: f"{row_letters(row)}{column:03d}",
    "a01": lambda row, column: f"{row_letters(row).lower()}{column:02d}",
    "A-01": lambda row, column: f"{row_letters(row)}-{column:02d}",
    "A_1": lambda row, column: f"{row_letters(row)}_{column}",
    "A 1": lambda row, column: f"{row_letters(row)} {column}",
    "A, 1": lambda row, column: f"{row_letters(row)}, {column}",
    "r01c01": lambda row, column: f"r{row:02d}c{column:02d}",
    "R1C1": lambda row, column: f"R{row}C{column}",
    "r001c001": lambda row, column: f"r{row:03d}c{column:03d}",
    "Row1 Col1": lambda row, column: f"Row{row} Col{column}",
    "1/1": lambda row, column: f"{row}/{column}",
    "01:01": lambda row, column: f"{row:02d}:{column:02d}",
    "(blanks around)": lambda row, column: f"  {row_letters(row)}{column}\n",
}

rows = st.integers(1, MAX_ROWS)
columns = st.integers(1, MAX_COLUMNS)


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_every_well_is_read_from_every_spelling(spell: Callable[[int, int], str]) -> None:
    for row in range(1, MAX_ROWS + 1):
        for column in range(1, MAX_COLUMNS + 1):
            assert well_position(spell(row, column)) == (row, column)


@given(row=rows, column=columns, spell=st.sampled_from(list(SPELLINGS.values())))
def test_a_well_has_one_name_whatever_its_spelling(row: int, column: int, spell: Callable[[int, int], str]) -> None:
    assert parse_well(spell(row, column)) == well_name(row, column)


def test_every_well_has_a_name_of_its_own() -> None:
    names = [well_name(row, column) for row in range(1, MAX_ROWS + 1) for column in range(1, MAX_COLUMNS + 1)]
    assert len(set(names)) == MAX_ROWS * MAX_COLUMNS
    assert (names[0], names[-1]) == ("A01", "AF48")


def test_rows_beyond_z_have_two_letters() -> None:
    assert [row_letters(row) for row in (1, 26, 27, 32)] == ["A", "Z", "AA", "AF"]
    assert [row_number(letters) for letters in ("a", "Z", "AA", "af")] == [1, 26, 27, 32]


@pytest.mark.parametrize(
    "text",
    ["", "A", "1", "A0", "A00", "A49", "AG1", "ZZ1", "A1B2", "0/1", "33/1", "1/0", "1/49", "r33c01", "A01.5", "-A1"],
)
def test_what_is_no_well_of_any_plate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a well"):
        parse_well(text)


@given(st.text(max_size=8))
def test_any_text_is_a_well_of_a_plate_or_is_refused(text: str) -> None:
    try:
        name = parse_well(text)
    except ValueError:
        return
    assert well_name(*well_position(name)) == name


@pytest.mark.parametrize(("row", "column"), [(0, 1), (33, 1), (1, 0), (1, 49)])
def test_a_place_beyond_every_plate_has_no_name(row: int, column: int) -> None:
    with pytest.raises(ValueError, match="no plate has such a well"):
        well_name(row, column)


@given(rows)
def test_a_row_is_read_from_letters_and_from_a_number(row: int) -> None:
    assert {parse_row(text) for text in (row_letters(row), row_letters(row).lower(), str(row), f" {row:02d} ")} == {row}


@pytest.mark.parametrize("text", ["", "0", "33", "AG", "1.0", "-1", "Ä", "²", "A1"])
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a row"):
        parse_row(text)


@pytest.mark.parametrize("shape", PLATE_SHAPES.values(), ids=map(str, PLATE_SHAPES))
def test_a_plate_is_the_smallest_one_that_holds_its_corner_well(shape: tuple[int, int]) -> None:
    assert plate_shape(["A01", well_name(*shape)]) == shape


def test_a_few_wells_in_the_middle_do_not_make_a_plate_larger() -> None:
    assert plate_shape(["B02", "C05"]) == (4, 6)
    assert plate_shape(["D04", "", "H09"]) == (8, 12)


def test_without_wells_the_smallest_plate_is_taken() -> None:
    assert plate_shape([]) == PLATE_SHAPES[6]


@pytest.mark.parametrize(("well", "distance"), [("A01", 0), ("H12", 0), ("A06", 0), ("B02", 1), ("D06", 3), ("G11", 1)])
def test_the_distance_to_the_edge_is_counted_in_wells(well: str, distance: int) -> None:
    assert edge_distance(well, PLATE_SHAPES[96]) == distance


@given(row=st.integers(1, 8), column=st.integers(1, 12))
def test_wells_that_face_each_other_are_as_far_from_the_edge(row: int, column: int) -> None:
    here, there = well_name(row, column), well_name(9 - row, 13 - column)
    assert edge_distance(here, (8, 12)) == edge_distance(there, (8, 12)) >= 0
