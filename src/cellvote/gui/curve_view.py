"""Curves of a training as it runs: loss and accuracy by epoch, a line per fold; painted, so it costs no import."""

from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from cellvote.gui.colours import class_colours
from cellvote.gui.history import Curves, Point

Lines = dict[tuple[int, str], list[Point]]
_COLOURS: Final = class_colours(20)


class CurveView(QWidget):
    """Two plots one above the other: loss and accuracy; validation is drawn strong, training thin."""

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
        keys = "validation ━  training ─"
        softer = QColor(ink)
        softer.setAlphaF(0.65)
        painter.setPen(softer)
        painter.drawText(place, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight, keys)
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
        for (fold, part), line in sorted(lines.items(), key=lambda item: item[0][1] != "train"):
            self._paint_line(painter, plot, box, line, _COLOURS[fold % len(_COLOURS)], strong=part == "validation")

    @staticmethod
    def _paint_line(
        painter: QPainter, plot: QRectF, box: QRectF, line: list[Point], colour: str, *, strong: bool
    ) -> None:
        shown = QColor(colour)
        shown.setAlphaF(1.0 if strong else 0.45)
        painter.setPen(QPen(shown, 2.0 if strong else 1.0))
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
