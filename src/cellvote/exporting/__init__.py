"""Exports: a study as other software reads it."""

from pathlib import Path
from typing import Final

from cellvote.errors import SettingsError
from cellvote.exporting.summary import ExportSummary
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study

__all__ = ["FORMATS", "ExportSummary", "export_study"]

FORMATS: Final = ("csv", "parquet", "ome-zarr")
"""What a study can be exported as."""

NGFF_VERSIONS: Final = ("0.4", "0.5")


def export_study(
    study: Study,
    out: Path,
    format: str,  # noqa: A002 - as on the command line
    *,
    segmentation: str = "",
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
        Whose cells and label images; those of all segmentations where it is not given.

    Raises
    ------
    SettingsError
        Where there is no such format or version.
    StudyError
        Where something is there already, or the place cannot be written.
    """
    if format not in FORMATS:
        raise SettingsError(f"--format {format}: a study can be exported as {', '.join(FORMATS)}.")
    if format != "ome-zarr":
        from cellvote.exporting.tables import export_tables

        return export_tables(
            study,
            out,
            "csv" if format == "csv" else "parquet",
            segmentation=segmentation,
            overwrite=overwrite,
            report=report,
            cancel=cancel,
        )
    from cellvote.exporting.ome_zarr import export_ome_zarr

    if ngff not in NGFF_VERSIONS:
        raise SettingsError(f"--ngff {ngff}: OME-Zarr is written as {' or '.join(NGFF_VERSIONS)}.")
    return export_ome_zarr(
        study,
        out,
        version="0.4" if ngff == "0.4" else "0.5",
        segmentation=segmentation,
        overwrite=overwrite,
        workers=workers,
        scheduler=scheduler,
        report=report,
        cancel=cancel,
    )
