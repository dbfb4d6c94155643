"""Train a classifier on a study, and hold it to account on what it has not seen."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellvote.errors import ClassesError, StudyError
from cellvote.jobs.accounting import hold_to_account, training_features
from cellvote.jobs.audit import audit_training
from cellvote.jobs.crops import cut_study_crops
from cellvote.jobs.executors import default_workers
from cellvote.jobs.probabilities import check_device, image_hashes, limits_by_plate
from cellvote.learning.architectures import NETWORK_BUILDERS
from cellvote.learning.classes import ClassSpec, class_of_wells, parse_classes
from cellvote.learning.classifier import (
    Classifier,
    ClassifierInfo,
    current_versions,
    load_classifier,
    training_data_hash,
    weights_name,
)
from cellvote.learning.groups import group_of_wells
from cellvote.learning.inputs import Inputs, channel_rows
from cellvote.learning.model_card import write_model_card
from cellvote.learning.settings import TrainSettings, settings_for
from cellvote.learning.splits import LEARNED_IN, Split, make_split
from cellvote.learning.training import History, TrainingCells, train_classic, train_networks
from cellvote.learning.weights_note import write_note
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_map import find_column
from cellvote.profiling.measurements import feature_columns
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.settings import changed, validated
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_json, write_table
from cellvote.study.corrections import refuse_unmeasured_corrections
from cellvote.study.crops import open_crops, usual_crop_size_px
from cellvote.study.field_flags import FLAGS_COLUMN, has_flag, left_out_note, with_flags
from cellvote.study.illumination import check_cells_are_current


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that is decided before training starts; ``--dry-run`` shows it.

    Attributes
    ----------
    cells
        One row per training cell, with ``row`` (its row in the study's table), ``class_name``, ``group``, ``fold``.
    wells
        One row per training well: ``plate``, ``well``, ``class_name``, ``group``, ``fold``, ``n_cells``; where images
        have no wells, one row per field, with ``field``.
    fields
        One row per field of these wells, also of those that are left out: ``class_name``, ``group``, ``fold``. A
        field that was not trained on is still of a well that was.
    split
        Which of the wells each fold learns from, and which it holds out.
    left_out
        Which fields are left out for their image quality, in one sentence; empty where none may be.
    """

    spec: ClassSpec
    settings: TrainSettings
    segmentation: str
    classes: tuple[str, ...]
    inputs: Inputs
    cells: pd.DataFrame
    wells: pd.DataFrame
    fields: pd.DataFrame
    split: Split
    left_out: str = ""

    @property
    def n_folds(self) -> int:
        """How many models there will be."""
        return self.split.n_folds

    def training_cells(self) -> TrainingCells:
        """Number the classes and wells."""
        keys = place_columns(self.wells)
        well = pd.MultiIndex.from_frame(self.wells[keys]).get_indexer(pd.MultiIndex.from_frame(self.cells[keys]))
        codes = pd.Index(self.classes).get_indexer(pd.Index(self.cells["class_name"]))
        return TrainingCells(
            codes=codes.astype(np.int64),
            wells=self.wells,
            well=np.asarray(well, np.int64),
            n_classes=len(self.classes),
            split=self.split,
        )


def plan_training(study: Study, classes: str | ClassSpec, settings: TrainSettings) -> TrainingPlan:
    """Choose cells, classes, folds and inputs; nothing is written.

    Raises
    ------
    ClassesError
        Where the classes cannot be told apart honestly.
    """
    spec = parse_classes(classes) if isinstance(classes, str) else classes
    segmentation = study.one_segmentation(settings.segmentation)
    check_cells_are_current(study, segmentation)
    refuse_unmeasured_corrections(study, segmentation)
    wells = class_of_wells(study.plate_map, spec)
    spec = ClassSpec(find_column(study.plate_map, spec.column), spec.values)
    table = study.read_cells(segmentation)
    keys = place_columns(wells)
    cells = table.reset_index(names="row").merge(wells, on=keys, how="inner")
    fields = cells[[*FIELD, "class_name"]].drop_duplicates()
    if settings.exclude_border:
        cells = cells[~cells["touches_border"]]
    cells = with_flags(study, cells, settings.exclude_flags)
    left_out = left_out_note(cells, settings.exclude_flags, "training")
    if settings.exclude_flags:
        cells = cells[~has_flag(cells[FLAGS_COLUMN], settings.exclude_flags)]
    counts = cells.groupby(keys).size().rename("n_cells").reset_index()
    wells = wells.merge(counts, on=keys, how="inner")
    present = tuple(spec.values) or tuple(sorted(wells["class_name"].unique()))
    empty = [name for name in present if name not in set(wells["class_name"])]
    if empty or len(present) < 2:
        raise ClassesError(f"no cell was measured in the wells of class {(empty or ['?'])[0]!r}. Segment more wells.")
    wells["group"] = group_of_wells(wells, study.plate_map, settings.split_by)
    split = make_split(
        wells,
        study.plate_map,
        settings.split_by,
        folds=settings.folds,
        leave_one_out=settings.leave_one_out,
        seed=settings.seed,
    )
    wells["fold"] = split.held_out
    if not split.learns_from_all_others:
        wells[LEARNED_IN] = split.learned_in()
    cells = cells.merge(wells[[*keys, "group", "fold"]], on=keys).sort_values("row")
    return TrainingPlan(
        spec,
        settings,
        segmentation,
        present,
        _inputs(study, table, settings),
        cells.reset_index(drop=True),
        wells,
        fields.merge(wells[[*keys, "group", "fold", *wells.columns.intersection([LEARNED_IN])]], on=keys),
        split,
        left_out,
    )


def _inputs(study: Study, table: pd.DataFrame, settings: TrainSettings) -> Inputs:
    if settings.architecture not in NETWORK_BUILDERS:
        columns = tuple(feature_columns(table))
        return Inputs(parts=("measurements",), columns=columns, channels=study.channels, scale=settings.scale)
    wanted = Inputs(parts=("pixels",), channels=settings.channels or study.channels)
    channels = tuple(study.channels[i] for i in channel_rows(study.channels, wanted))
    size_px = settings.crop_size_px or usual_crop_size_px(table)
    return Inputs(parts=("pixels",), channels=channels, size_px=(size_px, size_px), scale=settings.scale)


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
    chosen = settings if isinstance(settings, TrainSettings) else validated(TrainSettings, settings or {})
    cancel = cancel or CancelToken()
    plan = plan_training(study, classes, chosen)
    name = name or chosen.architecture
    folder = study.model_folder(name)
    check_device(device, plan.inputs)
    leaks: list[str] = []
    if overwrite or not (folder / "model.json").exists():  # before anything is written
        leaks = audit_training(
            study,
            plan.fields,
            plan.split,
            plan.wells,
            chosen.split_by,
            stop=chosen.leaks == "stop",
            report=report,
            cancel=cancel,
        )
    if _is_done(plan, folder, overwrite=overwrite):
        return load_classifier(folder)
    if plan.inputs.size_px is not None:
        size_px, segmentation = plan.inputs.size_px[0], plan.segmentation
        cut_study_crops(
            study, segmentation, size_px, workers=workers, scheduler=scheduler, report=report, cancel=cancel
        )
    limits = _fit(study, plan, folder, device, workers or default_workers(), report, cancel)
    write_table(folder / "split.parquet", _split_table(study, plan))
    info = _describe(study, plan, name, limits)
    write_note(folder / weights_name(info.architecture), info)
    draft = Classifier(folder, info, read_table(folder / "split.parquet"))
    metrics, temperature, _ = hold_to_account(study, plan, draft, device, cancel)
    metrics["notes"] = [*leaks, *metrics["notes"]]
    info = info.model_copy(update={"metrics": metrics, "calibration": temperature.model_dump(mode="json")})
    write_json(folder / "model.json", info.model_dump(mode="json"))
    write_model_card(folder, info, draft.split)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return load_classifier(folder)


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
    columns = [*FIELD, "label_id", "class_name", "fold", *plan.inputs.columns]
    return training_data_hash(plan.cells[columns])


def _fit(
    study: Study, plan: TrainingPlan, folder: Path, device: str, jobs: int, report: Report, cancel: CancelToken
) -> tuple[Any, ...]:
    """Fit the model of each fold; for networks, say what was black and white in each."""
    history = History(folder / "history.csv")
    if plan.inputs.has_images:
        return _fit_networks(study, plan, folder, device, history, report, cancel)
    features, cells = training_features(study, plan, plan.inputs), plan.training_cells()
    train_classic(cells, features, plan.settings, folder, jobs=jobs, history=history, report=report, cancel=cancel)
    return ()


def _fit_networks(
    study: Study,
    plan: TrainingPlan,
    folder: Path,
    device: str,
    history: History,
    report: Report,
    cancel: CancelToken,
) -> tuple[Any, ...]:
    from cellvote.learning.networks.crops_on_device import intensity_limits
    from cellvote.learning.networks.device import choose_device

    crops = open_crops(study, plan.segmentation, (plan.inputs.size_px or (0,))[0])
    channels = channel_rows(study.channels, plan.inputs)
    own = np.asarray(crops[plan.cells["row"].to_numpy()])[:, channels]
    cells = plan.training_cells()
    by_plate = limits_by_plate(crops, channels, study.read_cells(plan.segmentation, ["plate"])["plate"])
    limits, stored = [], []
    for fold in range(plan.n_folds):
        one = intensity_limits(own[cells.learned_by(fold)])
        stored.append(one.tolist())
        spread = np.repeat(one[None], len(own), axis=0)
        if plan.inputs.scale == "plate":
            spread = np.stack([by_plate(plate) for plate in plan.cells["plate"]])
        limits.append(spread)
    train_networks(
        cells,
        own,
        limits,
        plan.settings,
        folder,
        device=choose_device(device),
        history=history,
        report=report,
        cancel=cancel,
    )
    return tuple(stored)


def _split_table(study: Study, plan: TrainingPlan) -> pd.DataFrame:
    table = plan.fields.merge(image_hashes(study, plan.segmentation), on=FIELD, how="left")
    return table[[*FIELD, "image_hash", "class_name", "group", "fold", *table.columns.intersection([LEARNED_IN])]]


def _describe(study: Study, plan: TrainingPlan, name: str, limits: tuple[Any, ...]) -> ClassifierInfo:
    note = read_json(study.segmentation_folder(plan.segmentation) / "segmentation.json")
    used = settings_for(plan.settings.architecture)
    return ClassifierInfo(
        name=name,
        architecture=plan.settings.architecture,
        classes=plan.classes,
        class_column=plan.spec.column,
        inputs=plan.inputs,
        settings={k: v for k, v in plan.settings.model_dump(mode="json").items() if k in used},
        split_by=plan.settings.split_by,
        n_folds=plan.n_folds,
        seed=plan.settings.seed,
        segmentation={"name": plan.segmentation, **note},
        intensity_limits=limits,
        training_data=_data_hash(plan),
        versions=current_versions(network=plan.inputs.has_images),
    )
