"""``cellvote profile``."""

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.results import print_dry_run, print_notes
from cellvote.cli.terminal import ProgressStyle, out, print_json, watching
from cellvote.settings import parse_assignments, validated

app = typer.Typer()


@app.command()
def profile(
    study: options.StudyPath,
    segmentation: options.Segmentation = "",
    assignments: options.Assignments = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Give each well its profile, compared with the negative controls of its plate."""
    from cellvote.jobs.dry_run import dry_run_profile
    from cellvote.jobs.profile import profile_study
    from cellvote.profiling.profiles import ProfileSettings
    from cellvote.study import Study

    opened = Study.open(study)
    settings = validated(ProfileSettings, parse_assignments(assignments or []))
    if dry_run:
        print_dry_run(dry_run_profile(opened, segmentation, settings), json=json)
        return
    with watching("Profile", progress) as (report, cancel):
        summary = profile_study(opened, segmentation, settings, report=report, cancel=cancel)
    if json:
        print_json(summary.to_json())
        return
    record = summary.record
    done = "up to date" if summary.up_to_date else f"{summary.seconds:.1f} s"
    left_out = f" ({record.n_excluded:,} left out)" if record.n_excluded else ""
    out.print(
        f"{record.n_wells:,} wells: {' and '.join(settings.statistics)} of {record.n_measurements} measurements of "
        f"{record.n_cells:,} cells{left_out}, {settings.normalisation}; {done}",
        soft_wrap=True,
    )
    for path in summary.files:
        out.print(f"[bold]{escape(str(path))}[/bold]", soft_wrap=True)
    print_notes(record.notes)
