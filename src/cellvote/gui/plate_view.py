"""The plate as a picture: 6 to 1536 wells, painted; hover for facts, click or arrow keys to choose."""

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from cellvote.gui.plate_colouring import Mark, PlateColouring, WellLook
from cellvote.plates.wells import row_letters, well_name, well_position

_ROUND_ROWS: Final = 8
"""Up to 96 wells are round, as in reality; plates with more wells have square ones."""

_MOVES: Final[dict[Any, tuple[int, int]]] = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
_FIELD_STEPS: Final[dict[Any, int]] = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
_FAILED: Final = QColor("#ff6b5e")
_DARK: Final = QColor(20, 22, 26)

EMPTY_STRENGTH: Final = 0.14
"""How strongly a well without a value stands out."""


class PlateView(QWidget):
    """Paints a coloured plate and tells which well was chosen.

    Signals
    -------
    wellClicked(str)
        A well was clicked.
    moveRequested(int, int)
        An arrow key asks to go so many rows and columns on.
    fieldStepRequested(int)
        Page up or page down asks for the previous or next field.
    """

    wellClicked = Signal(str)  # noqa: N815 (Qt's spelling, as of every signal of a widget)
    moveRequested = Signal(int, int)  # noqa: N815
    fieldStepRequested = Signal(int)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colouring = PlateColouring()
        self._selected = ""
        self._hovered = ""
        self._tooltip_of: Callable[[str], str] = lambda well: well
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Plate view")
        self.setMinimumSize(220, 130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    # What is shown

    def colouring(self) -> PlateColouring:
        """What is painted."""
        return self._colouring

    def set_colouring(self, colouring: PlateColouring) -> None:
        """Paint this plate."""
        reshaped = colouring.shape != self._colouring.shape
        self._colouring = colouring
        if reshaped:
            self._fit_height()
            self.updateGeometry()
        self.update()

    def selected(self) -> str:
        """The well that is outlined."""
        return self._selected

    def set_selected(self, well: str) -> None:
        """Outline a well."""
        self._selected = well
        self.update()

    def set_tooltips(self, tooltip_of: Callable[[str], str]) -> None:
        """Say what a well's tooltip is, as HTML; asked for when the mouse rests on it."""
        self._tooltip_of = tooltip_of

    # Where things are

    def _grid(self) -> tuple[QPointF, float]:
        """Top left of well A01, and the pitch from well to well."""
        rows, columns = self._colouring.shape
        left, top = self._margins()
        pitch = min((self.width() - left - 4) / columns, (self.height() - top - 4) / rows)
        x = left + max(0.0, (self.width() - left - 4 - pitch * columns) / 2)
        return QPointF(x, top), max(pitch, 1.0)

    def _margins(self) -> tuple[float, float]:
        metrics = QFontMetricsF(self.font())
        letters = row_letters(self._colouring.shape[0])
        return metrics.horizontalAdvance(letters) + 8, metrics.height() + 2

    def well_rect(self, well: str) -> QRectF:
        """Where a well is painted."""
        origin, pitch = self._grid()
        row, column = well_position(well)
        gap = min(2.5, pitch * 0.08)
        return QRectF(
            origin.x() + (column - 1) * pitch + gap,
            origin.y() + (row - 1) * pitch + gap,
            pitch - 2 * gap,
            pitch - 2 * gap,
        )

    def well_at(self, point: QPointF) -> str:
        """Which well lies at a point; empty where none does."""
        origin, pitch = self._grid()
        column, row = (point.x() - origin.x()) // pitch, (point.y() - origin.y()) // pitch
        rows, columns = self._colouring.shape
        inside = 0 <= row < rows and 0 <= column < columns
        return well_name(int(row) + 1, int(column) + 1) if inside else ""

    def _height_at(self, width: int) -> int:
        """Give the height at which the wells fill a width."""
        rows, columns = self._colouring.shape
        left, top = self._margins()
        return int(top + 6 + (width - left - 4) / columns * rows)

    def _fit_height(self) -> None:
        """Take no more height than the wells fill: the legend stands right below them."""
        self.setMaximumHeight(max(self._height_at(self.width()), self.minimumHeight()))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name, as of every method below)
        """Fit the height to the new width."""
        super().resizeEvent(event)
        self._fit_height()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for the width of a dock."""
        return QSize(340, self._height_at(340))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the plate."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_names(painter)
        rows, columns = self._colouring.shape
        for row in range(1, rows + 1):
            for column in range(1, columns + 1):
                well = well_name(row, column)
                self._paint_well(painter, self.well_rect(well), self._colouring.wells.get(well))
        if self._hovered in self._colouring.wells and self._hovered != self._selected:
            self._paint_ring(painter, self.well_rect(self._hovered), 1.5)
        if self._selected:
            self._paint_ring(painter, self.well_rect(self._selected), 2.5)
        painter.end()

    def _paint_names(self, painter: QPainter) -> None:
        origin, pitch = self._grid()
        rows, columns = self._colouring.shape
        metrics = QFontMetricsF(self.font())
        colour = QColor(self.palette().windowText().color())
        colour.setAlphaF(0.75)
        painter.setPen(colour)
        widest = metrics.horizontalAdvance("00") + 4
        for column in range(1, columns + 1, self._step(widest, pitch)):
            cell = QRectF(origin.x() + (column - 1) * pitch - widest, 0, pitch + 2 * widest, origin.y())
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, str(column))
        for row in range(1, rows + 1, self._step(metrics.height() * 0.8, pitch)):
            cell = QRectF(0, origin.y() + (row - 1) * pitch - 8, origin.x() - 5, pitch + 16)
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(cell, right, row_letters(row))

    @staticmethod
    def _step(needed: float, pitch: float) -> int:
        """Name every well, or every so many where they are too small for that."""
        return next((step for step in (1, 2, 4, 8) if step * pitch >= needed), 16)

    def _paint_well(self, painter: QPainter, rect: QRectF, look: WellLook | None) -> None:
        ink = QColor(self.palette().windowText().color())
        if look is None or look.mark == "missing":
            ink.setAlphaF(0.13 if look is None else 0.4)
            dashed = Qt.PenStyle.SolidLine if look is None else Qt.PenStyle.DotLine
            painter.setPen(QPen(ink, 1, dashed))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            self._shape(painter, rect)
            return
        ink.setAlphaF(EMPTY_STRENGTH)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(QColor(look.colour) if look.colour else ink))
        self._shape(painter, rect)
        if look.mark:
            self._paint_mark(painter, rect, look.mark)

    def _paint_mark(self, painter: QPainter, rect: QRectF, mark: Mark) -> None:
        paint_mark(painter, rect, mark, QColor(self.palette().windowText().color()))

    def _paint_ring(self, painter: QPainter, rect: QRectF, width: float) -> None:
        """Outline a well so that it stands out on any colour: dark within light."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(_DARK, width + 2))
        self._shape(painter, rect.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.setPen(QPen(QColor(255, 255, 255), width))
        self._shape(painter, rect.adjusted(-0.5, -0.5, 0.5, 0.5))

    def _shape(self, painter: QPainter, rect: QRectF) -> None:
        if self._colouring.shape[0] <= _ROUND_ROWS:
            painter.drawEllipse(rect)
        else:
            radius = min(2.5, rect.width() / 5)
            painter.drawRoundedRect(rect, radius, radius)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the well under the mouse."""
        well = self.well_at(event.position())
        if well in self._colouring.wells and event.button() == Qt.MouseButton.LeftButton:
            self.wellClicked.emit(well)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Outline the well under the mouse; drag to look through wells."""
        well = self.well_at(event.position())
        if well == self._hovered:
            return
        self._hovered = well
        there = well in self._colouring.wells
        self.setCursor(Qt.CursorShape.PointingHandCursor if there else Qt.CursorShape.ArrowCursor)
        if there and event.buttons() & Qt.MouseButton.LeftButton:
            self.wellClicked.emit(well)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Forget the well under the mouse."""
        del event
        self._hovered = ""
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Walk the plate: arrow keys from well to well, page keys from field to field."""
        if event.key() in _MOVES:
            self.moveRequested.emit(*_MOVES[event.key()])
        elif event.key() in _FIELD_STEPS:
            self.fieldStepRequested.emit(_FIELD_STEPS[event.key()])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Show a well's facts where the mouse rests."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            well = self.well_at(QPointF(event.pos()))
            if well in self._colouring.wells:
                QToolTip.showText(event.globalPos(), self._tooltip_of(well), self, self.well_rect(well).toRect())
            else:
                QToolTip.hideText()
            return True
        return bool(super().event(event))


def paint_mark(painter: QPainter, rect: QRectF, mark: Mark, ink: QColor) -> None:
    """Paint what a colour cannot say: a failed, tied, unknown or missing well; the legend uses it too."""
    ink = QColor(ink)
    if mark == "failed":
        inner = rect.adjusted(*(rect.width() * part for part in (0.28, 0.28, -0.28, -0.28)))
        width = max(1.5, rect.width() * 0.11)
        for pen in (QPen(_DARK, width * 2.2), QPen(_FAILED, width)):  # cased in dark, to stand out on any colour
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())
    elif mark == "tie":
        ink.setAlphaF(0.75)
        painter.setPen(QPen(ink, max(1.2, rect.width() * 0.08)))
        for share in (0.4, 0.6):
            y = rect.top() + rect.height() * share
            painter.drawLine(
                QPointF(rect.left() + rect.width() * 0.28, y), QPointF(rect.right() - rect.width() * 0.28, y)
            )
    elif mark == "unknown":
        ink.setAlphaF(0.45)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        size = max(1.2, rect.width() * 0.1)
        painter.drawEllipse(rect.center(), size, size)
    elif mark == "missing":
        ink.setAlphaF(0.5)
        painter.setPen(QPen(ink, 1, Qt.PenStyle.DotLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(rect)
