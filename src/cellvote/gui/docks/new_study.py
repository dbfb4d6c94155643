"""A new study of folders of images: what was found is shown, doubts are asked about, ``cellvote create`` makes it."""

from functools import partial
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.docks.dock import ColumnScroll, combo, heading, row, text_label
from cellvote.gui.folder_reader import FolderReader
from cellvote.gui.path_list import PathList, ask_files, ask_folder
from cellvote.gui.pattern_builder import PatternBuilder
from cellvote.gui.reading_check import ReadingCheck, in_the_window, map_words
from cellvote.gui.reading_choice import ReadingChoice
from cellvote.gui.session import Session
from cellvote.gui.step_box import StepBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step, cellvote_step
from cellvote.gui.turns import Turns
from cellvote.plates.layouts import LAYOUTS
from cellvote.plates.layouts.base import open_folder
from cellvote.progress import Progress
from cellvote.study.study import study_path

DOCK = "new study"

_RECOGNISE, _PATTERN = "", "by a pattern"
_TYPING_MS: Final = 300


class NewStudyForm(QWidget):
    """Asks for images, how to read them, plate maps and a place, and makes the study.

    Signals
    -------
    closed
        The person has changed their mind, or the study is made.
    """

    closed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._summary: dict[str, Any] = {}
        self._pattern = ""
        self._create_when_read = False
        self.builder: PatternBuilder | None = None
        self.reader = FolderReader()
        self.reader.answered.connect(self._on_summary_read)
        self._listing = Background(self._on_names_listed)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self._read)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        self._make_images(column)
        self._make_reading(column)
        self._make_place(column)
        column.addStretch(1)
        inner = QWidget()
        inner.setLayout(column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(ColumnScroll(inner), 1)  # it scrolls: other pages need not be as long
        self._make_foot(layout)
        self._turns = Turns()
        self.destroyed.connect(partial(_stop, self.reader, self._listing, self._turns))

    # Parts

    def _make_images(self, column: QVBoxLayout) -> None:
        column.addWidget(heading("New study"))
        column.addWidget(text_label("The images stay where they are and are only read.", quiet=True))
        asks = {
            "Folder …": ask_folder(self, "Folder of images"),
            "File …": ask_files(self, "A file that holds the images, or lists them"),
        }
        self.folders = PathList("folder of the plate, or of several plates", "another folder …", asks)
        self.folders.changed.connect(self._on_images_changed)
        self.images = self.folders.first
        column.addWidget(text_label("Images"))
        column.addWidget(self.folders)
        self.root = QLineEdit()
        self.root.setPlaceholderText("where the images of this table lie, if elsewhere")
        self.root.textChanged.connect(self._read_soon)
        self.root_row = row(self.root, _browse_button(self._ask_root))
        self.root_row.hide()
        column.addWidget(self.root_row)

    def _make_reading(self, column: QVBoxLayout) -> None:
        self.layout_box = combo("How the images are named and arranged", least=12)
        self.layout_box.addItem("recognised by itself", _RECOGNISE)
        for name, known in LAYOUTS.items():
            self.layout_box.addItem(f"{name}   {known.example}", name)
        self.layout_box.addItem("by a pattern …", _PATTERN)
        self.layout_box.activated.connect(self._on_layout_chosen)
        self.pattern_button = QPushButton("Change the pattern …")
        self.pattern_button.hide()
        self.pattern_button.clicked.connect(self.build_pattern)
        column.addWidget(row("Layout", self.layout_box))
        column.addWidget(self.pattern_button)
        self.check = ReadingCheck()
        self.check.answered.connect(self._show_state)
        self.check.layoutWanted.connect(self._on_layout_wanted)
        self.check.patternWanted.connect(self.build_pattern)
        self.check.stopClicked.connect(self._on_stop_clicked)
        column.addWidget(self.check)
        self.choice = ReadingChoice()
        self.choice.changed.connect(self._show_state)
        column.addWidget(self.choice)

    def _make_place(self, column: QVBoxLayout) -> None:
        asks = {"…": ask_files(self, "Plate maps", "Tables (*.csv *.tsv *.txt *.xlsx);;All files (*)")}
        self.plate_maps = PathList("CSV, TSV or XLSX with the wells (optional)", "another table …", asks)
        self.plate_maps.changed.connect(self._read_soon)
        self.plate_map = self.plate_maps.first
        self.map_found = text_label("")
        column.addWidget(text_label("Plate map"))
        column.addWidget(self.plate_maps)
        column.addWidget(self.map_found)
        self.map_found.hide()
        self.study = QLineEdit()
        self.study.setPlaceholderText("where to put the study")
        column.addWidget(text_label("Study"))
        column.addWidget(row(self.study, _browse_button(self._ask_study)))

    def _make_foot(self, layout: QVBoxLayout) -> None:
        self.waiting = text_label("", quiet=True)
        self.create_button = QPushButton("Create study")
        self.create_button.clicked.connect(self._on_create_clicked)
        self.back_button = QPushButton("Back")
        self.back_button.clicked.connect(self._on_back_clicked)
        self.step_box = StepBox()
        self.step_box.reword = in_the_window
        self.step_box.cancelClicked.connect(self._session.runner.cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.create_button, 1)
        layout.addWidget(self.waiting)
        layout.addLayout(buttons)
        layout.addWidget(self.step_box)
        self._show_state()

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name, as of every method below)
        """Take whatever height there is: the form scrolls by itself, with the buttons always in sight."""
        return False

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for no more height than is needed."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Make ready to read: the first answer comes at once."""
        super().showEvent(event)
        self.reader.warm_up()

    # What is asked for

    def set_images(self, folder: str | Path) -> None:
        """Propose a study of this folder."""
        self.folders.set_paths([str(folder)])

    @property
    def idle(self) -> bool:
        """Whether what is shown is of what is asked for."""
        return not (self._typing.isActive() or self.reader.busy or self._listing.busy or self._turns.busy)

    def how(self) -> str:
        """Name the chosen layout; empty where it is to be recognised, or given by a pattern."""
        chosen = self.layout_box.currentData()
        return "" if chosen == _PATTERN else str(chosen)

    def pattern(self) -> str:
        """The pattern; empty where a layout is chosen or recognised."""
        return self._pattern if self.layout_box.currentData() == _PATTERN else ""

    def step(self) -> Step:
        """The command that the form stands for."""
        study = str(study_path(self.study.text().strip()))
        arguments = ["create", study, *self.folders.paths()]
        options = {"--layout": self.how(), "--pattern": self.pattern(), "--root": self._root()}
        arguments += [f"{name}={value}" for name, value in options.items() if value]
        for path in self.plate_maps.paths():
            arguments += ["--plate-map", path]
        arguments += self.choice.arguments()
        if self.check.questions and not self.check.unanswered():
            arguments.append("--yes")
        return cellvote_step("Reading the images", *arguments, dock=DOCK, study=study)

    def _root(self) -> str:
        return self.root.text().strip() if self.root_row.isVisibleTo(self) else ""

    def complaint(self) -> str:
        """Why no study can be made yet; empty where it can, or where that is not known yet."""
        if "error" in self._summary:
            return "These images cannot be read yet."
        if self.check.unanswered():
            return "Answer the question above first." if self.check.unanswered() == 1 else "Answer the questions first."
        found = self._summary.get("map") or {}
        return "The plate map cannot be used: see above." if "error" in found else self.choice.complaint()

    # Reading

    def _read_soon(self) -> None:
        self._summary = {}
        self._typing.start()

    def _read(self) -> None:
        """Ask what lies in the folders."""
        paths = self.folders.paths()
        self._summary = {}
        if self.reader.busy:
            self.reader.stop()
        if not paths or not all(Path(path).exists() for path in paths):
            self._show_summary()
            self.check.clear()
            return
        self.check.show_reading()
        self.pattern_button.setVisible(bool(self.pattern()))
        self._show_state()
        self.reader.ask(
            {
                "paths": paths,
                "layout": self.how(),
                "pattern": self.pattern(),
                "root": self._root() or None,
                "plate_maps": self.plate_maps.paths(),
            }
        )

    def _on_summary_read(self, summary: dict[str, Any]) -> None:
        self._summary = summary
        self.check.show_summary(summary)
        self._show_summary()
        if self._create_when_read:
            self._create_when_read = False
            self.step_box.say("")
            if not self.complaint():
                self._create()

    def _show_summary(self) -> None:
        summary = self._summary
        known = "layout" in summary and not self.how() and not self.pattern()
        self.layout_box.setItemText(0, f"recognised: {summary['layout']}" if known else "recognised by itself")
        if "layout" in summary:
            self.choice.set_summary(summary)
        else:
            self.choice.clear()
        self.pattern_button.setVisible(bool(self.pattern()))
        self.pattern_button.setToolTip(self.pattern())
        words = map_words(summary.get("map"))
        self.map_found.setText(words)
        self.map_found.setVisible(bool(words))
        self._show_state()

    def _show_state(self) -> None:
        running = self._session.runner.step
        complaint = self.complaint()
        self.waiting.setText(complaint)
        self.waiting.setVisible(bool(complaint))
        self.create_button.setEnabled(not complaint and not (running is not None and running.dock == DOCK))

    def _on_stop_clicked(self) -> None:
        self.reader.stop()
        self._on_summary_read({"error": "Reading was stopped. Choose a layout, or the folder anew, to read it again."})

    # The pattern

    def build_pattern(self) -> None:
        """Show the names, and ask what their parts mean."""
        if not self.folders.paths():
            self.step_box.say("Choose the folder of the images first.", error=True)
            return
        self._listing.ask(partial(_list_names, self.folders.paths()))

    def _on_names_listed(self, folders: list[tuple[str, tuple[str, ...]]] | CellVoteError) -> None:
        if isinstance(folders, CellVoteError):
            self.step_box.say(str(folders), error=True)
            return
        if not any(names for _, names in folders):
            self.step_box.say("There are no images in this folder.", error=True)
            return
        builder = PatternBuilder(folders, self._pattern, self.window())
        builder.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        builder.finished.connect(self._on_builder_finished)
        self._turns.add([partial(self._open_builder, builder)])

    def _open_builder(self, builder: PatternBuilder) -> None:
        self.builder = builder
        builder.open()

    def _on_builder_finished(self, result: int) -> None:
        builder, self.builder = self.builder, None
        if builder is not None and result == PatternBuilder.DialogCode.Accepted:
            self.set_pattern(builder.pattern())
        elif not self._pattern and self.layout_box.currentData() == _PATTERN:
            self.layout_box.setCurrentIndex(0)
            self._read_soon()

    def set_pattern(self, pattern: str) -> None:
        """Read the images by a pattern."""
        self._pattern = pattern
        self.layout_box.setCurrentIndex(self.layout_box.findData(_PATTERN))
        self._read_soon()

    def _on_layout_chosen(self) -> None:
        if self.layout_box.currentData() == _PATTERN and not self._pattern:
            self.build_pattern()
        else:
            self._read_soon()

    def _on_layout_wanted(self) -> None:
        self.layout_box.setFocus()
        self.layout_box.showPopup()

    # Making the study

    def show_progress(self, step: Step, progress: Progress) -> None:
        """Show how far it is."""
        if step.dock == DOCK:
            self.step_box.show_progress(step, progress)

    def show_finished(self, step: Step, result: StepResult) -> None:
        """Leave where the study was made, else say why not."""
        if step.dock != DOCK:
            return
        self._show_state()
        self.step_box.show_result(result)
        if result.outcome == "done":
            self.reader.stop()
            self.closed.emit()

    def _on_images_changed(self) -> None:
        """Propose a place for the study beside the images."""
        path = Path(self.images.text().strip())
        if self.images.text().strip() and path.exists():
            self.study.setText(str(path.parent / f"{path.stem if path.is_file() else path.name}.cellvote"))
        self.root_row.setVisible(path.is_file() and bool(self.images.text().strip()))
        self._read_soon()

    def _on_create_clicked(self) -> None:
        if not self.folders.paths() or not self.study.text().strip():
            self.step_box.say("Choose the folder of the images, and where to put the study.", error=True)
        elif not self.idle:  # there may be something to ask first
            self._create_when_read = True
            self.step_box.say("Looking at the files first …")
        else:
            self._create()

    def _create(self) -> None:
        step = self.step()
        try:
            self._session.runner.run(step)
        except RuntimeError as error:
            self.step_box.say(f"{error}: wait for it, or cancel it.", error=True)
            return
        self.create_button.setEnabled(False)
        self.step_box.show_started(step)

    def _on_back_clicked(self) -> None:
        self.reader.stop()
        self.closed.emit()

    # Asking for paths

    def _ask_root(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where the images of the table lie", self.images.text())
        if folder:
            self.root.setText(folder)

    def _ask_study(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Where to put the study", self.study.text(), "Study (*.cellvote)")
        if path:
            self.study.setText(str(study_path(path)))


def _browse_button(ask: Any) -> QPushButton:
    button = QPushButton("…")
    button.setFixedWidth(32)
    button.clicked.connect(ask)
    return button


def _list_names(paths: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    folders = [open_folder(Path(path)) for path in paths]
    return [(str(folder.path), folder.images) for folder in folders]


def _stop(reader: FolderReader, listing: Background, turns: Turns) -> None:
    reader.close()
    turns.forget()
    listing.forget()
