"""The tables of a study as CSV or Parquet: wells, cells, profiles, and what each model says of the cells."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import pandas as pd
import pyarrow.parquet as pq

from cellvote.exporting.cytomining import cytomining_cells, cytomining_profiles, cytomining_wells
from cellvote.exporting.destination import check_free, telling
from cellvote.exporting.summary import ExportSummary
from cellvote.exporting.table_files import TableFormat, iter_rows, writing_rows
from cellvote.jobs.profile import normalised_path, profiles_path, read_profiles, read_record
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import writing

Style = Literal["cellvote", "cytomining"]

Translate = Callable[[pd.DataFrame], pd.DataFrame]

_VOTES: Final = ("fields", "wells", "treatments")
_OWN: Final = frozenset({"wells", "cells", "profiles", "normalised", "predictions", "votes"})


def export_tables(
    study: Study,
    out: Path,
    format: TableFormat,  # noqa: A002 - as on the command line
    *,
    segmentation: str = "",
    style: Style = "cellvote",
    overwrite: bool = False,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Write the tables of a study into a folder.

    ``wells`` (the plate map), ``cells-SEGMENTATION`` (the measurements), ``profiles-SEGMENTATION`` and
    ``normalised-SEGMENTATION``, ``predictions-MODEL`` (one row per cell) and ``votes-fields-MODEL``,
    ``votes-wells-MODEL``, ``votes-treatments-MODEL``: those that there are. Identifiers are text; in CSV every text is
    quoted, and no number is.

    In the style of Cytomining columns are named as its tools expect, and their values stay as they are; predictions and
    votes, which have no place there, are left out.

    Raises
    ------
    StudyError
        Where the folder holds something already, or cannot be written.
    """
    started = time.monotonic()
    out = out.absolute()
    check_free(out, lambda folder: folder.is_dir() and _only_tables(folder), overwrite=overwrite)
    cancel = cancel or CancelToken()
    segmentations = [study.one_segmentation(segmentation)] if segmentation else study.segmentations
    notes = _bring_up_to_date(study, segmentations, report, cancel)
    sources = _sources(study, segmentations, style)
    names = {f"{name}.{format}" for name in sources}
    cells = 0
    with telling(out):
        for done, (name, path) in enumerate(sources.items(), start=1):
            cancel.raise_if_cancelled()
            translate = _translation(study, name) if style == "cytomining" else None
            _write(out / f"{name}.{format}", path, format, translate, cancel)
            cells += pq.read_metadata(path).num_rows if name.startswith("cells-") else 0
            report(Progress(done, len(sources), name))
        for stale in {path.name for path in out.iterdir()} - names:
            (out / stale).unlink()
    if style == "cytomining" and study.predictions:
        notes.append("Predictions and votes have no place in Cytomining's tables: export them without --style.")
    seconds = time.monotonic() - started
    return ExportSummary(format, out, len(study.fields), (), cells, seconds, sorted(names), notes)


def _bring_up_to_date(study: Study, segmentations: Sequence[str], report: Report, cancel: CancelToken) -> list[str]:
    """Make profiles again that are not of the cells and the plate map that there are now, and say so."""
    notes: list[str] = []
    for name in segmentations:
        if read_record(study, name) is not None:
            notes += read_profiles(study, name, report=report, cancel=cancel).notes
    return notes


def _sources(study: Study, segmentations: Sequence[str], style: Style) -> dict[str, Path]:
    """Find the tables that there are, by the names that they get."""
    sources = {"wells": study.path / "platemap.parquet"}
    for name in segmentations:
        if study.cells_path(name).exists():
            sources[f"cells-{name}"] = study.cells_path(name)
        record = read_record(study, name)
        if record is not None:
            sources[f"profiles-{name}"] = profiles_path(study, name)
            if record.normalised_checksum:
                sources[f"normalised-{name}"] = normalised_path(study, name)
    for model in study.predictions if style == "cellvote" else ():
        folder = study.predictions_folder(model)
        sources[f"predictions-{model}"] = folder / "cells.parquet"
        for level in _VOTES:
            if (folder / f"{level}.parquet").exists():
                sources[f"votes-{level}-{model}"] = folder / f"{level}.parquet"
    return sources


def _only_tables(folder: Path) -> bool:
    """Whether a folder holds nothing but tables that an export wrote."""
    return all(
        path.is_file() and path.suffix in {".csv", ".parquet"} and path.stem.partition("-")[0] in _OWN
        for path in folder.iterdir()
    )


def _translation(study: Study, name: str) -> Translate:
    """Choose how a table gets Cytomining's columns."""
    kind = name.partition("-")[0]
    if kind == "wells":
        return cytomining_wells
    if kind == "cells":
        return lambda rows: cytomining_cells(rows, study.channels)
    return lambda rows: cytomining_profiles(rows, study.plate_map, study.channels)


def _write(
    path: Path,
    source: Path,
    format: TableFormat,  # noqa: A002
    translate: Translate | None,
    cancel: CancelToken,
) -> None:
    """Copy a table, or write it anew piece by piece."""
    if format == "parquet" and translate is None:
        with writing(path) as temporary:
            shutil.copyfile(source, temporary)
        return
    with writing_rows(path, format) as add:
        for rows in iter_rows(source):
            cancel.raise_if_cancelled()
            add(rows if translate is None else translate(rows))
