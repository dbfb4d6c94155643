"""One image, one call."""

import numpy as np
import pytest
from tests.tiny_plates import SETTINGS

import cellvote as cv
from cellvote.errors import ChannelError, SegmentationError
from cellvote.segmentation import Segmentation
from cellvote.synthetic import CHANNELS, simulate_field

FIELD = simulate_field(SETTINGS, "A01")


def test_an_image_is_segmented_by_itself() -> None:
    said = cv.segment_image(FIELD.image, channels=CHANNELS)
    assert said.label_image.shape == FIELD.image.shape[1:]
    assert said.n_cells > 0


def test_channels_without_names_are_counted_from_one() -> None:
    said = cv.segment_image(FIELD.image, "watershed", nuclei_channel="Channel1", cells_channel="none")
    assert said.n_cells > 0
    with pytest.raises(ChannelError, match="Channel1, Channel2, Channel3"):
        cv.segment_image(FIELD.image, nuclei_channel="DNA")


def test_a_plane_without_channels_is_refused() -> None:
    with pytest.raises(SegmentationError, match="CYX"):
        cv.segment_image(FIELD.image[0])


def test_a_method_that_is_not_known_is_refused_with_those_that_are() -> None:
    known = "nuclei, cellpose, watershed, import"
    with pytest.raises(SegmentationError, match=f"no segmentation method 'magic'; there are: {known}"):
        cv.segment_image(FIELD.image, "magic")


def test_cells_are_counted_by_their_label_ids_gaps_or_not() -> None:
    assert Segmentation(np.array([[0, 7, 7], [2, 0, 2]], np.int32)).n_cells == 2
    assert Segmentation(np.zeros((2, 2), np.int32)).n_cells == 0
