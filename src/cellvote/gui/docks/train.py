"""The Train dock: what is classified, by what, held out how; curves while it learns, and how well it does after."""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtCore import QPoint, QTimer
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError, ClassesError, SettingsError
from cellvote.gui.docks.class_choice import ClassChoice
from cellvote.gui.docks.dock import align_titles, combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.recipe_choice import RecipeChoice
from cellvote.gui.setting_boxes import TitleBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.gui.train_form import TrainForm
from cellvote.gui.training_view import TrainingView
from cellvote.gui.vote_text import counted
from cellvote.learning.settings import TrainSettings
from cellvote.plates.acquisition import FIELD
from cellvote.study import Study
from cellvote.study.study import checked_name

DOCK: Final = "train"
TRAINING: Final = "Training"
EVALUATING: Final = "Checking"
_EVERY_MS: Final = 1000
_DEVICES: Final = ("auto", "cpu", "cuda", "mps")


def hold_out_choices(study: Study) -> dict[str, str]:
    """Say by what can be held out whole, by the name that the settings have for it; the first is what suits."""
    columns = [str(c) for c in study.plate_map.columns if c not in {*FIELD, "imaged"}]
    plates = {"plate": "plate"} if len({key.plate for key in study.fields}) > 1 else {}
    named = {name: name for name in columns}
    if any(key.well for key in study.fields):
        return {"well": "well", **plates, "row": "row", "column": "column", **named}
    return {**plates, "well": "image (each by itself)", **named}


class TrainDock(StepDock):
    """Trains a classifier and says how well it does on what it has not seen.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, DOCK)
        self.form: TrainForm | None = None
        self._named_after = ""
        self._followed: Path | None = None
        self._unit = "cell"
        self.recipe = RecipeChoice()
        self.recipe.changed.connect(self._on_recipe_changed)
        self.classes = ClassChoice()
        self.device_box = combo("Where networks are trained")
        fill_combo(self.device_box, [(name, name) for name in _DEVICES], "auto")
        self.name_line = QLineEdit()
        self.name_line.setToolTip("Name of the classifier")
        self.name_line.textChanged.connect(self._title_run_button)
        self.overwrite_box = QCheckBox("Replace it where it is there")
        self.overwrite_box.setToolTip("Throw away what other settings made under this name")
        self.overwrite_box.toggled.connect(self._title_run_button)
        self.predict_box = QCheckBox("Then predict all of this study, and check the votes")
        self.predict_box.setChecked(True)
        self.run_button = QPushButton("Train")
        self.run_button.clicked.connect(self._on_run_clicked)
        self.results = TrainingView()
        self.results.appeared.connect(self._on_appeared)
        self.needs_cells = text_label("Segment and measure the cells first (Segment dock).", quiet=True)
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self.show_now()

    def _lay_out(self) -> None:
        self.parts = QWidget()
        parts = QVBoxLayout(self.parts)
        parts.setContentsMargins(0, 0, 0, 0)
        self.architecture_place, self.split_place, self.form_place = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        parts.addWidget(self.recipe)
        parts.addWidget(self.needs_cells)
        parts.addLayout(self.architecture_place)
        parts.addWidget(self.classes)
        parts.addLayout(self.split_place)
        parts.addWidget(heading("Settings"))
        parts.addLayout(self.form_place)
        self.last_rows = (row("Device", self.device_box), row("Name", self.name_line))
        for one in self.last_rows:
            parts.addWidget(one)
        parts.addWidget(self.overwrite_box)
        parts.addWidget(self.predict_box)
        for widget in (self.needs, self.parts, self.results):
            self.body.addWidget(widget)
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
        "recipe": "‘Recipe’",
        "unit": "‘Classify’",
    }

    def settings_model(self) -> type[BaseModel] | None:
        """The settings of training."""
        return TrainSettings

    # What the study offers

    def _on_study_changed(self) -> None:
        study = self.state.study
        self.needs.setVisible(study is None)
        self.parts.setVisible(study is not None)
        self.run_button.setVisible(study is not None)
        self.results.clear()
        self._followed = None
        if study is not None:
            self.classes.set_study(study)
            self._make_form(study)
            self.recipe.choose_unit("cell" if any(key.well for key in study.fields) or self._is_measured() else "field")
            self._on_recipe_changed()
        self._on_results_written()

    def _make_form(self, study: Study) -> None:
        for place in (self.architecture_place, self.split_place, self.form_place):
            while (item := place.takeAt(0)) is not None:
                widget = item.widget()
                if widget is not None:
                    widget.hide()
                    widget.deleteLater()
        self.form = TrainForm(study)
        self.form.valueChanged.connect(self._on_form_changed)
        self.form.box("architecture").setSizePolicy(self.device_box.sizePolicy())
        self.split_box = TitleBox(hold_out_choices(study))
        self.split_box.setSizePolicy(self.device_box.sizePolicy())
        self.split_box.setToolTip(
            "What is held out whole to find out how well the classifier does: never single cells. Two of them, such as "
            "compound,batch: what is tested shares neither with what was learned"
        )
        rows = row(*self.form.row("architecture")), row("Hold out by", self.split_box)
        self.architecture_place.addWidget(rows[0])
        self.split_place.addWidget(rows[1])
        align_titles(*self.recipe.rows, *rows, self.classes.column_row, *self.last_rows)
        self.form_place.addWidget(self.form)

    def _on_recipe_changed(self) -> None:
        """Fill the form with the settings of the recipe."""
        if self.form is None:
            return
        try:
            settings = self.recipe.settings()
        except SettingsError as error:
            self.refuse(error)
            return
        self.form.show_unit(self.recipe.unit())
        self.form.rest_on(settings)
        self._on_form_changed()
        self._on_results_written()

    def _on_form_changed(self) -> None:
        """Name the classifier after its recipe or architecture, unless a person has named it; say what was changed."""
        architecture = str(self.form.box("architecture").value()) if self.form else ""
        self.recipe.describe(architecture)
        name = self.recipe.name_for(architecture)
        if self.name_line.text() in {"", self._named_after}:
            self.name_line.setText(name)
        self._named_after = name

    def _is_measured(self) -> bool:
        study = self.state.study
        return study is not None and any(study.cells_path(name).exists() for name in study.segmentations)

    def _on_results_written(self) -> None:
        lacking = self.recipe.unit() == "cell" and not self._is_measured()
        self.needs_cells.setVisible(self.state.study is not None and lacking)
        self._on_running_changed()
        self._title_run_button()

    def _on_running_changed(self) -> None:
        lacking = self.recipe.unit() == "cell" and not self._is_measured()
        self.run_button.setEnabled(not self.state.running and not lacking)

    def _title_run_button(self) -> None:
        """Say whether a training that was cancelled would be gone on with."""
        study, name = self.state.study, self.name_line.text().strip()
        begun = False
        if study is not None and name and not self.overwrite_box.isChecked():
            with contextlib.suppress(CellVoteError, ValueError):
                folder = study.model_folder(checked_name(name))
                begun = (folder / "training.json").exists() and not (folder / "model.json").exists()
        self.run_button.setText("Continue training" if begun else "Train")
        self.run_button.setToolTip("What is done already is kept, and gone on with" if begun else "")

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
        split = self.split_box.value()
        if not split:
            raise SettingsError("‘Hold out by’ is empty: choose what is held out whole.")
        train = ["train", path, "--classes", self.classes.argument(), "--unit", self.recipe.unit()]
        train += ["--split-by", split, *self.recipe.arguments(self.form), "--name", name, *device]
        if self.overwrite_box.isChecked():
            train.append("--overwrite")
        steps = [cellvote_step(TRAINING, *train, *self.form.assignments(), dock=DOCK)]
        if self.predict_box.isChecked():
            chosen = str(self.form.setting("segmentation"))
            masks = ("--segmentation", chosen) if chosen else ()
            steps.append(cellvote_step("Predicting", "predict", path, name, *device, *masks, dock=DOCK, model=name))
            steps.append(replace(cellvote_step(EVALUATING, "evaluate", path, name, dock=DOCK), writes=False))
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
        self._unit = self.recipe.unit()
        self.results.clear()
        self.run(*steps)

    def _on_step_started(self, step: Step) -> None:
        super()._on_step_started(step)
        if step.dock == DOCK and step.title == TRAINING:
            self._timer.start()

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        super()._on_step_finished(step, result)
        if step.dock != DOCK:
            return
        self._title_run_button()
        if step.title == TRAINING:
            self._timer.stop()
            self._on_timer_timeout()
        if result.outcome == "done" and self._followed is not None and step.title in {TRAINING, EVALUATING}:
            self.show_account(self._followed, result.answer if step.title == EVALUATING else None)

    def said_of(self, step: Step, result: StepResult) -> str:
        """Say what there is now."""
        if step.title == TRAINING:
            return "Trained. The figures below are of what was held out."
        if step.title == EVALUATING:
            return "Trained and predicted: plate and images show the votes. The figures below are of what was held out."
        answer = result.answer if isinstance(result.answer, dict) else {}
        return (
            f"Trained, and {counted(int(answer.get('cells', 0)), self._unit)} predicted: the plate shows their votes."
        )

    # Curves and figures

    def _on_timer_timeout(self) -> None:
        """Follow the history that the training writes."""
        if self._followed is not None:
            self.results.follow(self._followed, self._unit, running=self._timer.isActive())

    def show_account(self, model_folder: Path, evaluation: object = None) -> None:
        """Show how well a classifier did on what was held out, beside what knowing less would give."""
        try:
            self.results.show_account(model_folder, evaluation if isinstance(evaluation, dict) else None)
        except CellVoteError as error:
            self.refuse(error)

    def _on_appeared(self, widget: QWidget) -> None:
        QTimer.singleShot(0, partial(self._scroll_to, widget))

    def _scroll_to(self, widget: QWidget) -> None:
        """Bring what has just appeared to the top; for a dock that was closed meanwhile there is nothing to do."""
        with contextlib.suppress(RuntimeError):
            if self.scroller is not None:
                top = widget.mapTo(self.scroller.widget(), QPoint(0, 0)).y()
                self.scroller.verticalScrollBar().setValue(top)
