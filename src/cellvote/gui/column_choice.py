"""The choice of what a plate is coloured by: grouped, and searched by typing, for there may be hundreds."""

from collections.abc import Mapping
from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QMouseEvent, QPalette, QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QCompleter, QLineEdit, QListView, QSizePolicy

from cellvote.gui.plate_columns import Choice

_WIDEST: Final = 460
"""Lists are as wide as their names, up to this: else the ends of long names could not be told apart."""

_GROUND, _INK, _CHOSEN = QPalette.ColorRole.Window, QPalette.ColorRole.WindowText, QPalette.ColorRole.Mid


class ColumnChoice(QComboBox):
    """A list under headings; typing a part of a name offers what contains it, Enter takes the first.

    Signals
    -------
    columnChosen(str)
        The key of what was chosen.
    """

    columnChosen = Signal(str)  # noqa: N815 (Qt's spelling)

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[str, Choice] = {}
        self._rows = QStandardItemModel(self)
        self.setEditable(True)
        self.setLineEdit(_Search())
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setModel(self._rows)
        self.setMaxVisibleItems(24)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        view = self.view()
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        if isinstance(view, QListView):
            view.setUniformItemSizes(True)
        completer = self.completer()
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setMaxVisibleItems(16)
        completer.popup().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.lineEdit().textEdited.connect(self._dress_popup)
        self.currentIndexChanged.connect(self._on_index_changed)
        self.lineEdit().returnPressed.connect(self._on_return_pressed)
        self.lineEdit().editingFinished.connect(self._restore_text)

    def choices(self) -> list[str]:
        """The keys that are offered, without the headings."""
        return list(self._choices)

    def fill(self, choices: Mapping[str, Choice], chosen: str) -> None:
        """Offer these and choose one, without telling anyone."""
        self.blockSignals(True)
        if self._choices != choices:
            self._choices = dict(choices)
            self._rows.clear()
            group = ""
            for choice in choices.values():
                if choice.group != group:
                    group = choice.group
                    self._rows.appendRow(_heading(group))
                item = QStandardItem(choice.title)
                item.setData(choice.key, Qt.ItemDataRole.UserRole)
                item.setToolTip(choice.title)
                self._rows.appendRow(item)
            names = max((self.fontMetrics().horizontalAdvance(one.title) for one in choices.values()), default=0)
            for view in (self.view(), self.completer().popup()):
                view.setMinimumWidth(min(names + 40, _WIDEST))
        self.setCurrentIndex(self.findData(chosen) if chosen else -1)
        self.setEnabled(bool(choices))
        self.blockSignals(False)
        self._restore_text()

    def choose(self, key: str) -> None:
        """Choose by key; nothing happens where it is not offered."""
        row = self.findData(key)
        if row >= 0:
            self.setCurrentIndex(row)

    def _on_index_changed(self) -> None:
        key = self.currentData()
        if key:
            self._restore_text()
            self.columnChosen.emit(key)

    def _on_return_pressed(self) -> None:
        """Take what is typed where it is a name, else the first that contains it."""
        found = self.completer().completionModel()
        typed = self.currentText()
        names = [found.index(row, 0).data() for row in range(found.rowCount())] if typed else []
        keys = [key for key, choice in self._choices.items() if choice.title in {typed, *names}]
        exact = [key for key in keys if self._choices[key].title.casefold() == typed.casefold()]
        if keys:
            self.choose((exact or keys)[0])
        self._restore_text()

    def _dress_popup(self) -> None:
        """Give what is found the colours of the window: a popup of its own does not take them."""
        colours = self.palette()
        ground, ink, chosen = (colours.color(role).name() for role in (_GROUND, _INK, _CHOSEN))
        self.completer().popup().setStyleSheet(
            f"QListView {{ background-color: {ground}; color: {ink}; border: 1px solid {chosen}; }}"
            f"QListView::item:selected {{ background-color: {chosen}; color: {ink}; }}"
        )

    def _restore_text(self) -> None:
        """Say what is chosen, whatever was typed."""
        self.setEditText(self.itemText(self.currentIndex()) if self.currentIndex() >= 0 else "")
        self.lineEdit().setCursorPosition(0)
        shown = f"{self.currentText()}\n" if self.currentText() else ""
        self.setToolTip(f"{shown}What the wells are coloured by. Type a part of a name to search.")


def _heading(text: str) -> QStandardItem:
    item = QStandardItem(text)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


class _Search(QLineEdit):
    """A line that is ready to be typed over when it is clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Search …")

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Choose all of the text on the first click."""
        fresh = not self.hasFocus()
        super().mousePressEvent(event)
        if fresh:
            self.selectAll()
