"""Conformal sets and undecided votes in a study: calibrated in training, kept with the classifier, told everywhere."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from cellvote.errors import PredictionsError
from cellvote.jobs.measure import measure_study
from cellvote.jobs.predict import evaluate_study, predict_study, vote_study
from cellvote.jobs.segment import segment_study
from cellvote.jobs.train import train_study
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.atomic import read_table
from cellvote.voting import VoteSettings
from cellvote.voting.settings import METHODS, UNDECIDED

ANY_NUMBER = VoteSettings(min_cells=1, set_level=0.8)
"""Of the tiny plate's 13 training wells in two folds, six calibrate: enough for 80 %."""


def test_every_cell_has_its_set_beside_its_prediction(study: Study) -> None:
    folder = study.predictions_folder("forest")
    assert not (folder / "cell_sets.parquet").exists()  # none of 90 % can be had
    vote_study(study, "forest", "well", ANY_NUMBER)
    cells, sets = read_table(folder / "cells.parquet"), read_table(folder / "cell_sets.parquet")
    keys = ["plate", "well", "field", "label_id"]
    pd.testing.assert_frame_equal(cells[keys], sets[keys])
    held = sets[[c for c in sets if c.startswith("in_set_")]]
    assert held.shape[1] == len([c for c in cells if c.startswith("probability_")])
    assert held.any(axis=None)


def test_sets_go_with_their_level_and_where_none_can_be_had_none_are_left(study: Study) -> None:
    folder = study.predictions_folder("forest")
    wells = vote_study(study, "forest", "well", ANY_NUMBER)
    assert "in_set_" in "".join(wells)
    vote_study(study, "forest", "well", ANY_NUMBER.model_copy(update={"set_level": 0.999}))
    assert "in_set_" not in "".join(read_table(folder / "wells.parquet"))
    assert not (folder / "cell_sets.parquet").exists()
    assert evaluate_study(study, "forest")["conformal"] is None


@pytest.mark.parametrize("method", METHODS)
def test_every_way_to_vote_is_calibrated_in_training(study: Study, method: str) -> None:
    settings = VoteSettings(method=method, min_cells=1, set_level=0.8)
    assert "in_set_" in "".join(vote_study(study, "forest", "well", settings))
    said = evaluate_study(study, "forest", settings=settings)
    assert said["conformal"]["well"]["n"] == said["well"]["n"]


def test_votes_are_undecided_where_sets_are_to_decide_and_count_as_wrong(study: Study) -> None:
    settings = ANY_NUMBER.model_copy(update={"undecided_unless_single": True})
    votes = vote_study(study, "forest", "well", settings)
    single = votes[[c for c in votes if c.startswith("in_set_")]].sum(axis=1) == 1
    assert (votes.loc[~single, "class"] == UNDECIDED).all()
    said = evaluate_study(study, "forest")
    assert said["well"]["n"] - sum(said["well"]["abstained"]) <= single.sum()


def test_a_classifier_from_before_has_no_sets_and_says_what_to_do(study: Study) -> None:
    for name in ("votes.json", "votes.parquet"):
        (study.model_folder("forest") / name).unlink()
    predict_study(study, "forest", workers=1)
    assert "in_set_" not in "".join(vote_study(study, "forest"))
    with pytest.raises(PredictionsError, match="learned none"):
        vote_study(study, "forest", "well", VoteSettings(method="attention"))


def test_a_classifier_takes_its_calibration_to_another_study(study: Study, tmp_path: Path) -> None:
    model = shutil.copytree(study.model_folder("forest"), tmp_path / "travelled")
    predict_study(study, str(model), workers=1, vote_settings=ANY_NUMBER)
    first, second = (vote_study(study, name, "well", ANY_NUMBER) for name in ("forest", str(model)))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_nine_of_ten_cells_of_a_real_plate_are_held_with_a_row_left_out(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "sbs_bbbc013"
    study = Study.create(tmp_path / "sbs", read_plate(folder), folder / "plate_metadata.csv")
    segment_study(study, "watershed", wells="*01,*02,*12", workers=1)
    measure_study(study, workers=1)
    train_study(study, "SBS_Controls=-1,1", settings={"split_by": "row"}, workers=1)
    predict_study(study, "forest", workers=1)
    conformal = evaluate_study(study, "forest")["conformal"]
    assert conformal["level"] == 0.9
    assert 0.88 <= conformal["coverage"] <= 0.93
    assert conformal["mean_set_size"] < 1.1
    assert (conformal["cell"]["unit"], conformal["cell"]["n_units"]) == ("well", 12)
