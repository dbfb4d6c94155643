"""A form made from a settings model: titles, descriptions, bounds, defaults and what is left automatic."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from cellvote.gui.setting_boxes import AUTOMATIC, NameBox, NumberBox, SettingBox, TextBox, make_box
from cellvote.settings import parse_assignments, validated

_N_OPEN: Final = 5
"""So many settings are open where a model does not say which are rarely changed."""


class SettingsForm(QWidget):
    """A form over one settings model.

    Parameters
    ----------
    model
        The settings model of a step.
    choices
        For settings that name a channel, a segmentation, …: the names that are there.
    hidden
        Settings that are asked for elsewhere.
    fold
        Whether what is rarely changed is folded away: settings that say ``advanced`` in their ``json_schema_extra``;
        where none does, all but the first few, as the model names what matters most first.

    Signals
    -------
    valueChanged
        Some value was changed.
    """

    valueChanged = Signal()  # noqa: N815 (Qt's spelling)

    def __init__(
        self,
        model: type[BaseModel],
        choices: Mapping[str, Sequence[str]] | None = None,
        hidden: Collection[str] = (),
        parent: QWidget | None = None,
        *,
        fold: bool = False,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._boxes: dict[str, SettingBox] = {}
        self._labels: dict[str, QLabel] = {}
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        first, folded = _form_layout(), _form_layout()
        whole.addLayout(first)
        self.advanced = _advanced(model, hidden) if fold else ()
        self.fold_button = _fold_button()
        self._folded = QWidget()
        self._folded.setLayout(folded)
        self._folded.hide()
        if self.advanced:
            self.fold_button.toggled.connect(self._on_fold_toggled)
            whole.addWidget(self.fold_button)
            whole.addWidget(self._folded)
        else:
            self.fold_button.setParent(self)
            self.fold_button.hide()
            self._folded.setParent(self)
        for name, field in model.model_fields.items():
            if name not in hidden:
                layout = folded if name in self.advanced else first
                self._add_row(layout, name, field, (choices or {}).get(name))
        self._share_label_width()
        self._show_rows()

    def _share_label_width(self) -> None:
        """Let the inputs of both parts begin at the same place."""
        widest = max((label.sizeHint().width() for label in self._labels.values()), default=0)
        for label in self._labels.values() if self.advanced else ():
            label.setMinimumWidth(widest)

    def _on_fold_toggled(self, unfolded: bool) -> None:
        self._folded.setVisible(unfolded)
        self._title_fold()

    def _title_fold(self) -> None:
        """Say what is folded away, and how much of it is not as it was: nothing that counts is out of sight."""
        changed = sum(not self._is_default(name) for name in self.advanced)
        unfolded = self.fold_button.isChecked()
        self.fold_button.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        words = f"{len(self.advanced)} more settings" if not unfolded else "More settings"
        self.fold_button.setText(f"{words} · {changed} changed" if changed else words)

    def _is_default(self, name: str) -> bool:
        default = self.model.model_fields[name].get_default(call_default_factory=True)
        value = self._boxes[name].value()
        return bool(value == default) or (not value and not default and type(value) is not bool)

    def show_automatic(self, measured: Mapping[str, Any] | None, *, sure: bool = True) -> None:
        """Say in empty inputs what automatic comes to.

        Parameters
        ----------
        measured
            Settings with nothing left automatic; None where it is not known.
        sure
            Whether it was measured as it will be measured in the end.
        """
        for name, box in self._boxes.items():
            line = box.lineEdit() if isinstance(box, NumberBox | NameBox) else box if isinstance(box, TextBox) else None
            if line is None:
                continue
            value = (measured or {}).get(name)
            if value is None or value == "":
                line.setPlaceholderText(AUTOMATIC)
            else:
                shown = f"{value:.4g}" if isinstance(value, float) else str(value)
                line.setPlaceholderText(f"{shown} (auto)" if sure else f"≈ {shown} (auto)")  # short: a dock is narrow

    def _add_row(self, layout: QFormLayout, name: str, field: FieldInfo, choices: Sequence[str] | None) -> None:
        box = make_box(name, field, choices)
        box.set_value(field.get_default(call_default_factory=True))
        title = field.title or name.replace("_", " ").capitalize()
        label = QLabel(title)
        label.setBuddy(box)
        tip = f"{field.description or title}<br><span style='color:gray'>--set {name}=…</span>"
        for widget in (label, box):
            widget.setToolTip(tip)
        box.setAccessibleName(title)
        box.changed.connect(self._on_box_changed)
        layout.addRow(label, box)
        self._boxes[name], self._labels[name] = box, label

    def _on_box_changed(self) -> None:
        self._show_rows()
        self.valueChanged.emit()

    def _show_rows(self) -> None:
        """Show only the settings that the chosen architecture uses."""
        chosen = str(self._boxes["architecture"].value()) if "architecture" in self._boxes else ""
        for name, box in self._boxes.items():
            shown = not chosen or self._is_used(name, chosen)
            box.setVisible(shown)
            self._labels[name].setVisible(shown)
        self._title_fold()

    def _is_used(self, name: str, architecture: str) -> bool:
        extra = self.model.model_fields[name].json_schema_extra
        if not isinstance(extra, dict):
            return True
        only, but = extra.get("architectures"), extra.get("except")
        return (not isinstance(only, list) or architecture in only) and not (
            isinstance(but, list) and architecture in but
        )

    def names(self) -> list[str]:
        """The settings that the form shows now."""
        return [name for name, label in self._labels.items() if not label.isHidden()]

    def box(self, name: str) -> SettingBox:
        """The input of one setting."""
        return self._boxes[name]

    def value(self) -> BaseModel:
        """The settings, checked.

        Raises
        ------
        SettingsError
            Where a value is not allowed; the sentence says which and why.
        """
        return validated(self.model, self._values())

    def _values(self) -> dict[str, Any]:
        return {name: self._boxes[name].value() for name in self.names()}

    def setValue(self, settings: BaseModel | Mapping[str, Any]) -> None:  # noqa: N802 (Qt's spelling)
        """Show settings; those that are not named stay as they are."""
        values = settings.model_dump() if isinstance(settings, BaseModel) else settings
        for name in sorted(self._boxes, key=lambda n: n != "architecture"):
            if name in values:
                self._boxes[name].set_value(values[name])

    def changed_values(self) -> dict[str, Any]:
        """What differs from the defaults: what ``--set`` is to say.

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        settings = self.value().model_dump(mode="json")
        defaults = self.model().model_dump(mode="json")
        return {name: settings[name] for name in self.names() if settings[name] != defaults[name]}

    def assignments(self) -> list[str]:
        """Write what differs from the defaults as arguments: ``--set``, ``key=value``, ….

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        return assignments(self.changed_values())


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return layout


def _fold_button() -> QToolButton:
    button = QToolButton()
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setArrowType(Qt.ArrowType.RightArrow)
    button.setStyleSheet("QToolButton { border: none; background: transparent; padding: 2px 0; }")
    button.setToolTip("Settings that are rarely changed")
    return button


def _advanced(model: type[BaseModel], hidden: Collection[str]) -> tuple[str, ...]:
    """Name the settings that are folded away; one or two are not worth folding."""
    names = [name for name in model.model_fields if name not in hidden]
    extras = {name: model.model_fields[name].json_schema_extra for name in names}
    said = tuple(name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("advanced"))
    rest = said or tuple(names[_N_OPEN:])
    return rest if len(rest) > 1 else ()


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Write values as the command line reads them: ``["--set", "sigma=2", …]``."""
    arguments: list[str] = []
    for name, value in values.items():
        arguments += ["--set", f"{name}={_as_text(value)}"]
    return arguments


def _as_text(value: Any) -> str:
    """Write a value so that it is read as what it is: the channel named 1 is text, not a number."""
    if value is None:
        return "auto"
    plain = isinstance(value, str) and parse_assignments([f"x={value}"])["x"] == value
    return value if plain else json.dumps(value, ensure_ascii=False)
