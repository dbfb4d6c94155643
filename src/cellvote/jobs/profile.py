"""Make the profiles of a segmentation: one row per well, as measured and compared with the controls of its plate."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from cellvote import __version__
from cellvote.errors import SegmentationError, StudyError
from cellvote.plates.acquisition import place_columns
from cellvote.profiling.aggregate import read_measurement_names
from cellvote.profiling.normalisation import choose_reference, normalise_profiles
from cellvote.profiling.profiles import (
    CellGroups,
    Floats,
    ProfileSettings,
    assemble_profiles,
    kept_cells,
    profile_columns,
)
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import file_checksum, read_json, read_table, write_json, write_table
from cellvote.study.ledger import Ledger


class ProfileRecord(BaseModel, frozen=True):
    """What stands beside the profiles of a segmentation: how they were made, and of what.

    Attributes
    ----------
    cells_checksum, plate_map_checksum
        Of the files that they were made of.
    profiles_checksum, normalised_checksum
        Of the files that they are in; the latter empty where nothing was normalised.
    n_cells, n_excluded
        Cells that count, and cells that were left out.
    notes
        What a person should know of these profiles, one sentence each.
    """

    version: str
    settings: ProfileSettings
    cells_checksum: str
    plate_map_checksum: str
    profiles_checksum: str
    normalised_checksum: str = ""
    n_wells: int
    n_plates: int
    n_cells: int
    n_excluded: int
    n_measurements: int
    n_columns: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProfileSummary:
    """What `profile_study` did; ``to_json`` is what the command line prints.

    Attributes
    ----------
    up_to_date
        The profiles were there already, of the same cells, plate map and settings.
    """

    segmentation: str
    record: ProfileRecord
    files: tuple[Path, ...]
    up_to_date: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        record = self.record
        return {
            "segmentation": self.segmentation,
            "plates": record.n_plates,
            "wells": record.n_wells,
            "cells": record.n_cells,
            "excluded": record.n_excluded,
            "measurements": record.n_measurements,
            "columns": record.n_columns,
            "statistics": list(record.settings.statistics),
            "normalisation": record.settings.normalisation,
            "up_to_date": self.up_to_date,
            "files": [str(path) for path in self.files],
            "notes": list(record.notes),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Profiles:
    """The profiles of a segmentation.

    Attributes
    ----------
    raw
        As measured: as `profile_wells` gives them.
    normalised
        Compared with the reference; None where nothing was normalised.
    notes
        Those of the record; before them, why they had to be made again.
    """

    raw: pd.DataFrame
    normalised: pd.DataFrame | None
    record: ProfileRecord
    notes: tuple[str, ...] = ()


def profiles_path(study: Study, segmentation: str) -> Path:
    """Where the profiles as measured are."""
    return study.segmentation_folder(segmentation) / "profiles.parquet"


def normalised_path(study: Study, segmentation: str) -> Path:
    """Where the normalised profiles are."""
    return study.segmentation_folder(segmentation) / "profiles-normalised.parquet"


def _record_path(study: Study, segmentation: str) -> Path:
    return study.segmentation_folder(segmentation) / "profiles.json"


def read_record(study: Study, segmentation: str) -> ProfileRecord | None:
    """Read how the profiles of a segmentation were made; None where there are none.

    Raises
    ------
    StudyError
        Where the file is damaged.
    """
    path = _record_path(study, segmentation)
    if not path.exists():
        return None
    try:
        return ProfileRecord.model_validate(read_json(path))
    except ValidationError as error:
        raise StudyError(
            f"{path}: is damaged ({error.error_count()} entries). Delete it and run: cellvote profile {study.path}"
        ) from error


def staleness(study: Study, segmentation: str, record: ProfileRecord) -> str:
    """Say why profiles are no longer those of the study; empty where they are."""
    cells = study.cells_path(segmentation)
    if not cells.exists() or file_checksum(cells) != record.cells_checksum:
        return "the cells were measured anew since"
    if record.settings.normalisation != "none":
        if file_checksum(study.path / "platemap.parquet") != record.plate_map_checksum:
            return "the plate map was changed since"
        path = normalised_path(study, segmentation)
        if not path.exists() or file_checksum(path) != record.normalised_checksum:
            return "the normalised profiles are missing or damaged"
    path = profiles_path(study, segmentation)
    if not path.exists() or file_checksum(path) != record.profiles_checksum:
        return "the profiles are missing or damaged"
    return ""


def profile_study(
    study: Study,
    segmentation: str = "",
    settings: ProfileSettings | Mapping[str, Any] | None = None,
    *,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ProfileSummary:
    """Make the profiles of all measured wells, unless they are there and current.

    One measurement of all cells is read at a time. Beside the tables stands ``profiles.json``, written last: what a
    killed run left is made again.

    Raises
    ------
    SegmentationError
        Where nothing is measured yet.
    PlateMapError
        Where a plate has too few negative controls to be compared with.
    SettingsError
        Where a setting is not allowed, or names a column that the cells do not have.
    """
    started = time.monotonic()
    name = study.one_segmentation(segmentation)
    if not isinstance(settings, ProfileSettings):
        settings = validated(ProfileSettings, settings or {})
    files = (profiles_path(study, name), *((normalised_path(study, name),) if settings.normalisation != "none" else ()))
    record = read_record(study, name)
    if record is not None and record.settings == settings and not staleness(study, name, record):
        return ProfileSummary(name, record, files, up_to_date=True, seconds=time.monotonic() - started)
    made_of = [study.cells_path(name), study.path / "platemap.parquet"]
    cells_checksum, plate_map_checksum = (file_checksum(path) if path.exists() else "" for path in made_of)
    study = Study.open(study.path)  # what was read before may be older than these files
    raw, notes = _profile(study, name, settings, report, cancel or CancelToken())
    normalised = normalise_profiles(raw, study.plate_map, settings)
    write_table(files[0], raw)
    if len(files) > 1:
        write_table(files[1], normalised.table)
    else:
        normalised_path(study, name).unlink(missing_ok=True)
    record = ProfileRecord(
        version=__version__,
        settings=settings,
        cells_checksum=cells_checksum,
        plate_map_checksum=plate_map_checksum,
        profiles_checksum=file_checksum(files[0]),
        normalised_checksum=file_checksum(files[1]) if len(files) > 1 else "",
        n_wells=len(raw),
        n_plates=raw["plate"].nunique(),
        n_cells=int(raw["n_cells"].sum()),
        n_excluded=int(raw["n_excluded"].sum()),
        n_measurements=len(profile_columns(raw)) // len(settings.statistics),
        n_columns=len(profile_columns(normalised.table)),
        notes=(*notes, *normalised.notes),
    )
    write_json(_record_path(study, name), record.model_dump(mode="json"))
    return ProfileSummary(name, record, files, up_to_date=False, seconds=time.monotonic() - started)


def read_profiles(
    study: Study, segmentation: str = "", *, report: Report = ignore_progress, cancel: CancelToken | None = None
) -> Profiles:
    """Read the profiles of a segmentation; those of other cells or another plate map are made again, and that is said.

    Raises
    ------
    StudyError
        Where none were made yet.
    """
    name = study.one_segmentation(segmentation)
    record = read_record(study, name)
    if record is None:
        raise StudyError(
            f"{study.path}: the segmentation {name!r} has no profiles. Run: cellvote profile {study.path} "
            f"--segmentation {name}"
        )
    notes: tuple[str, ...] = ()
    reason = staleness(study, name, record)
    if reason:
        record = profile_study(study, name, record.settings, report=report, cancel=cancel).record
        notes = (f"{name}: {reason}: profiles were made again.",)
    normalised = read_table(normalised_path(study, name)) if record.normalised_checksum else None
    return Profiles(read_table(profiles_path(study, name)), normalised, record, (*notes, *record.notes))


def _profile(
    study: Study, name: str, settings: ProfileSettings, report: Report, cancel: CancelToken
) -> tuple[pd.DataFrame, list[str]]:
    cells = CellsOnDisk.open(study, name)
    groups, notes = group_cells(study, name, cells, settings)

    def measurements() -> Iterator[tuple[str, Floats]]:
        for done, measurement in enumerate(cells.measurements, start=1):
            cancel.raise_if_cancelled()
            yield measurement, cells.read(measurement)
            report(Progress(done, len(cells.measurements), measurement))

    return assemble_profiles(groups, measurements(), settings), notes


def group_cells(
    study: Study, name: str, cells: "CellsOnDisk", settings: ProfileSettings
) -> tuple[CellGroups, list[str]]:
    """Group the cells of every measured well, and say what is missing.

    What cannot be compared is said here, before minutes of work, not after.

    Raises
    ------
    PlateMapError, SettingsError
        As `profile_study`.
    """
    wells, notes = measured_wells(study, name, cells.by)
    groups = cells.group(settings, wells)
    if settings.normalisation != "none":
        choose_reference(groups.keys, groups.count(groups.used) >= settings.min_cells, study.plate_map, settings)
    return groups, notes


def measured_wells(study: Study, name: str, by: Sequence[str]) -> tuple[pd.DataFrame | None, list[str]]:
    """List the wells that were measured, with and without cells; and say what is missing."""
    ledger = Ledger(study.segmentation_folder(name) / "measured.parquet")
    done = ledger.done()
    if not done:
        return None, []
    wells = pd.DataFrame(list(done), columns=["plate", "well", "field"])[list(by)].drop_duplicates()
    notes = []
    failed, missing = len(ledger.failed()), len(study.fields) - len(ledger.records)
    if failed:
        notes.append(f"{failed} fields could not be measured: their cells are in no profile.")
    if missing > 0:
        notes.append(f"{missing} of {len(study.fields)} fields are not measured: their cells are in no profile.")
    return wells.astype({c: "str" for c in wells if c != "field"}), notes


@dataclass(frozen=True)
class CellsOnDisk:
    """A cells table of which one column is read at a time."""

    path: Path
    by: list[str]
    flags: list[str]
    measurements: list[str]

    @classmethod
    def open(cls, study: Study, segmentation: str) -> "CellsOnDisk":
        """Open the cells table of a segmentation.

        Raises
        ------
        SegmentationError
            Where nothing is measured, or no cell was found.
        """
        path = study.cells_path(segmentation)
        names = read_measurement_names(study, segmentation)
        if not path.exists() or not names:
            raise SegmentationError(
                f"{study.path}: nothing is measured for the segmentation {segmentation!r}. "
                f"Run: cellvote measure {study.path}"
            )
        schema = pq.read_schema(path)
        flags = [field.name for field in schema if pa.types.is_boolean(field.type)]
        return cls(path, place_columns(study.plate_map), flags, [name for name in names if name not in flags])

    def group(self, settings: ProfileSettings, wells: pd.DataFrame | None) -> CellGroups:
        """Group the cells by well; those that are to be left out do not count."""
        used = kept_cells(read_table(self.path, self.flags), settings)
        return CellGroups.of(read_table(self.path, self.by), used, self.by, wells)

    def read(self, measurement: str) -> Floats:
        """Read one measurement of all cells."""
        return read_table(self.path, [measurement])[measurement].to_numpy(np.float64)

    @property
    def n_cells(self) -> int:
        """Rows of the table."""
        return int(pq.read_metadata(self.path).num_rows)
