"""CellVote: from a plate of images to per-cell predictions that vote, and that can be audited.

The names below are loaded when they are first used, so that ``import cellvote`` stays quick and needs neither
Qt nor torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cellvote import learning
    from cellvote.jobs.illumination import estimate_illumination
    from cellvote.jobs.measure import measure_study as measure
    from cellvote.jobs.predict import evaluate_study as evaluate
    from cellvote.jobs.predict import predict_study as predict
    from cellvote.jobs.profile import profile_study as profile
    from cellvote.jobs.quality import assess_quality
    from cellvote.jobs.segment import segment_study as segment
    from cellvote.jobs.train import train_study as train
    from cellvote.plates.layouts import read_plate
    from cellvote.profiling import measure_cells
    from cellvote.reporting import write_report
    from cellvote.segmentation import segment_image
    from cellvote.study import Study
    from cellvote.voting import vote

__version__ = version("cellvote")

__all__ = [
    "Study",
    "assess_quality",
    "estimate_illumination",
    "evaluate",
    "learning",
    "measure",
    "measure_cells",
    "predict",
    "profile",
    "read_plate",
    "segment",
    "segment_image",
    "train",
    "vote",
    "write_report",
]

_HOMES: Final = {
    "Study": ("cellvote.study", "Study"),
    "assess_quality": ("cellvote.jobs.quality", "assess_quality"),
    "estimate_illumination": ("cellvote.jobs.illumination", "estimate_illumination"),
    "evaluate": ("cellvote.jobs.predict", "evaluate_study"),
    "measure": ("cellvote.jobs.measure", "measure_study"),
    "measure_cells": ("cellvote.profiling", "measure_cells"),
    "predict": ("cellvote.jobs.predict", "predict_study"),
    "profile": ("cellvote.jobs.profile", "profile_study"),
    "read_plate": ("cellvote.plates.layouts", "read_plate"),
    "segment": ("cellvote.jobs.segment", "segment_study"),
    "segment_image": ("cellvote.segmentation", "segment_image"),
    "train": ("cellvote.jobs.train", "train_study"),
    "vote": ("cellvote.voting", "vote"),
    "write_report": ("cellvote.reporting", "write_report"),
}


def __getattr__(name: str) -> Any:
    if name == "learning":
        return import_module("cellvote.learning")
    if name not in _HOMES:
        raise AttributeError(f"module 'cellvote' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
