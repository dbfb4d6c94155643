"""What napari opens through us: studies, plate folders, sample data, and nothing else."""

import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from tests.tiny_plates import write_images

from cellvote.errors import ImageReadError
from cellvote.gui.readers import plate_reader, read_plate_folder, read_study, study_reader
from cellvote.gui.sample_data import sample_study
from cellvote.gui.view import DOCKS, open_viewer
from cellvote.study import Study


def test_a_study_is_read_as_the_layers_of_its_first_field(small_study: Study, qapp) -> None:
    assert study_reader(str(small_study.path)) is read_study
    layers = read_study([str(small_study.path)])
    assert [(options["name"], kind) for _, options, kind in layers] == [
        ("DNA", "image"),
        ("GFP", "image"),
        ("Masks", "labels"),
        ("Predictions", "labels"),
    ]
    assert {options["metadata"]["cellvote"]["study"] for _, options, _ in layers} == {str(small_study.path)}


def test_napari_opens_a_study_with_the_plate_dock_beside(make_napari_viewer, small_study: Study, qtbot, settle) -> None:
    from cellvote.gui.session import session_of

    viewer = make_napari_viewer()
    viewer.open(small_study.path, plugin="cellvote")
    qtbot.waitUntil(lambda: session_of(viewer).state.study is not None, timeout=10_000)
    settle(session_of(viewer))
    assert len(viewer.layers) == 4
    assert "A01 field 1" in viewer.canvas.overlays.text.text
    session_of(viewer).close()


def test_a_plate_folder_opens_lazily_with_a_slider_for_the_wells(bare_study: Study, qapp) -> None:
    assert plate_reader(str(bare_study.source)) is read_plate_folder
    (dna, options, kind), (_, gfp, _) = read_plate_folder(str(bare_study.source))
    assert isinstance(dna, da.Array)
    assert (dna.shape, kind) == ((5, 24, 24), "image")
    assert (options["name"], gfp["name"]) == ("DNA", "GFP")
    assert options["axis_labels"] == ("well", "y", "x")
    third = bare_study.read_field(bare_study.fields[2])[0]
    assert np.array_equal(np.asarray(dna[2]), third)
    assert options["metadata"]["cellvote"]["names"][2] == "A03 field 1"


def test_a_plate_with_several_fields_has_a_slider_for_these_too(tiny_plate, qapp) -> None:
    data, options, _ = read_plate_folder(str(tiny_plate.images_folder))[0]
    assert data.shape[:2] == (16, 2)
    assert options["axis_labels"] == ("well", "field", "y", "x")


def test_wells_with_different_fields_stand_in_one_row(tmp_path: Path, qapp) -> None:
    names = [f"r01c0{c}f0{f}p01-ch1sk1fk1fl1.tiff" for c, f in ((1, 1), (1, 2), (2, 1))]
    write_images(tmp_path, names)
    data, options, _ = read_plate_folder(str(tmp_path))[0]
    assert data.shape == (3, 8, 8)
    assert options["axis_labels"] == ("image", "y", "x")


def test_an_image_of_another_size_is_an_error_and_never_stretched(bare_study: Study, qapp) -> None:
    data, _, _ = read_plate_folder(str(bare_study.source))[0]
    tifffile.imwrite(bare_study.source / "DNA-02-A-02.tif", np.zeros((48, 48), np.uint16))
    with pytest.raises(ImageReadError, match="48 × 48 px, the first image 24 × 24 px"):
        np.asarray(data[1])


def test_the_name_of_the_well_stands_on_the_canvas_as_the_slider_moves(
    viewer, session, bare_study: Study, qapp
) -> None:
    for data, options, _ in read_plate_folder(str(bare_study.source)):
        viewer.add_image(data, **options)
    viewer.dims.set_current_step(0, 3)
    assert viewer.canvas.overlays.text.text == "B01 field 1"


def test_other_folders_are_left_to_other_readers_at_once(tmp_path: Path) -> None:
    write_images(tmp_path / "holiday", ["beach.tif", "sunset.tif"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "image.zarr").mkdir()
    (tmp_path / "fake.cellvote").mkdir()
    file = tmp_path / "holiday" / "beach.tif"
    for path in (tmp_path / "holiday", tmp_path / "empty", tmp_path / "image.zarr", tmp_path / "fake.cellvote", file):
        assert plate_reader(str(path)) is None
        assert study_reader(str(path)) is None
    assert plate_reader([str(tmp_path), str(tmp_path)]) is None
    started = time.monotonic()
    assert plate_reader(sys.prefix) is None
    assert time.monotonic() - started < 5


def test_the_sample_plate_is_made_once(tmp_path: Path) -> None:
    settings = {"rows": 2, "columns": 3, "field_size_px": 64, "fields_per_well": 1}
    made = sample_study(tmp_path, **settings)
    assert "moa" in made.plate_map
    written = (made.path / "study.json").stat().st_mtime_ns
    again = sample_study(tmp_path, **settings)
    assert (again.path / "study.json").stat().st_mtime_ns == written


def test_view_opens_the_study_with_every_dock(
    small_study: Study, make_napari_viewer, monkeypatch, qtbot, settle
) -> None:
    import napari

    from cellvote.gui.session import session_of

    monkeypatch.setattr(napari, "Viewer", lambda **kwargs: make_napari_viewer(show=kwargs["show"]))
    viewer = open_viewer(small_study.path, show=False)
    settle(session_of(viewer))
    assert session_of(viewer).content.key == small_study.fields[0]
    for name in DOCKS:
        _, widget = viewer.window.add_plugin_dock_widget("cellvote", name)
        assert widget.session is session_of(viewer), "it is there already: opening it again gives the same"
    session_of(viewer).close()


OPEN_EVERY_DOCK = """
import sys
from napari import Viewer
viewer = Viewer(show=False)
from cellvote.gui.view import add_docks
add_docks(viewer)
from cellvote.gui.session import session_of
session_of(viewer).open_study(sys.argv[1])
from qtpy.QtCore import QCoreApplication
import time
end = time.monotonic() + 30
segment = viewer.window.add_plugin_dock_widget("cellvote", "Segment")[1]
while time.monotonic() < end and (segment.form is None or not session_of(viewer).idle):
    QCoreApplication.processEvents()
assert segment.form is not None
print(sorted({"torch", "cellpose", "sklearn"} & set(sys.modules)))
viewer.close()
"""


def test_opening_every_dock_imports_no_deep_learning_library(small_study: Study, qapp) -> None:
    command = [sys.executable, "-c", OPEN_EVERY_DOCK, str(small_study.path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip().splitlines()[-1] == "[]"
