"""Training of models on measurements: one for each fold, each kept as soon as it is done."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cellvote.errors import ClassifierError
from cellvote.learning.classic import ClassicModel, fit_classic, read_models, write_models
from cellvote.learning.inputs import Features
from cellvote.learning.sampling import DRAWN, downsampled, drawn_by_class
from cellvote.learning.settings import TrainSettings
from cellvote.learning.training import History, TrainingCells
from cellvote.progress import CancelToken, Progress, Report


def train_classic(
    cells: TrainingCells,
    features: Features,
    settings: TrainSettings,
    folder: Path,
    *,
    jobs: int,
    history: History,
    report: Report,
    cancel: CancelToken,
) -> list[ClassicModel]:
    """Fit a model on measurements, or the head on embeddings, for each fold, going on from the folds that are done."""
    models: list[ClassicModel] = []
    for fold in range(cells.n_folds):
        cancel.raise_if_cancelled()
        path = folder / "checkpoint" / f"fold-{fold}.skops"
        train = cells.learned_by(fold)
        if path.exists():
            model = _read_checkpoint(path)
        else:
            rows = _balanced(np.flatnonzero(train), cells.codes, settings, fold)
            model = fit_classic(features[rows], cells.codes[rows], settings, jobs)
            write_models(path, [model])
        models.append(model)
        said = model.classes_[model.predict_proba(features[train]).argmax(axis=1)]
        accuracy = float((said == cells.codes[train]).mean())
        history.append({"fold": fold, "epoch": 1, "train_accuracy": round(accuracy, 6), "device": "cpu"})
        report(Progress(fold + 1, cells.n_folds, f"fold {fold + 1}", f"{train.sum():,} cells learned"))
    write_models(folder / "model.skops", models)
    return models


def _balanced(
    rows: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], settings: TrainSettings, fold: int
) -> npt.NDArray[np.int64]:
    """Leave out, or draw more often, what the balance asks for; weights are left to the models."""
    random = np.random.default_rng((settings.seed, fold))
    if settings.balance in DRAWN:
        return rows[np.sort(drawn_by_class(codes[rows], settings.balance, random))]
    return rows[downsampled(codes[rows], settings.balance, random)]


def _read_checkpoint(path: Path) -> ClassicModel:
    models = read_models(path)
    if len(models) != 1:
        raise ClassifierError(f"{path}: should hold one model, not {len(models)}. Delete it, and train again.")
    return models[0]
