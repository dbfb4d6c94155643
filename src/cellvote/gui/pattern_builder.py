"""The pattern builder: mark what is the well and what the channel in one file name, and see what every name gives."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.docks.dock import BAD, combo, fill_combo, heading, row, text_label
from cellvote.gui.name_marker import NameMarker
from cellvote.gui.pattern_table import COLUMN_ROLES, ROLE_COLOURS, ROLE_TITLES, NameDelegate, NameTable, name_font
from cellvote.gui.pattern_words import count_words, marked_position, twice_words
from cellvote.plates.pattern_marks import N_FITTED, Marks, pattern_of_marks, spread, without_thumbnails
from cellvote.plates.pattern_process import read_names_safely
from cellvote.plates.pattern_suggestion import Suggestion, suggest_pattern
from cellvote.plates.patterns import NO_MATCH, READ, TWICE, UNREADABLE, NamesRead, problem_of

Folders = Sequence[tuple[str, Sequence[str]]]

DEBOUNCE_MS: Final = 150
_N_ALIKE: Final = 20
_TIPS: Final = {
    "well": "The well in one piece: A01, b7, r01c01",
    "row": "Only the row, where row and column stand apart: A, 01",
    "column": "Only the column, where row and column stand apart: 07",
    "field": "The number of the field (site, position) in the well",
    "channel": "The channel: w1, ch2, DAPI",
    "z": "The number of the z-plane",
    "timepoint": "The number of the time point",
    "plate": "The plate, where its name is not that of the folder",
}


class PatternBuilder(QDialog):
    """Asks for a pattern that reads these names.

    Patterns are tried in a process of their own, which is ended when it takes too long: see `pattern_process`.

    Parameters
    ----------
    folders
        The folders of the images, and the paths of the images below each.
    pattern
        To begin with; one is suggested where it is empty.
    """

    def __init__(self, folders: Folders, pattern: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("What do the file names say?")
        self.resize(1040, 720)
        self._folders = folders
        self._names = [name for _, names in folders for name in names]
        self._sample = without_thumbnails(spread(self._names, 2 * N_FITTED))[:N_FITTED]
        self._example = 0
        self._by_hand = False
        self._read: NamesRead | None = None
        self._reading = Background(self._on_names_read)
        self._suggesting = Background(self._on_suggested)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(DEBOUNCE_MS)
        self._typing.timeout.connect(self._read_names)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        self._make_example(layout)
        self._make_pattern(layout)
        self._make_table(layout)
        self._make_buttons(layout)
        self.finished.connect(self._on_finished)
        self._show_example(0)
        if pattern:
            self.pattern_line.setText(pattern)
            self._by_hand = True
        elif self._names:
            self.suggest()

    # Parts

    def _make_example(self, layout: QVBoxLayout) -> None:
        self.marker = NameMarker()
        self.marker.setFixedHeight(self.marker.sizeHint().height())
        self.marker.partSelected.connect(self._on_part_selected)
        self.hint = text_label("")
        self.role_buttons: dict[str, QPushButton] = {}
        roles = QGridLayout()
        roles.setHorizontalSpacing(6)
        for at, (role, title) in enumerate(ROLE_TITLES.items()):
            button = QPushButton(title)
            button.setToolTip(_TIPS[role])
            button.clicked.connect(partial(self._on_role_clicked, role))
            self.role_buttons[role] = button
            roles.addWidget(button, 0, at)
        self.suggest_button = QPushButton("Suggest")
        self.suggest_button.setToolTip("Look at all names, and guess what is what")
        self.suggest_button.clicked.connect(self.suggest)
        self.clear_button = QPushButton("Start over")
        self.clear_button.setToolTip("Forget all marks")
        self.clear_button.clicked.connect(self._on_clear_clicked)
        top = QHBoxLayout()
        top.addWidget(heading("One of the file names"), 1)
        top.addWidget(self.suggest_button)
        top.addWidget(self.clear_button)
        layout.addLayout(top)
        layout.addWidget(self.marker)
        layout.addWidget(self.hint)
        layout.addLayout(roles)

    def _make_pattern(self, layout: QVBoxLayout) -> None:
        self.pattern_line = QLineEdit()
        self.pattern_line.setFont(name_font())
        self.pattern_line.setPlaceholderText("made of what you mark; or written by hand: (?P<well>…)")
        self.pattern_line.setToolTip(
            "A regular expression with named groups. It must fit the whole file name, or the whole path below the "
            "folder."
        )
        self.pattern_line.textChanged.connect(self._on_pattern_changed)
        self.pattern_line.textEdited.connect(self._on_pattern_edited)
        self.problem = text_label("")
        self.problem.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(row("Pattern", self.pattern_line))
        layout.addWidget(self.problem)

    def _make_table(self, layout: QVBoxLayout) -> None:
        self.counts = text_label("")
        self.filter_box = combo("Which names are listed", least=20)
        self.filter_box.currentIndexChanged.connect(self._on_filter_chosen)
        self.filter_box.setMaximumWidth(260)
        top = QHBoxLayout()
        top.addWidget(self.counts, 1)
        top.addWidget(self.filter_box)
        self.names = NameTable()
        self.names.set_folders(self._folders, self._names)
        self.table = QTableView()
        self.table.setModel(self.names)
        self._delegate = NameDelegate(self.table)
        self.table.setItemDelegateForColumn(0, self._delegate)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setWordWrap(False)
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 8)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        across = self.table.horizontalHeader()
        across.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self.names.columnCount()):
            self.table.setColumnWidth(column, 130 if column in {1, self.names.columnCount() - 1} else 68)
        self.table.clicked.connect(lambda index: self._show_example(self.names.name_at(index.row())))
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(text_label("Click a name to take it as the example above.", quiet=True))

    def _make_buttons(self, layout: QVBoxLayout) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use_button = buttons.addButton("Use this pattern", QDialogButtonBox.ButtonRole.AcceptRole)
        for button in buttons.buttons():
            button.setAutoDefault(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self._show_state()

    # What is asked and answered

    def pattern(self) -> str:
        """The pattern as it stands."""
        return self.pattern_line.text().strip()

    @property
    def idle(self) -> bool:
        """Whether what is shown is of the pattern as it stands."""
        return not (self._typing.isActive() or self._reading.busy or self._suggesting.busy)

    def usable(self) -> bool:
        """Whether reading by this pattern would work: some names fit, and no two read as one."""
        read = self._read
        return read is not None and read.number_of(READ) > 0 and not read.number_of(TWICE) + read.number_of(UNREADABLE)

    def suggest(self) -> None:
        """Look at the names, and guess."""
        self.hint.setText("Looking at the names …")
        self._suggesting.ask(partial(suggest_pattern, self._names))

    def _on_suggested(self, suggestion: Suggestion | None) -> None:
        if suggestion is None:
            self._show_marks({})
            self.hint.setText(
                "Nothing in these names looks like a well. Select the part that is, and say so with a button below."
            )
            return
        self._example = self._names.index(suggestion.example)
        self.marker.set_name(suggestion.example)
        self._show_marks(suggestion.marks)
        self._by_hand = False
        self.pattern_line.setText(suggestion.pattern)

    # Marking

    def _show_example(self, number: int) -> None:
        """Take one of the names as the example."""
        if not self._names:
            return
        self._example = number
        self.marker.set_name(self._names[number])
        self._show_marks(self.names.spans(number))

    def _show_marks(self, marks: Marks) -> None:
        self.marker.set_marks(marks)
        for role, button in self.role_buttons.items():
            span = marks.get(role)
            text = self.marker.name()[span[0] : span[1]] if span else ""
            button.setText(f"{ROLE_TITLES[role]}  {text}" if text else ROLE_TITLES[role])
            colour = ROLE_COLOURS[role]
            ink = f"background: {colour}; color: #15181d;" if text else f"border-bottom: 3px solid {colour};"
            button.setStyleSheet(f"QPushButton {{ {ink} padding: 4px 6px; }} QPushButton:disabled {{ color: #777; }}")
        self._on_part_selected(*self.marker.selected())

    def _on_part_selected(self, start: int, end: int) -> None:
        part = self.marker.name()[start:end]
        for role, button in self.role_buttons.items():
            button.setEnabled(bool(part) or role in self.marker.marks())
        if part:
            self.hint.setText(f"<b>{_escaped(part)}</b> is the …")
        elif self.marker.marks():
            self.hint.setText("Select another part of the name and say what it is; click a marked button to unmark it.")
        else:
            self.hint.setText("Click (or drag over) the part of the name that is the well, then press <b>Well</b>.")

    def _on_role_clicked(self, role: str) -> None:
        """Mark what is selected as this; unmark it where nothing is."""
        start, end = self.marker.selected()
        marks = {
            other: span
            for other, span in self.marker.marks().items()
            if other != role and other not in _INSTEAD.get(role, ()) and (span[1] <= start or span[0] >= end)
        }
        if start == end:
            marks = {other: span for other, span in self.marker.marks().items() if other != role}
        else:
            marks[role] = (start, end)
        self._mark(marks)

    def _mark(self, marks: Marks) -> None:
        self._by_hand = False
        self._show_marks(marks)
        self.pattern_line.setText(pattern_of_marks(self.marker.name(), marks, self._sample) if marks else "")

    def _on_clear_clicked(self) -> None:
        self._mark({})

    # Reading the names

    def _on_pattern_edited(self) -> None:
        self._by_hand = True

    def _on_pattern_changed(self) -> None:
        self._read = None
        self._reading.forget()
        self._show_state()
        self._typing.start()

    def _read_names(self) -> None:
        problem = problem_of(self.pattern())
        if problem is not None:
            self.names.set_read(None)
            self._fill_filter()
            self._say_problem(problem.message, marked_position(self.pattern(), problem.position))
            return
        self._reading.ask(partial(read_names_safely, self.pattern(), self._folders))

    def _on_names_read(self, read: NamesRead | CellVoteError) -> None:
        if isinstance(read, CellVoteError):
            self.names.set_read(None)
            self._say_problem(str(read), "")
            return
        self._read = read
        self.names.set_read(read)
        if self._by_hand:
            self._show_marks(self.names.spans(self._example))
        else:
            self._tell_apart(read)
        self._show_columns(read)
        self._fill_filter()
        self._show_state()

    def _tell_apart(self, read: NamesRead) -> None:
        """Make the pattern anew, with the names in mind that it mixes up: it may have been widened too far."""
        alike = [i for i, state in enumerate(read.state) if state == TWICE][:_N_ALIKE] if TWICE in read.state else []
        alike += [read.partner[i] for i in alike]
        new = [name for i in alike if (name := self._names[i]) not in self._sample]
        if new and len(self._sample) < 2 * N_FITTED:
            self._sample += dict.fromkeys(new)
            self._mark(self.marker.marks())

    def _show_columns(self, read: NamesRead) -> None:
        """Leave out what the names do not tell: there is little room."""
        for column, role in enumerate(COLUMN_ROLES, start=1):
            self.table.setColumnHidden(column, role not in read.roles and role not in {"plate", "well"})

    # What is said

    def _show_state(self) -> None:
        self.use_button.setEnabled(self.usable())
        if self._read is None:
            self.counts.setText(f"{len(self._names):,} image files")
            self.problem.setText("")
            return
        self.counts.setText(count_words(self._read))
        self._say_problem(twice_words(self._read, self._names), "")
        self.use_button.setToolTip("" if self.usable() else "First, every name that fits must read as one image")

    def _say_problem(self, message: str, position: str) -> None:
        text = message[:1].upper() + message[1:]
        self.problem.setText(f"<span style='color:{BAD}'>{_escaped(text)}</span>{position}" if message else "")
        self.use_button.setEnabled(self.usable())

    def _fill_filter(self) -> None:
        read, total = self._read, len(self._names)
        entries: list[tuple[int | None, str]] = [(None, f"All names ({total:,})")]
        titles = {NO_MATCH: "Do not fit", TWICE: "Read as the same image", UNREADABLE: "No well, or no number"}
        for state, title in titles.items():
            n = read.number_of(state) if read is not None else 0
            if n:
                entries.append((state, f"{title} ({n:,})"))
        chosen = self.filter_box.currentData()
        fill_combo(self.filter_box, entries, chosen if chosen in dict(entries) else None)
        if self.filter_box.currentData() != chosen:
            self._on_filter_chosen()

    def _on_filter_chosen(self) -> None:
        self.names.show_only(self.filter_box.currentData())

    def _on_finished(self) -> None:
        self._typing.stop()
        self._reading.forget()
        self._suggesting.forget()


_INSTEAD: Final = {"well": ("row", "column"), "row": ("well",), "column": ("well",)}
"""A well is marked in one piece, or as row and column."""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
