"""Inputs for settings that are lists of names: ticked, where it is known which there are."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget


class ChecklistBox(QListWidget):
    """Names to tick; all ticked, or none, stands for all of them."""

    changed = Signal()

    def __init__(self, choices: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for name in choices:
            item = QListWidgetItem(name)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(Qt.CheckState.Checked)
            self.addItem(item)
        rows = min(max(len(choices), 1), 6)
        self.setFixedHeight(rows * max(self.sizeHintForRow(0), 18) + 2 * self.frameWidth() + 4)
        self.itemChanged.connect(lambda _item: self.changed.emit())

    def value(self) -> tuple[str, ...]:
        """Give the ticked names; empty where all are."""
        items = [self.item(i) for i in range(self.count())]
        ticked = [str(item.text()) for item in items if item.checkState() == Qt.CheckState.Checked]
        return () if len(ticked) == len(items) else tuple(ticked)

    def set_value(self, value: Sequence[str]) -> None:
        """Tick these; all where none is named."""
        for i in range(self.count()):
            item = self.item(i)
            on = not value or str(item.text()) in value
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


class SubsetBox(ChecklistBox):
    """Names to tick, where none ticked stands for none."""

    def __init__(self, choices: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(choices, parent)
        self.set_value(())

    def value(self) -> tuple[str, ...]:
        """Give the ticked names."""
        items = [self.item(i) for i in range(self.count())]
        return tuple(str(item.text()) for item in items if item.checkState() == Qt.CheckState.Checked)

    def set_value(self, value: Sequence[str]) -> None:
        """Tick these."""
        for i in range(self.count()):
            item = self.item(i)
            on = str(item.text()) in value
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
