"""Commands that look: report, view, doctor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.terminal import err, out, print_json
from cellvote.errors import DeviceError

if TYPE_CHECKING:
    from cellvote.study import Study

app = typer.Typer()

_COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


@app.command()
def report(
    study: options.StudyPath,
    model: options.Model,
    out_path: Annotated[Path | None, typer.Option("--out", help="The HTML file; in the study where not given.")] = None,
    classes: Annotated[str, typer.Option("--classes", help="Plate-map column that holds the truth")] = "",
    json: options.Json = False,
) -> None:
    """Write everything about a classifier and its votes into one HTML file."""
    from cellvote.reporting import report_summary, write_report
    from cellvote.study import Study

    opened = Study.open(study)
    path = write_report(opened, model, out_path, classes=classes)
    if json:
        print_json(report_summary(opened, model, out_path, classes=classes))
    else:
        out.print(f"[bold]{escape(str(path))}[/bold]", soft_wrap=True)


@app.command()
def view(study: options.StudyPath) -> None:
    """Open a study in napari."""
    from cellvote.study import Study

    opened = Study.open(study)
    show_study(opened)


def show_study(study: "Study") -> None:
    """Open napari with a study.

    Raises
    ------
    DeviceError
        Where there is no window to open.
    """
    from cellvote.doctor import examine

    checks = {check.name: check for check in examine(study.path) if check.name in {"window", "display"}}
    for check in checks.values():
        if check.status != "ok":
            raise DeviceError(f"napari cannot be opened: {check.found}. {check.advice[:1].upper()}{check.advice[1:]}.")
    from cellvote.gui.view import view_study

    view_study(study.path)


@app.command()
def doctor(
    folder: Annotated[Path, typer.Argument(help="Where studies would be written.")] = Path(),
    json: options.Json = False,
) -> None:
    """Look at torch and GPU, window, weights, memory and disk, and say what to do about each."""
    from cellvote.doctor import examine

    checks = list(examine(folder))
    if json:
        print_json([check.to_json() for check in checks])
    else:
        for check in checks:
            colour = _COLOURS[check.status]
            out.print(
                f"[{colour}]{check.status:>7}[/{colour}]  [bold]{check.name}[/bold]: {escape(check.found)}",
                soft_wrap=True,
            )
            if check.advice:
                out.print(f"         → {check.advice}", soft_wrap=True, markup=False)
    if any(check.status == "missing" for check in checks):
        err.print("Something is missing; the lines in red say what to do.")
        raise typer.Exit(1)
