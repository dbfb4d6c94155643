"""Predicting: class probabilities of cells, each by the models that never saw it."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.errors import ClassifierError
from cellvote.learning.architectures import output_count
from cellvote.learning.classic import ClassicModel, read_models
from cellvote.learning.classifier import Classifier, ClassifierInfo, Probabilities, combine
from cellvote.learning.inputs import Features
from cellvote.progress import CancelToken, Progress, Report

_CHUNK = 4_096


def classic_probabilities(
    models: Sequence[ClassicModel],
    features: Features,
    fold: npt.NDArray[np.int64],
    n_classes: int,
    *,
    report: Report,
    cancel: CancelToken,
) -> Probabilities:
    """(N, K) class probabilities from (N, F) measurements."""

    def predict_rows(number: int, rows: npt.NDArray[np.intp]) -> Probabilities:
        said = np.zeros((len(rows), n_classes))

        def predict_part(start: int) -> None:
            cancel.raise_if_cancelled()
            part = slice(start, start + _CHUNK)
            said[part, models[number].classes_] = models[number].predict_proba(features[rows[part]])

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(predict_part, range(0, len(rows), _CHUNK)))
        report(Progress(number + 1, len(models), f"model {number + 1}", f"{len(rows):,} cells"))
        return said

    return combine(fold, len(models), n_classes, predict_rows)


def load_networks(classifier: Classifier, device: Any) -> list[dict[str, Any]]:
    """Build the networks of each fold and fill in their weights.

    Returns
    -------
    list of dict
        For each fold, by ``""`` the network that learned from all, and by the value of a column each one that was
        tuned further for it.

    Raises
    ------
    ClassifierError
        Where the weights do not fit the architecture that ``model.json`` names.
    """
    import safetensors.torch
    import torch
    from safetensors import SafetensorError

    info = classifier.info
    tuned = info.tuned or ((),) * info.n_folds
    try:
        tensors = safetensors.torch.load_file(classifier.weights_path)
        networks = []
        for fold in range(info.n_folds):
            prefixes = {"": f"fold{fold}/", **{value: f"fold{fold}.{value}/" for value in tuned[fold]}}
            of_fold = {}
            for value, prefix in prefixes.items():
                network = _empty_network(info)
                network.load_state_dict({k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)})
                of_fold[value] = network.to(device, memory_format=torch.channels_last).eval()
            networks.append(of_fold)
    except (OSError, SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ClassifierError(f"{classifier.weights_path}: does not fit model.json ({first}). Train again.") from error
    return networks


def _empty_network(info: ClassifierInfo) -> Any:
    from cellvote.learning.architectures import build_architecture

    return build_architecture(
        info.architecture,
        channels=info.inputs.n_channels,
        size_px=info.inputs.size_px or 0,
        n_classes=n_scores({"architecture": info.architecture, **info.settings}, len(info.classes)),
        n_measurements=len(info.inputs.columns) if info.inputs.has_measurements else 0,
    )


def n_scores(settings: Mapping[str, Any], n_classes: int) -> int:
    """How many scores a network gives: one for two classes where its loss is binary, or it ends in a sigmoid."""
    if settings.get("loss") == "binary" and n_classes == 2:
        return 1
    return output_count(str(settings["architecture"]), n_classes)


def load_classic(classifier: Classifier) -> list[ClassicModel]:
    """Read the models of a classifier on measurements.

    Raises
    ------
    ClassifierError
        Where they are not as many as the folds, or know other classes than ``model.json`` names.
    """
    models = read_models(classifier.weights_path)
    n_classes = len(classifier.info.classes)
    wrong = [m for m in models if not set(np.asarray(m.classes_).tolist()) <= set(range(n_classes))]
    if len(models) != classifier.info.n_folds or wrong:
        raise ClassifierError(
            f"{classifier.weights_path}: holds {len(models)} models, model.json speaks of {classifier.info.n_folds} "
            f"with {n_classes} classes. Copy the whole folder again, or train again."
        )
    return models
