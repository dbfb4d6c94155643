"""The Segment dock: settings tried live on the field that is shown, then run on wells, a plate or all of them."""

from functools import partial
from typing import Any, ClassVar, Final

from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import SettingsError
from cellvote.gui.background import Background
from cellvote.gui.corrections import CorrectionsBox
from cellvote.gui.diameter_circle import DiameterCircle
from cellvote.gui.docks.dock import CAUTION, combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.preview_box import PreviewBox
from cellvote.gui.results_box import ResultsBox
from cellvote.gui.run_choice import ALL, RunChoice
from cellvote.gui.settings_form import SettingsForm
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.study.study import checked_name

DOCK: Final = "segment"
SEGMENTING: Final = "Segmenting"

WARM_AFTER_MS: Final = 1500
"""The preview's process is started so long after the dock is seen: what one waits for comes first."""

Methods = dict[str, tuple[type[BaseModel], str]]
"""Settings model and licence note of each method."""


class SegmentDock(StepDock):
    """Finds the cells of every field.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, DOCK)
        self.form: SettingsForm | None = None
        self._methods: Methods = {}
        self._named_after = ""
        self._measured: dict[str, Any] = {}
        shown = self.session.layers.viewer or viewer
        self.preview = PreviewBox(self.session, shown, self._asked)
        self.circle = DiameterCircle(shown, self.session.layers)
        self.destroyed.connect(partial(DiameterCircle.close, self.circle))
        self.results = ResultsBox()
        self.preview.reword = self.results.reword = self.reword
        self.results.fieldClicked.connect(self._on_failed_field_clicked)
        self.run_choice = RunChoice(self.state)
        self._make_parts()
        self._lay_out()
        self.preview.measured.connect(self._on_measured)
        self.preview.circle_box.toggled.connect(self._show_circle)
        self.preview.switch.toggled.connect(self._on_preview_switched)
        self.circle.dragged.connect(self._on_circle_dragged)
        self.run_choice.changed.connect(self._on_run_choice_changed)
        self._warming = QTimer(self)
        self._warming.setSingleShot(True)
        self._warming.setInterval(WARM_AFTER_MS)
        self._warming.timeout.connect(self._on_time_to_warm)
        self._loading = Background(self._on_methods_loaded)
        self.destroyed.connect(partial(Background.forget, self._loading))
        events = self.state.events
        self.listen(events.key, self._on_field_changed)
        self.listen(events.selection, self.run_choice.refresh)
        self.listen(events.segmentation, self._on_field_changed)
        self.listen(self.session.look.events.scope, self._on_field_changed)
        self.listen(self.session.correcting.changed, self._on_correcting_changed)
        self.show_now()
        self._loading.ask(_load_methods)

    @property
    def busy(self) -> bool:
        """Whether something is still tried, drawn or read."""
        return self._loading.busy or self.preview.busy or self.results.busy

    # Parts

    def _make_parts(self) -> None:
        self.method_box = combo("How cells are found")
        self.method_box.currentIndexChanged.connect(self._on_method_chosen)
        self.licence = text_label("")
        self.licence.setStyleSheet(f"color: {CAUTION};")
        self.licence.setOpenExternalLinks(True)
        self.form_place = QVBoxLayout()
        self.name_line = QLineEdit()
        self.name_line.setToolTip("Name of the segmentation; a second one stands beside the first")
        self.name_line.textChanged.connect(self._show_caution)
        self.overwrite_box = QCheckBox("Replace it where it is there")
        self.overwrite_box.setToolTip("Throw away what other settings made under this name")
        self.overwrite_box.toggled.connect(self._show_caution)
        self.caution = text_label("")
        self.caution.setStyleSheet(f"color: {CAUTION};")
        self.summary = text_label("", quiet=True)
        self.run_button = QPushButton("Segment all")
        self.run_button.setToolTip("Segment, then measure the cells")
        self.run_button.clicked.connect(self._on_run_clicked)

    def _lay_out(self) -> None:
        self.parts = QWidget()
        parts = QVBoxLayout(self.parts)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.addWidget(row("Method", self.method_box))
        parts.addWidget(self.licence)
        parts.addWidget(self.preview)
        parts.addWidget(heading("Settings"))
        parts.addLayout(self.form_place)
        self.corrections = CorrectionsBox(self.session)
        parts.addWidget(self.corrections)
        parts.addWidget(heading("Run"))
        parts.addWidget(self.run_choice)
        parts.addWidget(row("Name", self.name_line))
        parts.addWidget(self.overwrite_box)
        parts.addWidget(self.caution)
        parts.addWidget(self.summary)
        parts.addWidget(self.results)
        for widget in (self.needs, self.parts):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self.foot.addWidget(self.run_button)
        self.foot.addWidget(self.step_box)
        for widget in (self.licence, self.caution):
            widget.hide()

    option_words: ClassVar = {
        "name": "another ‘Name’",
        "overwrite": "tick ‘Replace it where it is there’",
        "wells": "‘Run on’",
        "method": "‘Method’",
    }

    def settings_model(self) -> type[BaseModel] | None:
        """The settings of the method."""
        return self.form.model if self.form is not None else None

    # What the study offers

    def _on_methods_loaded(self, methods: Any) -> None:
        if isinstance(methods, dict):
            self._methods = methods
            fill_combo(self.method_box, [(name, name) for name in methods], next(iter(methods)))
            self._on_method_chosen()

    def _on_study_changed(self) -> None:
        there = self.state.study is not None
        self.needs.setVisible(not there)
        for widget in (self.parts, self.run_button):
            widget.setVisible(there)
        self.results.forget()
        self.preview.clear()
        self._on_method_chosen()
        self._on_results_written()

    def _on_results_written(self) -> None:
        study = self.state.study
        there = ", ".join(study.segmentations) if study else ""
        self.summary.setText(f"Segmented so far: {there}" if there else "")
        self.summary.setVisible(bool(there))
        self.preview.offer_segmentations()
        self.run_choice.refresh()
        self._show_caution()
        if not self.preview.on:
            self.preview.refresh()  # the masks that are compared may be others now

    def _on_method_chosen(self) -> None:
        """Show the form of the method; the settings of another method mean nothing here."""
        method, study = self.method_box.currentData(), self.state.study
        if method is None or study is None:
            return
        if self.form is not None:
            self.form_place.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
        model, licence = self._methods[method]
        channels = {name: list(study.channels) for name in model.model_fields if "channel" in name}
        self.form = SettingsForm(model, choices=channels, fold=True)
        self.form.valueChanged.connect(self._on_form_changed)
        self.form_place.addWidget(self.form)
        self.licence.setText(licence)
        self.licence.setVisible(bool(licence))
        if self.name_line.text() in {"", self._named_after}:
            self.name_line.setText(method)
        self._named_after = method
        self._measured = {}
        self._on_form_changed()
        self._warming.start()

    def _on_running_changed(self) -> None:
        self.run_button.setEnabled(not self.state.running)

    # Trying

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Have the preview ready soon after the dock is seen: it may be switched on."""
        super().showEvent(event)
        self._warming.start()

    def _on_time_to_warm(self) -> None:
        if self.form is not None and self.isVisible() and not self.state.running:
            self.preview.live.start(str(self.method_box.currentData()))

    def _asked(self) -> tuple[str, dict[str, Any]] | None:
        """Give method and settings as the preview and the run take them.

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        if self.form is None:
            return None
        return str(self.method_box.currentData()), self.form.changed_values()

    def _on_form_changed(self) -> None:
        self._show_circle()
        self.preview.refresh()

    def _on_field_changed(self) -> None:
        self.run_choice.refresh()
        self.preview.refresh()
        self._show_circle()

    def _on_preview_switched(self, on: bool) -> None:
        if on and self.session.correcting.active:
            self.session.correcting.stop()  # one set of cells at a time; what was painted is kept
        self._show_circle()

    def _on_correcting_changed(self) -> None:
        if self.session.correcting.active:
            self.preview.switch.setChecked(False)

    def _on_measured(self, settings: dict[str, Any], sure: bool) -> None:
        self._measured = settings
        if self.form is not None:
            self.form.show_automatic(settings, sure=sure)
        self._show_circle()

    # The diameter

    def _diameter_names(self) -> list[str]:
        return [name for name in self.form.names() if "diameter" in name] if self.form is not None else []

    def diameter(self) -> tuple[str, float | None]:
        """The setting that is a diameter, and its value: as it was set, else as it was measured."""
        names = self._diameter_names()
        if self.form is None or not names:
            return "", None
        own = self.form.box(names[0]).value()
        others = (self.form.box(name).value() or self._measured.get(name) for name in names[1:])
        values = (own, self._measured.get(names[0]), *others)  # others: what is usual on the plate
        value = next((value for value in values if isinstance(value, int | float) and value > 0), None)
        return names[0], None if value is None else float(value)

    def _show_circle(self) -> None:
        """Draw the diameter while one tries settings on a field."""
        wanted = self.preview.on and self.preview.circle_box.isChecked() and self.session.look.scope == "field"
        self.preview.circle_box.setVisible(self.preview.on and bool(self._diameter_names()))
        self.circle.show(self.diameter()[1] if wanted else None)

    def _on_circle_dragged(self, diameter_px: float) -> None:
        name, _ = self.diameter()
        if self.form is not None and name:
            self.form.setValue({name: diameter_px})

    # Running

    def steps(self) -> list[Step]:
        """The commands that the form stands for.

        Raises
        ------
        SettingsError
            Where a value or the name is not allowed.
        """
        study = self.state.study
        if study is None or self.form is None:
            return []
        name = checked_name(self.name_line.text().strip())
        path, method = str(study.path), str(self.method_box.currentData())
        overwrite = ("--overwrite",) if self.overwrite_box.isChecked() else ()
        wells = self.run_choice.wells()
        chosen = ("--wells", wells) if wells else ()
        arguments = ("--method", method, "--name", name, *overwrite, *chosen, *self.form.assignments())
        return [
            cellvote_step(SEGMENTING, "segment", path, *arguments, dock=DOCK, segmentation=name),
            cellvote_step("Measuring", "measure", path, "--segmentation", name, dock=DOCK, segmentation=name),
        ]

    def _on_run_choice_changed(self) -> None:
        self.run_button.setText(self.run_choice.words())
        self._show_caution()

    def _show_caution(self) -> None:
        """Say what a run throws away before it does."""
        study, name = self.state.study, self.name_line.text().strip()
        replaces = study is not None and self.overwrite_box.isChecked() and name in study.segmentations
        parts = replaces and self.run_choice.value() != ALL
        self.caution.setText(f"All of {name!r} is thrown away, also the wells that are not chosen." if parts else "")
        self.caution.setVisible(bool(parts))

    def _on_run_clicked(self) -> None:
        try:
            steps = self.steps()
        except SettingsError as error:
            self.refuse(error)
            return
        self.preview.switch.setChecked(False)  # what is kept is looked at now
        self.preview.live.stop()  # the run has all of the memory
        self.run(*steps)

    def _on_step_started(self, step: Step) -> None:
        super()._on_step_started(step)
        if step.dock == DOCK and step.title == SEGMENTING and self.state.study is not None:
            self.results.follow(self.state.study, step.segmentation)

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        super()._on_step_finished(step, result)
        if step.dock == DOCK and step.title == SEGMENTING:
            self.results.finish()
            self.step_box.hide_failed()  # they are listed above, where they came one by one

    def said_of(self, step: Step, result: StepResult) -> str:
        """Count what was found."""
        answer = result.answer if isinstance(result.answer, dict) else {}
        what = "segmented" if step.title == SEGMENTING else "segmented and measured"
        done = answer.get("fields", 0) - len(answer.get("failed", []))
        fields = f"{done:,} {'field' if done == 1 else 'fields'}"
        return f"{fields} {what} · {answer.get('cells', 0):,} cells · {answer.get('seconds', 0):.0f} s"


def _load_methods() -> Methods:
    """Import the segmentation methods; scikit-image takes most of a second, so not in the window's thread."""
    from cellvote import segmentation

    notes: dict[str, str] = segmentation.LICENCE_NOTES
    return {name: (settings, notes.get(name, "")) for name, (settings, _) in segmentation.METHODS.items()}
