"""Fit the models of a planned training on a study: on measurements, on embeddings, or as networks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError
from cellvote.jobs.embeddings import embed_study, keep_backbone, open_backbone_of
from cellvote.jobs.examples import examples_of, learn_constants, measurement_matrix
from cellvote.jobs.training_plan import TrainingPlan
from cellvote.learning.architectures import EMBEDDINGS, is_network
from cellvote.learning.classic_training import train_classic
from cellvote.learning.examples import Examples
from cellvote.learning.inputs import Inputs
from cellvote.learning.network_training import NetworkTraining, train_networks
from cellvote.learning.predicting import n_scores
from cellvote.learning.scaling import FeedingConstants
from cellvote.learning.settings import TrainSettings
from cellvote.learning.training import History
from cellvote.progress import CancelToken, Report
from cellvote.study import Study

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Fitted:
    """What has to be known of fitted models to use them again.

    Attributes
    ----------
    constants
        What the inputs of each fold are relative to.
    tuned_by, tuned
        The column of the second step, and for each fold the values that got a network of their own.
    start
        What pretrained weights they started from.
    notes
        What a person should know of it.
    """

    constants: tuple[FeedingConstants, ...] = ()
    tuned_by: str = ""
    tuned: tuple[tuple[str, ...], ...] = ()
    start: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fit_models(
    study: Study,
    plan: TrainingPlan,
    folder: Path,
    *,
    data_name: str,
    device: str,
    jobs: int,
    report: Report,
    cancel: CancelToken,
) -> Fitted:
    """Fit the model of each fold into the classifier's folder, going on from what is done.

    Parameters
    ----------
    data_name
        Digest of cells, classes and folds.
    jobs
        Threads of a forest; folds whose networks are trained at a time on a CPU, at most.
    """
    if is_network(plan.settings.architecture):
        return _fit_networks(study, plan, folder, data_name, device, jobs, report, cancel)
    history = History(folder / "history.csv")
    rows = plan.cells["row"].to_numpy(np.int64)
    fitted = Fitted()
    if plan.settings.architecture == EMBEDDINGS:
        backbone = open_backbone_of(plan.inputs, plan.settings)
        _refuse_what_was_learned(study, plan, backbone)
        keep_backbone(folder, backbone)
        features = embed_study(
            study, plan.segmentation, plan.inputs, backbone, device=device, report=report, cancel=cancel
        )[rows]
        start = {"backbone": backbone.name, "licence": backbone.note.licence}
        fitted = Fitted(start=start, notes=(backbone.note.start,) if backbone.note.start else ())
    else:
        features = measurement_matrix(study, plan.segmentation, plan.inputs)[rows]
    cells = plan.training_cells()
    train_classic(cells, features, plan.settings, folder, jobs=jobs, history=history, report=report, cancel=cancel)
    return fitted


def _refuse_what_was_learned(study: Study, plan: TrainingPlan, backbone: Any) -> None:
    """See that the backbone has not learned from the images that the split holds out.

    Raises
    ------
    ClassifierError
        Where it has.
    """
    from cellvote.jobs.probabilities import image_hashes

    hashes = plan.fields.merge(image_hashes(study, plan.inputs.unit, plan.segmentation), how="left")["image_hash"]
    seen = int((~backbone.held_out(hashes.fillna("").tolist())).sum())
    if seen:
        raise ClassifierError(
            f"the backbone {backbone.name!r} has learned from {seen} of these {len(hashes)} fields, so nothing of them "
            "is held out any more. Take a backbone that was trained on other images."
        )


def _fit_networks(
    study: Study,
    plan: TrainingPlan,
    folder: Path,
    data_name: str,
    device: str,
    jobs: int,
    report: Report,
    cancel: CancelToken,
) -> Fitted:
    from cellvote.learning.networks.device import choose_device
    from cellvote.learning.networks.pretrained import choose_start
    from cellvote.learning.networks.side_by_side import share_cores

    settings, cells = plan.settings, plan.training_cells()
    rows = plan.cells["row"].to_numpy(np.int64)
    constants = tuple(
        learn_constants(study, plan.segmentation, plan.inputs, rows[cells.learned_by(fold)])
        for fold in range(plan.n_folds)
    )
    start = choose_start(settings.architecture, settings.pretrained, settings.weights)
    training = NetworkTraining(
        cells=cells,
        examples_of=ExamplesOfFolds(study, plan.segmentation, plan.inputs, rows, constants),
        build=NetworkBuilder(plan.inputs, settings, len(plan.classes), start.path),
        plate=np.asarray(pd.factorize(plan.cells["plate"], sort=True)[0], np.int64),
        settings=settings,
        data_name=data_name,
        stages=plan.stages(study),
    )
    place = choose_device(device)
    trained = train_networks(
        training,
        folder,
        device=place,
        history=History(folder / "history.csv"),
        report=report,
        cancel=cancel,
        cores=share_cores(training, jobs) if place.type == "cpu" and settings.devices == 1 else None,
    )
    notes = (*([f"networks start {start.note}"] if start.note else []), *trained.notes)
    return Fitted(constants, training.stages.column, trained.tuned, dict(start.about), notes)


class ExamplesOfFolds:
    """The examples as the network of each fold sees them; made once where all folds see the same."""

    def __init__(
        self,
        study: Study,
        segmentation: str,
        inputs: Any,
        rows: npt.NDArray[np.int64],
        constants: tuple[FeedingConstants, ...],
    ) -> None:
        self.study, self.segmentation, self.inputs, self.rows = study, segmentation, inputs, rows
        self.constants = constants
        self._last: tuple[FeedingConstants, Examples] | None = None

    def __call__(self, fold: int) -> Examples:
        """Give the examples of a fold."""
        wanted = self.constants[fold]
        if self._last is None or self._last[0] != wanted:
            made = examples_of(self.study, self.segmentation, self.inputs, self.rows, wanted)
            self._last = (wanted, made)
        return self._last[1]


@dataclass(frozen=True)
class NetworkBuilder:
    """Makes the network of a fold, its random weights drawn from the seed; in other processes, too.

    Attributes
    ----------
    weights
        What it starts from, beside that; None where it does not.
    """

    inputs: Inputs
    settings: TrainSettings
    n_classes: int
    weights: Path | None = None

    def __call__(self, fold: int) -> "nn.Module":
        """Make it."""
        import torch

        from cellvote.learning.architectures import build_architecture
        from cellvote.learning.networks.fit import seed_of

        settings, inputs = self.settings, self.inputs
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(settings.seed, fold, 0))
            return build_architecture(
                settings.architecture,
                channels=inputs.n_channels,
                size_px=inputs.size_px or 0,
                n_classes=n_scores(settings.model_dump(), self.n_classes),
                n_measurements=len(inputs.columns) if inputs.has_measurements else 0,
                pretrained=self.weights or False,
                xavier=settings.initialisation == "xavier",
            )
