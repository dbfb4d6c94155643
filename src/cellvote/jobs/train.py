"""Train a classifier on a study, and hold it to account on what it has not seen."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cellvote.errors import StudyError
from cellvote.jobs.accounting import hold_to_account
from cellvote.jobs.audit import audit_training
from cellvote.jobs.examples import store_inputs, unreadable_fields
from cellvote.jobs.field_measurements import measure_fields
from cellvote.jobs.fitting import Fitted, fit_models
from cellvote.jobs.probabilities import check_device, image_hashes
from cellvote.jobs.training_plan import TrainingPlan, plan_training
from cellvote.learning.architectures.finding import TIMM
from cellvote.learning.classes import ClassSpec
from cellvote.learning.classifier import (
    Classifier,
    ClassifierInfo,
    current_versions,
    load_classifier,
    training_data_hash,
    weights_name,
)
from cellvote.learning.model_card import write_model_card
from cellvote.learning.settings import TrainSettings, settings_for
from cellvote.learning.splits import LEARNED_IN
from cellvote.learning.weights_note import write_note
from cellvote.plates.acquisition import FIELD
from cellvote.processes import default_workers
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.recipes import settings_of_recipe
from cellvote.settings import changed
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_json, write_table
from cellvote.voting.calibrating import fit_conformal, write_calibration

__all__ = ["TrainingPlan", "plan_training", "train_study"]


def train_study(
    study: Study,
    classes: str | ClassSpec,
    *,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    name: str = "",
    device: str = "auto",
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> Classifier:
    """Train a classifier on a study; a run that was killed goes on where it was.

    Parameters
    ----------
    classes
        ``COLUMN`` or ``COLUMN=a,b`` of the plate map.
    settings
        What is not said is as on the command line: the usual recipe of the unit where no architecture is named.
    name
        Of the classifier; the architecture's name where it is not given.
    overwrite
        Throw away what is there under this name, and train anew.

    Raises
    ------
    ClassesError
        Where the classes cannot be told apart honestly.
    StudyError
        Where a classifier of this name was made with other settings or cells.
    DeviceError
        Where the device asked for is not there, or the architecture cannot use it.
    CancelledError
        Where it was cancelled; run again to go on.
    """
    chosen = settings if isinstance(settings, TrainSettings) else settings_of_recipe("", settings or {})
    cancel = cancel or CancelToken()
    plan = plan_training(study, classes, chosen)
    name = name or chosen.architecture.removeprefix(TIMM)
    folder = study.model_folder(name)
    check_device(device, plan.inputs)
    is_new = overwrite or not (folder / "model.json").exists()
    leaks = _audit(study, plan, report, cancel) if is_new else []  # before anything is written
    if _is_done(plan, folder, overwrite=overwrite):
        return load_classifier(folder)
    work: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "report": report, "cancel": cancel}
    store_inputs(study, plan.segmentation, plan.inputs, **work)
    if plan.inputs.unit == "field" and not plan.segmentation:
        measure_fields(study, **work)  # what logistic regression, as a baseline, is fed
    lost = unreadable_fields(study, plan.segmentation, plan.inputs).merge(plan.fields[FIELD], on=FIELD)
    plan = plan.without(lost) if len(lost) else plan
    jobs, data_name = workers or default_workers(), _data_hash(plan)
    fitted = fit_models(
        study, plan, folder, data_name=data_name, device=device, jobs=jobs, report=report, cancel=cancel
    )
    notes = [*leaks, *fitted.notes, *_lost_note(lost)]
    return _write_classifier(study, plan, folder, name, fitted, notes, device, report, cancel)


def _audit(study: Study, plan: TrainingPlan, report: Report, cancel: CancelToken) -> list[str]:
    """Stop where the split leaks, or tell of it where that was asked for."""
    return audit_training(
        study,
        plan.fields,
        plan.split,
        plan.wells,
        plan.settings.split_by,
        stop=plan.settings.leaks == "stop",
        report=report,
        cancel=cancel,
    )


def _write_classifier(
    study: Study,
    plan: TrainingPlan,
    folder: Path,
    name: str,
    fitted: Fitted,
    notes: list[str],
    device: str,
    report: Report,
    cancel: CancelToken,
) -> Classifier:
    """Hold fitted models to account, and write all that makes them a classifier; ``model.json`` makes it count."""
    write_table(folder / "split.parquet", _split_table(study, plan))
    info = _describe(study, plan, name, fitted)
    write_note(folder / weights_name(info.architecture), info)
    draft = Classifier(folder, info, read_table(folder / "split.parquet"))
    metrics, temperature, held_out = hold_to_account(study, plan, draft, device, report, cancel)
    metrics["notes"] = [*notes, *metrics["notes"]]
    write_calibration(folder, fit_conformal(held_out, study.treatments))
    info = info.model_copy(update={"metrics": metrics, "calibration": temperature.model_dump(mode="json")})
    write_json(folder / "model.json", info.model_dump(mode="json"))
    write_model_card(folder, info, draft.split)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return load_classifier(folder)


def _lost_note(lost: pd.DataFrame) -> list[str]:
    """Say which fields could not be read."""
    return [f"{len(lost)} field(s) could not be read, and were left out: {lost['error'].iloc[0]}"] if len(lost) else []


def _is_done(plan: TrainingPlan, folder: Path, *, overwrite: bool) -> bool:
    """Whether this very training is finished already; refuses to mix it with another one of the same name."""
    wanted = {
        "classes": str(plan.spec),
        "training_data": _data_hash(plan),
        **{
            k: v
            for k, v in plan.settings.model_dump(mode="json").items()
            if k in settings_for(plan.settings.architecture)
        },
    }
    note = folder / "training.json"
    if overwrite and folder.exists():
        shutil.rmtree(folder)
    usual = TrainSettings().model_dump(mode="json")  # of settings that an older note does not know yet
    there = {**{k: usual[k] for k in wanted if k in usual}, **read_json(note)} if note.exists() else None
    if there is not None and there != wanted:
        raise StudyError(
            f"the classifier {folder.name!r} was trained otherwise ({changed(there, wanted)}). "
            "Give --name for another one, or --overwrite to replace it."
        )
    if there is None:
        write_json(note, wanted)
    return (folder / "model.json").exists()


def _data_hash(plan: TrainingPlan) -> str:
    own = ["label_id", "centroid_y", "centroid_x", *plan.inputs.columns]
    columns = [*FIELD, "class_name", "fold", *(name for name in own if name in plan.cells)]
    return training_data_hash(plan.cells[columns])


def _split_table(study: Study, plan: TrainingPlan) -> pd.DataFrame:
    table = plan.fields.merge(image_hashes(study, plan.inputs.unit, plan.segmentation), on=FIELD, how="left")
    return table[[*FIELD, "image_hash", "class_name", "group", "fold", *table.columns.intersection([LEARNED_IN])]]


def _describe(study: Study, plan: TrainingPlan, name: str, fitted: Fitted) -> ClassifierInfo:
    segmentation: dict[str, Any] = {}
    if plan.segmentation:
        note = read_json(study.segmentation_folder(plan.segmentation) / "segmentation.json")
        segmentation = {"name": plan.segmentation, **note}
    used = settings_for(plan.settings.architecture)
    return ClassifierInfo(
        name=name,
        architecture=plan.settings.architecture,
        classes=plan.classes,
        class_column=plan.spec.column,
        threshold=plan.spec.threshold,
        inputs=plan.inputs,
        settings={k: v for k, v in plan.settings.model_dump(mode="json").items() if k in used},
        split_by=plan.settings.split_by,
        n_folds=plan.n_folds,
        seed=plan.settings.seed,
        segmentation=segmentation,
        constants=fitted.constants,
        tuned_by=fitted.tuned_by,
        tuned=fitted.tuned,
        start=fitted.start,
        training_data=_data_hash(plan),
        versions=current_versions(network=plan.inputs.has_images),
    )
