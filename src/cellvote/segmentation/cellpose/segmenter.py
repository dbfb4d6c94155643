"""The segmenter: Cellpose's tiles, network and masks, in the parts that whole plates are pooled by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellvote.errors import SegmentationError, SettingsError
from cellvote.plates.acquisition import channel_index
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import Segmentation, TileNetwork, TilePixels, Tiles, segment_with
from cellvote.segmentation.cellpose.masks import find_masks
from cellvote.segmentation.cellpose.network import TILE_SIZES_PX, check_installed, load_network, quiet_cellpose
from cellvote.segmentation.cellpose.settings import CellposeSettings
from cellvote.segmentation.cellpose.tiling import TilePlan, cut_tiles, join_outputs, resize_flows
from cellvote.segmentation.cellpose.weights import find_weights
from cellvote.segmentation.cellpose.weights_format import WeightsFormat
from cellvote.settings import validated

MAX_CHANNELS = 3


@dataclass(frozen=True)
class CellposeSegmenter:
    """Cellpose, as a `PooledSegmenter`.

    Parameters
    ----------
    settings
        With nothing left automatic; `make_cellpose` fills it in.
    channels
        Channel names of the images to come.
    weights_path, weights
        The model file, and what was found in it.
    """

    settings: CellposeSettings
    channels: tuple[str, ...]
    weights_path: Path
    weights: WeightsFormat
    name: str = "cellpose"
    light: bool = False
    gives_flows: bool = True

    @property
    def provenance(self) -> dict[str, str]:
        """What the result depends on beside the settings."""
        from importlib.metadata import version

        return {"cellpose": version("cellpose"), "weights": self.weights.fingerprint}

    def segment(self, image: Pixels) -> Segmentation:
        """Find the cells of a CYX image, on the fastest device.

        Raises
        ------
        SegmentationError
            Where the image has other channels than the segmenter was made for.
        """
        return segment_with(self, image, self.open_network())

    def prepare(self, image: Pixels) -> Tiles:
        """Take the chosen channels of a CYX image, and cut them into tiles."""
        if image.ndim != 3 or len(image) != len(self.channels):
            raise SegmentationError(
                f"an image of {len(self.channels)} channels (CYX) was expected, not of the shape {image.shape}."
            )
        quiet_cellpose()
        chosen = [channel_index(self.channels, name) for name in self.settings.channels]
        return cut_tiles(image[chosen], self.settings, self.tile_size_px)

    @property
    def tile_size_px(self) -> int:
        """Height and width of a tile."""
        return self.settings.tile_size_px or TILE_SIZES_PX[self.weights.backbone]

    def open_network(self, device: str = "auto") -> TileNetwork:
        """Load the network onto a device."""
        import torch

        from cellvote.device import choose_device
        from cellvote.segmentation.tile_runner import TileRunner

        chosen = choose_device(device)
        network = load_network(self.weights_path, chosen, bfloat16=self.settings.bfloat16)
        dtype = torch.bfloat16 if self.settings.bfloat16 else torch.float32
        return TileRunner(network, chosen, batch_size=self.settings.batch_size, dtype=dtype)

    def assemble(self, plan: TilePlan, outputs: TilePixels, device: str = "cpu") -> Segmentation:
        """Join the outputs for the tiles of one image, and make its masks."""
        quiet_cellpose()
        flows = join_outputs(plan, outputs, self.settings)
        label_image = find_masks(flows, plan.shape_px, self.settings, device)
        if flows.shape[1:] != plan.shape_px:
            flows = resize_flows(flows, plan.shape_px)
        return Segmentation(label_image, flows=flows)


def make_cellpose(settings: dict[str, Any], channels: tuple[str, ...], sample: list[Pixels]) -> CellposeSegmenter:
    """Make the Cellpose segmenter, and see that its weights are there.

    Parameters
    ----------
    sample
        Not looked at: Cellpose normalises each image by itself.

    Raises
    ------
    SettingsError
        Where a setting is unknown or out of bounds.
    ChannelError
        Where a channel does not exist.
    WeightsError
        Where the weights are missing or unusable.
    """
    del sample
    wanted = validated(CellposeSettings, settings)
    names = wanted.channels or channels[:MAX_CHANNELS]
    chosen = tuple(channels[channel_index(channels, name)] for name in names)
    if len(set(chosen)) < len(chosen):
        raise SettingsError(f"channels={','.join(names)}: names the channel {chosen[0]} twice.")
    path, weights = find_weights(wanted.model)
    check_installed(weights.backbone)
    size = wanted.tile_size_px or TILE_SIZES_PX[weights.backbone]
    if weights.backbone == "sam_vitl" and size != TILE_SIZES_PX["sam_vitl"]:
        raise SettingsError(f"tile_size_px={size}: {wanted.model} takes tiles of 256 px only; leave it out.")
    filled = wanted.model_copy(update={"channels": chosen, "tile_size_px": size, "niter": wanted.n_steps})
    return CellposeSegmenter(filled, channels, path, weights)
