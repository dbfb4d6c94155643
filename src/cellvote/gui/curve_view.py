"""Curves of a training as it runs: loss and accuracy by epoch, a line per fold; painted, so it costs no import."""

from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from cellvote.gui.colours import class_colours
from cellvote.gui.history import BALANCED, TRAIN, VALIDATION, Curves, Lines, Point

_COLOURS: Final = class_colours(20)
_KEYS: Final = {VALIDATION: "validation ━", BALANCED: "balanced ┈", TRAIN: "training ─"}


class CurveView(QWidget):
    """Two plots one above the other: loss and accuracy, a colour for each fold.

    Validation is drawn strong, training thin, balanced accuracy dotted, what a network is tuned further for dashed.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves = Curves()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Training curves")

    def curves(self) -> Curves:
        """What is drawn."""
        return self._curves

    def set_curves(self, curves: Curves) -> None:
        """Draw these."""
        self._curves = curves
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for room for both plots."""
        return QSize(320, 250)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint both plots."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        half = self.height() / 2
        self._paint_plot(painter, QRectF(0, 0, self.width(), half - 4), "loss", self._curves.loss)
        self._paint_plot(painter, QRectF(0, half, self.width(), half - 4), "accuracy", self._curves.accuracy)
        painter.end()

    def _paint_plot(self, painter: QPainter, place: QRectF, title: str, lines: Lines) -> None:
        ink = QColor(self.palette().windowText().color())
        quiet = QColor(ink)
        quiet.setAlphaF(0.25)
        metrics = QFontMetricsF(self.font())
        left = metrics.horizontalAdvance("0.000") + 6
        plot = place.adjusted(left, metrics.height() + 2, -6, -metrics.height() - 2)
        painter.setPen(ink)
        painter.drawText(QPointF(plot.left(), place.top() + metrics.ascent()), title)
        parts = {part for _, _, part in lines}
        keys = "  ".join(words for part, words in _KEYS.items() if part in parts)
        if any(stage for _, stage, _ in lines):
            keys += "  tuned ╍"
        softer = QColor(ink)
        softer.setAlphaF(0.65)
        painter.setPen(softer)
        painter.drawText(place.adjusted(0, 0, -6, 0), Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight, keys)
        painter.setPen(QPen(quiet, 1))
        painter.drawRect(plot)
        points = [point for line in lines.values() for point in line]
        if not points:
            return
        xs, ys = [x for x, _ in points], [y for _, y in points]
        low, high = min(ys), max(ys)
        room = (high - low) * 0.06 or 0.05
        box = QRectF(min(xs), low - room, max(max(xs) - min(xs), 1.0), high - low + 2 * room)
        painter.setPen(ink)
        for value, y in ((high, plot.top()), (low, plot.bottom())):
            words = QRectF(0, y - 8, left - 4, 16)
            painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:.3g}")
        below = QRectF(plot.left(), plot.bottom() + 1, plot.width(), metrics.height())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"epoch {min(xs):.0f}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{max(xs):.0f}")
        for (fold, stage, part), line in sorted(lines.items(), key=lambda item: item[0][2] != TRAIN):
            self._paint_line(painter, plot, box, line, _pen(fold, stage, part))

    @staticmethod
    def _paint_line(painter: QPainter, plot: QRectF, box: QRectF, line: list[Point], pen: QPen) -> None:
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = QPainterPath()
        for i, (x, y) in enumerate(line):
            at = QPointF(
                plot.left() + (x - box.left()) / box.width() * plot.width(),
                plot.bottom() - (y - box.top()) / box.height() * plot.height(),
            )
            if i:
                path.lineTo(at)
            else:
                path.moveTo(at)
        painter.drawPath(path)


def _pen(fold: int, stage: str, part: str) -> QPen:
    colour = QColor(_COLOURS[fold % len(_COLOURS)])
    colour.setAlphaF({TRAIN: 0.45, VALIDATION: 1.0, BALANCED: 0.8}[part])
    pen = QPen(colour, 2.0 if part == VALIDATION else 1.2)
    if part == BALANCED:
        pen.setStyle(Qt.PenStyle.DotLine)
    elif stage:
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen
