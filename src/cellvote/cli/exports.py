"""``cellvote export``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.results import exit_with_failures, print_notes
from cellvote.cli.terminal import ProgressStyle, out, print_json, watching

app = typer.Typer()


@app.command()
def export(
    study: options.StudyPath,
    file_format: Annotated[str, typer.Option("--format", help="csv, parquet, anndata, ome-zarr or cellprofiler")],
    out_path: Annotated[
        Path, typer.Option("--out", help="Where to: a folder, a .h5ad file, or the store of the plate.")
    ],
    segmentation: Annotated[
        str, typer.Option("--segmentation", help="Whose cells and label images; all where not given.")
    ] = "",
    style: Annotated[
        str, typer.Option("--style", help="How columns are named in csv, parquet and anndata: cellvote or cytomining.")
    ] = "cellvote",
    level: Annotated[
        str, typer.Option("--level", help="What anndata has a row for: well (profiles) or cell.")
    ] = "well",
    grey_values: Annotated[
        bool, typer.Option("--grey-values", help="In cellprofiler, leave intensities as measured, not from 0 to 1.")
    ] = False,
    ngff: Annotated[str, typer.Option("--ngff", help="Version of OME-Zarr: 0.5 (Zarr 3) or 0.4 (Zarr 2).")] = "0.5",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Write a study as other software reads it: tables, AnnData, or the plate as OME-Zarr."""
    from cellvote.exporting import export_study
    from cellvote.study import Study

    opened = Study.open(study)
    with watching("Export", progress) as (report, cancel):
        summary = export_study(
            opened,
            out_path,
            file_format,
            segmentation=segmentation,
            style=style,
            level=level,
            grey_values=grey_values,
            ngff=ngff,
            overwrite=overwrite,
            workers=workers,
            scheduler=scheduler,
            report=report,
            cancel=cancel,
        )
    if json:
        print_json(summary.to_json())
    else:
        n = len(summary.files)
        what = f"{n} table{'s'[: n > 1]}" if n else f"{summary.fields - len(summary.failed)} fields"
        out.print(
            f"[bold]{escape(str(summary.out))}[/bold]: {what}, {summary.cells:,} cells, {summary.seconds:.1f} s",
            soft_wrap=True,
        )
        print_notes(summary.notes)
    exit_with_failures(summary.failed, json=json)
