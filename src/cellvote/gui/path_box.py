"""The input for a setting that names a file or folder."""

from typing import Any, Final

from qtpy.QtCore import Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget

AUTOMATIC: Final = "automatic"
"""What an empty input stands for."""


class PathBox(QWidget):
    """The path of a file or folder, typed, dropped or chosen; empty is automatic.

    Parameters
    ----------
    empty
        What it gives where there is no path.
    of_file
        Whether it names a file; else a folder.
    """

    changed = Signal()

    def __init__(self, empty: str | None = None, parent: QWidget | None = None, *, of_file: bool = False) -> None:
        super().__init__(parent)
        self._empty = empty
        self._of_file = of_file
        self.line = QLineEdit()
        self.line.setPlaceholderText(AUTOMATIC)
        self.line.textChanged.connect(lambda _text: self.changed.emit())
        self.browse_button = QToolButton()
        self.browse_button.setText("…")
        self.browse_button.setToolTip("Choose a file" if self._of_file else "Choose a folder")
        self.browse_button.clicked.connect(self._on_browse_clicked)
        self.setAcceptDrops(True)
        self.setFocusProxy(self.line)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.browse_button)

    def value(self) -> str | None:
        """Give the path."""
        return str(self.line.text()).strip() or self._empty

    def set_value(self, value: Any) -> None:
        """Show a path."""
        self.line.setText("" if value is None else str(value))

    def _on_browse_clicked(self) -> None:
        if self._of_file:
            path, _ = QFileDialog.getOpenFileName(self, "Choose a file", self.value() or "")
        else:
            path = QFileDialog.getExistingDirectory(self, "Choose a folder", self.value() or "")
        if path:
            self.line.setText(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 (Qt's name)
        """Take what lies on this computer."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show what was dropped."""
        self.line.setText(event.mimeData().urls()[0].toLocalFile())
