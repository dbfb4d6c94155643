"""What is to be seen of a training: curves while it learns; afterwards how well it does, and what that cannot show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cellvote.gui.account import ACCURACY, BALANCED, HOLD, SET_SIZE, Account, read_account
from cellvote.gui.card_window import CardWindow, card_path
from cellvote.gui.curve_view import CurveView
from cellvote.gui.docks.dock import CAUTION, heading, text_label
from cellvote.gui.history import Curves, read_history

_TITLES: Final = {
    ACCURACY: ("Right", "Share that was right, on what was held out, with its 95 % interval"),
    BALANCED: ("Balanced", "The same, where every class counts alike, however common it is"),
    "chance": ("Chance", "What guessing gives"),
    "majority": ("Commonest", "What always saying the commonest class gives"),
    "position": ("Position only", "What the place on the plate alone gives, without looking at a cell"),
    "measurements": ("Logistic", "What logistic regression on the measurements gives, in the same split"),
    HOLD: ("Set holds it", "How often conformal sets hold the true class; they are made for {level:g} %"),
    SET_SIZE: ("Set size", "How many classes a set holds on average: 1 is a clear answer"),
}


class TrainingView(QWidget):
    """Curves, notes, figures and the model card of one classifier.

    Signals
    -------
    appeared(QWidget)
        Something new is shown, which a person may have to scroll to.
    """

    appeared = Signal(QWidget)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self.curves = CurveView()
        self.latest = text_label("", quiet=True)
        self.events = text_label("")
        self.events.setStyleSheet(f"color: {CAUTION};")
        self.table_title = heading("")
        self.table = _figure_table()
        self.cautions = text_label("")
        self.cautions.setStyleSheet(f"color: {CAUTION};")
        self.calibration = text_label("", quiet=True)
        self.notes = text_label("", quiet=True)
        self.card_button = QPushButton("Model card …")
        self.card_button.setToolTip("Everything that is known of this classifier: data, split, figures, limits")
        self.card_button.clicked.connect(self._on_card_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._results = (self.table_title, self.table, self.cautions, self.calibration, self.notes, self.card_button)
        for widget in (self.curves, self.latest, self.events, *self._results):
            layout.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        for widget in (self.curves, self.latest, self.events, *self._results):
            widget.hide()

    def follow(self, model_folder: Path, unit: str, *, running: bool) -> Curves:
        """Show what the history of a training holds by now."""
        curves = read_history(model_folder / "history.csv", unit)
        self.curves.set_curves(curves)
        is_new = curves.drawable and self.curves.isHidden()
        self.curves.setVisible(curves.drawable)
        self.latest.setText(curves.latest)
        self.latest.setVisible(bool(curves.latest) and running)
        self.events.setText("\n".join(curves.notes))
        self.events.setVisible(bool(curves.notes) and running)
        if is_new:
            self.appeared.emit(self.curves)
        return curves

    def show_account(self, model_folder: Path, evaluation: Mapping[str, Any] | None = None) -> None:
        """Show how well a classifier did on what was held out, beside what knowing less would give.

        Parameters
        ----------
        evaluation
            What ``cellvote evaluate`` said of it.

        Raises
        ------
        StudyError
            Where the classifier cannot be read.
        """
        account = read_account(model_folder, evaluation)
        self._folder = model_folder
        self.events.hide()  # they are among the notes now
        title = f"Held out by {account.split_by}" if account.split_by else "Held out"
        self.table_title.setText(f"{title}: {model_folder.name}")
        fill_table(self.table, account)
        self.cautions.setText("\n".join(account.cautions))
        self.calibration.setText(account.calibration)
        self.notes.setText("\n".join(f"• {note}" for note in account.notes))
        is_new = self.table.isHidden()
        for widget in (self.table_title, self.table):
            widget.show()
        for label in (self.cautions, self.calibration, self.notes):
            label.setVisible(bool(label.text()))
        self.card_button.setVisible(card_path(model_folder) is not None)
        if is_new:
            self.appeared.emit(self.table_title)

    def _on_card_clicked(self) -> None:
        path = card_path(self._folder) if self._folder is not None else None
        if path is not None:
            CardWindow(path, self).show()


def _figure_table() -> QTableWidget:
    table = QTableWidget(0, 0)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.setAccessibleName("Figures of what was held out")
    return table


def fill_table(table: QTableWidget, account: Account) -> None:
    """Show the figures: a column for each level, a row for the classifier and each baseline."""
    rows = {name: found for name, found in account.rows.items() if found}
    table.setRowCount(len(rows))
    table.setColumnCount(len(account.levels))
    table.setHorizontalHeaderLabels([f"{n:,}\n{level}{'' if n == 1 else 's'}" for level, n in account.levels.items()])
    for i, (name, found) in enumerate(rows.items()):
        title, tip = _TITLES[name]
        header = QTableWidgetItem(title)
        header.setToolTip(tip.format(level=100 * (account.set_level or 0)))
        table.setVerticalHeaderItem(i, header)
        for j, level in enumerate(account.levels):
            figure = found.get(level)
            text = "–" if figure is None else f"{figure.value:.2f}" if name == SET_SIZE else figure.words()
            item = QTableWidgetItem(text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            if name == ACCURACY:
                font = item.font()
                font.setBold(True)
                item.setFont(font)
            table.setItem(i, j, item)
    table.resizeRowsToContents()
    height = sum(table.rowHeight(i) for i in range(len(rows)))
    table.setFixedHeight(table.horizontalHeader().sizeHint().height() + height + 2 * table.frameWidth() + 2)
