"""The real Cellpose-SAM, with random weights of the right format: all 305 million of them."""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tiny_cellpose import blobs

from cellvote.segmentation import make_segmenter
from cellvote.segmentation.base import segment_with


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_cellpose_sam_runs_on_a_checkpoint_and_gives_what_stock_gives(tmp_path: Path) -> None:
    from cellpose import core, transforms, vit

    torch.manual_seed(0)
    path = tmp_path / "random"
    stock = vit.CPSAM(dtype=torch.bfloat16)
    stock.dtype = torch.float32
    stock.dtype = torch.bfloat16
    torch.save(stock.state_dict(), path)
    try:
        segmenter = make_segmenter("cellpose", {"model": str(path), "flow_threshold": 0}, ("DNA",), [])
        assert segmenter.weights.n_parameters > 300e6
        image = blobs(1, (240, 240), 1)
        network = segmenter.open_network("cpu")
        tiles = segmenter.prepare(image)
        assert tiles.pixels.shape == (1, 1, 256, 256)
        found = segment_with(segmenter, image, network)
        normalised = transforms.normalize_img(np.moveaxis(image, 0, -1)[None].astype(np.float32))
        expected, _ = core.run_net(stock.eval(), normalised, bsize=256)
        assert found.flows is not None
        assert np.abs(found.flows).max() > 0
        assert np.allclose(found.flows, np.moveaxis(expected[0], -1, 0), atol=1e-3)
        assert found.label_image.shape == (240, 240)
    finally:
        path.unlink()
        gc.collect()
