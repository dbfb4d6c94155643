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


def _random_network() -> torch.nn.Module:
    """Make the network without its own starting values, which take a minute to draw."""
    from cellpose import vit

    torch.manual_seed(0)
    with torch.device("meta"):
        network = vit.CPSAM(dtype=torch.bfloat16).to(torch.bfloat16)
    network.to_empty(device="cpu")
    with torch.inference_mode():
        for tensor in network.state_dict().values():
            tensor.uniform_(-0.03, 0.03)
    return network


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_cellpose_sam_runs_on_a_checkpoint_of_the_right_format(tmp_path: Path) -> None:
    stock, path = _random_network(), tmp_path / "random"
    torch.save(stock.state_dict(), path)
    try:
        # Not in bfloat16: few processors calculate in it, and the others take minutes.
        chosen = {"model": str(path), "flow_threshold": 0, "bfloat16": False}
        segmenter = make_segmenter("cellpose", chosen, ("DNA",), [])
        assert isinstance(segmenter, CellposeSegmenter)
        assert segmenter.weights.n_parameters > 300e6
        own = load_network(path, torch.device("cpu"), bfloat16=False).state_dict()
        assert all(torch.equal(own[name], tensor.float()) for name, tensor in stock.state_dict().items())
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
