"""What one window looks at: the open study, the chosen field, masks and model; every dock shares it. No Qt here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from cellvote.gui.facts import PlateFacts, Well
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.wells import well_name, well_position
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
    segmentation: str = ""
    model: str = ""
    running: str = ""
    revision: int = 0
    contrast: dict[str, ContrastLimits] = field(default_factory=dict)
    _fields_of: dict[Well, list[int]] = field(default_factory=dict, repr=False)

    def show_study(self, study: Study, key: FieldKey | None = None) -> None:
        """Look at a study: its latest masks and predictions, and a field, the first where none is named."""
        with self.events.blocked():
            self.key = None
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
        fields = self.fields_of(plate, well)
        if not fields:
            return False
        number = self.key.field if self.key and self.key.field in fields else fields[0]
        self.key = FieldKey(plate, well, number)
        return True

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
