"""The line beside the plate that says whether the position shows."""

import numpy as np
import pytest

from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import PlateColumn
from cellvote.gui.position_text import look_for_position, p_words, position_line, position_tooltip
from cellvote.plates.wells import well_name, well_position

WELLS = [("P", well_name(row, column)) for row in range(1, 9) for column in range(1, 13)]
NOISE = np.random.default_rng(2).normal(size=96)


def facts_of(controls: range = range(0), treatments: dict | None = None) -> PlateFacts:
    rows = {well: {"control_type": "negative" if i in controls else ""} for i, well in enumerate(WELLS)}
    return PlateFacts(rows, frozenset(WELLS), ("control_type",), treatments or {})


def column_of(slope: float) -> PlateColumn:
    values = {well: NOISE[i] + slope * well_position(well[1]).column for i, well in enumerate(WELLS)}
    return PlateColumn("measured:area", "median area", numbers=values)


def test_a_gradient_is_warned_of_with_its_size_and_p() -> None:
    report = look_for_position(facts_of(), "P", column_of(-0.5))
    line = position_line(report)
    assert "All (96)" in line
    assert "<b>−0.8" in line
    assert "⚠ p&lt;0.001" in line
    assert "Negative" not in line
    tooltip = position_tooltip(report)
    for words in ("median area", "36 vs 60 wells", "Holm", "fewer than 8 negative controls"):
        assert words in tooltip


def test_without_an_effect_nothing_is_warned_of() -> None:
    line = position_line(look_for_position(facts_of(), "P", column_of(0)))
    assert "⚠" not in line
    assert "All (96)" in line


def test_negative_controls_are_looked_at_by_themselves() -> None:
    line = position_line(look_for_position(facts_of(range(0, 96, 5)), "P", column_of(-0.5)))
    assert "All (96)" in line
    assert "Negative (20)" in line


def test_treatments_that_go_with_the_position_are_named() -> None:
    in_columns = {well: f"dose {well_position(well[1]).column}" for well in WELLS}
    report = look_for_position(facts_of(treatments=in_columns), "P", column_of(-0.5))
    assert "Treatments lie unevenly over the columns" in position_line(report)
    assert "cannot" not in position_line(look_for_position(facts_of(), "P", column_of(-0.5)))
    assert "Kruskal" in position_tooltip(report)


def test_names_and_few_wells_have_no_line() -> None:
    names = PlateColumn("map:drug", "drug", texts=dict.fromkeys(WELLS, "taxol"), order=("taxol",))
    assert position_line(look_for_position(facts_of(), "P", names)) == ""
    few = PlateColumn("x", "x", numbers=dict.fromkeys(WELLS[:5], 1.0))
    assert position_line(look_for_position(facts_of(), "P", few)) == ""


def test_wells_without_images_are_not_tested() -> None:
    facts = PlateFacts({well: {} for well in WELLS}, frozenset(WELLS[:40]))
    report = look_for_position(facts, "P", column_of(-0.5))
    assert report.wells["columns"].n == 40


@pytest.mark.parametrize(("p", "words"), [(0.0001, "p<0.001"), (0.0042, "p 0.004"), (0.2, "p 0.20")])
def test_p_values_are_written_short(p: float, words: str) -> None:
    assert p_words(p) == words
