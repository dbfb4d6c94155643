"""Acquisitions of wells that were never imaged, for what only asks which wells there are."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cellvote.plates.acquisition import Acquisition, plane_table
from cellvote.plates.wells import well_name

WELLS_384 = [well_name(row, column) for row in range(1, 17) for column in range(1, 25)]


def imaged(*wells: str, plates: Iterable[str] = ("P",)) -> Acquisition:
    """Make an acquisition of one image in each of these wells, on each of the plates."""
    rows = [{"plate": plate, "well": well, "path": f"{plate}{well}.tif"} for plate in plates for well in wells]
    return Acquisition(Path("/d"), "numbered", plane_table(rows), ("DNA",))


def imaged_as(table: pd.DataFrame) -> Acquisition:
    """Make an acquisition of the wells of a table with ``plate`` and ``well``."""
    return Acquisition(Path("/d"), "numbered", plane_table(table[["plate", "well"]].assign(path="x.tif")), ("DNA",))
