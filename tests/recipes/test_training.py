"""Recipes: each is allowed, trains, and holds what it promises on real crops."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.tiny_plates import measure_plate

from cellvote.errors import SettingsError
from cellvote.jobs.train import train_study
from cellvote.learning.architectures import is_network
from cellvote.learning.settings import settings_for
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


def test_what_is_said_beside_a_recipe_goes_before_it() -> None:
    assert settings_of_recipe("quick", {"unit": "field", "epochs": 3}).epochs == 3


def test_a_recipe_of_another_unit_is_refused() -> None:
    with pytest.raises(SettingsError, match="--recipe fields classifies fields, not cells"):
        settings_of_recipe("fields", {"unit": "cell"})


@pytest.mark.slow
def test_the_quick_recipe_tells_nuclei_of_plates_never_seen_apart(real_data: Path, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s", read_plate(real_data / "mitocheck_crops"))
    settings = settings_of_recipe("quick", {"unit": "field", "split_by": "plate", "leaks": "report"})
    trained = train_study(study, "class_name", settings=settings, device="cpu")
    assert trained.info.metrics["field"]["accuracy"] >= 0.70
