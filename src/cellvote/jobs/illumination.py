"""Make the illumination functions of a study: each plate and channel one, from all its fields."""

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellvote.errors import ImageReadError, StudyError
from cellvote.jobs.over_fields import run_on_workers
from cellvote.jobs.quality import at_speed
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.quality.illumination import FEW_FIELDS, Grid, IlluminationSettings, average_to_grid, illumination_function
from cellvote.settings import changed, validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, writing
from cellvote.study.illumination import (
    IlluminationNote,
    function_file,
    illumination_folder,
    open_correction,
    write_function,
    write_note,
)
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.study import field_file


@dataclass(frozen=True)
class IlluminationSummary:
    """What the step did.

    Attributes
    ----------
    note
        The functions, as ``illumination.json`` holds them.
    failed
        Fields that could not be read; they have no part in the functions.
    """

    note: IlluminationNote
    failed: list[FieldRecord]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Give the plain values for ``--json``."""
        return {
            "fields": sum(self.note.n_fields.values()),
            "failed": [{"plate": r.plate, "well": r.well, "field": r.field, "error": r.error} for r in self.failed],
            "functions": sorted(self.note.files),
            "problems": list(self.note.problems),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class AverageField:
    """The step for one field: raw pixels to a coarse grid."""

    study_path: Path

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Average one field and write its grid."""
        study = open_study(self.study_path)
        image = study.read_raw_field(key)
        with writing(grid_path(study, key)) as temporary, temporary.open("wb") as file:
            np.savez(file, grid=average_to_grid(image), shape=np.array(image.shape[1:]))
        return FieldRecord(*key, status="done")


def grid_path(study: Study, key: FieldKey) -> Path:
    """Where the grid of a field waits until the functions are made."""
    return _grids(study) / field_file(key, ".npz")


def _grids(study: Study) -> Path:
    return illumination_folder(study.path) / "grids"


def estimate_illumination(
    study: Study,
    settings: IlluminationSettings | Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> IlluminationSummary:
    """Make the illumination function of each plate and channel; which pixels steps read does not change by that.

    Raises
    ------
    StudyError
        Where functions are there that other settings made, and ``overwrite`` was not said; or the offset leaves no
        light.
    ImageReadError
        Where no field of a plate can be read.
    BusyError
        Where another run writes the study now.
    """
    chosen = settings if isinstance(settings, IlluminationSettings) else validated(IlluminationSettings, settings or {})
    with run_alone(study.path, "illumination"):
        return _estimate(study, chosen, overwrite, workers, scheduler, report, cancel)


def _estimate(
    study: Study,
    chosen: IlluminationSettings,
    overwrite: bool,
    workers: int | None,
    scheduler: str | None,
    report: Report,
    cancel: CancelToken | None,
) -> IlluminationSummary:
    started = time.monotonic()
    there = _those_there(study, chosen, overwrite=overwrite)
    if there is not None:
        return IlluminationSummary(there, [], time.monotonic() - started)
    keys = [key for plate in study.plates for key in spread_fields(study, plate, chosen.most_fields)]

    def say(progress: Progress) -> None:
        report(at_speed(progress, started))

    with Ledger(_grids(study) / "averaged.parquet") as ledger:
        todo = [key for key in keys if key not in ledger.done() or not grid_path(study, key).exists()]
        step = AverageField(study.path)
        run_on_workers(step, todo, ledger, workers=workers, scheduler=scheduler, report=say, cancel=cancel)
        failed = [ledger.records[key] for key in keys if ledger.records[key].status == "failed"]
    bad = {record.key for record in failed}
    note = _make_functions(study, [key for key in keys if key not in bad], failed, chosen)
    write_note(study.path, note)
    shutil.rmtree(_grids(study), ignore_errors=True)
    return IlluminationSummary(note, failed, time.monotonic() - started)


def _those_there(study: Study, settings: IlluminationSettings, *, overwrite: bool) -> IlluminationNote | None:
    correction = None if overwrite else open_correction(study.path)
    if correction is None:
        return None
    difference = changed(correction.note.settings, settings.model_dump(mode="json"))
    if difference or correction.note.channels != study.channels:
        raise StudyError(
            f"{correction.folder}: the functions there were made otherwise ({difference or 'of other channels'}). "
            "Give --overwrite to replace them; what was made with them is then out of date."
        )
    return correction.note


def spread_fields(study: Study, plate: str, most: int) -> list[FieldKey]:
    """Choose fields of a plate, spread evenly over it."""
    keys = [key for key in study.fields if key.plate == plate]
    at = np.unique(np.linspace(0, len(keys) - 1, min(most, len(keys))).round().astype(int))
    return [keys[i] for i in at]


def _make_functions(
    study: Study, keys: list[FieldKey], failed: list[FieldRecord], settings: IlluminationSettings
) -> IlluminationNote:
    folder = illumination_folder(study.path)
    files: dict[str, str] = {}
    n_fields: dict[str, int] = {}
    problems: list[str] = []
    for plate in study.plates:
        of_plate = [key for key in keys if key.plate == plate]
        if not of_plate:
            first = next((record.error for record in failed if record.plate == plate), "")
            raise ImageReadError(f"{plate}: no field can be read. The first: {first}")
        grids, shape, n_other = _read_grids(study, of_plate)
        n_fields[plate] = len(grids)
        problems += _doubts(plate, len(grids), n_other)
        for index, channel in enumerate(study.channels):
            name = function_file(plate, channel)
            write_function(folder / name, illumination_function(grids[:, index], shape, settings))
            files[name] = file_checksum(folder / name)
    return IlluminationNote(
        settings=settings.model_dump(mode="json"),
        channels=study.channels,
        offset=settings.offset,
        files=files,
        n_fields=n_fields,
        problems=tuple(problems),
    )


def _read_grids(study: Study, keys: list[FieldKey]) -> tuple[Grid, tuple[int, int], int]:
    """Read the grids of the fields that have the commonest size: NCYX, that size, and how many have another."""
    shapes: list[tuple[int, int]] = []
    grids: list[Grid] = []
    for key in keys:
        with np.load(grid_path(study, key), allow_pickle=False) as stored:
            height, width = stored["shape"].tolist()
            shapes.append((height, width))
            grids.append(stored["grid"])
    usual = Counter(shapes).most_common(1)[0][0]
    alike = [grid for grid, shape in zip(grids, shapes, strict=True) if shape == usual]
    return np.stack(alike), usual, len(grids) - len(alike)


def _doubts(plate: str, n_fields: int, n_other: int) -> list[str]:
    found = []
    if n_fields < FEW_FIELDS:
        found.append(
            f"{plate}: the illumination function is of {n_fields} field(s) only and may hold their cells: "
            "look at it before it is used."
        )
    if n_other:
        found.append(f"{plate}: {n_other} field(s) have another size than most and cannot be corrected.")
    return found
