"""Plate views: a plate drawn as it lies on the bench, 6 to 1536 wells."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch

from cellvote.plates.wells import plate_shape, row_letters, well_position
from cellvote.reporting.colours import INK, MUTED, PAPER, RULE, WRONG, class_colours, is_dark, share_scale, share_tint
from cellvote.reporting.figures.drawing import SMALL, add_axes, add_legend, blank_figure, legend_columns, literal
from cellvote.reporting.well_table import NO_CELLS, NOT_IMAGED, VOTED
from cellvote.voting.vote import NO_VOTE, TIE, UNDECIDED

_GREY: Final = "#9aa3ad"
_WITHOUT: Final[dict[str, dict[str, str]]] = {
    TIE: {"facecolor": PAPER, "edgecolor": MUTED, "hatch": "xxxx"},
    UNDECIDED: {"facecolor": PAPER, "edgecolor": MUTED, "hatch": "....."},
    NO_VOTE: {"facecolor": PAPER, "edgecolor": _GREY, "hatch": "/////"},
    NO_CELLS: {"facecolor": "#e9ecef", "edgecolor": _GREY, "hatch": ""},
    NOT_IMAGED: {"facecolor": PAPER, "edgecolor": RULE, "hatch": ""},
}
"""How wells without a class look: never like a pale class."""

Places = npt.NDArray[np.float64]
"""(N, 2) column and row of wells, counted from 1."""

_LEFT, _TOP = 0.34, 0.3
_WIDEST = 5.2
_WIDEST_1536 = 10.9
_NUMBERED = 0.36
"""Wells at least this far apart (inches) have room for a number."""


def vote_plate_figure(wells: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """Draw one plate coloured by the class that each well voted for, the paler the narrower.

    Parameters
    ----------
    wells
        The wells of one plate, as from `well_table`.
    classes
        Every class, in order: the order gives the colours.
    """
    colours = dict(zip(classes, class_colours(len(classes)), strict=True))

    def fill(row: pd.Series) -> str:
        return share_tint(colours[row["class"]], float(row["share"]), len(classes))

    counts = wells["class"].value_counts()
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colours[c], label=f"{literal(c, 28)}: {int(counts.get(c, 0))}") for c in classes
    ]
    painted = wells["state"] == VOTED
    return _plate(wells, painted, fill, wells["share"], [*handles, *_state_handles(wells, painted), *_marks(wells)])


def share_plate_figure(wells: pd.DataFrame, classes: Sequence[str], class_name: str) -> Figure:
    """Draw one plate coloured by the share of the cells that are of one class, whatever the well voted for.

    Parameters
    ----------
    wells
        The wells of one plate, as from `well_table`.
    class_name
        One of ``classes``.
    """
    colour = class_colours(len(classes))[list(classes).index(class_name)]
    scale = LinearSegmentedColormap.from_list("share", share_scale(colour))
    shares = wells[f"share_{class_name}"]

    def fill(row: pd.Series) -> str:
        red, green, blue, _ = scale(float(row[f"share_{class_name}"]), bytes=True)
        return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"

    painted = wells["state"].isin([VOTED, TIE, UNDECIDED])
    figure = _plate(wells, painted, fill, shares, _state_handles(wells, painted) + _marks(wells)[:1], scale_height=0.5)
    _add_scale(figure, scale, f"Share of cells of class {literal(class_name, 28)}")
    return figure


def _plate(
    wells: pd.DataFrame,
    painted: pd.Series,
    fill: Callable[[pd.Series], str],
    numbers: pd.Series,
    handles: Sequence[Patch | Line2D],
    scale_height: float = 0.0,
) -> Figure:
    wells = wells[wells["well"] != ""]
    rows, columns = plate_shape(wells["well"])
    pitch = min(0.62, (_WIDEST_1536 if rows * columns > 384 else _WIDEST) / columns)
    width = max(_LEFT + columns * pitch + 0.08, 4.2)
    labels = [str(handle.get_label()) for handle in handles]
    in_a_row = min(legend_columns(width - _LEFT, labels), max(len(handles), 1))
    legend_height = 0.2 * -(-len(handles) // in_a_row) + 0.1 if handles else 0.0
    height = _TOP + rows * pitch + 0.16 + legend_height + scale_height
    figure = blank_figure(width, height)
    axes = add_axes(figure, _LEFT, legend_height + scale_height + 0.1, columns * pitch, rows * pitch)
    _draw_tray(axes, rows, columns, pitch)
    places = {w: well_position(w) for w in wells["well"]}
    where = np.array([(places[w].column, places[w].row) for w in wells["well"]], float).reshape(-1, 2)
    _draw_wells(axes, wells, painted.loc[wells.index], where, fill, pitch)
    _draw_marks(axes, wells, where, pitch, crosses=scale_height == 0)
    if pitch >= _NUMBERED:
        _draw_numbers(axes, wells, painted.loc[wells.index], where, fill, numbers.loc[wells.index])
    add_legend(figure, handles, _LEFT + 0.03, 0.06, in_a_row)
    return figure


def _draw_tray(axes: Axes, rows: int, columns: int, pitch: float) -> None:
    axes.set_xlim(0.5, columns + 0.5)
    axes.set_ylim(rows + 0.5, 0.5)
    axes.set_aspect("equal")
    for side in axes.spines.values():
        side.set_visible(False)
    every = 1 if pitch >= 0.2 else 2
    axes.set_xticks(range(1, columns + 1, every))
    axes.set_yticks(range(1, rows + 1, every), [row_letters(r) for r in range(1, rows + 1, every)])
    axes.xaxis.tick_top()
    size = SMALL if pitch >= 0.25 else 6.5
    axes.tick_params(length=0, labelsize=size, labelcolor=MUTED, pad=3)
    tray = FancyBboxPatch(
        (0.5, 0.5),
        columns,
        rows,
        boxstyle=f"round,pad=0,rounding_size={min(0.3, 0.12 / pitch)}",
        facecolor="#fafbfc",
        edgecolor=RULE,
        linewidth=0.8,
        clip_on=False,
        zorder=0,
    )
    axes.add_patch(tray)
    empty = np.array([(c, r) for r in range(1, rows + 1) for c in range(1, columns + 1)], float)
    _ellipses(axes, empty, 0.12, facecolors=RULE, linewidths=0, zorder=1)


def _draw_wells(
    axes: Axes,
    wells: pd.DataFrame,
    painted: pd.Series,
    where: Places,
    fill: Callable[[pd.Series], str],
    pitch: float,
) -> None:
    line = 0.8 if pitch >= 0.3 else 0.5
    chosen = painted.to_numpy(bool)
    if chosen.any():
        colours = [fill(row) for _, row in wells[chosen].iterrows()]
        edges = "#00000030"
        _ellipses(axes, where[chosen], 0.86, facecolors=colours, edgecolors=edges, linewidths=line, zorder=2)
    for state, look in _WITHOUT.items():
        own = ~chosen & (wells["state"] == state).to_numpy()
        if own.any():
            found = _ellipses(
                axes,
                where[own],
                0.86,
                facecolors=look["facecolor"],
                edgecolors=look["edgecolor"],
                linewidths=line,
                linestyles="dotted" if state == NOT_IMAGED else "solid",
                zorder=2,
            )
            if look["hatch"]:
                found.set_hatch(look["hatch"])


def _draw_marks(
    axes: Axes,
    wells: pd.DataFrame,
    where: Places,
    pitch: float,
    *,
    crosses: bool,
) -> None:
    training = wells["training"].to_numpy(bool)
    if training.any():
        line = float(np.clip(pitch * 4, 0.8, 1.8))
        _ellipses(axes, where[training], 0.92, facecolors="none", edgecolors=INK, linewidths=line, zorder=3)
    wrong = (wells["right"] == False).fillna(value=False).to_numpy(bool)  # noqa: E712  missing is neither
    if crosses and wrong.any():
        x, y = (where[wrong] + ((0.3, -0.3) if pitch >= _NUMBERED else (0, 0))).T
        size = float(np.clip(pitch * 16, 4.5, 8))
        axes.plot(x, y, "X", color=WRONG, markersize=size, markeredgecolor=PAPER, markeredgewidth=0.7, zorder=5)


def _draw_numbers(
    axes: Axes,
    wells: pd.DataFrame,
    painted: pd.Series,
    where: Places,
    fill: Callable[[pd.Series], str],
    numbers: pd.Series,
) -> None:
    for (_, row), shown, (x, y), number in zip(wells.iterrows(), painted, where, numbers, strict=True):
        if shown:
            colour = PAPER if is_dark(fill(row)) else INK
            axes.text(x, y, f"{100 * number:.0f}", ha="center", va="center", fontsize=SMALL, color=colour, zorder=4)


def _ellipses(axes: Axes, where: Places, diameter: float, **look: object) -> EllipseCollection:
    # one shape drawn at many places keeps the file small
    found = EllipseCollection(
        [diameter], [diameter], [0], units="x", offsets=where, offset_transform=axes.transData, **look
    )
    axes.add_collection(found, autolim=False)
    return found


def _state_handles(wells: pd.DataFrame, painted: pd.Series) -> list[Patch | Line2D]:
    """Explain those states that are on this plate."""
    there = wells.loc[~painted, "state"].value_counts()
    return [
        Patch(
            facecolor=look["facecolor"],
            edgecolor=look["edgecolor"],
            hatch=look["hatch"],
            linestyle=":" if state == NOT_IMAGED else "-",
            label=f"{state}: {int(there[state])}",
        )
        for state, look in _WITHOUT.items()
        if state in there
    ]


def _marks(wells: pd.DataFrame) -> list[Patch | Line2D]:
    """Explain the ring of training wells and the cross of wrong ones, where there are any."""
    look: dict[str, Any] = {"linestyle": "none", "markersize": 8.0}
    handles: list[Patch | Line2D] = []
    if wells["training"].any():
        ring = Line2D([], [], marker="o", markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.5, **look)
        ring.set_label(f"training well, held out: {int(wells['training'].sum())}")
        handles.append(ring)
    wrong = int((~wells["right"].dropna().astype(bool)).sum())
    if wrong:
        cross = Line2D([], [], marker="X", color=WRONG, markeredgecolor=PAPER, **look)
        cross.set_label(f"differs from the truth: {wrong}")
        handles.append(cross)
    return handles


def _add_scale(figure: Figure, scale: LinearSegmentedColormap, title: str) -> None:
    height = figure.get_size_inches()[1]
    bottom = figure.axes[0].get_position().y0 * height - 0.42
    axes = add_axes(figure, _LEFT, bottom, 1.9, 0.1)
    axes.imshow(np.linspace(0, 1, 128)[None], aspect="auto", cmap=scale, extent=(0, 1, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.tick_params(length=2, labelsize=7, labelcolor=MUTED, color=MUTED, pad=2)
    for side in axes.spines.values():
        side.set_edgecolor(RULE)
    axes.text(1.06, 0.5, title, transform=axes.transAxes, va="center", fontsize=SMALL, color=INK)
