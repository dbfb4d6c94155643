"""A part of a form that is folded away: what is in it, and how much of it was changed."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLayout, QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A button, and below it rows that are made when it is first unfolded.

    Parameters
    ----------
    title
        Of a group of settings; empty where it is the only one.
    names
        The settings in it.

    Signals
    -------
    unfolded(Fold)
        It is opened.
    """

    unfolded = Signal(object)

    def __init__(self, title: str, names: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.names = title, tuple(names)
        self._words = ""
        self.button = QToolButton()
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; padding: 2px 0; }")
        self.button.setToolTip("Settings that are rarely changed")
        self.button.toggled.connect(self._on_toggled)
        self._body = QWidget()
        self._body.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(self._body)
        self._show()

    def set_rows(self, rows: QLayout) -> None:
        """Put rows into it."""
        self._body.setLayout(rows)

    def tell(self, n: int, changed: int) -> None:
        """Say how many settings are in it, and how many of them were changed; none: it is not shown."""
        self._words = f" · {changed} changed" if changed else ""
        self._n = n
        self.setVisible(n > 0)
        self._show()

    _n = 0

    def _on_toggled(self, unfolded: bool) -> None:
        if unfolded:
            self.unfolded.emit(self)
        self._body.setVisible(unfolded)
        self._show()

    def _show(self) -> None:
        open_ = self.button.isChecked()
        self.button.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        if self.title:
            words = self.title if open_ else f"{self.title} ({self._n})"
        else:
            words = "More settings" if open_ else f"{self._n} more settings"
        self.button.setText(words + self._words)
