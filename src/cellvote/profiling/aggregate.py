"""From cells to wells: one number for each well and measurement, read column by column."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellvote.errors import SegmentationError, StudyError
from cellvote.profiling.measurements import feature_columns
from cellvote.study import Study

Statistic = Literal["median", "mean"]
STATISTICS: Final[tuple[Statistic, ...]] = ("median", "mean")

_WELL: Final = ["plate", "well"]


def read_measurement_names(study: Study, segmentation: str) -> tuple[str, ...]:
    """Name the measurements of a segmentation, in their order; no cell is read.

    Returns
    -------
    tuple of str
        Empty where nothing is measured yet.

    Raises
    ------
    StudyError
        Where the cells table is damaged.
    """
    path = study.cells_path(segmentation)
    if not path.exists():
        return ()
    try:
        nothing = pq.read_schema(path).empty_table().to_pandas()
    except (OSError, pa.ArrowInvalid) as error:
        raise StudyError(f"{path}: cannot be read ({error}). Delete it and run the step again.") from error
    return tuple(feature_columns(nothing))


def read_measurement_of_wells(
    study: Study, segmentation: str, column: str, statistic: Statistic = "median"
) -> pd.DataFrame:
    """Read one measurement of all cells, and nothing else, and give each well its number.

    Returns
    -------
    DataFrame
        As of `aggregate_wells`.

    Raises
    ------
    SegmentationError
        Where there is no such measurement.
    """
    if column not in read_measurement_names(study, segmentation):
        raise SegmentationError(
            f"{study.path}: the segmentation {segmentation!r} has no measurement {column!r}. "
            f"Run: cellvote measure {study.path}"
        )
    return aggregate_wells(study.read_cells(segmentation, [*_WELL, column]), column, statistic)


def aggregate_wells(cells: pd.DataFrame, column: str, statistic: Statistic = "median") -> pd.DataFrame:
    """Give each well the median or mean of a measurement of its cells.

    Parameters
    ----------
    cells
        One row per cell: ``plate``, ``well`` and the measurement. Cells whose measurement is no finite number
        are left out.

    Returns
    -------
    DataFrame
        One row per well that has cells, sorted: ``plate``, ``well``, ``value`` (not a number where no cell has
        one), ``n_cells`` (those that have one).
    """
    value = pd.to_numeric(cells[column]).astype("float64")
    table = cells[_WELL].assign(value=value.where(np.isfinite(value)))
    wells = table.groupby(_WELL, sort=True, observed=True)["value"]
    result = pd.DataFrame(
        {"value": wells.median() if statistic == "median" else wells.mean(), "n_cells": wells.count()}
    )
    return result.reset_index().astype({"n_cells": "int64"})


@dataclass(frozen=True)
class WellSummary:
    """What several wells come to, each well counting once.

    Attributes
    ----------
    n
        Wells that have a value.
    mean, sd
        Of these wells; the standard deviation is not a number for fewer than two.
    """

    n: int
    mean: float
    sd: float


def summarise_wells(values: Iterable[float]) -> WellSummary:
    """Give mean and standard deviation of wells; those without a value are left out."""
    numbers = np.array([value for value in values if np.isfinite(value)], float)
    return WellSummary(
        n=len(numbers),
        mean=float(numbers.mean()) if len(numbers) else float("nan"),
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan"),
    )
