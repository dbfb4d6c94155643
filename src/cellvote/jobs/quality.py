"""Assess the image quality of a study: figures of each field, then flags of all."""

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.jobs.over_fields import run_on_workers
from cellvote.jobs.segment import open_study
from cellvote.plates.acquisition import FIELD, FieldKey, channel_index
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.quality.figures import FIGURES, measure_field
from cellvote.quality.flags import flag_fields
from cellvote.quality.settings import QualitySettings
from cellvote.settings import validated
from cellvote.study import Study
from cellvote.study.atomic import read_json, read_table, write_json, write_table
from cellvote.study.field_flags import FLAGS, quality_path
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.lock import run_alone
from cellvote.study.study import field_file


@dataclass(frozen=True)
class QualitySummary:
    """What the step did.

    Attributes
    ----------
    fields
        Those asked for.
    failed
        Those whose pixels cannot be read.
    flagged
        How many fields of the study have each flag.
    skipped
        Fields that an earlier run had measured; their flags are made anew.
    """

    fields: int
    failed: list[FieldRecord]
    flagged: dict[str, int]
    seconds: float
    skipped: int

    def to_json(self) -> dict[str, Any]:
        """Give the plain values for ``--json``."""
        return {
            "fields": self.fields,
            "failed": [{"plate": r.plate, "well": r.well, "field": r.field, "error": r.error} for r in self.failed],
            "flagged": self.flagged,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class AssessField:
    """The step for one field: raw pixels to figures."""

    study_path: Path

    def __call__(self, key: FieldKey) -> FieldRecord:
        """Measure the quality of one field and write its figures."""
        study = open_study(self.study_path)
        figures = measure_field(study.read_raw_field(key), study.channels)
        # What is not a number is null in JSON.
        write_json(rows_path(study, key), {k: v if math.isfinite(v) else None for k, v in figures.items()})
        return FieldRecord(*key, status="done")


def rows_path(study: Study, key: FieldKey) -> Path:
    """Where the figures of a field wait until the table is put together."""
    return quality_path(study).parent / "rows" / field_file(key, ".json")


def assess_quality(
    study: Study,
    settings: QualitySettings | Mapping[str, Any] | None = None,
    *,
    wells: str = "",
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> QualitySummary:
    """Measure the image quality of the fields that were not looked at yet, and flag all of them by the rules.

    Figures do not depend on the rules: with other settings only the flags are made anew, and no pixel is read.

    Parameters
    ----------
    wells
        Only these, such as ``"A01,B*"``; flags are made of all fields measured so far.

    Raises
    ------
    ChannelError
        Where a rule names a channel that the images do not have.
    ImageReadError
        Where no field can be read.
    BusyError
        Where another run writes the study now.
    """
    started = time.monotonic()
    chosen = settings if isinstance(settings, QualitySettings) else validated(QualitySettings, settings or {})
    channels = _channels_to_look_at(study, chosen)
    keys = study.select_fields(wells)

    def say(progress: Progress) -> None:
        report(at_speed(progress, started))

    with run_alone(study.path, "quality"):
        table = _table_so_far(study)
        with Ledger(quality_path(study).with_name("assessed.parquet")) as ledger:
            there = _keys_of(table)
            done = {key for key in ledger.done() if key in there or rows_path(study, key).exists()}
            todo = [key for key in keys if key not in done]
            step = AssessField(study.path)
            run_on_workers(step, todo, ledger, workers=workers, scheduler=scheduler, report=say, cancel=cancel)
            failed = [record for key in keys if (record := ledger.records[key]).status == "failed"]
            all_done = sorted(ledger.done())
        if not all_done:
            raise ImageReadError(f"{study.path}: no field can be read. The first: {failed[0].error}")
        flagged = flag_fields(_figures(study, table, all_done), channels, chosen)
        _write(study, flagged, channels, chosen)
    return QualitySummary(
        fields=len(keys),
        failed=failed,
        flagged={flag: int(flagged[flag].sum()) for flag in FLAGS},
        seconds=time.monotonic() - started,
        skipped=len(keys) - len(todo),
    )


def _write(study: Study, flagged: pd.DataFrame, channels: tuple[str, ...], settings: QualitySettings) -> None:
    """Write the table and what it was made with; the figures that waited for it are in it now."""
    path = quality_path(study)
    write_table(path, flagged)
    made_with = {"settings": settings.model_dump(mode="json"), "channels": list(channels)}
    write_json(path.with_name("quality.json"), made_with)
    shutil.rmtree(path.parent / "rows", ignore_errors=True)


def _channels_to_look_at(study: Study, settings: QualitySettings) -> tuple[str, ...]:
    if not settings.channels:
        return study.channels
    return tuple(study.channels[channel_index(study.channels, name)] for name in settings.channels)


def _figure_columns(study: Study) -> list[str]:
    return [f"{figure}_{channel}" for channel in study.channels for figure in FIGURES]


def _table_so_far(study: Study) -> pd.DataFrame:
    """Read the figures that are there; none where they are those of other channels, or of an older CellVote."""
    columns = [*FIELD, *_figure_columns(study)]
    path = quality_path(study)
    table = read_table(path) if path.exists() else pd.DataFrame(columns=columns)
    return table[columns] if set(columns) <= set(table) else pd.DataFrame(columns=columns)


def _keys_of(table: pd.DataFrame) -> dict[FieldKey, int]:
    rows = zip(*(table[name].tolist() for name in FIELD), strict=True)
    return {FieldKey(str(p), str(w), int(f)): i for i, (p, w, f) in enumerate(rows)}


def _figures(study: Study, table: pd.DataFrame, keys: list[FieldKey]) -> pd.DataFrame:
    """Put together what was measured now and before, one row per field, sorted."""
    columns = _figure_columns(study)
    there = _keys_of(table)
    fresh = {key: path for key in keys if (path := rows_path(study, key)).exists()}
    kept = [key for key in keys if key not in fresh and key in there]
    rows = [{**key._asdict(), **read_json(path)} for key, path in fresh.items()]
    parts = [table.iloc[[there[key] for key in kept]], pd.DataFrame(rows, columns=[*FIELD, *columns])]
    figures = pd.concat([part for part in parts if len(part)], ignore_index=True)
    dtypes = {"plate": "str", "well": "str", "field": "int32", **dict.fromkeys(columns, "float64")}
    return figures.astype(dtypes).sort_values(FIELD, ignore_index=True)


def at_speed(progress: Progress, started: float) -> Progress:
    """Say how fast fields are read: there are no cells to be counted."""
    failed = progress.message if "cells/s" not in progress.message else ""
    rate = progress.done / max(time.monotonic() - started, 1e-9)
    return replace(progress, message=failed or f"{rate:,.1f} fields/s")
