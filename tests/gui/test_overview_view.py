"""The overview on the canvas: a multiscale layer per channel, wells named under the mouse, and the way back."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image, Layer

from cellvote.gui import turns
from cellvote.gui.overview_layer import WELLS_ROLE, overview_role
from cellvote.gui.session import Session
from cellvote.plates.acquisition import FieldKey


@pytest.fixture
def on_plate(shown: Session, settle, qtbot) -> Session:
    """Return a session with the overview of the small study on the canvas, filled."""
    shown.look.scope = "plate"
    settle(shown)
    qtbot.waitUntil(lambda: not shown.overview.filling, timeout=20_000)
    shown.overview.refresh()
    settle(shown)
    return shown


def text_of(viewer) -> str:
    return viewer.canvas.overlays.text.text.replace("\n", " · ")


def place_of(session: Session, well: str) -> tuple[float, float]:
    """Where the middle of a well is in the viewer."""
    overview, frame = session.overview.overview, session.overview._frame
    tile = overview.plan.tiles[well]
    pitch = overview.info.pitch_px
    return tuple(frame.offset + frame.scale * (i + 0.5) * pitch for i in (tile.row, tile.column))


def double_click(viewer, place: tuple[float, float]) -> None:
    for callback in list(viewer.mouse_double_click_callbacks):
        callback(viewer, SimpleNamespace(position=place, modifiers=[]))


def test_every_channel_is_one_multiscale_layer_in_its_colour_and_contrast(viewer, on_plate: Session) -> None:
    for channel in ("DNA", "GFP"):
        layer, field = on_plate.layers.layer(overview_role(channel)), viewer.layers[channel]
        assert isinstance(layer, Image)
        assert layer.multiscale
        assert layer.colormap.name == field.colormap.name
        assert tuple(layer.contrast_limits) == tuple(field.contrast_limits)
        assert layer.visible
        assert not field.visible
    assert "plate · 5 wells" in text_of(viewer)


def test_the_status_bar_names_the_well_under_the_mouse_and_what_was_done_to_it(viewer, on_plate: Session) -> None:
    active = viewer.layers.selection.active
    assert active is on_plate.layers.layer(WELLS_ROLE)
    status = active.get_status(place_of(on_plate, "B02"), world=True)["value"]
    assert "well: B02" in status
    assert "drug: taxol" in status
    (_, first), (y, second) = place_of(on_plate, "A01"), place_of(on_plate, "B02")
    missing = (y, 2 * second - first)
    assert "well: B03" in active.get_status(missing, world=True)["value"]
    assert "state: not imaged" in active.get_status(missing, world=True)["value"]


def test_a_well_that_was_not_imaged_is_drawn_and_one_that_was_is_not_covered(viewer, on_plate: Session) -> None:
    layer = on_plate.layers.layer(WELLS_ROLE)
    drawn = layer.colormap.map(layer.data)[..., 3]
    size = layer.data.shape[0] // 2
    assert drawn[size:, 2 * size :].any(), "B03 is on the plate map only"
    assert not drawn[size:, size : 2 * size].any(), "B02"


def test_double_click_shows_the_well_and_the_field_is_as_it_was(viewer, on_plate: Session, settle) -> None:
    double_click(viewer, place_of(on_plate, "B02"))
    settle(on_plate)
    assert on_plate.state.key == FieldKey("plate", "B02", 1)
    assert on_plate.look.scope == "field"
    visible = {layer.name for layer in viewer.layers if layer.visible}
    assert visible == {"DNA", "GFP", "Predictions"}
    assert "B02 field 1" in text_of(viewer)
    zoom = viewer.scene.camera.zoom
    double_click(viewer, (3.0, 3.0))
    assert viewer.scene.camera.zoom > zoom, "on a field a double click zooms, as everywhere in napari"


def test_double_click_beside_the_wells_stays(viewer, on_plate: Session) -> None:
    double_click(viewer, (-50.0, -50.0))
    assert on_plate.look.scope == "plate"


def test_escape_goes_back_and_the_overview_is_there_again_at_once(viewer, on_plate: Session, settle) -> None:
    camera = viewer.scene.camera.zoom
    viewer.keymap["Escape"](viewer)
    settle(on_plate)
    assert on_plate.look.scope == "field"
    assert "Escape" not in viewer.keymap
    assert viewer.layers["Predictions"].visible
    layers = list(viewer.layers)
    on_plate.look.scope = "plate"
    settle(on_plate)
    assert list(viewer.layers) == layers
    assert viewer.scene.camera.zoom == pytest.approx(camera)


def test_contrast_that_is_set_on_the_overview_is_that_of_the_fields(viewer, on_plate: Session, settle) -> None:
    on_plate.layers.layer(overview_role("DNA")).contrast_limits = (3, 33)
    assert on_plate.state.contrast["DNA"] == (3, 33)
    on_plate.look.scope = "field"
    settle(on_plate)
    assert tuple(viewer.layers["DNA"].contrast_limits) == (3, 33)


def test_another_well_chosen_meanwhile_is_outlined(viewer, on_plate: Session, settle) -> None:
    layer = on_plate.layers.layer(WELLS_ROLE)
    before = np.asarray(layer.data).copy()
    on_plate.state.choose_well("plate", "A02")
    settle(on_plate)
    size = layer.data.shape[0] // 2
    assert (before != layer.data)[:size, size : 2 * size].any()
    assert not viewer.layers["DNA"].visible
    assert "plate · 5 wells" in text_of(viewer)


def test_another_study_takes_the_overview_away(viewer, on_plate: Session, bare_study, settle) -> None:
    on_plate.open_study(bare_study.path)
    settle(on_plate)
    assert [layer.name for layer in viewer.layers] == ["DNA", "GFP"]
    assert on_plate.look.scope == "field"


def test_a_closed_session_reads_no_more_wells(shown: Session, settle) -> None:
    shown.overview.hold()
    shown.look.scope = "plate"
    settle(shown)
    filling = shown.overview._filling
    shown.close()
    filling._thread.join(10)
    assert not filling.running


def drawn(monkeypatch) -> list[tuple[str, bool]]:
    """Note which layers are drawn anew, and whether with a thumbnail."""
    noted: list[tuple[str, bool]] = []
    refresh = Layer.refresh

    def note(layer: Layer, *arguments, **options) -> None:
        noted.append((layer.name, options.get("thumbnail", True)))
        refresh(layer, *arguments, **options)

    monkeypatch.setattr(Layer, "refresh", note)
    return noted


def test_wells_that_came_in_are_drawn_once_in_each_layer_that_is_seen(on_plate: Session, settle, monkeypatch) -> None:
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    overview = on_plate.overview.overview
    on_plate.layers.layer(overview_role("GFP")).visible = False
    monkeypatch.setattr(type(on_plate.overview), "filling", True)
    noted = drawn(monkeypatch)
    overview.forget(["A01"])
    on_plate.overview.refresh()
    assert not noted, "each in its turn"
    settle(on_plate)
    assert noted == [("DNA · plate", False), ("Wells", False)]
    on_plate.overview.refresh()
    settle(on_plate)
    assert len(noted) == 2, "nothing has come in since"


def test_the_wells_are_not_drawn_anew_where_no_well_looks_otherwise(on_plate: Session, settle, monkeypatch) -> None:
    noted = drawn(monkeypatch)
    on_plate.overview.overview.revision += 1
    on_plate.overview.refresh()
    settle(on_plate)
    assert [name for name, _ in noted] == ["DNA · plate", "GFP · plate"]


def test_leaving_before_all_layers_are_made_is_made_good_the_next_time(viewer, shown, settle, monkeypatch) -> None:
    monkeypatch.setattr(turns, "_TURN_S", 0.0)
    before = {layer.name: layer.visible for layer in viewer.layers}
    camera = viewer.scene.camera.zoom
    leave_at_first = viewer.layers.events.inserted.connect(lambda event: setattr(shown.look, "scope", "field"))
    shown.look.scope = "plate"
    settle(shown)
    viewer.layers.events.inserted.disconnect(leave_at_first)
    assert {name: viewer.layers[name].visible for name in before} == before
    assert viewer.scene.camera.zoom == pytest.approx(camera)
    shown.look.scope = "plate"
    settle(shown)
    roles = [overview_role("DNA"), overview_role("GFP"), WELLS_ROLE]
    assert all(shown.layers.layer(role).visible for role in roles)
    shown.look.scope = "field"
    settle(shown)
    assert {name: viewer.layers[name].visible for name in before} == before


def test_coming_back_while_the_field_is_being_shown_again_keeps_what_was_visible(viewer, on_plate, settle) -> None:
    on_plate.look.scope = "field"
    on_plate.look.scope = "plate"
    settle(on_plate)
    assert not viewer.layers["DNA"].visible
    on_plate.look.scope = "field"
    settle(on_plate)
    assert {layer.name for layer in viewer.layers if layer.visible} == {"DNA", "GFP", "Predictions"}


def test_the_same_study_opened_anew_shows_its_field_again(viewer, on_plate: Session, settle) -> None:
    on_plate.open_study(on_plate.state.study.path)
    settle(on_plate)
    assert {layer.name for layer in viewer.layers if layer.visible} == {"DNA", "GFP", "Predictions"}
