"""The Train dock: which classes, held out by what, how; curves while it learns, and how well it does after."""

import contextlib
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cellvote.errors import CellVoteError, ClassesError, SettingsError
from cellvote.gui.curve_view import CurveView
from cellvote.gui.docks.class_choice import ClassChoice
from cellvote.gui.docks.dock import combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.history import Score, read_history, read_scores, warnings_of
from cellvote.gui.settings_form import SettingsForm
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.learning.architectures import CLASSIC, NETWORK_BUILDERS
from cellvote.learning.settings import TrainSettings
from cellvote.study.study import checked_name

DOCK: Final = "train"
TRAINING: Final = "Training"
CAUTION: Final = "#f2b34c"
_EVERY_MS: Final = 1000
_DEVICES: Final = ("auto", "cpu", "cuda", "mps")


class TrainDock(StepDock):
    """Trains a classifier and says how well it does on what it has not seen.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, DOCK)
        self.form: SettingsForm | None = None
        self._named_after = ""
        self._followed: Path | None = None
        self.classes = ClassChoice()
        self.split_box = combo("What is held out whole to find out how well the classifier does: never single cells")
        self.device_box = combo("Where networks are trained")
        fill_combo(self.device_box, [(name, name) for name in _DEVICES], "auto")
        self.form_place = QVBoxLayout()
        self.name_line = QLineEdit()
        self.name_line.setToolTip("Name of the classifier")
        self.overwrite_box = QCheckBox("Replace it where it is there")
        self.predict_box = QCheckBox("Then predict all cells of this study")
        self.predict_box.setChecked(True)
        self.run_button = QPushButton("Train")
        self.run_button.clicked.connect(self._on_run_clicked)
        self.curves = CurveView()
        self.latest = text_label("", quiet=True)
        self.table = _score_table()
        self.table_title = heading("")
        self.cautions = text_label("")
        self.cautions.setStyleSheet(f"color: {CAUTION};")
        self.notes = text_label("", quiet=True)
        self.needs_cells = text_label("Segment and measure the cells first (Segment dock).", quiet=True)
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self.show_now()

    def _lay_out(self) -> None:
        self.overwrite_box.setToolTip("Throw away what other settings made under this name")
        self.parts = QWidget()
        parts = QVBoxLayout(self.parts)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.addWidget(self.classes)
        parts.addWidget(row("Hold out by", self.split_box))
        parts.addWidget(heading("Settings"))
        parts.addLayout(self.form_place)
        parts.addWidget(row("Device", self.device_box))
        parts.addWidget(row("Name", self.name_line))
        parts.addWidget(self.overwrite_box)
        parts.addWidget(self.predict_box)
        results = (self.curves, self.latest, self.table_title, self.table, self.cautions, self.notes)
        for widget in (self.needs, self.needs_cells, self.parts, *results):
            self.body.addWidget(widget)
        for widget in results:
            widget.hide()
        self.body.addStretch(1)
        self.foot.addWidget(self.run_button)
        self.foot.addWidget(self.step_box)

    option_words: ClassVar = {
        "name": "another ‘Name’",
        "overwrite": "tick ‘Replace it where it is there’",
        "classes": "‘Classes from’",
        "split-by": "‘Hold out by’",
        "segmentation": "‘Segmentation’",
        "device": "‘Device’",
    }

    def settings_model(self) -> type[BaseModel] | None:
        """The settings of training."""
        return TrainSettings

    # What the study offers

    def _on_study_changed(self) -> None:
        study = self.state.study
        self.needs.setVisible(study is None)
        if study is not None:
            self.classes.set_study(study)
            columns = [str(c) for c in study.plate_map.columns if c not in {"plate", "well", "imaged"}]
            units = ["well", *(["plate"] if len(study.plates) > 1 else []), "row", "column", *columns]
            fill_combo(self.split_box, [(name, name) for name in dict.fromkeys(units)], "well")
        self._make_form()
        self._on_results_written()

    def _make_form(self) -> None:
        study = self.state.study
        if study is None:
            return
        if self.form is not None:
            self.form_place.removeWidget(self.form)
            self.form.deleteLater()
        choices = {
            "architecture": (*CLASSIC, *NETWORK_BUILDERS),
            "channels": study.channels,
            "segmentation": study.segmentations,
        }
        self.form = SettingsForm(TrainSettings, choices=choices, hidden={"split_by", "unit"}, fold=True)
        self.form.valueChanged.connect(self._on_form_changed)
        self.form_place.addWidget(self.form)
        self._on_form_changed()

    def _on_form_changed(self) -> None:
        """Name the classifier after its architecture, unless a person has named it."""
        architecture = str(self.form.box("architecture").value()) if self.form else ""
        if self.name_line.text() in {"", self._named_after}:
            self.name_line.setText(architecture)
        self._named_after = architecture

    def _on_results_written(self) -> None:
        study = self.state.study
        measured = study is not None and any(study.cells_path(name).exists() for name in study.segmentations)
        self.needs_cells.setVisible(study is not None and not measured)
        self.parts.setVisible(measured)
        self.run_button.setVisible(measured)

    def _on_running_changed(self) -> None:
        self.run_button.setEnabled(not self.state.running)

    # Running

    def steps(self) -> list[Step]:
        """The commands that the form stands for.

        Raises
        ------
        SettingsError, ClassesError
            Where a value, the name or the choice of classes is not allowed.
        """
        study = self.state.study
        if study is None or self.form is None:
            return []
        name, path = checked_name(self.name_line.text().strip()), str(study.path)
        device = ("--device", self.device_box.currentData())
        overwrite = ("--overwrite",) if self.overwrite_box.isChecked() else ()
        train = ("train", path, "--classes", self.classes.argument(), "--split-by", self.split_box.currentData())
        steps = [
            cellvote_step(TRAINING, *train, "--name", name, *device, *overwrite, *self.form.assignments(), dock=DOCK)
        ]
        if self.predict_box.isChecked():
            chosen = str(self.form.box("segmentation").value())
            masks = ("--segmentation", chosen) if chosen else ()
            steps.append(cellvote_step("Predicting", "predict", path, name, *device, *masks, dock=DOCK, model=name))
        return steps

    def _on_run_clicked(self) -> None:
        study = self.state.study
        try:
            steps = self.steps()
        except (SettingsError, ClassesError) as error:
            self.refuse(error)
            return
        if study is None:
            return
        self._followed = study.model_folder(self.name_line.text().strip())
        for widget in (self.table_title, self.table, self.cautions, self.notes):
            widget.hide()
        self.run(*steps)

    def _on_step_started(self, step: Step) -> None:
        super()._on_step_started(step)
        if step.dock == DOCK and step.title == TRAINING:
            self._timer.start()

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        super()._on_step_finished(step, result)
        if step.dock != DOCK or step.title != TRAINING:
            return
        self._timer.stop()
        self._on_timer_timeout()
        if result.outcome == "done" and self._followed is not None:
            self.show_scores(self._followed)

    def said_of(self, step: Step, result: StepResult) -> str:
        """Say what there is now."""
        if step.title == TRAINING:
            return "Trained. The figures below are of what was held out."
        answer = result.answer if isinstance(result.answer, dict) else {}
        return f"Trained, and {answer.get('cells', 0):,} cells predicted: the plate shows their votes."

    # Curves and figures

    def _on_timer_timeout(self) -> None:
        """Follow the history that the training writes."""
        if self._followed is None:
            return
        curves = read_history(self._followed / "history.csv")
        self.curves.set_curves(curves)
        if curves.drawable and self.curves.isHidden():
            QTimer.singleShot(0, partial(self._scroll_to, self.curves))
        self.curves.setVisible(curves.drawable)
        self.latest.setText(curves.latest)
        self.latest.setVisible(bool(curves.latest) and self._timer.isActive())

    def show_scores(self, model_folder: Path) -> None:
        """Show how well a classifier did on what was held out, beside what knowing nothing would give."""
        try:
            scores, split_by, notes = read_scores(model_folder)
            cautions = warnings_of(scores)
        except CellVoteError as error:
            self.refuse(error)
            return
        self.table_title.setText(f"Held out by {split_by}" if split_by else "Held out")
        _fill(self.table, scores)
        self.notes.setText("\n".join(notes))
        self.cautions.setText("\n".join(cautions))
        self.table_title.show()
        self.table.show()
        self.notes.setVisible(bool(notes))
        self.cautions.setVisible(bool(cautions))
        QTimer.singleShot(0, partial(self._scroll_to, self.table_title))

    def _scroll_to(self, widget: QWidget) -> None:
        """Bring what has just appeared to the top; for a dock that was closed meanwhile there is nothing to do."""
        with contextlib.suppress(RuntimeError):
            if self.scroller is not None:
                top = widget.mapTo(self.scroller.widget(), QPoint(0, 0)).y()
                self.scroller.verticalScrollBar().setValue(top)


def _score_table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setHorizontalHeaderLabels(["held out", "accuracy", "majority", "position"])
    for column, words in (
        (1, "Share that was right, on what was held out, with its 95 % interval"),
        (2, "What always saying the commonest class would give"),
        (3, "What the place on the plate alone would give, without looking at a cell"),
    ):
        table.horizontalHeaderItem(column).setToolTip(words)
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def _fill(table: QTableWidget, scores: list[Score]) -> None:
    table.setRowCount(len(scores))
    for i, score in enumerate(scores):
        interval = f"\n{score.interval[0]:.3f} – {score.interval[1]:.3f}" if score.interval else ""
        baselines = ["—" if v is None else f"{v:.3f}" for v in (score.majority, score.position)]
        what = f"{score.n:,} {score.level}{'' if score.n == 1 else 's'}"
        for column, text in enumerate((what, f"{score.accuracy:.3f}{interval}", *baselines)):
            item = QTableWidgetItem(text)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(i, column, item)
    table.resizeRowsToContents()
    rows = sum(table.rowHeight(i) for i in range(len(scores)))
    table.setFixedHeight(table.horizontalHeader().sizeHint().height() + rows + 2 * table.frameWidth() + 2)
