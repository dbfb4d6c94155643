"""Fields chosen in words: what one types on the command line, and what the window writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import SettingsError
from cellvote.plates.acquisition import FieldKey
from cellvote.study.field_choice import choose_fields, name_wells

FIELDS = sorted(
    FieldKey(plate, well, field)
    for plate in ("P1", "P2", "1")
    for well in ("A01", "A02", "B01", "AA12")
    for field in (1, 2)
)


def wells_of(words: str) -> set[tuple[str, str]]:
    return {(key.plate, key.well) for key in choose_fields(FIELDS, words)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("A01", {("P1", "A01"), ("P2", "A01"), ("1", "A01")}),
        ("P1/A01", {("P1", "A01")}),
        ("P1/a1, P2/AA12", {("P1", "A01"), ("P2", "AA12")}),
        ("P*/B01", {("P1", "B01"), ("P2", "B01")}),
        ("P2/*", {("P2", "A01"), ("P2", "A02"), ("P2", "B01"), ("P2", "AA12")}),
        ("P1/A*", {("P1", "A01"), ("P1", "A02"), ("P1", "AA12")}),
        ("1/1", {("P1", "A01"), ("P2", "A01"), ("1", "A01")}),
        ("1/A01", {("1", "A01")}),
    ],
)
def test_wells_of_one_plate_are_chosen_by_plate_and_well(words: str, expected: set[tuple[str, str]]) -> None:
    assert wells_of(words) == expected


def test_a_choice_takes_every_field_of_its_wells() -> None:
    assert choose_fields(FIELDS, "P1/A02") == [FieldKey("P1", "A02", 1), FieldKey("P1", "A02", 2)]
    assert choose_fields(FIELDS, " ") == FIELDS


@pytest.mark.parametrize("words", ["P3/A01", "P1/C01", "P1/", "C*"])
def test_a_choice_that_fits_nothing_is_refused(words: str) -> None:
    with pytest.raises(SettingsError, match="no imaged well fits"):
        choose_fields(FIELDS, f"A01,{words}")


def test_images_without_wells_are_chosen_by_their_plate() -> None:
    fields = [FieldKey("folder", "", number) for number in (1, 2)]
    assert choose_fields(fields, "folder/*") == fields


PLATES = st.sampled_from(["P1", "my plate, the 2nd", "x[1]", "2024/07", "1"])
WELLS = st.sampled_from(["A01", "B02", "AF48"])


@given(st.sets(st.tuples(PLATES, WELLS), min_size=1), st.sets(st.tuples(PLATES, WELLS)))
def test_what_the_window_writes_is_read_as_it_was_meant(
    chosen: set[tuple[str, str]], others: set[tuple[str, str]]
) -> None:
    fields = sorted(FieldKey(*well, 1) for well in chosen | others)
    words = name_wells(chosen, chosen | others)
    assert {(key.plate, key.well) for key in choose_fields(fields, words)} == chosen


def test_a_whole_plate_is_written_short() -> None:
    everything = {(key.plate, key.well) for key in FIELDS}
    whole = {well for well in everything if well[0] == "P2"}
    assert name_wells(whole | {("P1", "A01")}, everything) == "P1/A01,P2/*"
