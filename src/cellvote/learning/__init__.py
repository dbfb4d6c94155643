"""Classifiers: classes, splits, inputs, architectures, training and prediction."""

from cellvote.learning.architectures import build_architecture
from cellvote.learning.classifier import Classifier, load_classifier
from cellvote.learning.settings import TrainSettings

__all__ = ["Classifier", "TrainSettings", "build_architecture", "load_classifier"]
