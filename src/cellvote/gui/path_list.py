"""Asks for one path, or several: a line each."""

from collections.abc import Callable, Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from cellvote.gui.docks.dock import BUTTON_STYLE, row

Ask = Callable[[str], list[str]]
"""Asks for paths with a dialog, beginning at one; gives none where the person changed their mind."""


class PathList(QWidget):
    """A line for each path; more lines come with the button below them.

    Parameters
    ----------
    placeholder
        What the first line asks for.
    more
        What the button for another line says.
    asks
        What the button beside the first line offers: words and dialogs.

    Signals
    -------
    changed
        Another path was given, or one was taken away.
    """

    changed = Signal()

    def __init__(self, placeholder: str, more: str, asks: Mapping[str, Ask], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ask = next(iter(asks.values()))
        self._lines: list[tuple[QLineEdit, QWidget]] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self.first = QLineEdit()
        self.first.setPlaceholderText(placeholder)
        self.first.textChanged.connect(self._on_changed)
        self._column.addWidget(row(self.first, self._browse_button(asks)))
        self.more_button = QPushButton(f"+ {more}")
        self.more_button.setFlat(True)
        self.more_button.setStyleSheet("text-align: left; color: #7ab8ff; border: none; background: none;")
        self.more_button.clicked.connect(self._on_more_clicked)
        self.more_button.hide()
        self._column.addWidget(self.more_button)

    def _browse_button(self, asks: Mapping[str, Ask]) -> QToolButton:
        """Make the button that asks with a dialog; where there are several, it asks which."""
        button = QToolButton()
        button.setText("…")
        button.setStyleSheet(BUTTON_STYLE)
        button.setToolTip(" or ".join(asks))
        if len(asks) == 1:
            button.clicked.connect(lambda: self._on_browse(self._ask))
            return button
        menu = QMenu(button)
        for words, ask in asks.items():
            menu.addAction(words).triggered.connect(lambda _checked=False, ask=ask: self._on_browse(ask))
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return button

    def paths(self) -> list[str]:
        """Every path that was given, each once."""
        texts = [self.first.text().strip(), *(line.text().strip() for line, _ in self._lines)]
        return list(dict.fromkeys(text for text in texts if text))

    def set_paths(self, paths: list[str]) -> None:
        """Give paths."""
        for _, widget in self._lines:
            widget.deleteLater()
        self._lines.clear()
        self.first.setText(paths[0] if paths else "")
        for path in paths[1:]:
            self.add(path)

    def add(self, path: str) -> None:
        """Give one more path."""
        if not self.first.text().strip():
            self.first.setText(path)
            return
        line = QLineEdit(path)
        line.textChanged.connect(self._on_changed)
        remove = QToolButton()
        remove.setText("×")
        remove.setToolTip("Take this one away")
        widget = row(line, remove)
        entry = (line, widget)
        remove.clicked.connect(lambda: self._remove(entry))
        self._lines.append(entry)
        self._column.insertWidget(self._column.count() - 1, widget)
        self._on_changed()

    def _remove(self, entry: tuple[QLineEdit, QWidget]) -> None:
        self._lines.remove(entry)
        entry[1].hide()
        entry[1].deleteLater()
        self._on_changed()

    def _on_changed(self) -> None:
        self.more_button.setVisible(bool(self.first.text().strip()))
        self.changed.emit()

    def _on_browse(self, ask: Ask) -> None:
        chosen = ask(self.first.text())
        if chosen:
            self.first.setText(chosen[0])
        for path in chosen[1:]:
            self.add(path)

    def _on_more_clicked(self) -> None:
        for path in self._ask(self.paths()[-1]):
            self.add(path)


def ask_folder(parent: QWidget, title: str) -> Ask:
    """Make a way to ask for a folder."""

    def ask(start: str) -> list[str]:
        folder = QFileDialog.getExistingDirectory(parent, title, start)
        return [folder] if folder else []

    return ask


def ask_files(parent: QWidget, title: str, kinds: str = "All files (*)") -> Ask:
    """Make a way to ask for files, one or several."""
    return lambda start: list(QFileDialog.getOpenFileNames(parent, title, start, kinds)[0])
