"""The parts of the plate-map editor: plate and controls at the left, table and mismatches at the right."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import pandas as pd
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence, QUndoStack
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QSplitter,
    QTableView,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cellvote.gui.docks.dock import BAD, combo, fill_combo, heading, row, text_label
from cellvote.gui.legend import Legend
from cellvote.gui.plate_map_table import PlateMapTable
from cellvote.gui.well_picker import WellPicker
from cellvote.plates.plate_map import CONTROL_TYPE, mismatch_sentences

_MOST: Final = 2000
_MOST_REASONS: Final = 4
_SOME: Final = 6
_WIDEST_PX: Final = 260


class PlateMapPanels(QWidget):
    """Lays out the editor; knows nothing of studies.

    Signals
    -------
    pasteRequested(str, bool)
        Text is to be pasted: onto the plate, or (True) into the table.
    clearRequested(bool)
        What is chosen on the plate, or (True) in the table, is to be emptied.
    """

    pasteRequested = Signal(str, bool)  # noqa: N815 (Qt's spelling)
    clearRequested = Signal(bool)  # noqa: N815

    def __init__(self, undo_stack: QUndoStack) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._make_top(undo_stack))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._make_plate())
        split.addWidget(self._make_tables())
        split.setSizes([560, 620])
        layout.addWidget(split, 1)
        self.message = text_label("")
        layout.addWidget(self.message)

    # Parts

    def _make_top(self, undo_stack: QUndoStack) -> QWidget:
        bar = QWidget()
        line = QHBoxLayout(bar)
        line.setContentsMargins(0, 0, 0, 0)
        for action, keys in (
            (undo_stack.createUndoAction(self, "Undo"), QKeySequence.StandardKey.Undo),
            (undo_stack.createRedoAction(self, "Redo"), QKeySequence.StandardKey.Redo),
        ):
            action.setShortcut(QKeySequence(keys))
            self.addAction(action)
            tool = QToolButton()
            tool.setDefaultAction(action)
            tool.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            line.addWidget(tool)
        self.import_button = QPushButton("Join a table …")
        self.import_button.setToolTip("Another plate map (CSV, TSV, XLSX), or a table with a column in common")
        self.export_button = QPushButton("Export …")
        self.export_button.setToolTip("Write the plate map as CSV")
        self.save_button = QPushButton("Save into the study")
        self.save_button.setEnabled(False)
        line.addStretch(1)
        for button in (self.import_button, self.export_button, self.save_button):
            line.addWidget(button)
        return bar

    def _make_plate(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 6, 0)
        self.plate_box = combo("Which plate is edited")
        self.plate_row = row("Plate", self.plate_box)
        self.column_box = combo("The column that colours the plate, and that is edited")
        self.add_button = QPushButton("Add …")
        self.add_button.setToolTip("Add a column")
        self.rename_button = QPushButton("Rename …")
        self.remove_button = QPushButton("Remove")
        for button in (self.rename_button, self.remove_button):
            button.setToolTip(f"{button.text().rstrip(' …')} this column")
        self.view = WellPicker()
        self.view.installEventFilter(self)
        self.legend = Legend()
        self.chosen = text_label("", quiet=True)
        self.value_box = combo("What to write into the chosen wells", least=6)
        self.value_box.setEditable(True)
        self.value_box.setInsertPolicy(self.value_box.InsertPolicy.NoInsert)
        self.set_button = QPushButton("Set")
        self.control_buttons = {
            "negative": QPushButton("Negative"),
            "positive": QPushButton("Positive"),
            "": QPushButton("None"),
        }
        self.control_words = text_label("", quiet=True)
        self.control_words.setTextFormat(Qt.TextFormat.RichText)
        self.recognised_button = QPushButton("Take these")
        self.recognised_button.setToolTip("Write what was recognised into control_type; other wells stay as they are")
        column.addWidget(self.plate_row)
        column.addWidget(row("Column", self.column_box, self.add_button, self.rename_button, self.remove_button))
        column.addWidget(self.view, 1)
        column.addWidget(self.legend)
        column.addWidget(self.chosen)
        column.addWidget(row("Write", self.value_box, self.set_button))
        column.addWidget(row("Controls", *self.control_buttons.values()))
        column.addWidget(heading("Recognised controls"))
        column.addWidget(row(self.control_words, self.recognised_button))
        column.addStretch(0)
        return side

    def _make_tables(self) -> QWidget:
        self.entries = PlateMapTable()
        self.table = QTableView()
        self.table.setModel(self.entries)
        self.table.setWordWrap(False)
        self.table.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 8)
        self.table.installEventFilter(self)
        self.mismatches = QListWidget()
        self.mismatch_words = text_label("")
        self.mismatch_words.setTextFormat(Qt.TextFormat.RichText)
        other = QWidget()
        column = QVBoxLayout(other)
        column.addWidget(self.mismatch_words)
        column.addWidget(self.mismatches, 1)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.table, "Table")
        self.tabs.addTab(other, "Mismatches")
        return self.tabs

    def chosen_cells(self) -> list[tuple[int, str]]:
        """What is chosen in the table, row by row: rows of the whole plate map, and columns that can be edited."""
        indexes = sorted(self.table.selectedIndexes(), key=lambda index: (index.row(), index.column()))
        cells = ((self.entries.row_at(index.row()), self.entries.column_at(index.column())) for index in indexes)
        return [(row, column) for row, column in cells if column]

    def _copy(self) -> None:
        """Copy what is chosen in the table, as spreadsheets take it."""
        cells = {(i.row(), i.column()): str(i.data() or "") for i in self.table.selectedIndexes()}
        rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
        lines = ("\t".join(cells.get((row, column), "") for column in columns) for row in rows)
        QApplication.clipboard().setText("\n".join(lines))

    # What is shown

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say something below the plate."""
        self.message.setText(text[:1].upper() + text[1:])
        self.message.setStyleSheet(f"color: {BAD};" if bad else "")

    def fill_plates(self, plates: Sequence[str]) -> None:
        """Offer plates; one need not be chosen."""
        fill_combo(self.plate_box, [(plate, plate) for plate in plates], next(iter(plates), ""))
        self.plate_row.setVisible(len(plates) > 1)

    def fill_columns(self, columns: Sequence[str], chosen: str) -> None:
        """Offer columns."""
        fill_combo(self.column_box, [(name, name) for name in columns], chosen)
        for button in (self.rename_button, self.remove_button):
            button.setEnabled(bool(columns))

    def fill_values(self, values: Sequence[str]) -> None:
        """Offer the entries of a column; what was typed stays."""
        typed = self.value_box.currentText()
        self.value_box.blockSignals(True)
        self.value_box.clear()
        self.value_box.addItems(list(values)[:_MOST])
        self.value_box.setEditText(typed)
        self.value_box.blockSignals(False)

    def show_chosen(self, names: Sequence[str], *, images: bool = False) -> None:
        """Say which wells are chosen, or which images where they have no wells."""
        n = len(names)
        listed = ", ".join(names[:_SOME]) + (" …" if n > _SOME else "")
        things = f"{n:,} {'image' if images else 'well'}{'s' * (n != 1)}"
        how = "Choose images in the table." if images else "Choose wells: click, drag, shift, control."
        self.chosen.setText(f"{things} chosen: {listed}" if n else how)
        self.set_button.setText(f"Set in {things}" if n else "Set")
        for button in (self.set_button, *self.control_buttons.values()):
            button.setEnabled(bool(n))

    def fit_columns(self) -> None:
        """Make columns as wide as their entries, within reason."""
        self.table.horizontalHeader().setMaximumSectionSize(_WIDEST_PX)
        self.table.resizeColumnsToContents()

    def show_controls(self, found: pd.DataFrame, table: pd.DataFrame) -> None:
        """Say which controls are recognised, and by what."""
        counts = Counter(zip(found[CONTROL_TYPE].tolist(), found["reason"].tolist(), strict=True))
        del counts["", ""]
        lines = [f"{n} {kind}: {escape(reason)}" for (kind, reason), n in counts.most_common(_MOST_REASONS)]
        lines += [f"and {len(counts) - _MOST_REASONS} more reasons"] if len(counts) > _MOST_REASONS else []
        self.control_words.setText("<br>".join(lines) or "None. Mark the controls above.")
        written = table[CONTROL_TYPE].tolist() if CONTROL_TYPE in table else [""] * len(table)
        pairs = zip(found[CONTROL_TYPE].tolist(), written, strict=True)
        self.recognised_button.setVisible(any(kind and kind != old for kind, old in pairs))

    def show_mismatches(self, mismatches: pd.DataFrame) -> None:
        """List the wells on which map and images do not match."""
        n = len(mismatches)
        self.tabs.setTabText(1, f"Mismatches ({n:,})" if n else "Mismatches: none")
        self.mismatch_words.setText("<br>".join(escape(one) for one in mismatch_sentences(mismatches)) or "None.")
        self.mismatches.clear()
        rows = mismatches.head(_MOST).itertuples(index=False, name=None)
        self.mismatches.addItems([f"{plate}/{well}: {why}" for plate, well, why in rows])

    # Keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Copy and paste, on the plate and in the table; delete what is chosen."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and self._take(watched, event):
            return True
        return bool(super().eventFilter(watched, event))

    def _take(self, watched: Any, event: QKeyEvent) -> bool:
        into_table = watched is self.table
        if event.matches(QKeySequence.StandardKey.Paste):
            self.pasteRequested.emit(QApplication.clipboard().text(), into_table)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        elif event.key() in {Qt.Key.Key_Delete, Qt.Key.Key_Backspace}:
            self.clearRequested.emit(into_table)
        else:
            return False
        return True
