"""A real viewer shows fields: channels, masks, coloured cells, words on the canvas, facts in the status bar."""

import gc
import threading
import weakref

import numpy as np
import pytest
from tests.gui.conftest import label_image, write_masks, write_predictions

from cellvote.gui.background import Background
from cellvote.gui.canvas_text import wrapped
from cellvote.gui.colours import CLASS_COLOURS, rgb
from cellvote.gui.layer_data import MASKS, PREDICTIONS, channel_role
from cellvote.gui.session import session_of
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study


def text_of(viewer) -> str:
    return viewer.canvas.overlays.text.text.replace("\n", " · ")


def position_of(label_id: int) -> tuple[int, int]:
    return tuple(int(i) for i in np.argwhere(label_image() == label_id)[10])


def test_a_field_is_shown_with_its_channels_masks_and_classes(viewer, shown) -> None:
    assert [layer.name for layer in viewer.layers] == ["DNA", "GFP", "Masks", "Predictions"]
    dna, gfp, masks, predictions = viewer.layers
    assert (dna.colormap.name, gfp.colormap.name) == ("bop blue", "green")
    assert {dna.blending, gfp.blending} == {"additive"}
    assert np.array_equal(dna.data, shown.state.study.read_field(shown.state.key)[0])
    assert np.array_equal(masks.data, label_image())
    assert (masks.visible, predictions.visible) == (False, True)
    assert not masks.editable
    assert not predictions.editable


def test_each_cell_is_drawn_in_the_colour_of_its_class(viewer, shown) -> None:
    layer = viewer.layers["Predictions"]
    drawn = layer.colormap.map(layer.data)
    for label_id, colour in ((1, CLASS_COLOURS[0]), (9, CLASS_COLOURS[1])):  # of A01 the last cell looks like taxol
        assert np.allclose(drawn[label_image() == label_id][:, :3], rgb(colour), atol=1e-6)


def test_the_status_bar_tells_class_and_probabilities_of_the_cell_under_the_mouse(viewer, shown) -> None:
    assert viewer.layers.selection.active is viewer.layers["Predictions"]
    status = viewer.layers.selection.active.get_status(position_of(9), world=True)["value"]
    assert "cell: 9, class: taxol, p(DMSO): 0.1, p(taxol): 0.9" in status
    viewer.layers["Masks"].visible = True
    assert "class: DMSO" in viewer.layers["Masks"].get_status(position_of(1), world=True)["value"]


def test_the_vote_stands_on_the_canvas_with_a_legend(viewer, shown) -> None:
    assert text_of(viewer) == "A01 field 1 · DMSO · 75 % of 4 cells · margin 0.50 · true: DMSO ✓"
    assert viewer.canvas.overlays.text.visible
    legend = [viewer.canvas.overlays[f"cellvote_class_{i}"] for i in range(2)]
    assert [line.text for line in legend] == ["■ DMSO · 3 cells", "■ taxol · 1 cell"]
    assert np.allclose(legend[1].color[:3], rgb(CLASS_COLOURS[1]), atol=1e-6)


def test_another_well_is_shown_in_the_same_layers_at_the_same_contrast(viewer, shown, settle) -> None:
    layers = list(viewer.layers)
    before = {layer.name: tuple(layer.contrast_limits) for layer in layers[:2]}
    layers[0].visible = False
    layers[1].colormap = "red"
    shown.state.choose_well("plate", "B02")  # five times as bright
    settle(shown)
    assert list(viewer.layers) == layers
    assert np.array_equal(layers[0].data, shown.state.study.read_field(FieldKey("plate", "B02", 1))[0])
    assert {layer.name: tuple(layer.contrast_limits) for layer in layers[:2]} == before
    assert not layers[0].visible
    assert layers[1].colormap.name == "red"
    assert "B02 field 1 · taxol · 100 %" in text_of(viewer)


def test_contrast_that_a_person_sets_is_kept(viewer, shown, settle) -> None:
    viewer.layers["DNA"].contrast_limits = (7, 77)
    viewer.layers.remove(viewer.layers["DNA"])
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert tuple(viewer.layers["DNA"].contrast_limits) == (7, 77)
    assert viewer.layers.index("DNA") == 0


def test_only_the_field_that_was_asked_for_last_is_shown(viewer, shown, settle) -> None:
    for well in ("A02", "A03", "B01", "B02"):
        shown.state.choose_well("plate", well)
    settle(shown)
    assert shown.content.key.well == "B02"
    assert "B02" in text_of(viewer)
    assert np.array_equal(viewer.layers["DNA"].data, shown.state.study.read_field(shown.state.key)[0])


def test_a_field_that_cannot_be_read_shows_nothing_of_the_field_before(viewer, shown, settle) -> None:
    study = shown.state.study
    study.planes["path"] = study.planes["path"].where(study.planes["well"] != "A02", "gone.tif")
    study.__dict__.pop("_planes_of")
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert "A02 field 1 cannot be shown" in text_of(viewer)
    assert "gone.tif" in text_of(viewer)
    assert not any(np.any(layer.data) for layer in viewer.layers)
    assert viewer.layers["Predictions"].features.empty
    assert "cellvote_class_0" not in viewer.canvas.overlays
    shown.state.choose_well("plate", "A01")
    settle(shown)
    assert viewer.layers["DNA"].data.any()
    assert "A01 field 1 · DMSO" in text_of(viewer)


def test_a_study_without_masks_shows_its_channels(viewer, session, bare_study: Study, settle) -> None:
    session.open_study(bare_study.path)
    settle(session)
    assert [layer.name for layer in viewer.layers] == ["DNA", "GFP"]
    assert text_of(viewer) == "A01 field 1"


def test_masks_and_classes_appear_as_steps_write_them(viewer, session, bare_study: Study, settle) -> None:
    session.open_study(bare_study.path)
    settle(session)
    write_masks(bare_study, failed={})
    session.state.results_written(segmentation="watershed")
    settle(session)
    assert viewer.layers["Masks"].visible
    assert text_of(viewer) == "A01 field 1 · 4 cells"
    write_predictions(bare_study)
    session.state.results_written(model="model")
    settle(session)
    assert viewer.layers["Predictions"].visible
    assert not viewer.layers["Masks"].visible
    assert "DMSO · 75 %" in text_of(viewer)


def test_masks_of_another_size_are_not_laid_over_the_image(viewer, shown, settle) -> None:
    from cellvote.study.masks import write_label_image

    study = shown.state.study
    write_label_image(study.mask_path("watershed", FieldKey("plate", "A02", 1)), label_image(48))
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert "the masks have 48 × 48 px" in text_of(viewer)
    assert not viewer.layers["Masks"].data.any()


def test_another_study_takes_the_place_of_the_first(viewer, shown, bare_study: Study, settle) -> None:
    shown.open_study(bare_study.path)
    settle(shown)
    assert [layer.name for layer in viewer.layers] == ["DNA", "GFP"]
    assert "cellvote_class_0" not in viewer.canvas.overlays


def test_a_study_that_is_not_there_changes_nothing(viewer, shown, tmp_path, settle) -> None:
    shown.open_study(tmp_path / "nothing")
    settle(shown)
    assert shown.state.study.path.name == "small.cellvote"
    assert len(viewer.layers) == 4


def test_layers_that_are_not_ours_are_left_alone(viewer, shown, settle) -> None:
    mine = viewer.add_points([[1, 1]], name="mine")
    shown.state.choose_well("plate", "A02")
    settle(shown)
    assert mine in viewer.layers
    assert len(viewer.layers) == 5


def test_docks_of_one_viewer_share_a_session_and_viewers_do_not(make_napari_viewer) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    one, other = make_napari_viewer(), make_napari_viewer()
    assert session_of(one) is session_of(PublicOnlyProxy(one))
    assert session_of(one) is not session_of(other)


def test_a_session_does_not_keep_its_viewer_alive() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    session = session_of(viewer)
    reference = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert reference() is None
    assert session.layers.viewer is None


@pytest.mark.parametrize("role", [channel_role("DNA"), MASKS, PREDICTIONS])
def test_our_layers_are_found_by_their_role_whatever_they_are_called(viewer, shown, role: str) -> None:
    layer = shown.layers.layer(role)
    layer.name = "renamed"
    assert shown.layers.layer(role) is layer


def test_reads_never_run_in_the_window_s_thread_and_only_the_last_is_taken(qtbot) -> None:
    taken, threads, gate = [], [], threading.Event()

    def read(number: int) -> int:
        threads.append(threading.current_thread())
        gate.wait(10)
        return number

    background = Background(taken.append)
    for number in range(20):
        background.ask(lambda number=number: read(number))
    gate.set()
    qtbot.waitUntil(lambda: not background.busy)
    assert taken == [19]
    assert len(threads) == 2, "what was asked for in between is never read"
    assert threading.main_thread() not in threads


def test_what_was_forgotten_does_not_come(qtbot) -> None:
    taken, gate = [], threading.Event()
    background = Background(taken.append)
    background.ask(lambda: gate.wait(10))
    background.forget()
    background.ask(lambda: "new")
    gate.set()
    qtbot.waitUntil(lambda: not background.busy)
    qtbot.wait(50)
    assert taken == ["new"]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one · two · three", 40, ["one · two · three"]),
        ("one · two · three", 12, ["one · two", "three"]),
        ("a b c d", 3, ["a b", "c d"]),
        ("first\nsecond · third", 8, ["first", "second", "third"]),
    ],
)
def test_long_lines_are_broken_where_one_thing_is_said(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width).split("\n") == lines
