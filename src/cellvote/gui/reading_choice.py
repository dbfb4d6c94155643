"""How the planes of a field become one image: what is made of a z-stack, and which channels are combined."""

from collections.abc import Sequence
from typing import Any, Final, get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from cellvote.gui.docks.dock import BAD, combo, fill_combo, row, text_label
from cellvote.plates.fields import Combine, CombinedChannel

_HOW: Final = {"median": "the median", "mean": "the mean", "max": "the maximum", "min": "the minimum"}
_PER_ROW: Final = 2


class CombinedChannelForm(QWidget):
    """Asks for one combined channel: its name, the channels that it is made of, and how.

    Signals
    -------
    changed, removed
        It was changed, or is not wanted any more.
    """

    changed = Signal()
    removed = Signal()

    def __init__(self, name: str, channels: Sequence[str]) -> None:
        super().__init__()
        self.name = QLineEdit(name)
        self.name.textChanged.connect(self.changed)
        self.how = combo("How the pixels of these channels become one", least=6)
        fill_combo(self.how, [(how, _HOW[how]) for how in get_args(Combine)], "median")
        self.how.currentIndexChanged.connect(self.changed)
        self.remove_button = QToolButton()
        self.remove_button.setText("×")
        self.remove_button.setToolTip("Take this channel away")
        self.remove_button.clicked.connect(self.removed)
        self.boxes = [QCheckBox(channel) for channel in channels]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(row(self.name, "is", self.how, "of", self.remove_button))
        grid = QGridLayout()
        for at, box in enumerate(self.boxes):
            box.setChecked(at < min(3, len(channels)))
            box.toggled.connect(self.changed)
            grid.addWidget(box, at // _PER_ROW, at % _PER_ROW)
        layout.addLayout(grid)

    def value(self) -> CombinedChannel | None:
        """The channel; None where its name is missing, or fewer than two are ticked."""
        of = tuple(box.text() for box in self.boxes if box.isChecked())
        name = self.name.text().strip()
        return CombinedChannel(name=name, of=of, how=self.how.currentData()) if name and len(of) > 1 else None


class ReadingChoice(QWidget):
    """Asks only what there is to ask: nothing of z where there is one plane, nothing of channels where there is one.

    Signals
    -------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._channels: tuple[str, ...] = ()
        self.forms: list[CombinedChannelForm] = []
        self.z_box = combo("What is made of a z-stack, in every step")
        self.z_box.currentIndexChanged.connect(self.changed)
        self.z_row = row("z-stacks", self.z_box)
        self.add_button = QPushButton("+ combine channels …")
        self.add_button.setToolTip("A channel that is computed from others, such as the median of the first three")
        self.add_button.setFlat(True)
        self.add_button.setStyleSheet("text-align: left; color: #7ab8ff; border: none; background: none;")
        self.add_button.clicked.connect(self._on_add_clicked)
        self.problem = text_label("")
        self.problem.setStyleSheet(f"color: {BAD};")
        self._column = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.z_row)
        layout.addLayout(self._column)
        layout.addWidget(self.problem)
        layout.addWidget(self.add_button)
        self.clear()

    def clear(self) -> None:
        """Ask nothing."""
        self._show(summary_z=[], projection=False, channels=())

    def set_summary(self, summary: dict[str, Any]) -> None:
        """Ask what there is to ask of these images; what was chosen stays where it still can be."""
        self._show(summary["z"], bool(summary["projection"]), tuple(summary["channels"]))

    def _show(self, summary_z: Sequence[int], projection: bool, channels: tuple[str, ...]) -> None:
        entries: list[tuple[str, str]] = [("max", "maximum projection"), ("median", "median projection")]
        entries += [("projection", "the microscope's own projection")] if projection else []
        entries += [(str(number), f"only plane {number}") for number in summary_z]
        chosen = self.z()
        fill_combo(self.z_box, entries, chosen if chosen in dict(entries) else "max")
        self.z_row.setVisible(len(summary_z) > 1 or (projection and bool(summary_z)))
        if channels != self._channels:
            self._channels = channels
            for form in list(self.forms):
                self._remove(form)
        self.add_button.setVisible(len(channels) > 1)
        self._check()

    def z(self) -> str:
        """What is made of a z-stack, as the command line takes it."""
        return self.z_box.currentData() or "max"

    def combined(self) -> list[CombinedChannel]:
        """The combined channels."""
        return [value for form in self.forms if (value := form.value()) is not None]

    def complaint(self) -> str:
        """Why these choices cannot be used; empty where they can."""
        names = [*self._channels, *(form.name.text().strip() for form in self.forms)]
        for form in self.forms:
            name = form.name.text().strip()
            value = form.value()
            if value is None:
                return "A combined channel needs a name, and at least two channels."
            if names.count(name) > 1:
                return f"There is a channel {name!r} already: give the combined one another name."
            if set("=(),") & set("".join((name, *value.of))):
                return "Names of combined channels, and of those they are made of, cannot hold = ( ) or a comma."
        return ""

    def arguments(self) -> list[str]:
        """The options of ``cellvote create`` that these choices stand for."""
        arguments = ["--z", self.z()] if self.z_row.isVisibleTo(self) and self.z() != "max" else []
        for one in self.combined():
            arguments += ["--combine", f"{one.name}={one.how}({','.join(one.of)})"]
        return arguments

    def _on_add_clicked(self) -> None:
        form = CombinedChannelForm(self._free_name(), self._channels)
        form.changed.connect(self._check)
        form.removed.connect(lambda: self._remove(form))
        self.forms.append(form)
        self._column.addWidget(form)
        self._check()

    def _free_name(self) -> str:
        taken = {*self._channels, *(form.name.text() for form in self.forms)}
        names = ("combined", *(f"combined {n}" for n in range(2, 100)))
        return next(name for name in names if name not in taken)

    def _remove(self, form: CombinedChannelForm) -> None:
        self.forms.remove(form)
        self._column.removeWidget(form)
        form.hide()
        form.deleteLater()
        self._check()

    def _check(self) -> None:
        complaint = self.complaint()
        self.problem.setText(complaint)
        self.problem.setVisible(bool(complaint))
        self.changed.emit()
