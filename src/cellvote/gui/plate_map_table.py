"""The plate map as a table of text that can be edited."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from qtpy.QtGui import QColor

from cellvote.gui.plate_map_edits import entry_columns

Index = QModelIndex | QPersistentModelIndex

_DIM = QColor("#8a8f98")


class PlateMapTable(QAbstractTableModel):
    """Shows the rows of one plate; what is typed is told, not written.

    Signals
    -------
    entryTyped(int, str, str)
        An entry was typed: the row of the whole plate map, the column, and the text.
    """

    entryTyped = Signal(int, str, str)  # noqa: N815 (Qt's spelling)

    def __init__(self) -> None:
        super().__init__()
        self._table = pd.DataFrame({"plate": [], "well": [], "imaged": []})
        self._rows: list[int] = []
        self._fixed: list[str] = ["imaged"]
        self._names: list[str] = []
        self._columns: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._reasons: list[str] = []

    def show(self, table: pd.DataFrame, rows: Sequence[int], reasons: Sequence[str]) -> None:
        """Show some rows of a plate map.

        Parameters
        ----------
        reasons
            Why each row of the whole map was recognised as a control; empty where it was not.
        """
        columns, rows = entry_columns(table), list(rows)
        reset = columns != self._columns or rows != self._rows
        if reset:
            self.beginResetModel()
        self._fixed = ["imaged"]
        self._table, self._columns, self._rows, self._reasons = table, columns, rows, list(reasons)
        self._names = _names(table)
        self._texts = {column: table[column].astype("str").tolist() for column in columns}
        if reset:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, self.columnCount() - 1))

    def column_at(self, section: int) -> str:
        """The name of a column that can be edited; empty for the others."""
        at = section - len(self._fixed)
        return self._columns[at] if 0 <= at < len(self._columns) else ""

    def section_of(self, column: str) -> int:
        """Where a column stands."""
        return len(self._fixed) + self._columns.index(column)

    def names(self, rows: Sequence[int]) -> list[str]:
        """Name rows of the whole plate map: their wells, or fields where the images have no wells."""
        return [self._names[row] for row in rows]

    def row_at(self, row: int) -> int:
        """Which row of the whole plate map is shown in a row."""
        return self._rows[row]

    def rows_from(self, row: int) -> list[int]:
        """A row of the whole plate map, and those that are shown below it."""
        return self._rows[self._rows.index(row) :]

    def shown_row(self, row: int) -> int:
        """Where a row of the whole plate map is shown."""
        return self._rows.index(row)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008 (Qt's name and default)
        """Count the wells."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """Count the columns."""
        return 0 if parent.isValid() else len(self._fixed) + len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        """Name the columns, and the wells at the left."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            return self._names[self._rows[section]]
        return [*self._fixed, *self._columns][section].replace("imaged", "images")

    def data(self, index: Index, role: int = 0) -> Any:
        """Give an entry: text as it is."""
        row, column = self._rows[index.row()], self.column_at(index.column())
        if role in {Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole}:
            if column:
                return self._texts[column][row]
            fixed = self._table[self._fixed[index.column()]].iloc[row]
            return "✓" if fixed else "none"
        if role == Qt.ItemDataRole.ForegroundRole and not column:
            return _DIM
        if role == Qt.ItemDataRole.ToolTipRole and self._reasons[row]:
            return f"recognised as a control: {self._reasons[row]}"
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let entries be typed, but not wells."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if self.column_at(index.column()) else flags

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:  # noqa: N802
        """Tell what was typed."""
        column = self.column_at(index.column())
        if role != Qt.ItemDataRole.EditRole or not column:
            return False
        if str(value).strip() != self.data(index, Qt.ItemDataRole.EditRole):
            self.entryTyped.emit(self._rows[index.row()], column, str(value))
        return True


def _names(table: pd.DataFrame) -> list[str]:
    """Name each row: its well, or its field where the images have no wells."""
    wells = table["well"].astype("str").tolist()
    fields = table["field"].tolist() if "field" in table else [""] * len(wells)
    return [well or f"field {field}" for well, field in zip(wells, fields, strict=True)]
