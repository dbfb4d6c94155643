"""Flows of any label image are those that would lead back to it."""

import numpy as np
import pytest
from skimage.draw import disk

from cellvote.errors import SegmentationError
from cellvote.segmentation.cellpose import CellposeSettings
from cellvote.segmentation.cellpose.masks import find_masks
from cellvote.segmentation.flows import CELL_LOG_ODDS, FLOW_SCALE, compute_flows


@pytest.fixture(scope="module")
def label_image() -> np.ndarray:
    """Five round cells, two of them touching, with gaps in their label ids."""
    labels = np.zeros((70, 90), np.int32)
    for label_id, centre in ((3, (15, 15)), (4, (15, 32)), (9, (50, 20)), (70000, (45, 70)), (11, (10, 75))):
        labels[disk(centre, 9, shape=labels.shape)] = label_id
    return labels


def test_flows_point_to_the_centre_of_each_cell(label_image: np.ndarray) -> None:
    flows = compute_flows(label_image)
    assert (flows.shape, flows.dtype) == ((3, 70, 90), np.float32)
    assert flows[0, 44, 20] > 0.9 * FLOW_SCALE  # above the centre: down
    assert flows[0, 56, 20] < -0.9 * FLOW_SCALE
    assert flows[1, 50, 14] > 0.9 * FLOW_SCALE  # left of it: to the right
    assert not flows[:2, label_image == 0].any()
    assert np.array_equal(flows[2], np.where(label_image > 0, CELL_LOG_ODDS, -CELL_LOG_ODDS))


def test_cellposes_dynamics_find_the_cells_again(label_image: np.ndarray) -> None:
    found = find_masks(compute_flows(label_image), label_image.shape, CellposeSettings())
    assert found.max() == 5
    for label_id in np.unique(label_image)[1:]:
        own = label_image == label_id
        ids, counts = np.unique(found[own], return_counts=True)
        best = found == ids[counts.argmax()]
        assert (own & best).sum() / (own | best).sum() > 0.95


def test_the_same_label_image_gives_the_same_bytes_whatever_its_dtype(label_image: np.ndarray) -> None:
    once = compute_flows(label_image)
    assert compute_flows(label_image).tobytes() == once.tobytes()
    _, numbered = np.unique(label_image, return_inverse=True)
    assert compute_flows(numbered.reshape(label_image.shape).astype(np.uint8)).tobytes() == once.tobytes()


def test_without_cells_there_are_no_flows_and_one_cell_may_be_everywhere() -> None:
    empty = compute_flows(np.zeros((20, 30), np.int32))
    assert not empty[:2].any()
    assert (empty[2] == -CELL_LOG_ODDS).all()
    full = compute_flows(np.full((20, 30), 5, np.int32))
    assert full[0, 0, 15] > 0 > full[0, -1, 15]


@pytest.mark.parametrize("wrong", [np.zeros((2, 5, 5), np.int32), np.zeros((5, 5), np.float32)], ids=["CYX", "float"])
def test_what_is_no_label_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(SegmentationError, match="label image"):
        compute_flows(wrong)
