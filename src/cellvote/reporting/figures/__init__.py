"""Figures: pure functions from tables to a matplotlib `Figure`; docks and the report share them.

None of them touches ``pyplot`` or any global state, so they can be drawn in any thread and shown in any window.
"""

from cellvote.reporting.figures.accuracy import accuracy_figure
from cellvote.reporting.figures.confusion import confusion_figure
from cellvote.reporting.figures.dose import dose_figure
from cellvote.reporting.figures.drawing import figure_svg
from cellvote.reporting.figures.plate import share_plate_figure, vote_plate_figure

__all__ = [
    "accuracy_figure",
    "confusion_figure",
    "dose_figure",
    "figure_svg",
    "share_plate_figure",
    "vote_plate_figure",
]
