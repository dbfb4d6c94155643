"""Image quality and illumination: what is done before cells are looked for."""

from typing import Annotated

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.results import exit_with_failures, print_dry_run, print_notes
from cellvote.cli.terminal import ProgressStyle, out, print_json, print_table, watching
from cellvote.settings import parse_assignments

app = typer.Typer()

_SHOWN = 20
"""So many flagged fields are listed; all of them are in the table."""


@app.command()
def quality(
    study: options.StudyPath,
    assignments: options.Assignments = None,
    wells: Annotated[str, typer.Option("--wells", help="Only these: A01,B*")] = "",
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Find fields that are empty, out of focus, saturated or unevenly lit."""
    from cellvote.jobs.dry_run import dry_run_quality
    from cellvote.jobs.quality import assess_quality
    from cellvote.quality.settings import QualitySettings
    from cellvote.settings import validated
    from cellvote.study import Study
    from cellvote.study.field_flags import FLAGS, quality_path, read_quality

    opened = Study.open(study)
    settings = validated(QualitySettings, parse_assignments(assignments or []))
    if dry_run:
        print_dry_run(dry_run_quality(opened, wells=wells, workers=workers), json=json)
        return
    with watching("Quality", progress) as (report, cancel):
        summary = assess_quality(
            opened, settings, wells=wells, workers=workers, scheduler=scheduler, report=report, cancel=cancel
        )
    if json:
        print_json(summary.to_json())
    else:
        table = read_quality(opened)
        flagged = table[table[list(FLAGS)].any(axis=1)]
        rows = [(r["plate"], r["well"], r["field"], r["reason"]) for r in flagged.head(_SHOWN).to_dict("records")]
        if rows:
            print_table("Flagged", ("plate", "well", "field", "why"), rows)
        listed = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in summary.flagged.items())
        more = f" The first {_SHOWN} are listed." if len(flagged) > _SHOWN else ""
        before = f" ({summary.skipped} were measured before)" if summary.skipped else ""
        out.print(
            f"{len(flagged)} of {len(table)} fields are flagged: {listed}.{more} {summary.seconds:.1f} s{before}\n"
            f"{escape(str(quality_path(opened)))}",
            soft_wrap=True,
        )
    exit_with_failures(summary.failed, json=json)


@app.command()
def illumination(
    study: options.StudyPath,
    apply: Annotated[
        bool | None,
        typer.Option(
            "--apply/--no-apply",
            help="Let every step from now on read corrected pixels, or raw ones again (then nothing is computed).",
        ),
    ] = None,
    assignments: options.Assignments = None,
    overwrite: options.Overwrite = False,
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Make the illumination correction of each plate and channel, and use it or not."""
    from cellvote.jobs.dry_run import dry_run_illumination
    from cellvote.jobs.illumination import estimate_illumination
    from cellvote.quality.illumination import IlluminationSettings
    from cellvote.settings import validated
    from cellvote.study import Study
    from cellvote.study.illumination import use_correction

    opened = Study.open(study)
    settings = validated(IlluminationSettings, parse_assignments(assignments or []))
    if dry_run:
        print_dry_run(dry_run_illumination(opened, settings, workers=workers), json=json)
        return
    if apply is False:
        use_correction(opened, use=False)
        if json:
            print_json({"applied": False})
        else:
            out.print(
                "Every step reads raw pixels. What was made of corrected ones is out of date: run it again.",
                soft_wrap=True,
            )
        return
    with watching("Illumination", progress) as (report, cancel):
        summary = estimate_illumination(
            opened, settings, overwrite=overwrite, workers=workers, scheduler=scheduler, report=report, cancel=cancel
        )
    if apply:
        use_correction(opened, use=True)
    applied = opened.info.reading.illumination
    if json:
        print_json({**summary.to_json(), "applied": applied})
    else:
        n = sum(summary.note.n_fields.values())
        told = "Every step reads corrected pixels." if applied else "Not used yet: run it again with --apply."
        out.print(
            f"{len(summary.note.files)} functions from {n} fields, {summary.seconds:.1f} s. {told}", soft_wrap=True
        )
        print_notes(summary.note.problems)
    exit_with_failures(summary.failed, json=json)
