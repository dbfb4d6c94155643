"""The Plate dock: open a study, walk its plates, colour them, make a new one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.gui.conftest import docked, write_masks, write_predictions

from cellvote.gui.colours import CLASS_COLOURS
from cellvote.gui.docks.plate import PlateDock
from cellvote.gui.plate_columns import CELLS, VOTE_SHARE
from cellvote.gui.session import Session, session_of
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table


@pytest.fixture
def dock(viewer, session: Session, qtbot) -> PlateDock:
    """Return the dock as napari opens it: with a proxy of the viewer."""
    _, made = viewer.window.add_plugin_dock_widget("cellvote", "Plate")
    return made


@pytest.fixture
def opened(dock: PlateDock, session: Session, small_study: Study, settle) -> PlateDock:
    dock.open_path(small_study.path)
    settle(session)
    return dock


def click(dock: PlateDock, qtbot, well: str) -> None:
    from qtpy.QtCore import Qt

    qtbot.mouseClick(
        dock.looking.view, Qt.MouseButton.LeftButton, pos=dock.looking.view.well_rect(well).center().toPoint()
    )


def choices(box) -> list[str]:
    return [box.itemText(i) for i in range(box.count())]


def test_without_a_study_the_dock_says_what_to_do(dock: PlateDock) -> None:
    assert dock.pages.currentWidget() is dock.empty


def test_an_open_study_is_coloured_by_vote_and_share(opened: PlateDock) -> None:
    assert opened.pages.currentWidget() is opened.looking
    assert "small" in opened.title.text()
    assert opened.looking.colour_box.currentData() == VOTE_SHARE
    wells = opened.looking.view.colouring().wells
    assert wells["B01"].colour == CLASS_COLOURS[0]
    assert wells["B02"].colour == CLASS_COLOURS[1]
    assert wells["B03"].mark == "missing"
    assert [(bar.name, bar.note) for bar in opened.looking.legend.bars()] == [("DMSO", "2"), ("taxol", "2")]
    assert opened.looking.view.selected() == "A01"


def test_clicking_a_well_shows_it(viewer, opened: PlateDock, session: Session, qtbot, settle) -> None:
    click(opened, qtbot, "B02")
    settle(session)
    assert session.content.key.well == "B02"
    assert opened.looking.view.selected() == "B02"
    assert viewer.canvas.overlays.text.text.startswith("B02 field 1 · taxol")
    click(opened, qtbot, "B03")
    assert session.state.key.well == "B02", "a well without images cannot be shown"


def test_every_column_and_the_cell_count_can_colour_the_plate(opened: PlateDock) -> None:
    titles = choices(opened.looking.colour_box)
    votes = ["Vote and its share", "Vote", "Vote right or wrong", "Accuracy: share of cells right"]
    assert titles[:5] == ["Votes", *votes]
    cells = titles.index("Cells")
    assert titles[cells - 2 : cells] == ["Share of DMSO", "Share of taxol"]
    assert "Margin of the vote" in titles[5:cells]
    assert titles[cells : cells + 3] == ["Cells", "Cell count", "Failed fields"]
    assert {"Plate map", "drug", "dose"} <= set(titles[cells + 3 :])
    for key in opened.looking.colour_box.choices():
        opened.looking.colour_box.choose(key)
        assert opened.looking.view.colouring().wells["A01"].colour or key.startswith("map:")


def test_the_chosen_colouring_outlives_new_results(opened: PlateDock, session: Session, small_study, settle) -> None:
    opened.colour_by(CELLS)
    write_predictions(small_study, "second")
    session.state.results_written(model="second")
    settle(session)
    assert opened.looking.colour_box.currentData() == CELLS
    assert choices(opened.looking.model_box) == ["model", "second"]
    assert opened.looking.model_box.currentText() == "second"


def test_another_classifier_recolours_plate_and_field(opened: PlateDock, session, small_study, viewer, settle) -> None:
    write_predictions(small_study, "second", min_cells=100)
    session.state.results_written()
    settle(session)
    opened.looking.model_box.setCurrentIndex(opened.looking.model_box.findText("second"))
    settle(session)
    assert opened.looking.view.colouring().wells["A01"].mark == "unknown"
    assert "too few cells to vote (4)" in viewer.canvas.overlays.text.text


def test_the_tooltip_tells_treatment_cells_and_vote(opened: PlateDock) -> None:
    words = opened.looking.tooltip("A01")
    for part in ("DMSO", "dose", "DMSO · 75 % of 4 cells", "true: DMSO ✓"):
        assert part in words


def test_several_fields_are_walked_by_choice_and_by_arrows(viewer, session, study: Study, qtbot, settle) -> None:
    dock = docked(viewer, PlateDock)
    dock.open_path(study.path)
    settle(session)
    assert choices(dock.looking.field_box) == ["field 1 of 2", "field 2 of 2"]
    assert not dock.looking.strip.isHidden()
    dock.looking.field_box.setCurrentIndex(1)
    assert session.state.key.field == 2
    dock.looking.next_button.click()
    assert session.state.key.field == 1
    assert session.state.key != study.fields[0]
    dock.looking.previous_button.click()
    assert session.state.key == study.fields[1]
    settle(session)


def test_several_plates_can_be_chosen(viewer, session, tiny_plate, tmp_path, qtbot, settle) -> None:
    from qtpy.QtCore import Qt

    from cellvote.plates.layouts import read_plate

    for name in ("one", "two"):
        shutil.copytree(tiny_plate.images_folder, tmp_path / name / "Images")
        for index in (tmp_path / name / "Images").glob("*.xml"):
            index.write_bytes(index.read_bytes().replace(b"P-1", f"P-{name}".encode()))
    study = Study.create(tmp_path / "both", read_plate([tmp_path / "one", tmp_path / "two"]))
    dock = docked(viewer, PlateDock)
    dock.open_path(study.path)
    settle(session)
    assert choices(dock.looking.plate_box) == ["P-one", "P-two"]
    session.state.choose_well("P-one", "B02")
    dock.looking.plate_box.setCurrentIndex(1)
    settle(session)
    assert session.state.key[:2] == ("P-two", "B02"), "the well is kept"
    assert viewer.canvas.overlays.text.text.startswith("P-two/")
    dock.looking.previous_plate.click()
    assert session.state.plate == "P-one"
    assert not dock.looking.previous_plate.isEnabled()
    dock.looking.next_plate.click()
    assert dock.looking.plate_box.currentText() == "P-two"
    viewer.window._qt_window.show()
    viewer.window._qt_window.activateWindow()
    dock.looking.view.setFocus()
    for key, plate in ((Qt.Key.Key_PageUp, "P-one"), (Qt.Key.Key_PageDown, "P-two")):
        qtbot.waitUntil(lambda: dock.looking.view.hasFocus())
        qtbot.keyClick(dock.looking.view, key, Qt.KeyboardModifier.ControlModifier)
        assert session.state.key[:2] == (plate, "B02")
    settle(session)


@pytest.fixture
def measured(dock: PlateDock, session: Session, bare_study: Study, settle, qtbot) -> PlateDock:
    """Return the dock with a study whose cells have an area: of well A01 1 to 4, of A02 2 to 5, and so on."""
    write_masks(bare_study, failed={FieldKey("plate", "B02", 1): "the file is truncated"})
    path = bare_study.cells_path("watershed")
    cells = read_table(path)
    cells = cells[cells["well"] != "B02"]
    first = cells["well"].map({"A01": 1.0, "A02": 2.0, "A03": 3.0, "B01": 4.0})
    write_table(path, cells.assign(area=first + cells.groupby("well").cumcount()))
    dock.open_path(bare_study.path)
    settle(session)
    return dock


def colour_by(dock: PlateDock, key: str, qtbot) -> None:
    dock.looking.colour_box.choose(key)
    qtbot.waitUntil(lambda: not dock.looking.busy, timeout=20_000)


def test_any_measurement_can_colour_the_plate(measured: PlateDock, qtbot) -> None:
    page = measured.looking
    assert page.statistic_box.isHidden()
    colour_by(measured, "measured:area", qtbot)
    assert not page.statistic_box.isHidden()
    wells = page.view.colouring().wells
    assert wells["A01"].at == 0
    assert wells["B01"].at == 1
    assert (wells["B02"].colour, wells["B02"].mark) == ("", "failed")
    assert (page.legend.bars()[0].low, page.legend.bars()[0].high) == ("2.5", "5.5 px²")
    assert "2.5 px²" in page.tooltip("A01")
    assert page.selection.text() == "A01 · 4 cells · 2.5 px²"


def test_the_mean_can_stand_for_the_cells(measured: PlateDock, qtbot) -> None:
    page = measured.looking
    colour_by(measured, "measured:area", qtbot)
    page.statistic_box.setCurrentText("mean")
    qtbot.waitUntil(lambda: not page.busy, timeout=20_000)
    assert "mean area" in page.tooltip("A01")


def test_cells_measured_anew_colour_the_plate_anew(measured: PlateDock, session, bare_study, qtbot, settle) -> None:
    page = measured.looking
    colour_by(measured, "measured:area", qtbot)
    path = bare_study.cells_path("watershed")
    write_table(path, read_table(path).assign(area=lambda table: table["area"] + 1000))
    session.state.results_written()
    settle(session)
    qtbot.waitUntil(lambda: not page.busy, timeout=20_000)
    assert page.legend.bars()[0].low == "1,002"


def test_a_measurement_that_is_gone_is_no_longer_offered(
    measured: PlateDock, session, bare_study, qtbot, settle
) -> None:
    page = measured.looking
    colour_by(measured, "measured:area", qtbot)
    path = bare_study.cells_path("watershed")
    write_table(path, read_table(path).drop(columns="area"))
    session.state.results_written()
    settle(session)
    assert "measured:area" not in page.colour_box.choices()
    assert page.colour_box.currentData() == CELLS


def test_a_cells_table_that_cannot_be_read_is_said(measured: PlateDock, bare_study: Study, qtbot) -> None:
    page = measured.looking
    bare_study.cells_path("watershed").write_bytes(b"PAR1 and then nothing")
    colour_by(measured, "measured:area", qtbot)
    assert "cannot be read" in page.problem.text()
    assert not page.problem.isHidden()
    assert page.view.colouring().wells["A01"].mark == "unknown"
    colour_by(measured, CELLS, qtbot)
    assert page.problem.isHidden()


def test_several_wells_are_chosen_summed_up_and_copied(opened: PlateDock, session: Session, qtbot) -> None:
    from qtpy.QtCore import Qt

    page = opened.looking
    page.colour_box.choose("share:taxol")
    assert page.copy_button.isHidden()
    place = page.view.well_rect("A03").center().toPoint()
    qtbot.mouseClick(page.view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, place)
    assert page.view.chosen() == {"A01", "A02", "A03"}
    assert session.state.key.well == "A01"
    assert page.selection.text() == "3 wells · 12 cells · mean 58 % ± 38 % (SD, well level)"
    with qtbot.waitSignal(page.textCopied) as told:
        qtbot.keyClick(page.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert [line.split("\t")[1] for line in told.args[0].splitlines()] == ["well", "A01", "A02", "A03"]
    qtbot.keyClick(page.view, Qt.Key.Key_Escape)
    assert page.view.chosen() == {"A01"}


def test_pointing_at_a_class_in_the_legend_shows_its_wells(opened: PlateDock) -> None:
    page = opened.looking
    page.colour_box.choose("vote")
    taxol = next(entry for entry in page.legend.entries() if entry.name == "taxol")
    page.legend.entryHovered.emit(taxol)
    assert page.view._bright == {"A02", "B02"}
    page.legend.entryHovered.emit(None)
    assert page.view._bright is None


def test_failed_fields_are_marked_in_the_strip(measured: PlateDock, session: Session) -> None:
    session.state.choose_well("plate", "B02")
    assert measured.looking.strip.failed() == {1: "the file is truncated"}
    session.state.choose_well("plate", "A01")
    assert measured.looking.strip.failed() == {}


def test_a_folder_of_images_is_offered_as_a_new_study(dock: PlateDock, bare_study: Study) -> None:
    dock.open_path(bare_study.source)
    assert dock.pages.currentWidget() is dock.new_study
    assert dock.new_study.images.text() == str(bare_study.source)
    assert dock.new_study.study.text().endswith("plate.cellvote")
    dock.new_study.back_button.click()
    assert dock.pages.currentWidget() is dock.empty


def test_a_new_study_is_made_and_opened(
    dock: PlateDock, session, bare_study: Study, tmp_path: Path, qtbot, settle
) -> None:
    plate_map = tmp_path / "map.csv"
    plate_map.write_text("well,drug\nA01,DMSO\nA02,taxol\n", encoding="utf-8")
    form = dock.new_study
    dock.open_path(bare_study.source)
    form.plate_map.setText(str(plate_map))
    form.study.setText(str(tmp_path / "made"))
    qtbot.waitUntil(lambda: form.idle, timeout=60_000)
    form.create_button.click()
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=60_000)
    settle(session)
    assert session.state.study.path == tmp_path / "made.cellvote"
    assert dock.pages.currentWidget() is dock.looking
    assert "map:drug" in dock.looking.colour_box.choices()


def test_a_study_that_cannot_be_made_says_why(dock: PlateDock, session, bare_study: Study, qtbot) -> None:
    form = dock.new_study
    dock.open_path(bare_study.source)
    form.study.setText(str(bare_study.path))
    qtbot.waitUntil(lambda: form.idle, timeout=60_000)
    form.create_button.click()
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=60_000)
    assert "is there already" in form.step_box.message.text()
    assert form.create_button.isEnabled()


def test_the_dock_goes_on_with_the_layers_of_a_reader(viewer, small_study: Study, qtbot, settle) -> None:
    from cellvote.gui.readers import study_layers

    for data, options, kind in study_layers(small_study):
        getattr(viewer, f"add_{kind}")(data, **options)
    layers = list(viewer.layers)
    docked(viewer, PlateDock)
    session = session_of(viewer)
    settle(session)
    assert session.state.study.path == small_study.path
    assert list(viewer.layers) == layers
    session.state.choose_well("plate", "B02")
    settle(session)
    assert list(viewer.layers) == layers
    assert "B02" in viewer.canvas.overlays.text.text


def test_the_dock_says_in_one_place_how_to_begin(dock: PlateDock, qtbot) -> None:
    from qtpy.QtCore import Qt

    assert not dock.top.isVisibleTo(dock), "without a study there is no title, nor its menu"
    qtbot.mouseClick(dock.new_button, Qt.MouseButton.LeftButton)
    assert dock.pages.currentWidget() is dock.new_study
    assert not dock.top.isVisibleTo(dock), "the form has a button of its own to go back"


def test_another_study_is_asked_for_in_the_menu(opened: PlateDock) -> None:
    assert opened.top.isVisibleTo(opened)
    actions = {action.text(): action for action in opened.study_button.menu().actions()}
    assert [*actions] == ["New study …", "Open a study …"]
    actions["New study …"].trigger()
    assert opened.pages.currentWidget() is opened.new_study


def test_the_session_waits_for_what_the_plate_reads(measured: PlateDock, session: Session, settle) -> None:
    measured.colour_by("measured:area")
    assert measured.busy
    assert not session.idle
    settle(session)
    assert not measured.busy


def test_nothing_to_colour_by_is_said(dock: PlateDock, session: Session, tmp_path: Path, settle) -> None:
    images = tmp_path / "plate"
    images.mkdir()
    plane = np.zeros((16, 16), np.uint16)
    tifffile.imwrite(images / "GFP-01-A-01.tif", plane, metadata=None)
    Study.create(tmp_path / "bare", read_plate(images))
    dock.open_path(tmp_path / "bare.cellvote")
    settle(session)
    assert dock.looking.hint.isVisibleTo(dock)
    assert dock.title.text().endswith("1 well · 1 field")
