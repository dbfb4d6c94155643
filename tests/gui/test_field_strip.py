"""The small numbers of a well's fields."""

import pytest

from cellvote.gui.field_strip import FieldStrip


@pytest.fixture
def strip(qtbot) -> FieldStrip:
    made = FieldStrip()
    qtbot.addWidget(made)
    made.resize(240, 120)
    made.set_fields(range(1, 61), 3, {7: "truncated"})
    made.show()
    return made


def test_every_field_has_a_place_of_its_own(strip: FieldStrip) -> None:
    places = {(strip.field_rect(number).x(), strip.field_rect(number).y()) for number in range(1, 61)}
    assert len(places) == 60
    assert all(strip.field_at(strip.field_rect(number).center()) == number for number in range(1, 61))
    assert strip.field_rect(60).bottom() <= strip.heightForWidth(240)
    assert strip.heightForWidth(120) > strip.heightForWidth(240)


def test_a_click_chooses_a_field(strip: FieldStrip, qtbot) -> None:
    from qtpy.QtCore import QPoint, Qt

    told = []
    strip.fieldClicked.connect(told.append)
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.field_rect(23).center().toPoint())
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(239, 119))
    assert told == [23]


def test_failed_and_shown_fields_look_different(strip: FieldStrip) -> None:
    image = strip.grab().toImage()

    def look(number: int) -> tuple[str, str]:
        rect = strip.field_rect(number)
        inside, border = rect.topLeft().toPoint(), rect.center().toPoint()
        inside += type(inside)(4, 4)
        border.setY(round(rect.top() + 1))
        return image.pixelColor(inside).name(), image.pixelColor(border).name()

    assert look(3) != look(5)
    assert look(7)[1] != look(5)[1]


def test_resting_on_a_failed_field_says_why(strip: FieldStrip) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QHelpEvent
    from qtpy.QtWidgets import QApplication, QToolTip

    point = strip.field_rect(7).center().toPoint()
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, point, strip.mapToGlobal(point)))
    assert QToolTip.text() == "Field 7 failed: truncated"
    QToolTip.hideText()
