"""A form made from a settings model: titles, descriptions, bounds, defaults and what is left automatic."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from cellvote.gui.fold import Fold
from cellvote.gui.path_box import AUTOMATIC
from cellvote.gui.setting_boxes import Choices, NameBox, NumberBox, SettingBox, TextBox, make_box
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
        For settings that name a channel, a segmentation, …: the names that are there, or their titles by name.
    hidden
        Settings that are asked for elsewhere.
    apart
        Settings whose rows whoever makes the form puts elsewhere (see `row`).
    fold
        Whether what is rarely changed is folded away: settings that say ``advanced`` in their ``json_schema_extra``;
        where none does, all but the first few, as the model names what matters most first.
    groups
        Folds by their titles, and the settings in each; takes the place of ``fold``.

    Signals
    -------
    valueChanged
        Some value was changed.
    """

    valueChanged = Signal()  # noqa: N815 (Qt's spelling)

    def __init__(
        self,
        model: type[BaseModel],
        choices: Mapping[str, Choices] | None = None,
        hidden: Collection[str] = (),
        parent: QWidget | None = None,
        *,
        apart: Collection[str] = (),
        fold: bool = False,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._names = [name for name in model.model_fields if name not in hidden]
        self._choices = dict(choices or {})
        self._base: BaseModel | None = None
        self._unused: Collection[str] = ()
        self._boxes: dict[str, SettingBox] = {}
        self._labels: dict[str, QLabel] = {}
        self._values = {name: model.model_fields[name].get_default(call_default_factory=True) for name in self._names}
        self._automatic: tuple[Mapping[str, Any] | None, bool] | None = None
        self._is_filling = False
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        self._first = _form_layout()
        whole.addLayout(self._first)
        if groups is None:
            folded = _advanced(model, hidden) if fold else ()
            groups = {"": folded} if folded else {}
        self.folds = [Fold(title, [n for n in names if n in self._names]) for title, names in groups.items()]
        self.advanced = tuple(name for one in self.folds for name in one.names)
        for one in self.folds:
            one.unfolded.connect(self._on_unfolded)
            whole.addWidget(one)
        self._apart = frozenset(apart)
        self._open = [name for name in self._names if name not in {*self.advanced, *apart}]
        for name in apart:
            for widget in self._make_row(name):
                widget.setParent(self)
        self._show_rows()

    def _share_label_width(self) -> None:
        """Let the inputs of all parts begin at the same place."""
        labels = [label for name, label in self._labels.items() if name not in self._apart]
        widest = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels if self.advanced else ():
            label.setMinimumWidth(widest)

    # Rows, made when they are first seen: a form of sixty inputs takes longer than a window may stand still

    def _on_unfolded(self, fold: Fold) -> None:
        self._fill(fold)

    def _fill(self, fold: Fold) -> None:
        if any(name in self._boxes for name in fold.names):
            return
        layout = _form_layout()
        for name in fold.names:
            layout.addRow(*self._make_row(name))
        fold.set_rows(layout)
        self._on_rows_made()
        self._show_rows()

    def _make_open_rows(self, shown: Collection[str]) -> None:
        new = [name for name in self._open if name in shown and name not in self._boxes]
        for name in new:
            before = self._open[: self._open.index(name)]
            self._first.insertRow(sum(one in self._boxes for one in before), *self._make_row(name))
        if new:
            self._on_rows_made()

    def _on_rows_made(self) -> None:
        self._share_label_width()
        if self._automatic is not None:
            self.show_automatic(self._automatic[0], sure=self._automatic[1])

    def _make_row(self, name: str) -> tuple[QLabel, SettingBox]:
        field = self.model.model_fields[name]
        box = make_box(name, field, self._choices.get(name))
        box.set_value(self._values[name])
        title = field.title or name.replace("_", " ").capitalize()
        label = QLabel(title)
        label.setBuddy(box)
        tip = f"{field.description or title}<br><span style='color:gray'>--set {name}=…</span>"
        for widget in (label, box):
            widget.setToolTip(tip)
        box.setAccessibleName(title)
        box.changed.connect(self._on_box_changed)
        self._boxes[name], self._labels[name] = box, label
        return label, box

    def _title_folds(self) -> None:
        """Say what is folded away, and how much of it is not as it was: nothing that counts is out of sight."""
        shown = set(self.names())
        for fold in self.folds:
            names = [name for name in fold.names if name in shown]
            fold.tell(len(names), sum(not self._is_default(name) for name in names))

    def _is_default(self, name: str) -> bool:
        if self._base is not None:
            default = getattr(self._base, name)
        else:
            default = self.model.model_fields[name].get_default(call_default_factory=True)
        value = self.setting(name)
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
        self._automatic = (measured, sure)
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

    def _on_box_changed(self) -> None:
        if not self._is_filling:
            self._show_rows()
            self.valueChanged.emit()

    def leave_out(self, names: Collection[str]) -> None:
        """Hide settings that mean nothing here."""
        self._unused = frozenset(names)
        self._show_rows()

    def _show_rows(self) -> None:
        """Show only the settings that the chosen architecture uses."""
        shown = set(self.names())
        self._make_open_rows(shown)
        for name, box in self._boxes.items():
            box.setVisible(name in shown)
            self._labels[name].setVisible(name in shown)
        self._title_folds()

    def _is_used(self, name: str, architecture: str) -> bool:
        extra = self.model.model_fields[name].json_schema_extra
        if not isinstance(extra, dict):
            return True
        only, but = extra.get("architectures"), extra.get("except")
        return (not isinstance(only, list) or architecture in only) and not (
            isinstance(but, list) and architecture in but
        )

    # Values

    def names(self) -> list[str]:
        """The settings that can be set now, folded away or not."""
        chosen = str(self.setting("architecture")) if "architecture" in self._names else ""
        return [
            name for name in self._names if name not in self._unused and (not chosen or self._is_used(name, chosen))
        ]

    def box(self, name: str) -> SettingBox:
        """The input of one setting."""
        if name not in self._boxes:
            fold = next((fold for fold in self.folds if name in fold.names), None)
            if fold is None:
                self._make_open_rows({name})
                self._show_rows()
            else:
                self._fill(fold)
        return self._boxes[name]

    def row(self, name: str) -> tuple[QLabel, SettingBox]:
        """The title and the input of one setting."""
        box = self.box(name)
        return self._labels[name], box

    def setting(self, name: str) -> Any:
        """The value of one setting, as it stands."""
        return self._boxes[name].value() if name in self._boxes else self._values[name]

    def value(self) -> BaseModel:
        """The settings, checked.

        Raises
        ------
        SettingsError
            Where a value is not allowed; the sentence says which and why.
        """
        rest = self._base.model_dump() if self._base is not None else {}
        return self._checked({**rest, **{name: self.setting(name) for name in self.names()}})

    def _checked(self, values: dict[str, Any]) -> BaseModel:
        return validated(self.model, values)

    def setValue(self, settings: BaseModel | Mapping[str, Any]) -> None:  # noqa: N802 (Qt's spelling)
        """Show settings; those that are not named stay as they are."""
        values = settings.model_dump() if isinstance(settings, BaseModel) else settings
        before = {name: self.setting(name) for name in self._names}
        self._is_filling = True  # one change, not sixty
        for name in self._names:
            if name in values:
                self._values[name] = values[name]
                if name in self._boxes:
                    self._boxes[name].set_value(values[name])
        self._is_filling = False
        if before != {name: self.setting(name) for name in self._names}:
            self._on_box_changed()

    def rest_on(self, base: BaseModel) -> None:
        """Show these settings, and count as changed what differs from them from now on."""
        self._base = base
        self.setValue(base)
        self._title_folds()

    def changed_values(self) -> dict[str, Any]:
        """What differs from the defaults, or from what the form rests on: what ``--set`` is to say.

        Raises
        ------
        SettingsError
            Where a value is not allowed.
        """
        settings = self.value().model_dump(mode="json")
        defaults = (self._base or self.model()).model_dump(mode="json")
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
