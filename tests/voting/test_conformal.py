"""Conformal sets of cells, fields, wells and treatments: what they promise, on wells and plates never seen."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.voting.screens import codes, simulate_screen

from cellvote.errors import PredictionsError
from cellvote.voting import VoteSettings, vote
from cellvote.voting.calibrating import fit_conformal, read_calibration, write_calibration
from cellvote.voting.conformal import VoteCalibration
from cellvote.voting.coverage import evaluate_sets
from cellvote.voting.settings import LEVELS, METHODS, NO_VOTE, SET_SCORES, UNDECIDED
from cellvote.voting.vote import votes_to_json

ANY_NUMBER = VoteSettings(min_cells=1)
MANY_PLATES = {"plates": 19, "wells": 6, "cells": 15, "plate_sd": 1.0}


def sets_of(table: pd.DataFrame) -> np.ndarray:
    return table[[c for c in table if str(c).startswith("in_set_")]].to_numpy(bool)


def unseen(screen: pd.DataFrame) -> pd.DataFrame:
    return screen.assign(fold=-1)


def with_(**values: object) -> VoteSettings:
    return ANY_NUMBER.model_copy(update=values)


@pytest.fixture(scope="module")
def screen() -> pd.DataFrame:
    return simulate_screen(np.random.default_rng(0), plates=4)


@pytest.fixture(scope="module")
def calibration(screen: pd.DataFrame) -> VoteCalibration:
    return fit_conformal(screen)


@pytest.mark.parametrize("score", SET_SCORES)
def test_nine_of_ten_cells_of_wells_never_seen_have_their_class_in_the_set(score: str) -> None:
    random = np.random.default_rng(1)
    shares = []
    for _ in range(12):
        calibration = fit_conformal(simulate_screen(random, plates=2, wells=9), methods=())
        new = unseen(simulate_screen(random, plates=2, wells=9, first_plate=50))
        sets = calibration.cell_sets(new, with_(set_score=score))
        assert isinstance(sets, pd.DataFrame)
        held = sets_of(sets)[np.arange(len(new)), codes(new)]
        shares.append(pd.Series(held).groupby([new["plate"], new["well"]]).mean().mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) > 0.9 - 3 * error
    if score != "aps":  # which takes whole classes, and so more than it must where there are three
        assert np.mean(shares) < 0.9 + 3 * error + 0.02


def test_nine_of_ten_hold_on_plates_never_seen_where_plates_differ() -> None:
    random = np.random.default_rng(2)
    shares: dict[str, list[float]] = {"cell": [], "well": []}
    for _ in range(12):
        calibration = fit_conformal(simulate_screen(random, **MANY_PLATES), methods=["majority"])
        new = unseen(simulate_screen(random, plates=8, wells=6, cells=15, plate_sd=1.0, first_plate=50))
        cuts = calibration.cuts("cell", ANY_NUMBER)
        assert not isinstance(cuts, str)
        assert (cuts.unit, cuts.n_units) == ("plate", 19)
        sets = calibration.cell_sets(new, ANY_NUMBER)
        assert isinstance(sets, pd.DataFrame)
        shares["cell"].append(sets_of(sets)[np.arange(len(new)), codes(new)].mean())
        votes = vote(new, LEVELS["well"], ANY_NUMBER, calibration)
        truth = codes(new.groupby(LEVELS["well"])[["truth"]].first())
        shares["well"].append(sets_of(votes)[np.arange(len(votes)), truth].mean())
    for level in shares.values():
        assert np.mean(level) > 0.9 - 3 * np.std(level) / np.sqrt(len(level))
        assert np.mean(level) < 0.99  # and something is left out


def test_with_sets_for_each_class_the_worst_class_is_held_as_often() -> None:
    random = np.random.default_rng(3)
    worst = {False: [], True: []}
    for _ in range(8):
        screen = simulate_screen(random, plates=6, wells=9, cells=20)
        screen = _harder(screen)
        new = _harder(unseen(simulate_screen(random, plates=6, wells=9, cells=20, first_plate=50)))
        calibration = fit_conformal(screen, methods=())
        for per_class, shares in worst.items():
            sets = calibration.cell_sets(new, with_(set_per_class=per_class, set_unit="well"))
            assert isinstance(sets, pd.DataFrame)
            held = sets_of(sets)[np.arange(len(new)), codes(new)]
            shares.append(held[(new["truth"] == "c").to_numpy()].mean())
    assert np.mean(worst[False]) < 0.8
    assert np.mean(worst[True]) == pytest.approx(0.9, abs=0.04)


def _harder(screen: pd.DataFrame) -> pd.DataFrame:
    """Let two of three cells of class c look like another class."""
    rows = screen.index[(screen["truth"] == "c") & (screen["label_id"] % 3 > 0)]
    screen.loc[rows, ["probability_a", "probability_c"]] = screen.loc[
        rows, ["probability_c", "probability_a"]
    ].to_numpy()
    return screen


@pytest.mark.parametrize(
    ("settings", "level", "reason"),
    [
        ({"set_level": 0.97}, "well", "sets of 97 % take at least 33 wells to calibrate, and there are 24"),
        ({"set_unit": "plate"}, "cell", "sets of 90 % take at least 9 plates to calibrate, and there are 4"),
        ({"set_per_class": True}, "cell", "at least 9 wells of 'a' to calibrate, and there are 8"),
        ({}, "treatment", "no treatment of a known class"),
        ({"set_level": None}, "cell", "no sets were asked for"),
        ({"min_cells": 10_000}, "well", "no well of a known class"),
    ],
)
def test_what_too_few_calibrate_cannot_be_had_and_says_why(
    calibration: VoteCalibration, settings: dict[str, object], level: str, reason: str
) -> None:
    found = calibration.cuts(level, with_(**settings))
    assert isinstance(found, str)
    assert reason in found


def test_where_no_sets_can_be_had_none_are_made_up(screen: pd.DataFrame, calibration: VoteCalibration) -> None:
    votes = vote(unseen(screen), LEVELS["well"], with_(set_level=0.99), calibration)
    assert not [c for c in votes if str(c).startswith("in_set_")]
    assert {row["set"] for row in votes_to_json(votes)} == {None}  # type: ignore[comparison-overlap]
    decided = vote(unseen(screen), LEVELS["well"], with_(set_level=0.99, undecided_unless_single=True), calibration)
    assert set(decided["class"]) == {UNDECIDED}


def test_votes_as_json_list_the_classes_of_their_sets(screen: pd.DataFrame, calibration: VoteCalibration) -> None:
    settings = VoteSettings(min_cells=25)
    votes = vote(screen, LEVELS["well"], settings, calibration)
    for row, said in zip(votes.to_dict("records"), votes_to_json(votes), strict=True):
        if row["class"] == NO_VOTE:
            assert said["set"] is None
        else:
            assert said["set"] == [name for name in "abc" if row[f"in_set_{name}"]]
    assert NO_VOTE in set(votes["class"])


def test_only_sets_of_one_class_decide_where_sets_are_to_decide(
    screen: pd.DataFrame, calibration: VoteCalibration
) -> None:
    new = unseen(screen)
    votes = vote(new, LEVELS["well"], with_(set_level=0.95), calibration)
    decided = vote(new, LEVELS["well"], with_(set_level=0.95, undecided_unless_single=True), calibration)
    single = sets_of(votes).sum(axis=1) == 1
    assert 0 < single.sum() < len(votes)
    assert (decided.loc[~single, "class"] == UNDECIDED).all()
    assert (decided.loc[single, "class"] == votes.loc[single, "class"]).all()


def test_a_held_out_well_has_no_say_in_its_own_set(screen: pd.DataFrame) -> None:
    odd = screen.copy()
    rows = (odd["plate"] == "P1").to_numpy()
    odd.loc[rows, ["probability_a", "probability_b", "probability_c"]] = [0.2, 0.3, 0.5]
    own = odd[rows]
    for first, second in ((screen, odd),):
        before = fit_conformal(first, methods=()).cell_sets(own, ANY_NUMBER)
        after = fit_conformal(second, methods=()).cell_sets(own, ANY_NUMBER)
        pd.testing.assert_frame_equal(before, after)


def test_cells_have_the_same_sets_in_any_order(screen: pd.DataFrame, calibration: VoteCalibration) -> None:
    for score in SET_SCORES:
        settings = with_(set_score=score)
        sets = calibration.cell_sets(screen, settings)
        mixed = calibration.cell_sets(screen.sample(frac=1, random_state=0), settings)
        pd.testing.assert_frame_equal(sets, mixed.sort_index())


def test_sets_are_nested_in_their_level(screen: pd.DataFrame, calibration: VoteCalibration) -> None:
    for score in SET_SCORES:
        held = [
            sets_of(calibration.cell_sets(unseen(screen), with_(set_score=score, set_level=level)))
            for level in (0.5, 0.7, 0.9, 0.95)
        ]
        for smaller, larger in pairwise(held):
            assert (smaller <= larger).all()
            assert smaller.sum() < larger.sum()


def test_keeping_some_scores_of_large_wells_errs_on_the_safe_side(screen: pd.DataFrame) -> None:
    whole, some = fit_conformal(screen, methods=(), most_cells=None), fit_conformal(screen, methods=(), most_cells=10)
    assert (some.scores.groupby("unit").size() <= 10).all()
    assert some.scores.groupby(["plate", "unit"])["weight"].sum().to_numpy() == pytest.approx(1)
    first, second = (sets_of(one.cell_sets(unseen(screen), ANY_NUMBER)) for one in (whole, some))
    assert (first <= second).all()
    assert second.mean() < first.mean() + 0.1


def test_treatments_calibrate_each_other_and_never_themselves() -> None:
    screen = simulate_screen(np.random.default_rng(5), plates=2, wells=24, cells=12)
    treatments = screen[["plate", "well", "truth"]].drop_duplicates()
    treatments["treatment"] = treatments.pop("truth") + treatments["well"].str[-1]
    calibration = fit_conformal(screen, treatments, methods=["majority"])
    treated = screen.merge(treatments, on=["plate", "well"])
    votes = vote(treated, LEVELS["treatment"], ANY_NUMBER, calibration)
    assert sets_of(votes).shape == (len(votes), 3)
    result, _ = evaluate_sets(treated.drop(columns="treatment"), treatments=treatments, settings=ANY_NUMBER)
    assert result is not None
    assert result["treatment"]["unit"] == "treatment"
    assert result["treatment"]["coverage"] >= 0.8


def test_images_without_wells_stand_each_for_itself() -> None:
    screen = simulate_screen(np.random.default_rng(6), plates=1, wells=24, cells=10)
    images = screen.assign(field=screen.groupby("well").ngroup() + 1, well="")
    calibration = fit_conformal(images.drop(columns="fold"), methods=["majority"])
    votes = vote(unseen(images), LEVELS["field"], ANY_NUMBER, calibration)
    assert sets_of(votes).any()
    result, notes = evaluate_sets(images.drop(columns="fold"), settings=ANY_NUMBER)
    assert result is not None
    assert result["field"]["n_units"] == 24
    assert result["well"] is None
    assert any("well" in note for note in notes)


@pytest.mark.parametrize("method", METHODS)
def test_coverage_is_counted_at_every_level_for_every_way_to_vote(screen: pd.DataFrame, method: str) -> None:
    result, notes = evaluate_sets(screen, settings=with_(method=method))
    assert result is not None
    assert result["coverage"] == result["cell"]["coverage"]
    assert result["treatment"] is None
    for level in ("cell", "field", "well"):
        found = result[level]
        assert 0.7 <= found["coverage"] <= 1
        assert found["unit"] == "well"
        assert found["n_units"] == 24
    assert any("9 plates" in note for note in notes)


def test_coverage_of_another_study_is_that_of_the_calibration_that_came_along(
    screen: pd.DataFrame, calibration: VoteCalibration
) -> None:
    new = unseen(simulate_screen(np.random.default_rng(7), plates=2, first_plate=50))
    result, _ = evaluate_sets(new, settings=ANY_NUMBER, calibration=calibration, at_home=False)
    sets = calibration.cell_sets(new, ANY_NUMBER)
    assert result is not None
    assert result["coverage"] == sets_of(sets)[np.arange(len(new)), codes(new)].mean()
    assert result["mean_set_size"] == sets_of(sets).sum(axis=1).mean()
    none, notes = evaluate_sets(new, settings=ANY_NUMBER, calibration=None, at_home=False)
    assert none is None
    assert "Train it again" in notes[0]


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path, calibration: VoteCalibration) -> None:
    write_calibration(tmp_path, calibration)
    read = read_calibration(tmp_path, calibration.classes)
    assert read is not None
    pd.testing.assert_frame_equal(read.scores, calibration.scores, check_dtype=False)
    assert read.pooling == calibration.pooling
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".parquet"}
    assert read_calibration(tmp_path / "elsewhere", calibration.classes) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "votes.json").write_text('{"format_version": 9}'), "has the format 9"),
        (lambda folder: (folder / "votes.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "votes.parquet").unlink(), "is damaged"),
        (lambda folder: pd.DataFrame({"x": [1]}).to_parquet(folder / "votes.parquet"), "is not what CellVote wrote"),
    ],
)
def test_a_damaged_calibration_is_refused(
    tmp_path: Path, calibration: VoteCalibration, damage: object, message: str
) -> None:
    write_calibration(tmp_path, calibration)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(PredictionsError, match=message):
        read_calibration(tmp_path, calibration.classes)


def test_a_calibration_of_other_classes_is_refused(tmp_path: Path, calibration: VoteCalibration) -> None:
    write_calibration(tmp_path, calibration)
    with pytest.raises(PredictionsError, match="is of the classes a, b, c, and the classifier tells apart a, c, b"):
        read_calibration(tmp_path, ("a", "c", "b"))


def test_fields_with_too_few_cells_leave_their_well_its_full_weight() -> None:
    screen = simulate_screen(np.random.default_rng(8), plates=1, wells=12, cells=24)
    few = (screen["field"] == 2) & (screen["label_id"] > 6)
    calibration = fit_conformal(screen[~few], methods=["majority"])
    found = calibration.cuts("field", VoteSettings(min_cells=8))
    assert not isinstance(found, str)
    assert found.of[""][0].above[0] == pytest.approx(12)


def test_sets_by_aps_hold_the_likeliest_class_and_are_never_empty(
    screen: pd.DataFrame, calibration: VoteCalibration
) -> None:
    held = sets_of(calibration.cell_sets(unseen(screen), with_(set_score="aps", set_level=0.5)))
    likeliest = screen[[f"probability_{c}" for c in "abc"]].to_numpy().argmax(axis=1)
    assert held[np.arange(len(screen)), likeliest].all()
    assert held.sum(axis=1).mean() < 2
