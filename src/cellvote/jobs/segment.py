"""Segment a study: each field's masks and flows, written as they come."""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cellvote.jobs.over_fields import StepSummary, devices_of, run_on_workers
from cellvote.jobs.pooled import open_finishers, run_pooled
from cellvote.jobs.segment_settings import check_device, check_provenance, runs_pooled, settings_to_use
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels, image_hash
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.segmentation import DEFAULT_METHOD, METHODS, FieldSegmenter, Segmentation, Segmenter, make_segmenter
from cellvote.segmentation.base import PooledSegmenter, TileNetwork, TilePixels, Tiles, segment_with
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, remove_leftovers, write_json
from cellvote.study.corrections import is_edited, set_corrections_aside
from cellvote.study.flows import write_flows
from cellvote.study.illumination import corrected
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.masks import write_label_image

_N_NOTES: Final = 5


@dataclass(frozen=True)
class SegmentField:
    """The step for one field: pixels to masks, at once or (`prepare`, `finish`) with a network in between.

    Attributes
    ----------
    settings_json
        The settings with nothing left automatic.
    device
        Where the network of a pooled segmenter runs when a field is done at once.
    weights
        A fingerprint of those of the network, where there is one.
    """

    study_path: Path
    segmentation: str
    method: str
    settings_json: str
    device: str = "cpu"
    keep_flows: bool = False
    weights: str = ""

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Segment one field and write its masks."""
        study = open_study(self.study_path)
        image, pixels_hash = _read(study, key)
        segmenter = self._segmenter()
        if isinstance(segmenter, PooledSegmenter):
            network = _opened_network(self.method, self.settings_json, study.channels, self.weights, self.device)
            return self._write(key, segment_with(segmenter, image, network), pixels_hash, network.device)
        if isinstance(segmenter, FieldSegmenter):
            found = segmenter.segment_field(image, study, key, study.segmentation_folder(self.segmentation))
        else:
            found = segmenter.segment(image)
        return self._write(key, found, pixels_hash, "cpu")

    def prepare(self, key: FieldKey) -> tuple[Tiles, str]:
        """Read one field: its tiles, and the hash of its pixels."""
        image, pixels_hash = _read(open_study(self.study_path), key)
        return self._pooled().prepare(image), pixels_hash

    def finish(self, key: FieldKey, plan: Any, note: str, outputs: TilePixels, device: str) -> FieldRecord:
        """Make the masks of one field from its outputs, and write them."""
        last = device.rpartition("+")[2]
        return self._write(key, self._pooled().assemble(plan, outputs, last), note, device)

    def _segmenter(self) -> Segmenter:
        channels = open_study(self.study_path).channels
        return _made_segmenter(self.method, self.settings_json, channels, self.weights)

    def _pooled(self) -> PooledSegmenter:
        return _as_pooled(self._segmenter())

    def _write(self, key: FieldKey, found: Segmentation, pixels_hash: str, device: str) -> FieldRecord:
        """Write what was found; the masks last: where they are, all is there."""
        study = open_study(self.study_path)
        path = study.mask_path(self.segmentation, key)
        if found.nuclei is not None:
            write_label_image(study.mask_path(self.segmentation, key, "nuclei"), found.nuclei)
        if found.flows is not None and self.keep_flows:
            write_flows(study.mask_path(self.segmentation, key, "flows"), found.flows)
        write_label_image(path, found.label_image)
        return FieldRecord(
            *key,
            status="done",
            n_cells=found.n_cells,
            checksum=file_checksum(path),
            image_hash=pixels_hash,
            device=device,
            note=found.note,
        )


def _read(study: Study, key: FieldKey) -> tuple[Pixels, str]:
    """Read a field as the study corrects it, and the hash of its raw pixels."""
    raw = study.read_raw_field(key)
    return corrected(study, key, raw), image_hash(raw)


@lru_cache(maxsize=4)
def _made_segmenter(method: str, settings_json: str, channels: tuple[str, ...], weights: str) -> Segmenter:
    del weights  # others of the same name make another segmenter
    return make_segmenter(method, json.loads(settings_json), channels, [])


@lru_cache(maxsize=1)
def _opened_network(
    method: str, settings_json: str, channels: tuple[str, ...], weights: str, device: str
) -> TileNetwork:
    return _as_pooled(_made_segmenter(method, settings_json, channels, weights)).open_network(device)


def _as_pooled(segmenter: Segmenter) -> PooledSegmenter:
    if not isinstance(segmenter, PooledSegmenter):
        raise TypeError(f"{segmenter.name} has no network")
    return segmenter


@lru_cache(maxsize=4)
def _opened(path: Path, changed_ns: tuple[int, ...]) -> Study:
    del changed_ns
    return Study.open(path)


def open_study(path: Path) -> Study:
    """Open a study in a worker process, once for many fields."""
    return _opened(path, tuple((path / name).stat().st_mtime_ns for name in ("images.parquet", "study.json")))


def segment_study(
    study: Study,
    method: str = DEFAULT_METHOD,
    settings: dict[str, Any] | None = None,
    *,
    name: str = "",
    wells: str = "",
    overwrite: bool = False,
    device: str = "auto",
    keep_flows: bool | None = None,
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
    device
        Where a network runs: auto, cpu, cuda or mps; what was really used stands in the summary and in the ledger.
    keep_flows
        Whether flows are kept; where it is not said, as it was begun, and at first where the method gives any.
    workers
        Local processes; where a network runs in this one, how many fields' masks are made behind it.

    Raises
    ------
    StudyError
        Where other settings made what is there already, and ``overwrite`` was not said.
    BusyError
        Where another run writes the study now.
    DeviceError
        Where the device asked for is not there, or the method uses none.
    """
    started = time.monotonic()
    name = name or method
    if method in METHODS:
        validated(METHODS[method][0], settings or {})  # before it is held against an earlier run's
    keys = study.select_fields(wells)
    with run_alone(study.path, "segment"):
        chosen = settings_to_use(study, name, method, settings or {}, overwrite=overwrite, keep_flows=keep_flows)
        segmenter = make_segmenter(method, chosen["settings"], study.channels, [])
        if not scheduler:  # else it is that of the workers
            check_device(segmenter, device)
        notes = check_provenance(name, segmenter, chosen)
        todo = list(keys) if overwrite else fields_to_segment(study, name, keys, keep_flows=chosen.get("flows", False))
        notes += _begin(study, name, segmenter, chosen, todo, overwrite=overwrite)
        step = _step(study, name, chosen, device)
        with Ledger(study.segmentation_folder(name) / "fields.parquet") as ledger:
            notes += _run(step, segmenter, todo, ledger, workers, scheduler, report, cancel)
            records = [ledger.records[key] for key in keys]
    return _summary(records, time.monotonic() - started, len(keys) - len(todo), notes)


def _summary(records: Sequence[FieldRecord], seconds: float, n_skipped: int, notes: Sequence[str]) -> StepSummary:
    return StepSummary(
        fields=len(records),
        failed=[record for record in records if record.status == "failed"],
        cells=sum(record.n_cells for record in records),
        seconds=seconds,
        device=devices_of(records),
        skipped=n_skipped,
        notes=(*notes, *field_notes(records)),
    )


def _begin(
    study: Study, name: str, segmenter: Segmenter, chosen: dict[str, Any], todo: Sequence[FieldKey], *, overwrite: bool
) -> tuple[str, ...]:
    """Write what the segmentation is made with, now that all that could be wrong with it was looked at.

    Nothing is written or thrown away before it is known that the run can begin.

    Returns
    -------
    tuple of str
        What a person should know.
    """
    folder = study.segmentation_folder(name)
    notes: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory() as draft:
        if isinstance(segmenter, FieldSegmenter) and todo:
            notes = segmenter.prepare(study, Path(draft))
        if overwrite and folder.exists():
            notes += _thrown_away(study, name)
            study.remove(folder)
        remove_leftovers(folder)
        if not (folder / "segmentation.json").exists():
            write_json(folder / "segmentation.json", chosen)
        shutil.copytree(draft, folder, dirs_exist_ok=True)
    return notes


def _step(study: Study, name: str, chosen: dict[str, Any], device: str) -> SegmentField:
    return SegmentField(
        study.path,
        name,
        chosen["method"],
        json.dumps(chosen["settings"]),
        device,
        chosen.get("flows", False),
        chosen.get("made_with", {}).get("weights", ""),
    )


def _run(
    step: SegmentField,
    segmenter: Segmenter,
    todo: Sequence[FieldKey],
    ledger: Ledger,
    workers: int | None,
    scheduler: str | None,
    report: Report,
    cancel: CancelToken | None,
) -> list[str]:
    """Run fields through a network in this process where that is faster, else each in a worker.

    Returns
    -------
    list of str
        What a person should know of how it was computed.
    """
    if not todo or scheduler or not isinstance(segmenter, PooledSegmenter) or not runs_pooled(segmenter, step.device):
        run_on_workers(step, todo, ledger, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
        return []
    network = segmenter.open_network(step.device)
    with open_finishers(network.device, min(workers, len(todo)) if workers else None) as (finishers, n):
        for progress in run_pooled(step, todo, ledger, network, finishers, n, cancel or CancelToken()):
            report(progress)
    return network.notices


def fields_to_segment(study: Study, name: str, keys: Sequence[FieldKey], *, keep_flows: bool = False) -> list[FieldKey]:
    """Leave out the fields whose results are there: as they were written, or corrected by a person since."""
    done = Ledger(study.segmentation_folder(name) / "fields.parquet").done()
    return [key for key in keys if key not in done or not _is_done(study, name, done[key], keep_flows=keep_flows)]


def _is_done(study: Study, segmentation: str, record: FieldRecord, *, keep_flows: bool) -> bool:
    """Whether all that was written of a field is there; masks that a person corrected are never made again."""
    path = study.mask_path(segmentation, record.key)
    if not path.exists():
        return False
    if file_checksum(path) != record.checksum or record.edited:
        return is_edited(study, segmentation, record)
    return not keep_flows or study.mask_path(segmentation, record.key, "flows").exists()


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
