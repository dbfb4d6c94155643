"""The real Cellpose-SAM, with random weights of the right format: all 305 million of them."""

import gc
from pathlib import Path

import pytest
import torch
from tests.tiny_cellpose import blobs

from cellvote.segmentation import make_segmenter
from cellvote.segmentation.base import segment_with
from cellvote.segmentation.cellpose import CellposeSegmenter
from cellvote.segmentation.cellpose.network import load_network


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_cellpose_sam_runs_on_a_checkpoint_of_the_right_format(tmp_path: Path) -> None:
    from cellpose import vit

    torch.manual_seed(0)
    path = tmp_path / "random"
    stock = vit.CPSAM(dtype=torch.bfloat16).to(torch.bfloat16)
    torch.save(stock.state_dict(), path)
    try:
        segmenter = make_segmenter("cellpose", {"model": str(path), "flow_threshold": 0}, ("DNA",), [])
        assert isinstance(segmenter, CellposeSegmenter)
        assert segmenter.weights.n_parameters > 300e6
        own = load_network(path, torch.device("cpu")).state_dict()
        assert all(torch.equal(own[name], tensor) for name, tensor in stock.state_dict().items())
        del stock
        image = blobs(1, (240, 240), 1)
        assert segmenter.prepare(image).pixels.shape == (1, 1, 256, 256)
        found = segment_with(segmenter, image, segmenter.open_network("cpu"))
        assert found.flows is not None
        assert found.flows.std() > 0
        assert found.label_image.shape == (240, 240)
    finally:
        path.unlink()
        gc.collect()
