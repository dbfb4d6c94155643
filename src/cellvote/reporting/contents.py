"""Contents of a report: everything that is computed, before anything is drawn."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from cellvote.errors import PredictionsError
from cellvote.jobs.predict import (
    evaluate_study,
    find_classifier,
    read_note,
    read_predictions,
    read_vote_calibration,
)
from cellvote.learning.classes import truth_of_wells
from cellvote.learning.classifier import UNSEEN, Classifier, ClassifierInfo
from cellvote.plates.acquisition import WELL
from cellvote.plates.plate_map import find_column
from cellvote.reporting.dose_response import DoseResponse, dose_response, positive_class
from cellvote.reporting.well_table import STATES, well_table
from cellvote.study import Study
from cellvote.study.field_flags import with_flags
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.voting.position import position_warning
from cellvote.voting.vote import VoteSettings, vote


@dataclass(frozen=True)
class ReportContents:
    """What a report says, as tables and plain values.

    Attributes
    ----------
    note
        ``predictions.json``: what the predictions were made from.
    predictions
        One row per cell, or per field where these are classified as a whole.
    wells
        As from `well_table`.
    truth
        ``plate``, ``well``, ``truth`` of the wells whose class is known.
    evaluation
        As from `jobs.predict.evaluate_study`; None where there is none, the reason in ``no_evaluation``.
    failed
        The step (``segment`` or ``measure``) and the record of each field that failed.
    """

    study: Study
    classifier: Classifier
    settings: VoteSettings
    note: dict[str, Any]
    predictions: pd.DataFrame
    wells: pd.DataFrame
    truth: pd.DataFrame
    evaluation: dict[str, Any] | None
    no_evaluation: str
    dose: DoseResponse
    failed: tuple[tuple[str, FieldRecord], ...]

    @property
    def info(self) -> ClassifierInfo:
        """What the classifier says of itself."""
        return self.classifier.info

    @property
    def model(self) -> str:
        """The name under which the predictions are kept."""
        return self.classifier.folder.name

    @property
    def segmentation(self) -> str:
        """The segmentation whose cells were predicted; empty where whole fields were."""
        return str(self.note["segmentation"])

    @property
    def unit(self) -> str:
        """What was predicted: ``cell`` or ``field``."""
        return str(self.info.inputs.unit)

    @property
    def at_home(self) -> bool:
        """Whether the classifier was trained on this study."""
        return self.classifier.folder == self.study.model_folder(self.info.name)

    @property
    def study_name(self) -> str:
        """The study's folder without its suffix."""
        return self.study.path.name.removesuffix(".cellvote")

    def warnings(self) -> list[str]:
        """Say what must be known before any figure here is believed."""
        found = []
        if self.evaluation is not None:
            found += position_warning(self.evaluation["baselines"], self.evaluation["position"])
            found += _no_better_than_measurements(self.evaluation, network=self.classifier.is_network)
        if self.failed:
            fields = {record.key for _, record in self.failed}
            found.append(f"{len(fields)} field(s) failed and have no say in this report: they are listed below.")
        return found

    def notes(self) -> list[str]:
        """Say what else was noticed, without what `warnings` says already."""
        found = [] if self.evaluation is None else list(self.evaluation["notes"])
        warned = set(self.warnings())
        return [note for note in (*found, *self.study.info.problems) if note not in warned]

    def summary(self) -> dict[str, Any]:
        """Give the figures of the report as plain values, for ``--json``."""
        states = self.wells["state"].value_counts()
        return {
            "study": self.study_name,
            "model": self.model,
            "classes": list(self.info.classes),
            "wells": {state: int(states.get(state, 0)) for state in STATES},
            "votes": {c: int((self.wells["class"] == c).sum()) for c in self.info.classes},
            "fields": len(self.study.fields),
            "fields_failed": [
                {"step": step, "plate": r.plate, "well": r.well, "field": r.field, "error": r.error}
                for step, r in self.failed
            ],
            "cells": len(self.predictions),
            "evaluation": self.evaluation,
            "dose_response": self.dose.summary(),
            "warnings": self.warnings(),
            "notes": [*self.notes(), *([self.no_evaluation] if self.no_evaluation else [])],
        }


def collect_contents(
    study: Study, model: str, *, classes: str = "", settings: VoteSettings | None = None
) -> ReportContents:
    """Compute everything that a report says.

    Parameters
    ----------
    classes
        Plate-map column with the truth; the one that the classifier was trained on where it is not given.
    settings
        How the cells vote: the same for the votes, the figures and the scores of a report.

    Raises
    ------
    PredictionsError
        Where the model has not predicted this study.
    ClassifierError
        Where there is no such classifier.
    PlateMapError
        Where the plate map has no such column.
    """
    note = read_note(study, model)
    if classes:
        find_column(study.plate_map, classes)
    settings = settings or VoteSettings.model_validate(note.get("vote", {}))
    predictions = read_predictions(study, model)
    classifier = find_classifier(study, model)
    info = classifier.info
    truth = truth_of_wells(study.plate_map, classes or info.class_column, info.classes, info.threshold)
    flagged = with_flags(study, predictions, settings.exclude_flags)
    votes = vote(_of_wells(flagged), WELL, settings, read_vote_calibration(study, model, note))
    trained_on = _training_wells(study, classifier, predictions)
    wells = well_table(_of_wells(study.plate_map), votes, _of_wells(truth)[[*WELL, "truth"]], trained_on)
    evaluation, reason = None, ""
    try:
        evaluation = evaluate_study(study, model, classes=classes, settings=settings)
    except PredictionsError as error:
        reason = str(error)
    return ReportContents(
        study=study,
        classifier=classifier,
        settings=settings,
        note=note,
        predictions=predictions,
        wells=wells,
        truth=truth,
        evaluation=evaluation,
        no_evaluation=reason,
        dose=dose_response(wells, study.plate_map, info.classes, positive_class(info.classes, study.plate_map, truth)),
        failed=failed_fields(study, str(note["segmentation"])),
    )


def _of_wells(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out images that are of no well."""
    return table[table["well"] != ""]


def failed_fields(study: Study, segmentation: str) -> tuple[tuple[str, FieldRecord], ...]:
    """List the fields that could not be segmented or measured, with the step; none where no cells were asked for."""
    if not segmentation:
        return ()
    folder = study.segmentation_folder(segmentation)
    steps = (("segment", "fields.parquet"), ("measure", "measured.parquet"))
    return tuple((step, record) for step, name in steps for record in Ledger(folder / name).failed())


def _training_wells(study: Study, classifier: Classifier, predictions: pd.DataFrame) -> set[tuple[str, str]]:
    """Find the wells that the classifier was trained on: by their images, and at home also by their names."""
    seen = predictions.loc[predictions["fold"] != UNSEEN, ["plate", "well"]]
    tables = [seen]
    if classifier.folder == study.model_folder(classifier.info.name):
        tables.append(classifier.split[["plate", "well"]])
    return {(str(p), str(w)) for p, w in pd.concat(tables).drop_duplicates().itertuples(index=False, name=None)}


def _no_better_than_measurements(evaluation: dict[str, Any], *, network: bool) -> list[str]:
    unit = evaluation["unit"]
    simple = (evaluation["baselines"].get("measurements") or {}).get(unit)
    own = evaluation[unit]
    if not network or not simple or own["accuracy"] > simple["accuracy"]:
        return []
    warning = (
        f"logistic regression on the measurements gets {simple['accuracy']:.1%} of the held-out {unit}s right, no "
        f"fewer than this network ({own['accuracy']:.1%}): on these wells the network adds nothing to be seen."
    )
    return [warning]
