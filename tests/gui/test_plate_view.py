"""The painted plate: every size, the mouse, the keyboard."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvote.gui.legend import Legend
from cellvote.gui.plate_colouring import ColourBar, LegendEntry, Mark, PlateColouring, WellLook
from cellvote.gui.plate_view import PlateView
from cellvote.plates.wells import PLATE_SHAPES, well_name

RED = "#ff0000"


def full_plate(shape: tuple[int, int], **looks: WellLook) -> PlateColouring:
    names = [well_name(row, column) for row in range(1, shape[0] + 1) for column in range(1, shape[1] + 1)]
    return PlateColouring(shape, {name: WellLook(RED) for name in names} | looks)


@pytest.fixture
def view(qtbot) -> PlateView:
    made = PlateView()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.set_colouring(full_plate((8, 12)))
    made.show()
    qtbot.waitExposed(made)
    return made


def colour_at(view: PlateView, well: str) -> str:
    point = view.well_rect(well).center().toPoint()
    return view.grab().toImage().pixelColor(point).name()


@pytest.mark.parametrize("shape", list(PLATE_SHAPES.values()))
def test_every_plate_that_is_sold_is_painted_well_by_well(view: PlateView, shape: tuple[int, int]) -> None:
    view.set_colouring(full_plate(shape))
    last = well_name(*shape)
    assert colour_at(view, "A01") == colour_at(view, last) == RED
    assert view.rect().contains(view.well_rect(last).toRect())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(list(PLATE_SHAPES.values())), st.data(), st.integers(220, 900), st.integers(130, 700))
def test_the_well_under_a_point_is_the_well_painted_there(
    view: PlateView, shape: tuple[int, int], data: st.DataObject, width: int, height: int
) -> None:
    view.resize(width, height)
    view.set_colouring(full_plate(shape))
    well = well_name(data.draw(st.integers(1, shape[0])), data.draw(st.integers(1, shape[1])))
    assert view.well_at(view.well_rect(well).center()) == well


def test_a_point_beside_the_plate_is_no_well(view: PlateView) -> None:
    from qtpy.QtCore import QPointF

    assert view.well_at(QPointF(1, 1)) == ""
    assert view.well_at(QPointF(10_000, 10_000)) == ""


@pytest.mark.parametrize("mark", ["missing", "failed", "unknown", "tie"])
def test_what_has_no_colour_is_not_painted_as_if_it_had_one(view: PlateView, mark: Mark) -> None:
    plain = view.grab().toImage()
    view.set_colouring(full_plate((8, 12), C03=WellLook(mark=mark)))
    assert colour_at(view, "C03") != RED
    assert view.grab().toImage() != plain


def test_a_click_chooses_a_well_that_is_there(view: PlateView, qtbot) -> None:
    from qtpy.QtCore import Qt

    chosen = []
    view.wellClicked.connect(chosen.append)
    view.set_colouring(PlateColouring((8, 12), {"B07": WellLook(RED)}))
    for well in ("A01", "B07"):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.well_rect(well).center().toPoint())
    assert chosen == ["B07"]


def test_keys_walk_the_plate_and_its_fields(view: PlateView, qtbot) -> None:
    from qtpy.QtCore import Qt

    moves, steps = [], []
    view.moveRequested.connect(lambda rows, columns: moves.append((rows, columns)))
    view.fieldStepRequested.connect(steps.append)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
        qtbot.keyClick(view, key)
    for key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
        qtbot.keyClick(view, key)
    assert moves == [(0, -1), (0, 1), (-1, 0), (1, 0)]
    assert steps == [-1, 1]


def at(view: PlateView, well: str):
    return view.well_rect(well).center().toPoint()


def test_shift_and_control_clicks_ask_for_more_wells(view: PlateView, qtbot) -> None:
    from qtpy.QtCore import Qt

    clicked, toggled, boxes = [], [], []
    view.wellClicked.connect(clicked.append)
    view.wellToggled.connect(toggled.append)
    view.boxChosen.connect(lambda *corners: boxes.append(corners))
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(view, left, Qt.KeyboardModifier.ShiftModifier, at(view, "C05"))
    qtbot.mouseClick(view, left, Qt.KeyboardModifier.ControlModifier, at(view, "D06"))
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=at(view, "D06"))
    assert (clicked, toggled, boxes) == ([], ["D06"], [("", "C05")])


def drag(view: PlateView, first: str, last: str) -> None:
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    kinds = (
        (QEvent.Type.MouseButtonPress, first, left, left),
        (QEvent.Type.MouseMove, last, none, left),
        (QEvent.Type.MouseButtonRelease, last, left, none),
    )
    for kind, well, button, held in kinds:
        point = QPointF(at(view, well))
        event = QMouseEvent(kind, point, view.mapToGlobal(point), button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(view, event)


def test_a_drag_chooses_a_box_also_from_a_missing_well(view: PlateView) -> None:
    boxes, clicked = [], []
    view.boxChosen.connect(lambda *corners: boxes.append(corners))
    view.wellClicked.connect(clicked.append)
    drag(view, "B02", "D05")
    view.set_colouring(PlateColouring((8, 12), {"D05": WellLook(RED)}))
    drag(view, "A01", "D05")
    assert boxes == [("B02", "D05"), ("A01", "D05")]
    assert clicked == ["B02"]


def test_keys_choose_more_wells(view: PlateView, qtbot) -> None:
    from qtpy.QtCore import Qt

    asked = []
    view.extendRequested.connect(lambda rows, columns: asked.append((rows, columns)))
    view.moveRequested.connect(lambda rows, columns: asked.append("moved"))
    view.allRequested.connect(lambda: asked.append("all"))
    view.copyRequested.connect(lambda: asked.append("copy"))
    view.oneRequested.connect(lambda: asked.append("one"))
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    view.set_selected("A01", frozenset({"A01", "A02"}))
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert asked == [(0, 1), "all", "copy", "one"]


def test_chosen_wells_have_one_outline(view: PlateView) -> None:
    view.set_colouring(full_plate((16, 24)))
    plain = view.grab().toImage()
    view.set_selected("B02", frozenset({"B02", "B03", "C02", "C03"}))
    chosen = view.grab().toImage()
    right = view.well_rect("C03").right()
    outside = [chosen.pixelColor(round(right) + dx, round(view.well_rect("C03").center().y())) for dx in (-1, 0, 1)]
    assert any(colour.lightness() > 200 for colour in outside)
    between = (round(view.well_rect("C02").right()), round(view.well_rect("C02").center().y()))
    assert chosen.pixelColor(*between) == plain.pixelColor(*between), "no line between neighbours"


def test_wells_that_stand_out_leave_the_others_behind(view: PlateView) -> None:
    view.set_bright(frozenset({"C03"}))
    assert colour_at(view, "C03") == RED
    assert colour_at(view, "D04") != RED
    view.set_bright(None)
    assert colour_at(view, "D04") == RED


def move(widget, point) -> None:
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    none = Qt.MouseButton.NoButton
    place = widget.mapToGlobal(point)
    event = QMouseEvent(QEvent.Type.MouseMove, point, place, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def test_the_mouse_over_the_plate_does_not_paint_the_wells_anew(view: PlateView) -> None:
    from qtpy.QtCore import QPointF

    view.set_colouring(full_plate((32, 48)))
    view.grab()
    picture = view._picture()[1].cacheKey()
    move(view, QPointF(at(view, "P24")))
    view.grab()
    assert view._hovered == "P24"
    assert view._picture()[1].cacheKey() == picture
    view.set_colouring(full_plate((32, 48), A01=WellLook("#00ff00")))
    assert colour_at(view, "A01") == "#00ff00"


def test_values_are_written_into_large_wells_only(view: PlateView) -> None:
    def painted(text: str, shape: tuple[int, int]):
        view.set_colouring(full_plate(shape, A01=WellLook(RED, text=text)))
        return view.grab().toImage()

    assert painted("812", (2, 3)) != painted("", (2, 3))
    assert painted("812", (16, 24)) == painted("", (16, 24))


def test_the_chosen_well_is_outlined(view: PlateView) -> None:
    before = view.grab().toImage()
    view.set_selected("D04")
    rect = view.well_rect("D04")
    edge = (round(rect.left()), round(rect.center().y()))
    assert view.grab().toImage().pixelColor(*edge) != before.pixelColor(*edge)
    assert colour_at(view, "D04") == RED


def test_resting_on_a_well_asks_for_its_facts(view: PlateView) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QHelpEvent
    from qtpy.QtWidgets import QApplication, QToolTip

    asked = []
    view.set_tooltips(lambda well: asked.append(well) or f"<b>{well}</b>")
    point = view.well_rect("E05").center().toPoint()
    QApplication.sendEvent(view, QHelpEvent(QEvent.Type.ToolTip, point, view.mapToGlobal(point)))
    assert asked == ["E05"]
    QToolTip.hideText()


def test_a_legend_gives_every_entry_room(qtbot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    entries = [LegendEntry(f"compound {i}", RED, str(i)) for i in range(12)] + [LegendEntry("tie", "", "1", "tie")]
    legend.set_content(entries, [ColourBar("0", "9", (RED, "#00ff00"), name) for name in ("a", "b", "c")])
    assert legend.heightForWidth(150) > legend.heightForWidth(600) > 0
    legend.resize(300, legend.heightForWidth(300))
    assert not legend.grab().isNull()
    legend.set_content([])
    assert legend.isHidden()


def test_the_legend_tells_which_entry_the_mouse_is_on(qtbot) -> None:
    from qtpy.QtCore import QPointF

    legend = Legend()
    qtbot.addWidget(legend)
    legend.resize(300, 60)
    entry, mark = LegendEntry("taxol", RED, "4"), LegendEntry("failed", "", "1", "failed")
    legend.set_content([entry, mark])
    told = []
    legend.entryHovered.connect(told.append)
    move(legend, QPointF(10, 8))
    move(legend, QPointF(290, 50))
    assert told == [entry, None]
    legend.set_content([], [ColourBar("0", "1", (RED,), "taxol", "3")])
    assert legend.entry_at(QPointF(100, 10)).name == "taxol"


def test_the_legend_points_at_the_value_of_a_well(qtbot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.resize(300, 40)
    legend.set_content([], [ColourBar("0", "9", (RED, "#00ff00"))])
    plain = legend.grab().toImage()
    legend.point_at(WellLook("#808000", at=0.5))
    assert legend.grab().toImage() != plain


def test_a_legend_of_long_names_takes_a_few_lines_and_lists_the_rest(qtbot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    names = [LegendEntry(f"compound with a long name {i}", RED, str(i)) for i in range(18)]
    failed = LegendEntry("failed", "", "1", "failed")
    legend.resize(340, 100)
    legend.set_content([*names, failed])
    assert legend.heightForWidth(340) < 8 * legend._line()
    assert legend.entries()[-1] == failed
    listed = {entry.name for entry in legend.entries()}
    assert "compound with a long name 17" in listed, "the commonest stand"
    assert {entry.name for entry in legend.left_out()} == {name.name for name in names} - listed
    legend.resize(2000, 100)
    assert legend.left_out() == ()


def test_a_very_long_legend_says_how_much_it_leaves_out(qtbot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.set_content([LegendEntry(str(i), RED) for i in range(100)])
    assert legend.entries()[-1].name == "… and 80 more"
