"""Hold a classifier to account: what it says of wells that it never saw, beside what needs no look at the cells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellvote.jobs.examples import measurement_matrix
from cellvote.jobs.probabilities import cell_probabilities
from cellvote.jobs.training_inputs import measured_columns
from cellvote.learning.baselines import majority_votes, measurement_probabilities, position_votes
from cellvote.learning.classifier import Classifier
from cellvote.learning.inputs import Inputs
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.progress import CancelToken, Report
from cellvote.study import Study
from cellvote.voting.evaluation import GROUP, baseline_score, evaluate_predictions
from cellvote.voting.metrics import codes_of
from cellvote.voting.position import compare_with_position, position_warning
from cellvote.voting.settings import usual_votes
from cellvote.voting.temperature import Temperature, calibrate
from cellvote.voting.vote import PREFIX, VoteSettings, vote

if TYPE_CHECKING:
    from cellvote.jobs.training_plan import TrainingPlan


def usual_vote_settings(study: Study, unit: str = "cell") -> VoteSettings:
    """Give the settings of a vote that were not chosen, as `voting.settings.usual_votes` has them."""
    return usual_votes(of_fields=unit == "field", have_wells="field" not in place_columns(study.plate_map))


def transductive_note(settings: Mapping[str, Any]) -> list[str]:
    """Say where predictions hang on what else is on the plate; nothing where they do not."""
    if not settings.get("adapt_to_plate"):
        return []
    return ["transductive: batch normalisation was estimated anew on each plate that is predicted, held-out wells too."]


def hold_to_account(
    study: Study, plan: "TrainingPlan", classifier: Classifier, device: str, report: Report, cancel: CancelToken
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
        study, classifier, plan.segmentation, plan.cells, device=device, report=report, cancel=cancel
    )
    fold = plan.cells["fold"].to_numpy(np.int64)
    codes = codes_of(plan.cells["class_name"], plan.classes)
    temperature = calibrate(said, codes, fold, plan.training_cells().well)
    table = _predictions(plan, temperature.apply(said, fold))
    settings = usual_vote_settings(study, plan.inputs.unit)
    metrics = evaluate_predictions(table, treatments=study.treatments, settings=settings, unit=plan.inputs.unit)
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
    hangs = transductive_note(classifier.info.settings)
    left_out = [plan.left_out] if plan.left_out else []
    metrics["notes"] = [*left_out, *plan.split.notes, *warning, *hangs, *metrics["notes"]]
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


def _baselines(
    study: Study, plan: "TrainingPlan", settings: VoteSettings, by_place: "np.ndarray[Any, np.dtype[np.int64]] | None"
) -> dict[str, Any]:
    examples = plan.training_cells()
    codes = codes_of(plan.wells["class_name"], plan.classes)
    n_cells = plan.wells["n_cells"].to_numpy(np.int64)
    inputs = Inputs(
        unit=plan.inputs.unit,
        parts=("measurements",),
        columns=measured_columns(study, plan.inputs.unit, plan.segmentation),
        channels=study.channels,
        scale=plan.settings.scale,
    )
    features = measurement_matrix(study, plan.segmentation, inputs)[plan.cells["row"].to_numpy()]
    said = measurement_probabilities(
        features, examples.codes, examples.split, examples.well, examples.n_classes, plan.settings.seed
    )
    logistic = evaluate_predictions(_predictions(plan, said), settings=settings, unit=plan.inputs.unit)
    level = place_columns(plan.wells)[-1]
    short = ("accuracy", "balanced_accuracy", "n", "ci95", "auc", "ci95_auc")
    chance = 1 / len(plan.classes)
    majority = majority_votes(codes, n_cells, plan.split)
    unit = plan.inputs.unit
    position = baseline_score(plan.wells, by_place, codes, unit=unit) if by_place is not None else None
    return {
        "chance": {
            one: {"accuracy": chance, "balanced_accuracy": chance, "n": int(n)}
            for one, n in ((level, len(plan.wells)), (plan.inputs.unit, n_cells.sum()))
        },
        "majority": baseline_score(plan.wells, majority, codes, level, plan.inputs.unit),
        "position": position,
        "measurements": {
            one: {k: logistic[one][k] for k in short if k in logistic[one]} for one in (level, plan.inputs.unit)
        },
    }
