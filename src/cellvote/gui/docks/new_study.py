"""A new study of a folder of images: asked for in the Plate dock, made by ``cellvote create``."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cellvote.gui.docks.dock import heading, row, text_label
from cellvote.gui.session import Session
from cellvote.gui.step_box import StepBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.progress import Progress
from cellvote.study.study import study_path

DOCK = "new study"


class NewStudyForm(QWidget):
    """Asks for images, plate map and a place, and makes the study.

    Signals
    -------
    closed
        The person has changed their mind, or the study is made.
    """

    closed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.images = QLineEdit()
        self.images.setPlaceholderText("folder of the plate, or of several plates")
        self.images.textChanged.connect(self._on_images_changed)
        self.plate_map = QLineEdit()
        self.plate_map.setPlaceholderText("CSV with a well column (optional)")
        self.study = QLineEdit()
        self.study.setPlaceholderText("where to put the study")
        self.create_button = QPushButton("Create study")
        self.create_button.clicked.connect(self._on_create_clicked)
        self.back_button = QPushButton("Back")
        self.back_button.clicked.connect(self._on_back_clicked)
        self.step_box = StepBox()
        self.step_box.cancelClicked.connect(session.runner.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("New study"))
        layout.addWidget(text_label("The images stay where they are and are only read.", quiet=True))
        for title, line, ask in (
            ("Images", self.images, self._ask_images),
            ("Plate map", self.plate_map, self._ask_plate_map),
            ("Study", self.study, self._ask_study),
        ):
            browse = QPushButton("…")
            browse.setFixedWidth(32)
            browse.clicked.connect(ask)
            layout.addWidget(text_label(title))
            layout.addWidget(row(line, browse))
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.create_button, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.step_box)
        layout.addStretch(1)

    def set_images(self, folder: str | Path) -> None:
        """Propose a study of this folder."""
        self.images.setText(str(folder))

    def step(self) -> Step:
        """The command that the form stands for."""
        study = str(study_path(self.study.text().strip()))
        arguments = ["create", study, self.images.text().strip()]
        if self.plate_map.text().strip():
            arguments += ["--plate-map", self.plate_map.text().strip()]
        return cellvote_step("Reading the images", *arguments, dock=DOCK, study=study)

    def show_progress(self, step: Step, progress: Progress) -> None:
        """Show how far it is."""
        if step.dock == DOCK:
            self.step_box.show_progress(step, progress)

    def show_finished(self, step: Step, result: StepResult) -> None:
        """Leave where the study was made, else say why not."""
        if step.dock != DOCK:
            return
        self.create_button.setEnabled(True)
        self.step_box.show_result(result)
        if result.outcome == "done":
            self.closed.emit()

    # Slots

    def _on_images_changed(self, text: str) -> None:
        """Propose a place for the study beside the images."""
        folder = Path(text.strip())
        if text.strip() and folder.is_dir():
            self.study.setText(str(folder.parent / f"{folder.name}.cellvote"))

    def _on_create_clicked(self) -> None:
        if not self.images.text().strip() or not self.study.text().strip():
            self.step_box.say("Choose the folder of the images, and where to put the study.", error=True)
            return
        step = self.step()
        try:
            self._session.runner.run(step)
        except RuntimeError as error:
            self.step_box.say(f"{error}: wait for it, or cancel it.", error=True)
            return
        self.create_button.setEnabled(False)
        self.step_box.show_started(step)

    def _on_back_clicked(self) -> None:
        self.closed.emit()

    def _ask_images(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of images", self.images.text())
        if folder:
            self.images.setText(folder)

    def _ask_plate_map(self) -> None:
        start = self.plate_map.text() or self.images.text()
        path, _ = QFileDialog.getOpenFileName(self, "Plate map", start, "Tables (*.csv *.tsv *.txt);;All files (*)")
        if path:
            self.plate_map.setText(path)

    def _ask_study(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Where to put the study", self.study.text(), "Study (*.cellvote)")
        if path:
            self.study.setText(str(study_path(path)))
