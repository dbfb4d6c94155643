"""The Predict dock: predict every cell with a classifier, and let the cells vote."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, Final

from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError, SettingsError
from cellvote.gui.card_window import CardWindow, card_path
from cellvote.gui.colours import class_colours
from cellvote.gui.docks.dock import combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.docks.train import TRAINING
from cellvote.gui.legend import Legend
from cellvote.gui.plate_colouring import LegendEntry
from cellvote.gui.settings_form import SettingsForm, assignments
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.gui.vote_text import counted, percent
from cellvote.study import Study
from cellvote.study.atomic import read_json
from cellvote.voting.settings import VoteSettings, usual_votes

DOCK: Final = "predict"
PREDICTING: Final = "Predicting"
VOTING: Final = "Voting"
_MOST_CLASSES: Final = 8


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
        self._unit = "cell"
        self._voted: tuple[str, VoteSettings] | None = None
        self._shown = ""
        self.model_box = combo("A classifier of this study, or one from elsewhere")
        self.model_box.currentIndexChanged.connect(self._on_model_chosen)
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Use a classifier of another study (a folder with model.json)")
        self.browse_button.setFixedWidth(32)
        self.browse_button.clicked.connect(self._on_browse_clicked)
        self.about = text_label("", quiet=True)
        self.card_button = QPushButton("Model card …")
        self.card_button.setToolTip("Everything that is known of this classifier: data, split, figures, limits")
        self.card_button.clicked.connect(self._on_card_clicked)
        self.form = SettingsForm(VoteSettings, fold=True)
        self.run_button = QPushButton("Predict all")
        self.run_button.clicked.connect(self._on_run_clicked)
        self.vote_button = QPushButton("Vote again")
        self.vote_button.setToolTip("Count the votes with these settings; nothing is predicted anew")
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
        parts.addWidget(self.card_button)
        self.vote_title = heading("")
        parts.addWidget(self.vote_title)
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
        self._elsewhere, self._shown = [], ""
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

    def _folder(self) -> Path | None:
        """Where the chosen classifier is."""
        model, study = self.model_box.currentData(), self.state.study
        if not model or study is None:
            return None
        return study.model_folder(model) if model in study.models else Path(model)

    def _on_model_chosen(self) -> None:
        """Say what the classifier tells apart, and count its votes as is usual for it."""
        self._on_running_changed()
        folder = self._folder()
        self.card_button.setVisible(folder is not None and card_path(folder) is not None)
        predicted = self.state.facts.predicted if self.state.facts else None
        self._unit = predicted.unit if predicted is not None else "cell"
        said = ""
        if folder is not None:
            try:
                info = read_json(folder / "model.json")
                self._unit = str((info.get("inputs") or {}).get("unit", "cell"))
                said = _about(info, self._unit)
            except CellVoteError as error:
                said = str(error)
        self.about.setText(said)
        self.vote_title.setText(f"How {self._unit}s vote")
        self._show_votes()

    def _show_votes(self) -> None:
        """Show how the votes on disk were counted; where there are none yet, what is usual."""
        study, predicted = self.state.study, self.state.facts.predicted if self.state.facts else None
        model = Path(self.model_box.currentData() or (predicted.model if predicted else "")).name
        if study is None or not model:
            return
        same = predicted is not None and predicted.model == model
        wanted = (model, predicted.vote_settings if same and predicted else usual_settings(study, self._unit))
        if wanted != self._voted:  # else what a person has changed stays
            self._voted = wanted
            self.form.setValue(wanted[1])

    def _on_card_clicked(self) -> None:
        folder = self._folder()
        path = card_path(folder) if folder is not None else None
        if path is not None:
            CardWindow(path, self).show()

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
        if predicted.model != self._shown:
            self._follow(predicted.model)
        if not self.model_box.currentData():
            self._on_model_chosen()
        self._show_votes()
        counts = Counter(predicted.cells["class"])
        colours = class_colours(len(predicted.classes))
        named = zip(predicted.classes, colours, strict=True)
        self.legend.set_content([LegendEntry(n, c, counted(counts[n], predicted.unit)) for n, c in named])
        self.legend_title.setText(f"Classes of {predicted.model}")
        self.legend_title.show()

    def _follow(self, model: str) -> None:
        """Choose the classifier whose predictions have come to be shown, if there is such a one to choose."""
        self._shown = model
        for at in range(self.model_box.count()):
            if Path(self.model_box.itemData(at)).name == model:
                self.model_box.setCurrentIndex(at)
                break

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
        arguments = ("predict", str(study.path), model, *masks, *self._all_settings())
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
        arguments = ("vote", str(study.path), model, *self._all_settings())
        return [cellvote_step(VOTING, *arguments, dock=DOCK, model=Path(model).name)]

    def _all_settings(self) -> list[str]:
        """Write every setting as an argument: what is usual differs from study to study."""
        return assignments(self.form.value().model_dump(mode="json"))

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
            return "The votes are counted with these settings."
        answer = result.answer if isinstance(result.answer, dict) else {}
        n, wells = int(answer.get("cells", 0)), int(answer.get("wells", 0))
        study = self.state.study
        in_wells = study is not None and any(key.well for key in study.fields)
        return f"{counted(n, self._unit)}{f' of {wells:,} wells' if in_wells else ''} predicted."


def usual_settings(study: Study, unit: str) -> VoteSettings:
    """Give the usual settings of a vote in a study."""
    return usual_votes(of_fields=unit == "field", have_wells="field" not in study.plate_map)


def _about(info: dict[str, Any], unit: str) -> str:
    """Say what a classifier is: ``forest on cells: DMSO, taxol``, and how often it was right."""
    classes = [str(name) for name in info.get("classes", [])]
    shown = ", ".join(classes[:_MOST_CLASSES]) + (f" and {len(classes) - _MOST_CLASSES} more" * _many(classes))
    words = f"{info.get('architecture', '')} on {unit}s: {shown}"
    level = "well" if ((info.get("metrics") or {}).get("well") or {}).get("accuracy") is not None else unit
    found = (info.get("metrics") or {}).get(level) or {}
    if found.get("accuracy") is None:
        return words
    return f"{words}. Right in {percent(found['accuracy'])} of {counted(int(found['n']), level)} that were held out."


def _many(classes: list[str]) -> bool:
    return len(classes) > _MOST_CLASSES
