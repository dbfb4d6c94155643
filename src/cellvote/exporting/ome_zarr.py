"""A study as OME-Zarr: one HCS plate for each of its plates, pixels and label images."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from cellvote.errors import ImageReadError, StudyError
from cellvote.exporting.destination import check_free, draft_of, put_in_place, telling
from cellvote.exporting.field_images import (
    WriteField,
    field_folder,
    masks_checksum,
    plate_folder,
    read_imaged,
    stack_planes,
)
from cellvote.exporting.ngff_metadata import NgffVersion, ShownChannel, channel_colours, plate, well, well_path
from cellvote.exporting.summary import ExportSummary
from cellvote.exporting.zarr_writer import write_group
from cellvote.jobs.over_fields import run_on_workers
from cellvote.plates.acquisition import PROJECTION, FieldKey, looks_nuclear
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, write_json
from cellvote.study.ledger import Ledger

_N_SAMPLE_FIELDS: Final = 12
_PERCENTILES: Final = (1.0, 99.8)
_PIXELS_PER_FIELD: Final = 65_536


def export_ome_zarr(
    study: Study,
    out: Path,
    *,
    version: NgffVersion = "0.5",
    segmentation: str = "",
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Write the plates of a study as OME-Zarr.

    It is written beside its place and put there when it is whole; an export that was cancelled or killed goes on
    where it stopped when it is asked for again. Fields that cannot be read are left out of their wells.

    Parameters
    ----------
    out
        The store of the plate; of several plates the folder of their stores, ``PLATE.ome.zarr``.
    version
        Of the NGFF; 0.5 is Zarr format 3, 0.4 is format 2.
    segmentation
        Whose label images are written; of all segmentations where it is not given.

    Raises
    ------
    StudyError
        Where something is there already, fields have no well, no field can be read, or the disk is full.
    """
    started = time.monotonic()
    out = out.absolute()
    check_free(out, _is_export, overwrite=overwrite)
    if any(not key.well for key in study.fields):
        raise StudyError(f"{study.path}: its fields lie in no wells, and OME-Zarr plates need these. Export csv.")
    names = (study.one_segmentation(segmentation),) if segmentation else tuple(study.segmentations)
    draft = draft_of(out)
    with telling(out):
        step = WriteField(study.path, draft / "plates", version, names, _shown_channels(study))
        _go_on_or_start_anew(draft, study, step)

        def say(told: Progress) -> None:
            report(Progress(told.done, told.total, told.where))  # no cells are counted here

        with Ledger(draft / "fields.parquet") as ledger:
            todo = _fields_to_write(ledger, study, step)
            run_on_workers(step, todo, ledger, workers=workers, scheduler=scheduler, report=say, cancel=cancel)
            records = [ledger.records[key] for key in study.fields]
        written = [record for record in records if record.status == "done"]
        failed = [record for record in records if record.status == "failed"]
        if not written:
            shutil.rmtree(draft)
            raise StudyError(f"{study.path}: none of its fields can be exported. {failed[0].error}")
        _write_plates(step.folder, [record.key for record in written], version)
        one = len(study.plates) == 1
        put_in_place(step.folder / plate_folder(study.plates[0]) if one else step.folder, out)
        shutil.rmtree(draft)
    cells, seconds = sum(record.n_cells for record in written), time.monotonic() - started
    return ExportSummary("ome-zarr", out, len(records), failed, cells, seconds, notes=_notes(study))


def _is_export(out: Path) -> bool:
    """Whether a folder is a Zarr store, or holds nothing but such: all that an export would leave."""
    markers = ("zarr.json", ".zgroup")
    if not out.is_dir():
        return False
    return any((out / marker).is_file() for marker in markers) or all(
        path.is_dir() and path.name.endswith(".zarr") and any((path / marker).is_file() for marker in markers)
        for path in out.iterdir()
    )


def _go_on_or_start_anew(draft: Path, study: Study, step: WriteField) -> None:
    """Go on with what an earlier run of the very same export left; else throw that away."""
    wanted: dict[str, Any] = {
        "study": str(study.path),
        "images_checksum": file_checksum(study.path / "images.parquet"),
        "ngff": step.version,
        "segmentations": list(step.segmentations),
        "channels": [[c.name, c.colour, list(c.window), list(c.limits)] for c in step.channels],
    }
    note = draft / "export.json"
    if draft.exists():
        if note.is_file() and read_json(note) == wanted:
            return
        shutil.rmtree(draft)
    draft.mkdir(parents=True)
    write_json(note, wanted)


def _fields_to_write(ledger: Ledger, study: Study, step: WriteField) -> list[FieldKey]:
    """List the fields that an earlier run did not write, or whose masks changed since."""
    done = ledger.done()
    return [
        key
        for key in study.fields
        if key not in done
        or not field_folder(step.folder, key).is_dir()
        or done[key].checksum != masks_checksum(study, step.segmentations, key)
    ]


def _write_plates(folder: Path, done: Sequence[FieldKey], version: NgffVersion) -> None:
    """Write the metadata of plates, rows and wells: what is listed there is there, and nothing else."""
    plates: dict[str, dict[str, list[int]]] = {}
    for key in done:
        plates.setdefault(key.plate, {}).setdefault(key.well, []).append(key.field)
    _keep_only(folder, {plate_folder(name) for name in plates})
    for name, wells in plates.items():
        root = folder / plate_folder(name)
        paths = {well_path(one): sorted(fields) for one, fields in wells.items()}
        rows = {path.split("/")[0] for path in paths}
        _keep_only(root, rows)
        write_group(root, plate(version, name, wells), version)
        for row in rows:
            _keep_only(root / row, {path.split("/")[1] for path in paths if path.startswith(f"{row}/")})
            write_group(root / row, {}, version)
        for path, fields in paths.items():
            _keep_only(root / path, {str(field) for field in fields})
            write_group(root / path, well(version, fields), version)


def _keep_only(folder: Path, names: set[str]) -> None:
    """Remove what fields left that could not be written after all."""
    for path in folder.iterdir():
        if path.name not in names and path.is_dir():
            shutil.rmtree(path)


def _notes(study: Study) -> list[str]:
    """Tell which planes were not exported as they are."""
    planes = study.planes
    notes: list[str] = []
    several = planes["z"].nunique() > 1 or planes["timepoint"].nunique() > 1
    groups = [study.planes_of(key) for key in study.fields] if several else []
    ragged = [
        one
        for one in groups
        if stack_planes(one) is None and (one["timepoint"].nunique() > 1 or one["z"].nunique() > 1)
    ]
    if ragged:
        notes.append(
            f"{len(ragged)} field(s) are no full stacks (their channels differ in z-planes or timepoints) and were "
            f"written as the study reads them, as one plane ({study.info.reading.z})."
        )
    if any((one["z"] == PROJECTION).any() and stack_planes(one) is not None for one in groups):
        notes.append("Projections that the microscope made beside its stacks were left out.")
    return notes


def _shown_channels(study: Study) -> tuple[ShownChannel, ...]:
    """Choose colours, and contrast from fields spread over the study."""
    names = study.info.channels
    keys = study.fields
    spread = np.unique(np.linspace(0, len(keys) - 1, min(_N_SAMPLE_FIELDS, len(keys))).round().astype(int))
    samples: list[list[Any]] = [[] for _ in names]
    for i in spread:
        try:
            numbers, image = read_imaged(study, keys[i])
        except ImageReadError:
            continue  # the field's own turn says what is wrong with it
        step = max(1, int((image[0].size / _PIXELS_PER_FIELD) ** 0.5))
        for number, plane in zip(numbers, image, strict=True):
            samples[number].append(plane[::step, ::step].ravel())
    colours = channel_colours(names, [looks_nuclear(name) for name in names])
    return tuple(
        ShownChannel(name, colour, *_window(sample))
        for name, colour, sample in zip(names, colours, samples, strict=True)
    )


def _window(sample: list[Any]) -> tuple[tuple[float, float], tuple[float, float]]:
    if not sample:
        return (0.0, 1.0), (0.0, 1.0)
    pixels = np.concatenate(sample)
    low, high = (float(value) for value in np.percentile(pixels, _PERCENTILES))
    if np.issubdtype(pixels.dtype, np.integer):
        limits = (float(np.iinfo(pixels.dtype).min), float(np.iinfo(pixels.dtype).max))
    else:
        limits = (float(pixels.min()), float(pixels.max()))
    return (low, high if high > low else low + 1.0), limits
