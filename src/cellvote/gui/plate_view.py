"""The plate as a picture: 6 to 1536 wells, painted; hover for facts, click, drag or use the keys to choose."""

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from cellvote.gui.plate_colouring import PlateColouring
from cellvote.gui.plate_geometry import PlateGeometry
from cellvote.gui.plate_painting import PlatePainter, margins

_MOVES: Final[dict[Any, tuple[int, int]]] = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
_FIELD_STEPS: Final[dict[Any, int]] = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
_SHIFT: Final = Qt.KeyboardModifier.ShiftModifier
_CONTROL: Final = Qt.KeyboardModifier.ControlModifier
_LEAST_HEIGHT: Final = 230
"""A plate is not squeezed below this where its wells could be larger."""

_LEFT: Final = Qt.MouseButton.LeftButton


class PlateView(QWidget):
    """Paints a coloured plate and tells which wells were chosen.

    The picture of the wells is kept: the mouse moves over it without it being painted again.

    Signals
    -------
    wellClicked(str)
        A well was clicked.
    wellToggled(str)
        A well was clicked with the control key.
    boxChosen(str, str)
        The wells between two corners were chosen by dragging; by a click with the shift key, where the first
        corner is empty: the one that was chosen before.
    wellHovered(str)
        The mouse came to a well; empty where it is beside the plate.
    moveRequested(int, int)
        An arrow key asks to go so many rows and columns on.
    extendRequested(int, int)
        With the shift key: to choose more wells that way.
    fieldStepRequested(int)
        Page up or page down asks for the previous or next field.
    allRequested(), oneRequested(), copyRequested()
        All wells, only the shown one, or a copy of what is chosen is asked for.
    """

    wellClicked = Signal(str)  # noqa: N815 (Qt's spelling, as of every signal of a widget)
    wellToggled = Signal(str)  # noqa: N815
    boxChosen = Signal(str, str)  # noqa: N815
    wellHovered = Signal(str)  # noqa: N815
    moveRequested = Signal(int, int)  # noqa: N815
    extendRequested = Signal(int, int)  # noqa: N815
    fieldStepRequested = Signal(int)  # noqa: N815
    allRequested = Signal()  # noqa: N815
    oneRequested = Signal()  # noqa: N815
    copyRequested = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colouring = PlateColouring()
        self._selected = ""
        self._chosen: frozenset[str] = frozenset()
        self._bright: frozenset[str] | None = None
        self._hovered = self._pressed = self._corner = ""
        self._painted: tuple[PlatePainter, QPixmap] | None = None
        self._tooltip_of: Callable[[str], str] = lambda well: well
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Plate view")
        self.setMinimumSize(220, 130)
        self._fit_height()
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
        self._paint_anew()

    def selected(self) -> str:
        """The well that is shown."""
        return self._selected

    def chosen(self) -> frozenset[str]:
        """The wells that are outlined."""
        return self._chosen

    def set_selected(self, well: str, chosen: frozenset[str] = frozenset()) -> None:
        """Outline the well that is shown, and all that are chosen with it."""
        self._selected, self._chosen = well, chosen or frozenset({well} - {""})
        self.update()

    def set_bright(self, wells: frozenset[str] | None) -> None:
        """Let these wells stand out, or none in particular."""
        if wells != self._bright:
            self._bright = wells
            self.update()

    def set_tooltips(self, tooltip_of: Callable[[str], str]) -> None:
        """Say what a well's tooltip is, as HTML; asked for when the mouse rests on it."""
        self._tooltip_of = tooltip_of

    # Where things are

    def _geometry(self, width: float, height: float) -> PlateGeometry:
        shape = self._colouring.shape
        return PlateGeometry.fit(shape, (width, height), margins(self.font(), shape), self.devicePixelRatioF())

    def _painter(self) -> PlatePainter:
        if self._painted is not None:
            return self._painted[0]
        geometry = self._geometry(self.width(), self.height())
        return PlatePainter(geometry, self._colouring, self.font(), self.palette().windowText().color())

    def well_rect(self, well: str) -> QRectF:
        """Where a well is painted."""
        return QRectF(*self._painter().geometry.rect(well))

    def well_at(self, point: QPointF) -> str:
        """Which well lies at a point; empty where none does."""
        return self._painter().geometry.well_at(point.x(), point.y())

    def _height_at(self, width: int) -> int:
        """Give the height at which the wells fill a width."""
        geometry = self._geometry(width, 10 * width)
        return int(geometry.top + geometry.pitch * self._colouring.shape[0]) + 4

    def _fit_height(self) -> None:
        """Take no more height than the wells fill: the legend stands right below them."""
        height = self._height_at(self.width())
        self.setMinimumHeight(min(height, _LEAST_HEIGHT))
        self.setMaximumHeight(max(height, self.minimumHeight()))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name, as of every method below)
        """Fit the height to the new width."""
        super().resizeEvent(event)
        self._paint_anew()
        self._fit_height()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Paint anew with another font or theme."""
        super().changeEvent(event)
        self._paint_anew()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for the width of a dock."""
        return QSize(340, self._height_at(340))

    # Painting

    def _paint_anew(self) -> None:
        self._painted = None
        self.update()

    def _picture(self) -> tuple[PlatePainter, QPixmap]:
        """Give the picture of the wells, painted where something changed."""
        ratio = self.devicePixelRatioF()
        if self._painted is None or self._painted[1].devicePixelRatio() != ratio:
            self._painted = None
            painter = self._painter()
            picture = QPixmap(self.size() * ratio)
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            on_picture = QPainter(picture)
            painter.paint_plate(on_picture)
            on_picture.end()
            self._painted = painter, picture
        return self._painted

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Show the picture of the wells, and on it what is chosen and where the mouse is."""
        del event
        plate, picture = self._picture()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._bright is not None:
            plate.paint_dimmed(painter, self._bright, self.palette().window().color())
        plate.paint_selection(painter, self._chosen, self._selected)
        if self._hovered in self._colouring.wells:
            if self._hovered != self._selected:
                plate.paint_ring(painter, self._hovered, 1.5)
            plate.paint_place(painter, self._hovered)
        painter.end()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the well under the mouse, more wells with shift or control; a drag chooses a box."""
        well = self.well_at(event.position())
        if not well or event.button() != _LEFT:
            return
        self._pressed = self._corner = ""
        if event.modifiers() & _SHIFT:
            self.boxChosen.emit("", well)
        elif event.modifiers() & _CONTROL:
            if well in self._colouring.wells:
                self.wellToggled.emit(well)
        else:
            self._pressed = self._corner = well
            if well in self._colouring.wells:
                self.wellClicked.emit(well)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Outline the well under the mouse; dragging chooses the wells between here and where it began."""
        well = self.well_at(event.position())
        if self._pressed and well and well != self._corner and event.buttons() & _LEFT:
            self._corner = well
            self.boxChosen.emit(self._pressed, well)
        if well == self._hovered:
            return
        self._hovered = well
        there = well in self._colouring.wells
        self.setCursor(Qt.CursorShape.PointingHandCursor if there else Qt.CursorShape.ArrowCursor)
        self.wellHovered.emit(well if there else "")
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End a drag."""
        super().mouseReleaseEvent(event)
        self._pressed = self._corner = ""

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Forget the well under the mouse."""
        del event
        self._hovered = ""
        self.wellHovered.emit("")
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Walk the plate: arrow keys from well to well (shift chooses more), page keys from field to field."""
        key = event.key()
        if key in _MOVES:
            asked = self.extendRequested if event.modifiers() & _SHIFT else self.moveRequested
            asked.emit(*_MOVES[key])
        elif key in _FIELD_STEPS and not event.modifiers() & _CONTROL:
            self.fieldStepRequested.emit(_FIELD_STEPS[key])
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.allRequested.emit()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.copyRequested.emit()
        elif key == Qt.Key.Key_Escape and len(self._chosen) > 1:
            self.oneRequested.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Show a well's facts where the mouse rests; take the keys of the plate before any shortcut does."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            well = self.well_at(QPointF(event.pos()))
            if well in self._colouring.wells:
                QToolTip.showText(event.globalPos(), self._tooltip_of(well), self, self.well_rect(well).toRect())
            else:
                QToolTip.hideText()
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()
            return True
        return bool(super().event(event))

    @staticmethod
    def _takes(event: QKeyEvent) -> bool:
        ours = (QKeySequence.StandardKey.SelectAll, QKeySequence.StandardKey.Copy)
        return event.key() in _MOVES or any(event.matches(key) for key in ours)
