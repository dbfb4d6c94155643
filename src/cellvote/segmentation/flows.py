"""Flows of any label image: what Cellpose's network would have to say for these cells to be found."""

import numpy as np

from cellvote.errors import SegmentationError
from cellvote.study.flows import Flows
from cellvote.study.masks import LabelImage

FLOW_SCALE = 5.0
"""Length of the flow inside a cell: Cellpose's network is trained to give five times a unit vector."""

CELL_LOG_ODDS = 6.0
"""Cell probability inside a cell, its negative outside: the ends of the scale on which Cellpose shows it."""


def compute_flows(label_image: LabelImage) -> Flows:
    """Compute flows from a label image, in the units of those that Cellpose's network gives.

    Heat spreads from the centre of each cell, and the flow follows its gradient: from every pixel of a cell to its
    centre (Stringer et al. 2021). Computed on the CPU in double precision: the same label image gives the same bytes.

    Parameters
    ----------
    label_image
        YX, any label ids; a cell in several parts has flows in the part with its centre only.

    Returns
    -------
    ndarray
        3YX float32: dY and dX (positive downwards and to the right; `FLOW_SCALE` long inside cells, 0 outside), and
        cell probability (log odds: `CELL_LOG_ODDS` inside cells, its negative outside).

    Raises
    ------
    SegmentationError
        Where it is not YX, or not of integers.
    """
    if label_image.ndim != 2 or label_image.dtype.kind not in "iu":
        raise SegmentationError(
            f"a label image (YX, integers) was expected, not {label_image.ndim} axes of {label_image.dtype}."
        )
    from cellvote.segmentation.heat import flow_directions

    flows = np.empty((3, *label_image.shape), np.float32)
    flows[:2] = FLOW_SCALE * flow_directions(label_image)
    flows[2] = np.where(label_image > 0, CELL_LOG_ODDS, -CELL_LOG_ODDS)
    return flows
