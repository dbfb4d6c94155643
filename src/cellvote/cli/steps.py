"""The steps that compute: segment, measure, train, predict.

What a step computes with is imported inside its command, so that `cellvote --help` answers at once.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.results import (
    exit_with_failures,
    print_dry_run,
    print_dry_runs,
    print_evaluation,
    print_notes,
    print_targets,
    print_trained,
    print_votes,
)
from cellvote.cli.terminal import ProgressStyle, err, out, print_json, watching
from cellvote.settings import parse_assignments, validated

if TYPE_CHECKING:
    from cellvote.jobs.over_fields import StepSummary

app = typer.Typer()


@app.command()
def segment(
    study: options.StudyPath,
    method: Annotated[str, typer.Option("--method", help="nuclei, cellpose, watershed or import")] = "nuclei",
    name: Annotated[str, typer.Option("--name", help="Of the segmentation; the method's where not given.")] = "",
    assignments: options.Assignments = None,
    wells: Annotated[str, typer.Option("--wells", help="Only these: A01,B*,PLATE/C03")] = "",
    device: options.Device = "auto",
    flows: options.Flows = None,
    overwrite: options.Overwrite = False,
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Find the cells of every field."""
    from cellvote.jobs.dry_run_segment import dry_run_segment
    from cellvote.jobs.segment import segment_study
    from cellvote.segmentation import LICENCE_NOTES
    from cellvote.study import Study

    opened = Study.open(study)
    settings = parse_assignments(assignments or [])
    if dry_run:
        plan = dry_run_segment(
            opened,
            method,
            settings,
            name=name,
            wells=wells,
            overwrite=overwrite,
            workers=workers,
            device=device,
            keep_flows=flows,
        )
        print_dry_run(plan, json=json)
        return
    with watching("Segment", progress) as (report, cancel):
        summary = segment_study(
            opened,
            method,
            settings,
            name=name,
            wells=wells,
            overwrite=overwrite,
            device=device,
            keep_flows=flows,
            workers=workers,
            scheduler=scheduler,
            report=report,
            cancel=cancel,
        )
    if method in LICENCE_NOTES and progress is not ProgressStyle.json:
        err.print(f"[yellow]Licence:[/yellow] {escape(LICENCE_NOTES[method])}", soft_wrap=True)
    _finish(summary, "segmented", json=json)


@app.command()
def measure(
    study: options.StudyPath,
    segmentation: options.Segmentation = "",
    assignments: options.Assignments = None,
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Measure every cell. Settings stay as they were measured with; a changed one measures all fields anew."""
    from cellvote.jobs.dry_run import dry_run_measure
    from cellvote.jobs.measure import measure_study
    from cellvote.study import Study

    opened = Study.open(study)
    settings = parse_assignments(assignments or [])
    if dry_run:
        print_dry_run(dry_run_measure(opened, segmentation, settings, workers=workers), json=json)
        return
    with watching("Measure", progress) as (report, cancel):
        summary = measure_study(
            opened, segmentation, settings, workers=workers, scheduler=scheduler, report=report, cancel=cancel
        )
    _finish(summary, "measured", json=json)


@app.command()
def train(
    study: options.StudyPath,
    classes: options.Classes,
    recipe: options.Recipe = "",
    name: options.ClassifierName = "",
    split_by: options.SplitBy = "",
    unit: options.Unit = "",
    assignments: options.Assignments = None,
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Train a classifier, holding whole wells (or more) out."""
    from cellvote.jobs.dry_run import dry_run_train
    from cellvote.jobs.targets import train_targets
    from cellvote.jobs.train import plan_training, train_study
    from cellvote.learning.classes import expand_targets
    from cellvote.recipes import settings_of_recipe
    from cellvote.study import Study

    chosen = {"unit": unit, "split_by": split_by}
    given = {name: value for name, value in chosen.items() if value} | parse_assignments(assignments or [])
    settings = settings_of_recipe(recipe, given)
    opened = Study.open(study)
    specs = expand_targets(opened.plate_map, classes)
    several = len(specs) > 1 or "*" in classes[0].partition("=")[0]
    if dry_run:
        plans = {str(one): dry_run_train(opened, plan_training(opened, one, settings), device) for one in specs}
        print_dry_runs(plans, several=several, json=json)
        return
    where: dict[str, Any] = {"device": device, "workers": workers, "scheduler": scheduler}
    how: dict[str, Any] = {"settings": settings, "name": name, "overwrite": overwrite, **where}
    with watching("Train", progress) as (report, cancel):
        if several:
            targets = train_targets(opened, specs, **how, report=report, cancel=cancel)
        else:
            trained = train_study(opened, specs[0], **how, report=report, cancel=cancel)
    if several:
        print_targets(targets, f"held out by {settings.split_by}", json=json)
    else:
        print_trained(trained, json=json)


@app.command()
def predict(
    study: options.StudyPath,
    model: options.Model,
    segmentation: options.Segmentation = "",
    assignments: options.Assignments = None,
    device: options.Device = "auto",
    workers: options.Workers = None,
    scheduler: options.Scheduler = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Predict every cell, and let the cells of each field, well and treatment vote."""
    from cellvote.jobs.accounting import usual_vote_settings
    from cellvote.jobs.dry_run import dry_run_predict
    from cellvote.jobs.predict import find_classifier, predict_study
    from cellvote.study import Study
    from cellvote.voting.vote import VoteSettings

    opened = Study.open(study)
    classifier = find_classifier(opened, model)
    usual = usual_vote_settings(opened, classifier.info.inputs.unit).model_dump()
    settings = validated(VoteSettings, usual | parse_assignments(assignments or []))
    if dry_run:
        print_dry_run(dry_run_predict(opened, classifier, segmentation, device), json=json)
        return
    with watching("Predict", progress) as (report, cancel):
        table = predict_study(
            opened,
            classifier,
            segmentation=segmentation,
            vote_settings=settings,
            device=device,
            workers=workers,
            scheduler=scheduler,
            report=report,
            cancel=cancel,
        )
    counts = table["class"].value_counts()
    if json:
        wells = len(table[["plate", "well"]].drop_duplicates())
        print_json({"model": classifier.info.name, "cells": len(table), "wells": wells, "classes": dict(counts)})
        return
    listed = ", ".join(f"{name}: {n:,}" for name, n in counts.items())
    out.print(
        f"{len(table):,} {classifier.info.inputs.unit}s predicted by [bold]{escape(classifier.info.name)}[/bold]: "
        f"{escape(listed)}",
        soft_wrap=True,
    )


@app.command()
def vote(
    study: options.StudyPath,
    model: options.Model,
    by: Annotated[str, typer.Option("--by", help="field, well, treatment, or a plate-map column")] = "well",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="majority, mean-probability, mean-log-probability, confidence-weighted or attention; as predicted "
            "where not given",
        ),
    ] = "",
    assignments: options.Assignments = None,
    json: options.Json = False,
) -> None:
    """Show the vote of every field, well or treatment."""
    from cellvote.jobs.predict import read_vote_settings, vote_study
    from cellvote.study import Study
    from cellvote.voting.vote import VoteSettings

    values = ({"method": method} if method else {}) | parse_assignments(assignments or [])
    opened = Study.open(study)
    stored = read_vote_settings(opened, model).model_dump()
    votes = vote_study(opened, model, by, validated(VoteSettings, stored | values) if values else None)
    print_votes(votes, by, json=json)


@app.command()
def evaluate(
    study: options.StudyPath,
    model: options.Model,
    classes: Annotated[str, typer.Option("--classes", help="Plate-map column that holds the truth")] = "",
    assignments: options.Assignments = None,
    json: options.Json = False,
) -> None:
    """Score a classifier on wells that it never saw, beside the baselines."""
    from cellvote.jobs.predict import evaluate_study, read_vote_settings
    from cellvote.plates.plate_map import find_column
    from cellvote.study import Study
    from cellvote.voting.vote import VoteSettings

    values, opened = parse_assignments(assignments or []), Study.open(study)
    if classes:
        find_column(opened.plate_map, classes)
    settings = validated(VoteSettings, read_vote_settings(opened, model).model_dump() | values) if values else None
    result = evaluate_study(opened, model, classes=classes, settings=settings)
    if json:
        print_json(result)
    else:
        print_evaluation(result, f"held out by {result['split_by']}")


def _finish(summary: "StepSummary", what: str, *, json: bool) -> None:
    """Print what a step over fields did, and exit with 1 where a field failed."""
    if json:
        print_json(summary.to_json())
    else:
        out.print(
            f"{summary.fields - len(summary.failed)} of {summary.fields} fields {what}, {summary.cells:,} cells, "
            f"{summary.seconds:.1f} s on {summary.device}"
            + (f" ({summary.skipped} were done before)" if summary.skipped else ""),
            soft_wrap=True,
        )
        print_notes(summary.notes)
    exit_with_failures(summary.failed, json=json)
