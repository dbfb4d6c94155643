"""Exports: a study as other software reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from cellvote.errors import SettingsError
from cellvote.exporting.summary import ExportSummary
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study

__all__ = ["FORMATS", "ExportSummary", "export_study"]

FORMATS: Final = ("csv", "parquet", "anndata", "ome-zarr", "cellprofiler")
"""What a study can be exported as."""


class _Option(NamedTuple):
    """What an option may be (the first is the usual), and which formats have it."""

    values: tuple[str | bool, ...]
    formats: tuple[str, ...]


_OPTIONS: Final = {
    "style": _Option(("cellvote", "cytomining"), ("csv", "parquet", "anndata")),
    "level": _Option(("well", "cell"), ("anndata",)),
    "grey-values": _Option((False, True), ("cellprofiler",)),
    "ngff": _Option(("0.5", "0.4"), ("ome-zarr",)),
}


def export_study(
    study: Study,
    out: Path,
    format: str,  # noqa: A002 - as on the command line
    *,
    segmentation: str = "",
    style: str = "cellvote",
    level: str = "well",
    grey_values: bool = False,
    ngff: str = "0.5",
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> ExportSummary:
    """Export a study.

    Parameters
    ----------
    out
        Where it is written; made where it is not there.
    format, ngff
        One of `FORMATS`; the version of OME-Zarr.
    segmentation
        Whose cells and label images; those of all segmentations where it is not given. AnnData and CellProfiler's
        tables are of one: the only one, where it is not given.
    style
        ``cellvote`` or ``cytomining``: how the columns of CSV, Parquet and AnnData are named.
    level, grey_values
        What AnnData has a row for: ``well`` or ``cell``; whether intensities in CellProfiler's tables stay as measured,
        instead of from 0 to 1.

    Raises
    ------
    SettingsError
        Where there is no such format or version.
    StudyError
        Where something is there already, or the place cannot be written.
    """
    _check_options(format, {"style": style, "level": level, "grey-values": grey_values, "ngff": ngff})
    common: dict[str, Any] = {"segmentation": segmentation, "overwrite": overwrite, "report": report, "cancel": cancel}
    naming: Literal["cellvote", "cytomining"] = "cytomining" if style == "cytomining" else "cellvote"
    if format == "anndata":
        from cellvote.exporting.annotated import export_anndata

        rows: Literal["well", "cell"] = "cell" if level == "cell" else "well"
        return export_anndata(study, out, level=rows, cytomining=naming == "cytomining", **common)
    if format == "cellprofiler":
        from cellvote.exporting.cellprofiler import export_cellprofiler

        return export_cellprofiler(study, out, grey_values=grey_values, **common)
    if format == "ome-zarr":
        from cellvote.exporting.ome_zarr import export_ome_zarr

        version: Literal["0.4", "0.5"] = "0.4" if ngff == "0.4" else "0.5"
        return export_ome_zarr(study, out, version=version, workers=workers, scheduler=scheduler, **common)
    from cellvote.exporting.tables import export_tables

    return export_tables(study, out, "csv" if format == "csv" else "parquet", style=naming, **common)


def _check_options(format: str, given: Mapping[str, str | bool]) -> None:  # noqa: A002
    """Raise a `SettingsError` where there is no such format or value, or the format has no such option."""
    if format not in FORMATS:
        raise SettingsError(f"--format {format}: a study can be exported as {', '.join(FORMATS)}.")
    for name, value in given.items():
        option = _OPTIONS[name]
        if value not in option.values:
            raise SettingsError(f"--{name} {value}: it can be {' or '.join(map(str, option.values))}.")
        if value != option.values[0] and format not in option.formats:
            raise SettingsError(f"--{name}: goes with --format {' or '.join(option.formats)} only. Leave it out.")
