"""Masks are corrected in the window: painted, kept while one looks around, saved into the study."""

import numpy as np
import pytest
from tests.gui.conftest import label_image

from cellvote.gui.corrections import CorrectionsBox
from cellvote.gui.session import Session
from cellvote.plates.acquisition import FieldKey
from cellvote.study.corrections import read_corrections, read_drafts
from cellvote.study.ledger import Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import read_label_image

A01, A02 = FieldKey("plate", "A01", 1), FieldKey("plate", "A02", 1)


@pytest.fixture
def box(viewer, shown: Session) -> CorrectionsBox:
    box = CorrectionsBox(shown)
    viewer.window.add_dock_widget(box, name="Corrections")
    return box


def paint_cell_away(viewer, label_id: int = 1) -> None:
    layer = viewer.layers["Masks"]
    layer.data_setitem(np.nonzero(layer.data == label_id), 0)


def masks_of(session: Session, key: FieldKey = A01) -> np.ndarray:
    return read_label_image(session.state.study.mask_path("watershed", key))


def test_masks_can_be_painted_only_where_that_is_wanted(viewer, shown, box, settle) -> None:
    masks, predictions = viewer.layers["Masks"], viewer.layers["Predictions"]
    assert not masks.editable
    box.paint_button.click()
    settle(shown)
    assert masks.editable
    assert (masks.visible, predictions.visible) == (True, False)
    assert viewer.layers.selection.active is masks
    assert (masks.mode, masks.selected_label) == ("paint", 10)
    box.paint_button.click()
    settle(shown)
    assert not masks.editable
    assert (masks.visible, predictions.visible) == (False, True)


def test_saved_corrections_are_in_the_study_and_marked(viewer, shown, box, settle) -> None:
    others = shown.state.study.mask_path("watershed", A02).read_bytes()
    box.paint_button.click()
    settle(shown)
    assert not box.save_button.isEnabled()
    paint_cell_away(viewer)
    assert box.save_button.isEnabled()
    assert box.unsaved_label.text() == "Not saved yet: plate/A01 field 1"
    box.save_button.click()
    settle(shown)
    expected = label_image()
    expected[expected == 1] = 0
    assert np.array_equal(masks_of(shown), expected)
    ledger = Ledger(shown.state.study.segmentation_folder("watershed") / "fields.parquet")
    assert [key for key, record in ledger.records.items() if record.edited] == [A01]
    assert len(read_corrections(shown.state.study, "watershed")) == 1
    assert shown.state.study.mask_path("watershed", A02).read_bytes() == others
    assert "A01 field 1 saved, 3 cells: 1 removed" in box.told_label.text()
    assert not box.save_button.isEnabled()
    assert np.array_equal(viewer.layers["Masks"].data, expected)
    assert viewer.layers["Masks"].editable  # one goes on painting


def test_a_cell_painted_with_the_brush_as_it_is_becomes_a_new_cell(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    layer = viewer.layers["Masks"]
    layer.selected_label = 1
    layer.brush_size = 1
    layer.paint((11, 11), 1)
    box.save_button.click()
    settle(shown)
    assert masks_of(shown)[11, 11] == 10
    assert viewer.layers["Masks"].data[11, 11] == 10


def test_corrections_are_kept_while_one_looks_at_other_fields(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert np.array_equal(viewer.layers["Masks"].data, label_image())
    assert viewer.layers["Masks"].editable
    assert np.array_equal(masks_of(shown), label_image())  # not saved
    assert box.unsaved_label.text() == "Not saved yet: plate/A01 field 1"
    paint_cell_away(viewer, 9)
    shown.state.choose_well("plate", "A01")
    settle(shown)
    assert 1 not in viewer.layers["Masks"].data
    assert box.unsaved_label.text() == "Not saved yet: plate/A01 field 1, plate/A02 field 1"
    box.save_button.click()
    settle(shown)
    assert 1 not in masks_of(shown)
    assert 9 not in masks_of(shown, A02)
    assert shown.correcting.unsaved == []
    assert read_drafts(shown.state.study, "watershed") == {}


def test_corrections_outlive_the_window(viewer, shown, box, settle, make_napari_viewer) -> None:
    from cellvote.gui.session import session_of

    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    shown.close()
    assert list(read_drafts(shown.state.study, "watershed")) == [A01]
    again = session_of(make_napari_viewer())
    again.open_study(shown.state.study.path)
    settle(again)
    assert again.correcting.unsaved == [A01]
    again.correcting.start()
    settle(again)
    assert 1 not in again.layers.layer("masks").data
    again.close()


def test_a_step_that_writes_results_takes_nothing_from_the_painter(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    shown.state.results_written()
    settle(shown)
    assert 1 not in viewer.layers["Masks"].data
    assert viewer.layers["Masks"].editable


def test_discarding_shows_the_masks_of_the_study(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    box.discard_button.click()
    assert np.array_equal(viewer.layers["Masks"].data, label_image())
    assert not box.save_button.isEnabled()
    box.paint_button.click()
    settle(shown)
    assert read_drafts(shown.state.study, "watershed") == {}


def test_leaving_the_brush_shows_the_masks_of_the_study_and_keeps_what_was_painted(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    box.paint_button.click()
    settle(shown)
    assert np.array_equal(viewer.layers["Masks"].data, label_image())
    assert box.save_button.isEnabled()
    box.paint_button.click()
    settle(shown)
    assert 1 not in viewer.layers["Masks"].data


def test_while_a_step_writes_the_study_it_is_said_why_nothing_is_saved(viewer, shown, box, settle) -> None:
    box.paint_button.click()
    settle(shown)
    paint_cell_away(viewer)
    with run_alone(shown.state.study.path, "measure"):
        box.save_button.click()
        settle(shown)
    assert "measure is running on it" in box.told_label.text()
    assert np.array_equal(masks_of(shown), label_image())
    assert shown.correcting.unsaved == [A01]
    box.save_button.click()
    settle(shown)
    assert 1 not in masks_of(shown)


def test_without_masks_there_is_nothing_to_correct(viewer, session, bare_study, settle) -> None:
    box = CorrectionsBox(session)
    viewer.window.add_dock_widget(box, name="Corrections")
    session.open_study(bare_study.path)
    settle(session)
    assert box.isHidden()
    assert not session.correcting.can_paint
