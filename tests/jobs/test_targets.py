"""Many targets: one classifier for each column, and those that cannot be learned are listed."""

import pandas as pd
import pytest
from tests.tiny_plates import FOREST

from cellvote.errors import ClassesError
from cellvote.jobs.predict import evaluate_study, predict_study
from cellvote.jobs.targets import train_targets
from cellvote.learning import TrainSettings
from cellvote.study import Study
from cellvote.study.atomic import write_table

SETTINGS = TrainSettings(**{**FOREST, "min_wells": 2})


@pytest.fixture
def cytokines(study: Study) -> Study:
    """Return a study whose plate map holds numbers: one tied to the cells, one with a gap, one of a single value."""
    table = study.plate_map.copy()
    by_compound = {name: str(10.5 * i) for i, name in enumerate(sorted(table["moa"].unique()))}
    table["IL6"] = table["moa"].map(by_compound).astype("str")
    table["IL8"] = pd.Series(["1" if i % 3 else "250" for i in range(len(table))], index=table.index, dtype="str")
    table["IL10"] = "0"
    write_table(study.path / "platemap.parquet", table)
    return Study.open(study.path)


def test_each_column_has_a_classifier_and_what_cannot_be_learned_is_listed(cytokines: Study) -> None:
    results = train_targets(cytokines, ["IL*~uniform"], settings=SETTINGS, name="cytokine", workers=1, device="cpu")
    by_target = {one.target: one for one in results}
    assert set(by_target) == {"IL6~uniform", "IL8~uniform", "IL10~uniform"}
    assert "fewer than two different numbers" in by_target["IL10~uniform"].dropped
    trained = by_target["IL6~uniform"]
    assert trained.model == "cytokine-IL6"
    assert trained.level == "well"
    assert 0 <= trained.figures["balanced_accuracy"] <= 1
    assert set(trained.figures["per_class"]) == {"low", "high"}
    assert {"cytokine-IL6", "cytokine-IL8"} <= set(cytokines.models)


def test_a_classifier_of_numbers_is_judged_by_the_same_threshold_again(cytokines: Study) -> None:
    train_targets(cytokines, ["IL6~uniform"], settings=SETTINGS, name="c", workers=1, device="cpu")
    predict_study(cytokines, "c-IL6", workers=1, device="cpu")
    assert evaluate_study(cytokines, "c-IL6")["classes"] == ["low", "high"]


def test_a_target_with_too_few_wells_is_dropped(cytokines: Study) -> None:
    settings = TrainSettings(**{**FOREST, "min_wells": 1000})
    with pytest.raises(ClassesError, match=r"no target is left to train for. IL6~uniform: \d+ wells of class"):
        train_targets(cytokines, ["IL6~uniform"], settings=settings, workers=1, device="cpu")
