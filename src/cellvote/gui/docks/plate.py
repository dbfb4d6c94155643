"""The Plate dock: the plate as a picture, coloured by what is known; click a well to see it."""

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cellvote.gui.docks.dock import Dock, combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.new_study import NewStudyForm
from cellvote.gui.layer_data import mark_of
from cellvote.gui.legend import Legend
from cellvote.gui.plate_colouring import colour_plate, colourings
from cellvote.gui.plate_view import PlateView
from cellvote.gui.vote_text import well_tooltip
from cellvote.study.study import SUFFIX


class PlateDock(Dock):
    """Opens a study and walks its plates.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, scrolls=False)
        self._colour_by = ""
        self.setAcceptDrops(True)
        self._make_top()
        self.empty = self._make_empty()
        self.new_study = NewStudyForm(self.session)
        self.new_study.closed.connect(self._on_new_study_closed)
        self.looking = self._make_looking()
        self.pages = QStackedWidget()
        for page in (self.empty, self.new_study, self.looking):
            self.pages.addWidget(page)
        self.body.addWidget(self.pages, 1)
        events = self.state.events
        self.listen(events.study, self._on_study_changed)
        self.listen(events.facts, self._on_facts_changed)
        self.listen(events.key, self._on_key_changed)
        self.listen(self.session.runner.finished, self.new_study.show_finished)
        self.listen(self.session.runner.progressed, self.new_study.show_progress)
        if self.state.study is not None:
            self._on_study_changed()
        else:
            self._open_what_is_shown(viewer)

    # Parts

    def _make_top(self) -> None:
        self.title = text_label("")
        self.open_button = QPushButton("Open …")
        self.open_button.setToolTip("Open a .cellvote folder")
        self.open_button.clicked.connect(self._on_open_clicked)
        self.new_button = QPushButton("New …")
        self.new_button.setToolTip("Make a study of a folder of images")
        self.new_button.clicked.connect(self._on_new_clicked)
        for button in (self.open_button, self.new_button):
            button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.body.addWidget(row(self.title, self.open_button, self.new_button))

    @staticmethod
    def _make_empty() -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        words = text_label(
            "No study is open.<br><br>Open a <b>.cellvote</b> folder, or make a new study of a folder of plate "
            "images. You can also drop either here.",
            quiet=True,
        )
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(1)
        layout.addWidget(words)
        layout.addStretch(2)
        return page

    def _make_looking(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.plate_box = combo("Which plate is shown")
        self.plate_box.currentIndexChanged.connect(self._on_plate_chosen)
        self.colour_box = combo("What the wells are coloured by")
        self.colour_box.currentIndexChanged.connect(self._on_colour_chosen)
        self.masks_box = combo("Whose masks are shown", least=4)
        self.masks_box.currentIndexChanged.connect(self._on_masks_chosen)
        self.model_box = combo("Whose predictions are shown", least=4)
        self.model_box.currentIndexChanged.connect(self._on_model_chosen)
        self.plate_row = row("Plate", self.plate_box)
        self.masks_row = row("Masks", self.masks_box)
        self.model_row = row("Classifier", self.model_box)
        self.view = PlateView()
        self.view.wellClicked.connect(self._on_well_clicked)
        self.view.moveRequested.connect(self.state.move)
        self.view.fieldStepRequested.connect(self.state.step_field)
        self.view.set_tooltips(self._tooltip)
        self.legend = Legend()
        self.problem = text_label("")
        self.problem.setStyleSheet("color: #ff8a80;")
        self.problem.hide()
        self.colour_row = row("Colour by", self.colour_box)
        for widget in (self.plate_row, row(self.masks_row, self.model_row), self.colour_row):
            layout.addWidget(widget)
        layout.addWidget(self.problem)
        layout.addWidget(self.view, 100)
        layout.addWidget(self.legend)
        layout.addWidget(self._make_field_strip())
        layout.addStretch(1)
        return page

    def _make_field_strip(self) -> QWidget:
        strip = QWidget()
        layout = QHBoxLayout(strip)
        layout.setContentsMargins(0, 4, 0, 0)
        self.previous_button, self.next_button = QToolButton(), QToolButton()
        for button, arrow, by, words in (
            (self.previous_button, Qt.ArrowType.LeftArrow, -1, "Previous field (Page up)"),
            (self.next_button, Qt.ArrowType.RightArrow, 1, "Next field (Page down)"),
        ):
            button.setArrowType(arrow)
            button.setToolTip(words)
            button.clicked.connect(lambda _checked=False, by=by: self.state.step_field(by))
        self.well_label = heading("")
        self.field_count = QLabel()
        self.field_box = combo("Which field of the well is shown")
        self.field_box.currentIndexChanged.connect(self._on_field_chosen)
        layout.addWidget(self.previous_button)
        layout.addWidget(self.well_label)
        layout.addWidget(self.field_box)
        layout.addWidget(self.field_count)
        layout.addStretch(1)
        layout.addWidget(self.next_button)
        return strip

    # Opening

    def _open_what_is_shown(self, viewer: ViewerModel) -> None:
        """Go on with the study, or the plate folder, whose layers a reader has put into the viewer."""
        marks = [mark for layer in viewer.layers if (mark := mark_of(layer))]
        study = next((mark["study"] for mark in marks if mark.get("study")), "")
        images = next((mark["images"] for mark in marks if mark.get("images")), "")
        if study:
            self.session.open_study(study)
        elif images:
            self._propose(images)

    def _propose(self, images: str | Path) -> None:
        self.new_study.set_images(images)
        self.pages.setCurrentWidget(self.new_study)

    def open_path(self, path: str | Path) -> None:
        """Open a study, or propose a new one of a folder of images."""
        if str(path).rstrip("/").endswith(SUFFIX):
            self.session.open_study(path)
        else:
            self._propose(path)

    def _on_open_clicked(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a study (a .cellvote folder), or a folder of images")
        if path:
            self.open_path(path)

    def _on_new_clicked(self) -> None:
        self.pages.setCurrentWidget(self.new_study)

    def _on_new_study_closed(self) -> None:
        self.pages.setCurrentWidget(self.looking if self.state.study is not None else self.empty)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 (Qt's name)
        """Take folders."""
        if any(Path(url.toLocalFile()).is_dir() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open what was dropped."""
        self.open_path(event.mimeData().urls()[0].toLocalFile())

    # Showing

    def _on_study_changed(self) -> None:
        study = self.state.study
        if study is None:
            return
        name = study.path.name.removesuffix(SUFFIX)
        wells = len({(key.plate, key.well) for key in study.fields})
        self.title.setText(f"<b>{name}</b><br>{wells:,} wells · {len(study.fields):,} fields")
        self.title.setToolTip(f"{study.path}\nimages: {study.source}\nlayout: {study.info.layout}")
        fill_combo(self.plate_box, [(plate, plate) for plate in study.plates], self.state.plate)
        self.plate_row.setVisible(len(study.plates) > 1)
        self.pages.setCurrentWidget(self.looking)
        self._on_facts_changed()
        self._on_key_changed()

    def _on_facts_changed(self) -> None:
        state = self.state
        if state.study is None:
            return
        fill_combo(self.masks_box, [(name, name) for name in state.study.segmentations], state.segmentation)
        self.masks_row.setVisible(len(state.study.segmentations) > 1)
        fill_combo(self.model_box, [(name, name) for name in state.study.predictions], state.model)
        self.model_row.setVisible(len(state.study.predictions) > 1)
        facts = state.facts
        self.problem.setVisible(bool(facts and facts.problem))
        if facts is None:
            return
        self.problem.setText(facts.problem)
        choices = colourings(facts)
        chosen_before = self._colour_by in choices
        self._colour_by = self._colour_by if chosen_before else next(iter(choices), "")
        fill_combo(self.colour_box, list(choices.items()), self._colour_by)
        self.colour_row.setVisible(bool(choices))
        self._paint()

    def colour_by(self, key: str) -> None:
        """Colour the plate by one of `colourings`; kept for when it can be where it cannot yet."""
        self._colour_by = key
        self._on_facts_changed()

    def _paint(self) -> None:
        facts = self.state.facts
        if facts is None:
            return
        coloured = colour_plate(facts, self.state.plate, self._colour_by)
        self.view.set_colouring(coloured)
        self.view.setVisible(bool(coloured.wells))
        self.legend.set_content(coloured.entries, coloured.bars)

    def _on_key_changed(self) -> None:
        key = self.state.key
        if key is None:
            return
        if self.plate_box.currentData() != key.plate:
            self.plate_box.blockSignals(True)
            self.plate_box.setCurrentIndex(self.plate_box.findData(key.plate))
            self.plate_box.blockSignals(False)
            self._paint()
        self.view.set_selected(key.well)
        numbers = self.state.fields_of(key.plate, key.well)
        self.well_label.setText(key.well or key.plate)
        fill_combo(self.field_box, [(number, f"field {number}") for number in numbers], key.field)
        self.field_box.setVisible(len(numbers) > 1)
        self.field_count.setText(f"of {len(numbers)}")
        self.field_count.setVisible(len(numbers) > 1)

    def _tooltip(self, well: str) -> str:
        plate, facts = self.state.plate, self.state.facts
        return well_tooltip((plate, well), facts, len(self.state.fields_of(plate, well))) if facts else well

    # Choosing

    def _on_well_clicked(self, well: str) -> None:
        self.state.choose_well(self.state.plate, well)

    def _on_plate_chosen(self) -> None:
        plate = self.plate_box.currentData()
        here = self.state.key.well if self.state.key else ""
        if not self.state.choose_well(plate, here):
            well = next(self.state.wells_of(plate), None)
            if well is not None:
                self.state.choose_well(plate, well)
        self._paint()

    def _on_colour_chosen(self) -> None:
        self._colour_by = self.colour_box.currentData() or ""
        self._paint()

    def _on_masks_chosen(self) -> None:
        self.state.segmentation = self.masks_box.currentData() or ""

    def _on_model_chosen(self) -> None:
        self.state.model = self.model_box.currentData() or ""

    def _on_field_chosen(self) -> None:
        self.state.choose_field(self.field_box.currentData())
