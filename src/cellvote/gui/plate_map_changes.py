"""Changes of a plate map: undone and done again, joined, written, and asked about where they are not saved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from qtpy.QtGui import QUndoCommand
from qtpy.QtWidgets import QMessageBox, QWidget

from cellvote.gui import plate_map_edits as edits
from cellvote.plates.plate_map import save_plate_map
from cellvote.study import Study

Answer = Literal["save", "discard", "cancel"]


class MapEdit(QUndoCommand):
    """One edit: the whole plate map before and after; it is small."""

    def __init__(self, words: str, show: Callable[[pd.DataFrame], None], before: Any, after: Any) -> None:
        super().__init__(words)
        self._show, self._before, self._after = show, before, after

    def redo(self) -> None:
        """Show the plate map as it is after the edit."""
        self._show(self._after)

    def undo(self) -> None:
        """Show the plate map as it was before the edit."""
        self._show(self._before)


def ask_unsaved(parent: QWidget) -> Answer:
    """Ask what becomes of changes that are not saved."""
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        "Plate map",
        "The plate map has changes that are not saved. Save them into the study?",
        buttons.Save | buttons.Discard | buttons.Cancel,
    )
    if answer == buttons.Save:
        return "save"
    return "discard" if answer == buttons.Discard else "cancel"


def join_file(table: pd.DataFrame, study: Study, path: Path) -> tuple[str, pd.DataFrame, list[str]]:
    """Join a file to a plate map: what was done, the new map, what did not match."""
    new, problems = edits.imported(table, study, path)
    return f"joined {path.name}", new, problems


def export_map(table: pd.DataFrame, path: Path) -> tuple[str, None, list[str]]:
    """Write a plate map as CSV."""
    save_plate_map(table, path)
    return f"written to {path}", None, []


def save_map(table: pd.DataFrame, study: Study) -> tuple[str, pd.DataFrame, list[str]]:
    """Write a plate map into a study, and give it as it was written."""
    study.write_plate_map(table)
    return "saved", study.plate_map, []
