"""Cut the crops of every cell of a study into one file, in parallel."""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import StudyError, WorkerError
from cellvote.jobs.over_fields import run_on_workers
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_table
from cellvote.study.crops import crops_are_current, crops_path, cut_crops, note_crops
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone


@dataclass(frozen=True)
class CropField:
    """The step for one field: its cells' crops, written to their rows of the file."""

    study_path: Path
    segmentation: str
    size_px: int
    file: Path
    data_offset: int
    dtype: np.dtype[np.generic]
    rows: dict[FieldKey, tuple[int, int]]

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Cut the crops of one field."""
        study = open_study(self.study_path)
        start, stop = self.rows[key]
        cells_path = study.cells_path(self.segmentation)
        centroids = _centroids(cells_path, cells_path.stat().st_mtime_ns)[start:stop]
        crops = cut_crops(study.read_field(key), centroids, self.size_px)
        if crops.dtype != self.dtype:
            raise StudyError(f"{key}: its pixels are {crops.dtype}, those of other fields {self.dtype}. Exclude it.")
        with self.file.open("r+b") as file:
            file.seek(self.data_offset + start * crops[:1].nbytes)
            file.write(crops.tobytes())
        return FieldRecord(*key, status="done", n_cells=len(crops))


@lru_cache(maxsize=2)
def _centroids(cells_path: Path, changed_ns: int) -> npt.NDArray[np.float64]:
    """Read where all cells are, once for many fields of a worker process."""
    del changed_ns
    return read_table(cells_path, ["centroid_y", "centroid_x"]).to_numpy(float)


def cut_study_crops(
    study: Study,
    segmentation: str,
    size_px: int,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Cut the crops of a size, unless they are there and current.

    Raises
    ------
    StudyError
        Where the disk is too full.
    WorkerError
        Where a field can no longer be read.
    BusyError
        Where another run writes the study now.
    """
    with run_alone(study.path, "cutting crops"):
        if not crops_are_current(study, segmentation, size_px):
            _cut(study, segmentation, size_px, workers, scheduler, report, cancel)


def _cut(
    study: Study,
    segmentation: str,
    size_px: int,
    workers: int | None,
    scheduler: str | None,
    report: Report,
    cancel: CancelToken | None,
) -> None:
    path = crops_path(study, segmentation, size_px)
    cells = study.read_cells(segmentation, FIELD)
    rows = _rows_of_fields(cells)
    dtype = cut_crops(study.read_field(next(iter(rows))), np.zeros((0, 2)), size_px).dtype
    shape = (len(cells), len(study.channels), size_px, size_px)
    draft = path.with_name(f".{path.name}.draft")
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    free = shutil.disk_usage(path.parent).free
    if n_bytes > 0.95 * free:
        raise StudyError(
            f"{path}: needs {n_bytes / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free. Free some space."
        )
    offset = _write_header(draft, shape, dtype, n_bytes)
    step = CropField(study.path, segmentation, size_px, draft, offset, dtype, rows)
    ledger_path = path.with_name(f".{path.name}.ledger.parquet")
    ledger_path.unlink(missing_ok=True)
    with Ledger(ledger_path) as ledger:
        run_on_workers(step, list(rows), ledger, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
        failed = ledger.failed()
    ledger_path.unlink(missing_ok=True)
    if failed:
        draft.unlink()
        raise WorkerError(f"{len(failed)} field(s) could not be cropped: {failed[0].error}")
    draft.replace(path)
    note_crops(study, segmentation, size_px)


def _rows_of_fields(cells: pd.DataFrame) -> dict[FieldKey, tuple[int, int]]:
    """Give the first row of each field in the table of cells, and the first one beyond."""
    sizes = cells.groupby(FIELD, sort=False).size()
    ends = sizes.cumsum()
    return {
        FieldKey(str(p), str(w), int(f)): (int(end - n), int(end))
        for (p, w, f), n, end in zip(sizes.index, sizes, ends, strict=True)
    }


def _write_header(path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic], n_bytes: int) -> int:
    """Write an empty ``.npy`` file of the whole length, and say where its data starts."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        )
        offset = file.tell()
        file.truncate(offset + n_bytes)
    return offset
