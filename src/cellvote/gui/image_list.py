"""Images that have no wells, as a list to walk: their names, their classes, and what was voted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QTableView, QVBoxLayout, QWidget

from cellvote.gui.colours import RIGHT_COLOUR, WRONG_COLOUR
from cellvote.gui.docks.dock import combo, fill_combo, row, text_label
from cellvote.gui.facts import PlateFacts
from cellvote.plates.acquisition import FieldKey
from cellvote.voting.settings import NO_CLASS

IMAGE_NAME: Final = "image_name"
CLASS_NAME: Final = "class_name"

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class ListedImage:
    """One image: its field number, name and class, what was voted, why it failed, the class that was to be found."""

    number: int
    name: str
    class_name: str = ""
    vote: str = ""
    error: str = ""
    truth: str = ""


def listed_images(facts: PlateFacts, plate: str) -> list[ListedImage]:
    """List the images of a plate that has no wells, as they are numbered."""
    predicted = facts.predicted
    votes = predicted.fields if predicted else {}
    truth = predicted.truth_of_images if predicted else {}
    return [
        ListedImage(
            key.field,
            entries.get(IMAGE_NAME) or f"field {key.field}",
            entries.get(CLASS_NAME, ""),
            votes[key].class_name if key in votes else "",
            facts.failed.get(key, ""),
            truth.get(key, ""),
        )
        for key, entries in sorted(facts.images.items())
        if key.plate == plate
    ]


def image_words(entries: Mapping[FieldKey, Mapping[str, str]]) -> str:
    """Say how many images there are: ``2,183 images in 16 classes``."""
    n, classes = len(entries), {one.get(CLASS_NAME, "") for one in entries.values()} - {""}
    words = f"{n:,} image{'s' * (n != 1)}"
    return f"{words} in {len(classes):,} classes" if len(classes) > 1 else words


class ImageList(QWidget):
    """Lists images, all or those of one class, found by their names; the arrow keys walk them.

    Signals
    -------
    imageChosen(int)
        The number of the field that is to be shown.
    """

    imageChosen = Signal(int)  # noqa: N815 (Qt's spelling)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: Sequence[ListedImage] = ()
        self._shown = 0
        self.class_box = combo("Images of which class are listed")
        self.class_box.currentIndexChanged.connect(self._fill)
        self.find_box = QLineEdit()
        self.find_box.setPlaceholderText("find a name")
        self.find_box.setClearButtonEnabled(True)
        self.find_box.textChanged.connect(self._fill)
        self.class_row = row("Class", self.class_box)
        self.model = ImageTable()
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Images")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setTabKeyNavigation(False)
        self.table.setMinimumHeight(160)
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 6)
        self.table.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        self.none = text_label("No image is called so.", quiet=True)
        self.none.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.find_box.setMaximumWidth(self.fontMetrics().averageCharWidth() * 20)
        layout.addWidget(row(self.class_row, self.find_box))
        layout.addWidget(self.none)
        layout.addWidget(self.table, 1)

    def listed(self) -> list[ListedImage]:
        """The images that are listed now."""
        return list(self.model.images)

    def set_images(self, images: Sequence[ListedImage], shown: int) -> None:
        """List images; the chosen class stays where it is still there."""
        self._shown = shown
        if list(images) == list(self._images):
            self.show_image(shown)
            return
        self._images = images
        counts = Counter(one.class_name for one in images if one.class_name)
        entries = [("", f"all {len(images):,} images")]
        entries += [(name, f"{name} · {n:,}") for name, n in sorted(counts.items(), key=lambda one: one[0].casefold())]
        fill_combo(self.class_box, entries, self.class_box.currentData() or "")
        self.class_row.setVisible(len(counts) > 1)
        self._fill()

    def show_image(self, number: int) -> None:
        """Mark the image that is shown, where it is listed."""
        self._shown = number
        at = self.model.row_of(number)
        if at is None:
            self.table.clearSelection()
        elif self.table.currentIndex().row() != at or not self.table.selectedIndexes():
            self.table.selectRow(at)
            self.table.scrollTo(self.model.index(at, 0))

    def step(self, by: int) -> None:
        """Go to the next or previous image of those that are listed."""
        images = self.model.images
        if images:
            at = self.model.row_of(self._shown)
            at = 0 if at is None else min(max(at + by, 0), len(images) - 1)
            self.imageChosen.emit(images[at].number)

    def _fill(self) -> None:
        wanted, name = self.find_box.text().strip().casefold(), self.class_box.currentData() or ""
        images = [
            one
            for one in self._images
            if name in {"", one.class_name} and (not wanted or wanted in one.name.casefold())
        ]
        self.model.show(images)
        self.none.setVisible(not images and bool(self._images))
        self._share_width()
        self.show_image(self._shown)

    def _share_width(self) -> None:
        """Give classes and votes what they need, and names the rest."""
        header = self.table.horizontalHeader()
        for section in range(self.model.columnCount()):
            stretch = section == 0
            mode = QHeaderView.ResizeMode.Stretch if stretch else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(section, mode)

    def _on_row_changed(self, current: QModelIndex) -> None:
        if current.isValid():
            number = self.model.images[current.row()].number
            if number != self._shown:
                self.imageChosen.emit(number)


class ImageTable(QAbstractTableModel):
    """Images as rows: name, class where there are any, vote where there are any."""

    def __init__(self) -> None:
        super().__init__()
        self.images: Sequence[ListedImage] = ()
        self._rows: dict[int, int] = {}
        self._columns: tuple[str, ...] = ("Image",)

    def show(self, images: Sequence[ListedImage]) -> None:
        """Show these."""
        self.beginResetModel()
        self.images = images
        self._rows = {one.number: at for at, one in enumerate(images)}
        columns = {"Image": True, "Class": any(i.class_name for i in images), "Vote": any(i.vote for i in images)}
        self._columns = tuple(name for name, there in columns.items() if there)
        self.endResetModel()

    def row_of(self, number: int) -> int | None:
        """Where an image stands; None where it is not listed."""
        return self._rows.get(number)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008 (Qt's name and default)
        """Count the images."""
        return 0 if parent.isValid() else len(self.images)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """Count the columns."""
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        """Name the columns, and number the images."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return str(self.images[section].number) if orientation == Qt.Orientation.Vertical else self._columns[section]

    def data(self, index: Index, role: int = 0) -> Any:
        """Give a name, class or vote; a right vote is green, a wrong one and a failed image red."""
        one, column = self.images[index.row()], self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return {"Image": one.name, "Class": one.class_name, "Vote": one.vote}[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{one.name}\nfailed: {one.error}" if one.error else one.name
        if role == Qt.ItemDataRole.ForegroundRole:
            if column == "Image" and one.error:
                return QColor(WRONG_COLOUR)
            if column == "Vote" and one.truth and one.vote not in NO_CLASS:
                return QColor(RIGHT_COLOUR if one.vote == one.truth else WRONG_COLOUR)
        return None
