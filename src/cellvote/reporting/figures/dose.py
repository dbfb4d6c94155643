"""Dose response: a point for every well, a line for the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellvote.reporting.colours import INK, MUTED, class_colours, mixed
from cellvote.reporting.dose_response import PLATE_ROW, TRAINING, DoseResponse, mean_curve, wants_log_axis
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
MOST_CLASSES: Final = 8
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
    def of(cls, doses: Sequence[float]) -> Self:
        """Choose an axis for these doses."""
        values = np.unique(np.asarray(doses, float))
        is_log = wants_log_axis(values.tolist())
        if not is_log:
            return cls(values, is_log, 0.0)
        logs = np.log10(values[values > 0])
        return cls(values, is_log, float(logs[0] - np.clip(np.median(np.diff(logs)), 0.3, 1)))

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
        kept: list[int] = []
        for i, place in enumerate(places):
            if not kept or place - places[kept[-1]] >= 0.99 * np.ptp(places) / most:
                kept.append(i)
        axes.set_xticks([float(places[i]) for i in kept], [f"{self.doses[i]:g}" for i in kept])


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: which wells, and the share of which classes."""

    title: str
    classes: tuple[str, ...]
    points: pd.DataFrame
    listed: frozenset[str]
    """The series that the figures are made of: only these make the mean."""


def dose_figure(response: DoseResponse) -> Figure:
    """Draw the share of a class over the dose.

    Where plate rows are the series they share a panel, one panel for each class (of two classes, the positive
    one only). Where compounds are the series, each has its own panel with all classes (of two, the positive one),
    those with the steadiest rise or fall first.
    """
    axis = DoseAxis.of(response.points["dose"].tolist())
    colours = dict(zip(response.classes, class_colours(len(response.classes)), strict=True))
    together = response.series_by == PLATE_ROW
    panels = _panels(response)
    across = min(len(panels), 3)
    width, height = _PANEL_SIZES[across]
    down = -(-len(panels) // across)
    captions = len(panels) > 1 or not together
    handles = _handles(response, panels, colours)
    columns = legend_columns(across * width - 0.3, [str(handle.get_label()) for handle in handles])
    legend_height = 0.22 * -(-len(handles) // columns) + 0.1
    figure = blank_figure(across * width, down * height + legend_height)
    for i, panel in enumerate(panels):
        left, top = (i % across) * width, legend_height + (down - i // across) * height
        head = 0.8 if captions else 0.6
        axes = add_axes(figure, left + 0.62, top - height + 0.52, width - 0.8, height - head)
        _draw_panel(axes, panel, {c: mixed(colours[c], 0.72, towards=INK) for c in panel.classes}, axis)
        axis.label(axes, max(3, int(width * 2)))
        if captions:
            add_caption(axes, literal(panel.title, 34))
        if i % across == 0:
            several = (together and captions) or len(panel.classes) > 1
            share = "Share of cells" if several else f"Share of class {literal(response.positive, 18)}"
            axes.set_ylabel(share, fontsize=SMALL, color=MUTED)
        if i + across >= len(panels):
            axes.set_xlabel(_dose_label(response, axis), fontsize=SMALL, color=MUTED)
    add_legend(figure, handles, 0.62, 0.06, columns)
    return figure


def _panels(response: DoseResponse) -> list[_Panel]:
    others = [c for c in response.classes if c != response.positive] if len(response.classes) > 2 else []
    classes = (response.positive, *others)
    points, listed = response.points, frozenset(one.name for one in response.series)
    if response.series_by == PLATE_ROW:
        return [_Panel(c, (c,), points, listed) for c in classes[:MOST_PANELS]]
    rho = {one.name: max(abs(value or 0.0) for value in one.rho.values()) for one in response.series}
    names = sorted(rho, key=lambda name: (-rho[name], name)) or sorted(points["series"].unique())
    return [_Panel(n, classes[:MOST_CLASSES], points[points["series"] == n], listed) for n in names[:MOST_PANELS]]


def _draw_panel(axes: Axes, panel: _Panel, darks: dict[str, str], axis: DoseAxis) -> None:
    points = panel.points
    used = points[points["left_out"] == ""]
    names = sorted(points["series"].unique())
    for class_name, dark in darks.items():
        column = f"share_{class_name}"
        for name, marker in zip(names, _markers(len(names)), strict=True):
            own = used[used["series"] == name]
            x, y = axis.place(own["dose"]), own[column].to_numpy(float)
            look: dict[str, Any] = {
                "color": mixed(dark, 0.55),
                "markeredgecolor": dark,
                "markeredgewidth": 0.6,
                "alpha": 0.85,
            }
            axes.plot(x, y, marker, markersize=5.5 if len(darks) == 1 else 4, zorder=3, **look)
        means = mean_curve(used[used["series"].isin(panel.listed or names)], column)
        axes.plot(axis.place(means["dose"]), means[column].to_numpy(float), color=dark, linewidth=2, zorder=4)
    for why, marker in ((TRAINING, "o"), (NO_VOTE, "x")):
        rest = points[points["left_out"] == why]
        x, y = axis.place(rest["dose"]), rest[f"share_{panel.classes[0]}"].to_numpy(float)
        axes.plot(x, y, marker, markerfacecolor="none", markeredgecolor=INK, markersize=5.5, zorder=2)
    quiet(axes, grid="y")
    axes.set_ylim(-0.03, 1.03)
    percent_ticks(axes, "y", [0, 0.25, 0.5, 0.75, 1])


def _markers(n: int) -> tuple[str, ...]:
    """Give each series a mark of its own; one and the same where there are too many."""
    return _MARKERS[:n] if n <= len(_MARKERS) else ("o",) * n


def _handles(response: DoseResponse, panels: Sequence[_Panel], colours: dict[str, str]) -> list[Line2D]:
    together = response.series_by == PLATE_ROW
    several = len(panels[0].classes) > 1
    dark = "#5b6570" if several or (together and len(panels) > 1) else mixed(colours[response.positive], 0.72, INK)
    look: dict[str, Any] = {"linestyle": "none", "markersize": 5.5, "markeredgecolor": dark, "markeredgewidth": 0.6}
    names = sorted(response.points["series"].unique())
    handles = []
    if together and len(names) <= len(_MARKERS):
        for marker, name in zip(_markers(len(names)), names, strict=True):
            handles.append(
                Line2D([], [], marker=marker, color=mixed(dark, 0.55), label=f"row {literal(name, 24)}", **look)
            )
    else:
        handles.append(Line2D([], [], marker="o", color=mixed(dark, 0.55), label="a well", **look))
    handles.append(Line2D([], [], color=dark, linewidth=2, label="mean of the wells at a dose"))
    if several:
        for name in panels[0].classes:
            line = mixed(colours[name], 0.72, INK)
            handles.append(Line2D([], [], color=line, linewidth=2, label=literal(name, 24)))
    marks = {
        TRAINING: ("o", "training well (not in the figures)"),
        NO_VOTE: ("x", "too few cells (not in the figures)"),
    }
    look = {"linestyle": "none", "markersize": 5.5, "markeredgecolor": INK, "markerfacecolor": "none"}
    for why, (marker, label) in marks.items():
        if response.n_left_out(why):
            handles.append(Line2D([], [], marker=marker, label=label, **look))
    return handles


def _dose_label(response: DoseResponse, axis: DoseAxis) -> str:
    unit = f" ({literal(response.unit)})" if response.unit else ""
    return f"{literal(response.column, 40)}{unit}" + (", logarithmic" if axis.is_log else "")
