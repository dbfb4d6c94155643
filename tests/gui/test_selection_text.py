"""What is said of the chosen wells."""

from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import PlateColumn
from cellvote.gui.selection_text import selection_table, selection_words

A01, A02, A03, A04 = (("P", f"A0{i}") for i in range(1, 5))
WELLS = (A01, A02, A03, A04)
FACTS = PlateFacts(
    {well: {} for well in WELLS}, frozenset(WELLS), n_cells={A01: 1000, A02: 240}, treatments={A01: "taxol\t10"}
)
SHARES = PlateColumn("x", "share of taxol", numbers={A01: 0.40, A02: 0.46})
AREAS = PlateColumn("a", "median area", "px²", numbers={A01: 800.0, A02: 820.0, A03: 810.0})
DRUGS = PlateColumn("d", "drug", texts={A01: "taxol", A02: "DMSO", A03: "taxol"}, order=("DMSO", "taxol"))


def test_several_wells_say_their_mean_at_the_level_of_wells() -> None:
    assert selection_words({A01, A02}, FACTS, SHARES) == "2 wells · 1,240 cells · mean 0.43 ± 0.0424 (SD, well level)"
    assert "mean 810 ± 10 px² (SD, well level)" in selection_words({A01, A02, A03}, FACTS, AREAS)


def test_wells_without_a_value_are_said_not_taken_for_zero() -> None:
    assert selection_words(WELLS, FACTS, SHARES).endswith("mean 0.43 ± 0.0424 (SD, well level, 2 with a value)")
    assert selection_words({A03, A04}, FACTS, SHARES) == "2 wells"


def test_names_are_counted() -> None:
    assert selection_words({A01, A02, A03}, FACTS, DRUGS) == "3 wells · 1,240 cells · taxol ×2, DMSO ×1"


def test_one_well_says_its_value() -> None:
    assert selection_words({A01}, FACTS, AREAS) == "A01 · 1,000 cells · 800 px²"
    assert selection_words({A04}, FACTS, AREAS) == "A04"
    assert selection_words(set(), FACTS, AREAS) == ""


def test_the_table_can_be_pasted() -> None:
    lines = selection_table({A04, A01}, FACTS, AREAS).splitlines()
    assert lines[0].split("\t") == ["plate", "well", "treatment", "cells", "median area (px²)"]
    assert lines[1].split("\t") == ["P", "A01", "taxol 10", "1000", "800.0"]
    assert lines[2].split("\t") == ["P", "A04", "", "", ""], "no value is an empty entry, not zero"
    assert len(lines) == 3


def test_what_a_spreadsheet_would_compute_stays_text() -> None:
    column = PlateColumn("d", "drug", texts={A01: "=cmd()"}, order=("=cmd()",))
    assert selection_table({A01}, FACTS, column).splitlines()[1].endswith("\t'=cmd()")
