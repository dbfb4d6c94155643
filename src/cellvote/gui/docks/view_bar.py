"""A row of buttons: field, well or plate on the canvas; z and time as sliders; the contrast chosen anew."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from psygnal import SignalInstance
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from cellvote.gui.look import Scope
from cellvote.gui.session import Session
from cellvote.plates.stacks import timepoints, z_planes

_WELL: Final = "All fields of the well, by their stage positions, in a grid where there are none"
_PLATE: Final = "The whole plate, a small picture of every well; double-click one to see it, Esc to go back"
_IMAGES: Final = "Every image, small; double-click one to see it, Esc to go back"
_SCOPES: Final[tuple[tuple[Scope, str, str], ...]] = (
    ("field", "Field", "One field"),
    ("well", "Well", _WELL),
    ("plate", "Plate", _PLATE),
)


_STYLE: Final = """
QToolButton { padding: 3px 8px; border-radius: 3px; background: rgba(127, 127, 127, 45); }
QToolButton:hover { background: rgba(127, 127, 127, 90); }
QToolButton:checked { background: #4461c6; color: white; }
QToolButton:disabled { color: rgba(127, 127, 127, 130); }
"""


class ViewBar(QWidget):
    """Chooses what is on the canvas.

    Parameters
    ----------
    session
        What the docks of one viewer share.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._look = session.look
        self.setStyleSheet(_STYLE)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.scopes: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        for scope, title, words in _SCOPES:
            button = _toggle(title, words)
            button.clicked.connect(partial(self._on_scope_clicked, scope))
            self._group.addButton(button)
            self.scopes[scope] = button
            layout.addWidget(button)
        layout.addSpacing(8)
        self.z_button = _toggle("z planes", "Walk through the z-planes with a slider; else they are shown projected")
        self.z_button.clicked.connect(self._on_z_clicked)
        self.time_button = _toggle("Time", "Walk through the timepoints with a slider; else the first is shown")
        self.time_button.clicked.connect(self._on_time_clicked)
        self.contrast_button = QToolButton()
        self.contrast_button.setText("Reset contrast")
        self.contrast_button.setToolTip("Choose the contrast of every channel anew, from fields all over the study")
        self.contrast_button.clicked.connect(self._on_contrast_clicked)
        for button in (self.z_button, self.time_button):
            layout.addWidget(button)
        layout.addStretch(1)
        layout.addWidget(self.contrast_button)
        events, state = self._look.events, session.state.events
        self._connections: list[tuple[SignalInstance, Callable[..., Any]]] = []
        for signal in (events.scope, events.by_z, events.by_time, state.key, state.study):
            signal.connect(self._on_look_changed)
            self._connections.append((signal, self._on_look_changed))
        self.destroyed.connect(partial(_disconnect, self._connections))
        self._on_look_changed()

    def _on_look_changed(self) -> None:
        self.scopes[self._look.scope].setChecked(True)
        self.z_button.setChecked(self._look.by_z)
        self.time_button.setChecked(self._look.by_time)
        state = self._session.state
        study, key = state.study, state.key
        if study is None or key is None:
            return
        planes = study.planes_of(key)
        z = study.info.reading.z
        self.z_button.setVisible(bool(z_planes(planes)))
        self.z_button.setText("z planes")
        self.z_button.setToolTip(f"Walk through the z-planes with a slider; else they are shown as one ({_words(z)})")
        self.time_button.setVisible(bool(timepoints(planes)))
        several = len(state.fields_of(key.plate, key.well)) > 1
        self.scopes["well"].setEnabled(several and bool(key.well))
        self.scopes["well"].setToolTip(_WELL if several else "This well has one field")
        self.scopes["well"].setVisible(bool(key.well))
        self.scopes["field"].setText("Field" if key.well else "Image")
        self.scopes["plate"].setText("Plate" if key.well else "All images")
        self.scopes["plate"].setToolTip(_PLATE if key.well else _IMAGES)

    def _on_scope_clicked(self, scope: Scope) -> None:
        self._look.scope = scope

    def _on_z_clicked(self) -> None:
        self._look.by_z = self.z_button.isChecked()

    def _on_time_clicked(self) -> None:
        self._look.by_time = self.time_button.isChecked()

    def _on_contrast_clicked(self) -> None:
        self._session.reset_contrast()


def _words(z: str | int) -> str:
    return {"max": "maximum", "median": "median", "projection": "the microscope's projection"}.get(
        str(z), f"the plane {z}"
    )


def _toggle(title: str, words: str) -> QToolButton:
    button = QToolButton()
    button.setText(title)
    button.setToolTip(words)
    button.setCheckable(True)
    return button


def _disconnect(connections: list[tuple[SignalInstance, Callable[..., Any]]]) -> None:
    for signal, slot in connections:
        signal.disconnect(slot, missing_ok=True)
    connections.clear()
