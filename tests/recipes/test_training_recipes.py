"""Recipes of a training: what suits the unit, a name, an architecture or a file; what is said goes before it."""

import json
from pathlib import Path
from typing import Any

import pytest

from cellvote.errors import SettingsError
from cellvote.learning.settings import TrainSettings
from cellvote.recipes import settings_of_recipe, training_recipes


@pytest.mark.parametrize(("name", "recipe"), training_recipes().items(), ids=list(training_recipes()))
def test_every_recipe_is_titled_and_all_its_settings_are_allowed(name: str, recipe: dict[str, Any]) -> None:
    assert recipe["title"]
    for unit in recipe.get("units") or ("cell", "field"):
        assert settings_of_recipe(name, {"unit": unit}).unit == unit


@pytest.mark.parametrize(("unit", "usual"), [("cell", "cells"), ("field", "fields")])
def test_without_a_recipe_what_suits_the_unit_is_taken(unit: str, usual: str) -> None:
    assert settings_of_recipe("", {"unit": unit}) == settings_of_recipe(usual, {"unit": unit})


def test_a_named_architecture_stands_for_itself_and_no_recipe_is_taken() -> None:
    assert settings_of_recipe("", {"architecture": "logistic"}) == TrainSettings(architecture="logistic")
    given = {"unit": "field", "architecture": "forest", "n_trees": 20}
    assert settings_of_recipe("", given) == TrainSettings(**given)


def test_an_architecture_may_stand_where_a_recipe_does() -> None:
    settings = settings_of_recipe("small-resnet", {"unit": "field", "epochs": 3})
    assert settings == TrainSettings(architecture="small-resnet", unit="field", epochs=3)


@pytest.mark.parametrize("name", ["cells", "quick", "small-resnet", "FILE"])
def test_what_is_said_goes_before_the_recipe(name: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"settings": {"architecture": "logistic", "seed": 1, "folds": 3}}), encoding="utf-8")
    settings = settings_of_recipe(str(path) if name == "FILE" else name, {"seed": 8})
    assert settings.seed == 8
    assert settings.folds == (3 if name == "FILE" else settings_of_recipe(name, {}).folds)


def test_a_file_may_hold_bare_settings_such_as_a_classifier_s(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    settings = TrainSettings(architecture="small-resnet", unit="field", field_size_px=(32, 48), channels=("DNA",))
    path.write_text(json.dumps(settings.model_dump(mode="json")), encoding="utf-8")
    assert settings_of_recipe(str(path), {}) == settings


@pytest.mark.parametrize(
    ("recipe", "given", "message"),
    [
        ("fields", {}, "classifies fields, not cells"),
        ("cells", {"unit": "field"}, "classifies cells, not fields"),
        ("magic", {}, "neither a recipe .*quick.* nor an architecture"),
        ("quick", {"nope": 1}, "no setting 'nope'"),
        ("small-resnet", {"epochs": 0}, "'epochs' cannot be 0"),
        ("nowhere.json", {}, "cannot be read"),
    ],
)
def test_what_cannot_be_a_recipe_is_refused(recipe: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of_recipe(recipe, given)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[1]", "settings by their names"),
        (b" " * 10**6 + b"{}", "larger"),
    ],
    ids=["cut short", "not text", "a list", "too large"],
)
def test_a_file_that_is_no_recipe_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        settings_of_recipe(str(path), {})
