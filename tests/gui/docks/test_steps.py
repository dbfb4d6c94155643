"""Segment, Train and Predict: a form becomes a command, its progress is shown, its result is looked at."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from qtpy.QtCore import QUrl
from tests.gui.conftest import docked, study_of_images, write_field_predictions, write_masks

from cellvote.gui.account import read_account
from cellvote.gui.card_window import CardWindow
from cellvote.gui.docks.class_choice import ClassChoice, class_columns
from cellvote.gui.docks.predict import PredictDock, usual_settings
from cellvote.gui.docks.segment import SegmentDock
from cellvote.gui.docks.train import TrainDock, hold_out_choices
from cellvote.gui.history import read_history
from cellvote.gui.session import Session
from cellvote.gui.step_box import StepBox
from cellvote.gui.step_process import StepResult
from cellvote.gui.step_runner import Step
from cellvote.gui.train_form import setting_groups
from cellvote.jobs.accounting import usual_vote_settings
from cellvote.jobs.predict import predict_study
from cellvote.jobs.train import train_study
from cellvote.learning.architectures import ARCHITECTURES
from cellvote.learning.settings import TrainSettings
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress
from cellvote.recipes import settings_of_recipe, training_recipes
from cellvote.study import Study
from cellvote.study.atomic import read_json, write_json
from cellvote.voting.settings import VoteSettings


def make_dock(kind: type, viewer, qtbot, session: Session, study: Study | None, settle):
    dock = docked(viewer, kind)
    if study is not None:
        session.open_study(study.path)
        settle(session)
    if kind is SegmentDock:
        qtbot.waitUntil(lambda: study is None or dock.form is not None, timeout=20_000)
    return dock


def choose(box, name: str) -> None:
    box.setCurrentIndex(box.findData(name))


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
    train, predict, evaluate = dock.steps()
    path = str(small_study.path)
    assert train.arguments[:6] == ("train", path, "--classes", "drug", "--unit", "cell")
    assert train.arguments[6:10] == ("--split-by", "row", "--recipe", "cells")
    assert train.arguments[10:14] == ("--name", "small-resnet", "--device", "auto")
    assert train.arguments[14:18] == ("--set", "architecture=small-resnet", "--set", "epochs=3")
    assert predict.arguments[:3] == ("predict", path, "small-resnet")
    assert evaluate.arguments == ("evaluate", path, "small-resnet", "--json")
    assert not evaluate.writes_into(small_study)
    dock.predict_box.setChecked(False)
    assert len(dock.steps()) == 1


def test_a_recipe_fills_the_form_and_only_what_differs_from_it_is_said(
    viewer, session, small_study, qtbot, settle
) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    choose(dock.recipe.recipe_box, "quick")
    wanted = settings_of_recipe("quick", {"unit": "cell"})
    assert dock.form.value() == wanted
    assert dock.form.assignments() == []
    assert dock.name_line.text() == "quick"
    assert dock.recipe.about.text() == training_recipes()["quick"]["title"]
    dock.form.setValue({"mixup": 0.25})
    assert dock.form.assignments() == ["--set", "mixup=0.25"]
    assert dock.steps()[0].arguments[8:10] == ("--recipe", "quick")


def test_a_recipe_whose_architecture_was_changed_is_said_to_be_changed(
    viewer, session, small_study, qtbot, settle
) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    title = dock.recipe.about.text()
    usual = dock.recipe.settings().architecture
    dock.form.setValue({"architecture": "logistic"})
    assert dock.recipe.about.text().startswith(f"Changed: the recipe is for {usual}.")
    dock.form.setValue({"architecture": usual})
    assert dock.recipe.about.text() == title


def test_weights_are_asked_for_only_where_the_backbone_does_not_bring_its_own(
    viewer, session, small_study, qtbot, settle
) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    dock.form.setValue({"architecture": "embeddings"})
    assert dock.form.setting("backbone") == "nuclei"
    assert not {"pretrained", "weights"} & set(dock.form.names())
    dock.form.setValue({"backbone": "resnet50"})
    assert {"pretrained", "weights"} <= set(dock.form.names())


@pytest.mark.parametrize("architecture", ["forest", "resnet50"])
def test_without_a_recipe_the_architecture_is_always_said(
    viewer, session, small_study, qtbot, settle, architecture: str
) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    choose(dock.recipe.recipe_box, "")
    dock.form.setValue({"architecture": architecture})
    arguments = dock.steps()[0].arguments
    assert "--recipe" not in arguments
    assert arguments.count(f"architecture={architecture}") == 1


def test_architectures_are_shown_by_title_and_any_timm_name_can_be_typed_without_loading_torch(
    viewer, session, small_study, qtbot, settle
) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    box = dock.form.box("architecture")
    assert box.currentText() == "Forest of randomised trees"
    assert box.value() == "forest"
    assert [box.itemData(i) for i in range(box.count())] == list(ARCHITECTURES)
    before = "timm" in sys.modules
    box.setEditText("resnet18.tv_in1k")
    assert "architecture=resnet18.tv_in1k" in dock.steps()[0].arguments
    assert ("timm" in sys.modules) == before
    assert {"pretrained", "epochs"} <= set(dock.form.names())


def test_what_is_rarely_changed_is_folded_by_what_it_is_about(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    folds = {fold.title: fold for fold in dock.form.folds}
    assert folds["How images are varied"].isHidden(), "a forest has no images"
    dock.form.setValue({"architecture": "small-resnet"})
    assert "flips" in folds["How images are varied"].names
    assert folds["How images are varied"].button.text() == "How images are varied (12)"
    dock.form.setValue({"flips": False})
    assert folds["How images are varied"].button.text() == "How images are varied (12) · 1 changed"
    assert "flips=false" in " ".join(dock.form.assignments()).lower()


def test_every_setting_of_a_training_is_in_the_form_once() -> None:
    folded = [name for names in setting_groups().values() for name in names]
    assert len(folded) == len(set(folded))
    shown_first = set(TrainSettings.model_fields) - set(folded)
    assert {"folds", "epochs", "architecture"} <= shown_first
    assert len(shown_first) <= 14, "what is open at first is to stay short"


def test_whole_images_need_no_cells(viewer, session, bare_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, bare_study, settle)
    choose(dock.recipe.unit_box, "field")
    assert dock.needs_cells.isHidden()
    assert dock.run_button.isEnabled()
    assert "crop_size_px" not in dock.form.names()
    assert "field_size_px" in dock.form.names()
    dock.form.box("field_size_px").setText("64 x 48")
    arguments = dock.steps()[0].arguments
    assert arguments[4:6] == ("--unit", "field")
    assert "field_size_px=[64, 48]" in arguments


def test_images_without_wells_are_held_out_each_by_itself_or_by_what_is_known_of_them(tmp_path: Path) -> None:
    assert hold_out_choices(study_of_images(tmp_path)) == {
        "well": "image (each by itself)",
        "image_name": "image_name",
        "class_name": "class_name",
    }


def test_a_training_that_was_cancelled_is_gone_on_with(viewer, session, small_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    assert dock.run_button.text() == "Train"
    write_json(small_study.model_folder("begun") / "training.json", {})
    dock.name_line.setText("begun")
    assert dock.run_button.text() == "Continue training"
    dock.overwrite_box.setChecked(True)
    assert dock.run_button.text() == "Train"


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


def test_no_cell_can_be_learned_before_cells_are_measured(viewer, session, bare_study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, bare_study, settle)
    assert not dock.needs_cells.isHidden()
    assert not dock.run_button.isEnabled()
    write_masks(bare_study, failed={})
    session.state.results_written(segmentation="watershed")
    assert dock.needs_cells.isHidden()
    assert dock.run_button.isEnabled()


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
    assert said[:2] == ("--set", "method=majority")
    assert {f"{name}" for name in VoteSettings.model_fields} == {one.partition("=")[0] for one in said[1:-1:2]}
    assert said[-1] == "--json"


def _classifier(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"architecture": "forest", "classes": ["a", "b"]}), encoding="utf-8")
    return folder


def test_the_classifier_that_the_window_shows_is_the_one_to_vote_with(
    viewer, session, small_study, qtbot, settle
) -> None:
    for name in ("model", "other"):
        _classifier(small_study.model_folder(name))
    shutil.copytree(small_study.predictions_folder("model"), small_study.predictions_folder("other"))
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    assert dock.model_box.currentText() == session.state.model == "other"
    session.state.model = "model"
    settle(session)
    assert dock.model_box.currentText() == "model"
    dock.model_box.setCurrentText("other")  # to predict with, while the window shows what there is
    session.state.results_written()
    settle(session)
    assert dock.model_box.currentText() == "other"


def test_a_classifier_from_elsewhere_can_be_chosen(viewer, session, small_study, qtbot, settle, tmp_path) -> None:
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    assert not dock.run_button.isEnabled()
    dock.add_elsewhere(str(tmp_path))
    assert "no classifier here" in dock.step_box.message.text()
    folder = _classifier(tmp_path / "theirs")
    dock.add_elsewhere(str(folder))
    assert dock.about.text() == "forest on cells: a, b"
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
    assert "Trained and predicted" in train.step_box.message.text()
    assert train.results.table.rowCount() >= 5
    assert predict.model_box.currentText() == "forest"
    assert viewer.layers["Predictions"].data.any()
    assert session.state.facts.predicted.model == "forest"
    classes = train.classes.argument()
    train_study(new_study, classes, settings={"n_trees": 10, "folds": 2}, name="python", workers=1)
    predict_study(new_study, "python", workers=1)
    for name in ("cells", "fields", "wells", "treatments"):
        seen, called = (new_study.predictions_folder(one) / f"{name}.parquet" for one in ("forest", "python"))
        assert seen.read_bytes() == called.read_bytes(), name
    predict.form.setValue({"min_cells": 1000})
    predict.vote_button.click()
    finish(session, qtbot, settle)
    assert "too few cells" in viewer.canvas.overlays.text.text


# History and figures

HEADER = (
    "fold,stage,epoch,train_loss,validation_loss,train_accuracy,validation_accuracy,validation_balanced_accuracy,"
    "learning_rate,cells_per_s,device,seconds,notes"
)


def test_the_curves_follow_a_history_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    assert not read_history(path).drawable
    lines = [
        HEADER,
        "0,,1,0.9,0.8,0.5,0.6,0.55,0.003,1200,cuda,1,",
        "0,,2,0.7,nan,0.6,,,0.003,1300,cuda,1,out of memory: 32 examples at a time instead of 64",
        "0,Jurkat,1,0.5,0.4,0.7,0.8,0.8,0.003,1300,cuda,1,",
        "1,,1,0.",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    curves = read_history(path)
    assert curves.drawable
    assert curves.loss[(0, "", "train")] == [(1.0, 0.9), (2.0, 0.7)]
    assert curves.loss[(0, "", "validation")] == [(1.0, 0.8)]
    assert curves.accuracy[(0, "", "balanced")] == [(1.0, 0.55)]
    assert curves.loss[(0, "Jurkat", "train")] == [(3.0, 0.5)], "what is tuned further goes on from the first step"
    assert curves.notes == ("fold 1, epoch 2: out of memory: 32 examples at a time instead of 64",)
    assert curves.folds == [0, 1]


def test_the_curves_are_painted(viewer, session, small_study, qtbot, settle, tmp_path) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, small_study, settle)
    rows = [
        f"{fold},{stage},{epoch},{1 / epoch},{1.2 / epoch},{epoch / 10},{epoch / 12},{epoch / 15},,500,cpu,1,"
        for fold in (0, 1)
        for stage in ("", "Jurkat")
        for epoch in (1, 2, 3)
    ]
    (tmp_path / "history.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    dock._followed = tmp_path
    dock._timer.start()
    dock._on_timer_timeout()
    view = dock.results
    assert not view.curves.isHidden()
    assert not view.curves.grab().isNull()
    assert view.latest.text() == "fold 2 · Jurkat · epoch 3 · validation 0.250 (balanced 0.200) · 500 cells/s on cpu"


def test_the_figures_stand_beside_what_knowing_less_gives(viewer, session, study: Study, qtbot, settle) -> None:
    folder = study.model_folder("forest")
    account = read_account(folder)
    assert account.split_by == "well"
    assert {"cell", "well"} <= set(account.levels)
    assert {"accuracy", "balanced", "chance", "majority", "measurements"} <= {n for n, f in account.rows.items() if f}
    assert 0 <= account.rows["majority"]["well"].value <= 1
    dock = make_dock(TrainDock, viewer, qtbot, session, study, settle)
    dock.show_account(folder)
    table = dock.results.table
    assert table.columnCount() == len(account.levels)
    assert table.item(0, 0).text().startswith(f"{account.rows['accuracy']['cell'].value:.3f}")
    assert [table.verticalHeaderItem(i).text() for i in range(3)] == ["Right", "Balanced", "Chance"]


def test_how_often_sets_hold_the_true_class_is_told_once_votes_were_checked(study: Study) -> None:
    found = {"coverage": 0.912, "mean_set_size": 1.25}
    info = read_json(study.model_folder("forest") / "model.json")
    account = read_account(
        study.model_folder("forest"), {**info["metrics"], "conformal": {"level": 0.9, "well": found, "cell": None}}
    )
    assert account.set_level == pytest.approx(0.9)
    assert account.rows["sets hold it"]["well"].value == pytest.approx(0.912)
    assert "cell" not in account.rows["sets hold it"]


def test_a_classifier_that_does_no_better_than_the_place_is_called_out(study: Study) -> None:
    path = study.model_folder("forest") / "model.json"
    info = read_json(path)
    info["metrics"]["notes"] = ["a note", "the position on the plate alone gets 75% of the held-out wells right: …"]
    write_json(path, info)
    account = read_account(path.parent)
    assert account.cautions == ("The position on the plate alone gets 75% of the held-out wells right: …",)
    assert account.notes == ("a note",)
    checked = read_account(path.parent, {**info["metrics"], "notes": ["of the sets"]})
    assert checked.notes == ("a note", "of the sets"), "what training knows is not forgotten"
    assert checked.cautions == account.cautions


def test_a_model_card_is_shown_and_nothing_in_it_is_fetched(viewer, session, study: Study, qtbot, settle) -> None:
    dock = make_dock(TrainDock, viewer, qtbot, session, study, settle)
    folder = study.model_folder("forest")
    card = folder / "MODEL_CARD.md"
    card.write_text("# forest\n\n![x](file:///etc/hostname) <b>bold</b>\n\n| a | b |\n| - | - |\n| 1 | 2 |\n")
    dock.show_account(folder)
    assert not dock.results.card_button.isHidden()
    dock.results.card_button.click()
    (window,) = dock.results.findChildren(CardWindow)
    assert window.toPlainText().startswith("forest")
    assert window.loadResource(2, QUrl("file:///etc/hostname")) is None
    window.close()


# Whole images


def test_the_usual_vote_is_the_one_of_the_command_line(small_study: Study, tmp_path: Path) -> None:
    for study in (small_study, study_of_images(tmp_path)):
        for unit in ("cell", "field"):
            assert usual_settings(study, unit) == usual_vote_settings(study, unit)


def test_what_classifiers_of_fields_say_is_counted_in_fields(viewer, session, small_study, qtbot, settle) -> None:
    write_field_predictions(small_study)
    dock = make_dock(PredictDock, viewer, qtbot, session, small_study, settle)
    session.state.model = "whole"
    settle(session)
    assert [(e.name, e.count) for e in dock.legend.entries()] == [("DMSO", "2 fields"), ("taxol", "3 fields")]
    assert viewer.canvas.overlays.text.text.startswith("A01 field 1 · DMSO · probability 0.90 · true: DMSO ✓")
    assert "Predictions" not in viewer.layers or not viewer.layers["Predictions"].visible
