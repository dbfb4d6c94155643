"""The new-study form: what was found, questions to be answered, z, channels, plate maps, patterns."""

from itertools import pairwise, product
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from tests.tiny_plates import operetta_names, write_images

from cellvote.gui.docks.new_study import NewStudyForm
from cellvote.gui.pattern_builder import PatternBuilder

LEFT = Qt.MouseButton.LeftButton
WAIT_MS = 60_000


@pytest.fixture
def form(viewer, session):
    made = NewStudyForm(session)
    viewer.window.add_dock_widget(made)
    made.show()
    yield made
    made.reader.stop()


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Return a plate of four wells, two fields, two channels."""
    return write_images(tmp_path / "plate", operetta_names(product((2, 3), (4, 5)), channels=2, fields=2))


def read(form: NewStudyForm, qtbot, path: Path | str) -> NewStudyForm:
    form.set_images(path)
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    return form


def test_what_was_found_is_shown_at_once(form, qtbot, plate: Path) -> None:
    read(form, qtbot, plate)
    words = form.check.facts.text().replace("\u200b", "")
    for part in ("1 · plate", "4 · B04 … C05", "8 · 2 in a well", "16 planes in 16 files"):
        assert part in words
    assert "recognised: operetta" in form.layout_box.itemText(0)
    assert "r02c04f01p01-ch1sk1fk1fl1.tiff" in form.check.examples.text().replace("\u200b", "")
    assert "B04 · field 1" in form.check.examples.text().replace("\u200b", "")
    assert form.create_button.isEnabled()
    assert form.study.text().endswith("plate.cellvote")


def test_reading_does_not_stop_the_window(form, qtbot, plate: Path) -> None:
    """The longest pause between two ticks of a timer, while folders are read, is far below what one notices."""
    import time

    from qtpy.QtCore import QTimer

    names = operetta_names(product(range(1, 9), range(1, 13)), channels=5, fields=9)
    for name in names:
        (plate / name).touch()
    form.reader.warm_up()
    ticks: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(2)
    read(form, qtbot, plate)
    timer.stop()
    assert "96" in form.check.facts.text()
    pauses = [b - a for a, b in pairwise(ticks)]
    assert max(pauses) < 0.25, "in the window's own process it would be the time of the whole reading"


def test_a_doubt_has_to_be_answered_before_the_study_can_be_made(form, qtbot, tmp_path: Path) -> None:
    images = write_images(tmp_path / "one", operetta_names([(1, 1)], channels=1, fields=9))
    read(form, qtbot, images)
    assert [q.confirmed for q in form.check.questions] == [False]
    question = form.check.questions[0]
    assert "one well" in question.words.text().replace("\u200b", "")
    assert "--layout" not in question.words.text()
    assert not form.create_button.isEnabled()
    assert "--yes" not in form.step().arguments
    qtbot.mouseClick(question.right_button, LEFT)
    assert form.create_button.isEnabled()
    assert "--yes" in form.step().arguments
    qtbot.mouseClick(question.right_button, LEFT)
    assert not form.create_button.isEnabled(), "an answer can be taken back"


def test_a_study_is_not_made_before_there_was_a_chance_to_ask(form, qtbot, tmp_path: Path, session) -> None:
    images = write_images(tmp_path / "one", operetta_names([(1, 1)], channels=1, fields=9))
    form.set_images(images)
    form.create_button.click()
    assert session.runner.step is None
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert session.runner.step is None
    assert form.check.unanswered() == 1
    assert not (tmp_path / "one.cellvote").exists()


def test_a_study_asked_for_while_the_files_are_read_is_made_then(form, qtbot, plate: Path, session) -> None:
    form.set_images(plate)
    form.create_button.click()
    qtbot.waitUntil(lambda: session.runner.step is not None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: session.runner.step is None, timeout=WAIT_MS)
    assert plate.with_name("plate.cellvote").exists()


def test_images_of_no_known_layout_lead_to_the_pattern_builder(form, qtbot, tmp_path: Path, session) -> None:
    names = [f"e3.{r}{c:02d}.{f}.{w}.tif" for r, c, f, w in product("AB", (1, 2), (1, 2), ("x", "y"))]
    images = write_images(tmp_path / "odd", names)
    read(form, qtbot, images)
    if not form.check.error.isVisibleTo(form):  # some layout may know even these names one day
        form.check.show_summary({"error": "no layout"})
    qtbot.mouseClick(form.check.error_pattern_button, LEFT)
    qtbot.waitUntil(lambda: form.builder is not None and form.builder.usable(), timeout=WAIT_MS)
    builder = form.builder
    assert isinstance(builder, PatternBuilder)
    assert builder.names.rowCount() == 16
    qtbot.mouseClick(builder.use_button, LEFT)
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert "4 · A01 … B02" in form.check.facts.text().replace("\u200b", "")
    assert any(one.startswith("--pattern=") for one in form.step().arguments)
    assert form.pattern_button.isVisibleTo(form)


def test_giving_up_on_a_pattern_goes_back_to_recognising(form, qtbot, plate: Path) -> None:
    read(form, qtbot, plate)
    last = form.layout_box.count() - 1
    form.layout_box.setCurrentIndex(last)
    form.layout_box.activated.emit(last)
    qtbot.waitUntil(lambda: form.builder is not None, timeout=WAIT_MS)
    form.builder.reject()
    assert form.how() == form.pattern() == ""


def test_another_layout_is_tried_and_said_to_fail(form, qtbot, plate: Path) -> None:
    read(form, qtbot, plate)
    at = form.layout_box.findData("numbered")
    form.layout_box.setCurrentIndex(at)
    form.layout_box.activated.emit(at)
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert form.check.error.isVisibleTo(form)
    assert not form.create_button.isEnabled()
    assert "--layout=numbered" in form.step().arguments


def test_z_is_asked_for_only_where_there_is_a_stack(form, qtbot, plate: Path, tmp_path: Path) -> None:
    read(form, qtbot, plate)
    assert not form.choice.z_row.isVisibleTo(form)
    stack = [name.replace("p01", f"p{z:02d}") for name in operetta_names([(1, 1), (1, 2)]) for z in (1, 2, 3)]
    read(form, qtbot, write_images(tmp_path / "stack", stack))
    assert form.choice.z_row.isVisibleTo(form)
    assert "3 planes (1–3)" in form.check.facts.text()
    assert "--z" not in form.step().arguments
    form.choice.z_box.setCurrentIndex(form.choice.z_box.findData("2"))
    arguments = form.step().arguments
    assert arguments[arguments.index("--z") + 1] == "2"


def test_channels_can_be_combined(form, qtbot, plate: Path) -> None:
    read(form, qtbot, plate)
    qtbot.mouseClick(form.choice.add_button, LEFT)
    made = form.choice.forms[0]
    channels = [box.text() for box in made.boxes]
    assert len(channels) == 2
    made.name.clear()
    assert not form.create_button.isEnabled()
    assert "needs a name" in form.choice.problem.text()
    qtbot.keyClicks(made.name, "both")
    arguments = form.step().arguments
    assert arguments[arguments.index("--combine") + 1] == f"both=median({','.join(channels)})"
    made.boxes[0].click()
    assert not form.create_button.isEnabled()
    qtbot.mouseClick(made.remove_button, LEFT)
    assert form.choice.forms == []
    assert form.create_button.isEnabled()


def test_several_folders_and_plate_maps_can_be_given(form, qtbot, plate: Path, tmp_path: Path) -> None:
    other = write_images(tmp_path / "other", operetta_names([(2, 4)], channels=2))
    for name, text in (("map.csv", "well,drug\nB04,DMSO\nB05,taxol\n"), ("moa.csv", "drug,moa\ntaxol,tubulin\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    form.set_images(plate)
    form.folders.add(str(other))
    form.plate_map.setText(str(tmp_path / "map.csv"))
    form.plate_maps.add(str(tmp_path / "moa.csv"))
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert "2 · other, plate" in form.check.facts.text().replace("\u200b", "")
    words = form.map_found.text().replace("\u200b", "")
    assert "drug, moa" in words
    assert "1 negative" in words or "2 negative" in words
    arguments = form.step().arguments
    assert [str(plate), str(other)] == list(arguments[2:4])
    assert arguments.count("--plate-map") == 2


def test_a_plate_map_that_does_not_fit_is_told_before_the_study_is_made(form, qtbot, plate: Path, tmp_path) -> None:
    (tmp_path / "wrong.csv").write_text("well,drug\nH12,DMSO\n", encoding="utf-8")
    form.plate_map.setText(str(tmp_path / "wrong.csv"))
    read(form, qtbot, plate)
    assert "fits no image" in form.map_found.text().replace("\u200b", "")
    assert not form.create_button.isEnabled()
    form.plate_map.clear()
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert form.create_button.isEnabled()


def test_the_root_of_the_images_is_asked_for_where_a_table_is_given(form, qtbot, tmp_path: Path) -> None:
    (tmp_path / "load_data.csv").write_text("FileName_DNA\nx.tif\n", encoding="utf-8")
    form.set_images(tmp_path / "load_data.csv")
    assert form.root_row.isVisibleTo(form)
    form.root.setText(str(tmp_path))
    assert f"--root={tmp_path}" in form.step().arguments
    form.set_images(tmp_path)
    assert not form.root_row.isVisibleTo(form)
    assert not any(one.startswith("--root") for one in form.step().arguments)
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)


def test_a_reading_that_is_not_wanted_any_more_is_ended(form, qtbot, plate: Path, bare_study) -> None:
    form.set_images(plate)
    qtbot.waitUntil(lambda: form.reader.busy, timeout=WAIT_MS)
    form.set_images(bare_study.source)
    qtbot.waitUntil(lambda: form.idle, timeout=WAIT_MS)
    assert "recognised: numbered" in form.layout_box.itemText(0)
    QApplication.processEvents()
    assert "5 · A01" in form.check.facts.text()


def test_reading_can_be_stopped(form, qtbot, plate: Path) -> None:
    form.set_images(plate)
    qtbot.waitUntil(lambda: form.reader.busy, timeout=WAIT_MS)
    qtbot.mouseClick(form.check.stop_button, LEFT)
    assert form.idle
    assert "Reading was stopped" in form.check.error.text().replace("\u200b", "")
    assert not form.create_button.isEnabled()


def test_real_plates_are_described(form, qtbot, real_data: Path) -> None:
    form.plate_map.setText(str(real_data / "sbs_bbbc013" / "plate_metadata.csv"))
    read(form, qtbot, real_data / "sbs_bbbc013")
    words = form.check.facts.text().replace("\u200b", "")
    assert "48 · A01 … D12" in words
    assert "2 · " in words
    assert "All 48 imaged wells are described" in form.map_found.text()
    assert "8 negative, 4 positive" in form.map_found.text().replace("\u200b", "")
