"""The Segment dock: settings are tried live, compared, and run on what is chosen."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.gui.conftest import docked, label_image, write_masks

from cellvote.gui.docks import segment
from cellvote.gui.docks.segment import SegmentDock
from cellvote.gui.live_preview import PreviewAnswer
from cellvote.gui.preview_box import BESIDE, FINDING_WORDS, OVER, TORCH_WORDS
from cellvote.gui.preview_worker import FINDING, STARTING
from cellvote.gui.run_choice import ALL, PLATE, SELECTION
from cellvote.gui.session import Session
from cellvote.jobs.segment_settings import resolve_settings
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.masks import write_label_image


@pytest.fixture
def dock(viewer, shown: Session, qtbot, settle) -> SegmentDock:
    """Return a dock on the small study, its preview with no process behind it."""
    made = docked(viewer, SegmentDock)
    qtbot.waitUntil(lambda: made.form is not None, timeout=120_000)
    choose(made.method_box, "watershed")
    made.preview.live.start = lambda method: None
    made.preview.live.ask = lambda *asked: asks.append(asked)
    asks: list[tuple] = []
    made.asks = asks
    settle(shown)
    return made


@pytest.fixture
def answer(dock: SegmentDock, shown: Session, settle, tmp_path: Path):
    """Answer as the preview process does."""

    def give(masks: np.ndarray, *, key: FieldKey | None = None, sure: bool = True, **settings) -> None:
        path = tmp_path / "masks.npy"
        np.save(path, masks)
        n_cells = len(np.unique(masks[masks > 0]))
        key = key or shown.state.key
        dock.preview._on_answered(PreviewAnswer(1, key, "watershed", path, n_cells, 0.42, settings, sure))
        settle(shown)

    return give


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def choose(box, value: str) -> None:
    box.setCurrentIndex(box.findData(value))


def visible(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


# Trying


def test_the_preview_shows_what_a_run_would_find_and_keeps_nothing(
    viewer, session: Session, new_study: Study, qtbot, settle
) -> None:
    made = docked(viewer, SegmentDock)
    session.open_study(new_study.path)
    settle(session)
    qtbot.waitUntil(lambda: made.form is not None, timeout=120_000)
    choose(made.method_box, "watershed")
    made.preview.switch.setChecked(True)
    qtbot.waitUntil(lambda: made.preview._answer is not None and not made.preview.live.busy, timeout=120_000)
    settle(session)
    assert viewer.layers["Preview (not kept)"].data.any()
    assert made.preview.status.text().endswith("s · preview, not kept")
    chosen = resolve_settings(new_study, "watershed", {})["settings"]
    box = made.form.box("nucleus_diameter_px")
    assert box.lineEdit().placeholderText() == f"{chosen['nucleus_diameter_px']:.4g} (auto)"
    assert box.value() is None, "it is still automatic"
    assert made.circle.diameter_px == pytest.approx(chosen["nucleus_diameter_px"])
    before = made.preview.status.text()
    made.form.setValue({"nucleus_diameter_px": 40})
    qtbot.waitUntil(lambda: made.preview._answer is not None and not made.preview.live.busy, timeout=120_000)
    settle(session)
    assert made.preview.status.text() != before
    assert made.circle.diameter_px == 40
    processes = made.preview.live.process_ids
    assert processes
    made.preview.switch.setChecked(False)
    settle(session)
    assert made.preview.live.process_ids == processes[:1], "it stays warm for the next time"
    assert {"Preview (not kept)", "Diameter"}.isdisjoint(layer.name for layer in viewer.layers)
    assert new_study.segmentations == []


def test_the_preview_is_made_ready_once_the_dock_is_seen(dock: SegmentDock, monkeypatch) -> None:
    ready: list[str] = []
    dock.preview.live.start = ready.append
    dock._on_time_to_warm()
    assert ready == [], "nobody sees it yet"
    monkeypatch.setattr(dock, "isVisible", lambda: True)
    dock._on_time_to_warm()
    assert ready == ["watershed"]


def test_what_one_waits_for_is_said(dock: SegmentDock, answer) -> None:
    dock.preview.switch.setChecked(True)
    choose(dock.method_box, "nuclei")
    dock.preview.live._method, dock.preview.live._said_doing = "nuclei", STARTING
    dock.preview._on_long()
    assert dock.preview.status.text() == TORCH_WORDS
    dock.preview._on_doing(FINDING)
    assert dock.preview.status.text() == FINDING_WORDS
    answer(label_image())
    assert dock.preview.status.text() == "4 cells · 0.4 s · preview, not kept"


def test_no_process_outlives_the_dock(viewer, shown: Session, qtbot, settle) -> None:
    made = docked(viewer, SegmentDock)
    qtbot.waitUntil(lambda: made.form is not None, timeout=120_000)
    made.preview.switch.setChecked(True)
    (process,) = made.preview.live.process_ids
    with qtbot.waitSignal(made.destroyed):
        made.deleteLater()
    qtbot.waitUntil(lambda: not is_alive(process), timeout=60_000)


def test_every_change_asks_anew_with_what_the_run_would_be_told(dock: SegmentDock, shown: Session) -> None:
    dock.preview.switch.setChecked(True)
    study, key = shown.state.study.path, shown.state.key
    assert dock.asks == [(study, key, "watershed", {})]
    dock.form.setValue({"threshold_factor": 1.2})
    assert dock.asks[-1] == (study, key, "watershed", {"threshold_factor": 1.2})
    shown.state.choose_well("plate", "A02")
    assert dock.asks[-1] == (study, FieldKey("plate", "A02", 1), "watershed", {"threshold_factor": 1.2})


def test_the_study_s_cells_step_back_while_others_are_tried(
    viewer, dock: SegmentDock, shown: Session, answer, settle
) -> None:
    before = visible(viewer)
    dock.preview.switch.setChecked(True)
    answer(label_image() * 3)
    assert visible(viewer) == {"DNA", "GFP", "Preview (not kept)"}
    assert not viewer.layers["Preview (not kept)"].editable
    dock.preview.switch.setChecked(False)
    settle(shown)
    assert visible(viewer) == before


def test_masks_of_another_field_are_never_shown(viewer, dock: SegmentDock, shown: Session, answer, settle) -> None:
    dock.preview.switch.setChecked(True)
    answer(label_image())
    first = shown.state.key
    shown.state.choose_well("plate", "A02")
    assert not viewer.layers["Preview (not kept)"].visible, "at once, before anything is computed"
    answer(label_image(), key=first)
    assert not viewer.layers["Preview (not kept)"].visible
    answer(np.zeros((24, 24), np.int32))
    assert viewer.layers["Preview (not kept)"].visible
    assert dock.preview.status.text() == "0 cells · 0.4 s · preview, not kept"


def test_a_first_answer_says_that_the_plate_is_still_measured(dock: SegmentDock, answer) -> None:
    dock.preview.switch.setChecked(True)
    dock.preview.live._wanted = object()  # busy
    answer(label_image(), sure=False, nucleus_diameter_px=11.5)
    assert "the plate is being measured" in dock.preview.status.text()
    assert dock.form.box("nucleus_diameter_px").lineEdit().placeholderText() == "≈ 11.5 (auto)"
    dock.preview.live._wanted = None
    dock.preview._on_measured("watershed", {"nucleus_diameter_px": 12.25})
    assert dock.preview.status.text() == "4 cells · 0.4 s · preview, not kept"
    assert dock.form.box("nucleus_diameter_px").lineEdit().placeholderText() == "12.25 (auto)"


def test_what_goes_wrong_is_said_in_the_dock(viewer, dock: SegmentDock, answer) -> None:
    dock.preview.switch.setChecked(True)
    answer(label_image())
    dock.preview._on_failed("plate/A01 field 1: the file is truncated.")
    assert dock.preview.status.text() == "plate/A01 field 1: the file is truncated."
    assert not viewer.layers["Preview (not kept)"].visible
    dock.name_line.setText("a/b")
    dock.run_button.click()
    assert "'a/b' cannot be the name of a folder" in dock.step_box.message.text()


def test_the_preview_waits_while_the_whole_plate_is_looked_at(dock: SegmentDock, shown: Session, settle) -> None:
    dock.preview.switch.setChecked(True)
    n = len(dock.asks)
    shown.look.scope = "plate"
    assert "choose Field" in dock.preview.status.text()
    assert len(dock.asks) == n
    shown.look.scope = "field"
    assert len(dock.asks) > n
    settle(shown)


def test_cells_are_drawn_as_outlines_or_filled(viewer, dock: SegmentDock, shown: Session, answer, settle) -> None:
    dock.preview.switch.setChecked(True)
    answer(label_image())
    layer = viewer.layers["Preview (not kept)"]
    outlined = int((np.asarray(layer.data) > 0).sum())
    dock.preview.drawing_box.setCurrentIndex(1)
    settle(shown)
    assert np.array_equal(layer.data, label_image())
    assert int((np.asarray(layer.data) > 0).sum()) > outlined
    dock.preview.opacity_slider.setValue(30)
    assert layer.opacity == pytest.approx(0.3)


# The diameter


def ring_of(viewer) -> np.ndarray:
    return np.asarray(viewer.layers["Diameter"].data)[:, 0]


def test_the_circle_is_as_large_as_the_diameter_in_pixels_of_the_image(
    viewer, dock: SegmentDock, shown: Session, settle
) -> None:
    dock.preview.switch.setChecked(True)
    dock.form.setValue({"nucleus_diameter_px": 8})
    assert np.ptp(ring_of(viewer), axis=0) == pytest.approx([8, 8], abs=0.02)
    assert (ring_of(viewer) > 0).all()
    layer, thin = viewer.layers["Diameter"], viewer.layers["Diameter"].edge_width
    viewer.scene.camera.zoom *= 4
    assert layer.edge_width == pytest.approx(thin / 4)
    assert np.ptp(ring_of(viewer), axis=0) == pytest.approx([8, 8], abs=0.02)
    dock.preview.circle_box.setChecked(False)
    settle(shown)
    assert "Diameter" not in viewer.layers


def test_dragging_the_edge_of_the_circle_sets_the_diameter(viewer, dock: SegmentDock) -> None:
    dock.preview.switch.setChecked(True)
    dock.form.setValue({"nucleus_diameter_px": 8})
    y, x = dock.circle._centre
    press = viewer.mouse_drag_callbacks[-1]
    event = SimpleNamespace(position=(y, x + 4), type="mouse_press")
    drag = press(viewer, event)
    next(drag)
    assert not viewer.scene.camera.mouse_pan
    event.type, event.position = "mouse_move", (y + 6, x)
    next(drag)
    event.type = "mouse_release"
    assert list(drag) == []
    assert viewer.scene.camera.mouse_pan
    assert dock.form.box("nucleus_diameter_px").value() == 12
    assert dock.asks[-1][3] == {"nucleus_diameter_px": 12.0}


def test_the_mouse_pointer_shows_where_the_circle_can_be_dragged(viewer, dock: SegmentDock) -> None:
    dock.preview.switch.setChecked(True)
    dock.form.setValue({"nucleus_diameter_px": 8})
    viewer.scene.camera.zoom = 20
    y, x = dock.circle._centre
    move, before = viewer.mouse_move_callbacks[-1], viewer.cursor.style
    for away, style in ((4, "pointing"), (4.1, "pointing"), (0, before), (9, before)):
        move(viewer, SimpleNamespace(position=(y, x + away), type="mouse_move"))
        assert viewer.cursor.style == style


def test_where_each_image_is_measured_by_itself_the_circle_is_what_is_usual_on_the_plate(dock: SegmentDock) -> None:
    choose(dock.method_box, "nuclei")
    dock.preview.switch.setChecked(True)
    dock._on_measured({"nucleus_diameter_px": None, "usual_diameter_px": 9.5}, sure=True)
    assert dock.circle.diameter_px == 9.5
    assert dock.diameter()[0] == "nucleus_diameter_px", "which dragging sets"
    dock.form.setValue({"nucleus_diameter_px": 14})
    assert dock.circle.diameter_px == 14


def test_beside_the_circle_the_mouse_moves_the_picture(viewer, dock: SegmentDock) -> None:
    dock.preview.switch.setChecked(True)
    dock.form.setValue({"nucleus_diameter_px": 8})
    viewer.scene.camera.zoom = 20
    y, x = dock.circle._centre
    press = viewer.mouse_drag_callbacks[-1]
    assert list(press(viewer, SimpleNamespace(position=(y, x), type="mouse_press"))) == []
    assert viewer.scene.camera.mouse_pan
    assert viewer.layers.selection.active is not viewer.layers["Diameter"]


# Comparing


@pytest.fixture
def with_other(small_study: Study) -> Study:
    """Return the small study with a second segmentation, in which one cell is missing and one is new."""
    folder = small_study.segmentation_folder("other")
    shutil.copytree(small_study.segmentation_folder("watershed"), folder)
    masks = label_image()
    masks[masks == 9] = 0
    masks[10:12, 10:12] = 4
    for key in small_study.fields:
        write_label_image(small_study.mask_path("other", key), masks)
    return small_study


def test_cells_are_compared_with_another_segmentation(
    viewer, with_other: Study, dock: SegmentDock, shown: Session, answer, settle
) -> None:
    dock.preview.offer_segmentations()
    dock.preview.switch.setChecked(True)
    choose(dock.preview.compare_box, "other")
    answer(label_image())
    words = dock.preview.agreement.text()
    assert "4 in the preview" in words
    assert "4 in other" in words
    assert "3 the same (IoU ≥ 0.5) · F1 0.750" in words
    assert "1 only in the first" in words
    assert "1 only in the second" in words
    assert {"Preview (not kept)", "other (compared)"} <= visible(viewer)
    choose(dock.preview.compare_box, "")
    settle(shown)
    assert "other (compared)" not in viewer.layers
    assert dock.preview.agreement.isHidden()


def test_the_study_s_own_cells_can_be_compared_too(
    viewer, with_other: Study, dock: SegmentDock, shown: Session, settle
) -> None:
    shown.state.segmentation = "watershed"
    dock.preview.offer_segmentations()
    choose(dock.preview.compare_box, "other")
    settle(shown)
    assert "4 in the masks shown" in dock.preview.agreement.text()
    assert "Preview (not kept)" not in viewer.layers
    assert "other (compared)" in visible(viewer)


def test_two_pictures_side_by_side_follow_one_camera(
    viewer, with_other: Study, dock: SegmentDock, shown: Session, answer, settle
) -> None:
    dock.preview.offer_segmentations()
    dock.preview.switch.setChecked(True)
    choose(dock.preview.compare_box, "other")
    choose(dock.preview.way_box, BESIDE)
    answer(label_image())
    grid = viewer.canvas.grid
    assert grid.enabled
    assert grid.actual_shape(viewer.layers) == (1, 2)

    def boxes() -> tuple[set[str], set[str]]:
        at = {layer.name: grid.position(i, viewer.layers) for i, layer in enumerate(viewer.layers) if layer.visible}
        return {name for name, place in at.items() if place == (0, 0)}, {n for n, p in at.items() if p == (0, 1)}

    assert boxes() == ({"DNA", "GFP", "Preview (not kept)"}, {"DNA (right)", "GFP (right)", "other (compared)"})
    assert viewer.layers[-1].name == "other (compared)", "cells lie above the image"
    viewer.add_points([[1, 1]], name="mine")
    settle(shown)
    assert "mine" in boxes()[0]
    assert len(boxes()[1]) == 3
    shown.state.choose_well("plate", "A02")
    settle(shown)
    answer(label_image())
    assert np.array_equal(viewer.layers["DNA (right)"].data, viewer.layers["DNA"].data)
    viewer.layers["DNA"].contrast_limits = (5, 50)
    assert tuple(viewer.layers["DNA (right)"].contrast_limits) == (5, 50)
    choose(dock.preview.way_box, OVER)
    settle(shown)
    assert not grid.enabled
    assert not any("(right)" in layer.name for layer in viewer.layers)
    assert "mine" in viewer.layers


# Running


def test_the_run_is_told_which_wells(dock: SegmentDock, shown: Session) -> None:
    assert dock.run_choice.value() == ALL
    assert "--wells" not in dock.steps()[0].arguments
    dock.run_choice.set_value(SELECTION)
    assert dock.run_button.text() == "Segment this well"
    shown.state.choose_box("A01", "B02")
    assert dock.run_button.text() == "Segment 4 wells"
    arguments = dock.steps()[0].arguments
    assert arguments[arguments.index("--wells") + 1] == "plate/A01,plate/A02,plate/B01,plate/B02"
    shown.state.choose_all_wells()
    arguments = dock.steps()[0].arguments
    assert arguments[arguments.index("--wells") + 1] == "plate/*"


def test_only_several_plates_are_offered_apart(dock: SegmentDock) -> None:
    assert dock.run_choice.box.findData(PLATE) == -1


def test_replacing_a_part_says_that_all_of_it_goes(dock: SegmentDock) -> None:
    dock.overwrite_box.setChecked(True)
    assert dock.caution.isHidden()
    dock.run_choice.set_value(SELECTION)
    assert dock.caution.text() == "All of 'watershed' is thrown away, also the wells that are not chosen."
    dock.name_line.setText("new")
    assert dock.caution.isHidden()


@pytest.mark.slow
def test_the_chosen_well_is_segmented_and_its_cells_are_told_as_they_come(
    viewer, session: Session, new_study: Study, qtbot, settle
) -> None:
    made = docked(viewer, SegmentDock)
    session.open_study(new_study.path)
    settle(session)
    qtbot.waitUntil(lambda: made.form is not None, timeout=120_000)
    choose(made.method_box, "watershed")
    made.run_choice.set_value(SELECTION)
    made.run_button.click()
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=240_000)
    settle(session)
    well = new_study.fields[0].well
    keys = [key for key in new_study.fields if key.well == well]
    assert all(new_study.mask_path("watershed", key).exists() for key in keys)
    assert len(list((new_study.segmentation_folder("watershed") / "masks").rglob("*.tif"))) == len(keys)
    n_cells = made.results.sizes.sizes().n_cells
    assert f"<b>{n_cells:,} cells</b> in {len(keys)}" in made.results.counts.text()
    assert not made.results.isHidden()


def test_failed_fields_are_listed_while_the_run_goes_on(
    viewer, dock: SegmentDock, shown: Session, small_study: Study, settle
) -> None:
    key = FieldKey("plate", "B01", 1)
    shutil.rmtree(small_study.segmentation_folder("watershed"))
    write_masks(small_study, failed={key: "plate/B01 field 1: the file is truncated."})
    dock.results.follow(small_study, "watershed")
    dock.results.finish()
    settle(shown)
    assert dock.results.counts.text().startswith("<b>16 cells</b> in 4 fields")
    assert dock.results.sizes.sizes().median == 64
    assert not dock.results.sizes.grab().isNull()
    assert [dock.results.failed.item(i).text() for i in range(dock.results.failed.count())] == [
        "plate/B01 field 1: the file is truncated."
    ]
    dock.results.failed.itemClicked.emit(dock.results.failed.item(0))
    assert shown.state.key == key
    settle(shown)


# Correcting


def test_painting_and_the_preview_take_turns_and_leave_the_layers_as_they_were(
    viewer, dock: SegmentDock, shown: Session, answer, settle
) -> None:
    before = visible(viewer)
    dock.preview.switch.setChecked(True)
    answer(label_image())
    dock.corrections.paint_button.click()
    settle(shown)
    assert not dock.preview.on
    assert visible(viewer) == {"DNA", "GFP", "Masks"}
    assert viewer.layers["Masks"].editable
    viewer.layers["Masks"].data_setitem(np.nonzero(label_image() == 1), 0)
    dock.preview.switch.setChecked(True)
    answer(label_image())
    assert not shown.correcting.active
    assert not dock.corrections.paint_button.isChecked()
    assert visible(viewer) == {"DNA", "GFP", "Preview (not kept)"}
    assert shown.correcting.unsaved == [FieldKey("plate", "A01", 1)], "what was painted is kept"
    dock.preview.switch.setChecked(False)
    settle(shown)
    assert visible(viewer) == before


# Methods


def test_the_licence_of_a_method_s_weights_is_shown_where_it_is_chosen(dock: SegmentDock) -> None:
    model, _ = dock._methods["watershed"]
    dock._on_methods_loaded({"watershed": (model, ""), "cellpose": (model, "Trained on CC-BY-NC images.")})
    assert dock.licence.isHidden()
    dock.method_box.setCurrentIndex(1)
    assert dock.licence.text() == "Trained on CC-BY-NC images."
    assert not dock.licence.isHidden()
    assert dock.name_line.text() == "cellpose"


def test_licence_notes_come_from_the_segmentation_package(monkeypatch) -> None:
    from cellvote import segmentation

    monkeypatch.setattr(segmentation, "LICENCE_NOTES", {"watershed": "none needed"}, raising=False)
    assert segment._load_methods()["watershed"][1] == "none needed"
