"""Masks that other software made, matched to the fields of a study by their names."""

from cellvote.segmentation.imported.segmenter import ImportSegmenter, make_import
from cellvote.segmentation.imported.settings import ImportSettings

__all__ = ["ImportSegmenter", "ImportSettings", "make_import"]
