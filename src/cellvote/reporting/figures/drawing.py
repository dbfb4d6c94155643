"""What all figures share: a blank sheet, words taken literally, and the same SVG for the same figure."""

import re
import threading
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellvote.reporting.colours import INK, MUTED, PAPER, RULE

SMALL: Final = 8.0
TEXT: Final = 9.0
"""Sizes of text in points; a figure is shown at 1:1."""

_FONTS: Final = "'Inter', 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, sans-serif"
_STYLED_FONT: Final = re.compile(rb"(<text style=\"[^\"<>]*font-family: )[^\";<>]*")
_RC_LOCK: Final = threading.Lock()


def blank_figure(width_in: float, height_in: float) -> Figure:
    """Give a white sheet of this size in inches."""
    return Figure(figsize=(width_in, height_in), facecolor=PAPER)


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Put axes on a sheet, measured in inches from its lower left corner."""
    full_width, full_height = figure.get_size_inches()
    box = (left / full_width, bottom / full_height, width / full_width, height / full_height)
    axes: Axes = figure.add_axes(box, **options)
    axes.set_facecolor("none")
    return axes


def quiet(axes: Axes, *, grid: str = "") -> None:
    """Leave only what helps to read: light rules, no box; ``grid`` is ``x``, ``y`` or nothing."""
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK, pad=5)
    if grid:
        axes.grid(axis="x" if grid == "x" else "y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)


def literal(name: str, longest: int = 60) -> str:
    """Take a name from a file as plain text: no formula, no control character, not too long."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in name)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    text = f"\u200a{text}" if text.startswith("_") else text  # legends leave out what starts so
    return text.replace("$", r"\$")


def percent_ticks(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Mark shares as per cent on the ``x`` or ``y`` axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(list(values), labels=[f"{value:.0%}" for value in values])


def legend_columns(width_in: float, labels: Sequence[str]) -> int:
    """Say how many columns a legend of these words has room for; it is filled column by column, the first most."""
    widths = np.array([(len(label) * 0.6 + 4.2) * SMALL / 72 for label in labels])
    for columns in range(len(labels), 1, -1):
        if sum(part.max() for part in np.array_split(widths, columns)) <= width_in:
            return columns
    return 1


def add_legend(figure: Figure, handles: Sequence[Any], left_in: float, bottom_in: float, columns: int) -> None:
    """Put a legend without a box on a sheet, its lower left corner at this place in inches."""
    width, height = figure.get_size_inches()
    figure.legend(
        handles=list(handles),
        loc="lower left",
        bbox_to_anchor=(left_in / width, bottom_in / height),
        borderaxespad=0,
        borderpad=0,
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        handlelength=1.25,
        handleheight=1.1,
        handletextpad=0.55,
        columnspacing=1.3,
        labelspacing=0.45,
    )


def add_caption(axes: Axes, text: str) -> None:
    """Write above axes what they show."""
    axes.set_title(text, loc="left", fontsize=TEXT, color=MUTED, pad=8)


def figure_svg(figure: Figure) -> bytes:
    """Write a figure as SVG: the same bytes for the same figure, text as text, in the fonts of the reader."""
    buffer = BytesIO()
    # matplotlib reads these two only from its global settings, hence the lock.
    with _RC_LOCK, mpl.rc_context({"svg.hashsalt": "cellvote", "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's fonts will have it
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "CellVote"})
    return _STYLED_FONT.sub(rb"\1" + _FONTS.encode(), buffer.getvalue())
