"""Confusion matrices: counts, and which share of each true class they are."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from cellvote.reporting.colours import BLUE, INK, MUTED, PAPER, mixed
from cellvote.reporting.figures.drawing import SMALL, TEXT, add_axes, blank_figure, literal

_SCALE: Final = LinearSegmentedColormap.from_list("confusion", ["#f7f9fb", mixed(BLUE, 0.75), mixed(BLUE, 0.6, INK)])
_ABSTAINED: Final = LinearSegmentedColormap.from_list("abstained", ["#f7f9fb", "#5b6570"])


def confusion_figure(
    confusion: Sequence[Sequence[int]], abstained: Sequence[int], classes: Sequence[str], what: str = "cells"
) -> Figure:
    """Draw a confusion matrix.

    Parameters
    ----------
    confusion
        (K, K) counts; rows: truth, columns: said.
    abstained
        (K,) how many of each true class were given no class; a column of its own where there are any.
    what
        What was counted: ``cells``, ``wells``, ….
    """
    counts = np.asarray(confusion, np.int64)
    said = [literal(name, 20) for name in classes]
    k = len(said)
    if any(abstained):
        counts = np.column_stack([counts, abstained])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    columns = counts.shape[1]
    words = max((len(name) for name in said), default=1) * 0.075
    left = 0.5 + words
    pitch = float(np.clip(((5.2 if k <= 8 else 9.0) - left) / columns, 0.19, 0.92))
    upright = max(words, 0.5 if columns > k else 0) > pitch
    bottom = 0.52 + (words if upright else 0.1)
    figure = blank_figure(left + columns * pitch + 0.3, bottom + k * pitch + 0.12)
    axes = add_axes(figure, left, bottom, columns * pitch, k * pitch)
    _draw_squares(axes, counts, share, k)
    _write_counts(axes, counts, share, pitch)
    names = [*said, "no vote"] if columns > k else said
    axes.set_xticks(range(columns), names, rotation=90 if upright else 0)
    axes.set_yticks(range(k), said)
    axes.tick_params(length=0, labelsize=TEXT if k <= 12 else 6.5, labelcolor=INK, pad=4)
    axes.set_xlabel(f"said ({what})", fontsize=SMALL, color=MUTED, labelpad=6)
    axes.set_ylabel("truth", fontsize=SMALL, color=MUTED, labelpad=6)
    return figure


def _draw_squares(axes: Axes, counts: npt.NDArray[np.int64], share: npt.NDArray[np.float64], k: int) -> None:
    axes.set_xlim(-0.5, counts.shape[1] - 0.5)
    axes.set_ylim(k - 0.5, -0.5)
    axes.set_aspect("equal")
    grid_x, grid_y = np.arange(k + 1) - 0.5, np.arange(k + 1) - 0.5
    axes.pcolormesh(grid_x, grid_y, share[:, :k], cmap=_SCALE, vmin=0, vmax=1, edgecolors=PAPER, linewidth=1.5)
    if counts.shape[1] > k:
        grid_x = np.array([k - 0.5, k + 0.5])
        axes.pcolormesh(grid_x, grid_y, share[:, k:], cmap=_ABSTAINED, vmin=0, vmax=1, edgecolors=PAPER, linewidth=1.5)
    for side in axes.spines.values():
        side.set_visible(False)


def _write_counts(axes: Axes, counts: npt.NDArray[np.int64], share: npt.NDArray[np.float64], pitch: float) -> None:
    if pitch < 0.3:
        return
    both = pitch >= 0.5
    for (row, column), count in np.ndenumerate(counts):
        colour = PAPER if share[row, column] > 0.55 else INK if count else MUTED
        look: dict[str, Any] = {"ha": "center", "va": "center", "color": colour}
        digits = 1 if both and 0 < share[row, column] < 1 else 0
        percent = f"{100 * share[row, column]:.{digits}f}" + (" %" if both else "")
        axes.text(column, row - (0.12 if both else 0), percent, fontsize=TEXT if both else 7, **look)
        if both:
            axes.text(column, row + 0.2, f"{int(count):,}", fontsize=SMALL - 0.5, **look)
