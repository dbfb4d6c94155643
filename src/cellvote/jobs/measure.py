"""Measure a segmentation: one row per cell, in one table."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellvote.errors import SegmentationError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.over_fields import StepSummary, run_over_fields
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.plates.pixels import image_hash
from cellvote.profiling.measurements import measure_cells
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_table, remove_leftovers, write_json, write_table
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import read_label_image
from cellvote.study.study import field_file


@dataclass(frozen=True)
class MeasureField:
    """The step for one field: masks and pixels to rows."""

    study_path: Path
    segmentation: str

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Measure one field and write its rows."""
        study = open_study(self.study_path)
        image = study.read_field(key)
        label_image = read_label_image(study.mask_path(self.segmentation, key))
        nuclei_path = study.mask_path(self.segmentation, key, "nuclei")
        nuclei = read_label_image(nuclei_path) if nuclei_path.exists() else None
        if label_image.shape != image.shape[1:]:
            raise SegmentationError(
                f"{key}: the masks are {label_image.shape}, the image is {image.shape[1:]}. Segment it again."
            )
        table = measure_cells(image, label_image, study.channels, nuclei)
        place = pd.DataFrame([key] * len(table), columns=FIELD).astype(
            {"plate": "str", "well": "str", "field": "int32"}
        )
        table = pd.concat([place, table], axis=1)
        path = rows_path(study, self.segmentation, key)
        write_table(path, table)
        return FieldRecord(
            *key,
            status="done",
            n_cells=len(table),
            checksum=file_checksum(study.mask_path(self.segmentation, key)),
            image_hash=image_hash(image),
        )


def rows_path(study: Study, segmentation: str, key: FieldKey) -> Path:
    """Where the rows of a field wait until the table is put together."""
    return study.segmentation_folder(segmentation) / "rows" / field_file(key, ".parquet")


def measure_study(
    study: Study,
    segmentation: str = "",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> StepSummary:
    """Measure every segmented field whose masks changed since they were measured, and write the cells table.

    Raises
    ------
    SegmentationError
        Where the study is not segmented.
    """
    started = time.monotonic()
    name = study.one_segmentation(segmentation)
    folder = study.segmentation_folder(name)
    segmented = Ledger(folder / "fields.parquet")
    masks = segmented.done()
    if not masks:
        raise SegmentationError(f"the segmentation {name!r} has no segmented field. Run: cellvote segment {study.path}")
    step = MeasureField(study.path, name)
    with run_alone(study.path, "measure"), Ledger(folder / "measured.parquet") as ledger:
        remove_leftovers(folder)
        done = ledger.done()
        todo = [key for key, mask in sorted(masks.items()) if not _up_to_date(study, name, mask, done.get(key))]
        if todo:
            with open_executor(min(workers, len(todo)) if workers else None, scheduler) as (executor, n):
                for progress in run_over_fields(step, todo, ledger, executor, n, cancel or CancelToken()):
                    report(progress)
        records = {key: ledger.records[key] for key in sorted(masks)}
        if todo or (folder / "rows").exists() or not study.cells_path(name).exists():
            _put_together(study, name, [key for key, record in records.items() if record.status == "done"], todo)
    failed = [*segmented.failed(), *(r for r in records.values() if r.status == "failed")]
    return StepSummary(
        fields=len(segmented.records),
        failed=failed,
        cells=sum(record.n_cells for record in records.values() if record.status == "done"),
        seconds=time.monotonic() - started,
        skipped=len(masks) - len(todo),
    )


def _up_to_date(study: Study, segmentation: str, mask: FieldRecord, measured: FieldRecord | None) -> bool:
    path = study.mask_path(segmentation, mask.key)
    if measured is None or not path.exists() or measured.checksum != file_checksum(path):
        return False
    return study.cells_path(segmentation).exists() or rows_path(study, segmentation, mask.key).exists()


def _put_together(study: Study, segmentation: str, keys: list[FieldKey], fresh: list[FieldKey]) -> None:
    """Write the cells table from the fields' rows, taking from the old table what was not measured anew."""
    old = study.cells_path(segmentation)
    rows = {key: rows_path(study, segmentation, key) for key in keys}
    parts = [read_table(path) for path in rows.values() if path.exists()]
    if old.exists():
        table = read_table(old)
        index = pd.MultiIndex.from_frame(table[["plate", "well", "field"]])
        kept = {key for key, path in rows.items() if not path.exists() and key not in fresh}
        parts.append(table[index.isin(kept)])
    if not parts:
        return  # no field could be measured: the ledger says why
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    table = table.sort_values(["plate", "well", "field", "label_id"], ignore_index=True)
    folder = study.segmentation_folder(segmentation)
    write_table(old, table)
    write_json(folder / "measurements.json", {"channels": list(study.channels), "sets": ["core"]})
    for crops in folder.glob("crops-*"):
        crops.unlink()  # cut from the masks before
    shutil.rmtree(folder / "rows", ignore_errors=True)
