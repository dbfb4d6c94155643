"""What is classified, and by which recipe: its settings fill the form."""

from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from cellvote.gui.docks.dock import combo, fill_combo, row, text_label
from cellvote.gui.train_form import TrainForm
from cellvote.learning.settings import TrainSettings
from cellvote.recipes import settings_of_recipe, training_recipes
from cellvote.recipes.training import USUAL
from cellvote.settings import validated

_UNITS: Final = {"cell": "cells", "field": "whole images (fields)"}
OWN: Final = ""
"""No recipe: all settings are as the form says."""


class RecipeChoice(QWidget):
    """Asks for unit and recipe.

    Signals
    -------
    changed
        Another unit or recipe was chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, dict[str, Any]] = training_recipes()
        self.unit_box = combo("What is classified: every cell by itself, or images as a whole")
        fill_combo(self.unit_box, list(_UNITS.items()), "cell")
        self.unit_box.currentIndexChanged.connect(self._on_unit_chosen)
        self.recipe_box = combo("Settings that go well together; each can be changed below")
        self.recipe_box.currentIndexChanged.connect(self._on_recipe_chosen)
        self.about = text_label("", quiet=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.rows = (row("Classify", self.unit_box), row("Recipe", self.recipe_box))
        for one in self.rows:
            layout.addWidget(one)
        layout.addWidget(self.about)
        self._offer()

    def unit(self) -> str:
        """``cell`` or ``field``."""
        return str(self.unit_box.currentData())

    def recipe(self) -> str:
        """The name of the recipe; empty for none."""
        return str(self.recipe_box.currentData() or "")

    def choose_unit(self, unit: str) -> None:
        """Choose what is classified, without telling anyone."""
        fill_combo(self.unit_box, list(_UNITS.items()), unit)
        self._offer()

    def _offer(self) -> None:
        """Offer the recipes of the unit, the usual one first."""
        unit = self.unit()
        fitting = [name for name, one in self._known.items() if not one.get("units") or unit in one["units"]]
        fitting.sort(key=lambda name: name != USUAL.get(unit))
        entries = [(name, f"{name} (usual)" if name == USUAL.get(unit) else name) for name in fitting]
        fill_combo(self.recipe_box, [*entries, (OWN, "none: my own settings")], USUAL.get(unit, OWN))
        for at in range(self.recipe_box.count() - 1):
            title = self._known[fitting[at]].get("title", "")
            self.recipe_box.setItemData(at, title, Qt.ItemDataRole.ToolTipRole)
        self.describe()

    def describe(self, architecture: str = "") -> None:
        """Say what the recipe is; where another architecture was chosen, that it is the recipe's no more."""
        title = str(self._known.get(self.recipe(), {}).get("title", ""))
        if title and architecture and architecture != (own := self.settings().architecture):
            title = f"Changed: the recipe is for {own}. Below are those of its settings that {architecture} has."
        self.about.setText(title)
        self.about.setVisible(bool(title))

    def _on_unit_chosen(self) -> None:
        self._offer()
        self.changed.emit()

    def _on_recipe_chosen(self) -> None:
        self.describe()
        self.changed.emit()

    def settings(self) -> TrainSettings:
        """The settings that the form starts from.

        Raises
        ------
        SettingsError
            Where the recipe holds a setting that is not allowed.
        """
        given = {"unit": self.unit()}
        return settings_of_recipe(self.recipe(), given) if self.recipe() else validated(TrainSettings, given)

    def arguments(self, form: TrainForm) -> list[str]:
        """Write the choice as the command line reads it; without a recipe the architecture takes its place."""
        if self.recipe():
            return ["--recipe", self.recipe()]
        same = form.setting("architecture") == TrainSettings().architecture
        return ["--set", f"architecture={form.setting('architecture')}"] if same else []  # else it is a change

    def name_for(self, architecture: str) -> str:
        """Suggest a name for the classifier: the recipe's where it is special and kept to, else the architecture's."""
        usual = self.recipe() in {OWN, USUAL.get(self.unit())}
        return architecture if usual or architecture != self.settings().architecture else self.recipe()
