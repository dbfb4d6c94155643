"""The legend of a coloured plate, or of the classes of a field: names, colours, counts, colour bars."""

from collections.abc import Sequence
from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from cellvote.gui.plate_colouring import ColourBar, LegendEntry
from cellvote.gui.plate_view import EMPTY_STRENGTH, paint_mark

_SWATCH: Final = 12.0
_GAP: Final = 14.0
_BAR_HEIGHT: Final = 9.0
_MOST: Final = 40


class Legend(QWidget):
    """Paints legend entries in as many columns as fit, below them one colour bar each."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[LegendEntry, ...] = ()
        self._bars: tuple[ColourBar, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Legend")

    def entries(self) -> tuple[LegendEntry, ...]:
        """What is listed."""
        return self._entries

    def bars(self) -> tuple[ColourBar, ...]:
        """The colour bars."""
        return self._bars

    def set_content(self, entries: Sequence[LegendEntry], bars: Sequence[ColourBar] = ()) -> None:
        """Show these; nothing takes no room."""
        self._entries, self._bars = tuple(entries[:_MOST]), tuple(bars)
        if len(entries) > _MOST:
            self._entries += (LegendEntry(f"… {len(entries) - _MOST} more", "", ""),)
        self.setVisible(bool(entries or bars))
        self.updateGeometry()
        self.update()

    # Where things are

    def _line(self) -> float:
        return float(QFontMetricsF(self.font()).height()) + 3

    def _places(self, width: float) -> list[QPointF]:
        """Top left of each entry: side by side while they fit, then on the next line."""
        metrics = QFontMetricsF(self.font())
        places: list[QPointF] = []
        x = y = 0.0
        for entry in self._entries:
            needed = _SWATCH + 5 + metrics.horizontalAdvance(_words(entry))
            if x and x + needed > width:
                x, y = 0.0, y + self._line()
            places.append(QPointF(x, y))
            x += needed + _GAP
        return places

    def _entries_height(self, width: float) -> float:
        return self._places(width)[-1].y() + self._line() if self._entries else 0.0

    def _bar_height(self, bar: ColourBar) -> float:
        return self._line() * (2 if bar.name else 1) + _BAR_HEIGHT + 4

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name, as of every method below)
        """Say that a narrower legend is taller."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Give the height that everything needs."""
        rows = -(-len(self._bars) // self._bar_columns())
        bars = rows * max((self._bar_height(bar) for bar in self._bars), default=0.0)
        return int(self._entries_height(width) + bars + 2)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for the width of a dock."""
        return QSize(320, self.heightForWidth(320))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never be squeezed until text is cut."""
        return QSize(120, self.heightForWidth(max(self.width(), 200)))

    def _bar_columns(self) -> int:
        return 1 if len(self._bars) < 2 else 2

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the legend."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(self.palette().windowText().color())
        for entry, place in zip(self._entries, self._places(self.width()), strict=True):
            self._paint_entry(painter, entry, place, ink)
        top = self._entries_height(self.width())
        columns = self._bar_columns()
        width = (self.width() - _GAP * (columns - 1)) / columns
        for i, bar in enumerate(self._bars):
            x = (i % columns) * (width + _GAP)
            self._paint_bar(painter, bar, QRectF(x, top, width, self._bar_height(bar)), ink)
            if i % columns == columns - 1:
                top += self._bar_height(bar)
        painter.end()

    def _paint_entry(self, painter: QPainter, entry: LegendEntry, place: QPointF, ink: QColor) -> None:
        line = self._line()
        swatch = QRectF(place.x(), place.y() + (line - _SWATCH) / 2, _SWATCH, _SWATCH)
        if entry.mark:
            if entry.mark != "missing":
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(_thin(ink))
                painter.drawEllipse(swatch)
            paint_mark(painter, swatch, entry.mark, ink)
        elif entry.colour:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(entry.colour))
            painter.drawRoundedRect(swatch, 2.5, 2.5)
        painter.setPen(ink)
        left = place.x() + _SWATCH + 5
        text = QRectF(left, place.y(), self.width() - left, line)
        elided = QFontMetricsF(self.font()).elidedText(_words(entry), Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)

    def _paint_bar(self, painter: QPainter, bar: ColourBar, place: QRectF, ink: QColor) -> None:
        line, top = self._line(), place.top()
        painter.setPen(ink)
        if bar.name:
            name = QFontMetricsF(self.font()).elidedText(bar.name, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(QRectF(place.left(), top, place.width(), line), Qt.AlignmentFlag.AlignVCenter, name)
            top += line
        gradient = QLinearGradient(place.left(), 0, place.right(), 0)
        for i, colour in enumerate(bar.colours):
            gradient.setColorAt(i / max(len(bar.colours) - 1, 1), QColor(colour))
        strip = QRectF(place.left(), top + 1, place.width(), _BAR_HEIGHT)
        painter.setPen(QPen(Qt.PenStyle.NoPen))
        painter.setBrush(gradient)
        painter.drawRoundedRect(strip, 2.5, 2.5)
        painter.setPen(ink)
        below = QRectF(place.left(), strip.bottom() + 1, place.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, bar.low)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, bar.high)


def _thin(ink: QColor) -> QColor:
    """The colour of a well without a value, as the plate paints it."""
    thin = QColor(ink)
    thin.setAlphaF(EMPTY_STRENGTH)
    return thin


def _words(entry: LegendEntry) -> str:
    return f"{entry.name}  {entry.count}" if entry.count else entry.name
