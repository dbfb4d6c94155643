"""Recipes: each is allowed, trains, and holds what it promises on real crops."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import measure_plate

from cellvote.errors import SettingsError
from cellvote.jobs.train import train_study
from cellvote.learning.architectures import is_network
from cellvote.learning.settings import TrainSettings, settings_for
from cellvote.plates.layouts import read_plate
from cellvote.recipes import settings_of_recipe, training_recipes
from cellvote.recipes.training import USUAL
from cellvote.study import Study
from cellvote.synthetic import SimulatedPlate

RECIPES = {
    f"{name} of {unit}s": (name, unit) for name, recipe in training_recipes().items() for unit in recipe["units"]
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, tiny_plate: SimulatedPlate) -> Study:
    return measure_plate(tmp_path_factory.mktemp("cells") / "s", tiny_plate)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder, random = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    for number in range(24):
        image = random.poisson(50, (32, 32)) + 100 * (number % 2)
        path = folder / ("bright" if number % 2 else "dim") / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, image.astype(np.uint16))
    return Study.create(tmp_path_factory.mktemp("fields") / "s", read_plate(folder))


@pytest.mark.parametrize(("name", "unit"), RECIPES.values(), ids=RECIPES)
def test_a_recipe_says_only_what_its_architecture_uses(name: str, unit: str) -> None:
    settings = settings_of_recipe(name, {"unit": unit})
    stated = set(training_recipes()[name]["units"][unit])
    assert settings.unit == unit
    assert stated <= set(settings_for(settings.architecture))
    assert training_recipes()[name]["title"]


@pytest.mark.parametrize(("name", "unit"), RECIPES.values(), ids=RECIPES)
def test_a_recipe_trains(name: str, unit: str, cells: Study, fields: Study) -> None:
    shorter = {"epochs": 1, "folds": 2, "crop_size_px": 24} if unit == "cell" else {"epochs": 1, "folds": 2}
    settings = settings_of_recipe(name, {"unit": unit})
    shorter = shorter if is_network(settings.architecture) else {"n_trees": 10}
    study, classes = (cells, "moa") if unit == "cell" else (fields, "class_name")
    trained = train_study(
        study, classes, settings=settings.model_copy(update=shorter), name=f"{name}-{unit}", device="cpu", workers=1
    )
    assert trained.info.architecture == settings.architecture
    assert trained.info.metrics[unit]["n"] > 0


def test_each_unit_has_a_recipe_that_is_usual() -> None:
    for unit, name in USUAL.items():
        assert settings_of_recipe("", {"unit": unit}) == settings_of_recipe(name, {"unit": unit})


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


@pytest.mark.slow
def test_the_quick_recipe_tells_nuclei_of_plates_never_seen_apart(real_data: Path, tmp_path: Path) -> None:
    """A very short form: five epochs are enough to be ahead of the commonest class, and for no more."""
    for name in ("Interphase", "Apoptosis", "OutOfFocus"):
        (tmp_path / "crops" / name).mkdir(parents=True)
        for crop in sorted((real_data / "mitocheck_crops" / name).iterdir())[::2]:
            shutil.copy(crop, tmp_path / "crops" / name)
    study = Study.create(tmp_path / "s", read_plate(tmp_path / "crops"))
    settings = settings_of_recipe("quick", {"unit": "field", "split_by": "plate", "epochs": 5, "folds": 2, "views": 1})
    trained = train_study(study, "class_name", settings=settings, device="cpu")
    found = trained.info.metrics
    assert found["field"]["accuracy"] > found["baselines"]["majority"]["field"]["accuracy"]
