"""Segment, Train and Predict: a form becomes a command, its progress is shown, its result is looked at."""

import json
import sys
from pathlib import Path

import pytest
from tests.gui.conftest import docked, write_masks

from cellvote.gui.docks.class_choice import ClassChoice, class_columns
from cellvote.gui.docks.predict import PredictDock
from cellvote.gui.docks.segment import SegmentDock
from cellvote.gui.docks.train import TrainDock
from cellvote.gui.history import read_history, read_scores, warnings_of
from cellvote.gui.session import Session
from cellvote.gui.step_box import StepBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress
from cellvote.study import Study


def make_dock(kind: type, viewer, qtbot, session: Session, study: Study | None, settle):
    dock = docked(viewer, kind)
    if study is not None:
        session.open_study(study.path)
        settle(session)
    if kind is SegmentDock:
        qtbot.waitUntil(lambda: study is None or dock.form is not None, timeout=20_000)
    return dock


def finish(session: Session, qtbot, settle) -> None:
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=120_000)
    settle(session)


# What is asked for


@pytest.mark.parametrize("kind", [SegmentDock, TrainDock, PredictDock])
def test_without_a_study_a_dock_says_what_it_needs(viewer, session, qtbot, settle, kind: type) -> None:
    dock = make_dock(kind, viewer, qtbot, session, None, settle)
    assert not dock.needs.isHidden()
    assert dock.parts.isHidden()


def test_the_segment_form_becomes_two_commands(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(SegmentDock, viewer, qtbot, session, small_study, settle)
    dock.form.setValue({"nucleus_diameter_px": 25, "nuclei_channel": "DNA"})
    dock.name_line.setText("mine")
    dock.overwrite_box.setChecked(True)
    segment, measure = dock.steps()
    path = str(small_study.path)
    assert segment.arguments[:6] == ("segment", path, "--method", "nuclei", "--name", "mine")
    assert segment.arguments[6:11] == (
        "--overwrite",
        "--set",
        "nuclei_channel=DNA",
        "--set",
        "nucleus_diameter_px=25.0",
    )
    assert measure.arguments[:4] == ("measure", path, "--segmentation", "mine")
    assert segment.arguments[-3:] == measure.arguments[-3:] == ("--progress", "json", "--json")


def test_the_channels_of_the_study_are_offered(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(SegmentDock, viewer, qtbot, session, small_study, settle)
    box = dock.form.box("nuclei_channel")
    assert [box.itemText(i) for i in range(box.count())] == ["", "DNA", "GFP"]


def test_a_name_that_cannot_be_a_folder_is_refused(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(SegmentDock, viewer, qtbot, session, small_study, settle)
    dock.name_line.setText("a/b")
    dock.run_button.click()
    assert session.runner.step is None
    assert "'a/b' cannot be the name of a folder" in dock.step_box.message.text()


def test_the_train_form_becomes_commands(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    assert dock.classes.column() == "drug"
    assert dock.classes.ticked() == ["DMSO", "taxol"]
    dock.form.setValue({"architecture": "small-resnet", "epochs": 3})
    assert dock.name_line.text() == "small-resnet"
    dock.split_box.setCurrentIndex(dock.split_box.findText("row"))
    train, predict = dock.steps()
    path = str(small_study.path)
    assert train.arguments[:6] == ("train", path, "--classes", "drug", "--split-by", "row")
    assert train.arguments[6:10] == ("--name", "small-resnet", "--device", "auto")
    assert train.arguments[10:14] == ("--set", "architecture=small-resnet", "--set", "epochs=3")
    assert predict.arguments[:3] == ("predict", path, "small-resnet")
    dock.predict_box.setChecked(False)
    assert len(dock.steps()) == 1


def test_a_classifier_that_a_person_named_keeps_its_name(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    dock.name_line.setText("mine")
    dock.form.setValue({"architecture": "logistic"})
    assert dock.name_line.text() == "mine"


def test_fewer_than_two_classes_are_refused(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    dock.classes.tick(["taxol"])
    dock.run_button.click()
    assert session.runner.step is None
    assert "at least two classes" in dock.step_box.message.text()


def test_nothing_can_be_trained_before_cells_are_measured(viewer, session, bare_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, bare_study, settle)
    assert not dock.needs_cells.isHidden()
    assert dock.parts.isHidden()
    write_masks(bare_study, failed={})
    session.state.results_written(segmentation="watershed")
    assert not dock.parts.isHidden()


def test_some_classes_are_named_and_their_wells_counted(qtbot, study: Study) -> None:
    choice = ClassChoice()
    qtbot.addWidget(choice)
    choice.set_study(study)
    assert choice.column() == "moa"
    counts = class_columns(study)["moa"]
    assert choice.values.count() == len(counts) > 2
    first, second = sorted(counts)[:2]
    choice.tick([first, second])
    assert choice.argument() in {f"moa={first},{second}", f"moa={second},{first}"}


def test_votes_are_counted_anew_with_every_setting_said(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    assert dock.form.value().min_cells == 2, "as the votes on disk were counted"
    dock.add_elsewhere(str(_classifier(small_study.path.parent / "model")))
    (vote,) = dock.vote_steps()
    said = vote.arguments[vote.arguments.index("--set") :]
    assert said[:4] == ("--set", "method=majority", "--set", "min_cells=2")
    assert said[-1] == "--json"


def _classifier(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"architecture": "forest", "classes": ["a", "b"]}), encoding="utf-8")
    return folder


def test_a_classifier_from_elsewhere_can_be_chosen(viewer, session, small_study, qtbot, settle, tmp_path) -> None:
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    assert not dock.run_button.isEnabled()
    dock.add_elsewhere(str(tmp_path))
    assert "no classifier here" in dock.step_box.message.text()
    folder = _classifier(tmp_path / "theirs")
    dock.add_elsewhere(str(folder))
    assert dock.about.text() == "forest: a, b"
    (step,) = dock.predict_steps()
    assert step.arguments[:3] == ("predict", str(small_study.path), str(folder))
    assert step.model == "theirs"


def test_the_legend_names_the_classes_of_the_plate(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    entries = dock.legend.entries()
    assert [(entry.name, entry.count) for entry in entries] == [("DMSO", "9 cells"), ("taxol", "11 cells")]


# How far a step is


def test_the_box_tells_progress_result_and_failures(qtbot) -> None:
    box = StepBox()
    qtbot.addWidget(box)
    step = Step("Segmenting", ())
    box.show_started(step)
    box.show_progress(step, Progress(3, 48, "P1/B07 field 3", "1,240 cells · 310 cells/s"))
    assert (box.bar.value(), box.bar.maximum()) == (3, 48)
    assert box.message.text() == "Segmenting: P1/B07 field 3 · 1,240 cells · 310 cells/s"
    failed = [{"plate": "P1", "well": "B07", "field": 3, "error": "truncated"}]
    box.show_result(StepResult("some failed", {"failed": failed}), "47 fields segmented")
    assert box.bar.isHidden() or box.bar.parentWidget().isHidden()
    with qtbot.waitSignal(box.fieldClicked) as clicked:
        box.failed.itemClicked.emit(box.failed.item(0))
    assert clicked.args == [FieldKey("P1", "B07", 3)]


def test_a_failed_field_is_shown_when_it_is_clicked(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(SegmentDock, viewer, qtbot, session, small_study, settle)
    dock.step_box.fieldClicked.emit(FieldKey("plate", "B01", 1))
    assert session.state.key.well == "B01"
    dock.step_box.fieldClicked.emit(FieldKey("plate", "Z99", 1))
    assert session.state.key.well == "B01"
    settle(session)


def test_while_a_step_runs_no_other_can_be_started(viewer, session, small_study, qtbot, settle) -> None:
    docks = [make_dock(kind, viewer, qtbot, session, None, settle) for kind in (TrainDock, PredictDock)]
    session.open_study(small_study.path)
    settle(session)
    session.runner.run(Step("Waiting", ("-c", "input()"), dock="train", command=(sys.executable,)))
    assert not any(dock.run_button.isEnabled() for dock in docks)
    assert not docks[0].step_box.cancel_button.isHidden()
    docks[0].step_box.cancel_button.click()
    finish(session, qtbot, settle)
    assert docks[0].run_button.isEnabled()


def test_closing_the_last_dock_ends_the_step_and_leaves_no_process(viewer, session, small_study, qtbot, settle) -> None:
    dock = docked(viewer, TrainDock)
    session.open_study(small_study.path)
    settle(session)
    session.runner.run(Step("Waiting", ("-c", "import time; time.sleep(60)"), command=(sys.executable,)))
    process = session.runner._process
    qtbot.waitUntil(lambda: process.running)
    dock.deleteLater()
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=10_000)
    qtbot.waitUntil(lambda: not process.running, timeout=60_000)  # the window did not wait for it


def test_a_closed_dock_hears_nothing_more(viewer, session, small_study, qtbot, settle) -> None:
    dock = docked(viewer, PredictDock)
    docked(viewer, TrainDock)
    with qtbot.waitSignal(dock.destroyed):
        dock.deleteLater()
    session.open_study(small_study.path)
    settle(session)
    session.state.results_written()
    settle(session)


# The whole way


@pytest.mark.slow
def test_a_plate_is_segmented_trained_on_and_predicted_from_the_docks(
    viewer, session, new_study, qtbot, settle
) -> None:
    segment = make_dock(SegmentDock, viewer, qtbot, session, new_study, settle)
    train = make_dock(TrainDock, viewer, qtbot, session, None, settle)
    predict = make_dock(PredictDock, viewer, qtbot, session, None, settle)
    segment.method_box.setCurrentIndex(segment.method_box.findData("watershed"))  # the fastest
    segment.run_button.click()
    finish(session, qtbot, settle)
    assert "segmented and measured" in segment.step_box.message.text()
    assert viewer.layers["Masks"].data.any()
    train.form.setValue({"n_trees": 10, "folds": 2})
    train.run_button.click()
    finish(session, qtbot, settle)
    assert "cells predicted" in train.step_box.message.text()
    assert train.table.rowCount() >= 3
    assert predict.model_box.currentText() == "forest"
    assert viewer.layers["Predictions"].data.any()
    assert session.state.facts.predicted.model == "forest"
    predict.form.setValue({"min_cells": 1000})
    predict.vote_button.click()
    finish(session, qtbot, settle)
    assert "too few cells" in viewer.canvas.overlays.text.text


# History and figures


def test_the_curves_follow_a_history_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    assert not read_history(path).drawable
    header = "fold,epoch,train_loss,validation_loss,train_accuracy,validation_accuracy,learning_rate,cells_per_s,device"
    lines = [header, "0,1,0.9,0.8,0.5,0.6,0.003,1200,cuda", "0,2,0.7,nan,0.6,,0.003,1300,cuda", "1,1,0."]
    path.write_text("\n".join(lines), encoding="utf-8")
    curves = read_history(path)
    assert curves.drawable
    assert curves.loss[(0, "train")] == [(1.0, 0.9), (2.0, 0.7)]
    assert curves.loss[(0, "validation")] == [(1.0, 0.8)]
    assert curves.accuracy[(0, "validation")] == [(1.0, 0.6)]


def test_the_curves_are_painted(viewer, session, small_study, qtbot, settle, tmp_path) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    rows = [
        f"{fold},{epoch},{1 / epoch},{1.2 / epoch},{epoch / 10},{epoch / 12},,500,cpu"
        for fold in (0, 1)
        for epoch in (1, 2, 3)
    ]
    header = "fold,epoch,train_loss,validation_loss,train_accuracy,validation_accuracy,learning_rate,cells_per_s,device"
    (tmp_path / "history.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    dock._followed = tmp_path
    dock._on_timer_timeout()
    assert not dock.curves.isHidden()
    assert not dock.curves.grab().isNull()
    assert dock.latest.text() == "fold 2 · epoch 3 · 500 cells/s on cpu"


def test_the_figures_stand_beside_what_knowing_nothing_gives(viewer, session, study: Study, qtbot, settle) -> None:
    folder = study.model_folder("forest")
    scores, split_by, _ = read_scores(folder)
    assert split_by == "well"
    assert {"cell", "well"} <= {score.level for score in scores}
    well = next(score for score in scores if score.level == "well")
    assert 0 <= well.majority <= 1
    dock = make_dock(TrainDock, viewer, qtbot, session, study, settle)
    dock.show_scores(folder)
    assert dock.table.rowCount() == len(scores)
    assert dock.table.item(0, 1).text().startswith(f"{scores[0].accuracy:.3f}")


def test_a_classifier_that_does_no_better_than_the_place_is_called_out(study: Study) -> None:
    from cellvote.study.atomic import read_json, write_json

    path = study.model_folder("forest") / "model.json"
    info = read_json(path)
    info["metrics"]["well"]["accuracy"] = 0.5
    info["metrics"]["baselines"]["position"]["well"]["accuracy"] = 0.75
    write_json(path, info)
    scores, _, _ = read_scores(path.parent)
    assert "position on the plate alone gets 75 %" in warnings_of(scores)[0]
