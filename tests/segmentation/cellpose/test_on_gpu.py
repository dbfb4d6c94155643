"""What holds on a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose.metrics import average_precision
from tests.tiny_cellpose import BlobNetwork, blobs, shrink_sam, stock_model, write_small_weights

from cellvote.segmentation import make_segmenter
from cellvote.segmentation.base import segment_with
from cellvote.segmentation.cellpose import CellposeSegmenter
from cellvote.segmentation.tile_runner import TileRunner

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")]


@pytest.fixture
def segmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CellposeSegmenter:
    shrink_sam(monkeypatch)
    path = write_small_weights(tmp_path / "small")
    made = make_segmenter("cellpose", {"model": str(path), "bfloat16": False}, ("DNA", "ER"), [])
    assert isinstance(made, CellposeSegmenter)
    return made


def test_masks_are_those_of_stock_eval_on_the_same_gpu(segmenter: CellposeSegmenter) -> None:
    gpu, image = torch.device("cuda"), blobs(1, (500, 400))
    network = TileRunner(BlobNetwork(), gpu, batch_size=4, dtype=torch.float32)
    found = segment_with(segmenter, image, network)
    stock = stock_model(BlobNetwork().to(gpu))
    stock.device = gpu
    masks = stock.eval(image, channel_axis=0)[0]
    assert found.n_cells > 100
    assert average_precision([masks], [found.label_image], threshold=[0.5])[0].item() >= 0.995


def test_a_tiles_output_does_not_depend_on_those_beside_it(segmenter: CellposeSegmenter) -> None:
    network = segmenter.open_network("cuda")
    tiles = segmenter.prepare(blobs(2, (600, 600))).pixels
    together = network(tiles)
    backwards = network(tiles[::-1].copy())[::-1]
    alone = np.concatenate([network(tile[None]) for tile in tiles])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)
