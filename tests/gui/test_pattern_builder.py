"""The pattern builder: marking parts of a name, the live table, what is wrong, and what cannot be used."""

from itertools import product

import pytest
from qtpy.QtCore import QPoint, Qt

from cellvote.gui.pattern_builder import PatternBuilder
from cellvote.gui.pattern_table import ROLE_COLOURS, NameTable
from cellvote.plates.patterns import NO_MATCH, TWICE, read_names

NAMES = [f"x7_{r}{c:02d}_{f}_{w}.tif" for r, c, f, w in product("AB", (1, 2, 3), (1, 2), ("DNA", "ER"))]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def make(qtbot):
    """Return a way to open the builder on names, and wait for what it shows.

    Builders are kept until the end: without a parent they would be deleted as Python collects them, perhaps while
    they paint.
    """
    made: list[PatternBuilder] = []

    def make(names, pattern: str = "") -> PatternBuilder:
        builder = PatternBuilder([("/data/plate", names)], pattern)
        qtbot.addWidget(builder)
        builder.show()
        made.append(builder)
        settle(qtbot, builder)
        return builder

    yield make
    for builder in made:
        builder.close()


def settle(qtbot, builder: PatternBuilder) -> None:
    qtbot.waitUntil(lambda: builder.idle, timeout=20_000)


def click_on(qtbot, builder: PatternBuilder, at: int, *, double: bool = False) -> None:
    """Click into the middle of a character of the example."""
    marker = builder.marker
    cursor = marker.textCursor()
    cursor.setPosition(at)
    left = marker.cursorRect(cursor)
    cursor.setPosition(at + 1)
    right = marker.cursorRect(cursor)
    place = QPoint(left.left() + (right.left() - left.left()) // 3, left.center().y())
    (qtbot.mouseDClick if double else qtbot.mouseClick)(marker.viewport(), LEFT, pos=place)


def mark(qtbot, builder: PatternBuilder, part: str, role: str) -> None:
    click_on(qtbot, builder, builder.marker.name().index(part))
    qtbot.mouseClick(builder.role_buttons[role], LEFT)


def row_of(builder: PatternBuilder, name: str) -> list[str]:
    names = builder.names
    row = next(r for r in range(names.rowCount()) if names.index(r, 0).data() == name)
    return [names.index(row, column).data() or "" for column in range(names.columnCount())]


def test_a_pattern_is_suggested_and_its_parts_are_shown_marked(make) -> None:
    builder = make(NAMES)
    assert builder.usable()
    assert builder.use_button.isEnabled()
    assert row_of(builder, "x7_B03_2_ER.tif") == ["x7_B03_2_ER.tif", "plate", "B03", "2", "ER", "", "", ""]
    shown = {role: builder.marker.name()[a:b] for role, (a, b) in builder.marker.marks().items()}
    assert shown == {"well": "A01", "field": "1", "channel": "DNA"}
    assert "24 of 24" in builder.counts.text()
    assert "6 wells · 2 fields · 2 channels" in builder.counts.text()
    assert len(builder.marker.extraSelections()) == 3


def test_a_person_builds_a_pattern_with_the_mouse_alone(make, qtbot) -> None:
    builder = make(NAMES)
    qtbot.mouseClick(builder.clear_button, LEFT)
    settle(qtbot, builder)
    assert builder.pattern() == ""
    assert not builder.use_button.isEnabled()
    click_on(qtbot, builder, builder.marker.name().index("A01"))
    assert builder.marker.textCursor().selectedText() == "A01", "a click takes what stands between separators"
    assert "A01" in builder.hint.text()
    qtbot.mouseClick(builder.role_buttons["well"], LEFT)
    settle(qtbot, builder)
    assert "mark what tells them apart" in builder.problem.text()
    assert not builder.use_button.isEnabled(), "files that read as one cannot be used"
    assert builder.filter_box.findData(TWICE) > 0
    mark(qtbot, builder, "DNA", "channel")
    mark(qtbot, builder, "1_DNA", "field")
    settle(qtbot, builder)
    assert builder.use_button.isEnabled()
    assert builder.problem.text() == ""
    assert builder.role_buttons["well"].text().endswith("A01")
    qtbot.mouseClick(builder.use_button, LEFT)
    assert builder.result() == PatternBuilder.DialogCode.Accepted
    read = read_names(builder.pattern(), [("/data/plate", NAMES)])
    assert read.counts["wells"] == 6
    assert set(read.state) == {0}


def test_a_double_click_takes_a_number_and_a_second_click_on_the_button_unmarks(make, qtbot) -> None:
    builder = make(NAMES)
    qtbot.mouseClick(builder.clear_button, LEFT)
    start = builder.marker.name().index("A01")
    click_on(qtbot, builder, start + 1, double=True)
    assert builder.marker.selected() == (start + 1, start + 3)
    qtbot.mouseClick(builder.role_buttons["column"], LEFT)
    click_on(qtbot, builder, start, double=True)
    qtbot.mouseClick(builder.role_buttons["row"], LEFT)
    settle(qtbot, builder)
    assert row_of(builder, "x7_B03_2_ER.tif")[2] == "B03"
    qtbot.mouseClick(builder.role_buttons["row"], LEFT)
    settle(qtbot, builder)
    assert "row" not in builder.marker.marks()
    assert "mark the row" in builder.problem.text().casefold()


def test_marking_the_well_in_one_piece_replaces_row_and_column(make, qtbot) -> None:
    builder = make(["r01c01-ch1.tif", "r01c02-ch1.tif", "r02c01-ch1.tif"])
    assert {"row", "column"} <= builder.marker.marks().keys()
    builder.marker.select(0, 6)
    qtbot.mouseClick(builder.role_buttons["well"], LEFT)
    settle(qtbot, builder)
    assert set(builder.marker.marks()) == {"well", "channel"}
    assert row_of(builder, "r02c01-ch1.tif")[2] == "B01"


def test_names_that_do_not_fit_can_be_listed_and_taken_as_the_example(make, qtbot) -> None:
    builder = make([*NAMES, "overview-1.tif"])
    builder.filter_box.setCurrentIndex(builder.filter_box.findData(NO_MATCH))
    assert "(1)" in builder.filter_box.currentText()
    assert builder.names.rowCount() == 1
    index = builder.names.index(0, 0)
    qtbot.mouseClick(builder.table.viewport(), LEFT, pos=builder.table.visualRect(index).center())
    assert builder.marker.name() == "overview-1.tif"
    assert builder.marker.marks() == {}


def test_a_pattern_written_by_hand_is_read_as_it_is_typed(make, qtbot) -> None:
    builder = make(NAMES)
    builder.pattern_line.selectAll()
    qtbot.keyClicks(builder.pattern_line, r"x7_(?P<well>\w\d+)_(?P<field>\d)_(?P<channel>DNA)\.tif")
    settle(qtbot, builder)
    assert "12 of 24" in builder.counts.text()
    assert builder.role_buttons["channel"].text().endswith("DNA"), "its parts are shown in the example"
    assert builder.usable()


def test_a_wrong_pattern_is_explained_with_its_place(make, qtbot) -> None:
    builder = make(NAMES)
    builder.pattern_line.selectAll()
    qtbot.keyClicks(builder.pattern_line, "(?P<well>[A-Z")
    settle(qtbot, builder)
    assert "opened here and never closed" in builder.problem.text()
    assert ">[</span>" in builder.problem.text(), "the bracket stands out"
    assert not builder.use_button.isEnabled()
    assert row_of(builder, NAMES[0])[1:] == [""] * 7


def test_a_pattern_without_end_leaves_the_window_alive(make, qtbot, monkeypatch) -> None:
    from functools import partial

    from cellvote.gui import pattern_builder

    monkeypatch.setattr(pattern_builder, "read_names_safely", partial(pattern_builder.read_names_safely, limit_s=1))
    builder = make(["a" * 64 + ".tif"], r"(?P<well>(\w+)+)x\d")
    assert "stopped after 1 s" in builder.problem.text()
    assert not builder.use_button.isEnabled()


def test_the_table_of_a_hundred_thousand_names_is_virtual(qtbot) -> None:
    import time

    names = [f"{r}{c:02d}_{f}.tif" for r, c, f in product("ABCDEFGH", range(1, 13), range(1, 1043))]
    pattern = r"(?P<well>[A-H]\d+)_(?P<field>\d+)\.tif"
    table = NameTable()
    table.set_folders([("/data/plate", names)], names)
    table.set_read(read_names(pattern, [("/data/plate", names)]))
    started = time.perf_counter()
    table.show_only(NO_MATCH)
    table.show_only(None)
    assert time.perf_counter() - started < 0.05
    assert table.rowCount() == len(names) > 100_000
    assert table.index(len(names) - 1, 2).data() == "H12"


def test_every_role_has_a_colour_of_its_own_in_the_legend(make) -> None:
    builder = make(NAMES)
    for role, button in builder.role_buttons.items():
        assert ROLE_COLOURS[role] in button.styleSheet()


def test_names_of_which_nothing_looks_like_a_well_ask_for_it(make) -> None:
    builder = make(["holiday.png", "beach.png"])
    assert "Nothing in these names looks like a well" in builder.hint.text()
    assert not builder.use_button.isEnabled()
