"""Dry runs: what a step would read, compute and write, how long and how large; nothing is written.

Times are measured on a sample of the very study, and scaled up: an estimate, said as one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellvote.errors import CellVoteError, StudyError
from cellvote.jobs.examples import measurement_matrix, stored_parts
from cellvote.jobs.illumination import spread_fields
from cellvote.jobs.measure import measured_settings, read_outlines, up_to_date
from cellvote.jobs.profile import CellsOnDisk, group_cells, profiles_path, read_record, staleness
from cellvote.jobs.stored_images import first_readable_image
from cellvote.jobs.training_plan import TrainingPlan, examples_in
from cellvote.learning.classic import fit_forest, fit_logistic
from cellvote.learning.classifier import UNSEEN, Classifier
from cellvote.learning.predicting import classic_probabilities, load_classic
from cellvote.plates.acquisition import Acquisition, FieldKey
from cellvote.plates.plate_map import read_and_join
from cellvote.processes import default_workers
from cellvote.profiling.measurements import measure_outlines
from cellvote.profiling.profiles import ProfileSettings
from cellvote.progress import CancelToken, ignore_progress
from cellvote.quality.figures import measure_field
from cellvote.quality.illumination import IlluminationSettings, average_to_grid
from cellvote.settings import changed, validated
from cellvote.study import Study
from cellvote.study.field_flags import quality_path
from cellvote.study.illumination import illumination_folder
from cellvote.study.image_files import is_current
from cellvote.study.ledger import Ledger
from cellvote.study.study import study_path

_N_TIMED = 2
_START_S = 2.0
"""Starting worker processes takes about this long."""


@dataclass(frozen=True)
class DryRun:
    """What a step would do.

    Attributes
    ----------
    seconds, n_bytes
        Estimates; None where they are not known.
    """

    reads: str
    computes: str
    writes: str
    seconds: float | None = None
    n_bytes: int | None = None

    @property
    def duration(self) -> str:
        """The time in words."""
        if self.seconds is None:
            return "not known before it starts"
        return f"{self.seconds:.0f} s" if self.seconds < 120 else f"{self.seconds / 60:.0f} min"

    @property
    def size(self) -> str:
        """The disk space in words."""
        return "little" if self.n_bytes is None else f"{self.n_bytes / 2**20:.1f} MiB"

    def to_json(self) -> dict[str, Any]:
        """Give the plain values for ``--json``."""
        return {
            "dry_run": True,
            "reads": self.reads,
            "computes": self.computes,
            "writes": self.writes,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "bytes": self.n_bytes,
        }


def dry_run_create(path: Path, acquisition: Acquisition, plate_maps: Sequence[Path]) -> DryRun:
    """Say what ``create`` would do; plate maps are read and joined, so that what does not fit shows now."""
    if study_path(path).exists():
        raise StudyError(f"{study_path(path)}: is there already. Open it, or choose another name.")
    acquisition, _, _ = read_and_join(acquisition, plate_maps)
    return DryRun(
        reads=f"{len(acquisition.planes):,} image planes of {len(acquisition.wells)} wells in {acquisition.source}",
        computes="the index of images and the plate map",
        writes=str(study_path(path)),
        seconds=1.0,
        n_bytes=20_000 + 40 * len(acquisition.planes),
    )


def dry_run_measure(
    study: Study, segmentation: str, settings: dict[str, Any] | None = None, *, workers: int | None = None
) -> DryRun:
    """Say what ``measure`` would do, from measuring two fields in memory."""
    name = study.one_segmentation(segmentation)
    folder = study.segmentation_folder(name)
    done = Ledger(folder / "measured.parquet").done()
    masks = Ledger(folder / "fields.parquet").done()
    chosen = measured_settings(study, name, settings)
    keys = [key for key in sorted(masks) if not up_to_date(study, name, done.get(key), chosen)]

    def one(key: FieldKey) -> int:
        outlines = read_outlines(study, name, key)
        columns = measure_outlines(study.read_field(key), outlines, study.channels, chosen)
        return sum(values.nbytes for values in columns.values())

    seconds, n_bytes = time_sample(keys, one)
    return DryRun(
        reads=f"{len(keys)} fields and their masks ({len(masks) - len(keys)} are done)",
        computes=f"{', '.join(chosen.sets)} in {len(study.channels)} channels of "
        f"{sum(masks[key].n_cells for key in keys):,} cells",
        writes=str(study.cells_path(name)),
        seconds=in_parallel(seconds, len(keys), workers),
        n_bytes=n_bytes,
    )


def dry_run_profile(
    study: Study, segmentation: str = "", settings: ProfileSettings | Mapping[str, Any] | None = None
) -> DryRun:
    """Say what ``profile`` would do, from one or two of the measurements.

    Raises
    ------
    PlateMapError, SettingsError, SegmentationError
        As `profile_study`.
    """
    name = study.one_segmentation(segmentation)
    if not isinstance(settings, ProfileSettings):
        settings = validated(ProfileSettings, settings or {})
    started = time.monotonic()
    cells = CellsOnDisk.open(study, name)
    groups, _ = group_cells(study, name, cells, settings)
    grouped = time.monotonic()
    timed = cells.measurements[:_N_TIMED]
    for measurement in timed:
        groups.statistics(cells.read(measurement), settings.statistics)
    each = (time.monotonic() - grouped) / len(timed)
    record = read_record(study, name)
    why = ""
    if record is not None:
        differs = changed(record.settings.model_dump(mode="json"), settings.model_dump(mode="json"))
        why = staleness(study, name, record) or (f"other settings: {differs}" if differs else "they are up to date")
    n_columns = len(cells.measurements) * len(settings.statistics)
    return DryRun(
        reads=f"{len(cells.measurements)} measurements of {cells.n_cells:,} cells, one after the other",
        computes=f"{', '.join(settings.statistics)} of {len(groups)} wells, {settings.normalisation}"
        + (f" ({why})" if why else ""),
        writes=str(profiles_path(study, name)),
        seconds=grouped - started + each * len(cells.measurements),
        n_bytes=16 * len(groups) * n_columns,
    )


def time_sample(keys: Sequence[FieldKey], one: Callable[[FieldKey], int]) -> tuple[float, int]:
    """Do a few fields and scale up: seconds and bytes for all."""
    sizes: list[int] = []
    seconds = 0.0
    for key in keys[len(keys) // 2 :]:
        started = time.monotonic()
        try:
            sizes.append(one(key))
        except CellVoteError:
            continue  # the step itself will say what is wrong with it
        seconds += time.monotonic() - started
        if len(sizes) == _N_TIMED:
            break
    scale = len(keys) / max(len(sizes), 1)
    return seconds * scale, int(sum(sizes) * scale)


def in_parallel(seconds: float, n_fields: int, workers: int | None) -> float:
    """Give the time that fields take on several workers, from that one after the other, with starting these."""
    n = min(workers or default_workers(), max(n_fields, 1))
    return seconds / n + (_START_S if n > 1 else 0.0)


def dry_run_train(study: Study, plan: TrainingPlan, device: str) -> DryRun:
    """Say what ``train`` would do; forests and logistic regression are timed on a part of one fold."""
    settings, cells, unit = plan.settings, plan.training_cells(), plan.inputs.unit
    classes = ", ".join(
        f"{name}: {int((plan.wells['class_name'] == name).sum())} wells, "
        f"{int((plan.cells['class_name'] == name).sum()):,} {unit}s"
        for name in plan.classes
    )
    seconds, n_bytes = None, None
    timed = settings.architecture in {"forest", "logistic"} and bool(plan.segmentation)
    if timed:
        train = cells.learned_by(0)
        features = measurement_matrix(study, plan.segmentation, plan.inputs)[plan.cells["row"].to_numpy()][train]
        started = time.monotonic()
        if settings.architecture == "forest":
            fit_forest(features, cells.codes[train], 20, settings.seed, default_workers())
            seconds = (time.monotonic() - started) * settings.n_trees / 20 * plan.n_folds + 4
        else:
            fit_logistic(features, cells.codes[train], settings.seed)
            seconds = (time.monotonic() - started) * plan.n_folds + 1
    else:
        n_bytes = _bytes_to_store(study, plan)
    return DryRun(
        reads=f"{' and '.join(plan.inputs.parts)} of {classes}",
        computes=f"{settings.architecture} in {plan.n_folds} folds, held out by {settings.split_by}, on {device}",
        writes=str(study.path / "models"),
        seconds=seconds,
        n_bytes=n_bytes,
    )


def _bytes_to_store(study: Study, plan: TrainingPlan) -> int:
    """How much the images take that are not stored yet."""
    n_rows = len(examples_in(study, plan.inputs.unit, plan.segmentation))
    total = 0
    for part in stored_parts(plan.inputs, plan.segmentation).values():
        if not is_current(study, part):
            n_channels, each = 4, 1
            if part.part == "pixels":
                image = first_readable_image(study, study.fields)
                n_channels, each = len(image), min(image.dtype.itemsize, 2)
            total += n_rows * n_channels * each * part.size_px[0] * part.size_px[1]
    return total


def dry_run_predict(study: Study, classifier: Classifier, segmentation: str, device: str) -> DryRun:
    """Say what ``predict`` would do; classifiers on measurements of cells are timed on a part of these."""
    info, seconds = classifier.info, None
    of_cells = info.inputs.unit == "cell"
    name = study.one_segmentation(segmentation) if of_cells else ""
    cells = examples_in(study, info.inputs.unit, name)
    if of_cells and not info.inputs.has_images:
        features = measurement_matrix(study, name, info.inputs)[:1000]
        models = load_classic(classifier)
        started = time.monotonic()
        unseen = np.full(len(features), UNSEEN, np.int64)
        classic_probabilities(models, features, unseen, len(info.classes), report=ignore_progress, cancel=CancelToken())
        seconds = (time.monotonic() - started) * max(1.0, len(cells) / max(len(features), 1)) + 1
    return DryRun(
        reads=f"{' and '.join(info.inputs.parts)} of {len(cells):,} {info.inputs.unit}s",
        computes=f"{info.architecture}, {info.n_folds} models, on {device}; votes by field, well and treatment",
        writes=str(study.predictions_folder(info.name)),
        seconds=seconds,
        n_bytes=len(cells) * (60 + 8 * len(info.classes)),
    )


def dry_run_quality(study: Study, *, wells: str, workers: int | None) -> DryRun:
    """Say what ``quality`` would do, from measuring two fields in memory."""
    done = Ledger(quality_path(study).with_name("assessed.parquet")).done()
    keys = [key for key in study.select_fields(wells) if key not in done]

    def one(key: FieldKey) -> int:
        return 8 * len(measure_field(study.read_raw_field(key), study.channels))

    seconds, n_bytes = time_sample(keys, one)
    return DryRun(
        reads=f"{len(keys)} fields ({len(done)} are done), {len(study.channels)} channels each",
        computes="focus, structure, saturation and illumination trend of each channel, and flags",
        writes=str(quality_path(study)),
        seconds=in_parallel(seconds, len(keys), workers),
        n_bytes=n_bytes,
    )


def dry_run_illumination(study: Study, settings: IlluminationSettings, *, workers: int | None) -> DryRun:
    """Say what ``illumination`` would do, from averaging two fields in memory."""
    keys = [key for plate in study.plates for key in spread_fields(study, plate, settings.most_fields)]
    n_functions = len(study.plates) * len(study.channels)

    def one(key: FieldKey) -> int:
        image = study.read_raw_field(key)
        average_to_grid(image)
        return 4 * n_functions * int(image[0].size) // len(keys)

    seconds, n_bytes = time_sample(keys, one)
    return DryRun(
        reads=f"{len(keys)} fields of {len(study.plates)} plate(s)",
        computes=f"{n_functions} illumination functions ({settings.statistic} of the fields, smoothed)",
        writes=str(illumination_folder(study.path)),
        seconds=in_parallel(seconds, len(keys), workers),
        n_bytes=n_bytes,
    )
