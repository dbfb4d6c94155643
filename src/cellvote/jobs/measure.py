"""Measure a segmentation: one row per cell, in one table."""

import hashlib
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow.feather import read_feather, write_feather

from cellvote.errors import SegmentationError, StudyError
from cellvote.jobs.over_fields import StepSummary, run_on_workers
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.plates.pixels import image_hash
from cellvote.profiling.measurements import Outlines, measure_outlines
from cellvote.profiling.objects import Columns
from cellvote.profiling.settings import MeasureSettings
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import (
    file_checksum,
    read_json,
    read_table,
    remove_leftovers,
    write_json,
    write_table,
    writing,
)
from cellvote.study.illumination import corrected, correction_mark, note_correction
from cellvote.study.ledger import FieldRecord, Ledger, made_of_masks
from cellvote.study.lock import run_alone
from cellvote.study.masks import read_label_image
from cellvote.study.study import field_file


@dataclass(frozen=True)
class MeasureField:
    """The step for one field: masks and pixels to rows."""

    study_path: Path
    segmentation: str
    settings: MeasureSettings

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Measure one field and write its rows.

        A thread beside this one reads the pixels while the masks are looked at, and hashes them while cells are
        measured.
        """
        study = open_study(self.study_path)
        with ThreadPoolExecutor(1) as reader:
            pixels = reader.submit(study.read_raw_field, key)
            pixels_hash = reader.submit(lambda: image_hash(pixels.result()))  # after it, in the same thread
            checksum = source_checksum(study, self.segmentation, key, self.settings)
            outlines = read_outlines(study, self.segmentation, key)
            image = corrected(study, key, pixels.result())
            if outlines.cells.shape != image.shape[1:]:
                raise SegmentationError(
                    f"{key}: the masks are {outlines.cells.shape}, the image is {image.shape[1:]}. Segment it again."
                )
            columns = measure_outlines(image, outlines, study.channels, self.settings)
            _write_rows(rows_path(study, self.segmentation, key, checksum), key, columns)
            n_cells = len(columns["label_id"])
            return FieldRecord(*key, status="done", n_cells=n_cells, checksum=checksum, image_hash=pixels_hash.result())


def read_outlines(study: Study, segmentation: str, key: FieldKey) -> Outlines:
    """Read the masks of a field, and its nuclei where there are any, and look at them.

    Raises
    ------
    SegmentationError
        Where there are no masks, or the nuclei are those of another image.
    ImageReadError
        Where a file is damaged.
    """
    label_image = read_label_image(study.mask_path(segmentation, key))
    nuclei_path = study.mask_path(segmentation, key, "nuclei")
    nuclei = read_label_image(nuclei_path) if nuclei_path.exists() else None
    if nuclei is not None and nuclei.shape != label_image.shape:
        raise SegmentationError(
            f"{key}: the nuclei are {nuclei.shape}, the masks are {label_image.shape}. Segment it again."
        )
    return Outlines.of(label_image, nuclei)


def source_checksum(study: Study, segmentation: str, key: FieldKey, settings: MeasureSettings) -> str:
    """Name what the rows of a field are made of beside its raw pixels: masks, nuclei, settings and correction."""
    masks, nuclei = (study.mask_path(segmentation, key, kind) for kind in ("masks", "nuclei"))
    rest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=16)
    rest.update(file_checksum(nuclei).encode() if nuclei.exists() else b"-")
    rest.update(correction_mark(study).encode())
    return made_of_masks(file_checksum(masks) if masks.exists() else "", rest.hexdigest())


def rows_path(study: Study, segmentation: str, key: FieldKey, checksum: str) -> Path:
    """Where the rows of a field wait until the table is put together, by what they are made of."""
    return study.segmentation_folder(segmentation) / "rows" / field_file(key, f"-{checksum}.arrow")


def _write_rows(path: Path, key: FieldKey, columns: Columns) -> None:
    n = len(columns["label_id"])
    place = [pa.array([key.plate] * n), pa.array([key.well] * n), pa.array([key.field] * n, pa.int32())]
    rows = pa.table([*place, *map(pa.array, columns.values())], [*FIELD, *columns])
    with writing(path) as temporary:
        write_feather(rows, temporary, compression="uncompressed")


def _read_rows(path: Path) -> pd.DataFrame:
    try:
        rows: pd.DataFrame = read_feather(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise StudyError(f"{path}: cannot be read ({error}). Delete it and run the step again.") from error
    return rows


def measured_settings(study: Study, segmentation: str, changes: Mapping[str, Any] | None = None) -> MeasureSettings:
    """Settings that a segmentation was measured with (the usual ones where it was not), with some changed.

    Raises
    ------
    SettingsError
        Where there is no such setting, or its value is not allowed.
    """
    path = study.segmentation_folder(segmentation) / "measurements.json"
    noted = read_json(path) if path.exists() else {}
    there = {name: value for name, value in noted.items() if name in MeasureSettings.model_fields}
    return validated(MeasureSettings, there | dict(changes or {}))


def measure_study(
    study: Study,
    segmentation: str = "",
    settings: Mapping[str, Any] | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> StepSummary:
    """Measure every segmented field whose masks changed since they were measured, and write the cells table.

    Parameters
    ----------
    settings
        Of `MeasureSettings`; those not given are as they were when it was measured last. Where one is changed,
        every field is measured anew, and the table is replaced when all are.

    Raises
    ------
    SegmentationError
        Where the study is not segmented.
    SettingsError
        Where there is no such setting, or its value is not allowed.
    """
    started = time.monotonic()
    name = study.one_segmentation(segmentation)
    folder = study.segmentation_folder(name)
    segmented = Ledger(folder / "fields.parquet")
    masks = segmented.done()
    if not masks:
        raise SegmentationError(f"the segmentation {name!r} has no segmented field. Run: cellvote segment {study.path}")
    chosen = measured_settings(study, name, settings)
    step = MeasureField(study.path, name, chosen)
    with run_alone(study.path, "measure"), Ledger(folder / "measured.parquet") as ledger:
        remove_leftovers(folder)
        done = ledger.done()
        todo = [key for key in sorted(masks) if not up_to_date(study, name, done.get(key), chosen)]
        run_on_workers(step, todo, ledger, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
        records = {key: ledger.records[key] for key in sorted(masks)}
        if todo or (folder / "rows").exists() or not study.cells_path(name).exists():
            whole = [record for record in records.values() if record.status == "done"]
            _put_together(study, name, whole, todo, chosen)
    failed = [*segmented.failed(), *(r for r in records.values() if r.status == "failed")]
    return StepSummary(
        fields=len(segmented.records),
        failed=failed,
        cells=sum(record.n_cells for record in records.values() if record.status == "done"),
        seconds=time.monotonic() - started,
        skipped=len(masks) - len(todo),
    )


def up_to_date(study: Study, segmentation: str, measured: FieldRecord | None, settings: MeasureSettings) -> bool:
    """Whether the rows of a field are there, made of the masks that are there now, with these settings."""
    if measured is None or measured.status != "done" or not study.mask_path(segmentation, measured.key).exists():
        return False
    if measured.checksum != source_checksum(study, segmentation, measured.key, settings):
        return False
    waiting = rows_path(study, segmentation, measured.key, measured.checksum)
    return study.cells_path(segmentation).exists() or waiting.exists()


def _put_together(
    study: Study, segmentation: str, records: list[FieldRecord], fresh: list[FieldKey], settings: MeasureSettings
) -> None:
    """Write the cells table from the fields' rows, taking from the old table what was not measured anew."""
    old = study.cells_path(segmentation)
    rows = {record.key: rows_path(study, segmentation, record.key, record.checksum) for record in records}
    parts = [_read_rows(path) for path in rows.values() if path.exists()]
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
    made_of = {"channels": list(study.channels), **note_correction(study)}
    write_json(folder / "measurements.json", {**made_of, **settings.model_dump(mode="json")})
    for crops in folder.glob("crops-*"):
        crops.unlink()  # cut from the masks before
    shutil.rmtree(folder / "rows", ignore_errors=True)
