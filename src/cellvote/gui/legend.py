"""The legend of a coloured plate, or of the classes of a field: names, colours, counts, colour bars."""

from collections.abc import Sequence
from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from cellvote.gui.plate_colouring import ColourBar, LegendEntry
from cellvote.gui.plate_view import EMPTY_STRENGTH, paint_mark

_SWATCH: Final = 12.0
_GAP: Final = 14.0
_BAR_HEIGHT: Final = 9.0
_NAMED_BAR: Final = 0.42
"""Share of the width that a bar takes where its name stands beside it."""
_MOST: Final = 40


class Legend(QWidget):
    """Paints legend entries side by side as they fit, below them the colour bars."""

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

    def _bars_height(self) -> float:
        """A named bar takes a line, beside its name; the range stands once, below the last."""
        if not self._bars:
            return 0.0
        lines = len(self._bars) if self._bars[0].name else 0
        return (lines + 1) * self._line() + (0 if lines else _BAR_HEIGHT)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name, as of every method below)
        """Say that a narrower legend is taller."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Give the height that everything needs."""
        return int(self._entries_height(width) + self._bars_height() + 4)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for the width of a dock."""
        return QSize(320, self.heightForWidth(320))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never be squeezed until text is cut."""
        return QSize(120, self.heightForWidth(max(self.width(), 200)))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the legend."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(self.palette().windowText().color())
        for entry, place in zip(self._entries, self._places(self.width()), strict=True):
            self._paint_entry(painter, entry, place, ink)
        if self._bars:
            self._paint_bars(painter, self._entries_height(self.width()) + 2, ink)
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

    def _paint_bars(self, painter: QPainter, top: float, ink: QColor) -> None:
        """Paint bars of the same range one below the other, their names beside them."""
        line, named = self._line(), bool(self._bars[0].name)
        width = self.width() * (_NAMED_BAR if named else 1.0)
        metrics = QFontMetricsF(self.font())
        for bar in self._bars:
            gradient = QLinearGradient(0, 0, width, 0)
            for i, colour in enumerate(bar.colours):
                gradient.setColorAt(i / max(len(bar.colours) - 1, 1), QColor(colour))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(gradient)
            painter.drawRoundedRect(QRectF(0, top + (line - _BAR_HEIGHT) / 2 * named, width, _BAR_HEIGHT), 2.5, 2.5)
            painter.setPen(ink)
            if named:
                place = QRectF(width + 8, top, self.width() - width - 8, line)
                name = metrics.elidedText(bar.name, Qt.TextElideMode.ElideMiddle, place.width())
                painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
            top += line if named else _BAR_HEIGHT + 1
        below = QRectF(0, top, width, line)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._bars[0].low)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._bars[0].high)


def _thin(ink: QColor) -> QColor:
    """The colour of a well without a value, as the plate paints it."""
    thin = QColor(ink)
    thin.setAlphaF(EMPTY_STRENGTH)
    return thin


def _words(entry: LegendEntry) -> str:
    return f"{entry.name}  {entry.count}" if entry.count else entry.name
