"""How large the cells are that were found so far, as a small histogram; painted, so it costs no import."""

from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from cellvote.gui.run_results import SizeHistogram

_BAR: Final = QColor("#3d9bd1")
_MEDIAN: Final = QColor("#ffab2e")
_HEIGHT_PX: Final = 120
_QUIET: Final = 0.65


class SizeView(QWidget):
    """Paints one histogram: cells by area, the median marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sizes = SizeHistogram()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sizes of the cells")

    def sizes(self) -> SizeHistogram:
        """What is painted."""
        return self._sizes

    def set_sizes(self, sizes: SizeHistogram) -> None:
        """Paint these."""
        self._sizes = sizes
        self.setToolTip(_told(sizes))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for little room."""
        return QSize(240, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint bars, axis, and the median."""
        del event
        sizes = self._sizes
        if not sizes.counts:
            return
        painter = QPainter(self)
        ink = QColor(self.palette().windowText().color())
        quiet = QColor(ink)
        quiet.setAlphaF(_QUIET)
        metrics = QFontMetricsF(self.font())
        plot = QRectF(2, metrics.height() + 4, self.width() - 4, self.height() - 2 * metrics.height() - 10)
        highest, last = max(*sizes.counts, 1), sizes.edges[-1]
        width = plot.width() / len(sizes.counts)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_BAR)
        for number, count in enumerate(sizes.counts):
            height = plot.height() * count / highest
            painter.drawRect(QRectF(plot.left() + number * width, plot.bottom() - height, max(width - 1, 1), height))
        painter.setPen(QPen(quiet, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        at = plot.left() + plot.width() * min(sizes.median / last, 1.0)
        painter.setPen(QPen(_MEDIAN, 2))
        painter.drawLine(QPointF(at, plot.top()), QPointF(at, plot.bottom()))
        painter.setPen(ink)
        above = QRectF(plot.left(), 0, plot.width(), metrics.height() + 2)
        painter.drawText(above, Qt.AlignmentFlag.AlignLeft, f"Area, median {_number(sizes.median)} {sizes.unit}")
        below = QRectF(plot.left(), plot.bottom() + 2, plot.width(), metrics.height() + 2)
        painter.setPen(quiet)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        beyond = f" (+{sizes.beyond:,})" if sizes.beyond else ""
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{_number(last)} {sizes.unit}{beyond}")
        painter.end()


def _told(sizes: SizeHistogram) -> str:
    if not sizes.counts:
        return ""
    fields = "field" if sizes.n_fields == 1 else "fields"
    larger = f"\n{sizes.beyond:,} are larger than {_number(sizes.edges[-1])} {sizes.unit}" if sizes.beyond else ""
    return f"Areas of {sizes.n_cells:,} cells of {sizes.n_fields:,} {fields}; the line is the median{larger}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
