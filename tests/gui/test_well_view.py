"""The whole well on the canvas, z-planes and timepoints with sliders, and what is read ahead."""

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.gui.conftest import label_image
from tests.tiny_plates import operetta_names, write_images

from cellvote.gui.read_ahead import FieldCache, ReadAhead
from cellvote.gui.session import Session
from cellvote.gui.well_view import neighbours, read_well
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.study.masks import write_label_image


def text_of(viewer) -> str:
    return viewer.canvas.overlays.text.text.replace("\n", " · ")


@pytest.fixture
def two_fields(new_study: Study, session: Session, settle) -> Session:
    """Return a session that shows the tiny plate: two fields a well, with stage positions."""
    session.open_study(new_study.path)
    settle(session)
    return session


@pytest.fixture
def z_stack(tmp_path: Path) -> Study:
    """Return a study of two wells with three z-planes in the first channel, one in the second; z 2 is brightest."""
    names = [name.replace("p01", f"p0{z}") for z in (1, 2, 3) for name in operetta_names([(1, 1), (1, 2)])]
    names = [name for name in names if "ch1" in name or "p01" in name]
    write_images(tmp_path / "plate", names)
    for name in names:
        value = {"p01": 10, "p02": 30, "p03": 20}[name[9:12]]
        tifffile.imwrite(tmp_path / "plate" / name, np.full((8, 8), value, np.uint16), metadata=None)
    return Study.create(tmp_path / "z", read_plate(tmp_path / "plate"))


def test_the_fields_of_a_well_are_stitched_in_the_same_layers(viewer, two_fields: Session, settle) -> None:
    layers, study = list(viewer.layers), two_fields.state.study
    key = two_fields.state.key
    two_fields.look.scope = "well"
    settle(two_fields)
    assert list(viewer.layers) == layers
    first, second = (study.read_field(key._replace(field=n))[0] for n in (1, 2))
    shown = np.asarray(layers[0].data)
    assert shown.size == first.size + second.size
    assert sorted(shown.ravel()) == sorted([*first.ravel(), *second.ravel()])
    assert "2 fields by stage position" in text_of(viewer)
    two_fields.look.scope = "field"
    settle(two_fields)
    assert np.array_equal(layers[0].data, first)


def test_cells_of_a_stitched_well_keep_label_ids_of_their_own(new_study: Study) -> None:
    keys = new_study.fields[:2]
    size = new_study.read_field(keys[0]).shape[-1]
    for key in keys:
        write_label_image(new_study.mask_path("watershed", key), label_image(size))
    content = read_well(new_study, keys, "watershed", None, FieldCache())
    assert content.n_cells == 8
    assert len(np.unique(content.masks)) == 9


def test_the_well_is_shown_though_one_field_cannot_be_read(new_study: Study) -> None:
    keys = new_study.fields[:2]
    new_study.planes["path"] = new_study.planes["path"].where(new_study.planes["field"] != 2, "gone.tif")
    content = read_well(new_study, keys, "", None, FieldCache())
    assert content.image[0].any()
    assert "gone.tif" in content.error


def test_z_is_projected_until_sliders_are_wanted(viewer, session: Session, z_stack: Study, settle) -> None:
    session.open_study(z_stack.path)
    settle(session)
    assert [int(np.asarray(layer.data)[0, 0]) for layer in viewer.layers] == [30, 10]
    session.look.by_z = True
    settle(session)
    assert [layer.data.shape for layer in viewer.layers] == [(3, 8, 8)] * 2
    assert viewer.dims.axis_labels == ("z", "y", "x")
    assert text_of(viewer) == "A01 field 1 · z 2"
    viewer.dims.set_current_step(0, 2)
    assert text_of(viewer) == "A01 field 1 · z 3"
    assert int(viewer.layers[0]._slice.image.raw[0, 0]) == 20
    assert int(viewer.layers[1]._slice.image.raw[0, 0]) == 10, "a channel of one plane is the same at every z"
    session.look.by_z = False
    settle(session)
    assert viewer.dims.ndim == 2
    assert [int(np.asarray(layer.data)[0, 0]) for layer in viewer.layers] == [30, 10]
    assert text_of(viewer) == "A01 field 1"


def test_the_slider_stays_where_it_is_on_the_next_well(viewer, session: Session, z_stack: Study, settle) -> None:
    session.open_study(z_stack.path)
    session.look.by_z = True
    settle(session)
    viewer.dims.set_current_step(0, 0)
    session.state.choose_well(z_stack.plates[0], "A02")
    settle(session)
    assert viewer.dims.current_step[0] == 0
    assert text_of(viewer) == "A02 field 1 · z 1"


def test_a_plate_folder_has_a_slider_for_z_too(z_stack: Study, qapp) -> None:
    from cellvote.gui.readers import read_plate_folder

    data, options, _ = read_plate_folder(str(z_stack.source))[0]
    assert options["axis_labels"] == ("well", "z", "y", "x")
    assert np.asarray(data[1, :, 0, 0]).tolist() == [10, 30, 20]
    assert options["metadata"]["cellvote"]["name_of"]((1, 2)) == "A02 field 1 · z 3"


def test_channels_that_are_there_are_shown_though_one_is_missing(viewer, shown: Session, settle) -> None:
    study = shown.state.study
    gone = (study.planes["well"] == "A02") & (study.planes["channel"] == 1)
    study.planes["path"] = study.planes["path"].where(~gone, "gone.tif")
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert viewer.layers["DNA"].data.any()
    assert not viewer.layers["GFP"].data.any()
    assert "gone.tif" in text_of(viewer)


def test_contrast_is_reset_to_what_the_plate_asks_for(viewer, shown: Session, settle) -> None:
    chosen = tuple(viewer.layers["DNA"].contrast_limits)
    viewer.layers["DNA"].contrast_limits = (1, 2)
    shown.reset_contrast()
    settle(shown)
    assert tuple(viewer.layers["DNA"].contrast_limits) == chosen
    assert shown.state.contrast["DNA"] == chosen


def test_contrast_is_chosen_once_for_a_study(shown: Session, monkeypatch) -> None:
    from cellvote.gui import contrast

    study = shown.state.study
    before = contrast.kept_contrast(study)
    monkeypatch.setattr(contrast, "read_channels", None)
    assert contrast.kept_contrast(Study.open(study.path)) == before


def test_the_wells_beside_and_the_next_field_are_read_ahead(two_fields: Session) -> None:
    two_fields.state.choose_well("P-1", "B02")
    assert neighbours(two_fields.state) == [
        FieldKey("P-1", "B02", 2),
        FieldKey("P-1", "B01", 2),
        FieldKey("P-1", "B03", 1),
        FieldKey("P-1", "B01", 1),
        FieldKey("P-1", "C02", 1),
        FieldKey("P-1", "A02", 1),
    ]


def test_a_field_that_was_read_is_not_read_again_until_its_file_changes(bare_study: Study, monkeypatch) -> None:
    cache, key = FieldCache(), bare_study.fields[0]
    read = cache.read(bare_study, key)
    assert cache.read(bare_study, key) is read
    path = bare_study.source / bare_study.planes_of(key)["path"].iloc[0]
    tifffile.imwrite(path, np.full((24, 24), 3, np.uint16), metadata=None)
    assert (cache.read(bare_study, key)[0] == 3).all()


def test_the_oldest_fields_are_forgotten_when_memory_is_full(bare_study: Study) -> None:
    one = 2 * 24 * 24 * 2
    cache = FieldCache(budget_bytes=2 * one)
    reads = [cache.read(bare_study, key) for key in bare_study.fields[:3]]
    assert len(cache) == 2
    assert cache.read(bare_study, bare_study.fields[2]) is reads[2]
    assert cache.read(bare_study, bare_study.fields[0]) is not reads[0]


def test_reading_ahead_stops_as_soon_as_something_else_is_wanted(bare_study: Study, monkeypatch, qtbot) -> None:
    import cellvote.plates.fields as fields

    gate, reads = threading.Event(), []
    original = fields.read_plane

    def slow(*arguments):
        reads.append(arguments)
        gate.wait(10)
        return original(*arguments)

    monkeypatch.setattr(fields, "read_plane", slow)
    cache = FieldCache()
    ahead = ReadAhead(cache)
    ahead.start(bare_study, bare_study.fields)
    qtbot.waitUntil(lambda: len(reads) == 1)
    ahead.stop()
    gate.set()
    ahead.start(bare_study, [])
    qtbot.wait(100)
    assert len(reads) == 1
    assert len(cache) == 0
