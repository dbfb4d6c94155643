"""Commands that read a plate: inspect, create."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.results import print_dry_run
from cellvote.cli.terminal import ProgressStyle, err, out, print_json, print_table, watching
from cellvote.errors import SettingsError
from cellvote.progress import Progress
from cellvote.settings import validated

if TYPE_CHECKING:
    from cellvote.plates.acquisition import Acquisition
    from cellvote.plates.fields import FieldReading

app = typer.Typer()

_N_EXAMPLES = 3


@app.command()
def inspect(
    images: options.Images,
    layout: options.LayoutName = None,
    pattern: options.Pattern = None,
    root: options.Root = None,
    json: options.Json = False,
) -> None:
    """Say which plates, wells, fields and channels lie in a folder of images."""
    from cellvote.plates.layouts import read_plate

    acquisition = read_plate(images, layout, pattern, root=root)
    summary = acquisition.summary()
    if json:
        print_json(summary)
        return
    del summary["problems"]
    planes = acquisition.planes
    summary |= {name: len(numbers) for name in ("z", "timepoint") if len(numbers := planes[name].unique()) > 1}
    rows = [(name, ", ".join(map(str, v)) if isinstance(v, list) else str(v)) for name, v in summary.items()]
    print_table(str(acquisition.source), ("", ""), rows)
    files = acquisition.planes.drop_duplicates("path")
    for row in files.iloc[:: max(1, len(files) // _N_EXAMPLES)].head(_N_EXAMPLES).to_dict("records"):
        channel = acquisition.channels[row["channel"]]
        place = f"well {row['well']}, field {row['field']}" if row["well"] else f"field {row['field']}"
        out.print(f"for example, {row['path']} is {place}, channel {channel}", soft_wrap=True, markup=False)
    _tell(acquisition.problems, "Note")
    _tell(map(str, acquisition.doubts), "Is this right?")


@app.command()
def create(
    study: options.StudyPath,
    images: options.Images,
    layout: options.LayoutName = None,
    pattern: options.Pattern = None,
    root: options.Root = None,
    plate_map: Annotated[
        list[Path] | None,
        typer.Option(
            "--plate-map", help="Table with what was done to each well, or that joins to one; may be repeated."
        ),
    ] = None,
    z: Annotated[
        str, typer.Option("--z", help="What becomes of a z-stack: max, median, projection (the microscope's), or N")
    ] = "max",
    combine: Annotated[
        list[str] | None,
        typer.Option("--combine", metavar="NAME=HOW(A,B,…)", help="A new channel: median, mean, max or min of others"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask about doubtful readings; they are noted.")] = False,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Make a study of the images in one or several folders."""
    from cellvote.plates.layouts import read_plate

    reading = _reading(z, combine or [])
    with watching("Read", progress) as (report, cancel):
        report(Progress(0, 2, message="reading the folder"))
        acquisition = read_plate(images, layout, pattern, root=root)
        report(Progress(1, 2, message=f"{len(acquisition.planes):,} image planes"))
        cancel.raise_if_cancelled()
    reading.check(acquisition.channels, acquisition.planes["z"].unique().tolist())
    if dry_run:
        from cellvote.jobs.dry_run import dry_run_create  # only here: it brings every step along

        print_dry_run(dry_run_create(study, acquisition, plate_map or []), json=json)
        return
    if not (yes or json) and sys.stdin.isatty():
        _ask(acquisition)
    from cellvote.study import Study

    made = Study.create(study, acquisition, plate_map or [], reading=reading)
    if json:
        print_json({"study": str(made.path), **acquisition.summary(), "problems": list(made.info.problems)})
        return
    out.print(
        f"[bold]{escape(str(made.path))}[/bold]: {len(acquisition.plates)} plate(s), {len(acquisition.wells)} wells, "
        f"{len(acquisition.fields)} fields, channels {escape(', '.join(made.channels))}",
        soft_wrap=True,
    )
    _tell(made.info.problems, "Note")


def _reading(z: str, combine: list[str]) -> "FieldReading":
    from cellvote.plates.fields import FieldReading, Projection, parse_combination

    if not z.isdecimal() and z not in get_args(Projection):
        raise SettingsError(f"--z {z}: write {', '.join(get_args(Projection))}, or the number of a plane.")
    plane = int(z) if z.isdecimal() else z
    return validated(FieldReading, {"z": plane, "combine": tuple(parse_combination(one) for one in combine)})


def _ask(acquisition: "Acquisition") -> None:
    """Ask about each doubtful reading; a no ends here, before anything is written."""
    for doubt in acquisition.doubts:
        err.print(f"[yellow]{doubt.kind}:[/yellow] {escape(str(doubt))}", soft_wrap=True)
        if not typer.confirm("Is this right?", err=True):
            raise SettingsError("nothing was written. Read the folder otherwise, with --layout or --pattern.")


def _tell(sentences: Iterable[str], what: str) -> None:
    for sentence in sentences:
        err.print(f"[yellow]{what}:[/yellow]", end=" ")
        err.print(sentence, soft_wrap=True, markup=False)
