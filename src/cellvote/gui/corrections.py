"""Correct masks by hand: a button to begin, one to save, and how many fields wait to be measured again."""

from functools import partial
from typing import Final

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cellvote.gui.docks.dock import BAD, QUIET, Connection, heading, row, text_label
from cellvote.gui.session import Session
from cellvote.gui.step_runner import cellvote_step

HOW_TO: Final = (
    "Paint with napari's tools (keys 1 to 7). Another label id is another cell; M takes a new one. Erasing a line "
    "through a cell makes two of it."
)


class CorrectionsBox(QWidget):
    """The part of the Segment dock that corrects the masks of the field that is shown.

    Parameters
    ----------
    session
        Of the viewer.
    dock
        Name of the dock that tells how far measuring is.
    """

    def __init__(self, session: Session, dock: str = "segment") -> None:
        super().__init__()
        self.session = session
        self.correcting = session.correcting
        self._dock = dock
        self.paint_button = QPushButton("Correct by hand")
        self.paint_button.setCheckable(True)
        self.paint_button.setToolTip("Paint on the masks of the field that is shown")
        self.paint_button.clicked.connect(self._on_paint_clicked)
        self.save_button = QPushButton("Save corrections")
        self.save_button.setToolTip("Keep the corrected masks in the study, marked as edited")
        self.save_button.clicked.connect(self.correcting.save)
        self.discard_button = QPushButton("Discard")
        self.discard_button.setToolTip("Show the study's masks of this field again, without what was painted")
        self.discard_button.clicked.connect(self.correcting.discard)
        self.how_to = text_label(HOW_TO, quiet=True)
        self.unsaved_label = text_label()
        self.told_label = text_label("", quiet=True)
        self.measure_label = text_label()
        self.measure_button = QPushButton("Measure these")
        self.measure_button.setToolTip("Measure the corrected fields again, and no other")
        self.measure_button.clicked.connect(self._on_measure_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.measure_row = row(self.measure_label, self.measure_button)
        for widget in (
            heading("Corrections"),
            self.paint_button,
            self.how_to,
            self.unsaved_label,
            row(self.save_button, self.discard_button),
            self.told_label,
            self.measure_row,
        ):
            layout.addWidget(widget)
        state = session.state
        connections: list[Connection] = [
            (self.correcting.changed, self._show),
            (self.correcting.told, self._on_told),
            (state.events.running, self._show),
            (state.events.study, self._show),
        ]
        for signal, slot in connections:
            signal.connect(slot)
        self.destroyed.connect(partial(_disconnect, connections))
        self.told_label.hide()
        self._show()

    def _show(self) -> None:
        correcting, running = self.correcting, bool(self.session.state.running)
        unsaved = correcting.unsaved
        self.setVisible(bool(self.session.state.segmentation))
        self.paint_button.setChecked(correcting.active)
        self.paint_button.setEnabled(correcting.active or correcting.can_paint)
        self.how_to.setVisible(correcting.active)
        self.save_button.setEnabled(bool(unsaved) and not running and not correcting.saving)
        self.save_button.setToolTip(
            "Wait until the step that runs is done: it writes the study"
            if running
            else "Keep the corrected masks in the study, marked as edited"
        )
        self.discard_button.setEnabled(correcting.active and self.session.state.key in unsaved)
        self.unsaved_label.setText(_said_of_unsaved([str(key) for key in unsaved]))
        self.unsaved_label.setVisible(bool(unsaved))
        n = len(correcting.to_measure)
        self.measure_label.setText(f"{n:,} corrected {'field' if n == 1 else 'fields'} not measured yet")
        self.measure_row.setVisible(n > 0)
        self.measure_button.setEnabled(not running and not correcting.saving)

    def _on_paint_clicked(self, checked: bool) -> None:
        self._on_told("", False)
        if checked:
            self.correcting.start()
        else:
            self.correcting.stop()

    def _on_told(self, message: str, error: bool) -> None:
        self.told_label.setText(message)
        self.told_label.setStyleSheet(f"color: {BAD if error else QUIET};")
        self.told_label.setVisible(bool(message))

    def _on_measure_clicked(self) -> None:
        state = self.session.state
        if state.study is None:
            return
        name = state.segmentation
        step = cellvote_step(
            "Measuring", "measure", str(state.study.path), "--segmentation", name, dock=self._dock, segmentation=name
        )
        try:
            self.session.runner.run(step)
        except RuntimeError as error:
            self._on_told(f"{error}: wait for it, or cancel it.", True)


def _said_of_unsaved(fields: list[str]) -> str:
    if not fields:
        return ""
    listed = ", ".join(fields[:3]) + (", …" if len(fields) > 3 else "")
    return f"Not saved yet: {listed}"


def _disconnect(connections: list[Connection]) -> None:
    for signal, slot in connections:
        signal.disconnect(slot, missing_ok=True)
    connections.clear()
