"""Assessing a study: one row per field, pixels read once, fields left out by rule."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.tiny_plates import FOREST, create_study

import cellvote as cv
from cellvote.errors import (
    BusyError,
    CancelledError,
    ChannelError,
    ImageReadError,
    PredictionsError,
    SettingsError,
    StudyError,
)
from cellvote.jobs.predict import evaluate_study, predict_study, read_note, vote_study
from cellvote.jobs.quality import assess_quality
from cellvote.jobs.train import train_study
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.field_flags import FLAGS, quality_path, read_quality
from cellvote.study.lock import run_alone
from cellvote.synthetic import SimulatedPlate
from cellvote.voting.vote import VoteSettings


@pytest.fixture
def own_study(tiny_plate: SimulatedPlate, tmp_path: Path) -> Study:
    """Return a study with images of its own."""
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    return create_study(
        tmp_path / "own", SimulatedPlate(folder, tiny_plate.settings, tiny_plate.plate_map, tiny_plate.truth)
    )


def paint(study: Study, key: FieldKey, value: int | None) -> None:
    """Overwrite every channel of a field with one grey value; without one, damage its files."""
    for name in study.planes_of(key)["path"]:
        path = study.source / name
        if value is None:
            path.write_bytes(path.read_bytes()[:200])
        else:
            tifffile.imwrite(path, np.full((96, 96), value, np.uint16), metadata=None)


def assess(study: Study, **settings: object) -> list[str]:
    """Assess, and return the fields whose pixels were read now."""
    told: list[Progress] = []
    assess_quality(study, settings, workers=1, report=told.append)
    return [progress.where for progress in told]


def test_every_field_has_one_row_with_flags_reason_and_figures_of_each_channel(new_study: Study) -> None:
    assert len(assess(new_study)) == 32
    table = read_quality(new_study)
    assert [FieldKey(*row) for row in table[["plate", "well", "field"]].itertuples(index=False)] == new_study.fields
    assert list(table)[3:8] == [*FLAGS, "reason"]
    assert {f"power_slope_{channel}" for channel in new_study.channels} <= set(table)
    names = {path.name for path in quality_path(new_study).parent.iterdir()}
    assert names == {"assessed.parquet", "fields.parquet", "quality.json"}


def test_black_and_saturated_fields_are_flagged_and_the_others_keep_their_flags(own_study: Study) -> None:
    assess(own_study)
    before = read_quality(own_study)
    shutil.rmtree(quality_path(own_study).parent)
    paint(own_study, own_study.fields[4], 0)
    paint(own_study, own_study.fields[7], 4095)
    assess(own_study)
    table = read_quality(own_study)
    assert table.loc[4, "reason"] == "empty: all pixels are 0"
    assert table.loc[7, "saturated"]
    others = [i for i in range(32) if i not in {4, 7}]
    absolute = ["empty", "saturated", "uneven"]  # focus is held against the plate, which is another now
    assert table.loc[others, absolute].equals(before.loc[others, absolute])


def test_other_rules_make_other_flags_and_read_no_pixel(new_study: Study) -> None:
    assess(new_study)
    shutil.move(new_study.source, new_study.source.with_name("gone"))
    try:
        assert assess(new_study, least_structure_percent=100) == []
    finally:
        shutil.move(new_study.source.with_name("gone"), new_study.source)
    assert read_quality(new_study)["empty"].all()
    note = json.loads(quality_path(new_study).with_name("quality.json").read_text())
    assert note["settings"]["least_structure_percent"] == 100


def test_wells_may_be_assessed_one_after_another(new_study: Study, tmp_path: Path) -> None:
    for wells, n in (("B*", 8), ("A01", 2), ("", 22)):
        told: list[Progress] = []
        assess_quality(new_study, wells=wells, workers=1, report=told.append)
        assert len(told) == n
    at_once = Study.open(shutil.copytree(new_study.path, tmp_path / "other.cellvote"))
    shutil.rmtree(quality_path(at_once).parent)
    assess(at_once)
    assert quality_path(at_once).read_bytes() == quality_path(new_study).read_bytes()


def test_a_cancelled_run_goes_on_where_it_was_and_gives_the_same_bytes(new_study: Study) -> None:
    assess(new_study)
    whole = quality_path(new_study).read_bytes()
    shutil.rmtree(quality_path(new_study).parent)
    token = CancelToken()

    def stop_after_five(progress: Progress) -> None:
        if progress.done == 5:
            token.cancel()

    with pytest.raises(CancelledError):
        assess_quality(new_study, workers=1, report=stop_after_five, cancel=token)
    assert not quality_path(new_study).exists()
    assert 0 < len(assess(new_study)) <= 27
    assert quality_path(new_study).read_bytes() == whole


def test_a_damaged_field_fails_alone(own_study: Study) -> None:
    key = own_study.fields[3]
    paint(own_study, key, None)
    summary = assess_quality(own_study, workers=1)
    assert [record.key for record in summary.failed] == [key]
    assert len(read_quality(own_study)) == 31
    assert summary.to_json()["failed"][0]["well"] == key.well


def test_when_no_field_can_be_read_that_is_said_and_no_table_written(own_study: Study) -> None:
    shutil.rmtree(own_study.source)
    with pytest.raises(ImageReadError, match="no field can be read"):
        assess_quality(own_study, workers=1)
    assert not quality_path(own_study).exists()


def test_unknown_channels_and_settings_are_refused_before_anything_is_read(new_study: Study) -> None:
    with pytest.raises(ChannelError):
        assess_quality(new_study, {"channels": ["Mitochondria"]})
    with pytest.raises(SettingsError, match="there is no setting"):
        assess_quality(new_study, {"focus": 1})
    assert not quality_path(new_study).parent.exists()


# Rules


def flag(study: Study, keys: list[FieldKey], name: str = "out_of_focus") -> None:
    """Assess a study, and flag just these fields."""
    assess_quality(study, workers=1)
    table = read_quality(study)
    here = pd.MultiIndex.from_frame(table[["plate", "well", "field"]]).isin([tuple(key) for key in keys])
    for one in FLAGS:
        table[one] = here & (one == name)
    table.to_parquet(quality_path(study))


def first_fields(study: Study) -> list[FieldKey]:
    return [key for key in study.fields if key.field == 1]


def test_without_a_rule_flags_change_nothing(study: Study, finished_study: Study) -> None:
    flag(study, study.fields)
    predict_study(study, "forest", workers=1)
    for name in ("cells", "fields", "wells", "treatments"):
        path = study.predictions_folder("forest") / f"{name}.parquet"
        assert path.read_bytes() == (finished_study.predictions_folder("forest") / path.name).read_bytes()


def test_flagged_fields_are_not_trained_on_and_the_classifier_says_so(study: Study) -> None:
    out = first_fields(study)
    flag(study, out)
    settings = {**FOREST, "exclude_flags": ["out_of_focus"]}
    classifier = train_study(study, "moa", settings=settings, name="sharp", workers=1)
    assert classifier.info.settings["exclude_flags"] == ["out_of_focus"]
    note = classifier.info.metrics["notes"][0]
    assert "are left out of training for their image quality" in note
    assert "out of focus" in note
    unlike = train_study(study, "moa", settings=FOREST, name="all", workers=1)
    assert classifier.info.metrics["cell"]["n"] < unlike.info.metrics["cell"]["n"]


def test_a_field_left_out_of_training_is_predicted_by_the_model_that_never_saw_its_well(study: Study) -> None:
    flag(study, first_fields(study))
    settings = {**FOREST, "exclude_flags": ["out_of_focus"]}
    classifier = train_study(study, "moa", settings=settings, name="sharp", workers=1)
    table = predict_study(study, classifier, workers=1)
    folds = table.groupby(["plate", "well"])["fold"].nunique()
    assert (folds == 1).all()


def test_cells_of_flagged_fields_have_no_say_in_votes(study: Study) -> None:
    out = first_fields(study)
    flag(study, out)
    votes = VoteSettings(min_cells=1, exclude_flags=("out_of_focus",))
    predict_study(study, "forest", vote_settings=votes, workers=1)
    fields = vote_study(study, "forest", "field")
    assert set(fields["field"]) == {2}
    cells = pd.read_parquet(study.predictions_folder("forest") / "cells.parquet")
    wells = vote_study(study, "forest", "well")
    assert wells["n_cells"].sum() == (cells["field"] == 2).sum()
    notes = evaluate_study(study, "forest")["notes"]
    assert any("left out of votes and scores for their image quality" in note for note in notes)


def test_votes_that_leave_fields_out_are_out_of_date_when_flags_change(study: Study) -> None:
    flag(study, study.fields[:1])
    votes = VoteSettings(min_cells=1, exclude_flags=("out_of_focus",))
    predict_study(study, "forest", vote_settings=votes, workers=1)
    read_note(study, "forest")
    flag(study, study.fields[:2])
    with pytest.raises(PredictionsError, match="image quality was assessed anew"):
        read_note(study, "forest")


def test_a_rule_needs_an_assessment(study: Study) -> None:
    with pytest.raises(StudyError, match="Run: cellvote quality"):
        train_study(study, "moa", settings={**FOREST, "exclude_flags": ["empty"]}, name="x", workers=1)
    with pytest.raises(StudyError, match="Run: cellvote quality"):
        predict_study(study, "forest", vote_settings=VoteSettings(exclude_flags=("empty",)), workers=1)


def test_a_rule_needs_an_assessment_of_every_field(study: Study) -> None:
    assess_quality(study, wells="A*", workers=1)
    with pytest.raises(StudyError, match="its image quality was not assessed"):
        predict_study(study, "forest", vote_settings=VoteSettings(exclude_flags=("empty",)), workers=1)


def test_votes_of_a_bare_table_say_that_they_know_no_flags() -> None:
    table = pd.DataFrame({"plate": ["P"], "well": ["A01"], "probability_a": [0.4], "probability_b": [0.6]})
    with pytest.raises(PredictionsError, match="with_flags"):
        cv.vote(table, ("well",), VoteSettings(exclude_flags=("empty",)))


# Real plates


def assess_real(folder: Path, path: Path) -> tuple[Study, pd.DataFrame]:
    study = Study.create(path, read_plate(folder))
    assess_quality(study, workers=1)
    return study, read_quality(study)


@pytest.mark.slow
def test_no_field_of_a_good_real_plate_is_flagged(real_data: Path, tmp_path: Path) -> None:
    _, table = assess_real(real_data / "sbs_bbbc013", tmp_path / "s")
    assert len(table) == 48
    assert table.loc[table[list(FLAGS)].any(axis=1), "reason"].tolist() == []


def test_fields_whose_pixels_are_all_zero_are_empty_and_nothing_else(real_data: Path, tmp_path: Path) -> None:
    _, table = assess_real(real_data / "cv8000", tmp_path / "s")
    assert table["empty"].all()
    assert not table[["out_of_focus", "saturated", "uneven"]].any(axis=None)
    assert set(table["reason"]) == {"empty: all pixels are 0"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["operetta_harmony", "imagexpress", "jump_BR00117006"])
def test_fields_with_cells_are_not_empty(name: str, real_data: Path, tmp_path: Path) -> None:
    _, table = assess_real(real_data / name, tmp_path / "s")
    assert len(table)
    assert not table["empty"].any()


@pytest.mark.slow
def test_blurred_fields_of_a_real_plate_are_found_and_no_others(real_data: Path, tmp_path: Path) -> None:
    from scipy import ndimage

    folder = shutil.copytree(real_data / "sbs_bbbc013", tmp_path / "images")
    names = ["-01-A-01", "-14-B-02", "-30-C-06", "-40-D-04", "-47-D-11"]
    for path in sorted(folder.glob("Channel*.tif")):
        if any(name in path.name for name in names):
            plane = tifffile.imread(path).astype(float)
            tifffile.imwrite(path, np.rint(ndimage.gaussian_filter(plane, 3)).astype(np.uint8), metadata=None)
    _, table = assess_real(folder, tmp_path / "s")
    assert table.loc[table["out_of_focus"], "well"].tolist() == ["A01", "B02", "C06", "D04", "D11"]


def test_two_runs_do_not_assess_one_study_at_once(own_study: Study) -> None:
    with run_alone(own_study.path, "quality"), pytest.raises(BusyError, match="quality is running"):
        assess_quality(own_study, wells="A01", workers=1)
    assert not quality_path(own_study).exists()
