"""How far the step of a dock is: bar, words, cancel; afterwards what came of it, and which fields failed."""

import time
from collections.abc import Callable
from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cellvote.gui.docks.dock import BAD, GOOD
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress

_MOST: Final = 500
_TRUST_AFTER_S: Final = 3.0


class StepBox(QWidget):
    """Shows one step at a time.

    Signals
    -------
    cancelClicked
        The person wants the step to stop.
    fieldClicked(object)
        A failed field (a `FieldKey`) was clicked.
    """

    cancelClicked = Signal()  # noqa: N815 (Qt's spelling)
    fieldClicked = Signal(object)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._started_at = 0.0
        self.reword: Callable[[str], str] = str
        """Puts what the command line says into the words of the dock."""
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("What is done is kept; starting again goes on from there")
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self._line = QWidget()
        line = QHBoxLayout(self._line)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.bar, 1)
        line.addWidget(self.cancel_button)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.failed_title = QLabel()
        self.failed = QListWidget()
        self.failed.setWordWrap(True)
        self.failed.setMaximumHeight(120)
        self.failed.itemClicked.connect(self._on_failed_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self._line, self.message, self.failed_title, self.failed):
            layout.addWidget(widget)
            widget.hide()

    def show_started(self, step: Step) -> None:
        """Show that a step has been started; how long it takes is not known yet."""
        self._started_at = time.monotonic()
        self.bar.setRange(0, 0)
        self.bar.setFormat("")
        self.cancel_button.setEnabled(True)
        self._line.show()
        self.failed.hide()
        self.failed_title.hide()
        self._say(f"{step.title} …")

    def show_progress(self, step: Step, progress: Progress) -> None:
        """Show how far the step is."""
        self.bar.setRange(0, max(progress.total, 1))
        self.bar.setValue(progress.done)
        self.bar.setFormat(f"{progress.done:,} of {progress.total:,}")
        parts = (progress.where, progress.message, self._time_left(progress))
        self._say(f"{step.title}: " + " · ".join(part for part in parts if part))

    def _time_left(self, progress: Progress) -> str:
        passed = time.monotonic() - self._started_at
        if not 0 < progress.done < progress.total or passed < _TRUST_AFTER_S:
            return ""
        left_s = passed / progress.done * (progress.total - progress.done)
        return f"{left_s / 60:.0f} min left" if left_s > 90 else f"{left_s:.0f} s left"

    def show_result(self, result: StepResult, said: str = "") -> None:
        """Show how the step ended.

        Parameters
        ----------
        said
            What to say where all went well.
        """
        self._line.hide()
        failed = result.failed_fields
        if result.outcome in {"done", "some failed"}:
            self._say(said or "Done.", "" if failed else GOOD)
        else:
            self._say(self.reword(result.message), "" if result.outcome == "cancelled" else BAD)
        self.failed.clear()
        for one in failed[:_MOST]:
            key = FieldKey(str(one.get("plate", "")), str(one.get("well", "")), int(one.get("field", 1)))
            item = QListWidgetItem(self.reword(str(one.get("error") or key)))
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setToolTip(f"{key}\nClick to look at it")
            self.failed.addItem(item)
        self.failed.setVisible(bool(failed))
        self.failed_title.setVisible(bool(failed))
        fields = "field" if len(failed) == 1 else "fields"
        self.failed_title.setText(f"<span style='color:{BAD}'>{len(failed):,} {fields} failed</span> (click to look)")

    def hide_failed(self) -> None:
        """List no failed fields: they are listed elsewhere."""
        self.failed.hide()
        self.failed_title.hide()

    def say(self, text: str, *, error: bool = False) -> None:
        """Say something that is not of a step."""
        self._line.hide()
        self._say(self.reword(text), BAD if error else "")

    def _say(self, text: str, colour: str = "") -> None:
        self.message.setText(text)
        self.message.setStyleSheet(f"color: {colour};" if colour else "")
        self.message.setVisible(bool(text))

    def _on_cancel_clicked(self) -> None:
        self.cancel_button.setEnabled(False)
        self._say("Stopping after what is being done now …")
        self.cancelClicked.emit()

    def _on_failed_clicked(self, item: QListWidgetItem) -> None:
        self.fieldClicked.emit(item.data(Qt.ItemDataRole.UserRole))
