"""The overlay: one look-up colours every cell by its class, and each cell can still be told from the others."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gui.conftest import CLASSES, label_image

from cellvote.gui.colours import CLASS_COLOURS, channel_colours, class_colours, rgb
from cellvote.gui.layer_data import class_colormap
from cellvote.gui.overlay import look_up_table, make_overlay, overlay_values


def cells_of(label_ids: list[int], classes: list[str]) -> pd.DataFrame:
    taxol = [0.9 if name == "taxol" else 0.2 for name in classes]
    table = {"label_id": label_ids, "class": classes, "probability_DMSO": [1 - p for p in taxol]}
    return pd.DataFrame(table | {"probability_taxol": taxol})


@given(st.lists(st.integers(0, 6), max_size=300), st.just(7))
def test_every_cell_has_a_value_of_its_own_that_tells_its_class(codes: list[int], n_classes: int) -> None:
    values = overlay_values(np.array(codes, np.int64), n_classes)
    assert len(set(values.tolist())) == len(codes)
    assert ((values - 1) % n_classes).tolist() == codes
    assert values.min(initial=1) >= 1


def test_cells_without_a_prediction_and_background_stay_empty() -> None:
    overlay = make_overlay(label_image(), cells_of([1, 5], ["taxol", "DMSO"]), CLASSES)
    assert set(label_image()[overlay.values > 0].tolist()) == {1, 5}


def test_predictions_of_cells_that_the_masks_do_not_have_do_no_harm() -> None:
    overlay = make_overlay(label_image(), cells_of([1, 4000], ["taxol", "DMSO"]), CLASSES)
    assert set(label_image()[overlay.values > 0].tolist()) == {1}


def test_the_features_find_each_cell_by_its_overlay_value() -> None:
    overlay = make_overlay(label_image(), cells_of([1, 2, 5, 9], ["taxol", "DMSO", "taxol", "taxol"]), CLASSES)
    by_value = overlay.features.set_index("index")
    for label_id, name in ((1, "taxol"), (2, "DMSO"), (5, "taxol"), (9, "taxol")):
        value = int(overlay.values[label_image() == label_id][0])
        assert by_value.loc[value, "cell"] == label_id
        assert by_value.loc[value, "class"] == name
        assert by_value.loc[value, "p(taxol)"] == pytest.approx(0.9 if name == "taxol" else 0.2)


def test_a_cell_takes_the_colour_of_its_class() -> None:
    overlay = make_overlay(label_image(), cells_of([1, 2, 5, 9], ["taxol", "DMSO", "taxol", "DMSO"]), CLASSES)
    drawn = class_colormap(2).map(overlay.values)
    for label_id, colour in ((1, CLASS_COLOURS[1]), (2, CLASS_COLOURS[0]), (5, CLASS_COLOURS[1])):
        assert np.allclose(drawn[label_image() == label_id], [*rgb(colour), 1], atol=1e-6)
    assert not drawn[label_image() == 0].any()


def test_two_bytes_serve_while_the_values_fit() -> None:
    few = look_up_table(np.array([1, 2]), np.array([1, 65_535]), 2)
    many = look_up_table(np.array([1, 2]), np.array([1, 65_536]), 2)
    assert (few.dtype, many.dtype) == (np.uint16, np.int32)
    assert many[2] == 65_536


def test_a_field_without_cells_has_an_empty_overlay() -> None:
    overlay = make_overlay(np.zeros((4, 4), np.int32), cells_of([], []), CLASSES)
    assert not overlay.values.any()
    assert overlay.features.empty


def test_there_are_colours_for_any_number_of_classes_and_none_twice() -> None:
    assert class_colours(3) == CLASS_COLOURS[:3]
    assert len(set(class_colours(40))) == 40


@pytest.mark.parametrize(
    ("channels", "colours"),
    [
        (("Hoechst", "FITC", "TRITC"), ("bop blue", "green", "red")),
        (("DNA", "ER", "RNA", "AGP", "Mito"), ("bop blue", "green", "yellow", "red", "magenta")),
        (("Channel1", "Channel2"), ("green", "magenta")),
        (("GFP", "w2"), ("green", "magenta")),
        (("anything",), ("gray",)),
        (("Hoechst 33342", "Alexa 488", "Alexa 568", "Alexa 647"), ("bop blue", "green", "red", "magenta")),
        (("DAPI", "far-red", "mCherry", "Brightfield"), ("bop blue", "magenta", "red", "gray")),
        (("SYTO 14", "ConA", "DNA"), ("yellow", "green", "bop blue")),
        (("H2B-GFP", "mCherry-tubulin"), ("green", "red")),
        (("FITC w1", "FITC w2"), ("green", "magenta")),
    ],
)
def test_channels_are_coloured_after_their_dyes(channels: tuple[str, ...], colours: tuple[str, ...]) -> None:
    assert channel_colours(channels) == colours


def test_channels_of_unknown_dyes_differ_in_colour() -> None:
    assert len(set(channel_colours(tuple(f"ch{i}" for i in range(8))))) == 8
