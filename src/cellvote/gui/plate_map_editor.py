"""The plate-map editor: what was done to each well, on the plate and as a table, corrected, undone, saved."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QObject, Qt, Signal
from qtpy.QtGui import QCloseEvent, QUndoStack
from qtpy.QtWidgets import QFileDialog, QInputDialog, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError, PlateMapError
from cellvote.gui import plate_map_edits as edits
from cellvote.gui.background import Background
from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_colouring import colour_plate
from cellvote.gui.plate_columns import MAP
from cellvote.gui.plate_map_changes import Answer, MapEdit, ask_unsaved, export_map, join_file, save_map
from cellvote.gui.plate_map_panels import PlateMapPanels
from cellvote.gui.vote_text import well_tooltip
from cellvote.plates.plate_map import CONTROL_TYPE
from cellvote.study import Study

_FILES: Final = "Tables (*.csv *.tsv *.txt *.xlsx);;All files (*)"


class PlateMapEditor(QWidget):
    """Edits the plate map of a study.

    Parameters
    ----------
    study
        Whose plate map it is; only saving changes it.

    Signals
    -------
    saved
        The plate map was saved into the study.
    """

    saved = Signal()

    def __init__(self, study: Study, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        if parent is not None:  # closing the main window ends this one without asking it
            parent.window().installEventFilter(self)
        self.study = study
        self._table = study.plate_map
        self._reasons: list[str] = []
        self._facts = PlateFacts({})
        self._selecting = False
        self._closing = False
        self.undo_stack = QUndoStack(self)
        self._work = Background(self._on_work_done)
        self.setWindowTitle(f"Plate map of {study.path.stem}[*]")
        self.resize(1180, 740)
        self.panels = panels = PlateMapPanels(self.undo_stack)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.addWidget(panels)
        self.view, self.table = panels.view, panels.table
        self._connect(panels)
        panels.fill_plates(study.plates)
        self._show_table(self._table)
        panels.fill_columns(edits.entry_columns(self._table), edits.column_of_interest(self._table))
        self._show_plate()
        self.view.choose(sorted(self.view.colouring().wells)[:1])
        panels.fit_columns()
        self.table.horizontalScrollBar().setValue(0)

    def _connect(self, panels: PlateMapPanels) -> None:
        panels.plate_box.currentIndexChanged.connect(self._show_plate)
        panels.column_box.currentIndexChanged.connect(self._show_plate)
        panels.set_button.clicked.connect(self._on_set_clicked)
        panels.value_box.lineEdit().returnPressed.connect(self._on_set_clicked)
        for kind, button in panels.control_buttons.items():
            button.clicked.connect(partial(self.mark_controls, kind))
        panels.recognised_button.clicked.connect(self.take_recognised)
        for button, slot in (
            (panels.add_button, self._on_add_clicked),
            (panels.rename_button, self._on_rename_clicked),
            (panels.remove_button, self._on_remove_clicked),
            (panels.import_button, self._on_import_clicked),
            (panels.export_button, self._on_export_clicked),
            (panels.save_button, self.save),
        ):
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
        self.view.chosenChanged.connect(self._on_wells_chosen)
        self.view.set_tooltips(lambda well: well_tooltip((self.plate(), well), self._facts, 0))
        self.table.selectionModel().selectionChanged.connect(self._on_cells_chosen)
        panels.entries.entryTyped.connect(self._on_entry_typed)
        panels.pasteRequested.connect(lambda text, into_table: self.paste(text, into_table=into_table))
        panels.clearRequested.connect(self._on_clear_requested)
        self.undo_stack.cleanChanged.connect(self._on_clean_changed)

    # What is edited

    @property
    def idle(self) -> bool:
        """Whether nothing is read or written."""
        return not self._work.busy

    def plate_map(self) -> pd.DataFrame:
        """The plate map as it stands; not saved yet, perhaps."""
        return self._table

    def plate(self) -> str:
        """The plate that is shown."""
        return str(self.panels.plate_box.currentData() or "")

    def column(self) -> str:
        """The column that the plate is coloured by, and that entries are set in."""
        return str(self.panels.column_box.currentData() or "")

    def _push(self, words: str, after: pd.DataFrame) -> None:
        if not after.equals(self._table):
            self.undo_stack.push(MapEdit(words, self._show_table, self._table, after))

    def _try(self, words: str, edit: Callable[[], pd.DataFrame]) -> None:
        """Edit, or say why that cannot be."""
        try:
            self._push(words, edit())
        except PlateMapError as error:
            self.panels.say(str(error), bad=True)

    def set_entries(self, entry: str) -> None:
        """Write an entry into all chosen wells."""
        if not self.column():
            self.panels.say("Add a column first.", bad=True)
            return
        rows = self._chosen_rows()
        self._push(
            f"{self.column()} = {entry or 'nothing'} in {len(rows)} wells",
            edits.with_entries(self._table, rows, self.column(), entry),
        )

    def mark_controls(self, kind: str) -> None:
        """Say which controls the chosen wells are: ``negative``, ``positive``, or nothing."""
        rows = self._chosen_rows()
        words = f"{kind or 'no'} control in {len(rows)} wells"
        self._push(words, edits.with_entries(self._table, rows, CONTROL_TYPE, kind))
        self.choose_column(CONTROL_TYPE)

    def take_recognised(self) -> None:
        """Take the controls as they are recognised; what is written of other wells stays."""
        found = {i: kind for i, kind in enumerate(edits.recognised(self._table)[CONTROL_TYPE].tolist()) if kind}
        taken = edits.with_each_entry(self._table, list(found), CONTROL_TYPE, list(found.values()))
        self._push("take recognised controls", taken)
        self.choose_column(CONTROL_TYPE)

    def add_column(self, name: str) -> None:
        """Add an empty column, and choose it."""

        def _edit() -> pd.DataFrame:
            return self._table.assign(**{edits.check_name(self._table, name): pd.Series("", self._table.index, "str")})

        self._try(f"add {name}", _edit)
        self.choose_column(name.strip())

    def rename_column(self, old: str, new: str) -> None:
        """Give a column another name."""

        def _edit() -> pd.DataFrame:
            others = self._table.drop(columns=old)
            return self._table.rename(columns={old: edits.check_name(others, new)})

        self._try(f"rename {old}", _edit)
        self.choose_column(new.strip())

    def remove_column(self, name: str) -> None:
        """Take a column away."""
        self._push(f"remove {name}", self._table.drop(columns=name))

    def paste(self, text: str, *, into_table: bool = False) -> None:
        """Paste what a spreadsheet has copied: onto the plate, or into the table at what is chosen there."""
        block = edits.read_block(text)
        if not block:
            self.panels.say("There is nothing to paste.", bad=True)
            return
        if into_table:
            self._try("paste", lambda: self._pasted_in_table(block))
        elif not self.column():
            self.panels.say("Add a column first.", bad=True)
        else:
            wells = self.view.wells()
            self._try("paste", lambda: edits.pasted_on_plate(self._table, self.plate(), self.column(), block, wells))

    def _pasted_in_table(self, block: edits.Block) -> pd.DataFrame:
        cells = self.panels.chosen_cells()
        if not cells:
            raise PlateMapError("choose where to paste: an entry of a column that can be edited.")
        chosen = [row for row, _ in cells]
        single = len(block) == 1 and len(block[0]) == 1
        rows = list(dict.fromkeys(chosen)) if single else self.panels.entries.rows_from(chosen[0])
        every = edits.entry_columns(self._table)
        left = min(every.index(column) for _, column in cells)
        return edits.pasted_in_table(self._table, rows, every[left:], block)

    # Showing

    def _show_table(self, table: pd.DataFrame) -> None:
        """Show a plate map; called by every edit, undone or done again."""
        self._table = table
        chosen = self.column() if self.column() in table else edits.column_of_interest(table)
        self.panels.fill_columns(edits.entry_columns(table), chosen)
        found = edits.recognised(table)
        self._reasons = found["reason"].tolist()
        self._show_plate()
        self.panels.show_controls(found, table)
        self.panels.show_mismatches(edits.mismatches_of(self.study, table))

    def _show_plate(self) -> None:
        table, plate = self._table, self.plate()
        self._facts = edits.facts_of(table, plate)
        coloured = colour_plate(self._facts, plate, f"{MAP}{self.column()}")
        self.view.set_colouring(coloured)
        self.view.setVisible(any(well for _, well in self._facts.wells))
        self.panels.legend.set_content(coloured.entries, coloured.bars)
        rows = [i for i, of in enumerate(table["plate"].tolist()) if of == plate]
        self.panels.entries.show(table, rows, self._reasons)
        self._on_wells_chosen()

    def choose_column(self, name: str) -> None:
        """Colour by a column, and set entries in it."""
        self.panels.column_box.setCurrentIndex(max(self.panels.column_box.findData(name), 0))

    def _offer_values(self) -> None:
        column = self.column()
        values = sorted(set(self._table[column]) - {""}, key=str.casefold) if column in self._table else []
        self.panels.fill_values(values)

    # Choosing wells, here and there

    def _chosen_rows(self) -> list[int]:
        places = edits.rows_of(self._table, self.plate())
        rows = [places[well] for well in self.view.wells() if well in places]
        if not rows and not places:  # images without wells: only the table can choose
            rows = sorted({self.panels.entries.row_at(i.row()) for i in self.table.selectedIndexes()})
        return rows

    def _say_chosen(self) -> None:
        """Say what is chosen; images without wells can only be chosen in the table."""
        if self._facts.wells_of:
            self.panels.show_chosen(self.view.wells())
        else:
            self.panels.show_chosen(self.panels.entries.names(self._chosen_rows()), images=True)

    def _on_wells_chosen(self) -> None:
        self._say_chosen()
        self._offer_values()
        if self._selecting:
            return
        self._selecting = True
        entries, selection = self.panels.entries, QItemSelection()
        if self.column():
            section = entries.section_of(self.column())
            for row in self._chosen_rows():
                index = entries.index(entries.shown_row(row), section)
                selection.select(index, index)
        self.table.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if selection.indexes():
            self.table.scrollTo(selection.indexes()[0])
        self._selecting = False

    def _on_cells_chosen(self) -> None:
        if self._selecting:
            return
        self._selecting = True
        entries = self.panels.entries
        wells = self._table["well"].tolist()
        chosen = self.table.selectedIndexes()
        columns = {entries.column_at(index.column()) for index in chosen} - {""}
        if len(columns) == 1 and columns != {self.column()}:
            self.choose_column(columns.pop())
        self.view.choose(wells[entries.row_at(index.row())] for index in chosen)
        self._say_chosen()
        self._selecting = False

    # Slots

    def _on_set_clicked(self) -> None:
        self.set_entries(self.panels.value_box.currentText())

    def _on_clear_requested(self, in_table: bool) -> None:
        if not in_table:
            self.set_entries("")
            return
        table = self._table
        for row, column in self.panels.chosen_cells():
            table = edits.with_entries(table, [row], column, "")
        self._push("clear", table)

    def _on_entry_typed(self, row: int, column: str, entry: str) -> None:
        (name,) = self.panels.entries.names([row])
        self._push(f"{column} of {name}", edits.with_entries(self._table, [row], column, entry))

    def _on_add_clicked(self) -> None:
        name, fine = QInputDialog.getText(self, "Add a column", "Name of the column")
        if fine:
            self.add_column(name)

    def _on_rename_clicked(self) -> None:
        old = self.column()
        name, fine = QInputDialog.getText(self, "Rename a column", f"New name of {old}", text=old)
        if fine and old and name.strip() != old:
            self.rename_column(old, name)

    def _on_remove_clicked(self) -> None:
        if self.column():
            self.remove_column(self.column())

    def _on_clean_changed(self, clean: bool) -> None:
        self.setWindowModified(not clean)
        self.panels.save_button.setEnabled(not clean)

    # Files

    def _on_import_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "A plate map, or a table to be joined to it", "", _FILES)
        if path:
            self.import_file(path)

    def import_file(self, path: str | Path) -> None:
        """Join another plate map, or a table with something in common."""
        self.panels.say(f"Reading {Path(path).name} …")
        self._work.ask(partial(join_file, self._table, self.study, Path(path)))

    def _on_export_clicked(self) -> None:
        start = str(self.study.path.with_name(f"{self.study.path.stem}_platemap.csv"))
        path, _ = QFileDialog.getSaveFileName(self, "Export the plate map", start, "CSV (*.csv)")
        if path:
            self.export(path)

    def export(self, path: str | Path) -> None:
        """Write the plate map as it stands as CSV."""
        path = Path(path) if Path(path).suffix else Path(path).with_suffix(".csv")
        self._work.ask(partial(export_map, self._table, path))

    def save(self) -> None:
        """Write the plate map into the study."""
        self.panels.say("Saving …")
        self._work.ask(partial(save_map, self._table, self.study))

    def _on_work_done(self, done: tuple[str, pd.DataFrame | None, Sequence[str]] | CellVoteError) -> None:
        if isinstance(done, CellVoteError):
            self._closing = False
            self.panels.say(str(done), bad=True)
            return
        what, table, problems = done
        if what == "saved":
            self._on_saved(table)
            return
        if table is not None:
            self._push(what, table)
        said = f"{what[:1].upper()}{what[1:]}."
        self.panels.say(" ".join([said, *problems]), bad=False)

    def _on_saved(self, table: pd.DataFrame | None) -> None:
        if table is not None and not table.equals(self._table):  # concentrations follow what they are read from
            self._show_table(table)
        self.undo_stack.setClean()
        self.panels.say(" ".join(["Saved into the study.", edits.outdated_words(self.study)]).strip())
        self.saved.emit()
        if self._closing:
            self.close()

    # Closing

    def ask_unsaved(self) -> Answer:
        """Ask what becomes of changes that are not saved."""
        return ask_unsaved(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Ask about changes that are not saved when the main window closes."""
        if event.type() == QEvent.Type.Close and self.isVisible() and not self.undo_stack.isClean():
            answer = self.ask_unsaved()
            try:
                if answer == "save":
                    self.study.write_plate_map(self._table)
            except CellVoteError as error:
                self.panels.say(str(error), bad=True)
                answer = "cancel"
            if answer == "cancel":
                event.ignore()
                return True
        return bool(super().eventFilter(watched, event))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 (Qt's name)
        """Ask about changes that are not saved."""
        if not self.undo_stack.isClean():
            answer = self.ask_unsaved()
            if answer != "discard":
                event.ignore()
                self._closing = answer == "save"
                if self._closing:
                    self.save()
                return
        self._work.forget()
        super().closeEvent(event)
