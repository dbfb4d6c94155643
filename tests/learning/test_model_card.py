"""The model card says what a classifier can be trusted with."""

import pandas as pd
import pytest

from cellvote.learning.classifier import load_classifier
from cellvote.learning.model_card import CARD, model_card
from cellvote.study import Study


@pytest.fixture
def card(finished_study: Study) -> str:
    return (finished_study.model_folder("forest") / CARD).read_text(encoding="utf-8")


def test_every_classifier_has_a_card_with_every_chapter(card: str) -> None:
    for chapter in (
        "# forest",
        "## Data",
        "## Split",
        "## How often it is right",
        "## Limits",
        "## Use",
        "## Made with",
    ):
        assert chapter in card


def test_the_card_shows_the_figures_of_each_class_with_intervals_and_all_baselines(
    card: str, finished_study: Study
) -> None:
    info = load_classifier(finished_study.model_folder("forest")).info
    for name in info.classes:
        assert f"| {name} |" in card
    accuracy, (low, high) = info.metrics["well"]["accuracy"], info.metrics["well"]["ci95"]
    assert f"{accuracy:.3f} ({low:.2f}–{high:.2f})" in card
    for baseline in ("chance", "majority class", "position only", "logistic regression on measurements"):
        assert baseline in card
    assert "temperature" in card


def test_names_are_not_taken_for_markdown(finished_study: Study) -> None:
    classifier = load_classifier(finished_study.model_folder("forest"))
    info = classifier.info.model_copy(update={"name": "<b>x|y</b>\n# z", "metrics": {}, "calibration": None})
    said = model_card(info, classifier.split.astype({"plate": "str"}))
    assert said.splitlines()[0].startswith("# \\<b\\>x\\|y")
    assert isinstance(classifier.split, pd.DataFrame)
