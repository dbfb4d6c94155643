"""One file name, large, in which parts are selected with the mouse and marked parts stand in colour."""

import re

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QFontMetricsF, QMouseEvent, QTextCharFormat, QTextCursor, QTextOption
from qtpy.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from cellvote.gui.pattern_table import INK, ROLE_COLOURS, name_font
from cellvote.plates.pattern_marks import Marks, Span, tokens_of


class NameMarker(QPlainTextEdit):
    """Shows a name; a click selects what stands between separators, a double click a number or word, a drag anything.

    Signals
    -------
    partSelected(int, int)
        First and last (exclusive) character of what is selected; equal where nothing is.
    """

    partSelected = Signal(int, int)  # noqa: N815 (Qt's spelling)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks: Marks = {}
        font = name_font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        self.setFont(font)
        self.setReadOnly(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setWordWrapMode(QTextOption.WrapMode.WrapAnywhere)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Example of a file name")
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)
        self.selectionChanged.connect(self._on_selection_changed)

    def name(self) -> str:
        """The name that is shown."""
        return self.toPlainText()

    def set_name(self, name: str) -> None:
        """Show a name, with nothing marked."""
        self._marks = {}
        self.setPlainText(name)
        self._colour()

    def set_marks(self, marks: Marks) -> None:
        """Show marked parts, and forget what is selected."""
        self._marks = dict(marks)
        cursor = self.textCursor()
        cursor.clearSelection()
        self.setTextCursor(cursor)
        self._colour()

    def marks(self) -> Marks:
        """The marked parts, by role."""
        return self._marks

    def selected(self) -> Span:
        """First and last (exclusive) character of what is selected."""
        cursor = self.textCursor()
        return cursor.selectionStart(), cursor.selectionEnd()

    def select(self, start: int, end: int) -> None:
        """Select a part."""
        cursor = self.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def _colour(self) -> None:
        shown = []
        for role, (start, end) in self._marks.items():
            one = QTextEdit.ExtraSelection()
            look = QTextCharFormat()
            look.setBackground(QColor(ROLE_COLOURS[role]))
            look.setForeground(INK)
            one.format = look
            one.cursor = QTextCursor(self.document())
            one.cursor.setPosition(start)
            one.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            shown.append(one)
        self.setExtraSelections(shown)

    def _on_selection_changed(self) -> None:
        self.partSelected.emit(*self.selected())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name, as of every method below)
        """Where nothing was dragged, select what stands between two separators."""
        super().mouseReleaseEvent(event)
        start, end = self.selected()
        if start == end and event.button() == Qt.MouseButton.LeftButton:
            at = self.cursorForPosition(event.position().toPoint()).position()
            self.select(*_around(self.name(), at, [(m.start(), m.end()) for m in _PARTS.finditer(self.name())]))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Select a number, or a word."""
        at = self.cursorForPosition(event.position().toPoint()).position()
        self.select(*_around(self.name(), at, [(token.start, token.end) for token in tokens_of(self.name())]))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Two lines."""
        return QSize(600, int(2 * QFontMetricsF(self.font()).lineSpacing()) + 16)


_PARTS = re.compile(r"[^\W_]+")


def _around(name: str, at: int, spans: list[Span]) -> Span:
    return next(((a, b) for a, b in spans if a <= at < b or (at == b == len(name))), (at, at))
