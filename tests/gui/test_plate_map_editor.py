"""The plate-map editor: choosing wells, writing entries, controls, paste, undo, joining, saving, closing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QApplication, QInputDialog
from tests.gui.conftest import write_predictions

from cellvote.errors import PlateMapError
from cellvote.gui import plate_map_edits as edits
from cellvote.gui.plate_map_editor import PlateMapEditor
from cellvote.plates.plate_map import read_plate_map
from cellvote.plates.wells import well_name
from cellvote.study import Study

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def editor(qtbot, small_study: Study):
    """Return the editor of a study of A01–A03, B01, B02 (imaged) and B03 (on the map only)."""
    made = PlateMapEditor(small_study)
    qtbot.addWidget(made, before_close_func=lambda one: one.undo_stack.setClean())
    made.show()
    return made


def click(qtbot, editor: PlateMapEditor, well: str, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.mouseClick(editor.view, LEFT, modifier, editor.view.well_rect(well).center().toPoint())


def entries(editor: PlateMapEditor, column: str) -> dict[str, str]:
    table = editor.plate_map()
    return dict(zip(table["well"], table[column], strict=True))


def settle(qtbot, editor: PlateMapEditor) -> None:
    qtbot.waitUntil(lambda: editor.idle, timeout=20_000)


def cell(editor: PlateMapEditor, well: str, column: str):
    rows = edits.rows_of(editor.plate_map(), editor.plate())
    model = editor.panels.entries
    return model.index(model.shown_row(rows[well]), model.section_of(column))


def click_cell(qtbot, editor: PlateMapEditor, well: str, column: str) -> None:
    index = cell(editor, well, column)
    editor.table.scrollTo(index)
    place = editor.table.visualRect(index).center()
    qtbot.mouseClick(editor.table.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)


def test_the_plate_is_coloured_by_the_chosen_column_and_listed_beside(editor: PlateMapEditor) -> None:
    editor.choose_column("drug")
    looks = editor.view.colouring().wells
    assert looks["A01"].colour == looks["B01"].colour != looks["A02"].colour
    assert looks["B03"].mark == "missing"
    model = editor.panels.entries
    assert model.headerData(0, Qt.Orientation.Vertical, Qt.ItemDataRole.DisplayRole) == "A01"
    assert cell(editor, "A02", "drug").data() == "taxol"


def test_an_entry_is_written_into_all_chosen_wells_and_taken_back(qtbot, editor: PlateMapEditor) -> None:
    editor.choose_column("drug")
    click(qtbot, editor, "A01")
    click(qtbot, editor, "A03", SHIFT)
    click(qtbot, editor, "B02", CONTROL)
    assert editor.view.wells() == ["A01", "A02", "A03", "B02"]
    assert "4 wells chosen" in editor.panels.chosen.text()
    editor.panels.value_box.lineEdit().selectAll()
    qtbot.keyClicks(editor.panels.value_box.lineEdit(), "001234")
    qtbot.mouseClick(editor.panels.set_button, LEFT)
    expected = dict.fromkeys(("A01", "A02", "A03", "B02"), "001234") | {"B01": "DMSO", "B03": "taxol"}
    assert entries(editor, "drug") == expected, "identifiers stay text"
    assert editor.isWindowModified()
    editor.undo_stack.undo()
    assert entries(editor, "drug")["A01"] == "DMSO"
    editor.undo_stack.redo()
    assert entries(editor, "drug") == expected


def test_wells_are_chosen_with_the_keys(qtbot, editor: PlateMapEditor) -> None:
    click(qtbot, editor, "A01")
    qtbot.keyClick(editor.view, Qt.Key.Key_Right)
    assert editor.view.wells() == ["A02"]
    qtbot.keyClick(editor.view, Qt.Key.Key_Down, SHIFT)
    qtbot.keyClick(editor.view, Qt.Key.Key_Right, SHIFT)
    assert editor.view.wells() == ["A02", "A03", "B02", "B03"]
    qtbot.keyClick(editor.view, Qt.Key.Key_A, CONTROL)
    assert len(editor.view.wells()) == 6


def test_plate_and_table_show_the_same_choice(qtbot, editor: PlateMapEditor) -> None:
    editor.choose_column("dose")
    click(qtbot, editor, "B02")
    assert [i.data() for i in editor.table.selectedIndexes()] == ["10"]
    click_cell(qtbot, editor, "A03", "drug")
    assert editor.view.wells() == ["A03"]
    assert editor.column() == "drug", "the plate is coloured by the column that is edited"


def test_an_entry_can_be_typed_in_the_table(qtbot, editor: PlateMapEditor) -> None:
    index = cell(editor, "A03", "drug")
    assert editor.panels.entries.setData(index, "12E3", Qt.ItemDataRole.EditRole)
    assert entries(editor, "drug")["A03"] == "12E3"
    assert cell(editor, "A03", "drug").data() == "12E3"
    imaged = editor.panels.entries.index(0, 0)
    assert not editor.panels.entries.flags(imaged) & Qt.ItemFlag.ItemIsEditable


def test_controls_are_marked_and_recognised_with_their_reason(qtbot, editor: PlateMapEditor) -> None:
    words = QTextDocument()
    words.setHtml(editor.panels.control_words.text())
    assert editor.panels.control_words.textFormat() == Qt.TextFormat.RichText
    assert "drug is 'DMSO'" in words.toPlainText()
    click(qtbot, editor, "B02")
    qtbot.mouseClick(editor.panels.control_buttons["positive"], LEFT)
    assert entries(editor, "control_type")["B02"] == "positive"
    assert editor.column() == "control_type"
    click(qtbot, editor, "A01")
    qtbot.mouseClick(editor.panels.control_buttons[""], LEFT)
    assert entries(editor, "control_type")["A01"] == ""
    assert editor.panels.entries.data(cell(editor, "B01", "drug"), Qt.ItemDataRole.ToolTipRole)


def test_recognised_controls_leave_others_as_they_are(qtbot, editor: PlateMapEditor) -> None:
    click(qtbot, editor, "B02")
    qtbot.mouseClick(editor.panels.control_buttons["positive"], LEFT)
    click(qtbot, editor, "A01")
    qtbot.mouseClick(editor.panels.control_buttons[""], LEFT)
    assert editor.panels.recognised_button.isVisible()
    qtbot.mouseClick(editor.panels.recognised_button, LEFT)
    taken = entries(editor, "control_type")
    assert taken["A01"] == taken["B01"] == "negative"
    assert taken["B02"] == "positive", "nothing was recognised there"
    assert not editor.panels.recognised_button.isVisible()


def test_columns_are_added_renamed_and_removed(qtbot, editor: PlateMapEditor, monkeypatch) -> None:
    answers = iter([("passage", True), ("Passage number", True), ("DRUG", True)])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: next(answers))
    qtbot.mouseClick(editor.panels.add_button, LEFT)
    assert editor.column() == "passage"
    qtbot.mouseClick(editor.panels.rename_button, LEFT)
    assert editor.column() == "Passage number"
    qtbot.mouseClick(editor.panels.add_button, LEFT)
    assert "There is a column 'drug' already" in editor.panels.message.text()
    editor.choose_column("Passage number")
    qtbot.mouseClick(editor.panels.remove_button, LEFT)
    assert "Passage number" not in editor.plate_map()
    for _ in range(3):
        editor.undo_stack.undo()
    assert editor.undo_stack.isClean()


def test_a_block_from_a_spreadsheet_is_laid_on_the_plate(qtbot, editor: PlateMapEditor) -> None:
    editor.choose_column("dose")
    click(qtbot, editor, "A02")
    QApplication.clipboard().setText("1.0\t2\n3\t4\n")
    editor.view.setFocus()
    qtbot.keyClick(editor.view, Qt.Key.Key_V, CONTROL)
    assert [entries(editor, "dose")[well] for well in ("A02", "A03", "B02", "B03")] == ["1.0", "2", "3", "4"]
    editor.paste("\t1\t2\nA\tx\ty\nB\tz\t\n")
    assert [entries(editor, "dose")[well] for well in ("A01", "A02", "B01", "B02")] == ["x", "y", "z", ""]


def test_a_column_from_a_spreadsheet_is_pasted_into_the_table(qtbot, editor: PlateMapEditor) -> None:
    click_cell(qtbot, editor, "A02", "drug")
    QApplication.clipboard().setText("a\t7\nb\t8")
    qtbot.keyClick(editor.table, Qt.Key.Key_V, CONTROL)
    assert (entries(editor, "drug")["A02"], entries(editor, "drug")["A03"]) == ("a", "b")
    assert (entries(editor, "dose")["A02"], entries(editor, "dose")["A03"]) == ("7", "8")
    qtbot.keyClick(editor.table, Qt.Key.Key_Delete)
    assert "" in {entries(editor, "drug")["A02"], entries(editor, "drug")["A03"]}


def test_mismatches_are_listed(editor: PlateMapEditor) -> None:
    assert editor.panels.tabs.tabText(1) == "Mismatches (1)"
    assert "B03" in editor.panels.mismatches.item(0).text()


def test_a_saved_map_is_in_the_study_and_outdated_votes_are_told(qtbot, editor: PlateMapEditor, small_study) -> None:
    write_predictions(small_study)
    editor.choose_column("drug")
    click(qtbot, editor, "A03")
    editor.set_entries("nocodazole")
    with qtbot.waitSignal(editor.saved, timeout=20_000):
        qtbot.mouseClick(editor.panels.save_button, LEFT)
    saved = Study.open(small_study.path).plate_map
    assert saved.set_index("well")["drug"]["A03"] == "nocodazole"
    assert "evaluate again" in editor.panels.message.text()
    assert small_study.predictions, "nothing is deleted"
    assert not editor.isWindowModified()
    assert not editor.panels.save_button.isEnabled()


def test_a_table_is_joined_and_the_map_exported(qtbot, editor: PlateMapEditor, tmp_path: Path) -> None:
    (tmp_path / "moa.csv").write_text("drug,moa\nDMSO,none\ntaxol,tubulin\n", encoding="utf-8")
    editor.import_file(tmp_path / "moa.csv")
    settle(qtbot, editor)
    assert entries(editor, "moa")["B03"] == "tubulin"
    assert editor.isWindowModified()
    editor.export(tmp_path / "map")
    settle(qtbot, editor)
    written = read_plate_map(tmp_path / "map.csv")
    assert written.set_index("well")["moa"]["A02"] == "tubulin"
    editor.import_file(tmp_path / "missing.csv")
    settle(qtbot, editor)
    assert "cannot be opened" in editor.panels.message.text()


def test_wells_that_are_not_in_the_study_are_left_out_of_what_is_joined(qtbot, editor, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("well,batch\nA01,one\nH12,two\n", encoding="utf-8")
    editor.import_file(tmp_path / "more.csv")
    settle(qtbot, editor)
    assert entries(editor, "batch") == {"A01": "one", **dict.fromkeys(("A02", "A03", "B01", "B02", "B03"), "")}
    assert "1 wells of more.csv are not in this study" in editor.panels.message.text()
    with qtbot.waitSignal(editor.saved, timeout=20_000):
        editor.save()


@pytest.mark.parametrize(("answer", "stays"), [("cancel", True), ("discard", False), ("save", False)])
def test_unsaved_changes_are_asked_about_on_closing(qtbot, editor, monkeypatch, small_study, answer, stays) -> None:
    monkeypatch.setattr(editor, "ask_unsaved", lambda: answer)
    editor.choose_column("drug")
    click(qtbot, editor, "A03")
    editor.set_entries("changed")
    editor.close()
    qtbot.waitUntil(lambda: editor.idle and editor.isVisible() is stays, timeout=20_000)
    written = Study.open(small_study.path).plate_map.set_index("well")["drug"]["A03"]
    assert written == ("changed" if answer == "save" else "")


def test_the_plate_dock_opens_the_editor_and_shows_what_was_saved(viewer, session, small_study, qtbot, settle) -> None:
    from tests.gui.conftest import docked

    from cellvote.gui.docks.plate import PlateDock

    dock = docked(viewer, PlateDock)
    dock.open_path(small_study.path)
    settle(session)
    qtbot.mouseClick(dock.map_button, LEFT)
    editor = dock.map_editor
    editor.choose_column("drug")
    editor.view.choose(["A03"])
    editor.set_entries("nocodazole")
    with qtbot.waitSignal(editor.saved, timeout=20_000):
        editor.save()
    settle(session)
    assert session.state.facts.wells["plate", "A03"]["drug"] == "nocodazole"
    editor.close()


# Without a window


@given(st.lists(st.lists(st.text(alphabet="aZ09 ,;é", max_size=4), min_size=2, max_size=4), min_size=1, max_size=4))
def test_what_a_spreadsheet_copies_is_read_as_it_is(rows: list[list[str]]) -> None:
    width = max(map(len, rows))
    block = edits.read_block("\n".join("\t".join(row) for row in rows))
    padded = [[cell.strip() for cell in row] + [""] * (width - len(row)) for row in rows]
    while padded and not any(padded[-1]):
        padded.pop()
    assert [row[: len(block[0])] for row in padded] == block if block else padded == []


@given(st.integers(1, 16), st.integers(1, 24))
def test_a_block_lies_with_its_corner_in_the_first_well(row: int, column: int) -> None:
    laid = edits.grid_entries([["a", "b"], ["c", "d"]], well_name(row, column))
    assert laid == {
        f"{row}/{column}": "a",
        f"{row}/{column + 1}": "b",
        f"{row + 1}/{column}": "c",
        f"{row + 1}/{column + 1}": "d",
    }


def test_a_block_beside_the_plate_is_refused(small_study: Study) -> None:
    with pytest.raises(PlateMapError, match="nothing of what was copied"):
        edits.pasted_on_plate(small_study.plate_map, "plate", "drug", [["", "12"], ["H", "x"]], ["A01"])


@pytest.mark.parametrize("name", ["", "  ", "Drug", "well", "imaged"])
def test_a_column_needs_a_name_of_its_own(small_study: Study, name: str) -> None:
    with pytest.raises(PlateMapError):
        edits.check_name(small_study.plate_map, name)


def test_a_384_well_map_is_edited_without_a_noticeable_pause(qtbot, real_data: Path, tmp_path: Path) -> None:
    import time

    from cellvote.plates.acquisition import Acquisition, plane_table

    rows = [{"well": well_name(r, c), "path": f"{r}-{c}.tif"} for r in range(1, 17) for c in range(1, 25)]
    folder = real_data / "metadata_jump_target"
    maps = [folder / "JUMP-Target-1_compound_platemap.tsv", folder / "JUMP-Target-1_compound_metadata.tsv"]
    study = Study.create(tmp_path / "jump", Acquisition(tmp_path, "x", plane_table(rows), ("a",)), maps)
    editor = PlateMapEditor(study)
    qtbot.addWidget(editor, before_close_func=lambda one: one.undo_stack.setClean())
    editor.show()
    editor.choose_column("pert_iname")
    editor.view.choose(editor.view.colouring().wells)
    started = time.process_time()
    editor.set_entries("DMSO")
    assert time.process_time() - started < 0.5
    assert set(editor.plate_map()["pert_iname"]) == {"DMSO"}
    editor.undo_stack.setClean()
    editor.close()
