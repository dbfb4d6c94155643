"""The networks of a fold: one that learns from all, then those that are tuned further from it."""

from pathlib import Path

import torch

from cellvote.learning.network_training import FoldPlan, NetworkTraining, PlannedNetwork
from cellvote.learning.networks.checkpoint import Weights
from cellvote.learning.networks.fit import Fit, OnEpoch, TrainingSet, fit_network
from cellvote.progress import CancelToken


def fit_of(training: NetworkTraining, planned: PlannedNetwork, folder: Path, device: torch.device) -> Fit:
    """Say how a network is trained.

    Parameters
    ----------
    folder
        Of the classifier.
    """
    checkpoint = folder / "checkpoint" / planned.name
    return Fit(planned.settings, planned.fold, device, checkpoint, training.data_name, planned.value)


def train_fold(
    training: NetworkTraining,
    plan: FoldPlan,
    folder: Path,
    device: torch.device,
    *,
    on_epoch: OnEpoch,
    cancel: CancelToken,
) -> list[Weights]:
    """Train the networks of a fold, each from its checkpoint where there is one.

    Parameters
    ----------
    on_epoch
        Told the row of each epoch, also of those that checkpoints bring.

    Returns
    -------
    list of dict
        The weights of each network of the plan, as `fit_network` gives them.
    """
    cells, examples = training.cells, training.examples_of(plan.fold)
    watched = cells.watched_by(plan.fold, training.settings)
    trained: list[Weights] = []
    for planned in plan.networks:
        network = training.build(plan.fold)
        if trained:
            network.load_state_dict(trained[0])
        rows = planned.rows
        data = TrainingSet(examples.take(rows), cells.codes[rows], watched[rows], training.plate[rows], cells.n_classes)
        fit = fit_of(training, planned, folder, device)
        trained.append(fit_network(network, data, fit, on_epoch=on_epoch, cancel=cancel))
    return trained
