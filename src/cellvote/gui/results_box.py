"""The results part of the Segment dock: cells, their sizes and the failed fields, as they come."""

from collections.abc import Callable
from functools import partial
from typing import Final

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.docks.dock import BAD, text_label
from cellvote.gui.run_results import RunFollower, RunResults
from cellvote.gui.size_view import SizeView
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study

_EVERY_MS: Final = 1000
_MOST: Final = 500
_LIST_PX: Final = 96


class ResultsBox(QWidget):
    """Follows one segmentation while it runs, and until all of its sizes are read.

    Signals
    -------
    fieldClicked(object)
        A failed field (a `FieldKey`) was clicked.
    """

    fieldClicked = Signal(object)  # noqa: N815 (Qt's spelling)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follower: RunFollower | None = None
        self._running = False
        self.reword: Callable[[str], str] = str
        """Puts what the command line says into the words of the dock."""
        self._failed: tuple[FieldKey, ...] = ()
        self.counts = text_label("")
        self.sizes = SizeView()
        self.failed_title = text_label("")
        self.failed = QListWidget()
        self.failed.setWordWrap(True)
        self.failed.setMaximumHeight(_LIST_PX)
        self.failed.setAccessibleName("Fields that failed")
        self.failed.itemClicked.connect(lambda item: self.fieldClicked.emit(item.data(Qt.ItemDataRole.UserRole)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.counts, self.sizes, self.failed_title, self.failed):
            layout.addWidget(widget)
        self._reading = Background(self._on_read)
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._read)
        self.destroyed.connect(partial(Background.forget, self._reading))
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether something is being read, or is yet to be."""
        return self._reading.busy or self._timer.isActive()

    def follow(self, study: Study, segmentation: str) -> None:
        """Show what this segmentation finds, from now on."""
        self._follower = RunFollower(study, segmentation)
        self._running = True
        self._timer.start()

    def finish(self) -> None:
        """Take note that nothing more will be found: what is there is read to the end."""
        self._running = False
        self._read()

    def forget(self) -> None:
        """Show nothing: another study is looked at."""
        self._timer.stop()
        self._reading.forget()
        self._follower = None
        self.hide()

    def _read(self) -> None:
        if self._follower is not None and not self._reading.busy:
            self._reading.ask(self._follower.read)

    def _on_read(self, results: RunResults | CellVoteError) -> None:
        if self._follower is None:
            return
        if isinstance(results, CellVoteError):
            self._timer.stop()
            return
        if results.complete and not self._running:
            self._timer.stop()
        self.show_results(results)

    def show_results(self, results: RunResults) -> None:
        """Show what there is so far."""
        sizes = results.sizes
        fields = "field" if results.n_fields == 1 else "fields"
        words = f"<b>{results.n_cells:,} cells</b> in {results.n_fields:,} {fields}"
        if results.n_fields:
            words += f" · {results.n_cells / results.n_fields:,.0f} a field"
        if sizes.n_fields < results.n_fields and sizes.n_fields:
            words += f"<br>sizes of {sizes.n_cells:,} cells in {sizes.n_fields:,} of these fields"
        self.counts.setText(words)
        self.sizes.set_sizes(sizes)
        self.sizes.setVisible(bool(sizes.counts))
        self._list_failed(results)
        self.show()

    def _list_failed(self, results: RunResults) -> None:
        keys = tuple(record.key for record in results.failed)
        if keys != self._failed:
            self._failed = keys
            self.failed.clear()
            for record in results.failed[:_MOST]:
                item = QListWidgetItem(self.reword(record.error or str(record.key)))
                item.setData(Qt.ItemDataRole.UserRole, record.key)
                item.setToolTip(f"{record.key}\nClick to look at it")
                self.failed.addItem(item)
        words = f"{len(keys):,} {'field' if len(keys) == 1 else 'fields'} failed"
        self.failed_title.setText(f"<span style='color:{BAD}'>{words}</span> (click to look)")
        self.failed_title.setVisible(bool(keys))
        self.failed.setVisible(bool(keys))
