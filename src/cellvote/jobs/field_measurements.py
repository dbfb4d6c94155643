"""Measure whole fields, in parallel: a table beside their images, for classifiers of fields without a segmentation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from cellvote.errors import WorkerError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.field_images import FieldReader
from cellvote.jobs.over_fields import run_over_fields
from cellvote.jobs.segment import open_study
from cellvote.jobs.stored_images import Encoding, begin_file, draft_paths, number_of_field
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.profiling.whole_fields import VERSION, measure_field
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_json, write_table
from cellvote.study.image_files import source_note
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone

_FLOATS: Final = Encoding(np.dtype(np.float64))


@dataclass(frozen=True)
class MeasureWholeField:
    """The step for one field: its measurements, written to their row of a file."""

    study_path: Path
    file: Path
    data_offset: int
    names: tuple[str, ...]

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Measure one field."""
        study = open_study(self.study_path)
        reader = FieldReader(study, "", key)
        told = measure_field(reader.pixels, study.channels)
        row = np.array([told[name] for name in self.names])
        with self.file.open("r+b") as file:
            file.seek(self.data_offset + number_of_field(study, key) * row.nbytes)
            file.write(row.tobytes())
        return FieldRecord(*key, status="done", n_cells=1, image_hash=reader.image_hash)


def field_measurements_path(study: Study) -> Path:
    """Where the measurements of whole fields are."""
    return study.path / "fields" / "measurements.parquet"


def field_measurements_are_current(study: Study) -> bool:
    """Whether whole fields were measured on the images as they are read now, and as this version measures them."""
    path = field_measurements_path(study)
    note = path.with_suffix(".json")
    return path.exists() and note.exists() and read_json(note) == _note(study)


def _note(study: Study) -> dict[str, Any]:
    """Say what was measured, of which images: what is compared before a table is used again."""
    return {**source_note(study), "names": list(field_feature_names(study)), "version": VERSION}


def measure_fields(
    study: Study,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Measure every field as a whole, unless that is done; a run that was killed goes on where it was.

    Raises
    ------
    WorkerError
        Where no field can be read.
    CancelledError
        Where it was cancelled; run again to go on.
    """
    if field_measurements_are_current(study):
        return
    path = field_measurements_path(study)
    draft, ledger_path, told = draft_paths(path)
    with run_alone(study.path, "measuring fields"):
        names = field_feature_names(study)
        note = _note(study)
        offset = begin_file(draft, (len(study.fields), len(names)), _FLOATS, note)
        step = MeasureWholeField(study.path, draft, offset, names)
        with Ledger(ledger_path) as ledger:
            todo = [key for key in study.fields if key not in ledger.done()]
            if todo:
                with open_executor(min(workers, len(todo)) if workers else None, scheduler) as (executor, n):
                    for progress in run_over_fields(step, todo, ledger, executor, n, cancel or CancelToken()):
                        report(progress)
            failed = ledger.failed()
        if len(failed) == len(study.fields):
            raise WorkerError(f"no field could be measured: {failed[0].error}")
        table = pd.DataFrame(study.fields, columns=FIELD)
        table["image_hash"] = [ledger.records[key].image_hash for key in study.fields]
        table["error"] = [ledger.records[key].error for key in study.fields]
        values = np.load(draft, allow_pickle=False)
        values[[number_of_field(study, record.key) for record in failed]] = np.nan
        write_table(path, pd.concat([table, pd.DataFrame(values, columns=list(names))], axis=1))
        write_json(path.with_suffix(".json"), note)
        for leftover in (draft, ledger_path, told):
            leftover.unlink(missing_ok=True)


def read_field_measurements(study: Study) -> pd.DataFrame:
    """Read the measurements of whole fields: a row for each field of the study, sorted.

    Returns
    -------
    DataFrame
        ``plate``, ``well``, ``field``, ``image_hash``, ``error`` (empty where the field is there), then the
        measurements.
    """
    return read_table(field_measurements_path(study))


def field_feature_names(study: Study) -> tuple[str, ...]:
    """Name the measurements of whole fields, in their order; no image is read for it."""
    any_image = np.random.default_rng(0).integers(0, 1000, (len(study.channels), 32, 32), np.uint16)
    return tuple(measure_field(any_image, study.channels))
