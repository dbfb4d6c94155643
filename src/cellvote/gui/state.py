"""What one window looks at: the open study, the chosen field, masks and model; every dock shares it. No Qt here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from cellvote.gui.facts import PlateFacts
from cellvote.gui.predicted import Well
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.wells import plate_shape, well_name, well_position
from cellvote.study import Study

ContrastLimits = tuple[float, float]


@dataclass(eq=False)
class State:
    """What the docks of one viewer share; ``events`` tells of every change.

    Attributes
    ----------
    study
        The open study.
    facts
        What is known of its wells, read anew whenever a step has written something.
    key
        The field that is shown.
    selection
        The wells that are chosen, all of one plate; the one that is shown is always among them.
    segmentation, model
        Whose masks and predictions are shown; empty for none.
    contrast
        Contrast limits of each channel, the same on every well.
    running
        What a long step is doing now; empty where none runs.
    revision
        Goes up when a step has written results.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    study: Study | None = None
    facts: PlateFacts | None = None
    key: FieldKey | None = None
    selection: frozenset[Well] = frozenset()
    segmentation: str = ""
    model: str = ""
    running: str = ""
    revision: int = 0
    contrast: dict[str, ContrastLimits] = field(default_factory=dict)
    _fields_of: dict[Well, list[int]] = field(default_factory=dict, repr=False)
    _anchor: str = field(default="", repr=False)
    _corner: str = field(default="", repr=False)
    _well_wanted: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.events.key.connect(self._on_key_changed)

    def _on_key_changed(self, key: FieldKey | None) -> None:
        """Choose the well that is shown, and it alone where it is not among the chosen ones."""
        if key is None or (key.plate, key.well) in self.selection:
            return
        self._anchor = self._corner = self._well_wanted = key.well
        self.selection = frozenset({(key.plate, key.well)})

    def show_study(self, study: Study, key: FieldKey | None = None) -> None:
        """Look at a study: its latest masks and predictions, and a field, the first where none is named."""
        with self.events.blocked():
            self.key = None
            self.selection = frozenset()
            self.facts = None
            self.contrast = {}
            self.segmentation = self.model = ""
            self._fields_of = {}
            for one in study.fields:
                self._fields_of.setdefault((one.plate, one.well), []).append(one.field)
            self.study = study
            self._choose_results()
        self.events.study.emit(study, None)
        first = study.fields[0] if study.fields else None
        self.key = key if key in study.fields else first

    def results_written(self, model: str = "", segmentation: str = "") -> None:
        """Take note that a step has written results, and look at these."""
        with self.events.blocked():
            self.segmentation = segmentation or self.segmentation
            self.model = model or self.model
            self._choose_results()
        self.revision += 1

    def _choose_results(self) -> None:
        """Keep what is chosen where it is still there, else take the last that is."""
        if self.study is None:
            return
        masks, models = self.study.segmentations, self.study.predictions
        self.segmentation = self.segmentation if self.segmentation in masks else (masks or [""])[-1]
        self.model = self.model if self.model in models else (models or [""])[-1]

    # Where we are on the plate

    @property
    def plate(self) -> str:
        """The plate of the field that is shown."""
        return self.key.plate if self.key else ""

    @property
    def several_plates(self) -> bool:
        """Whether a well's name alone does not say which well it is."""
        return self.study is not None and len({plate for plate, _ in self._fields_of}) > 1

    def fields_of(self, plate: str, well: str) -> list[int]:
        """Numbers of the fields of a well; none where it was not imaged."""
        return self._fields_of.get((plate, well), [])

    def wells_of(self, plate: str) -> Iterator[str]:
        """The imaged wells of a plate."""
        return (well for one, well in self._fields_of if one == plate)

    def choose_well(self, plate: str, well: str) -> bool:
        """Show a well: the same field as before where it has it, else its first; says whether it was imaged."""
        if not self.fields_of(plate, well):
            return False
        self._well_wanted = well
        self._choose(plate, {well}, shown=well, anchor=well)
        return True

    def _choose(self, plate: str, wells: Iterable[str], *, shown: str, anchor: str = "", corner: str = "") -> None:
        """Choose wells, and show one of them: the same field as before where it has it, else its first."""
        self._anchor = anchor or self._anchor
        self._corner = corner or self._anchor
        fields = self.fields_of(plate, shown)
        number = self.key.field if self.key and self.key.field in fields else fields[0]
        self.selection = frozenset((plate, well) for well in wells)
        self.key = FieldKey(plate, shown, number)

    # Several wells

    def choose_box(self, first: str, last: str) -> None:
        """Choose the imaged wells between two corners; the first is the one chosen before where it is not named."""
        if self.key is None or not self.key.well:
            return
        first = first or self._anchor or self.key.well
        one, other = well_position(first), well_position(last)
        rows, columns = sorted((one.row, other.row)), sorted((one.column, other.column))
        inside = [
            well
            for well in self.wells_of(self.key.plate)
            if rows[0] <= well_position(well).row <= rows[1] and columns[0] <= well_position(well).column <= columns[1]
        ]
        if inside:
            shown = self.key.well if self.key.well in inside else first if first in inside else inside[0]
            self._choose(self.key.plate, inside, shown=shown, anchor=first, corner=last)

    def extend(self, rows: int, columns: int) -> None:
        """Move the last corner of the chosen box."""
        if self.key is None or not self.key.well:
            return
        row, column = well_position(self._corner or self.key.well)
        last_row, last_column = plate_shape(self.wells_of(self.key.plate))
        row, column = min(max(row + rows, 1), last_row), min(max(column + columns, 1), last_column)
        self.choose_box("", well_name(row, column))

    def toggle_well(self, well: str) -> None:
        """Choose one more well and show it, or leave one out; the last one stays."""
        if self.key is None or not self.fields_of(self.key.plate, well):
            return
        plate, chosen = self.key.plate, {name for _, name in self.selection}
        if well not in chosen:
            self._choose(plate, chosen | {well}, shown=well, anchor=well)
        elif len(chosen) > 1:
            rest = sorted(chosen - {well})
            self._choose(plate, rest, shown=self.key.well if self.key.well != well else rest[0])

    def choose_all_wells(self) -> None:
        """Choose every imaged well of the plate."""
        if self.key is not None and self.key.well:
            self._choose(self.key.plate, self.wells_of(self.key.plate), shown=self.key.well)

    # Plates

    def choose_plate(self, plate: str) -> None:
        """Show another plate: the well that was chosen last where it has that, else its first."""
        wells = list(self.wells_of(plate))
        if not wells or plate == self.plate:
            return
        well = self._well_wanted if self._well_wanted in wells else wells[0]
        self._choose(plate, {well}, shown=well, anchor=well)

    def step_plate(self, by: int) -> None:
        """Go to the next (1) or previous (-1) plate; stay at the last."""
        plates = list(dict.fromkeys(plate for plate, _ in self._fields_of))
        if self.plate in plates:
            self.choose_plate(plates[min(max(plates.index(self.plate) + by, 0), len(plates) - 1)])

    def choose_field(self, number: int) -> None:
        """Show another field of this well, where there is such a field."""
        if self.key and number in self.fields_of(self.key.plate, self.key.well):
            self.key = self.key._replace(field=number)

    def step_field(self, by: int) -> None:
        """Go to the next (1) or previous (-1) field; past the last of a well to the next imaged well."""
        if self.key is None or self.study is None:
            return
        fields = self.study.fields
        self.key = fields[min(max(fields.index(self.key) + by, 0), len(fields) - 1)]

    def move(self, rows: int, columns: int) -> None:
        """Go to the next imaged well that way on the plate; stay where there is none."""
        if self.key is None or not self.key.well:
            return
        row, column = well_position(self.key.well)
        imaged = set(self.wells_of(self.key.plate))
        while True:
            row, column = row + rows, column + columns
            try:
                name = well_name(row, column)
            except ValueError:
                return
            if name in imaged:
                self.choose_well(self.key.plate, name)
                return
