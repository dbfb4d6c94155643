"""Image quality of wells: which share of their fields is flagged, and the median figures."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from cellvote.errors import StudyError
from cellvote.plates.acquisition import WELL
from cellvote.study import Study
from cellvote.study.atomic import read_table
from cellvote.study.field_flags import FLAGS, quality_path

FLAGGED: Final = "flagged"
"""The share of fields with any flag."""

SHOWN_FIGURES: Final[Mapping[str, str]] = {
    "power_slope": "Power slope (focus)",
    "structure_percent": "Structure (% of area)",
    "saturated_percent": "Saturated pixels (%)",
    "trend_percent": "Illumination trend (%)",
    "median": "Median grey value",
}
"""Figures that are worth a look for each channel, with their titles."""


def read_quality_of_wells(study: Study, channels: Sequence[str]) -> pd.DataFrame:
    """Read what image quality says of each well.

    Returns
    -------
    DataFrame
        One row per well, sorted: ``plate``, ``well``; ``flagged`` and each flag as share of the well's fields;
        ``FIGURE_CHANNEL``, the median of its fields. Without rows where quality was not assessed.

    Raises
    ------
    StudyError
        Where the table is damaged.
    """
    path = quality_path(study)
    names = [f"{figure}_{channel}" for channel in channels for figure in SHOWN_FIGURES]
    if not path.exists():
        return pd.DataFrame(columns=[*WELL, FLAGGED, *FLAGS, *names])
    table = read_table(path)
    missing = [name for name in (*FLAGS, *names) if name not in table]
    if missing:
        raise StudyError(f"{path}: has no column {missing[0]!r}. Run: cellvote quality {study.path}")
    flags = table[list(FLAGS)]
    shares = flags.assign(**{FLAGGED: flags.any(axis=1)}).astype(float)
    by_well = [table[column] for column in WELL]
    wells = pd.concat(
        [
            shares[[FLAGGED, *FLAGS]].groupby(by_well, sort=True).mean(),
            table[names].groupby(by_well, sort=True).median(),
        ],
        axis=1,
    )
    return wells.reset_index()
