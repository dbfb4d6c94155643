"""Cellpose 4.2 and newer: transformers that find cells of any kind.

Stringer and Pachitariu, "Cellpose-SAM: superhuman generalization for cellular segmentation" (2025). The network, its
tiles and its dynamics are Cellpose's own; here its settings, weights and the parts that `PooledSegmenter` asks for.
Nothing of it is imported before a network is needed.
"""

from cellvote.segmentation.cellpose.segmenter import CellposeSegmenter, make_cellpose
from cellvote.segmentation.cellpose.settings import CellposeSettings

__all__ = ["CellposeSegmenter", "CellposeSettings", "make_cellpose"]
