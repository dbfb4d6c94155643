"""``cellvote audit``."""

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.terminal import ProgressStyle, err, out, print_json, watching

app = typer.Typer()


@app.command()
def audit(
    study: options.StudyPath,
    model: options.Model,
    json: options.Json = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Look for the same image, well or a changed copy on both sides of a classifier's split."""
    from cellvote.jobs.audit import audit_study
    from cellvote.jobs.predict import find_classifier
    from cellvote.learning.auditing import describe_leaks
    from cellvote.study import Study

    opened = Study.open(study)
    classifier = find_classifier(opened, model)
    with watching("Audit", progress) as (report, cancel):
        found = audit_study(opened, classifier, report=report, cancel=cancel)
    if json:
        print_json(found.to_json())
    else:
        for note in found.notes:
            err.print(f"[yellow]Note:[/yellow] {escape(note)}", soft_wrap=True)
        if found.leaks:
            err.print(f"[red]Leak:[/red] {escape(describe_leaks(found.leaks, found.split_by))}", soft_wrap=True)
        else:
            out.print(f"{found.fields:,} fields compared, held out by {escape(found.split_by)}: none is on both sides")
    if found.leaks:
        raise typer.Exit(1)
