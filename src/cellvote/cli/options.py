"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from cellvote.cli.terminal import ProgressStyle

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="The study; .cellvote is appended where missing.")]
Images = Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Folder(s) of images, or a table of them.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A classifier of the study, or a classifier folder.")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="Name of the layout; recognised where not given.")]
Pattern = Annotated[
    str | None,
    typer.Option("--pattern", help="Regular expression over the path, with groups well (or row, column), channel, …"),
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Folder of the images that a table lists, where it lies elsewhere.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, how long and how large; do nothing.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Local processes; one for each core.")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", help="Address of a dask scheduler (tcp://host:port).")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of this step; may be repeated.")
]
Classes = Annotated[
    list[str],
    typer.Option(
        "--classes",
        help="COLUMN of the plate map, or COLUMN=a,b; of numbers COLUMN>=1.5 or COLUMN~uniform. Several, or a * in "
        "a column: one classifier for each",
    ),
]
Recipe = Annotated[
    str, typer.Option("--recipe", help="A recipe, an architecture, or a file; none: what suits the unit")
]
ClassifierName = Annotated[str, typer.Option("--name", help="Of the classifier; the architecture's where not given.")]
SplitBy = Annotated[
    str, typer.Option("--split-by", help="Hold out whole: well, plate, or the values of a plate-map column")
]
Unit = Annotated[str, typer.Option("--unit", help="What is classified: cell, or field as a whole")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Flows = Annotated[
    bool | None,
    typer.Option("--flows/--no-flows", help="Keep flows and cell probability, where the method gives them."),
]
Segmentation = Annotated[str, typer.Option("--segmentation", help="Which one, where there are several.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Throw away what is there under this name, and do it anew.")
]
ProgressOption = Annotated[
    ProgressStyle, typer.Option("--progress", help="bar, json (a line each on standard error) or none.")
]
