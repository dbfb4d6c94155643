"""``cellvote demo``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cellvote.cli import options
from cellvote.cli.looking import show_study
from cellvote.cli.results import print_evaluation
from cellvote.cli.terminal import ProgressStyle, err, out, print_json, print_table, watching

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where plate and study are written anew.")] = Path("cellvote-demo"),
    show: Annotated[bool, typer.Option("--show", help="Open the result in napari.")] = False,
    architecture: Annotated[str, typer.Option("--architecture", help="forest, logistic or small-resnet")] = "forest",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another plate.")] = 0,
    workers: options.Workers = None,
    json: options.Json = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """Simulate a 96-well plate, then create, segment, measure, train, predict, vote, evaluate and report."""
    from cellvote.demo import run_demo
    from cellvote.synthetic import CLASS_COLUMN, PlateSettings

    if progress is ProgressStyle.auto and not err.is_terminal:
        err.print(
            "Simulating a 96-well plate and going all the way with it; this takes a minute or two.", soft_wrap=True
        )
    result = run_demo(
        folder,
        watch=partial(watching, style=progress),
        architecture=architecture,
        settings=PlateSettings(seed=seed),
        workers=workers,
    )
    path, report = str(result.study.path), str(result.report)
    if json:
        values = {"truth": result.truth, "study": path, "report": report, "seconds": round(result.seconds, 1)}
        print_json({**result.evaluation, **values})
    else:
        print_evaluation(result.evaluation, f"whole wells held out; classes: plate-map column {CLASS_COLUMN!r}")
        _print_truth(result.truth)
        out.print(f"Study:  {path}\nReport: {report}\nDone in {result.seconds:.0f} s.", soft_wrap=True, markup=False)
    if show:
        show_study(result.study)
    elif not json:
        out.print(f"To see it in napari: cellvote view {path}", soft_wrap=True, markup=False)


def _print_truth(truth: dict[str, Any]) -> None:
    row = (
        f"{truth['n']:,}",
        f"{truth['accuracy']:.3f}",
        f"{truth['baselines']['majority']:.3f}",
        f"{truth['baselines']['position']:.3f}",
        str(truth["unmatched"]),
    )
    columns = ("cells", "accuracy", "majority", "position", "no such cell")
    print_table("Cells of held-out wells against the simulator's truth", columns, [row])
