"""What every dock is: a column of widgets that listens to the session for as long as it lives."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from napari.components import ViewerModel
from psygnal import SignalInstance
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from cellvote.gui.session import session_of

_LEAST_WIDTH: Final = 300
_LEAST_HEIGHT: Final = 160

BUTTON_STYLE: Final = """
QToolButton { padding: 4px 8px; border-radius: 2px; background: rgba(127, 127, 127, 60); }
QToolButton:hover { background: rgba(127, 127, 127, 100); }
QToolButton::menu-indicator { image: none; }
"""
"""A tool button that looks like one, its menu's arrow left out: napari draws it over the text."""

QUIET: Final = "#7f8792"
BAD: Final = "#e5534b"
CAUTION: Final = "#c98a1b"
GOOD: Final = "#2f9e6b"
"""Colours of text that can be read on napari's dark and light themes."""

Connection = tuple[SignalInstance, Callable[..., Any]]


class Dock(QWidget):
    """A dock: its widgets go into ``body``, which scrolls where the window is small, and ``foot``, which stays.

    Parameters
    ----------
    viewer
        Given by napari; only its session is kept.
    scrolls
        Whether the body scrolls; else it shrinks with the dock.
    """

    def __init__(self, viewer: ViewerModel, *, scrolls: bool = True) -> None:
        super().__init__()
        self.session = session_of(viewer)
        self.state = self.session.state
        self._connections: list[Connection] = []
        self.body = QVBoxLayout()
        self.body.setContentsMargins(8, 6, 8, 8)
        self.body.setSpacing(6)
        inner = QWidget()
        inner.setLayout(self.body)
        self.scroller = ColumnScroll(inner) if scrolls else None
        self.foot = QVBoxLayout()
        self.foot.setContentsMargins(8, 4, 8, 6)
        self.foot.setSpacing(6)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(inner if self.scroller is None else self.scroller, 1)
        outer.addLayout(self.foot)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.session.attach(self)
        self.destroyed.connect(partial(_disconnect, self._connections))

    @property
    def busy(self) -> bool:
        """Whether what the dock shows is still being read."""
        return False

    def listen(self, signal: SignalInstance, slot: Callable[..., Any]) -> None:
        """Call a slot whenever a signal of the session is emitted, until the dock is destroyed."""
        signal.connect(slot)
        self._connections.append((signal, slot))


class ColumnScroll(QScrollArea):
    """Scrolls up and down only: never narrower than what it shows, so that nothing is cut off at the right."""

    def __init__(self, column: QWidget) -> None:
        super().__init__()
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Ask for more room when the column needs it."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As wide as the column and its scroll bar."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(max(self.widget().minimumSizeHint().width() + bar, _LEAST_WIDTH), _LEAST_HEIGHT)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As high as the column, where there is room."""
        hint = self.widget().sizeHint()
        return QSize(max(hint.width(), self.minimumSizeHint().width()), hint.height())


def _disconnect(connections: list[Connection]) -> None:
    for signal, slot in connections:
        signal.disconnect(slot, missing_ok=True)
    connections.clear()


def text_label(text: str = "", *, quiet: bool = False) -> QLabel:
    """Make a label that wraps; a quiet one is dimmer."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    if quiet:
        label.setStyleSheet(f"color: {QUIET};")
    return label


def heading(text: str) -> QLabel:
    """Make the title of a part of a dock."""
    label = QLabel(text)
    label.setStyleSheet("font-weight: bold; padding-top: 4px;")
    return label


def row(*widgets: QWidget | str) -> QWidget:
    """Put widgets side by side; the first that may grow takes what is left."""
    line = QWidget()
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(QLabel(widget) if isinstance(widget, str) else widget)
    return line


def align_titles(*rows: QWidget) -> None:
    """Let what stands beside the titles of rows begin at the same place."""
    titles = [title for one in rows if (title := one.findChild(QLabel)) is not None]
    widest = max((title.sizeHint().width() for title in titles), default=0)
    for title in titles:
        title.setMinimumWidth(widest)


def combo(tooltip: str, *, least: int = 8) -> QComboBox:
    """Make a choice that takes the room there is, however long its entries, and at least so many characters."""
    box = QComboBox()
    box.setToolTip(tooltip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(least)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def fill_combo(box: QComboBox, entries: Sequence[tuple[Any, str]], chosen: Any) -> None:
    """Offer entries (value and title) and choose one, without telling anyone."""
    box.blockSignals(True)
    box.clear()
    for value, title in entries:
        box.addItem(title, value)
    box.setCurrentIndex(max(box.findData(chosen), 0) if entries else -1)
    box.setEnabled(bool(entries))
    box.blockSignals(False)
