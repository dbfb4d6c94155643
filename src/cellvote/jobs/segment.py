"""Segment a study: each field's masks and flows, written as they come."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellvote.errors import DeviceError, ImageReadError, SettingsError, StudyError
from cellvote.jobs.executors import open_executor
from cellvote.jobs.over_fields import StepSummary, devices_of, run_over_fields
from cellvote.jobs.pooled import open_finishers, run_pooled
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels, image_hash
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.segmentation import METHODS, Segmentation, Segmenter, make_segmenter
from cellvote.segmentation.base import PooledSegmenter, TileNetwork, TilePixels, Tiles, segment_with
from cellvote.settings import changed, of_result, validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, write_json
from cellvote.study.flows import write_flows
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.masks import read_label_image, write_label_image

N_SAMPLE_FIELDS = 12
"""Automatic settings are measured on this many fields, spread over the study."""


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
        image = study.read_field(key)
        segmenter = self._segmenter()
        if isinstance(segmenter, PooledSegmenter):
            network = _opened_network(self.method, self.settings_json, study.channels, self.weights, self.device)
            return self._write(key, segment_with(segmenter, image, network), image_hash(image), network.device)
        return self._write(key, segmenter.segment(image), image_hash(image), "cpu")

    def prepare(self, key: FieldKey) -> tuple[Tiles, str]:
        """Read one field: its tiles, and the hash of its pixels."""
        image = open_study(self.study_path).read_field(key)
        return self._pooled().prepare(image), image_hash(image)

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
        )


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
def _opened(path: Path, changed_ns: int) -> Study:
    del changed_ns
    return Study.open(path)


def open_study(path: Path) -> Study:
    """Open a study in a worker process, once for many fields."""
    return _opened(path, (path / "images.parquet").stat().st_mtime_ns)


def segment_study(
    study: Study,
    method: str = "watershed",
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
    DeviceError
        Where the device asked for is not there, or the method uses none.
    """
    started = time.monotonic()
    name = name or method
    if method in METHODS:
        validated(METHODS[method][0], settings or {})  # before it is held against an earlier run's
    keys = study.select_fields(wells)
    chosen = _settings_to_use(study, name, method, settings or {}, overwrite=overwrite, keep_flows=keep_flows)
    segmenter = make_segmenter(method, chosen["settings"], study.channels, [])
    if not scheduler:  # else it is that of the workers
        check_device(segmenter, device)
    notes = _check_provenance(name, segmenter, chosen)
    step = _begin(study, name, chosen, device, overwrite=overwrite)
    with Ledger(study.segmentation_folder(name) / "fields.parquet") as ledger:
        done = {key for key, record in ledger.done().items() if _is_done(study, name, record, step)}
        todo = [key for key in keys if key not in done]
        if todo:
            for progress in _run(step, segmenter, todo, ledger, workers, scheduler, cancel or CancelToken(), notes):
                report(progress)
        records = [ledger.records[key] for key in keys]
    return _summary(records, time.monotonic() - started, len(keys) - len(todo), notes)


def _begin(study: Study, name: str, chosen: dict[str, Any], device: str, *, overwrite: bool) -> SegmentField:
    """Write what the segmentation is made with, now that all that could be wrong with it was looked at."""
    folder = study.segmentation_folder(name)
    if overwrite and folder.exists():
        study.remove(folder)
    if not (folder / "segmentation.json").exists():
        write_json(folder / "segmentation.json", chosen)
    return SegmentField(
        study.path,
        name,
        chosen["method"],
        json.dumps(chosen["settings"]),
        device,
        chosen.get("flows", False),
        chosen.get("made_with", {}).get("weights", ""),
    )


def _summary(records: Sequence[FieldRecord], seconds: float, skipped: int, notes: Sequence[str]) -> StepSummary:
    return StepSummary(
        fields=len(records),
        failed=[record for record in records if record.status == "failed"],
        cells=sum(record.n_cells for record in records),
        seconds=seconds,
        device=devices_of(records),
        skipped=skipped,
        notes=tuple(notes),
    )


def _run(
    step: SegmentField,
    segmenter: Segmenter,
    todo: Sequence[FieldKey],
    ledger: Ledger,
    workers: int | None,
    scheduler: str | None,
    cancel: CancelToken,
    notes: list[str],
) -> Iterator[Progress]:
    """Run fields through a network in this process where that is faster, else each in a worker."""
    at_most = min(workers, len(todo)) if workers else None
    if isinstance(segmenter, PooledSegmenter) and not scheduler and runs_pooled(segmenter, step.device):
        network = segmenter.open_network(step.device)
        with open_finishers(network.device, at_most) as (finishers, n):
            try:
                yield from run_pooled(step, todo, ledger, network, finishers, n, cancel)
            finally:
                notes += network.notices
        return
    with open_executor(at_most, scheduler) as (executor, n):
        yield from run_over_fields(step, todo, ledger, executor, n, cancel)


def runs_pooled(segmenter: PooledSegmenter, device: str) -> bool:
    """Whether one network in this process does better than one in every worker: on a GPU, or where it is large."""
    from cellvote.device import choose_device

    return choose_device(device).type != "cpu" or not segmenter.light


def check_device(segmenter: Segmenter, device: str) -> None:
    """See that the device asked for is there and will be used, before anything is written.

    Raises
    ------
    DeviceError
        Where it is not there, or the segmenter has no network.
    """
    if isinstance(segmenter, PooledSegmenter):
        from cellvote.device import choose_device

        choose_device(device)
    elif device not in {"auto", "cpu"}:
        raise DeviceError(f"{segmenter.name} runs on the CPU, not on {device!r}: leave the device out.")


def _is_done(study: Study, segmentation: str, record: FieldRecord, step: SegmentField) -> bool:
    """Whether all that was written of a field is there; masks that a person corrected are never made again."""
    path = study.mask_path(segmentation, record.key)
    if not _is_there(path, record):
        return False
    lost = step.keep_flows and not study.mask_path(segmentation, record.key, "flows").exists()
    return not lost or file_checksum(path) != record.checksum


def _is_there(path: Path, record: FieldRecord) -> bool:
    """Whether a field's masks are there: as they were written, or corrected by a person since."""
    if not path.exists():
        return False
    if file_checksum(path) == record.checksum:
        return True
    try:
        read_label_image(path)
    except ImageReadError:
        return False
    return True


def resolve_settings(
    study: Study, method: str, settings: dict[str, Any], keep_flows: bool | None = None
) -> dict[str, Any]:
    """Fill in what the settings leave automatic, measured on fields spread over the study.

    Returns
    -------
    dict
        ``method``, ``asked`` (as given) and ``settings`` (nothing left automatic); of methods with a network also
        ``flows`` (whether they are kept) and ``made_with`` (versions, and a fingerprint of the weights).

    Raises
    ------
    SettingsError
        Where flows are asked for of a method that gives none.
    """
    segmenter = make_segmenter(method, settings, study.channels, sample_fields(study))
    resolved = segmenter.settings.model_dump(mode="json")
    chosen: dict[str, Any] = {"method": method, "asked": settings, "settings": resolved}
    if isinstance(segmenter, PooledSegmenter):
        chosen["made_with"] = segmenter.provenance
        if segmenter.gives_flows:
            chosen["flows"] = keep_flows is not False
    if keep_flows and not chosen.get("flows"):
        raise SettingsError(f"{method} gives no flows: leave --flows out. `compute_flows` makes them of any masks.")
    return chosen


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
    study: Study, name: str, method: str, settings: dict[str, Any], *, overwrite: bool, keep_flows: bool | None
) -> dict[str, Any]:
    """Go on with the settings that are there, or measure new ones; never mix two in one segmentation."""
    path = study.segmentation_folder(name) / "segmentation.json"
    if overwrite or not path.exists():
        return resolve_settings(study, method, settings, keep_flows)
    there: dict[str, Any] = read_json(path)
    old, new = {"method": there["method"], **there["asked"]}, {"method": method, **settings}
    if method in METHODS:
        model = METHODS[method][0]
        old, new = of_result(model, old), of_result(model, new)
        fast = {key: value for key, value in settings.items() if key not in new}
        there = {**there, "settings": {**there["settings"], **fast}}
    if keep_flows is not None and keep_flows != there.get("flows", False):
        old["flows"], new["flows"] = there.get("flows", False), keep_flows
    if old == new:
        return there
    raise StudyError(
        f"the segmentation {name!r} was made with other settings ({changed(old, new)}). Give --name for a second one, "
        "or --overwrite to replace it."
    )


def _check_provenance(name: str, segmenter: Segmenter, chosen: dict[str, Any]) -> list[str]:
    """See that the weights are those that the segmentation was begun with, and note where a package is not.

    Raises
    ------
    StudyError
        Where the weights of this name are other ones now.
    """
    before: dict[str, str] = chosen.get("made_with", {})
    now = segmenter.provenance if isinstance(segmenter, PooledSegmenter) else {}
    if before.get("weights") != now.get("weights"):
        raise StudyError(
            f"the segmentation {name!r} was begun with other weights of the same name. Put those back, give --name for "
            "a second segmentation, or --overwrite to replace it."
        )
    other = changed(before, now)
    return [f"the segmentation was begun with other versions: {other}."] if other else []
