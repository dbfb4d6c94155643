"""Images without wells: a folder for each class is listed, walked, and its map edited by image."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from cellvote.gui.docks.plate import PlateDock
from cellvote.gui.facts import read_facts
from cellvote.gui.image_list import image_words, listed_images
from cellvote.gui.plate_map_editor import PlateMapEditor
from cellvote.gui.session import Session
from cellvote.plates.layouts import read_plate
from cellvote.study import Study

CLASSES = {"anaphase": 2, "interphase": 3}


@pytest.fixture
def crops(tmp_path: Path) -> Study:
    """Return a study of a folder for each class."""
    for name, n in CLASSES.items():
        (tmp_path / "crops" / name).mkdir(parents=True)
        for number in range(1, n + 1):
            plane = np.random.default_rng(number).integers(0, 255, (16, 16)).astype(np.uint8)
            tifffile.imwrite(tmp_path / "crops" / name / f"{name[:2]}{number}.tif", plane, metadata=None)
    return Study.create(tmp_path / "crops", read_plate(tmp_path / "crops"))


@pytest.fixture
def dock(viewer, session: Session, crops: Study, settle) -> PlateDock:
    _, made = viewer.window.add_plugin_dock_widget("cellvote", "Plate")
    made.open_path(crops.path)
    settle(session)
    return made


def test_every_image_has_facts_of_its_own(crops: Study) -> None:
    facts = read_facts(crops)
    assert [(key.field, entries["image_name"]) for key, entries in sorted(facts.images.items())] == [
        (1, "an1"), (2, "an2"), (3, "in1"), (4, "in2"), (5, "in3"),
    ]  # fmt: skip
    assert facts.wells == {("crops", ""): {}}, "what is said of the last image is not said of all"
    assert image_words(facts.images) == "5 images in 2 classes"
    assert [one.class_name for one in listed_images(facts, "crops")] == ["anaphase"] * 2 + ["interphase"] * 3


def test_images_are_listed_instead_of_a_plate(dock: PlateDock, session: Session) -> None:
    page = dock.looking
    assert "5 images in 2 classes" in dock.title.text()
    assert page.images.isVisibleTo(dock)
    assert not page.view.isVisibleTo(dock)
    assert not page.colour_row.isVisibleTo(dock)
    assert page.well_label.text() == "Image 1 of 5"
    assert dock.view_bar.scopes["plate"].text() == "All images"
    assert not dock.view_bar.scopes["well"].isVisibleTo(dock)
    assert _canvas_text(session).startswith("an1")


def _canvas_text(session: Session) -> str:
    viewer = session.layers.viewer
    assert viewer is not None
    return str(viewer.canvas.overlays.text.text)


def test_a_class_is_chosen_and_walked(dock: PlateDock, session: Session, qtbot, settle) -> None:
    images = dock.looking.images
    images.class_box.setCurrentIndex(images.class_box.findData("interphase"))
    assert [one.name for one in images.listed()] == ["in1", "in2", "in3"]
    qtbot.mouseClick(dock.looking.next_button, Qt.MouseButton.LeftButton)
    assert session.state.key.field == 3, "the shown image is of another class: begin with the first"
    qtbot.mouseClick(dock.looking.next_button, Qt.MouseButton.LeftButton)
    assert session.state.key.field == 4
    qtbot.keyClick(images.table, Qt.Key.Key_Down)
    assert session.state.key.field == 5
    qtbot.mouseClick(dock.looking.next_button, Qt.MouseButton.LeftButton)
    assert session.state.key.field == 5, "the last of its class"
    settle(session)
    assert _canvas_text(session).split("\n") == ["in3", "interphase"]


def test_images_are_found_by_their_names(dock: PlateDock) -> None:
    images = dock.looking.images
    images.find_box.setText("N1")
    assert [one.name for one in images.listed()] == ["an1", "in1"]
    images.find_box.setText("nothing")
    assert images.listed() == []
    assert images.none.isVisibleTo(dock)


def test_the_map_of_images_is_edited_in_the_table(crops: Study, qtbot) -> None:
    editor = PlateMapEditor(crops)
    qtbot.addWidget(editor)
    editor.show()
    assert editor.column() == "class_name"
    assert not editor.view.isVisible()
    assert editor.panels.tabs.tabText(1) == "Mismatches: none"
    assert not editor.panels.set_button.isEnabled()
    editor.table.selectRow(1)
    assert _text(editor.panels.chosen) == "1 image chosen: field 2"
    assert editor.panels.set_button.isEnabled()
    editor.panels.value_box.setEditText("metaphase")
    qtbot.mouseClick(editor.panels.set_button, Qt.MouseButton.LeftButton)
    assert editor.plate_map()["class_name"].tolist() == ["anaphase", "metaphase", *["interphase"] * 3]
    editor.undo_stack.setClean()


def _text(label: QLabel) -> str:
    return str(label.text())
