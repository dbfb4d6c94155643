"""What was found in folders of images, and questions about what is doubtful, to be answered before a study is made."""

import re
from html import escape
from typing import Any, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from cellvote.gui.dock_words import in_dock_words
from cellvote.gui.docks.dock import BAD, CAUTION, GOOD, text_label

_MOST_NAMES: Final = 8
_FOR_THE_TERMINAL: Final = (
    ("give --layout or --pattern", "choose another layout, or write a pattern"),
    ("Give --pattern with named groups such as (?P<well>…).", "Write a pattern, or choose a layout."),
    ("Give --layout or --pattern", "Choose another layout, or write a pattern"),
    ("(TABLE --root FOLDER)", "(choose the table itself, and below it where its images lie)"),
)
_OPTIONS: Final = {
    "layout": "the layout",
    "pattern": "a pattern",
    "plate-map": "a plate map",
    "root": "the line below the table",
}


def in_the_window(text: str) -> str:
    """Say what the command line advises in the words of the window."""
    for there, here in _FOR_THE_TERMINAL:
        text = text.replace(there, here)
    return in_dock_words(text, options=_OPTIONS)


def breakable(text: str) -> str:
    """Write a text as HTML whose long words may be broken where there is little room."""
    pieces = re.split(r"(?<=[/_.\-])|(?<=\w{12})", text)
    return "\u200b".join(map(escape, pieces))


class Question(QFrame):
    """One doubt: what is doubtful, examples, and answers.

    Signals
    -------
    answered
        It was confirmed, or that was taken back.
    layoutWanted, patternWanted
        The reading is wrong: another layout, or a pattern, is wanted.
    """

    answered = Signal()
    layoutWanted = Signal()  # noqa: N815 (Qt's spelling)
    patternWanted = Signal()  # noqa: N815

    def __init__(self, doubt: dict[str, Any]) -> None:
        super().__init__()
        self.confirmed = False
        self.setObjectName("question")
        self.setStyleSheet(f"#question {{ border: 1px solid {CAUTION}; border-radius: 4px; }}")
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        self.words = text_label(f"<b>Is this right?</b> {breakable(in_the_window(str(doubt['question'])))}")
        layout.addWidget(self.words)
        self.examples = text_label("<br>".join(map(_short, doubt.get("examples", []))), quiet=True)
        self.examples.setVisible(bool(doubt.get("examples")))
        layout.addWidget(self.examples)
        self.right_button = QPushButton("This is right")
        self.right_button.setCheckable(True)
        self.right_button.toggled.connect(self._on_confirmed)
        self.layout_button = QPushButton("Other layout")
        self.layout_button.clicked.connect(self.layoutWanted)
        self.pattern_button = QPushButton("Pattern …")
        self.pattern_button.setToolTip("Say yourself what the parts of the names mean")
        self.pattern_button.clicked.connect(self.patternWanted)
        answers = QHBoxLayout()
        for button in (self.right_button, self.layout_button, self.pattern_button):
            answers.addWidget(button)
        layout.addLayout(answers)

    def _on_confirmed(self, yes: bool) -> None:
        self.confirmed = yes
        self.right_button.setText("✓ This is right" if yes else "This is right")
        self.setStyleSheet(f"#question {{ border: 1px solid {GOOD if yes else CAUTION}; border-radius: 4px; }}")
        self.answered.emit()


class ReadingCheck(QWidget):
    """Shows what reading folders gave.

    Signals
    -------
    answered
        A question was answered.
    layoutWanted, patternWanted
        The person wants another layout, or to write a pattern.
    stopClicked
        The person does not want to wait for the reading.
    """

    answered = Signal()
    layoutWanted = Signal()  # noqa: N815
    patternWanted = Signal()  # noqa: N815
    stopClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.questions: list[Question] = []
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.facts = text_label("")
        self.examples = text_label("", quiet=True)
        self.problems = text_label("")
        self.problems.setStyleSheet(f"color: {CAUTION};")
        self.error = text_label("")
        self.error.setStyleSheet(f"color: {BAD};")
        self.error_pattern_button = QPushButton("Say what the names mean …")
        self.error_pattern_button.clicked.connect(self.patternWanted)
        self.stop_button = QPushButton("Stop reading")
        self.stop_button.clicked.connect(self.stopClicked)
        self._asked = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.bar, self.stop_button, self.error, self.error_pattern_button, self.facts, self.examples):
            layout.addWidget(widget)
        layout.addWidget(self.problems)
        layout.addLayout(self._asked)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        for widget in (self.bar, self.stop_button, self.error, self.error_pattern_button, self.facts, self.examples):
            widget.hide()
        self.problems.hide()
        for question in self.questions:
            self._asked.removeWidget(question)
            question.hide()
            question.deleteLater()
        self.questions.clear()

    def show_reading(self) -> None:
        """Show that the folders are being read."""
        self.clear()
        self.facts.setText("Looking at the files …")
        for widget in (self.bar, self.facts, self.stop_button):
            widget.show()

    def show_summary(self, summary: dict[str, Any]) -> None:
        """Show what `folder_summary` found, or why it could not be read."""
        self.clear()
        if "error" in summary:
            self.error.setText(breakable(in_the_window(str(summary["error"]))))
            self.error.show()
            self.error_pattern_button.show()
            return
        self.facts.setText(facts_table(summary))
        self.facts.show()
        lines = [
            f"{breakable(_end(one['file']))}<br>&nbsp;&nbsp;→ {breakable(one['read'])}" for one in summary["examples"]
        ]
        self.examples.setText("<br>".join(lines))
        self.examples.setToolTip("\n".join(one["file"] for one in summary["examples"]))
        self.examples.setVisible(bool(lines) and not summary["doubts"])  # doubts bring their own
        self.problems.setText("<br>".join(f"⚠ {breakable(one)}" for one in summary["problems"]))
        self.problems.setVisible(bool(summary["problems"]))
        for doubt in summary["doubts"]:
            self._ask(doubt)

    def _ask(self, doubt: dict[str, Any]) -> None:
        question = Question(doubt)
        question.answered.connect(self.answered)
        question.layoutWanted.connect(self.layoutWanted)
        question.patternWanted.connect(self.patternWanted)
        self.questions.append(question)
        self._asked.addWidget(question)

    def unanswered(self) -> int:
        """How many questions wait for an answer."""
        return sum(not question.confirmed for question in self.questions)


def _short(example: str) -> str:
    """Write what a file is read as; of a long path the end is enough."""
    file, is_, what = example.partition(" is ")
    return breakable(_end(file) + is_ + what)


def _example(file: str, read: str) -> str:
    return f"{breakable(_end(file))}<br>&nbsp;&nbsp;→ {breakable(read)}"


def _end(path: str, length: int = 44) -> str:
    return path if len(path) <= length else f"…{path[-length:]}"


def facts_table(summary: dict[str, Any]) -> str:
    """Write what was found as an HTML table."""
    first = " … ".join(dict.fromkeys(summary["first_wells"]))
    per_well = summary["fields"] / max(summary["wells"], 1)
    rows = {
        "Plates": _counted(summary["n_plates"], summary["plates"]),
        "Wells": f"{summary['wells']:,} · {first}" if first else "none: every image is a field",
        "Fields": f"{summary['fields']:,} · {_neat(per_well)} in a well" if first else f"{summary['fields']:,}",
        "Channels": _counted(len(summary["channels"]), summary["channels"]),
        "Images": f"{summary['planes']:,} plane{'s' * (summary['planes'] != 1)} in {summary['files']:,} file"
        f"{'s' * (summary['files'] != 1)}",
        "z": _z_words(summary),
        "Time": f"{summary['timepoints']} time points" if summary["timepoints"] > 1 else "",
        "Pixel size": f"{summary['pixel_size_um']:.4g} µm" if summary["pixel_size_um"] else "not known",
    }
    cells = (
        f"<tr><td style='color:#9aa1ab; padding-right:10px;'>{name}</td><td>{breakable(words)}</td></tr>"
        for name, words in rows.items()
        if words
    )
    return f"<table>{''.join(cells)}</table>"


def _counted(n: int, names: list[str]) -> str:
    listed = ", ".join(names[:_MOST_NAMES]) + (" …" if n > _MOST_NAMES else "")
    return f"{n:,} · {listed}"


def _neat(number: float) -> str:
    return f"{number:g}" if number == int(number) else f"about {number:.1f}"


def _z_words(summary: dict[str, Any]) -> str:
    planes = summary["z"]
    words = f"{len(planes)} planes ({planes[0]}–{planes[-1]})" if len(planes) > 1 else ""
    also = "the microscope's projection" if summary["projection"] else ""
    return " and ".join(part for part in (words, also) if part)


def map_words(found: dict[str, Any] | None) -> str:
    """Say, as HTML, what plate maps say of the images."""
    if found is None:
        return ""
    if "error" in found:
        return f"<span style='color:{BAD}'>{breakable(in_the_window(str(found['error'])))}</span>"
    n, of = found["wells"], found["imaged"]
    what = "images" if "image_name" in found["columns"] else "imaged wells"
    parts = [f"{'All' if n == of else f'{n:,} of'} {of:,} {what} are described"]
    controls = [f"{n:,} {name}" for name, n in found["controls"].items() if n]
    parts += [f"controls: {', '.join(controls)}"] if controls else []
    columns = found["columns"]
    more = f" and {len(columns) - _MOST_NAMES} more" if len(columns) > _MOST_NAMES else ""
    named = ", ".join(columns[:_MOST_NAMES]) + more
    text = escape(" · ".join(parts)) + (f"<br>columns: {breakable(named)}" if columns else "")
    notes = "".join(
        f"<br><span style='color:{CAUTION}'>⚠ {breakable(in_the_window(one))}</span>" for one in found["problems"]
    )
    return text + notes
