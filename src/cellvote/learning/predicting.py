"""Predicting: class probabilities of cells, each by the models that never saw it."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from cellvote.errors import ClassifierError
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


def network_probabilities(
    classifier: Classifier,
    crops: npt.NDArray[np.generic],
    channels: list[int],
    limits_of: Any,
    fold: npt.NDArray[np.int64],
    *,
    device: Any,
    report: Report,
    cancel: CancelToken,
) -> Probabilities:
    """(N, K) class probabilities from N×C×H×W crops.

    Parameters
    ----------
    channels
        Which of the crops' channels the network is fed, in its order.
    limits_of
        (fold, rows) to (len(rows), 2, C): what is black and white for each crop.
    device
        A ``torch.device``.
    """
    from cellvote.learning.networks.fit import predict_network

    info = classifier.info
    networks = load_networks(classifier, device)
    total = int((fold >= 0).sum() + (fold < 0).sum() * info.n_folds)
    done = 0

    def on_batch(n: int) -> None:
        nonlocal done
        done += n
        report(Progress(done, total, f"{done:,} of {total:,} crops", str(device)))

    def predict_rows(number: int, rows: npt.NDArray[np.intp]) -> Probabilities:
        said = np.zeros((len(rows), len(info.classes)))
        for start in range(0, len(rows), 4096):
            part = rows[start : start + 4096]
            some = np.asarray(crops[part])[:, channels]
            limits = limits_of(number, part)
            said[start : start + len(part)] = predict_network(networks[number], some, limits, device, cancel, on_batch)
        return said

    return combine(fold, info.n_folds, len(info.classes), predict_rows)


def load_networks(classifier: Classifier, device: Any) -> list[Any]:
    """Build the network of each fold and fill in its weights.

    Raises
    ------
    ClassifierError
        Where the weights do not fit the architecture that ``model.json`` names.
    """
    import safetensors.torch
    import torch
    from safetensors import SafetensorError

    try:
        tensors = safetensors.torch.load_file(classifier.weights_path)
        networks = []
        for number in range(classifier.info.n_folds):
            prefix = f"fold{number}/"
            network = _empty_network(classifier.info)
            network.load_state_dict({k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)})
            networks.append(network.to(device, memory_format=torch.channels_last).eval())
    except (OSError, SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ClassifierError(f"{classifier.weights_path}: does not fit model.json ({first}). Train again.") from error
    return networks


def _empty_network(info: ClassifierInfo) -> Any:
    from cellvote.learning.architectures import build_architecture

    return build_architecture(
        info.architecture,
        channels=len(info.inputs.channels),
        size_px=(info.inputs.size_px or (0,))[0],
        n_classes=len(info.classes),
    )


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
