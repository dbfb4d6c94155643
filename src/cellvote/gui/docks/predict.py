"""The Predict dock: predict every cell with a classifier, and let the cells vote."""

from collections import Counter
from pathlib import Path
from typing import ClassVar, Final

from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError, SettingsError
from cellvote.gui.colours import class_colours
from cellvote.gui.docks.dock import combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.docks.train import TRAINING
from cellvote.gui.legend import Legend
from cellvote.gui.plate_colouring import LegendEntry
from cellvote.gui.settings_form import SettingsForm, assignments
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.study.atomic import read_json
from cellvote.voting.vote import VoteSettings

DOCK: Final = "predict"
PREDICTING: Final = "Predicting"
VOTING: Final = "Voting"


class PredictDock(StepDock):
    """Predicts, votes, and tells which colour is which class.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, DOCK)
        self._elsewhere: list[str] = []
        self._voted = VoteSettings()
        self.model_box = combo("A classifier of this study, or one from elsewhere")
        self.model_box.currentIndexChanged.connect(self._on_model_chosen)
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Use a classifier of another study (a folder with model.json)")
        self.browse_button.setFixedWidth(32)
        self.browse_button.clicked.connect(self._on_browse_clicked)
        self.about = text_label("", quiet=True)
        self.form = SettingsForm(VoteSettings, fold=True)
        self.run_button = QPushButton("Predict all")
        self.run_button.clicked.connect(self._on_run_clicked)
        self.vote_button = QPushButton("Vote again")
        self.vote_button.setToolTip("Let the cells vote with these settings; they are not predicted anew")
        self.vote_button.clicked.connect(self._on_vote_clicked)
        self.needs_model = text_label("Train a classifier first, or choose one from elsewhere with “…”.", quiet=True)
        self.legend_title = heading("Classes")
        self.legend = Legend()
        self.parts = QWidget()
        parts = QVBoxLayout(self.parts)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.addWidget(row("Classifier", self.model_box, self.browse_button))
        parts.addWidget(self.needs_model)
        parts.addWidget(self.about)
        parts.addWidget(heading("How cells vote"))
        parts.addWidget(self.form)
        for widget in (self.needs, self.parts, self.legend_title, self.legend):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self.buttons = row(self.vote_button, self.run_button)
        self.foot.addWidget(self.buttons)
        self.foot.addWidget(self.step_box)
        self.listen(self.state.events.facts, self._on_facts_changed)
        self.show_now()
        self._on_facts_changed()

    option_words: ClassVar = {"segmentation": "a segmentation in the Plate dock"}

    def settings_model(self) -> type[BaseModel] | None:
        """The settings of votes."""
        return self.form.model

    # What there is

    def _on_study_changed(self) -> None:
        self._elsewhere = []
        self.needs.setVisible(self.state.study is None)
        self.parts.setVisible(self.state.study is not None)
        self.buttons.setVisible(self.state.study is not None)
        self._on_results_written()

    def _on_results_written(self) -> None:
        self._offer(self.model_box.currentData() or "")

    def _offer(self, chosen: str) -> None:
        study = self.state.study
        if study is None:
            return
        entries = [(name, name) for name in study.models]
        entries += [(path, f"{Path(path).name} (from elsewhere)") for path in self._elsewhere]
        fill_combo(self.model_box, entries, chosen or self.state.model)
        self.needs_model.setVisible(not entries)
        self._on_model_chosen()

    def _on_model_chosen(self) -> None:
        """Say what the classifier tells apart."""
        model, study = self.model_box.currentData(), self.state.study
        self._on_running_changed()
        if not model or study is None:
            self.about.setText("")
            return
        folder = study.model_folder(model) if model in study.models else Path(model)
        try:
            info = read_json(folder / "model.json")
        except CellVoteError as error:
            self.about.setText(str(error))
            return
        self.about.setText(f"{info.get('architecture', '')}: {', '.join(map(str, info.get('classes', [])))}")

    def _on_running_changed(self) -> None:
        free, study = not self.state.running, self.state.study
        model = self.model_box.currentData() or ""
        self.run_button.setEnabled(free and bool(model))
        self.vote_button.setEnabled(free and study is not None and Path(model).name in study.predictions)

    def _on_facts_changed(self) -> None:
        predicted = self.state.facts.predicted if self.state.facts else None
        if predicted is None:
            self.legend.set_content([])
            self.legend_title.hide()
            return
        if predicted.vote_settings != self._voted:
            self._voted = predicted.vote_settings
            self.form.setValue(self._voted)
        counts = Counter(predicted.cells["class"])
        colours = class_colours(len(predicted.classes))
        named = zip(predicted.classes, colours, strict=True)
        self.legend.set_content([LegendEntry(n, c, f"{counts[n]:,} cells") for n, c in named])
        self.legend_title.setText(f"Classes of {predicted.model}")
        self.legend_title.show()

    # Running

    def predict_steps(self) -> list[Step]:
        """The command that the form stands for.

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        study, model = self.state.study, self.model_box.currentData()
        if study is None or not model:
            return []
        masks = ("--segmentation", self.state.segmentation) if self.state.segmentation else ()
        arguments = ("predict", str(study.path), model, *masks, *self.form.assignments())
        return [cellvote_step(PREDICTING, *arguments, dock=DOCK, model=Path(model).name)]

    def vote_steps(self) -> list[Step]:
        """The command that lets the cells of every field, well and treatment vote again.

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        study, model = self.state.study, self.model_box.currentData()
        if study is None or not model:
            return []
        settings = assignments(self.form.value().model_dump(mode="json"))  # all: what is left out stays as it was
        return [cellvote_step(VOTING, "vote", str(study.path), model, *settings, dock=DOCK, model=Path(model).name)]

    def _on_run_clicked(self) -> None:
        try:
            self.run(*self.predict_steps())
        except SettingsError as error:
            self.refuse(error)

    def _on_vote_clicked(self) -> None:
        try:
            self.run(*self.vote_steps())
        except SettingsError as error:
            self.refuse(error)

    def _on_browse_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A classifier: a folder with model.json")
        if folder:
            self.add_elsewhere(folder)

    def add_elsewhere(self, folder: str) -> None:
        """Offer a classifier folder that is not in this study."""
        if not (Path(folder) / "model.json").is_file():
            self.refuse(f"{folder}: there is no classifier here (no model.json).")
            return
        if folder not in self._elsewhere:
            self._elsewhere.append(folder)
        self._offer(folder)

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        super()._on_step_finished(step, result)
        if step.title == TRAINING and result.outcome == "done" and isinstance(result.answer, dict):
            self._offer(str(result.answer.get("model", "")))

    def said_of(self, step: Step, result: StepResult) -> str:
        """Count what was predicted."""
        if step.title == VOTING:
            return "The cells have voted with these settings."
        answer = result.answer if isinstance(result.answer, dict) else {}
        return f"{answer.get('cells', 0):,} cells of {answer.get('wells', 0):,} wells predicted."
