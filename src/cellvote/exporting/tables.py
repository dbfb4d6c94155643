"""The tables of a study as CSV or Parquet: wells, cells, and what each model says of them."""

import csv
import time
from pathlib import Path
from typing import Final, Literal

import pandas as pd

from cellvote.exporting.destination import check_free, telling
from cellvote.exporting.summary import ExportSummary
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table, writing

TableFormat = Literal["csv", "parquet"]

_VOTES: Final = ("fields", "wells", "treatments")


def export_tables(
    study: Study,
    out: Path,
    format: TableFormat,  # noqa: A002 - as on the command line
    *,
    segmentation: str = "",
    overwrite: bool = False,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Write the tables of a study into a folder.

    ``wells`` (the plate map), ``cells-SEGMENTATION`` (the measurements), ``predictions-MODEL`` (one row per cell) and
    ``votes-fields-MODEL``, ``votes-wells-MODEL``, ``votes-treatments-MODEL``: those that there are. Identifiers are
    text; in CSV every text is quoted, and no number is.

    Raises
    ------
    StudyError
        Where the folder holds something already, or cannot be written.
    """
    started = time.monotonic()
    out = out.absolute()
    sources = _sources(study, segmentation)
    names = {f"{name}.{format}" for name in sources}
    check_free(out, lambda folder: folder.is_dir() and _only_tables(folder), overwrite=overwrite)
    cells = 0
    with telling(out):
        for done, (name, path) in enumerate(sources.items(), start=1):
            if cancel is not None:
                cancel.raise_if_cancelled()
            table = read_table(path)
            cells += len(table) if name.startswith("cells-") else 0
            _write(out / f"{name}.{format}", table, format)
            report(Progress(done, len(sources), name))
        for stale in {path.name for path in out.iterdir()} - names:
            (out / stale).unlink()
    return ExportSummary(format, out, len(study.fields), (), cells, time.monotonic() - started, sorted(names))


def _sources(study: Study, segmentation: str) -> dict[str, Path]:
    """Find the tables that there are, by the names that they get."""
    sources = {"wells": study.path / "platemap.parquet"}
    for name in [study.one_segmentation(segmentation)] if segmentation else study.segmentations:
        if study.cells_path(name).exists():
            sources[f"cells-{name}"] = study.cells_path(name)
    for model in study.predictions:
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


_OWN: Final = frozenset({"wells", "cells", "predictions", "votes"})


def _write(path: Path, table: pd.DataFrame, format: TableFormat) -> None:  # noqa: A002
    if format == "parquet":
        write_table(path, table)
        return
    with writing(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
