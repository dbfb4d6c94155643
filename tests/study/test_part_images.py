"""Mask images and flow images."""

import numpy as np
import pandas as pd

from cellvote.segmentation.flows import compute_flows
from cellvote.study.crops import cut_flow_images, cut_mask_images, windows_of, zero_background
from cellvote.study.part_images import NO_FLOW, flow_image, mask_image, outline_and_distance
from cellvote.study.resizing import resized

LABELS = np.zeros((30, 40), np.int32)
LABELS[5:16, 8:19] = 7
LABELS[5:16, 19:25] = 3
IDS = np.array([7, 3])
WINDOWS = np.array([[0, 3, 20], [0, 12, 20]])


def test_the_distance_is_greatest_in_the_middle_of_every_cell_and_nothing_outside() -> None:
    outline, distance = outline_and_distance(LABELS)
    assert distance[10, 13] == 255
    assert distance[LABELS == 3].max() == 255
    assert (distance[LABELS == 0] == 0).all()
    assert outline[5, 8]
    assert outline[10, 18]
    assert outline[10, 19]
    assert not outline[10, 13]
    assert not outline[LABELS == 0].any()


def test_a_field_without_cells_has_an_empty_mask_image() -> None:
    assert not mask_image(np.zeros((5, 6), np.int32)).any()


def test_a_mask_image_tells_the_cell_from_its_neighbours() -> None:
    own, other = cut_mask_images(LABELS, IDS, WINDOWS, 20)
    assert (own[0] > 0).sum() == 121
    assert (own[1] > 0).sum() == 44
    assert (other[0] > 0).sum() == 66
    assert not own[2][own[0] == 0].any()
    assert own[3].max() == 255


def test_beyond_the_image_there_is_no_cell() -> None:
    corner = np.ones((6, 6), np.int32)
    (image,) = cut_mask_images(corner, np.array([1]), np.array([[-3, -3, 12]]), 12)
    assert (image[0] > 0).sum() == 36


def test_flows_are_stored_in_directions_and_the_last_channel_is_the_cell() -> None:
    flows = flow_image(compute_flows(LABELS), LABELS)
    own, _ = cut_flow_images(flows, LABELS, IDS, WINDOWS, 20)
    y, x = 10, 5  # left edge of cell 7, in its crop
    assert own[1, y, x] > 200  # to the right
    assert own[1, 10, 14] < 60  # its right edge: to the left
    assert (own[:2, 0, 0] == NO_FLOW).all()
    assert (own[3] > 0).sum() == 121
    assert own[2, 10, 10] > 250 > 5 > own[2, 0, 0]


def test_a_zeroed_background_shows_nothing_but_the_cell() -> None:
    crops = np.full((2, 1, 20, 20), 9, np.uint8)
    zero_background(crops, LABELS, IDS, WINDOWS, (0,))
    assert [(crop > 0).sum() for crop in crops] == [121, 66]


def test_rescaled_windows_just_hold_the_cell() -> None:
    boxes = {"bbox_y_min": [5], "bbox_x_min": [8], "bbox_y_max": [16], "bbox_x_max": [19]}
    windows = windows_of(pd.DataFrame({"centroid_y": [10.0], "centroid_x": [13.0], **boxes}), 32, "rescale")
    assert windows.tolist() == [[5, 8, 11]]
    (image,) = cut_mask_images(LABELS, np.array([7]), windows, 32)
    assert (image[0] == 255).all()


def test_resizing_keeps_the_mean_and_the_range() -> None:
    image = np.random.default_rng(0).random((2, 48, 60))
    smaller = resized(image, 16, 20)
    np.testing.assert_allclose(smaller.mean(), image.mean(), rtol=0.01)
    assert image.min() <= smaller.min() < smaller.max() <= image.max()
    assert smaller.std() < image.std() / 2
    ramp = np.linspace(0, 1, 10)[None, None].repeat(10, 1)
    np.testing.assert_allclose(np.diff(resized(ramp, 20, 20)[0, 5, 2:-2]), 1 / 18, rtol=1e-3)
