"""What a segmentation is to run on: the chosen wells, the plate that is shown, or all plates."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from cellvote.gui.docks.dock import combo, fill_combo, row
from cellvote.gui.state import State
from cellvote.study.field_choice import name_wells

SELECTION, PLATE, ALL = "selection", "plate", "all"


class RunChoice(QWidget):
    """Chooses the fields of a run; follows what is chosen in the plate view.

    Parameters
    ----------
    state
        What the docks share; whoever makes this calls `refresh` when its study, key or selection changes.

    Signals
    -------
    changed
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state
        self.box = combo("Which fields are segmented; those that are done already are not done again")
        self.box.currentIndexChanged.connect(lambda _index: self.changed.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row("Run on", self.box))

    def value(self) -> str:
        """Give what is chosen: `SELECTION`, `PLATE` or `ALL`."""
        return str(self.box.currentData() or ALL)

    def set_value(self, value: str) -> None:
        """Choose."""
        self.box.setCurrentIndex(max(self.box.findData(value), 0))

    def words(self) -> str:
        """Name the button that runs it: ``Segment 3 wells``."""
        n = len(self._state.selection)
        chosen = "this well" if n == 1 else f"{n:,} wells"
        return {SELECTION: f"Segment {chosen}", PLATE: "Segment this plate"}.get(self.value(), "Segment all")

    def wells(self) -> str:
        """Write the choice for ``--wells``; empty for everything."""
        state = self._state
        if state.study is None or self.value() == ALL:
            return ""
        everything = {(key.plate, key.well) for key in state.study.fields}
        wells = state.selection if self.value() == SELECTION else {w for w in everything if w[0] == state.plate}
        return name_wells(wells, everything)

    def refresh(self) -> None:
        """Offer what there is now; what was chosen stays."""
        state, before = self._state, self.value()
        if state.study is None or state.key is None:
            return
        entries = [(ALL, f"all {len(state.study.plates):,} plates" if state.several_plates else "all wells")]
        if not state.key.well:
            entries = [(ALL, "all images")]
        if state.several_plates:
            entries.insert(0, (PLATE, f"this plate ({state.plate})"))
        if state.key.well:
            n = len(state.selection)
            entries.insert(0, (SELECTION, f"this well ({state.key.well})" if n == 1 else f"the {n:,} chosen wells"))
        fill_combo(self.box, entries, before)
        self.changed.emit()
