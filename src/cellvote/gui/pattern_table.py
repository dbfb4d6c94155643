"""The live table of a pattern: what it gives for each file name, the matched parts in colour."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QPainter
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from cellvote.plates.patterns import NO_MATCH, READ, ROLES, TWICE, UNREADABLE, NamesRead, plate_of_folders, well_of

Index = QModelIndex | QPersistentModelIndex

ROLE_TITLES: Final = {
    "well": "Well",
    "row": "Row",
    "column": "Column",
    "field": "Field",
    "channel": "Channel",
    "z": "z",
    "timepoint": "Time",
    "plate": "Plate",
}

ROLE_COLOURS: Final = {
    "well": "#ffb14e",
    "row": "#ffb14e",
    "column": "#ffd54a",
    "field": "#5cc8ff",
    "channel": "#7be08a",
    "z": "#d59bff",
    "timepoint": "#ff9ecb",
    "plate": "#b7c0cc",
}
"""One colour for each role; all are light, and stand behind dark letters."""

INK: Final = QColor("#15181d")
BAD: Final = QColor("#ff8a80")

COLUMN_ROLES: Final = ("plate", "well", "field", "channel", "z", "timepoint")
_SPANS: Final = int(Qt.ItemDataRole.UserRole) + 1


def name_font() -> QFont:
    """The font that file names are written in: all characters as wide."""
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)


class NameTable(QAbstractTableModel):
    """Names and what a pattern gives for each; nothing is computed for rows that are not seen."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._bases: list[tuple[int, str]] = [(0, "")]
        self._read: NamesRead | None = None
        self._rows: np.ndarray[Any, Any] = np.arange(0)
        self._kind: int | None = None

    def set_folders(self, folders: Sequence[tuple[str, Sequence[str]]], names: list[str]) -> None:
        """Show these names: folders and the paths below each, and all these paths in a row."""
        self.beginResetModel()
        self._names = names
        starts = np.cumsum([0, *(len(below) for _, below in folders)]).tolist()
        self._bases = [(start, folder) for start, (folder, _) in zip(starts, folders, strict=False)] or [(0, "")]
        self._read = None
        self._choose_rows()
        self.endResetModel()

    def set_read(self, read: NamesRead | None) -> None:
        """Show what a pattern gave; None where it gave nothing."""
        if self._kind is None:  # the same rows: what is chosen and where one has scrolled to stays
            self._read = read
            last = self.index(max(self.rowCount() - 1, 0), self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self._read = read
        self._choose_rows()
        self.endResetModel()

    def show_only(self, state: int | None) -> None:
        """Show only names that this came of (one of the states of `patterns`); all for None."""
        self.beginResetModel()
        self._kind = state
        self._choose_rows()
        self.endResetModel()

    def _choose_rows(self) -> None:
        if self._kind is None or self._read is None:
            self._rows = np.arange(len(self._names))
        else:
            self._rows = np.flatnonzero(np.frombuffer(self._read.state, np.uint8) == self._kind)

    def name_at(self, row: int) -> int:
        """The number of the name in a row."""
        return int(self._rows[row])

    # What Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008 (Qt's name and default)
        """Count the names that are shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """Count the columns: the name, what it gives, and what is wrong."""
        return 0 if parent.isValid() else len(COLUMN_ROLES) + 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        """Name the columns."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            return f"{self._rows[section] + 1:,}"
        return ("File", *(ROLE_TITLES[name] for name in COLUMN_ROLES), "")[section]

    def data(self, index: Index, role: int = 0) -> Any:
        """Give what stands in a cell."""
        number = self.name_at(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(number, index.column())
        if role == Qt.ItemDataRole.ToolTipRole and index.column() in {0, len(COLUMN_ROLES) + 1}:
            return "\n".join(filter(None, (self._names[number], self._wrong(number))))
        if role == Qt.ItemDataRole.ForegroundRole and self._state(number) in {NO_MATCH, UNREADABLE, TWICE}:
            return BAD if index.column() == len(COLUMN_ROLES) + 1 else None
        if role == _SPANS:
            return self.spans(number)
        return None

    def spans(self, number: int) -> dict[str, tuple[int, int]]:
        """Where each role lies in a name."""
        if self._read is None or self._read.state[number] == NO_MATCH:
            return {}
        found = {role: self._read.span(number, role) for role in ROLES}
        return {role: span for role, span in found.items() if span is not None}

    def _state(self, number: int) -> int:
        return READ if self._read is None else self._read.state[number]

    def _text(self, number: int, column: int) -> str:
        if column == 0:
            return self._names[number]
        if column == len(COLUMN_ROLES) + 1:
            return self._wrong(number)
        if self._read is None or self._read.state[number] == NO_MATCH:
            return ""
        return self._value(number, COLUMN_ROLES[column - 1], self._read)

    def _value(self, number: int, role: str, read: NamesRead) -> str:
        texts = read.texts(number, self._names[number])
        if role == "plate":
            return texts.get("plate") or self._plate(number)
        if role == "well":
            try:
                return well_of(texts)
            except ValueError:
                return "?"
        text = texts.get(role, "")
        if role in read.shifts and text.isdecimal():
            return str(int(text) + read.shifts[role])
        return str(int(text)) if text.isdecimal() and role != "channel" else text

    def _plate(self, number: int) -> str:
        base = next(folder for start, folder in reversed(self._bases) if start <= number)
        return plate_of_folders([*PurePosixPath(base).parts[1:], *PurePosixPath(self._names[number]).parts[:-1]])

    def _wrong(self, number: int) -> str:
        state = self._state(number)
        if state == NO_MATCH:
            return "does not fit"
        if state == UNREADABLE:
            return "no well, or no number"
        if state == TWICE and self._read is not None:
            return f"same as row {self._read.partner[number] + 1:,}"
        return ""


class NameDelegate(QStyledItemDelegate):
    """Paints a name with its matched parts in colour."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one name."""
        plain = QStyleOptionViewItem(option)
        self.initStyleOption(plain, index)
        text, plain.text = plain.text or "", ""
        plain.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, plain, painter, plain.widget)
        painter.save()
        painter.setClipRect(plain.rect)
        font = name_font()
        painter.setFont(font)
        ink = plain.palette.text().color()
        paint_name(painter, QRectF(plain.rect).adjusted(4, 1, -2, -1), text, index.data(_SPANS) or {}, ink)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802 (Qt's name)
        """As wide as the name."""
        del option
        metrics = QFontMetricsF(name_font())
        return QSize(int(metrics.horizontalAdvance(index.data() or "")) + 12, int(metrics.height()) + 4)


def paint_name(painter: QPainter, rect: QRectF, name: str, spans: dict[str, tuple[int, int]], ink: QColor) -> None:
    """Paint a name on one line, the parts with a role on their colours; where there is too little room, its end."""
    metrics = QFontMetricsF(painter.font())
    roles = {span: role for role, span in spans.items()}
    bounds = sorted({0, len(name), *(at for span in spans.values() for at in span)})
    x = rect.left() + min(0.0, rect.width() - metrics.horizontalAdvance(name))
    for start, end in pairwise(bounds):
        part = name[start:end]
        width = metrics.horizontalAdvance(part)
        role = roles.get((start, end))
        if role is not None:
            painter.fillRect(QRectF(x, rect.top() + 1, width, rect.height() - 2), QColor(ROLE_COLOURS[role]))
        painter.setPen(INK if role is not None else ink)
        painter.drawText(QRectF(x, rect.top(), width + 2, rect.height()), Qt.AlignmentFlag.AlignVCenter, part)
        x += width
