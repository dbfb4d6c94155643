"""The Plate dock: the plate as a picture, coloured by what is known; click a well to see it."""

from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from cellvote.gui.docks.dock import BUTTON_STYLE, Dock, row, text_label
from cellvote.gui.docks.new_study import NewStudyForm
from cellvote.gui.docks.plate_page import PlatePage
from cellvote.gui.docks.view_bar import ViewBar
from cellvote.gui.facts import read_images
from cellvote.gui.image_list import image_words
from cellvote.gui.layer_data import mark_of
from cellvote.gui.plate_map_editor import PlateMapEditor
from cellvote.gui.reading_check import breakable
from cellvote.study import Study
from cellvote.study.study import SUFFIX


class PlateDock(Dock):
    """Opens a study and walks its plates.

    Parameters
    ----------
    viewer
        Given by napari.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.setAcceptDrops(True)
        self.map_editor: PlateMapEditor | None = None
        self._make_top()
        self.empty = self._make_empty()
        self.new_study = NewStudyForm(self.session)
        self.new_study.closed.connect(self._on_new_study_closed)
        self.looking = PlatePage(self.state)
        self.pages = _Pages()
        for page in (self.empty, self.new_study, self.looking):
            self.pages.addWidget(page)
        self.body.addWidget(self.pages, 1)
        self.view_bar = ViewBar(self.session)
        self.foot.addWidget(self.view_bar)
        self.foot.addWidget(self.looking.field_row)
        for part in (self.view_bar, self.looking.field_row):
            part.hide()
        self.pages.currentChanged.connect(self._on_page_changed)
        events = self.state.events
        self.listen(events.study, self._on_study_changed)
        self.listen(events.facts, self.looking.show_facts)
        self.listen(events.key, self.looking.show_key)
        self.listen(events.selection, self.looking.show_selection)
        self.listen(self.session.runner.finished, self.new_study.show_finished)
        self.listen(self.session.runner.progressed, self.new_study.show_progress)
        if self.state.study is not None:
            self._on_study_changed()
        else:
            self._open_what_is_shown(viewer)

    @property
    def busy(self) -> bool:
        """Whether something of the plate is still being read."""
        return self.looking.busy

    # Parts

    def _make_top(self) -> None:
        self.title = text_label("")
        self.map_button = QPushButton("Plate map …")
        self.map_button.setToolTip("Look at what was done to each well, and correct it")
        self.map_button.clicked.connect(self._on_map_clicked)
        self.map_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.study_button = QToolButton()
        self.study_button.setText("☰")
        self.study_button.setToolTip("Another study: make a new one, or open one")
        self.study_button.setAccessibleName("Study")
        self.study_button.setStyleSheet(BUTTON_STYLE)
        menu = QMenu(self.study_button)
        menu.addAction("New study …").triggered.connect(self._on_new_clicked)
        menu.addAction("Open a study …").triggered.connect(self._on_open_clicked)
        self.study_button.setMenu(menu)
        self.study_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.top = row(self.title, self.map_button, self.study_button)
        self.top.hide()
        self.body.addWidget(self.top)

    def _make_empty(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        words = text_label(
            "No study is open.<br><br>Make one of a folder of plate images, or open one that was made before (a "
            "<b>.cellvote</b> folder). You can also drop either here.",
            quiet=True,
        )
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.new_button = QPushButton("New study …")
        self.new_button.setToolTip("Make a study of a folder of images")
        self.new_button.clicked.connect(self._on_new_clicked)
        self.open_button = QPushButton("Open a study …")
        self.open_button.setToolTip("Open a .cellvote folder")
        self.open_button.clicked.connect(self._on_open_clicked)
        layout.addStretch(1)
        layout.addWidget(words)
        layout.addSpacing(6)
        layout.addWidget(row(self.new_button, self.open_button))
        layout.addStretch(2)
        return page

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

    def _on_map_clicked(self) -> None:
        """Open the plate map of the study, one window for each."""
        study = self.state.study
        if study is None:
            return
        if self.map_editor is None or self.map_editor.study is not study:
            if self.map_editor is not None and not self.map_editor.close():
                return  # it asks about changes that are not saved
            self.map_editor = PlateMapEditor(study, self)
            self.map_editor.saved.connect(self.state.results_written)
        self.map_editor.show()
        self.map_editor.raise_()

    def _on_new_clicked(self) -> None:
        self.pages.setCurrentWidget(self.new_study)

    def _on_new_study_closed(self) -> None:
        self.pages.setCurrentWidget(self.looking if self.state.study is not None else self.empty)

    def _on_page_changed(self) -> None:
        for part in (self.top, self.view_bar, self.looking.field_row):
            part.setVisible(self.pages.currentWidget() is self.looking)

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
        self.title.setText(f"<b>{breakable(name)}</b><br>{study_words(study)}")
        self.title.setToolTip(f"{study.path}\nimages: {study.source}\nlayout: {study.info.layout}")
        self.pages.setCurrentWidget(self.looking)
        self.looking.show_study()

    def colour_by(self, key: str) -> None:
        """Colour the plate by one of `colourings`; kept for when it can be where it cannot yet."""
        self.looking.colour_by(key)


def study_words(study: Study) -> str:
    """Say how large a study is: ``2 plates · 96 wells · 384 fields``, or ``2,183 images in 16 classes``."""
    fields = study.fields
    wells = {(key.plate, key.well) for key in fields if key.well}
    if not wells:
        return image_words(read_images(study))
    parts = [(len(study.plates), "plate")] if len(study.plates) > 1 else []
    parts += [(len(wells), "well"), (len(fields), "field")]
    return " · ".join(f"{n:,} {name}{'s' * (n != 1)}" for n, name in parts)


class _Pages(QStackedWidget):
    """Pages of which one is seen: as large as that one, not as the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.currentChanged.connect(self.updateGeometry)

    def addWidget(self, page: QWidget | None) -> int:  # noqa: N802 (Qt's name, as of every method below)
        """Add a page, and follow its size: a stack does not tell its parent when a page needs less than before."""
        if page is not None:
            page.installEventFilter(self)
        return super().addWidget(page)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Ask for another size when the page does."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Say whether the page that is seen is taller where it is narrower."""
        page = self.currentWidget()
        return bool(page is not None and page.hasHeightForWidth())

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Give the height that it needs."""
        page = self.currentWidget()
        return int(page.heightForWidth(width)) if page is not None else -1

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for its size."""
        page = self.currentWidget()
        return QSize() if page is None else page.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Need no more than it does."""
        page = self.currentWidget()
        return QSize() if page is None else page.minimumSizeHint()
