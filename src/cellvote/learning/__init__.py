"""Classifiers: classes, splits, inputs, architectures, training and prediction."""

from importlib import import_module
from typing import Any

from cellvote.learning.architectures import build_architecture
from cellvote.learning.classifier import Classifier, load_classifier
from cellvote.learning.settings import TrainSettings

__all__ = ["Classifier", "TrainSettings", "build_architecture", "compare_with_control", "load_classifier"]


def __getattr__(name: str) -> Any:
    if name != "compare_with_control":
        raise AttributeError(f"module 'cellvote.learning' has no attribute {name!r}")
    return import_module("cellvote.jobs.comparing").compare_with_control  # works on studies, so it lives with the jobs
