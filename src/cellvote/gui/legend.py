"""The legend of a coloured plate, or of the classes of a field: names, colours, counts, colour bars."""

from collections.abc import Sequence
from html import escape
from typing import Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFontMetricsF, QHelpEvent, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from cellvote.gui.plate_colouring import ColourBar, LegendEntry, WellLook
from cellvote.gui.plate_painting import DARK, EMPTY_STRENGTH, paint_mark

_SWATCH: Final = 12.0
_GAP: Final = 14.0
_BAR_HEIGHT: Final = 9.0
_NAMED_BAR: Final = 0.42
"""Share of the width that a bar takes where its name stands beside it."""
_MOST: Final = 20
_MOST_LINES: Final = 6
_FEW: Final = 6
"""So many names always stand, however narrow the legend is."""
_MOST_IN_TOOLTIP: Final = 200


class Legend(QWidget):
    """Paints legend entries side by side as they fit, below them the colour bars.

    Signals
    -------
    entryHovered(object)
        The mouse came to a `LegendEntry`; None where it left it.
    """

    entryHovered = Signal(object)  # noqa: N815 (Qt's spelling)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[LegendEntry, ...] = ()
        self._marks: tuple[LegendEntry, ...] = ()
        self._fitted: tuple[float, tuple[LegendEntry, ...]] = (-1.0, ())
        self._bars: tuple[ColourBar, ...] = ()
        self._pointed = WellLook()
        self._hovered: LegendEntry | None = None
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Legend")

    def entries(self) -> tuple[LegendEntry, ...]:
        """What is listed."""
        return self._listed(self.width())

    def left_out(self) -> tuple[LegendEntry, ...]:
        """Names that there is no room for."""
        listed = self.entries()
        return tuple(name for name in self._names if name not in listed)

    def bars(self) -> tuple[ColourBar, ...]:
        """The colour bars."""
        return self._bars

    def set_content(self, entries: Sequence[LegendEntry], bars: Sequence[ColourBar] = ()) -> None:
        """Show these; nothing takes no room. Of very many names the commonest stand, marks always."""
        self._names = tuple(entry for entry in entries if not entry.mark)
        self._marks = tuple(entry for entry in entries if entry.mark)
        self._bars = tuple(bars)
        self._pointed, self._hovered = WellLook(), None
        self._fitted = (-1.0, ())
        self.setVisible(bool(entries or bars))
        self.updateGeometry()
        self.update()

    def point_at(self, look: WellLook) -> None:
        """Show where the value of one well stands: on the colour bar, or which entry it is."""
        if look != self._pointed:
            self._pointed = look
            self.update()

    # Where things are

    def _line(self) -> float:
        return float(QFontMetricsF(self.font()).height()) + 3

    def _listed(self, width: float) -> tuple[LegendEntry, ...]:
        """Choose the commonest names that fit into a few lines, in their order."""
        if self._fitted[0] != width:
            fitted: tuple[LegendEntry, ...] = self._names
            most = min(len(self._names), _MOST)
            by_count = sorted(self._names, key=_count, reverse=True)
            while len(self._names) > _FEW and (most < len(self._names) or self._lines(fitted, width) > _MOST_LINES):
                common = set(by_count[:most])
                more = LegendEntry(f"… and {len(self._names) - most} more", "")
                fitted = (*(name for name in self._names if name in common), more)
                if most <= _FEW or self._lines(fitted, width) <= _MOST_LINES:
                    break
                most -= 1
            self._fitted = (width, (*fitted, *self._marks))
        return self._fitted[1]

    def _lines(self, entries: Sequence[LegendEntry], width: float) -> int:
        return round(self._places(entries, width)[-1].y() / self._line()) + 1

    def _places(self, entries: Sequence[LegendEntry], width: float) -> list[QPointF]:
        """Top left of each entry: side by side while they fit, then on the next line."""
        places: list[QPointF] = []
        x = y = 0.0
        for entry in entries:
            needed = self._needed(entry)
            if x and x + needed > width:
                x, y = 0.0, y + self._line()
            places.append(QPointF(x, y))
            x += needed + _GAP
        return places

    def _needed(self, entry: LegendEntry) -> float:
        swatch = _SWATCH + 5 if entry.mark or entry.colour else 0
        return float(swatch + QFontMetricsF(self.font()).horizontalAdvance(_words(entry)))

    def _entries_height(self, width: float) -> float:
        entries = self._listed(width)
        return self._lines(entries, width) * self._line() if entries else 0.0

    def _bars_height(self) -> float:
        """A named bar takes a line, beside its name; the range stands once, below the last."""
        if not self._bars:
            return 0.0
        lines = len(self._bars) if self._bars[0].name else 0
        return (lines + 1) * self._line() + (0 if lines else _BAR_HEIGHT + 2)

    def _placed(self) -> list[tuple[LegendEntry, QPointF]]:
        entries = self.entries()
        return list(zip(entries, self._places(entries, self.width()), strict=True))

    def entry_at(self, point: QPointF) -> LegendEntry | None:
        """Which entry, or named bar, stands at a point."""
        for entry, place in self._placed():
            if QRectF(place.x(), place.y(), self._needed(entry), self._line()).contains(point):
                return entry
        if self._bars and self._bars[0].name:
            line = int((point.y() - self._entries_height(self.width()) - 2) // self._line())
            if 0 <= line < len(self._bars):
                return LegendEntry(self._bars[line].name, self._bars[line].colours[-1])
        return None

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

    # Mouse

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell which entry the mouse is on."""
        self._hover(self.entry_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Tell that it is on none."""
        del event
        self._hover(None)

    def _hover(self, entry: LegendEntry | None) -> None:
        entry = entry if entry is not None and (entry.colour or entry.mark) else None
        if entry != self._hovered:
            self._hovered = entry
            self.entryHovered.emit(entry)
            self.update()

    def event(self, event: QEvent) -> bool:
        """List what was left out where the mouse rests on it."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            entry = self.entry_at(QPointF(event.pos()))
            rest = self.left_out() if entry is not None and not (entry.colour or entry.mark) else ()
            words = " · ".join(escape(_words(one).replace("  ", " ")) for one in rest[:_MOST_IN_TOOLTIP])
            more = f" … and {len(rest) - _MOST_IN_TOOLTIP} more" if len(rest) > _MOST_IN_TOOLTIP else ""
            QToolTip.showText(event.globalPos(), f"<p>{words}{more}</p>" if words else "", self)
            return True
        return bool(super().event(event))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint entries, then bars."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        for entry, place in self._placed():
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
        left = place.x() + (_SWATCH + 5 if entry.mark or entry.colour else 0)
        text = QRectF(left, place.y(), self.width() - left, line)
        elided = QFontMetricsF(self.font()).elidedText(_words(entry), Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
        told = (self._pointed.colour or self._pointed.mark) and entry.names(self._pointed)
        if entry == self._hovered or (told and (entry.colour or entry.mark)):
            width = QFontMetricsF(self.font()).horizontalAdvance(elided)
            painter.setPen(QPen(ink, 1.2))
            painter.drawLine(QPointF(left, place.y() + line - 1.5), QPointF(left + width, place.y() + line - 1.5))

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
            place = QRectF(0, top + (line - _BAR_HEIGHT) / 2 * named, width, _BAR_HEIGHT)
            painter.drawRoundedRect(place, 2.5, 2.5)
            if self._pointed.at >= 0 and not named:
                _paint_pointer(painter, place, self._pointed.at)
            painter.setPen(ink)
            if named:
                beside = QRectF(width + 8, top, self.width() - width - 8, line)
                words = f"{bar.name} ({bar.note})" if bar.note else bar.name
                name = metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, beside.width())
                painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
            top += line if named else _BAR_HEIGHT + 3
        below, bar = QRectF(0, top, width, line), self._bars[0]
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, bar.low)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, bar.high)
        if bar.note and not named:
            ends = max(metrics.horizontalAdvance(bar.low), metrics.horizontalAdvance(bar.high)) + 8
            ink.setAlphaF(0.65)
            painter.setPen(ink)
            between = below.adjusted(ends, 0, -ends, 0)
            note = metrics.elidedText(bar.note, Qt.TextElideMode.ElideRight, between.width())
            painter.drawText(between, Qt.AlignmentFlag.AlignCenter, note)


def _paint_pointer(painter: QPainter, bar: QRectF, at: float) -> None:
    x = bar.left() + min(max(at * bar.width(), 1.5), bar.width() - 1.5)
    for pen in (QPen(DARK, 4), QPen(QColor(255, 255, 255), 2)):
        painter.setPen(pen)
        painter.drawLine(QPointF(x, bar.top()), QPointF(x, bar.bottom()))


def _count(entry: LegendEntry) -> int:
    return int(entry.count) if entry.count.isdecimal() else 0


def _thin(ink: QColor) -> QColor:
    """The colour of a well without a value, as the plate paints it."""
    thin = QColor(ink)
    thin.setAlphaF(EMPTY_STRENGTH)
    return thin


def _words(entry: LegendEntry) -> str:
    return f"{entry.name} ×{entry.count}" if entry.count else entry.name  # names may be numbers, too
