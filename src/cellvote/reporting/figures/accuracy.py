"""Accuracy at every level, beside what one gets without looking at the cells."""

from collections.abc import Mapping
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellvote.reporting.colours import BLUE, INK, MUTED, PAPER
from cellvote.reporting.figures.drawing import (
    TEXT,
    add_axes,
    add_legend,
    blank_figure,
    legend_columns,
    literal,
    percent_ticks,
    quiet,
)

BASELINES: Final = {
    "majority": "always the commonest class",
    "position": "position on the plate only",
    "measurements": "logistic regression on measurements",
}
"""Name in an evaluation, and in words."""

_SHORT: Final = {"majority": "commonest class", "position": "position only", "measurements": "logistic regression"}
_MARKS: Final = {"majority": "D", "position": "^", "measurements": "s"}
_LEVELS: Final = {"cell": "cells", "field": "fields", "well": "wells", "treatment": "treatments"}
_STEP, _WIDTH = 0.19, 6.7


def accuracy_figure(evaluation: Mapping[str, Any], name: str) -> Figure:
    """Draw the accuracy of held-out predictions with its 95 % interval, and the baselines below it.

    Parameters
    ----------
    evaluation
        As from `jobs.predict.evaluate_study`; levels that are null are left out.
    name
        Of the classifier.
    """
    levels = [level for level in _LEVELS if evaluation.get(level)]
    baselines = {k: v for k, v in evaluation["baselines"].items() if v and k in BASELINES}
    heights = {level: 1 + sum(level in v for v in baselines.values()) for level in levels}
    inches = sum(0.24 + _STEP * heights[level] for level in levels)
    labels = [literal(name, 24), *(_SHORT[key] for key in baselines)]
    columns = legend_columns(_WIDTH, labels)
    legend = 0.2 * -(-len(labels) // columns)
    figure = blank_figure(_WIDTH, inches + legend + 0.5)
    axes = add_axes(figure, 1.2, legend + 0.42, _WIDTH - 1.5, inches)
    y = 0.0
    ticks: list[float] = []
    for level in levels:
        ticks.append(y + _STEP * (heights[level] - 1) / 2)
        _draw_level(axes, evaluation[level], {k: v[level] for k, v in baselines.items() if level in v}, y)
        y += 0.24 + _STEP * heights[level]
    quiet(axes, grid="x")
    axes.set_ylim(inches - 0.24 + 0.12, -0.18)
    axes.set_xlim(0, 1.012)
    percent_ticks(axes, "x", [0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks(ticks, [f"{evaluation[level]['n']:,} {_LEVELS[level]}" for level in levels], fontsize=TEXT)
    add_legend(figure, _handles(name, list(baselines)), 0.06, 0.06, columns)
    return figure


def _draw_level(axes: Axes, score: Mapping[str, Any], baselines: Mapping[str, Any], y: float) -> None:
    if score["ci95"]:
        axes.plot(score["ci95"], [y, y], color=BLUE, linewidth=5, alpha=0.3, solid_capstyle="butt", zorder=2)
    axes.plot(score["accuracy"], y, "o", color=BLUE, markersize=7, markeredgecolor=PAPER, clip_on=False, zorder=4)
    for i, (key, value) in enumerate(baselines.items(), start=1):
        axes.plot(
            value["accuracy"],
            y + i * _STEP,
            _MARKS[key],
            markersize=5,
            markerfacecolor=PAPER,
            markeredgecolor=INK if key == "position" else MUTED,
            clip_on=False,
            zorder=3,
        )


def _handles(name: str, baselines: list[str]) -> list[Line2D]:
    own = Line2D([], [], linestyle="none", marker="o", color=BLUE, markersize=7, markeredgecolor=PAPER)
    own.set_label(literal(name, 24))
    others = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=_MARKS[key],
            markersize=5,
            markerfacecolor=PAPER,
            markeredgecolor=INK if key == "position" else MUTED,
            label=_SHORT[key],
        )
        for key in baselines
    ]
    return [own, *others]
