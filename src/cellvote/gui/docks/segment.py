"""The Segment dock: try settings on the field that is shown, then segment and measure the whole study."""

import json
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from pydantic import BaseModel
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import SettingsError
from cellvote.gui.background import Background
from cellvote.gui.docks.dock import combo, fill_combo, heading, row, text_label
from cellvote.gui.docks.step_dock import StepDock
from cellvote.gui.settings_form import SettingsForm
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step, module_step
from cellvote.gui.vote_text import field_name
from cellvote.plates.acquisition import FieldKey
from cellvote.study.masks import LabelImage, read_label_image
from cellvote.study.study import checked_name

DOCK = "segment"
TRYING = "Trying on this field"


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
        self._methods: dict[str, type[BaseModel]] = {}
        self._tried: FieldKey | None = None
        self._n_tried = 0
        self._previews: list[Path] = []
        self.destroyed.connect(partial(_remove, self._previews))
        self.method_box = combo("How cells are found")
        self.method_box.currentIndexChanged.connect(self._on_method_chosen)
        self.form_place = QVBoxLayout()
        self.name_line = QLineEdit()
        self.name_line.setToolTip("Name of the segmentation; a second one stands beside the first")
        self.try_button = QPushButton("Try here")
        self.try_button.setToolTip("Segment the field that is shown with these settings, without keeping the masks")
        self.try_button.clicked.connect(self._on_try_clicked)
        self.run_button = QPushButton("Segment all")
        self.run_button.setToolTip("Segment every field of the study, then measure the cells")
        self.run_button.clicked.connect(self._on_run_clicked)
        self.overwrite_box = QCheckBox("Replace it where it is there")
        self.overwrite_box.setToolTip("Throw away what other settings made under this name")
        self.parts = QWidget()
        parts = QVBoxLayout(self.parts)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.addWidget(row("Method", self.method_box))
        parts.addWidget(heading("Settings"))
        parts.addLayout(self.form_place)
        parts.addWidget(row("Name", self.name_line))
        parts.addWidget(self.overwrite_box)
        self.summary = text_label("", quiet=True)
        for widget in (self.needs, self.parts, self.summary):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self.buttons = row(self.try_button, self.run_button)
        self.foot.addWidget(self.buttons)
        self.foot.addWidget(self.step_box)
        self._loading = Background(self._on_methods_loaded)
        self._reading = Background(self._on_preview_read)
        self.destroyed.connect(self._loading.forget)
        self.destroyed.connect(self._reading.forget)
        self.show_now()
        self._loading.ask(_load_methods)

    # What the study offers

    def _on_methods_loaded(self, methods: Any) -> None:
        if isinstance(methods, dict):
            self._methods = methods
            fill_combo(self.method_box, [(name, name) for name in methods], next(iter(methods)))
            self._on_method_chosen()

    def _on_study_changed(self) -> None:
        self.needs.setVisible(self.state.study is None)
        self.parts.setVisible(self.state.study is not None)
        self.buttons.setVisible(self.state.study is not None)
        self._on_method_chosen()
        self._on_results_written()

    def _on_results_written(self) -> None:
        study = self.state.study
        there = ", ".join(study.segmentations) if study else ""
        self.summary.setText(f"Segmented so far: {there}" if there else "")
        self.summary.setVisible(bool(there))

    def _on_method_chosen(self) -> None:
        """Show the form of the method; the settings of another method mean nothing here."""
        method, study = self.method_box.currentData(), self.state.study
        if method is None or study is None:
            return
        if self.form is not None:
            self.form_place.removeWidget(self.form)
            self.form.deleteLater()
        channels = {name: list(study.channels) for name in self._methods[method].model_fields if "channel" in name}
        self.form = SettingsForm(self._methods[method], choices=channels)
        self.form_place.addWidget(self.form)
        self.name_line.setText(method)

    def _on_running_changed(self) -> None:
        free = not self.state.running
        self.try_button.setEnabled(free)
        self.run_button.setEnabled(free)

    # Trying

    def _on_try_clicked(self) -> None:
        study, key = self.state.study, self.state.key
        if study is None or key is None or self.form is None:
            return
        try:
            settings = self.form.changed_values()
        except SettingsError as error:
            self.refuse(error)
            return
        self._tried = key
        out = self._new_preview()
        method = str(self.method_box.currentData())
        arguments = (str(study.path), key.plate, key.well, str(key.field), str(out), method, json.dumps(settings))
        self.run(module_step(TRYING, "cellvote.gui.try_segmentation", *arguments, dock=DOCK))

    def _new_preview(self) -> Path:
        """Name a temporary file for the masks, in place of the one before."""
        _remove(self._previews)
        handle, name = tempfile.mkstemp(prefix="cellvote-preview-", suffix=".tif")
        os.close(handle)
        self._previews.append(Path(name))
        return self._previews[-1]

    def _on_step_finished(self, step: Step, result: StepResult) -> None:
        super()._on_step_finished(step, result)
        if step.title == TRYING and result.outcome == "done":
            self._n_tried = int(result.answer["cells"])
            self._reading.ask(partial(_read_once, self._previews))

    def _on_preview_read(self, masks: Any) -> None:
        if self._tried is not None and self._tried == self.state.key and isinstance(masks, np.ndarray):
            name = field_name(self._tried, with_plate=self.state.several_plates)
            self.session.show_preview(masks, f"{name} · {self._n_tried:,} cells · tried, not kept")

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
        segment = ("segment", path, "--method", method, "--name", name, *overwrite, *self.form.assignments())
        return [
            cellvote_step("Segmenting", *segment, dock=DOCK, segmentation=name),
            cellvote_step("Measuring", "measure", path, "--segmentation", name, dock=DOCK, segmentation=name),
        ]

    def _on_run_clicked(self) -> None:
        try:
            self.run(*self.steps())
        except SettingsError as error:
            self.refuse(error)

    def said_of(self, step: Step, result: StepResult) -> str:
        """Count what was found."""
        answer = result.answer if isinstance(result.answer, dict) else {}
        if step.title == TRYING:
            found = answer.get("settings", {})
            measured = ", ".join(f"{name} {value}" for name, value in found.items())
            return f"{answer.get('cells', 0):,} cells on this field, not kept.\nSettings used: {measured}"
        what = "segmented" if step.title == "Segmenting" else "segmented and measured"
        done = answer.get("fields", 0) - len(answer.get("failed", []))
        return f"{done:,} fields {what} · {answer.get('cells', 0):,} cells · {answer.get('seconds', 0):.0f} s"


def _load_methods() -> dict[str, type[BaseModel]]:
    """Import the segmentation methods; scikit-image takes most of a second, so not in the window's thread."""
    from cellvote.segmentation import METHODS

    return {name: settings for name, (settings, _) in METHODS.items()}


def _read_once(previews: list[Path]) -> LabelImage:
    masks = read_label_image(previews[-1])
    _remove(previews)
    return masks


def _remove(previews: list[Path]) -> None:
    while previews:
        previews.pop().unlink(missing_ok=True)
