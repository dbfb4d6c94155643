"""How results are printed: evaluations, votes, dry runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.markup import escape

from cellvote.cli.terminal import err, out, print_json, print_table

if TYPE_CHECKING:
    import pandas as pd

    from cellvote.jobs.dry_run import DryRun
    from cellvote.jobs.targets import Target
    from cellvote.learning.classifier import Classifier
    from cellvote.study.ledger import FieldRecord

_MOST_COLUMNS: Final = 8
"""Of classes, that a confusion matrix is printed with."""


def print_evaluation(result: dict[str, Any], split: str) -> None:
    """Print what was scored, each figure with its level, its interval and the baselines beside it."""
    rows = []
    for level in ("cell", "field", "well", "treatment"):
        found = result.get(level)
        if found is None:
            continue
        interval = found["ci95"]
        baselines = [_baseline(result["baselines"], name, level) for name in ("majority", "position", "measurements")]
        rows.append(
            (
                level,
                f"{found['accuracy']:.3f}",
                f"{interval[0]:.2f}–{interval[1]:.2f}" if interval else "–",
                f"{found['balanced_accuracy']:.3f}",
                str(found["n"]),
                *baselines,
            )
        )
    columns = ("level", "accuracy", "95 % CI", "balanced", "n", "majority", "position", "logistic")
    print_table(f"Accuracy on what was not trained on ({split})", columns, rows)
    level = next(name for name in ("well", "cell", "field") if result[name])
    _print_confusion(result["classes"], result[level]["confusion"], f"{level}s")
    _print_sets(result.get("conformal"))
    print_notes(result["notes"])


def _print_confusion(classes: list[str], matrix: list[list[int]], what: str) -> None:
    """Print the confusion matrix; of many classes, each with what it is taken for."""
    if len(classes) <= _MOST_COLUMNS:
        rows = [(name, *(str(n) for n in row)) for name, row in zip(classes, matrix, strict=True)]
        print_table("Confusion", (f"{what}: truth ↓ said →", *classes), rows)
        return
    listed = []
    for own, (name, row) in enumerate(zip(classes, matrix, strict=True)):
        others = sorted((i for i in range(len(row)) if i != own and row[i]), key=lambda i: -row[i])
        taken = ", ".join(f"{classes[i]} {row[i]}" for i in others[:3])
        listed.append((name, str(sum(row)), f"{row[own] / max(sum(row), 1):.0%}", taken or "–"))
    print_table("Confusion", (f"{what}: truth", "n", "right", "most often taken for"), listed)


def _print_sets(conformal: dict[str, Any] | None) -> None:
    """Print how often conformal sets held the true class, and how large they were."""
    levels = [level for level in ("cell", "field", "well", "treatment") if (conformal or {}).get(level)]
    if conformal is None or not levels:
        return
    rows = []
    for level in levels:
        found = conformal[level]
        shares = [f"{found[name]:.1%}" for name in ("coverage", "single", "empty")]
        size = f"{found['mean_set_size']:.2f}"
        rows.append((level, shares[0], size, *shares[1:], str(found["n"]), f"{found['n_units']} {found['unit']}s"))
    columns = ("level", "hold the true class", "mean size", "of one class", "empty", "n", "calibrated by")
    print_table(f"Conformal sets of {100 * conformal['level']:g} % ({conformal['score']})", columns, rows)


def print_notes(notes: Iterable[str]) -> None:
    """Print on standard error what a person should know of a result."""
    for note in notes:
        err.print(f"[yellow]Note:[/yellow] {escape(note)}", soft_wrap=True)


def exit_with_failures(failed: "Iterable[FieldRecord]", *, json: bool) -> None:
    """Exit with 1 where fields failed, and name them first; with ``--json`` they stand in the value already."""
    listed = list(failed)
    for record in () if json else listed:
        err.print(f"[red]Failed:[/red] {escape(record.error)}", soft_wrap=True)
    if listed:
        raise typer.Exit(1)


def _baseline(baselines: dict[str, Any], name: str, level: str) -> str:
    found = (baselines.get(name) or {}).get(level)
    return f"{found['accuracy']:.3f}" if found else "–"


def print_trained(classifier: "Classifier", *, json: bool) -> None:
    """Print how a classifier does on what it was not trained on."""
    info = classifier.info
    if json:
        print_json({"model": info.name, "folder": str(classifier.folder), **info.metrics})
        return
    split = f"held out by {info.split_by}"
    out.print(f"[bold]{escape(info.name)}[/bold]: {info.architecture}, {info.n_folds} folds, {escape(split)}")
    print_evaluation(info.metrics, split)


def print_targets(targets: "Sequence[Target]", split: str, *, json: bool) -> None:
    """Print what became of each target, dropped ones last."""
    if json:
        trained = [one.to_json() for one in targets if not one.dropped]
        print_json({"targets": trained, "dropped": [one.to_json() for one in targets if one.dropped]})
        return
    rows = []
    for one in targets:
        if one.dropped:
            continue
        interval = one.figures.get("ci95")
        place = f"{one.baseline:.3f}" if one.baseline is not None else "–"
        told = f"{interval[0]:.2f}–{interval[1]:.2f}" if interval else "–"
        accuracy, balanced = (f"{one.figures[name]:.3f}" for name in ("accuracy", "balanced_accuracy"))
        rows.append((one.target, one.model, one.level, accuracy, told, balanced, place, str(one.figures["n"])))
    columns = ("target", "classifier", "level", "accuracy", "95 % CI", "balanced", "position, balanced", "n")
    print_table(f"Accuracy on what was not trained on ({split})", columns, rows)
    print_notes(f"{one.target}: dropped: {one.dropped}" for one in targets if one.dropped)


def print_votes(votes: "pd.DataFrame", by: str, *, json: bool) -> None:
    """Print votes as a table, or as JSON."""
    from cellvote.voting.vote import votes_to_json

    rows = votes_to_json(votes)
    if json:
        print_json(rows)
        return
    keys = [
        key
        for key in (rows[0] if rows else ())
        if key not in {"class", "share", "margin", "n_cells", "agreement", "set", "shares"}
    ]
    shown = [
        (
            *(str(row[key]) for key in keys),
            str(row["class"]),
            f"{float(str(row['share'])):.1%}",
            f"{float(str(row['margin'])):.2f}",
            str(row["n_cells"]),
            "–" if row["agreement"] is None else f"{float(str(row['agreement'])):.0%}",
            _set_words(row["set"]),
        )
        for row in rows
    ]
    print_table(f"Votes by {by}", (*keys, "class", "share", "margin", "cells", "agreement", "set"), shown)
    out.print(f"{len(rows)} votes")


def _set_words(held: object) -> str:
    """Write a conformal set: ``{a, b}``; long ones by their size; – where there is none."""
    if not isinstance(held, list):
        return "–"
    return f"{{{', '.join(held)}}}" if len(held) <= 4 else f"{len(held)} classes"


def print_dry_run(plan: "DryRun", *, json: bool, of: str = "") -> None:
    """Print what a step would do; ``of`` names the target where there are several."""
    if json:
        print_json(plan.to_json())
        return
    rows = [("reads", plan.reads), ("computes", plan.computes), ("writes", plan.writes)]
    rows += [("takes about", plan.duration), ("disk", plan.size)]
    print_table(f"Dry run: nothing was done{f' for {of}' * bool(of)}", ("", ""), rows)


def print_dry_runs(plans: "Mapping[str, DryRun]", *, several: bool, json: bool) -> None:
    """Print what training would do for each target; as JSON a list with ``target`` where there are several."""
    if json and several:
        print_json([{"target": target, **plan.to_json()} for target, plan in plans.items()])
        return
    for target, plan in plans.items():
        print_dry_run(plan, json=json, of=target if several else "")
