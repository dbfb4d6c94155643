"""A plate on which any wells can be chosen: by click, drag, shift, control and keys."""

from collections.abc import Iterable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from cellvote.gui.plate_view import PlateView
from cellvote.plates.wells import well_name, well_position


class WellPicker(PlateView):
    """Keeps which wells are chosen itself: nothing is opened by choosing.

    Signals
    -------
    chosenChanged
        Other wells are chosen.
    """

    chosenChanged = Signal()  # noqa: N815 (Qt's spelling)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._anchor = ""
        self._far = ""
        self.wellClicked.connect(lambda well: self.choose([well], well))
        self.wellToggled.connect(self._on_well_toggled)
        self.boxChosen.connect(self._on_box_chosen)
        self.moveRequested.connect(lambda rows, columns: self._step(rows, columns, extend=False))
        self.extendRequested.connect(lambda rows, columns: self._step(rows, columns, extend=True))
        self.allRequested.connect(lambda: self.choose(self.colouring().wells, self._anchor))
        self.oneRequested.connect(lambda: self.choose([self._anchor], self._anchor))

    def wells(self) -> list[str]:
        """The chosen wells, row by row."""
        return sorted(self.chosen(), key=well_position)

    def choose(self, wells: Iterable[str], anchor: str = "") -> None:
        """Choose wells; those that are not on the plate map are left out."""
        there = frozenset(well for well in wells if well in self.colouring().wells)
        self._anchor = self._far = anchor if anchor in there else min(there, key=well_position, default="")
        self._show(there)

    def _show(self, wells: frozenset[str]) -> None:
        changed = wells != self.chosen()
        self.set_selected(self._anchor if self._anchor in wells else "", wells)
        if changed:
            self.chosenChanged.emit()

    def _on_well_toggled(self, well: str) -> None:
        self._anchor = self._far = well
        self._show(self.chosen() ^ {well})

    def _on_box_chosen(self, first: str, last: str) -> None:
        self._anchor, self._far = first or self._anchor or last, last
        self._show(self._box())

    def _step(self, rows: int, columns: int, *, extend: bool) -> None:
        start = self._far if extend else self._anchor
        if not start:
            return
        at, shape = well_position(start), self.colouring().shape
        row = min(max(at.row + rows, 1), shape[0])
        self._far = well_name(row, min(max(at.column + columns, 1), shape[1]))
        self._anchor = self._anchor if extend else self._far
        self._show(self._box())

    def _box(self) -> frozenset[str]:
        one, other = well_position(self._anchor), well_position(self._far)
        rows = range(min(one.row, other.row), max(one.row, other.row) + 1)
        columns = range(min(one.column, other.column), max(one.column, other.column) + 1)
        box = {well_name(row, column) for row in rows for column in columns}
        return frozenset(box & self.colouring().wells.keys())
