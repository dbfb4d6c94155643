"""Flows of label images: Cellpose's own, only sooner."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellvote.segmentation.heat import drop_unlike_flows, flow_directions
from cellvote.study.masks import LabelImage
from cellvote.synthetic import PlateSettings, design_plate, simulate_field


@pytest.fixture(scope="module")
def cells() -> LabelImage:
    """Return the label image of a simulated field, whose cells touch."""
    settings = PlateSettings(field_size_px=256, cells_per_field=18, debris_per_field=1, seed=3)
    return simulate_field(settings, next(iter(design_plate(settings).wells))).label_image


def cellpose_flows(label_image: LabelImage) -> np.ndarray:
    from cellpose.dynamics import masks_to_flows_gpu

    _, numbered = np.unique(label_image, return_inverse=True)
    return masks_to_flows_gpu(numbered.reshape(label_image.shape), device=torch.device("cpu"))[0]


def test_flows_are_those_of_cellpose(cells: LabelImage) -> None:
    assert np.allclose(flow_directions(cells), cellpose_flows(cells), atol=1e-12)


@settings(max_examples=40)
@given(hnp.arrays(np.int32, (9, 11), elements=st.sampled_from([0, 0, 3, 4, 900])))
def test_flows_are_those_of_cellpose_for_any_scattered_pixels(labels: LabelImage) -> None:
    labels[0, 0] = 0  # cellpose counts from the lowest label id on: there is always a background
    ours, theirs = flow_directions(labels), cellpose_flows(labels)
    assert np.allclose(ours, theirs, atol=1e-9)


def test_an_image_without_cells_has_no_flows() -> None:
    assert not flow_directions(np.zeros((8, 9), np.int32)).any()


def test_cells_that_agree_with_the_flows_stay_and_others_go(cells: LabelImage) -> None:
    flows = flow_directions(cells).astype(np.float32)
    wrong = int(cells[cells > 0][0])
    flows[:, cells == wrong] *= -1
    kept = drop_unlike_flows(cells, flows, 0.4)
    assert np.array_equal(kept, np.where(cells == wrong, 0, cells))
