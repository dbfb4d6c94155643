"""A form made from a settings model: titles, descriptions, bounds, defaults and what is left automatic."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from cellvote.gui.setting_boxes import SettingBox, make_box
from cellvote.settings import parse_assignments, validated


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
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._boxes: dict[str, SettingBox] = {}
        self._labels: dict[str, QLabel] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for name, field in model.model_fields.items():
            if name not in hidden:
                self._add_row(layout, name, field, (choices or {}).get(name))
        self._show_rows()

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

    def _is_used(self, name: str, architecture: str) -> bool:
        extra = self.model.model_fields[name].json_schema_extra
        only = extra.get("architectures") if isinstance(extra, dict) else None
        return not isinstance(only, list) or architecture in only

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
