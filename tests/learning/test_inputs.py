"""What a classifier is fed, and what it says of a study that lacks it."""

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import ChannelError, ClassifierError
from cellvote.learning.inputs import Inputs, channel_rows, feature_matrix

CELLS = pd.DataFrame(
    {
        "plate": ["P", "P", "P", "Q", "Q", "Q"],
        "area": [1.0, 2.0, np.nan, 4.0, 5.0, np.inf],
        "intensity_max_GFP": [10.0, 20.0, 30.0, 100.0, 200.0, 300.0],
    }
)


def test_measurements_are_taken_in_the_order_of_the_classifier() -> None:
    matrix = feature_matrix(CELLS, Inputs(parts=("measurements",), columns=("intensity_max_GFP", "area")))
    assert matrix.dtype == np.float32
    assert matrix[0].tolist() == [10, 1]


def test_what_is_not_a_finite_number_is_a_gap() -> None:
    matrix = feature_matrix(CELLS, Inputs(parts=("measurements",), columns=("area",)))
    assert np.isnan(matrix[:, 0]).tolist() == [False, False, True, False, False, True]


def test_the_table_of_the_study_is_not_changed() -> None:
    before = CELLS.copy()
    wanted = Inputs(parts=("measurements",), columns=("area", "intensity_max_GFP"), channels=("GFP",), scale="plate")
    feature_matrix(CELLS, wanted)
    pd.testing.assert_frame_equal(CELLS, before)


def test_relative_to_the_plate_a_brighter_plate_is_no_brighter() -> None:
    wanted = Inputs(parts=("measurements",), columns=("area", "intensity_max_GFP"), channels=("GFP",), scale="plate")
    matrix = feature_matrix(CELLS, wanted)
    np.testing.assert_allclose(matrix[:3, 1], matrix[3:, 1], rtol=1e-6)
    assert (np.diff(matrix[:3, 1]) > 0).all()
    assert matrix[:2, 0].tolist() == [1, 2]  # a shape is not a brightness


def test_shapes_alone_are_the_same_relative_to_the_plate() -> None:
    plain, scaled = (
        feature_matrix(CELLS, Inputs(parts=("measurements",), columns=("area",), channels=("GFP",), scale=scale))
        for scale in ("none", "plate")
    )
    np.testing.assert_array_equal(plain, scaled)


@pytest.mark.parametrize("value", [7.0, np.nan], ids=["the same", "not known"])
def test_a_measurement_that_tells_nothing_on_a_plate_tells_nothing_relative_to_it(value: float) -> None:
    flat = CELLS.assign(intensity_max_GFP=CELLS["intensity_max_GFP"].where(CELLS["plate"] == "P", value))
    wanted = Inputs(parts=("measurements",), columns=("intensity_max_GFP",), channels=("GFP",), scale="plate")
    matrix = feature_matrix(flat, wanted)[:, 0]
    assert len(set(matrix[:3])) == 3
    np.testing.assert_array_equal(matrix[3:], [matrix[3]] * 3)
    assert np.isnan(matrix[3]) == np.isnan(value)


def test_a_measurement_that_is_missing_is_named_with_the_channels_of_both_sides() -> None:
    wanted = Inputs(parts=("measurements",), columns=("area", "intensity_max_DNA"), channels=("DNA", "Actin"))
    with pytest.raises(ClassifierError) as caught:
        feature_matrix(CELLS, wanted)
    message = str(caught.value)
    assert "needs the measurement 'intensity_max_DNA' (1 of 2 are missing)" in message
    assert "trained on the channels DNA, Actin; the study has GFP" in message


def test_channels_are_found_by_name_in_any_order() -> None:
    wanted = Inputs(parts=("pixels",), channels=("Actin", "dna"), size_px=(32, 32))
    assert channel_rows(("DNA", "Reporter", "Actin"), wanted) == [2, 0]
    with pytest.raises(ChannelError, match="no channel 'Actin'; the images have: DNA"):
        channel_rows(("DNA",), wanted)
