"""Recipes of a training: settings under a name, for all that is not said otherwise."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cellvote.errors import SettingsError
from cellvote.learning.settings import TrainSettings
from cellvote.settings import validated

USUAL: Final = {"cell": "cells", "field": "fields"}
"""The recipe of each unit where none is named, nor an architecture."""

_MOST_BYTES: Final = 1_000_000


def training_recipes() -> dict[str, dict[str, Any]]:
    """Give the recipes that come with CellVote: name to ``title``, ``unit`` (empty: any) and ``settings``."""
    found = {}
    for entry in sorted(files("cellvote.recipes").joinpath("train").iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".json"):
            found[entry.name.removesuffix(".json")] = json.loads(entry.read_text("utf-8"))
    return found


def settings_of_recipe(recipe: str, given: Mapping[str, Any]) -> TrainSettings:
    """Make the settings of a training from a recipe and what was said beside it.

    Parameters
    ----------
    recipe
        A name of `training_recipes`, an architecture, the path of a JSON file with settings, or empty: what suits the
        unit, unless an architecture is given.
    given
        Settings that were said; they go before those of the recipe.

    Raises
    ------
    SettingsError
        Where there is no such recipe, or a setting is not allowed.
    """
    unit = str(given.get("unit") or "cell")
    known = training_recipes()
    if not recipe:
        recipe = "" if "architecture" in given else USUAL.get(unit, "")
    if not recipe:
        return validated(TrainSettings, given)
    if recipe in known:
        return validated(TrainSettings, {**_for_unit(recipe, known[recipe], unit), **given})
    if recipe.endswith(".json"):
        return validated(TrainSettings, {**_read(Path(recipe)), **given})
    try:
        return validated(TrainSettings, {"architecture": recipe, **given})
    except SettingsError as error:
        if "architecture" not in str(error):
            raise
        raise SettingsError(
            f"--recipe {recipe}: is neither a recipe ({', '.join(known)}) nor an architecture ({error})"
        ) from error


def _for_unit(name: str, recipe: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Take the settings of a recipe for a unit: those of all units, then its own."""
    by_unit = recipe.get("units", {})
    if by_unit and unit not in by_unit:
        raise SettingsError(f"--recipe {name} classifies {' or '.join(by_unit)}s, not {unit}s.")
    return {**recipe.get("settings", {}), **by_unit.get(unit, {})}


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"--recipe {path}: is larger than a recipe can be.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--recipe {path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise SettingsError(f"--recipe {path}: is no JSON ({error}).") from error
    settings = content.get("settings", content) if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        raise SettingsError(f"--recipe {path}: should hold settings by their names.")
    return settings
