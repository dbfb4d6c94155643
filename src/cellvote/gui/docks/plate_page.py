"""The plate of an open study: what colours it, the picture, what it shows, and the fields of a well."""

from functools import partial
from typing import Final

from qtpy.QtCore import QMimeData, Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from cellvote.gui.background import Background
from cellvote.gui.column_choice import ColumnChoice
from cellvote.gui.docks.dock import BAD, combo, fill_combo, row, text_label
from cellvote.gui.facts import PlateFacts
from cellvote.gui.field_strip import MOST, FieldStrip
from cellvote.gui.image_list import ImageList, listed_images
from cellvote.gui.legend import Legend
from cellvote.gui.measurement_reader import MeasurementReader
from cellvote.gui.plate_colouring import LegendEntry, WellLook, colour_by_column
from cellvote.gui.plate_columns import MEASURED, Measured, PlateColumn, colourings, plate_column
from cellvote.gui.plate_view import PlateView
from cellvote.gui.position_text import PositionReport, look_for_position, position_line, position_tooltip
from cellvote.gui.selection_text import selection_table, selection_words
from cellvote.gui.state import State
from cellvote.gui.vote_text import well_tooltip
from cellvote.profiling.aggregate import STATISTICS, Statistic

_PATIENCE_MS: Final = 200
"""So long the old colours stay while a measurement is read; then the wells are drawn plain."""


class PlatePage(QWidget):
    """Shows the plates of the study that is open; its ``field_row`` is placed where it does not scroll away.

    Parameters
    ----------
    state
        What the docks share; whoever makes the page connects its events to the ``show_…`` methods.
    """

    textCopied = Signal(str)  # noqa: N815 (Qt's spelling)

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self._colour_by = ""
        self._column = PlateColumn("")
        self._column_of: tuple[PlateFacts | None, str, Measured | str | None] = (None, "", None)
        self._reader = MeasurementReader(self._paint)
        self._position = Background(self._on_position_found)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_PATIENCE_MS)
        self._late.timeout.connect(self._paint_column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._make_choices(layout)
        self._make_plate(layout)
        layout.addStretch(1)
        self.field_row = self._make_field_row()
        self.destroyed.connect(partial(_forget, self._reader, self._position))
        for keys, by in (("Ctrl+PgUp", -1), ("Ctrl+PgDown", 1)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda by=by: self.state.step_plate(by))

    # Parts

    def _make_choices(self, layout: QVBoxLayout) -> None:
        self.plate_box = combo("Which plate is shown")
        self.plate_box.currentIndexChanged.connect(lambda: self.state.choose_plate(self.plate_box.currentData()))
        self.previous_plate = _arrow(Qt.ArrowType.LeftArrow, "Previous plate (Ctrl+Page up)")
        self.previous_plate.clicked.connect(lambda: self.state.step_plate(-1))
        self.next_plate = _arrow(Qt.ArrowType.RightArrow, "Next plate (Ctrl+Page down)")
        self.next_plate.clicked.connect(lambda: self.state.step_plate(1))
        self.masks_box = combo("Whose masks are shown", least=4)
        self.masks_box.currentIndexChanged.connect(self._on_masks_chosen)
        self.model_box = combo("Whose predictions are shown", least=4)
        self.model_box.currentIndexChanged.connect(self._on_model_chosen)
        self.colour_box = ColumnChoice()
        self.colour_box.columnChosen.connect(self._on_colour_chosen)
        self.statistic_box = combo("What stands for the cells of a well", least=4)
        self.statistic_box.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.statistic_box.setFixedWidth(self.fontMetrics().horizontalAdvance("median") + 52)
        fill_combo(self.statistic_box, [(one, one) for one in STATISTICS], STATISTICS[0])
        self.statistic_box.currentIndexChanged.connect(self._paint)
        self.problem = text_label("")
        self.problem.setStyleSheet(f"color: {BAD};")
        self.problem.hide()
        self.hint = text_label(
            "Nothing to colour by yet: say what was done to the wells in the plate map, or segment them.", quiet=True
        )
        self.hint.hide()
        self.plate_row = row("Plate", self.plate_box, self.previous_plate, self.next_plate)
        self.masks_row = row("Masks", self.masks_box)
        self.model_row = row("Classifier", self.model_box)
        self.colour_row = row("Colour by", self.colour_box, self.statistic_box)
        for widget in (self.plate_row, row(self.masks_row, self.model_row), self.colour_row, self.hint, self.problem):
            layout.addWidget(widget)

    def _make_plate(self, layout: QVBoxLayout) -> None:
        self.view = PlateView()
        view, state = self.view, self.state
        view.wellClicked.connect(lambda well: state.choose_well(state.plate, well))
        view.wellToggled.connect(state.toggle_well)
        view.boxChosen.connect(state.choose_box)
        view.moveRequested.connect(state.move)
        view.extendRequested.connect(state.extend)
        view.fieldStepRequested.connect(state.step_field)
        view.allRequested.connect(state.choose_all_wells)
        view.oneRequested.connect(self._choose_shown_well)
        view.copyRequested.connect(self.copy_selection)
        view.wellHovered.connect(self._on_well_hovered)
        view.set_tooltips(self.tooltip)
        self.legend = Legend()
        self.legend.entryHovered.connect(self._on_entry_hovered)
        self.position = text_label("", quiet=True)
        self.position.setStyleSheet("color: #9aa1ab; font-size: 11px;")
        self.position.setTextFormat(Qt.TextFormat.RichText)
        self.position.hide()
        self.selection = text_label("")
        for label in (self.position, self.selection):
            label.setMinimumHeight(1)  # what it needs hangs on the width; Qt would ask for that of one word a line
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy")
        self.copy_button.setToolTip("Copy these wells with their values as a table (Ctrl+C)")
        self.copy_button.clicked.connect(self.copy_selection)
        self.images = ImageList()
        self.images.imageChosen.connect(state.choose_field)
        self.images.hide()
        layout.addWidget(view, 100)
        layout.addWidget(self.images, 100)
        self.selection_row = row(self.selection, self.copy_button)
        for widget in (self.legend, self.position, self.selection_row):
            layout.addWidget(widget)

    def _make_field_row(self) -> QWidget:
        line = QWidget()
        layout = QHBoxLayout(line)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.previous_button = _arrow(Qt.ArrowType.LeftArrow, "Previous field (Page up)")
        self.previous_button.clicked.connect(lambda: self._step(-1))
        self.next_button = _arrow(Qt.ArrowType.RightArrow, "Next field (Page down)")
        self.next_button.clicked.connect(lambda: self._step(1))
        self.well_label = QLabel()
        self.well_label.setStyleSheet("font-weight: bold; padding-top: 1px;")
        self.strip = FieldStrip()
        self.strip.fieldClicked.connect(self.state.choose_field)
        self.field_box = combo("Which field of the well is shown")
        self.field_box.currentIndexChanged.connect(lambda: self.state.choose_field(self.field_box.currentData()))
        layout.addWidget(self.previous_button, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.well_label, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.strip, 1)
        layout.addWidget(self.field_box, 1)
        layout.addWidget(self.next_button, 0, Qt.AlignmentFlag.AlignTop)
        return line

    # What is shown

    @property
    def busy(self) -> bool:
        """Whether a measurement is being read, or its position looked at."""
        return self._reader.busy or self._position.busy

    def show_study(self) -> None:
        """Offer the plates of the study that was opened."""
        study = self.state.study
        if study is None:
            return
        fill_combo(self.plate_box, [(plate, plate) for plate in study.plates], self.state.plate)
        self.plate_row.setVisible(len(study.plates) > 1)
        self.show_facts()
        self.show_key()

    def show_facts(self) -> None:
        """Offer what the plate can be coloured by, and colour it."""
        state = self.state
        if state.study is None:
            return
        fill_combo(self.masks_box, [(name, name) for name in state.study.segmentations], state.segmentation)
        self.masks_row.setVisible(len(state.study.segmentations) > 1)
        fill_combo(self.model_box, [(name, name) for name in state.study.predictions], state.model)
        self.model_row.setVisible(len(state.study.predictions) > 1)
        if state.facts is None:
            return
        choices = {} if self.without_wells else colourings(state.facts)
        if self._colour_by not in choices:
            self._colour_by = next(iter(choices), "")
        self.colour_box.fill(choices, self._colour_by)
        self.colour_row.setVisible(bool(choices))
        self.hint.setVisible(not choices and not self.without_wells)
        self._paint()
        self._show_fields()

    def colour_by(self, key: str) -> None:
        """Colour the plate by one of `colourings`; kept for when it can be where it cannot yet."""
        self._colour_by = key
        self.show_facts()

    def _paint(self) -> None:
        """Colour the plate; a measurement that is not read yet is waited for, for a moment in the old colours."""
        facts, study = self.state.facts, self.state.study
        if facts is None or study is None:
            return
        measured: Measured | str | None = None
        by_measurement = self._colour_by.startswith(MEASURED)
        self.statistic_box.setVisible(by_measurement)
        if by_measurement:
            statistic: Statistic = self.statistic_box.currentData()
            measured = self._reader.get(study, facts, self._colour_by.removeprefix(MEASURED), statistic)
        problem = " ".join(part for part in (facts.problem, measured if isinstance(measured, str) else "") if part)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self._look_up(facts, measured)
        if by_measurement and measured is None:
            if not self._late.isActive():
                self._late.start()
            return
        self._late.stop()
        self._paint_column()

    def _look_up(self, facts: PlateFacts, measured: Measured | str | None) -> None:
        """Take the shown column from the facts, where it is another one than before."""
        asked = (facts, self._colour_by, measured)
        if all(now is before for now, before in zip(asked, self._column_of, strict=True)):
            return
        self._column_of = asked
        if isinstance(measured, str):
            self._column = PlateColumn(self._colour_by, self._colour_by.removeprefix(MEASURED), no_value="not read")
        else:
            self._column = plate_column(facts, self._colour_by, measured)

    def _paint_column(self) -> None:
        facts = self.state.facts
        if facts is None:
            return
        coloured = colour_by_column(facts, self.state.plate, self._column)
        self.view.set_colouring(coloured)
        self.view.set_bright(None)
        self.view.setVisible(bool(coloured.wells))
        self._show_images()
        self.legend.set_content(coloured.entries, coloured.bars)
        self._say_selection()
        if self._column.is_number:
            column, plate = self._column, self.state.plate
            self._position.ask(lambda: (column, plate, look_for_position(facts, plate, column)))
        else:
            self.position.hide()

    @property
    def without_wells(self) -> bool:
        """Whether the images of this plate have no wells: then they are listed."""
        return self.state.key is not None and not self.state.key.well

    def _show_images(self) -> None:
        key, facts = self.state.key, self.state.facts
        listed = key is not None and facts is not None and self.without_wells
        self.images.setVisible(listed)
        self.selection_row.setVisible(not listed)
        if listed and key is not None and facts is not None:
            self.images.set_images(listed_images(facts, key.plate), key.field)

    def _step(self, by: int) -> None:
        """Go to the next field; of images without wells, to the next of those that are listed."""
        if self.without_wells:
            self.images.step(by)
        else:
            self.state.step_field(by)

    def _on_position_found(self, found: tuple[PlateColumn, str, PositionReport]) -> None:
        column, plate, report = found
        if column is not self._column or plate != self.state.plate:
            return
        words = position_line(report)
        self.position.setText(words)
        self.position.setToolTip(position_tooltip(report) if words else "")
        self.position.setVisible(bool(words))

    def show_key(self) -> None:
        """Follow to the field that is shown."""
        key = self.state.key
        if key is None:
            return
        if self.plate_box.currentData() != key.plate:
            fill = self.plate_box.findData(key.plate)
            self.plate_box.blockSignals(True)
            self.plate_box.setCurrentIndex(fill)
            self.plate_box.blockSignals(False)
            self._paint()
        here = self.plate_box.currentIndex()
        self.previous_plate.setEnabled(here > 0)
        self.next_plate.setEnabled(here < self.plate_box.count() - 1)
        self.show_selection()
        self._show_fields()

    def _show_fields(self) -> None:
        key, facts = self.state.key, self.state.facts
        if key is None:
            return
        numbers = self.state.fields_of(key.plate, key.well)
        if self.without_wells:
            self.images.show_image(key.field)
            self.well_label.setText(f"Image {key.field:,} of {len(numbers):,}")
            self.strip.hide()
            self.field_box.hide()
            return
        self.well_label.setText(key.well)
        failed = {one.field: error for one, error in facts.failed.items() if one[:2] == key[:2]} if facts else {}
        few = len(numbers) <= MOST
        self.strip.set_fields(numbers if few else (), key.field, failed)
        self.strip.setVisible(few)
        fill_combo(self.field_box, [(number, f"field {number} of {len(numbers)}") for number in numbers], key.field)
        self.field_box.setVisible(not few)

    def show_selection(self) -> None:
        """Outline the chosen wells, and say what they come to."""
        key = self.state.key
        chosen = frozenset(well for plate, well in self.state.selection if key is not None and plate == key.plate)
        self.view.set_selected(key.well if key else "", chosen)
        self._say_selection()

    def _say_selection(self) -> None:
        facts, wells = self.state.facts, self.state.selection
        words = selection_words(wells, facts, self._column) if facts and self.view.colouring().wells else ""
        self.selection.setText("" if words == self.well_label.text() else words)
        self.copy_button.setVisible(len(wells) > 1)

    def tooltip(self, well: str) -> str:
        """Tell a well's facts, as HTML."""
        plate, facts = self.state.plate, self.state.facts
        if facts is None:
            return well
        at = (plate, well)
        return well_tooltip(
            at, facts, len(self.state.fields_of(plate, well)), (self._column.title, self._column.words(at))
        )

    def copy_selection(self) -> None:
        """Copy what is said of the chosen wells, and a table of them."""
        facts = self.state.facts
        if facts is None or not self.state.selection:
            return
        table = selection_table(self.state.selection, facts, self._column)
        content = QMimeData()
        content.setText(table)
        QApplication.clipboard().setMimeData(content)
        self.textCopied.emit(table)

    # What is chosen

    def _on_well_hovered(self, well: str) -> None:
        self.legend.point_at(self.view.colouring().wells.get(well, WellLook()))

    def _on_entry_hovered(self, entry: LegendEntry | None) -> None:
        wells = self.view.colouring().wells
        self.view.set_bright(None if entry is None else frozenset(w for w, look in wells.items() if entry.names(look)))

    def _choose_shown_well(self) -> None:
        if self.state.key is not None:
            self.state.choose_well(self.state.key.plate, self.state.key.well)

    def _on_colour_chosen(self, key: str) -> None:
        self._colour_by = key
        self._paint()

    def _on_masks_chosen(self) -> None:
        self.state.segmentation = self.masks_box.currentData() or ""

    def _on_model_chosen(self) -> None:
        self.state.model = self.model_box.currentData() or ""


def _forget(reader: MeasurementReader, position: Background) -> None:
    reader.forget()
    position.forget()


def _arrow(arrow: Qt.ArrowType, words: str) -> QToolButton:
    button = QToolButton()
    button.setArrowType(arrow)
    button.setToolTip(words)
    return button
