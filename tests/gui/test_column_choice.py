"""The searchable choice of what colours the plate."""

import pytest

from cellvote.gui.column_choice import ColumnChoice
from cellvote.gui.plate_columns import Choice

CHOICES = {
    "vote": Choice("vote", "Vote", "Votes"),
    "map:area": Choice("map:area", "area", "Plate map"),
    **{
        f"measured:{name}": Choice(f"measured:{name}", name, "Measurements") for name in ("area", "mean_DNA", "std_DNA")
    },
}


@pytest.fixture
def box(qtbot) -> ColumnChoice:
    made = ColumnChoice()
    qtbot.addWidget(made)
    made.fill(CHOICES, "vote")
    made.show()
    return made


def test_choices_stand_under_headings_that_cannot_be_chosen(box: ColumnChoice) -> None:
    texts = [box.itemText(i) for i in range(box.count())]
    assert texts == ["Votes", "Vote", "Plate map", "area", "Measurements", "area", "mean_DNA", "std_DNA"]
    assert [text for i, text in enumerate(texts) if not box.model().item(i).isEnabled()] == [
        "Votes",
        "Plate map",
        "Measurements",
    ]
    assert box.currentText() == "Vote"


def search(box: ColumnChoice, qtbot, text: str) -> list[str]:
    from qtpy.QtCore import Qt

    told = []
    box.columnChosen.connect(told.append)
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), text)
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    return told


@pytest.mark.parametrize(
    ("typed", "key"), [("dna", "measured:mean_DNA"), ("STD", "measured:std_DNA"), ("area", "map:area")]
)
def test_typing_a_part_of_a_name_chooses_the_first_that_has_it(box, qtbot, typed: str, key: str) -> None:
    assert search(box, qtbot, typed) == [key]
    assert box.currentData() == key
    assert box.currentText() == CHOICES[key].title


def test_what_is_nowhere_chooses_nothing_and_is_forgotten(box: ColumnChoice, qtbot) -> None:
    assert search(box, qtbot, "granularity") == []
    assert box.currentText() == "Vote"


def test_two_of_one_name_are_told_apart_by_their_group(box: ColumnChoice) -> None:
    box.choose("measured:area")
    assert box.currentData() == "measured:area"
    box.choose("nothing like it")
    assert box.currentData() == "measured:area"


def test_filling_anew_tells_nobody_and_keeps_what_is_chosen(box: ColumnChoice) -> None:
    told = []
    box.columnChosen.connect(told.append)
    box.fill(CHOICES | {"cells": Choice("cells", "Cell count", "Cells")}, "measured:mean_DNA")
    assert box.currentText() == "mean_DNA"
    assert told == []
    box.fill({}, "")
    assert not box.isEnabled()
    assert box.currentText() == ""
