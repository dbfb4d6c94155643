"""Predict a study with a classifier, let the cells vote, and evaluate."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError, PredictionsError, SettingsError
from cellvote.jobs.accounting import transductive_note, usual_vote_settings
from cellvote.jobs.examples import store_inputs, unreadable_fields
from cellvote.jobs.probabilities import cell_probabilities, check_device, image_hashes
from cellvote.jobs.training_plan import examples_in
from cellvote.learning.classes import truth_of_wells
from cellvote.learning.classifier import UNSEEN, Classifier, Probabilities, load_classifier
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_map import find_column
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, read_table, write_json, write_table
from cellvote.study.corrections import refuse_unmeasured_corrections
from cellvote.study.field_flags import left_out_note, quality_checksum, with_flags
from cellvote.study.illumination import check_cells_are_current
from cellvote.voting.calibrating import read_calibration
from cellvote.voting.conformal import VoteCalibration
from cellvote.voting.coverage import evaluate_sets
from cellvote.voting.evaluation import GROUP, evaluate_predictions
from cellvote.voting.position import position_warning
from cellvote.voting.vote import LEVELS, PREFIX, VoteSettings, check_learned, vote


def find_classifier(study: Study, model: str) -> Classifier:
    """Find a classifier by its name in the study, or by the path of its folder.

    Raises
    ------
    ClassifierError
        Where it is neither; the message lists the study's own.
    """
    if model in study.models:
        return load_classifier(study.model_folder(model))
    path = Path(model)
    if (path / "model.json").is_file():
        return load_classifier(path.absolute())
    if model in study.predictions:
        noted = Path(read_json(study.predictions_folder(model) / "predictions.json")["classifier"])
        return load_classifier(noted)
    there = ", ".join(study.models) or "none yet; make one with: cellvote train"
    raise ClassifierError(f"{model!r} is neither a classifier of this study ({there}) nor a classifier folder.")


def predict_study(
    study: Study,
    model: str | Classifier,
    *,
    segmentation: str = "",
    vote_settings: VoteSettings | None = None,
    device: str = "auto",
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Predict every measured cell, or every field, and let them vote for every field, well and treatment.

    A well that took part in training is predicted by the models that never saw it.

    Returns
    -------
    DataFrame
        One row per cell: ``plate``, ``well``, ``field``, ``label_id``, ``centroid_y``, ``centroid_x`` (not these three
        where fields are classified as a whole), ``fold`` (−1 where it took no part in training), ``class``,
        ``probability`` and ``probability_NAME`` of each class.
    """
    classifier = model if isinstance(model, Classifier) else find_classifier(study, model)
    cancel = cancel or CancelToken()
    predictions_name = prediction_name(study, classifier)
    check_device(device, classifier.info.inputs)
    info = classifier.info
    vote_settings = vote_settings or usual_vote_settings(study, info.inputs.unit)
    check_learned(vote_settings, read_calibration(classifier.folder, info.classes))
    name = _segmentation_for(study, classifier, segmentation)
    cells = examples_in(study, info.inputs.unit, name)
    if cells.empty:
        raise PredictionsError(f"{study.path}: no cell was measured: there is nothing to predict.")
    store_inputs(study, name, info.inputs, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
    lost = unreadable_fields(study, name, info.inputs)
    cells = cells[~pd.MultiIndex.from_frame(cells[FIELD]).isin(pd.MultiIndex.from_frame(lost[FIELD]))]
    cells = cells.reset_index(drop=True)
    said = cell_probabilities(study, classifier, name, cells, device=device, report=report, cancel=cancel)
    fold = classifier.folds_of(cells, image_hashes(study, info.inputs.unit, name))
    table = _prediction_table(cells, fold, info.classes, said)
    note = {
        "classifier": classifier.folder.as_posix(),
        "weights": classifier.weights_path.name,
        "weights_checksum": file_checksum(classifier.weights_path),
        "unit": info.inputs.unit,
        "segmentation": name,
        "classes": list(info.classes),
        "class_column": info.class_column,
        "threshold": info.threshold,
        "cells_checksum": file_checksum(study.cells_path(name)) if name else "",
        "unreadable": len(lost),
    }
    write_table(study.predictions_folder(predictions_name) / "cells.parquet", table)
    _write_votes(study, predictions_name, table, note, vote_settings)
    return table


def _prediction_table(
    cells: pd.DataFrame, fold: npt.NDArray[np.int64], classes: tuple[str, ...], said: Probabilities
) -> pd.DataFrame:
    """Put what was said of each cell or field beside where it is."""
    places = [*FIELD, *(c for c in ("label_id", "centroid_y", "centroid_x") if c in cells)]
    table = cells[places].copy()
    table["fold"] = fold
    table["class"] = pd.Series(np.array(classes, object)[said.argmax(axis=1)], dtype="str")
    table["probability"] = said.max(axis=1)
    for i, class_name in enumerate(classes):
        table[f"{PREFIX}{class_name}"] = said[:, i]
    return table


def _segmentation_for(study: Study, classifier: Classifier, segmentation: str) -> str:
    """Name the segmentation whose cells are predicted; empty where whole fields are, and no cell plays a part."""
    inputs, trained_on = classifier.info.inputs, classifier.info.segmentation
    if inputs.unit == "field" and not trained_on:
        return ""
    name = study.one_segmentation(segmentation)
    check_cells_are_current(study, name)
    refuse_unmeasured_corrections(study, name)
    return name


def prediction_name(study: Study, classifier: Classifier) -> str:
    """Name the predictions of a classifier in a study: after its folder.

    Raises
    ------
    ClassifierError
        Where it comes from elsewhere, and the study has trained another one of this name.
    """
    name = classifier.folder.name
    if name in study.models and classifier.folder.resolve() != study.model_folder(name).resolve():
        raise ClassifierError(
            f"{classifier.folder}: this study has trained another classifier called {name!r}. Copy the folder under "
            "another name, and predict with the copy."
        )
    return name


def name_of(study: Study, model: str) -> str:
    """Name the predictions of a model that is given by its name or by the path of its folder."""
    return model if model in study.predictions else prediction_name(study, find_classifier(study, model))


def read_note(study: Study, model: str) -> dict[str, Any]:
    """Read what stands beside the predictions of a model: classifier, segmentation, how votes were counted.

    Raises
    ------
    PredictionsError
        Where it has not predicted this study, or the cells were measured anew since.
    """
    name = name_of(study, model)
    path = study.predictions_folder(name) / "predictions.json"
    if not path.exists():
        raise PredictionsError(f"{model!r} has not predicted this study. Run: cellvote predict {study.path} {model}")
    note: dict[str, Any] = read_json(path)
    cells = study.cells_path(note["segmentation"]) if note["segmentation"] else None
    if cells is not None and (not cells.exists() or file_checksum(cells) != note["cells_checksum"]):
        raise PredictionsError(
            f"the cells were measured anew since {model!r} predicted them. Run: cellvote predict {study.path} {model}"
        )
    home = study.model_folder(name) if name in study.models else Path(note["classifier"])
    weights = home / note.get("weights", "")
    if weights.is_file() and file_checksum(weights) != note["weights_checksum"]:
        raise PredictionsError(
            f"{model!r} was trained anew since it predicted this study. Run: cellvote predict {study.path} {model}"
        )
    left_out = note.get("vote", {}).get("exclude_flags", ())
    if left_out and note.get("quality") != quality_checksum(study, left_out):
        raise PredictionsError(
            f"image quality was assessed anew since the votes of {model!r} were counted, and they leave out fields by "
            f"it. Run: cellvote predict {study.path} {model}"
        )
    return note


def read_predictions(study: Study, model: str) -> pd.DataFrame:
    """Read the predictions of a model, by its name or the path of its folder.

    Raises
    ------
    PredictionsError
        Where it has not predicted this study, or the cells were measured anew since.
    """
    name = name_of(study, model)
    read_note(study, model)
    return read_table(study.predictions_folder(name) / "cells.parquet")


def read_vote_settings(study: Study, model: str) -> VoteSettings:
    """Read how the votes on disk were counted."""
    return VoteSettings.model_validate(read_note(study, model).get("vote", {}))


def vote_study(study: Study, model: str, level: str = "well", settings: VoteSettings | None = None) -> pd.DataFrame:
    """Let the cells vote by ``field``, ``well``, ``treatment`` or a plate-map column.

    Parameters
    ----------
    settings
        Those of the last vote where they are not given. Other ones are kept, and all votes on disk counted anew:
        fields, wells and treatments never stand side by side counted in different ways.

    Raises
    ------
    SettingsError
        Where there is no such level or column.
    """
    name = name_of(study, model)
    note = read_note(study, model)
    predictions = read_table(study.predictions_folder(name) / "cells.parquet")
    stored = VoteSettings.model_validate(note.get("vote", {}))
    settings = settings or stored
    votes = _vote_by(study, predictions, level, settings, read_vote_calibration(study, name, note))
    if settings != stored:
        _write_votes(study, name, predictions, note, settings)
    return votes


def read_vote_calibration(study: Study, model: str, note: dict[str, Any]) -> VoteCalibration | None:
    """Read what the votes of a model were calibrated with; None where its folder is gone, or knows nothing of it.

    Parameters
    ----------
    note
        What stands beside its predictions, as from `read_note`.
    """
    name = name_of(study, model)
    home = study.model_folder(name) if name in study.models else Path(note["classifier"])
    return read_calibration(home, note["classes"])


def _vote_by(
    study: Study, predictions: pd.DataFrame, level: str, settings: VoteSettings, calibration: VoteCalibration | None
) -> pd.DataFrame:
    by = LEVELS.get(level)
    predictions = with_flags(study, predictions, settings.exclude_flags)
    if level == "treatment":
        predictions = predictions.merge(study.treatments, on=place_columns(study.treatments), how="inner")
    elif level == "well":
        predictions = predictions[predictions["well"] != ""]
    if by is None:
        column = find_column(study.plate_map, level)
        if column in predictions:
            raise SettingsError(f"--by {level}: use field, well or treatment, or another column of the plate map.")
        keys = place_columns(study.plate_map)
        predictions = predictions.merge(study.plate_map[[*keys, column]], on=keys)
        by = [column]
    return vote(predictions, by, settings, calibration)


def _write_votes(
    study: Study, name: str, predictions: pd.DataFrame, note: dict[str, Any], settings: VoteSettings
) -> None:
    folder, calibration = study.predictions_folder(name), read_vote_calibration(study, name, note)
    for level in LEVELS:
        write_table(folder / f"{level}s.parquet", _vote_by(study, predictions, level, settings, calibration))
    sets = calibration.cell_sets(predictions, settings) if calibration is not None else ""
    if isinstance(sets, str):
        (folder / "cell_sets.parquet").unlink(missing_ok=True)
    else:
        write_table(folder / "cell_sets.parquet", sets)
    quality = quality_checksum(study, settings.exclude_flags)
    write_json(folder / "predictions.json", {**note, "vote": settings.model_dump(mode="json"), "quality": quality})


def evaluate_study(
    study: Study, model: str, *, classes: str = "", settings: VoteSettings | None = None
) -> dict[str, Any]:
    """Score a classifier on the wells of a study whose class is known, and that it never saw.

    In the study that it was trained on, these are its held-out predictions. In another study, wells whose
    images were trained on (known by their pixels) are left out.

    Parameters
    ----------
    classes
        Plate-map column with the truth; the one that it was trained on where it is not given.
    settings
        How cells vote; as the votes on disk were counted where they are not given.
    """
    classifier = find_classifier(study, model)
    info = classifier.info
    predictions = read_predictions(study, model)
    truth = truth_of_wells(study.plate_map, classes or info.class_column, info.classes, info.threshold)
    at_home = classifier.folder.resolve() == study.model_folder(classifier.folder.name).resolve()
    table, notes = _never_seen(classifier, predictions, truth, at_home=at_home)
    settings = settings or read_vote_settings(study, model)
    table = with_flags(study, table, settings.exclude_flags)
    left_out = left_out_note(table, settings.exclude_flags, "votes and scores")
    notes += [left_out] if left_out else []
    notes += transductive_note(info.settings)
    untrained = sorted(set(info.settings.get("exclude_flags", ())) - set(settings.exclude_flags))
    if untrained:
        rule = " or ".join(untrained).replace("_", " ")
        notes.append(
            f"fields that are {rule} were left out of training, and have a say here: "
            "predict with --set exclude_flags=… to leave them out of votes, too."
        )
    calibration = read_calibration(classifier.folder, info.classes)
    result = evaluate_predictions(
        table, treatments=study.treatments, settings=settings, calibration=calibration, unit=info.inputs.unit
    )
    result["conformal"], why = evaluate_sets(
        table, treatments=study.treatments, settings=settings, calibration=calibration, at_home=at_home
    )
    result["notes"] += why
    if at_home:
        result["calibration"] = {**info.metrics.get("calibration", {}), **result["calibration"]}
    return _report(result, classifier, notes, at_home=at_home)


def _never_seen(
    classifier: Classifier, predictions: pd.DataFrame, truth: pd.DataFrame, *, at_home: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Take the predictions whose truth is known, and that no model which made them was trained on; and notes.

    Raises
    ------
    PredictionsError
        Where there are none.
    """
    keys, info = place_columns(truth), classifier.info
    table = predictions.merge(truth, on=keys, how="inner")
    trained = table["fold"] != UNSEEN
    notes: list[str] = []
    if at_home:
        # Each was held out in its fold; what was held out together is drawn together for intervals.
        groups = classifier.split[[*keys, GROUP]].drop_duplicates(keys)
        table = table[trained].merge(groups, on=keys)
    else:
        if trained.any():
            n = table.loc[trained, keys].drop_duplicates().shape[0]
            notes.append(f"{n} {keys[-1]}(s) left out: the classifier was trained on their images.")
        table = table[~trained]
    if table.empty:
        raise PredictionsError(
            f"no {keys[-1]} has a known class that the classifier was not trained on. Its classes are "
            f"{', '.join(info.classes)} of the column {info.class_column!r}; name the column here with --classes."
        )
    return table, notes


def _report(result: dict[str, Any], classifier: Classifier, notes: list[str], *, at_home: bool) -> dict[str, Any]:
    info = classifier.info
    baselines: dict[str, Any] = {"majority": None, "position": None, "measurements": None}
    if at_home:
        baselines = info.metrics["baselines"]
        notes = [*notes, *position_warning(baselines, info.metrics.get("position"))]
    else:
        baselines["majority"] = {
            level: _commonest(result[level]) for level in ("cell", "field", "well") if result[level]
        }
        notes.append("baselines of position and measurements: only where the classifier was trained.")
    return {
        "unit": info.inputs.unit,
        "split_by": info.split_by if at_home else "study",
        **{k: result[k] for k in ("classes", "cell", "field", "well", "treatment")},
        "baselines": baselines,
        "calibration": result["calibration"],
        "conformal": result["conformal"],
        "drawn": result["drawn"],
        "position": info.metrics.get("position") if at_home else None,
        "notes": list(dict.fromkeys([*(info.metrics.get("notes", []) if at_home else []), *notes, *result["notes"]])),
    }


def _commonest(scored: dict[str, Any]) -> dict[str, Any]:
    """Say how often one is right by always naming the commonest class."""
    truths = np.array(scored["confusion"]).sum(axis=1) + np.array(scored["abstained"])
    share = float(truths.max() / truths.sum())
    return {"accuracy": share, "balanced_accuracy": 1 / int((truths > 0).sum()), "n": int(truths.sum())}
