"""Segment a study: each field's masks, written as they come."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from cellvote.errors import ImageReadError, StudyError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.over_fields import StepSummary, run_over_fields
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels, image_hash
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.segmentation import METHODS, FieldSegmenter, make_segmenter
from cellvote.settings import changed, validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, remove_leftovers, write_json
from cellvote.study.corrections import is_edited, set_corrections_aside
from cellvote.study.illumination import corrected, note_correction
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import write_label_image

N_SAMPLE_FIELDS = 12
"""Automatic settings are measured on this many fields, spread over the study."""

_WITHOUT_SAMPLE: Final = frozenset({"import"})
"""Methods that measure nothing on sample fields."""

_N_NOTES: Final = 5


@dataclass(frozen=True)
class SegmentField:
    """The step for one field: pixels to masks."""

    study_path: Path
    segmentation: str
    method: str
    settings_items: tuple[tuple[str, Any], ...]

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Segment one field and write its masks."""
        study = open_study(self.study_path)
        raw = study.read_raw_field(key)
        image = corrected(study, key, raw)
        segmenter = make_segmenter(self.method, dict(self.settings_items), study.channels, [])
        if isinstance(segmenter, FieldSegmenter):
            found = segmenter.segment_field(image, study, key, study.segmentation_folder(self.segmentation))
        else:
            found = segmenter.segment(image)
        path = study.mask_path(self.segmentation, key)
        if found.nuclei is not None:
            write_label_image(study.mask_path(self.segmentation, key, "nuclei"), found.nuclei)
        write_label_image(path, found.label_image)
        return FieldRecord(
            *key,
            status="done",
            n_cells=found.n_cells,
            checksum=file_checksum(path),
            image_hash=image_hash(raw),
            note=found.note,
        )


@lru_cache(maxsize=4)
def _opened(path: Path, changed_ns: tuple[int, ...]) -> Study:
    del changed_ns
    return Study.open(path)


def open_study(path: Path) -> Study:
    """Open a study in a worker process, once for many fields."""
    return _opened(path, tuple((path / name).stat().st_mtime_ns for name in ("images.parquet", "study.json")))


def segment_study(
    study: Study,
    method: str = "watershed",
    settings: dict[str, Any] | None = None,
    *,
    name: str = "",
    wells: str = "",
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> StepSummary:
    """Segment the fields of a study that are not segmented yet.

    Parameters
    ----------
    name
        Of the segmentation; the method's name where it is not given.
    wells
        Only these, such as ``"A01,B*"``.
    overwrite
        Throw away what is there under this name, and segment anew.

    Raises
    ------
    StudyError
        Where other settings made what is there already, and ``overwrite`` was not said.
    BusyError
        Where another run writes the study now.
    """
    started = time.monotonic()
    name = name or method
    if method in METHODS:
        validated(METHODS[method][0], settings or {})  # before it is held against an earlier run's
    keys = study.select_fields(wells)
    folder = study.segmentation_folder(name)
    with run_alone(study.path, "segment"):
        chosen, todo, notes = _begin(study, name, method, settings or {}, keys, overwrite=overwrite)
        step = SegmentField(study.path, name, method, tuple(chosen["settings"].items()))
        with Ledger(folder / "fields.parquet") as ledger:
            if todo:
                with open_executor(min(workers, len(todo)) if workers else None, scheduler) as (executor, n):
                    for progress in run_over_fields(step, todo, ledger, executor, n, cancel or CancelToken()):
                        report(progress)
            records = [ledger.records[key] for key in keys]
    return StepSummary(
        fields=len(keys),
        failed=[record for record in records if record.status == "failed"],
        cells=sum(record.n_cells for record in records),
        seconds=time.monotonic() - started,
        skipped=len(keys) - len(todo),
        notes=(*notes, *field_notes(records)),
    )


def _begin(
    study: Study, name: str, method: str, settings: dict[str, Any], keys: Sequence[FieldKey], *, overwrite: bool
) -> tuple[dict[str, Any], list[FieldKey], tuple[str, ...]]:
    """Note the settings, or go on with those that are there.

    Nothing is written or thrown away before it is known that the run can begin.

    Returns
    -------
    chosen, todo, notes
        What ``segmentation.json`` holds, the fields to do, and what a person should know.
    """
    folder = study.segmentation_folder(name)
    chosen = _settings_to_use(study, name, method, settings, overwrite=overwrite)
    todo = list(keys) if overwrite else fields_to_segment(study, name, keys)
    segmenter = make_segmenter(method, chosen["settings"], study.channels, [])
    notes: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory() as draft:
        if isinstance(segmenter, FieldSegmenter) and todo:
            notes = segmenter.prepare(study, Path(draft))
        if overwrite and (folder / "segmentation.json").exists():
            notes += _thrown_away(study, name)
            study.remove(folder)
        remove_leftovers(folder)
        if not (folder / "segmentation.json").exists():
            write_json(folder / "segmentation.json", chosen)
        shutil.copytree(draft, folder, dirs_exist_ok=True)
    return chosen, todo, notes


def fields_to_segment(study: Study, name: str, keys: Sequence[FieldKey]) -> list[FieldKey]:
    """Leave out the fields whose masks are there: as they were written, or corrected by a person since."""
    done = Ledger(study.segmentation_folder(name) / "fields.parquet").done()
    return [key for key in keys if key not in done or not _is_there(study, name, done[key])]


def _thrown_away(study: Study, name: str) -> tuple[str, ...]:
    """Keep the masks that persons corrected, before a segmentation is thrown away, and say where."""
    n_edited, kept = set_corrections_aside(study, name)
    if not n_edited:
        return ()
    note = (
        f"the corrections of {n_edited} field(s) of {name!r} were thrown away with it; their masks are kept in {kept}: "
        f"cellvote segment {study.path} --method import --name NAME --set masks={kept}"
    )
    return (note,)


def field_notes(records: Sequence[FieldRecord]) -> tuple[str, ...]:
    """Tell what was noted of fields that are done, in one sentence."""
    noted = [record for record in records if record.status == "done" and record.note]
    if not noted:
        return ()
    listed = "; ".join(f"{record.key}: {record.note}" for record in noted[:_N_NOTES])
    more = f"; and {len(noted) - _N_NOTES} more (column note of fields.parquet)" if len(noted) > _N_NOTES else ""
    return (f"{len(noted)} field(s) to look at: {listed}{more}.",)


def _is_there(study: Study, segmentation: str, record: FieldRecord) -> bool:
    """Whether a field's masks are there: as they were written, or corrected by a person since."""
    path = study.mask_path(segmentation, record.key)
    if not path.exists():
        return False
    return file_checksum(path) == record.checksum or is_edited(study, segmentation, record)


def resolve_settings(study: Study, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the settings leave automatic, measured on fields spread over the study.

    Returns
    -------
    dict
        ``method``, ``asked`` (as given) and ``settings`` (nothing left automatic).
    """
    looks = method not in _WITHOUT_SAMPLE
    segmenter = make_segmenter(method, settings, study.channels, sample_fields(study) if looks else [])
    note = {"method": method, "asked": settings, "settings": segmenter.settings.model_dump(mode="json")}
    return note | note_correction(study)


def sample_fields(study: Study, n: int = N_SAMPLE_FIELDS) -> list[Pixels]:
    """Read a few fields spread over the study; those that cannot be read are passed over."""
    keys = study.fields
    spread = np.unique(np.linspace(0, len(keys) - 1, min(n, len(keys))).round().astype(int))
    images = []
    for i in spread:
        try:
            images.append(study.read_field(keys[i]))
        except ImageReadError:
            continue  # the field's own run says what is wrong with it
    return images


def _settings_to_use(
    study: Study, name: str, method: str, settings: dict[str, Any], *, overwrite: bool
) -> dict[str, Any]:
    """Go on with the settings that are there, or measure new ones; never mix two in one segmentation."""
    path = study.segmentation_folder(name) / "segmentation.json"
    if not path.exists():
        return resolve_settings(study, method, settings)
    there: dict[str, Any] = read_json(path)
    if overwrite:
        return resolve_settings(study, method, settings)
    if there.get("illumination") != note_correction(study).get("illumination"):
        raise StudyError(
            f"the segmentation {name!r} was made of pixels with another illumination correction, or without one. "
            "Give --name for a second one, or --overwrite to replace it."
        )
    if there["method"] == method and there["asked"] == settings:
        return there
    difference = changed({"method": there["method"], **there["asked"]}, {"method": method, **settings})
    raise StudyError(
        f"the segmentation {name!r} was made with other settings ({difference}). Give --name for a second one, "
        "or --overwrite to replace it."
    )
