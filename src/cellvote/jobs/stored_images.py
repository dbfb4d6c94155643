"""Store what networks are fed: crops of all cells, or whole fields, cut once and in parallel into one file."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import CellVoteError, StudyError, WorkerError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.field_images import FieldReader
from cellvote.jobs.over_fields import run_over_fields
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FIELD, FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_json
from cellvote.study.crops import BOX, cut_flow_images, cut_mask_images, cut_windows, windows_of, zero_background
from cellvote.study.image_files import Images, StoredPart, is_current, note_of
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.part_images import NO_FLOW
from cellvote.study.resizing import resized, rounded

_COLUMNS: Final = [*FIELD, "label_id", "centroid_y", "centroid_x", *BOX]
_N_SAMPLED: Final = 16
_SMALL_BYTES: Final = 64 * 2**20
"""So little is stored sooner than worker processes have started."""

_HEADROOM: Final = 8
"""Other types than uint8 and uint16 are scaled to uint16 so that this many times the sampled range fits."""


@dataclass(frozen=True)
class Encoding:
    """How grey values are stored: as they are, or, where they are neither uint8 nor uint16, scaled to uint16."""

    dtype: np.dtype[np.generic]
    offset: tuple[float, ...] = ()
    gain: tuple[float, ...] = ()

    def encode(self, image: Pixels, key: FieldKey) -> Pixels:
        """Encode a CYX image.

        Raises
        ------
        StudyError
            Where its type is another one than that of other fields.
        """
        if self.gain:
            shape = (-1, 1, 1)
            grey = np.nan_to_num(
                (image.astype(np.float64) - np.reshape(self.offset, shape)) / np.reshape(self.gain, shape)
            )
            return np.asarray(np.clip(np.rint(grey), 0, 65535), np.uint16)
        if image.dtype != self.dtype and not (image.dtype == np.uint8 and self.dtype == np.uint16):
            raise StudyError(f"{key}: its pixels are {image.dtype}, those of other fields {self.dtype}. Exclude it.")
        stored: Pixels = image.astype(self.dtype, copy=False)
        return stored

    def note(self) -> dict[str, Any]:
        """What stands in the note beside the file; nothing where grey values are stored as they are."""
        return {"encoding": {"offset": list(self.offset), "gain": list(self.gain)}} if self.gain else {}


@dataclass(frozen=True)
class StoreField:
    """The step for one field: its images, written to their rows of the file."""

    study_path: Path
    part: StoredPart
    file: Path
    data_offset: int
    shape: tuple[int, ...]
    encoding: Encoding

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Store the images of one field."""
        study = open_study(self.study_path)
        reader = FieldReader(study, self.part.segmentation, key)
        start, images = self._crops(study, reader) if self.part.unit == "cell" else self._field(study, reader)
        with self.file.open("r+b") as file:
            file.seek(self.data_offset + start * int(np.prod(self.shape[1:])) * images.dtype.itemsize)
            file.write(np.ascontiguousarray(images).data)
        n_cells = len(images) if self.part.unit == "cell" else 0
        return FieldRecord(*key, status="done", n_cells=n_cells, image_hash=reader.image_hash)

    def _crops(self, study: Study, reader: FieldReader) -> tuple[int, Images]:
        part, size_px = self.part, self.part.size_px[0]
        cells, rows = _cells_of(study, part.segmentation)
        start, stop = rows[reader.key]
        cells = cells.iloc[start:stop]
        windows, label_ids = windows_of(cells, size_px, part.cut), cells["label_id"].to_numpy(np.int64)
        if part.part == "mask":
            crops, empty = cut_mask_images(reader.label_image, label_ids, windows, size_px), (0, 0, 0, 0)
        elif part.part == "flows":
            crops = cut_flow_images(reader.flow_image, reader.label_image, label_ids, windows, size_px)
            empty = (NO_FLOW, NO_FLOW, 0, 0)
        else:
            crops = cut_windows(self.encoding.encode(reader.pixels, reader.key), windows, size_px)
            empty = (0,) * crops.shape[1]
        if part.background == "zeroed":
            zero_background(crops, reader.label_image, label_ids, windows, empty)
        return start, crops

    def _field(self, study: Study, reader: FieldReader) -> tuple[int, Images]:
        if self.part.part == "pixels":
            image = self.encoding.encode(reader.pixels, reader.key)
        else:
            image = reader.mask_image if self.part.part == "mask" else reader.flow_image
        height, width = self.part.size_px
        if image.shape[1:] != (height, width):
            if self.part.cut == "pad":
                raise StudyError(
                    f"{reader.key}: the image is {image.shape[1]}×{image.shape[2]} px, others are {height}×{width}. "
                    "Give a field size that all are resized to (field_size_px), or exclude it."
                )
            image = rounded(resized(image, height, width), image.dtype)
        return number_of_field(study, reader.key), image[None]


def store_images(
    study: Study,
    part: StoredPart,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Store images, unless they are there and current; a run that was killed goes on where it was.

    Fields that cannot be read stay black, and are listed by `stored_fields`, where fields are what is stored; where a
    cell cannot be cut, nothing is stored.

    Raises
    ------
    StudyError
        Where the disk is too full, or no field can be read.
    WorkerError
        Where a field with cells can no longer be read.
    CancelledError
        Where it was cancelled; run again to go on.
    """
    if is_current(study, part):
        return
    path = part.path(study)
    keys, n_rows = _what_to_store(study, part)
    draft, ledger_path, _ = draft_paths(path)
    with run_alone(study.path, "cutting crops" if part.unit == "cell" else "storing fields"):
        encoding, n_channels = _encoding(study, part, keys)
        shape = (n_rows, n_channels, *part.size_px)
        note = note_of(study, part) | encoding.note()
        offset = begin_file(draft, shape, encoding, note)
        step = StoreField(study.path, part, draft, offset, shape, encoding)
        with Ledger(ledger_path) as ledger:
            todo = [key for key in keys if key not in ledger.done()]
            if todo:
                small = part.unit == "field" and int(np.prod(shape)) * encoding.dtype.itemsize < _SMALL_BYTES
                n_workers = 1 if small and not scheduler else min(workers, len(todo)) if workers else None
                with open_executor(n_workers, scheduler) as (executor, n):
                    for progress in run_over_fields(step, todo, ledger, executor, n, cancel or CancelToken()):
                        report(progress)
            failed = ledger.failed()
        _finish(path, draft, ledger_path, part, note, failed, len(keys))


def _finish(
    path: Path,
    draft: Path,
    ledger_path: Path,
    part: StoredPart,
    note: dict[str, Any],
    failed: Sequence[FieldRecord],
    n_fields: int,
) -> None:
    """Put a whole file into its place; the note, written last, makes it count."""
    if failed and (part.unit == "cell" or len(failed) == n_fields):
        for leftover in (draft, ledger_path, _draft_note(draft)):
            leftover.unlink(missing_ok=True)
        what = "cropped" if part.unit == "cell" else "stored"
        raise WorkerError(f"{len(failed)} field(s) could not be {what}: {failed[0].error}")
    if part.unit == "field":
        ledger_path.replace(path.with_suffix(".parquet"))
    draft.replace(path)
    write_json(path.with_suffix(".json"), note)
    ledger_path.unlink(missing_ok=True)
    _draft_note(draft).unlink(missing_ok=True)


def stored_fields(study: Study, part: StoredPart) -> pd.DataFrame:
    """Read what became of each field: a row for each row of the file.

    Returns
    -------
    DataFrame
        ``plate``, ``well``, ``field``, ``image_hash``, ``error`` (empty where the field is there).
    """
    return read_table(part.path(study).with_suffix(".parquet"), [*FIELD, "image_hash", "error"])


def usual_field_size_px(study: Study) -> tuple[int, int]:
    """Height and width of the first field that can be read.

    Raises
    ------
    StudyError
        Where none can be read.
    """
    image = first_readable_image(study, study.fields)
    return int(image.shape[1]), int(image.shape[2])


def _what_to_store(study: Study, part: StoredPart) -> tuple[list[FieldKey], int]:
    if part.unit == "field":
        return study.fields, len(study.fields)
    cells, rows = _cells_of(study, part.segmentation)
    if cells.empty:
        raise StudyError(f"{study.path}: no cell was measured: there is nothing to crop.")
    return list(rows), len(cells)


def _cells_of(study: Study, segmentation: str) -> tuple[pd.DataFrame, dict[FieldKey, tuple[int, int]]]:
    path = study.cells_path(segmentation)
    if not path.exists():
        study.read_cells(segmentation)  # says what to run
    return _read_cells(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read_cells(path: Path, changed_ns: int) -> tuple[pd.DataFrame, dict[FieldKey, tuple[int, int]]]:
    """Read where all cells are, once for many fields of a worker process: the table, and the rows of each field."""
    del changed_ns
    cells = read_table(path, _COLUMNS)
    sizes = cells.groupby(FIELD, sort=False).size()
    ends = sizes.cumsum()
    rows = {
        FieldKey(str(p), str(w), int(f)): (int(end - n), int(end))
        for (p, w, f), n, end in zip(sizes.index, sizes, ends, strict=True)
    }
    return cells, rows


def number_of_field(study: Study, key: FieldKey) -> int:
    """Say which of the study's fields, sorted, this one is, from 0."""
    path = study.path / "images.parquet"
    return _number_fields(study.path, path.stat().st_mtime_ns)[key]


@lru_cache(maxsize=2)
def _number_fields(path: Path, changed_ns: int) -> dict[FieldKey, int]:
    del changed_ns
    return {key: row for row, key in enumerate(open_study(path).fields)}


def first_readable_image(study: Study, keys: Sequence[FieldKey]) -> Pixels:
    """Read the first field that can be read, of the first few: CYX.

    Raises
    ------
    StudyError
        Where none of them can.
    """
    first: CellVoteError | None = None
    for key in keys[:_N_SAMPLED]:
        try:
            return study.read_field(key)
        except CellVoteError as error:
            first = first or error
    raise StudyError(f"{study.path}: the first fields cannot be read. {first or 'There are none.'}")


def _encoding(study: Study, part: StoredPart, keys: Sequence[FieldKey]) -> tuple[Encoding, int]:
    """Say how images are stored, and how many channels they have."""
    if part.part != "pixels":
        return Encoding(np.dtype(np.uint8)), 4
    image = first_readable_image(study, keys)
    if image.dtype in (np.uint8, np.uint16):
        return Encoding(image.dtype), len(image)
    low, high = _sampled_range(study, keys)
    gain = np.maximum(_HEADROOM * (high - low), 1e-12) / 65535
    return Encoding(np.dtype(np.uint16), tuple(low.tolist()), tuple(gain.tolist())), len(image)


def _sampled_range(study: Study, keys: Sequence[FieldKey]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Take the least grey value of each channel, and one that hardly any pixel exceeds, of some fields."""
    lows, highs = [], []
    for key in keys[:: -(-len(keys) // _N_SAMPLED)]:
        try:
            flat = study.read_field(key).reshape(len(study.channels), -1).astype(np.float64)
        except CellVoteError:
            continue  # it is met again, and told of, where it is stored
        lows.append(np.nanmin(np.where(np.isfinite(flat), flat, np.nan), axis=1))
        highs.append(np.nanpercentile(np.where(np.isfinite(flat), flat, np.nan), 99.99, axis=1))
    return np.min(lows, axis=0), np.max(highs, axis=0)


def draft_paths(path: Path) -> tuple[Path, Path, Path]:
    """Where a file is while it is made: the draft, the ledger of the fields that are in it, and what it will be."""
    draft = path.with_name(f".{path.name}.draft")
    return draft, draft.with_suffix(".ledger.parquet"), _draft_note(draft)


def _draft_note(draft: Path) -> Path:
    return draft.with_name(f"{draft.name}.json")


def begin_file(draft: Path, shape: tuple[int, ...], encoding: Encoding, note: dict[str, Any]) -> int:
    """Go on with the draft of a killed run of the same images, or begin one; say where its data starts.

    Raises
    ------
    StudyError
        Where the disk is too full.
    """
    told = _draft_note(draft)
    ledger_path = draft.with_suffix(".ledger.parquet")
    wanted = {**note, "shape": list(shape), "dtype": str(encoding.dtype)}
    n_bytes = int(np.prod(shape)) * encoding.dtype.itemsize
    if draft.exists() and told.exists() and read_json(told) == wanted:
        offset = _header_bytes(shape, encoding.dtype)
        if draft.stat().st_size == offset + n_bytes:
            return offset
    told.unlink(missing_ok=True)
    for leftover in (ledger_path, ledger_path.with_suffix(".jsonl"), draft):
        leftover.unlink(missing_ok=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(draft.parent).free
    if n_bytes > 0.95 * free:
        raise StudyError(
            f"{draft.parent}: the images need {n_bytes / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free. Free "
            "some space."
        )
    with draft.open("wb") as file:
        _write_header(file, shape, encoding.dtype)
        offset = file.tell()
        file.truncate(offset + n_bytes)
    write_json(told, wanted)
    return offset


def _header_bytes(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> int:
    file = BytesIO()
    _write_header(file, shape, dtype)
    return file.tell()


def _write_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
