"""An image to the tiles that Cellpose's network sees, and the outputs for them back to flows: as ``run_net`` does."""

from dataclasses import dataclass

import numpy as np

from cellvote.errors import SegmentationError
from cellvote.plates.pixels import Pixels
from cellvote.segmentation.base import TilePixels, Tiles
from cellvote.segmentation.cellpose.settings import CellposeSettings
from cellvote.study.flows import Flows


@dataclass(frozen=True)
class TilePlan:
    """How one image was cut.

    Attributes
    ----------
    shape_px
        Y and X of the image.
    scaled_px
        Y and X of the image as the network sees it.
    padded_px
        Y and X with its margins.
    before_px
        Margins above and left of it.
    rows, columns
        Tiles in Y and X.
    spans
        First and last row and column of each tile in the padded image, in the order of the tiles.
    """

    shape_px: tuple[int, int]
    scaled_px: tuple[int, int]
    padded_px: tuple[int, int]
    before_px: tuple[int, int]
    rows: int
    columns: int
    spans: tuple[tuple[int, int, int, int], ...]


def cut_tiles(image: Pixels, settings: CellposeSettings, tile_size_px: int) -> Tiles:
    """Normalise, resize, pad and cut a CYX image.

    Raises
    ------
    SegmentationError
        Where it has pixels that are no numbers, or nothing is left of it by resizing.
    """
    from cellpose import transforms

    pixels = np.array(np.moveaxis(image, 0, -1), np.float32, order="C")  # YXC; a copy, normalised in place
    if image.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise SegmentationError("the image has pixels that are no numbers (NaN or infinite).")
    if settings.normalize:
        pixels = transforms.normalize_img(pixels[None], **settings.normalisation())[0]
    shape = (pixels.shape[0], pixels.shape[1])
    scaled = (int(shape[0] * settings.scale), int(shape[1] * settings.scale))
    if min(scaled) < 1:
        raise SegmentationError(f"the diameter of {settings.diameter_px} px is too large for an image of {shape} px.")
    if settings.scale != 1.0:
        pixels = transforms.resize_image(pixels, rsz=[settings.scale, settings.scale])
    above, below, left, right = transforms.get_pad_yx(*scaled, min_size=(tile_size_px, tile_size_px))
    padded = np.pad(pixels.transpose(2, 0, 1), ((0, 0), (above, below), (left, right)))
    tiles, ysub, xsub, height, width = transforms.make_tiles(
        padded, bsize=tile_size_px, augment=settings.augment, tile_overlap=settings.tile_overlap
    )
    plan = TilePlan(
        shape_px=shape,
        scaled_px=scaled,
        padded_px=(int(height), int(width)),
        before_px=(above, left),
        rows=tiles.shape[0],
        columns=tiles.shape[1],
        spans=tuple((int(y[0]), int(y[1]), int(x[0]), int(x[1])) for y, x in zip(ysub, xsub, strict=True)),
    )
    return Tiles(np.ascontiguousarray(tiles.reshape(-1, *tiles.shape[2:]), np.float32), plan)


def join_outputs(plan: TilePlan, outputs: TilePixels, settings: CellposeSettings) -> Flows:
    """Average the outputs for the tiles of one image where they overlap.

    Returns
    -------
    ndarray
        3YX float32: dY, dX (five times a unit vector) and cell probability (log odds), of the image's size, or of
        its size as the network saw it where the settings say not to resample.

    Raises
    ------
    SegmentationError
        Where the network gave no numbers.
    """
    from cellpose import transforms

    if not np.isfinite(outputs).all():
        raise SegmentationError("the network gave values that are no numbers: try bfloat16=false.")
    if settings.augment:
        grid = outputs.reshape(plan.rows, plan.columns, *outputs.shape[1:]).copy()
        outputs = transforms.unaugment_tiles(grid).reshape(outputs.shape)
    ysub = [span[:2] for span in plan.spans]
    xsub = [span[2:] for span in plan.spans]
    joined = transforms.average_tiles(outputs, ysub, xsub, *plan.padded_px)
    (y, x), (height, width) = plan.before_px, plan.scaled_px
    flows = joined[:, y : y + height, x : x + width]
    if settings.resample and settings.scale != 1.0:
        flows = resize_flows(flows, plan.shape_px)
    return np.ascontiguousarray(flows, np.float32)


def resize_flows(flows: Flows, shape_px: tuple[int, int]) -> Flows:
    """Resize 3YX flows, by linear interpolation."""
    from cellpose import transforms

    resized = transforms.resize_image(np.ascontiguousarray(flows.transpose(1, 2, 0)), *shape_px)
    return np.ascontiguousarray(resized.transpose(2, 0, 1), np.float32)
