"""Painting a plate: wells, names, marks, rings; `cellvote.gui.plate_view` keeps the pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from cellvote.gui.colours import ink_on
from cellvote.gui.plate_colouring import Mark, PlateColouring, WellLook
from cellvote.gui.plate_geometry import PlateGeometry
from cellvote.plates.wells import row_letters, well_position

FAILED: Final = QColor("#ff6b5e")
DARK: Final = QColor(20, 22, 26)

EMPTY_STRENGTH: Final = 0.14
"""How strongly a well without a value stands out."""

_ROUNDED_PITCH: Final = 13.0
"""Smaller square wells have sharp corners: rounded ones would be blurred."""

_TEXT_PITCH: Final = 46.0
_SMALL_ROWS: Final = 16
_SMALL_FONT_PX: Final = 10


def names_font(font: QFont, shape: tuple[int, int]) -> QFont:
    """Take a smaller font for the names of plates with more than 384 wells."""
    small = QFont(font)
    if shape[0] > _SMALL_ROWS:
        small.setPixelSize(min(int(QFontMetricsF(font).height()), _SMALL_FONT_PX))
    return small


def margins(font: QFont, shape: tuple[int, int]) -> tuple[float, float]:
    """Room at the left and at the top for the names of rows and columns."""
    metrics = QFontMetricsF(names_font(font, shape))
    widest = max(metrics.horizontalAdvance(row_letters(row)) for row in (shape[0], min(shape[0], 13)))
    return widest + 8, metrics.height() + 2


@dataclass(frozen=True)
class PlatePainter:
    """Paints one plate with one geometry.

    Parameters
    ----------
    ink
        The colour of the window's text.
    """

    geometry: PlateGeometry
    colouring: PlateColouring
    font: QFont
    ink: QColor

    def paint_plate(self, painter: QPainter) -> None:
        """Paint everything that stays the same while the mouse moves: names and wells."""
        self._paint_names(painter)
        looks = self.colouring.wells
        round_ones = self.geometry.is_round or self.geometry.pitch >= _ROUNDED_PITCH
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, round_ones)
        thin, brushes = _with_alpha(self.ink, EMPTY_STRENGTH), {}
        marked: list[tuple[QRectF, WellLook]] = []
        for well, place in self.geometry.rects.items():
            look = looks.get(well)
            rect = QRectF(*place)
            if look is None or look.mark == "missing":
                self._paint_missing(painter, rect, known=look is not None)
                continue
            colour = look.colour
            if colour not in brushes:
                brushes[colour] = QBrush(QColor(colour) if colour else thin)
            if round_ones:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(brushes[colour])
                self._shape(painter, rect)
            else:
                painter.fillRect(rect, brushes[colour])
            if look.mark or look.text:
                marked.append((rect, look))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for rect, look in marked:
            if look.mark:
                paint_mark(painter, rect, look.mark, self.ink)
        if self.geometry.pitch >= _TEXT_PITCH:
            self._paint_texts(painter, marked)

    def _paint_names(self, painter: QPainter) -> None:
        geometry, font = self.geometry, names_font(self.font, self.geometry.shape)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(_with_alpha(self.ink, 0.75))
        widest = metrics.horizontalAdvance("00") + 4
        for column, name in geometry.named_columns(widest):
            painter.drawText(self._column_name(column, widest), Qt.AlignmentFlag.AlignCenter, name)
        for row, name in geometry.named_rows(metrics.height() * 0.8):
            painter.drawText(self._row_name(row), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, name)

    def _column_name(self, column: int, widest: float) -> QRectF:
        geometry = self.geometry
        x = geometry.left + (column - 1) * geometry.pitch
        return QRectF(x - widest, 0, geometry.pitch - geometry.gap * (not geometry.is_round) + 2 * widest, geometry.top)

    def _row_name(self, row: int) -> QRectF:
        geometry = self.geometry
        return QRectF(0, geometry.top + (row - 1) * geometry.pitch - 8, geometry.left - 5, geometry.pitch + 16)

    def _paint_missing(self, painter: QPainter, rect: QRectF, *, known: bool) -> None:
        """Outline a well that was not imaged; dotted where the plate map knows it."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if rect.width() >= 8:
            style = Qt.PenStyle.DotLine if known else Qt.PenStyle.SolidLine
            painter.setPen(QPen(_with_alpha(self.ink, 0.45 if known else 0.13), 1, style))
            self._shape(painter, rect.adjusted(0.5, 0.5, -0.5, -0.5))
        else:  # too small for dots: a point, or nothing, in the middle
            side = max(1.0, rect.width() / 4)
            middle = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
            painter.fillRect(middle, _with_alpha(self.ink, 0.5 if known else 0.15))

    def _paint_texts(self, painter: QPainter, looks: Iterable[tuple[QRectF, WellLook]]) -> None:
        """Write values into wells that are large enough."""
        painter.setFont(self.font)
        metrics = QFontMetricsF(self.font)
        for rect, look in looks:
            if not look.text or not look.colour or look.mark not in {"", "partly"}:
                continue
            inner = rect.adjusted(4, 0, -4, 0)
            painter.setPen(QColor(ink_on(look.colour)))
            words = metrics.elidedText(look.text, Qt.TextElideMode.ElideRight, inner.width())
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, words)

    def paint_selection(self, painter: QPainter, wells: frozenset[str], shown: str) -> None:
        """Outline the chosen wells, and more strongly the one that is shown."""
        if len(wells) > 1:
            outline = QPainterPath()
            for x0, y0, x1, y1 in self.geometry.outline(wells):
                outline.moveTo(x0, y0)
                outline.lineTo(x1, y1)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            for pen in (QPen(DARK, 3), QPen(QColor(255, 255, 255), 1)):
                pen.setCapStyle(Qt.PenCapStyle.SquareCap)
                painter.setPen(pen)
                painter.drawPath(outline)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        if shown:
            self.paint_ring(painter, shown, 2.5)

    def paint_ring(self, painter: QPainter, well: str, width: float) -> None:
        """Outline a well so that it stands out on any colour: dark within light."""
        rect = QRectF(*self.geometry.rect(well)).adjusted(-0.5, -0.5, 0.5, 0.5)
        width = min(width, max(1.0, self.geometry.pitch * 0.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(DARK, width + 2), QPen(QColor(255, 255, 255), width)):
            painter.setPen(pen)
            self._shape(painter, rect)

    def paint_dimmed(self, painter: QPainter, bright: frozenset[str], background: QColor) -> None:
        """Let all wells but some step back."""
        veil = QBrush(_with_alpha(background, 0.78))
        for well in self.colouring.wells:
            if well not in bright:
                painter.fillRect(QRectF(*self.geometry.rect(well)).adjusted(-0.5, -0.5, 0.5, 0.5), veil)

    def paint_place(self, painter: QPainter, well: str) -> None:
        """Name the row and the column of the well under the mouse, also where not every one is named."""
        row, column = well_position(well)
        font = names_font(self.font, self.geometry.shape)
        font.setBold(True)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        middle, beside = self._column_name(column, 0), self._row_name(row)
        names = (
            (str(column), QPointF(middle.center().x(), middle.center().y())),
            (
                row_letters(row),
                QPointF(beside.right() - metrics.horizontalAdvance(row_letters(row)) / 2, beside.center().y()),
            ),
        )
        for name, centre in names:
            width, height = metrics.horizontalAdvance(name) + 5, metrics.height() - 1
            box = QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.ink)
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(QColor(ink_on(self.ink.name())))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)

    def _shape(self, painter: QPainter, rect: QRectF) -> None:
        if self.geometry.is_round:
            painter.drawEllipse(rect)
        elif self.geometry.pitch >= _ROUNDED_PITCH:
            radius = min(2.5, rect.width() / 5)
            painter.drawRoundedRect(rect, radius, radius)
        else:
            painter.drawRect(rect)


def _with_alpha(colour: QColor, alpha: float) -> QColor:
    colour = QColor(colour)
    colour.setAlphaF(alpha)
    return colour


def paint_mark(painter: QPainter, rect: QRectF, mark: Mark, ink: QColor) -> None:
    """Paint what a colour cannot say: a failed, tied, undecided, empty, … well; the legend uses it too."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if mark == "failed":
        inner = rect.adjusted(*(rect.width() * part for part in (0.28, 0.28, -0.28, -0.28)))
        width = min(max(1.2, rect.width() * 0.11), 5.0)
        for pen in (QPen(DARK, width * 2.2), QPen(FAILED, width)):  # cased in dark, to stand out on any colour
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())
    elif mark == "partly":
        radius = min(max(1.5, rect.width() * 0.15), 5.0)
        inset = max(radius * 1.3, rect.width() * 0.1)
        painter.setPen(QPen(DARK, max(0.8, radius * 0.4)))
        painter.setBrush(FAILED)
        painter.drawEllipse(QPointF(rect.right() - inset, rect.top() + inset), radius, radius)
    elif mark == "tie":
        painter.setPen(QPen(_with_alpha(ink, 0.75), max(1.2, rect.width() * 0.08)))
        for share in (0.4, 0.6):
            y = rect.top() + rect.height() * share
            left, right = rect.left() + rect.width() * 0.28, rect.right() - rect.width() * 0.28
            painter.drawLine(QPointF(left, y), QPointF(right, y))
    elif mark == "undecided":
        painter.setPen(QPen(_with_alpha(ink, 0.75), max(1.2, rect.width() * 0.08)))
        width = rect.width() * 0.16
        zigzag = QPainterPath(QPointF(rect.center().x() - 1.5 * width, rect.center().y() + 0.5 * width))
        for x, y in ((-0.75, -0.5), (0, 0.5), (0.75, -0.5), (1.5, 0.5)):
            zigzag.lineTo(rect.center().x() + width * x, rect.center().y() + width * y)
        painter.drawPath(zigzag)
    elif mark == "empty":
        painter.setPen(QPen(_with_alpha(ink, 0.6), max(1.0, rect.width() * 0.06)))
        size = max(1.5, rect.width() * 0.2)
        painter.drawEllipse(rect.center(), size, size)
    elif mark == "unknown":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_with_alpha(ink, 0.45))
        size = max(0.8, rect.width() * 0.1)
        painter.drawEllipse(rect.center(), size, size)
    elif mark == "missing":
        painter.setPen(QPen(_with_alpha(ink, 0.5), 1, Qt.PenStyle.DotLine))
        painter.drawEllipse(rect)
