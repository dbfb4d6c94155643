"""One input for one setting: numbers that may be automatic, choices, text, lists of names."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QValidator, QWheelEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QWidget,
)

from cellvote.gui.list_boxes import ChecklistBox, SubsetBox
from cellvote.gui.path_box import AUTOMATIC, PathBox

Choices = Sequence[str] | Mapping[str, str]
"""Names that are there to choose from, or titles by name."""

_DECIMALS: Final = 8
_NEXT_TO: Final = 1e-7
"""How near a real number may come to a bound that is not allowed itself."""


def make_box(name: str, field: FieldInfo, choices: Choices | None = None) -> "SettingBox":
    """Make the input that fits a setting's type.

    Parameters
    ----------
    choices
        Names that are there to choose from, such as channels, for a text setting or a list of names; for a text
        setting, titles by name.
    """
    kind, optional = _kind_of(field.annotation)
    if get_origin(kind) is Literal:
        return ChoiceBox([str(choice) for choice in get_args(kind)])
    if kind is bool:
        return SwitchBox()
    if kind in (int, float):
        return NumberBox(field, whole=kind is int, optional=optional)
    if kind is str and choices:
        return TitleBox(choices) if isinstance(choices, Mapping) else NameBox(choices)
    if get_origin(kind) is tuple and get_args(kind) == (int, int):
        return SizeBox()
    if get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
        return SubsetBox([str(choice) for choice in get_args(get_args(kind)[0])])
    empty = "" if kind is str and not optional else None
    if _is_path(name, kind, field.title or ""):
        return PathBox(empty, of_file=(field.title or "").endswith("file") or name.endswith("file"))
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return ChecklistBox(tuple(choices)) if choices else TextListBox()
    return TextBox(empty) if kind is str else JsonBox(name)


_PATH_NAMES: Final = ("masks", "folder", "file", "path", "directory")


def _is_path(name: str, kind: Any, title: str) -> bool:
    """Whether a setting names a file or folder: by its type, its title, or the last word of its name."""
    if kind is str:
        return (
            title.startswith(("Folder", "File"))
            or title.endswith((" file", " folder"))
            or name.rpartition("_")[2] in _PATH_NAMES
        )
    return isinstance(kind, type) and issubclass(kind, PurePath)


def _kind_of(annotation: Any) -> tuple[Any, bool]:
    """Take ``X`` out of ``X | None``, and say whether it was one."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        if len(kinds) == 1:
            return kinds[0], len(get_args(annotation)) > 1
    return annotation, False


class NumberBox(QDoubleSpinBox):
    """A whole or real number within the setting's bounds; left empty it is automatic, where it may be."""

    changed = Signal()

    def __init__(self, field: FieldInfo, *, whole: bool, optional: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole, self._optional = whole, optional
        low, high, step = _bounds(field, whole=whole)
        self._least = low
        self.setDecimals(0 if whole else _DECIMALS)
        self.setRange(low - (step if optional else 0), high)
        if whole:
            self.setSingleStep(1)
        else:
            self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if optional:
            self.lineEdit().setPlaceholderText(AUTOMATIC)
            self.set_value(None)
        self.valueChanged.connect(self._on_number_changed)

    def _on_number_changed(self, number: float) -> None:
        del number
        self.changed.emit()

    def value(self) -> int | float | None:
        """Give the number; None where it is left automatic."""
        number = super().value()
        if self._optional and number < self._least:
            return None
        return round(number) if self._whole else number

    def set_value(self, value: float | None) -> None:
        """Show a number; None leaves it automatic."""
        self.setValue(self.minimum() if value is None else value)

    def textFromValue(self, number: float) -> str:  # noqa: N802 (Qt's name, as of the methods below)
        """Write a number without idle zeros; automatic is empty."""
        if self._optional and number < self._least:
            return ""
        return f"{number:.0f}" if self._whole else f"{number:.8g}"

    def valueFromText(self, text: str) -> float:  # noqa: N802
        """Read a number as people write it: 0.003, 3e-3."""
        try:
            return float(text.strip().replace(",", "."))
        except ValueError:
            return float(self.minimum())

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let numbers in bounds pass, and what may become one."""
        if not text.strip():
            state = QValidator.State.Acceptable if self._optional else QValidator.State.Intermediate
            return state, text, position
        try:
            number = float(text.strip().replace(",", "."))
        except ValueError:
            growing = all(c in "0123456789.,-+eE" for c in text.strip())
            return QValidator.State.Intermediate if growing else QValidator.State.Invalid, text, position
        inside = self._least <= number <= self.maximum()
        return QValidator.State.Acceptable if inside else QValidator.State.Intermediate, text, position

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Turn only where one has clicked: scrolling past a form must not change it."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _bounds(field: FieldInfo, *, whole: bool) -> tuple[float, float, float]:
    """Read the least and largest allowed value, and the step by which an open bound is passed."""
    bounds = {type(bound): bound for bound in field.metadata if isinstance(bound, Ge | Gt | Le | Lt)}
    given = {kind: float(getattr(bound, kind.__name__.lower())) for kind, bound in bounds.items()}
    step = 1.0 if whole else _NEXT_TO
    low = given.get(Ge, given[Gt] + step if Gt in given else -1e9)
    high = given.get(Le, given[Lt] - step if Lt in given else 1e9)
    return low, high, step


class SwitchBox(QCheckBox):
    """On or off."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggled.connect(lambda _on: self.changed.emit())

    def value(self) -> bool:
        """Say whether it is on."""
        return bool(self.isChecked())

    def set_value(self, value: bool) -> None:
        """Switch on or off."""
        self.setChecked(bool(value))


class ChoiceBox(QComboBox):
    """One of a few."""

    changed = Signal()

    def __init__(self, choices: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.addItems(list(choices))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())

    def value(self) -> str:
        """Give the choice."""
        return str(self.currentText())

    def set_value(self, value: str) -> None:
        """Choose."""
        self.setCurrentIndex(self.findText(str(value)))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Turn only where one has clicked."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class NameBox(ChoiceBox):
    """A name that is there to choose from, or one that is typed; empty is automatic."""

    def __init__(self, choices: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(["", *choices], parent)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.lineEdit().setPlaceholderText(AUTOMATIC)
        self.editTextChanged.connect(lambda _text: self.changed.emit())

    def value(self) -> str:
        """Give the name."""
        return str(self.currentText()).strip()

    def set_value(self, value: str) -> None:
        """Show a name, whether or not it is among the choices."""
        self.setCurrentIndex(max(self.findText(str(value)), 0))
        self.setEditText(str(value))


class TitleBox(ChoiceBox):
    """One of a few that are shown by their titles, or a name that is typed.

    Parameters
    ----------
    titles
        By name.
    """

    def __init__(self, titles: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__([], parent)
        for name, title in titles.items():
            self.addItem(title, name)
            self.setItemData(self.count() - 1, name, Qt.ItemDataRole.ToolTipRole)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.editTextChanged.connect(lambda _text: self.changed.emit())

    def value(self) -> str:
        """Give the name: that of the title which is shown, else what was typed."""
        text = str(self.currentText()).strip()
        at = self.findText(text, Qt.MatchFlag.MatchFixedString)
        return str(self.itemData(at)) if at >= 0 else text

    def set_value(self, value: str) -> None:
        """Show a name by its title, where it has one."""
        at = self.findData(value)
        self.setCurrentIndex(at)
        if at < 0:
            self.setEditText(value)


class TextBox(QLineEdit):
    """Free text; empty is automatic.

    Parameters
    ----------
    empty
        What it gives where there is no text.
    """

    changed = Signal()

    def __init__(self, empty: str | None = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = empty
        self.setPlaceholderText(AUTOMATIC)
        self.textChanged.connect(lambda _text: self.changed.emit())

    def value(self) -> Any:
        """Give the text."""
        return str(self.text()).strip() or self._empty

    def set_value(self, value: Any) -> None:
        """Show a text."""
        self.setText("" if value is None else str(value))


class TextListBox(TextBox):
    """Names, separated by commas; empty for all."""

    def value(self) -> tuple[str, ...]:
        """Give the names."""
        return tuple(part.strip() for part in str(self.text()).split(",") if part.strip())

    def set_value(self, value: Sequence[str]) -> None:
        """Show names."""
        self.setText(", ".join(value))


class SizeBox(TextBox):
    """Height and width in pixels: ``64 × 64``; empty is automatic."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(None, parent)
        self.setPlaceholderText("height × width")

    def value(self) -> Any:
        """Give (height, width); what is no pair of whole numbers is given as it is, to be refused."""
        text = str(self.text()).strip()
        found = re.fullmatch(r"\[?\(?(\d+)\s*[×x*, ]\s*(\d+)\)?\]?", text)
        return (int(found[1]), int(found[2])) if found else text or None

    def set_value(self, value: Any) -> None:
        """Show height and width."""
        self.setText(" × ".join(map(str, value)) if value else "")


class JsonBox(TextBox):
    """Anything else, written as on the command line: JSON, or text where it is none."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(None, parent)
        self.setAccessibleName(name)

    def value(self) -> Any:
        """Read the text as JSON."""
        text = str(self.text()).strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return text

    def set_value(self, value: Any) -> None:
        """Write the value as JSON."""
        self.setText("" if value is None else json.dumps(value))


SettingBox = NumberBox | SwitchBox | ChoiceBox | TextBox | PathBox | ChecklistBox
"""What every input offers over one value: ``value()``, ``set_value(value)``, and the signal ``changed``."""
