"""Hold a classifier to account: what it says of wells that it never saw, beside what needs no look at the cells."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellvote.jobs.fingerprints import look_at_fields
from cellvote.jobs.probabilities import cell_probabilities
from cellvote.learning.baselines import majority_votes, measurement_probabilities, position_votes
from cellvote.learning.classifier import Classifier
from cellvote.learning.inputs import Features, Inputs, feature_matrix
from cellvote.learning.whole_images import PREFIX as IMAGE_PREFIX
from cellvote.plates.acquisition import FIELD, field_keys, place_columns
from cellvote.profiling.measurements import feature_columns
from cellvote.progress import CancelToken, ignore_progress
from cellvote.study import Study
from cellvote.voting.evaluation import GROUP, baseline_score, evaluate_predictions
from cellvote.voting.metrics import codes_of
from cellvote.voting.position import compare_with_position, position_warning
from cellvote.voting.temperature import Temperature, calibrate
from cellvote.voting.vote import PREFIX, VoteSettings, vote

if TYPE_CHECKING:
    from cellvote.jobs.train import TrainingPlan


def hold_to_account(
    study: Study, plan: "TrainingPlan", classifier: Classifier, device: str, cancel: CancelToken
) -> tuple[dict[str, Any], Temperature, pd.DataFrame]:
    """Predict every training cell by the model that never saw it, calibrate that, and score it beside the baselines.

    Parameters
    ----------
    classifier
        Not calibrated yet.

    Returns
    -------
    dict, Temperature, DataFrame
        The metrics for ``model.json``; what probabilities are corrected by; and the held-out predictions, calibrated,
        one row per cell: ``plate``, ``well``, ``field``, ``truth``, ``group``, ``fold`` and ``probability_NAME``.
    """
    said = cell_probabilities(
        study, classifier, plan.segmentation, plan.cells, device=device, report=ignore_progress, cancel=cancel
    )
    fold = plan.cells["fold"].to_numpy(np.int64)
    codes = codes_of(plan.cells["class_name"], plan.classes)
    temperature = calibrate(said, codes, fold, plan.training_cells().well)
    table = _predictions(plan, temperature.apply(said, fold))
    settings = VoteSettings(min_cells=1) if "field" in plan.wells else VoteSettings()
    metrics = evaluate_predictions(table, treatments=study.treatments, settings=settings)
    metrics["calibration"] |= {
        "ece_uncalibrated": temperature.ece_uncalibrated,
        "temperature": temperature.temperature,
    }
    codes_of_wells = codes_of(plan.wells["class_name"], plan.classes)
    by_place, metrics["position"] = None, None
    if place_columns(plan.wells)[-1] == "well":
        by_place = position_votes(plan.wells, codes_of_wells, plan.split, plan.settings.seed)
        votes = _votes_of_wells(plan, table, settings)
        metrics["position"] = compare_with_position(votes, by_place, codes_of_wells, plan.wells["group"])
    metrics["baselines"] = _baselines(study, plan, settings, by_place)
    warning = position_warning(metrics["baselines"], metrics["position"])
    metrics["notes"] = [*([plan.left_out] if plan.left_out else []), *plan.split.notes, *warning, *metrics["notes"]]
    return metrics, temperature, table.assign(fold=fold)


def _predictions(plan: "TrainingPlan", probabilities: "np.ndarray[Any, np.dtype[np.float64]]") -> pd.DataFrame:
    columns = {f"{PREFIX}{name}": probabilities[:, i] for i, name in enumerate(plan.classes)}
    return plan.cells[[*FIELD, GROUP]].assign(truth=plan.cells["class_name"], **columns)


def _votes_of_wells(
    plan: "TrainingPlan", predictions: pd.DataFrame, settings: VoteSettings
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """(W,) class number that the cells of each well vote for, −1 where they do not agree on any."""
    keys = place_columns(plan.wells)
    votes = plan.wells[keys].merge(vote(predictions, keys, settings)[[*keys, "class"]], on=keys, how="left")
    return codes_of(votes["class"], plan.classes)


def training_features(study: Study, plan: "TrainingPlan", inputs: Inputs) -> Features:
    """Take the measurements of the training cells, scaled by all cells of their plates as when predicting."""
    features: Features = feature_matrix(study.read_cells(plan.segmentation), inputs)[plan.cells["row"].to_numpy()]
    return features


def _baseline_features(study: Study, plan: "TrainingPlan") -> Features:
    """Take all measurements of the training cells; of whole images where fields are classified."""
    if plan.inputs.unit == "field":
        looks = look_at_fields(study, field_keys(plan.cells)).table
        columns = [str(c) for c in looks if str(c).startswith(IMAGE_PREFIX)]
        return np.asarray(plan.cells[FIELD].merge(looks, on=FIELD, how="left")[columns], np.float32)
    columns = feature_columns(study.read_cells(plan.segmentation))
    inputs = Inputs(parts=("measurements",), columns=tuple(columns), channels=study.channels, scale=plan.settings.scale)
    return training_features(study, plan, inputs)


def _baselines(
    study: Study, plan: "TrainingPlan", settings: VoteSettings, by_place: "np.ndarray[Any, np.dtype[np.int64]] | None"
) -> dict[str, Any]:
    examples = plan.training_cells()
    codes = codes_of(plan.wells["class_name"], plan.classes)
    n_cells = plan.wells["n_cells"].to_numpy(np.int64)
    features = _baseline_features(study, plan)
    said = measurement_probabilities(
        features, examples.codes, examples.split, examples.well, examples.n_classes, plan.settings.seed
    )
    logistic = evaluate_predictions(_predictions(plan, said), settings=settings)
    level = place_columns(plan.wells)[-1]
    short = ("accuracy", "balanced_accuracy", "n", "ci95", "auc", "ci95_auc")
    chance = 1 / len(plan.classes)
    majority = majority_votes(codes, n_cells, plan.split)
    position = baseline_score(plan.wells, by_place, codes) if by_place is not None else None
    return {
        "chance": {
            one: {"accuracy": chance, "balanced_accuracy": chance, "n": int(n)}
            for one, n in ((level, len(plan.wells)), ("cell", n_cells.sum()))
        },
        "majority": baseline_score(plan.wells, majority, codes, level),
        "position": position,
        "measurements": {one: {k: logistic[one][k] for k in short if k in logistic[one]} for one in (level, "cell")},
    }
