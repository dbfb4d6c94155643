"""The field strip: one small number for each field of a well; failed ones are marked."""

from collections.abc import Mapping, Sequence
from typing import Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from cellvote.gui.plate_painting import FAILED

MOST: Final = 60
"""With more fields than this, numbers to be clicked help nobody: a list does."""

_WIDTH, _HEIGHT, _GAP = 21.0, 17.0, 2.0
_FONT_PX: Final = 10


class FieldStrip(QWidget):
    """Paints the numbers of a well's fields, side by side as they fit.

    Signals
    -------
    fieldClicked(int)
        A field was clicked.
    """

    fieldClicked = Signal(int)  # noqa: N815 (Qt's spelling)

    def __init__(self) -> None:
        super().__init__()
        self._numbers: tuple[int, ...] = ()
        self._shown = 0
        self._failed: dict[int, str] = {}
        self.setMouseTracking(True)
        self.setAccessibleName("Fields of the well")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_fields(self, numbers: Sequence[int], shown: int, failed: Mapping[int, str]) -> None:
        """Show these fields, the one that is shown, and why fields failed."""
        resized = len(numbers) != len(self._numbers)
        self._numbers, self._shown, self._failed = tuple(numbers), shown, dict(failed)
        if resized:
            self.updateGeometry()
        self.update()

    def failed(self) -> dict[int, str]:
        """Which fields are marked as failed, and why."""
        return self._failed

    def field_rect(self, number: int) -> QRectF:
        """Where a field stands."""
        row, column = divmod(self._numbers.index(number), self._columns(self.width()))
        return QRectF(column * (_WIDTH + _GAP), row * (_HEIGHT + _GAP), _WIDTH, _HEIGHT)

    def field_at(self, point: QPointF) -> int | None:
        """Which field stands at a point."""
        return next((number for number in self._numbers if self.field_rect(number).contains(point)), None)

    @staticmethod
    def _columns(width: float) -> int:
        return max(int((width + _GAP) // (_WIDTH + _GAP)), 1)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name, as of every method below)
        """Say that a narrower strip is taller."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Give the height of all rows."""
        rows = -(-len(self._numbers) // self._columns(width))
        return int(rows * (_HEIGHT + _GAP))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for what is left beside the buttons of a dock."""
        return QSize(230, self.heightForWidth(230))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never cut a row."""
        return QSize(int(3 * _WIDTH), self.heightForWidth(max(self.width(), 150)))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the field under the mouse."""
        number = self.field_at(event.position())
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self.fieldClicked.emit(number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Show that a field can be clicked."""
        there = self.field_at(event.position()) is not None
        self.setCursor(Qt.CursorShape.PointingHandCursor if there else Qt.CursorShape.ArrowCursor)

    def event(self, event: QEvent) -> bool:
        """Say which field it is, and why it failed."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.field_at(QPointF(event.pos()))
            error = self._failed.get(number, "") if number is not None else ""
            words = "" if number is None else f"Field {number} failed: {error}" if error else f"Field {number}"
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the numbers; the field that is shown is filled, failed ones have a red corner and number."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink, ground = self.palette().windowText().color(), self.palette().window().color()
        font = QFont(self.font())
        font.setPixelSize(_FONT_PX)
        painter.setFont(font)
        for number in self._numbers:
            rect, shown, failed = self.field_rect(number), number == self._shown, number in self._failed
            fill = QColor(ink)
            fill.setAlphaF(0.85 if shown else 0.12)
            painter.setPen(QPen(FAILED, 1.5) if failed else Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)
            painter.setPen(ground if shown else FAILED if failed else ink)
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, str(number))
        painter.end()
