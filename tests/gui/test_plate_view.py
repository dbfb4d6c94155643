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


def test_a_very_long_legend_says_how_much_it_leaves_out(qtbot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.set_content([LegendEntry(str(i), RED) for i in range(100)])
    assert legend.entries()[-1].name == "… and 80 more"
