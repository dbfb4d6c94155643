"""Dose response: a point for every well, a line for the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellvote.reporting.colours import INK, MUTED, class_colours, mixed
from cellvote.reporting.dose_response import TRAINING, DoseResponse, mean_curve, wants_log_axis
from cellvote.reporting.figures.drawing import (
    SMALL,
    add_axes,
    add_caption,
    add_legend,
    blank_figure,
    legend_columns,
    literal,
    percent_ticks,
    quiet,
)
from cellvote.voting.vote import NO_VOTE

MOST_PANELS: Final = 12
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p")
_PANEL_SIZES: Final = {1: (7.6, 3.3), 2: (5.1, 2.8), 3: (3.25, 2.1)}
"""Width and height of a panel in inches, by how many stand side by side."""


@dataclass(frozen=True)
class DoseAxis:
    """Where a dose stands on the horizontal axis; on a logarithmic one, dose 0 stands one step before the least."""

    doses: npt.NDArray[np.float64]
    is_log: bool
    zero: float

    @classmethod
    def of(cls, doses: Sequence[float]) -> "DoseAxis":
        """Choose an axis for these doses."""
        values = np.unique(np.asarray(doses, float))
        is_log = wants_log_axis(values.tolist())
        if not is_log:
            return cls(values, is_log, 0.0)
        logs = np.log10(values[values > 0])
        return cls(values, is_log, float(logs[0] - max(0.3, np.median(np.diff(logs)))))

    def place(self, doses: pd.Series) -> npt.NDArray[np.float64]:
        """Give the place of each dose."""
        values = doses.to_numpy(float)
        if not self.is_log:
            return values
        return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), self.zero)

    def label(self, axes: Axes, most: int) -> None:
        """Write doses that were given below the axis, at most so many."""
        places = self.place(pd.Series(self.doses))
        margin = 0.04 * float(np.ptp(places)) or 0.5
        axes.set_xlim(places[0] - margin, places[-1] + margin)
        step = -(-len(places) // most)
        axes.set_xticks(places[::step].tolist(), [f"{dose:g}" for dose in self.doses[::step]])


def dose_figure(response: DoseResponse) -> Figure:
    """Draw the share of a class over the dose.

    Where plate rows are the series they share a panel, one panel for each class (of two classes, the positive
    one only). Where compounds are the series, each has its own panel, those with the steadiest rise or fall first.
    """
    axis = DoseAxis.of(response.points["dose"].tolist())
    colours = dict(zip(response.classes, class_colours(len(response.classes)), strict=True))
    names = sorted(response.points["series"].unique())
    together = response.series_by == "plate row"
    panels: list[tuple[str, str, pd.DataFrame]]
    if together:
        others = [c for c in response.classes if c != response.positive] if len(response.classes) > 2 else []
        shown = [response.positive, *others][:MOST_PANELS]
        panels = [(c, c, response.points) for c in shown]
    else:
        points = response.points
        panels = [(n, response.positive, points[points["series"] == n]) for n in _steadiest(response, names)]
    across = min(len(panels), 3)
    width, height = _PANEL_SIZES[across]
    down = -(-len(panels) // across)
    handles = _handles(response, names if together and len(names) <= len(_MARKERS) else [], colours)
    labels = [str(handle.get_label()) for handle in handles]
    columns = legend_columns(across * width - 0.3, labels)
    legend_height = 0.22 * -(-len(handles) // columns) + 0.1
    figure = blank_figure(across * width, down * height + legend_height)
    for i, (title, class_name, points) in enumerate(panels):
        left, top = (i % across) * width, legend_height + (down - i // across) * height
        axes = add_axes(figure, left + 0.62, top - height + 0.58, width - 0.8, height - 0.95)
        _draw_panel(axes, points, class_name, mixed(colours[class_name], 0.72, towards=INK), axis)
        axis.label(axes, max(3, int(width * 2)))
        add_caption(axes, literal(title, 34) if len(panels) > 1 or not together else "")
        if i % across == 0:
            share = f"Share of class {literal(class_name, 18)}" if not together else "Share of cells"
            axes.set_ylabel(share, fontsize=SMALL, color=MUTED)
        if i // across == down - 1 or i + across >= len(panels):
            axes.set_xlabel(_dose_label(response, axis), fontsize=SMALL, color=MUTED)
    add_legend(figure, handles, 0.62, 0.06, columns)
    return figure


def _draw_panel(
    axes: Axes, points: pd.DataFrame, class_name: str, dark: str, axis: DoseAxis
) -> None:
    column = f"share_{class_name}"
    used = points[points["left_out"] == ""]
    names = sorted(points["series"].unique())
    fill = mixed(dark, 0.55)
    for i, name in enumerate(names):
        own = used[used["series"] == name]
        marker = _MARKERS[i % len(_MARKERS)] if len(names) <= len(_MARKERS) else "o"
        x, y = axis.place(own["dose"]), own[column].to_numpy(float)
        axes.plot(
            x, y, marker, color=fill, markersize=5.5, markeredgecolor=dark, markeredgewidth=0.6, alpha=0.85, zorder=3
        )
    means = mean_curve(used, column)
    axes.plot(axis.place(means["dose"]), means[column].to_numpy(float), color=dark, linewidth=2, zorder=4)
    for why, marker in ((TRAINING, "o"), (NO_VOTE, "x")):
        rest = points[points["left_out"] == why]
        if len(rest):
            x, y = axis.place(rest["dose"]), rest[column].to_numpy(float)
            axes.plot(x, y, marker, markerfacecolor="none", markeredgecolor=INK, markersize=5.5, zorder=2)
    quiet(axes, grid="y")
    axes.set_ylim(-0.03, 1.03)
    percent_ticks(axes, "y", [0, 0.25, 0.5, 0.75, 1])


def _steadiest(response: DoseResponse, names: Sequence[str]) -> list[str]:
    rho = {one.name: abs(one.rho[response.positive] or 0.0) for one in response.series}
    listed = sorted(rho, key=lambda name: (-rho[name], name))
    return (listed or list(names))[:MOST_PANELS]


def _handles(response: DoseResponse, names: Sequence[str], colours: dict[str, str]) -> list[Line2D]:
    dark = mixed(colours[response.positive], 0.72, towards=INK)
    several = response.series_by == "plate row" and len(response.classes) > 2
    dark = "#5b6570" if several else dark
    look = {"linestyle": "none", "markersize": 5.5, "markeredgecolor": dark, "markeredgewidth": 0.6}
    handles = [
        Line2D([], [], marker=marker, color=mixed(dark, 0.55), label=f"row {literal(name, 24)}", **look)
        for marker, name in zip(_MARKERS, names, strict=False)
    ]
    if not names:
        handles.append(Line2D([], [], marker="o", color=mixed(dark, 0.55), label="a well", **look))
    handles.append(Line2D([], [], color=dark, linewidth=2, label="mean of the wells at a dose"))
    marks = {TRAINING: ("o", "training well (not in the figures)"), NO_VOTE: ("x", "too few cells (not in the figures)")}
    for why, (marker, label) in marks.items():
        if response.n_left_out(why):
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="none",
                    marker=marker,
                    markerfacecolor="none",
                    markeredgecolor=INK,
                    markersize=5.5,
                    label=label,
                )
            )
    return handles


def _dose_label(response: DoseResponse, axis: DoseAxis) -> str:
    unit = f" ({literal(response.unit)})" if response.unit else ""
    return f"{literal(response.column, 40)}{unit}" + (", logarithmic" if axis.is_log else "")

