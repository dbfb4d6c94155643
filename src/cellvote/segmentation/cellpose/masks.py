"""Flows to masks, by Cellpose's own dynamics.

Stringer, Wang, Michaelos and Pachitariu, "Cellpose: a generalist algorithm for cellular segmentation" (2021).
"""

import logging

import numpy as np

from cellvote.segmentation.cellpose.settings import CellposeSettings
from cellvote.segmentation.tile_runner import is_out_of_memory
from cellvote.study.flows import Flows
from cellvote.study.masks import LabelImage

logger = logging.getLogger(__name__)


def find_masks(flows: Flows, shape_px: tuple[int, int], settings: CellposeSettings, device: str = "cpu") -> LabelImage:
    """Let pixels follow the flows, and make a mask of those that come together.

    Parameters
    ----------
    flows
        3YX float32, as `cellvote.segmentation.cellpose.tiling.join_outputs` gives them.
    shape_px
        Y and X of the label image; masks are resized to it where the flows have another size.
    device
        Where pixels are moved; on a GPU whose memory is full the CPU does it.

    Returns
    -------
    ndarray
        YX int32.
    """
    import torch

    try:
        return _find_on(torch.device(device), flows, shape_px, settings)
    except RuntimeError as error:
        if device == "cpu" or not is_out_of_memory(error):
            raise
    logger.info("the memory of %s is full: these masks are made on the CPU", device)
    return _find_on(torch.device("cpu"), flows, shape_px, settings)


def _find_on(device: object, flows: Flows, shape_px: tuple[int, int], settings: CellposeSettings) -> LabelImage:
    import torch
    from cellpose import dynamics

    torch.sparse.check_sparse_tensor_invariants.disable()  # torch's own default, which it warns of where it is not said
    masks = dynamics.resize_and_compute_masks(
        flows[:2],
        flows[2],
        niter=settings.n_steps,
        cellprob_threshold=settings.cellprob_threshold,
        flow_threshold=settings.flow_threshold,
        min_size=settings.min_size_px,
        max_size_fraction=settings.max_size_fraction,
        resize=None if flows.shape[1:] == shape_px else list(shape_px),
        device=device,
    )
    return np.ascontiguousarray(masks, np.int32)
