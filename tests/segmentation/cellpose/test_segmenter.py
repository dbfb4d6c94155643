"""Cellpose in parts gives what Cellpose's own eval gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cellpose.metrics import average_precision
from tests.tiny_cellpose import BlobNetwork, blobs, shrink_sam, stock_model, use_blob_network, write_small_weights

from cellvote.errors import ChannelError, DeviceError, SegmentationError, SettingsError
from cellvote.segmentation import make_segmenter, segment_image
from cellvote.segmentation.base import PooledSegmenter
from cellvote.segmentation.cellpose import CellposeSegmenter

pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")  # in stock eval

CHANNELS = ("DNA", "ER")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a small checkpoint; while it is used Cellpose-SAM is that small."""
    with pytest.MonkeyPatch.context() as patch:
        shrink_sam(patch)
        yield write_small_weights(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def blob_network(monkeypatch: pytest.MonkeyPatch) -> None:
    use_blob_network(monkeypatch)


def make(weights: Path, of: tuple[str, ...] = CHANNELS, **settings: Any) -> CellposeSegmenter:
    made = make_segmenter("cellpose", {"model": str(weights), "bfloat16": False, **settings}, of, [])
    assert isinstance(made, CellposeSegmenter)
    return made


OPTIONS = {
    "as it is": ({}, {}),
    "diameter": ({"diameter_px": 18}, {"diameter": 18}),
    "larger diameter": ({"diameter_px": 45, "flow_threshold": 0}, {"diameter": 45, "flow_threshold": 0}),
    "not resampled": ({"diameter_px": 18, "resample": False}, {"diameter": 18, "resample": False}),
    "augmented": ({"augment": True}, {"augment": True}),
    "as the report": (
        {"flow_threshold": 0.7, "cellprob_threshold": -5},
        {"flow_threshold": 0.7, "cellprob_threshold": -5},
    ),
    "sizes": ({"min_size_px": 250, "max_size_fraction": 0.01}, {"min_size": 250, "max_size_fraction": 0.01}),
    "steps": ({"niter": 7, "tile_overlap": 0.3}, {"niter": 7, "tile_overlap": 0.3}),
    "percentiles": (
        {"lower_percentile": 5, "upper_percentile": 99.9},
        {"normalize": {"percentile": (5.0, 99.9)}},
    ),
    "grey values": ({"lowest_grey": 300, "highest_grey": 5000}, {"normalize": {"lowhigh": (300, 5000)}}),
    "filtered": (
        {"sharpen_radius_px": 12, "smooth_radius_px": 2},
        {"normalize": {"sharpen_radius": 12, "smooth_radius": 2}},
    ),
    "local": ({"tile_norm_px": 60}, {"normalize": {"tile_norm_blocksize": 60}}),
    "inverted": ({"invert": True}, {"normalize": {"invert": True}}),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.usefixtures("blob_network")
def test_masks_and_flows_are_those_of_stock_eval_with_every_option(weights: Path, name: str) -> None:
    ours, theirs = OPTIONS[name]
    image = blobs(1, (280, 270))
    found = make(weights, **ours).segment(image)
    masks, (_, flows, cellprob), _ = stock_model(BlobNetwork()).eval(image, channel_axis=0, **theirs)
    assert np.array_equal(found.label_image, masks)
    assert found.label_image.dtype == np.int32
    assert found.flows is not None
    assert found.flows.shape == (3, *image.shape[1:])
    if cellprob.shape == image.shape[1:]:
        assert np.allclose(found.flows, [*flows, cellprob], atol=1e-5)
    if name == "as it is":
        assert found.n_cells > 30


def test_with_cellposes_own_network_and_weights_it_is_stock_eval_too(weights: Path) -> None:
    from cellpose.models import CellposeModel

    image = blobs(2, (256, 300))
    options = {"cellprob_threshold": -0.5, "flow_threshold": 0.0}
    model = CellposeModel(gpu=False, pretrained_model=str(weights), use_bfloat16=False)
    masks, (_, flows, cellprob), _ = model.eval(image, channel_axis=0, **options)
    found = make(weights, **options).segment(image)
    assert found.n_cells > 100
    assert found.flows is not None
    assert np.allclose(found.flows, [*flows, cellprob], atol=1e-5)
    precision = average_precision([masks], [found.label_image], threshold=[0.5])[0]
    assert precision.item() >= 0.995


def test_half_precision_is_that_of_stock_eval(weights: Path) -> None:
    from cellpose.models import CellposeModel

    image = blobs(2, (100, 120))
    model = CellposeModel(gpu=False, pretrained_model=str(weights), use_bfloat16=True)
    _, (_, flows, cellprob), _ = model.eval(image, channel_axis=0, compute_masks=False)
    found = make(weights, bfloat16=True).segment(image)
    assert found.flows is not None
    assert np.allclose(found.flows, [*flows, cellprob], atol=0.02)


@pytest.mark.usefixtures("blob_network")
def test_channels_are_taken_by_name_in_the_order_asked_for(weights: Path) -> None:
    image = np.stack([np.zeros((90, 90), np.uint16), blobs(3, (90, 90), 1)[0]])
    named = make(weights, channels=("er",)).segment(image)
    first = make(weights, channels=["ER", "DNA"]).segment(image)
    dark = make(weights, channels="DNA").segment(image)
    assert named.n_cells == first.n_cells == 9
    assert dark.n_cells == 0


def test_settings_that_were_left_open_are_filled_in(weights: Path) -> None:
    settings = make(weights, ("a", "b", "c", "d"), diameter_px=60).settings
    assert (settings.channels, settings.tile_size_px, settings.niter) == (("a", "b", "c"), 256, 400)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"channels": ["Golgi"]}, ChannelError),
        ({"channels": ["DNA", "dna"]}, SettingsError),
        ({"channels": ["DNA", "ER", "DNA", "ER"]}, SettingsError),
        ({"tile_size_px": 384}, SettingsError),
        ({"flow_threshold": -1}, SettingsError),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(weights: Path, settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make(weights, **settings)


@pytest.mark.usefixtures("blob_network")
def test_an_empty_and_a_constant_image_have_no_cells(weights: Path) -> None:
    for value in (0, 700):
        found = make(weights).segment(np.full((2, 64, 40), value, np.uint16))
        assert found.n_cells == 0
        assert found.label_image.shape == (64, 40)


@pytest.mark.usefixtures("blob_network")
def test_what_cannot_be_segmented_is_said(weights: Path) -> None:
    segmenter = make(weights)
    with pytest.raises(SegmentationError, match="2 channels"):
        segmenter.segment(blobs(1)[:1])
    broken = blobs(1).astype(np.float32)
    broken[0, 3, 3] = np.nan
    with pytest.raises(SegmentationError, match="no numbers"):
        segmenter.segment(broken)
    with pytest.raises(SegmentationError, match="too large"):
        make(weights, diameter_px=2000).segment(blobs(1, (40, 40)))


def test_outputs_that_are_no_numbers_are_no_empty_field(weights: Path) -> None:
    segmenter = make(weights)
    tiles = segmenter.prepare(blobs(1))
    outputs = np.full((len(tiles.pixels), 3, 256, 256), np.nan, np.float32)
    with pytest.raises(SegmentationError, match="bfloat16=false"):
        segmenter.assemble(tiles.plan, outputs)


def test_a_gpu_that_is_not_there_is_an_error(weights: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DeviceError, match="'cuda' is not there"):
        make(weights).open_network("cuda")


@pytest.mark.usefixtures("blob_network")
def test_it_is_pooled_and_called_by_name(weights: Path) -> None:
    assert isinstance(make(weights), PooledSegmenter)
    assert not isinstance(make_segmenter("watershed", {}, ("DNA",), [blobs(1)[:1]]), PooledSegmenter)
    found = segment_image(blobs(5), "cellpose", model=str(weights))
    assert found.n_cells > 20


def test_weights_are_known_by_their_contents(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    torch.save(state, tmp_path / "copy")
    state["out.bias"] += 1
    torch.save(state, tmp_path / "other")
    fingerprints = [make(path).provenance["weights"] for path in (weights, tmp_path / "copy", tmp_path / "other")]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
