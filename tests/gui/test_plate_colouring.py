"""From what wells have to colours, marks and legends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.gui.colours import CONTROL_COLOURS, faded, ink_on, sequential
from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_colouring import WellLook, colour_by_column, colour_plate, robust_range
from cellvote.gui.plate_columns import CELLS, MAP, MEASURED, Measured, PlateColumn
from cellvote.gui.predicted import Well
from cellvote.plates.acquisition import FieldKey

WELLS = tuple(("P", f"{row}{column:02d}") for row in "ABCDEFGH" for column in range(1, 13))
A01, A02, A03 = WELLS[:3]


def facts_of(wells: tuple[Well, ...] = WELLS, column: dict[Well, str] | None = None, **known: object) -> PlateFacts:
    rows = {well: {"drug": (column or {}).get(well, "")} for well in wells}
    return PlateFacts(rows, frozenset(wells), ("drug",), **known)


def numbers(values: list[float]) -> PlateColumn:
    return PlateColumn("x", numbers=dict(zip(WELLS, values, strict=False)))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_the_range_of_colours_lies_within_the_numbers(values: list[float]) -> None:
    low, high = robust_range(values)
    assert min(values) <= low <= high <= max(values)


def test_one_wild_well_does_not_take_the_colours_of_all_others() -> None:
    coloured = colour_by_column(facts_of(), "P", numbers([*range(95), 1e6]))
    assert coloured.wells["H11"].at > 0.6
    assert coloured.wells["H12"].colour == sequential(1)
    (bar,) = coloured.bars
    assert bar.high.startswith("≥ ")
    assert bar.note == "max 1,000,000"
    assert bar.low == "0"


def test_numbers_without_outliers_span_all_colours() -> None:
    (bar,) = colour_by_column(facts_of(), "P", numbers(list(range(96)))).bars
    assert (bar.low, bar.high, bar.note) == ("0", "95", "")


def test_the_range_of_colours_is_the_same_on_every_plate() -> None:
    other = ("Q", "A01")
    column = PlateColumn("x", numbers={A01: 5.0, A02: 0.0, other: 10.0})
    facts = facts_of((*WELLS, other))
    assert colour_by_column(facts, "P", column).bars == colour_by_column(facts, "Q", column).bars
    assert colour_by_column(facts, "P", column).wells["A01"].at == pytest.approx(0.5)


def test_names_have_the_same_colour_on_every_plate() -> None:
    here, there = ("P", "A01"), ("Q", "A01")
    facts = facts_of((here, ("P", "A02"), there), {here: "taxol", ("P", "A02"): "DMSO", there: "taxol"})
    by = f"{MAP}drug"
    assert colour_plate(facts, "P", by).wells["A01"].colour == colour_plate(facts, "Q", by).wells["A01"].colour
    assert [entry.name for entry in colour_plate(facts, "Q", by).entries] == ["taxol"], "only what is on this plate"


def test_a_well_without_cells_is_zero_when_counted_and_has_no_measurement() -> None:
    facts = facts_of(n_cells={A01: 0, A02: 50})
    counted = colour_plate(facts, "P", CELLS)
    assert (counted.wells["A01"].at, counted.wells["A01"].mark) == (0.0, "")
    assert counted.wells["A03"].mark == "unknown"
    measured = colour_plate(facts, "P", f"{MEASURED}area", Measured("area", "median", {A02: 3.0}))
    assert (measured.wells["A01"].colour, measured.wells["A01"].mark) == ("", "empty")
    assert measured.wells["A03"].mark == "unknown"
    assert [(e.name, e.count) for e in measured.entries] == [("no cells", "1"), ("not measured", "94")]


def test_a_well_some_of_whose_fields_failed_keeps_its_colour_and_says_so() -> None:
    facts = facts_of(n_cells={A01: 10, A02: 20}, failed={FieldKey("P", "A01", 2): "truncated"})
    look = colour_plate(facts, "P", CELLS).wells["A01"]
    assert look.mark == "partly"
    assert look.colour


def test_a_failed_well_keeps_the_colour_of_what_was_done_to_it_but_has_no_number() -> None:
    facts = facts_of(column={A01: "taxol"}, n_cells={A02: 5}, failed={FieldKey("P", "A01", 1): "truncated"})
    treated = colour_plate(facts, "P", f"{MAP}drug").wells["A01"]
    assert treated.mark == "failed"
    assert treated.colour
    assert colour_plate(facts, "P", CELLS).wells["A01"] == WellLook(mark="failed")


def test_doses_over_decades_are_coloured_by_their_logarithm() -> None:
    doses = {well: str(10 ** (i / 6 - 3)) for i, well in enumerate(WELLS[:25])}
    coloured = colour_plate(facts_of(column=doses | {WELLS[30]: "0"}), "P", f"{MAP}drug")
    assert coloured.wells["B01"].at == pytest.approx(0.5, abs=0.01)
    assert coloured.wells[WELLS[30][1]].at == 0
    assert "log scale" in coloured.bars[0].note


def test_controls_have_colours_of_their_own() -> None:
    facts = facts_of(column={A01: "negative", A02: "positive", A03: "blank"})
    wells = colour_plate(facts, "P", f"{MAP}drug").wells
    assert wells["A01"].colour == CONTROL_COLOURS["negative"]
    assert wells["A02"].colour == CONTROL_COLOURS["positive"]
    assert wells["A03"].colour not in CONTROL_COLOURS.values()


def test_a_legend_entry_knows_its_wells() -> None:
    facts = facts_of(column={A01: "taxol", A02: "DMSO"})
    coloured = colour_plate(facts, "P", f"{MAP}drug")
    of = {entry.name: [w for w, look in coloured.wells.items() if entry.names(look)] for entry in coloured.entries}
    assert of["taxol"] == ["A01"]
    assert len(of["no entry"]) == 94


@given(st.floats(-1, 2))
def test_colours_of_numbers_stay_within_their_ends(share: float) -> None:
    assert sequential(share) == sequential(min(max(share, 0), 1))


def test_colours_can_be_written_on() -> None:
    assert ink_on("#fde725") == "#101216"
    assert ink_on("#46327e") == "#ffffff"
    assert faded("#56b4e9", 1) == "#56b4e9"
