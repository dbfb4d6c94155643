"""Which classes to tell apart: a column of the plate map, and the values to learn, with their wells counted."""

from collections import Counter
from typing import Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cellvote.errors import ClassesError
from cellvote.gui.docks.dock import combo, fill_combo, row, text_label
from cellvote.gui.vote_text import counted
from cellvote.plates.acquisition import place_columns
from cellvote.study import Study

_LIKELY: Final = (
    "class",
    "moa",
    "mechanism",
    "control_type",
    "control",
    "phenotype",
    "treatment",
    "compound",
    "drug",
    "gene",
)
_ROWS_SHOWN: Final = 7


def class_columns(study: Study) -> dict[str, Counter[str]]:
    """List the plate-map columns that could be classes, the likeliest first, with the wells of each value."""
    imaged = study.plate_map[study.plate_map["imaged"]]
    columns = {}
    for column in imaged.columns.drop([*place_columns(imaged), "imaged"]):
        counts = Counter(value for value in imaged[column] if value)
        if len(counts) > 1:
            columns[str(column)] = counts
    return dict(sorted(columns.items(), key=lambda item: _rank(*item)))


def _rank(name: str, counts: Counter[str]) -> tuple[bool, int]:
    """Put columns whose values stand in one well each last: nothing can be learnt from these."""
    plain = name.casefold()
    likely = next((i for i, part in enumerate(_LIKELY) if part in plain), len(_LIKELY))
    return (min(counts.values()) < 2 and max(counts.values()) < 3, likely)


class ClassChoice(QWidget):
    """Asks for a column and its values.

    Signals
    -------
    changed
        Another column or other values were chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: dict[str, Counter[str]] = {}
        self._what = "well"
        self.column_box = combo("The plate-map column that holds the classes")
        self.column_box.currentIndexChanged.connect(self._on_column_chosen)
        self.values = QListWidget()
        self.values.setToolTip("Ticked classes are learnt; wells of the others are only predicted")
        self.values.itemChanged.connect(self._on_value_changed)
        self.none = text_label("The plate map has no column with two different values.", quiet=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.column_row = row("Classes from", self.column_box)
        layout.addWidget(self.column_row)
        layout.addWidget(self.values)
        layout.addWidget(self.none)

    def set_study(self, study: Study) -> None:
        """Offer the columns of a study."""
        self._columns = class_columns(study)
        self._what = "image" if "field" in study.plate_map else "well"
        fill_combo(self.column_box, [(name, name) for name in self._columns], "")
        self.none.setVisible(not self._columns)
        self.values.setVisible(bool(self._columns))
        self._on_column_chosen()

    def _on_column_chosen(self) -> None:
        counts = self._columns.get(self.column(), Counter())
        self.values.blockSignals(True)
        self.values.clear()
        for value, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            item = QListWidgetItem(f"{value}   ({counted(n, self._what)})")
            item.setData(Qt.ItemDataRole.UserRole, value)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked)
            self.values.addItem(item)
        rows = min(max(self.values.count(), 2), _ROWS_SHOWN)
        self.values.setFixedHeight(rows * max(self.values.sizeHintForRow(0), 18) + 2 * self.values.frameWidth() + 4)
        self.values.blockSignals(False)
        self.changed.emit()

    def _on_value_changed(self, item: QListWidgetItem) -> None:
        del item
        self.changed.emit()

    def column(self) -> str:
        """The chosen column."""
        return self.column_box.currentData() or ""

    def ticked(self) -> list[str]:
        """The chosen values."""
        items = [self.values.item(i) for i in range(self.values.count())]
        return [i.data(Qt.ItemDataRole.UserRole) for i in items if i.checkState() == Qt.CheckState.Checked]

    def tick(self, values: list[str]) -> None:
        """Choose values."""
        for i in range(self.values.count()):
            item = self.values.item(i)
            on = item.data(Qt.ItemDataRole.UserRole) in values
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def argument(self) -> str:
        """Write the choice as ``--classes`` reads it.

        Raises
        ------
        ClassesError
            Where fewer than two are ticked, or a name holds a comma and not all are ticked.
        """
        ticked = self.ticked()
        if len(ticked) < 2:
            raise ClassesError("tick at least two classes: a classifier tells one from another.")
        if len(ticked) == self.values.count():
            return self.column()
        comma = next((value for value in ticked if "," in value), None)
        if comma is not None:
            raise ClassesError(
                f"the class name {comma!r} holds a comma: tick all classes, or rename it in the plate map."
            )
        return f"{self.column()}={','.join(ticked)}"
