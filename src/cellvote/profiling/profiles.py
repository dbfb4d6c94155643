"""Profiles: what the cells of a well look like together, one number for each statistic of each measurement."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from cellvote.errors import SettingsError
from cellvote.plates.acquisition import WELL
from cellvote.profiling.measurements import feature_columns

Statistic = Literal["median", "mad", "mean", "std", "count"]

STATISTICS: Final[tuple[Statistic, ...]] = get_args(Statistic)

USUAL_FLAGS: Final = ("touches_border", "degenerate")
"""Yes-or-no columns of a cells table: cells that are cut off, and those that have no shape."""

Floats = npt.NDArray[np.float64]


def _names(value: Any) -> Any:
    """Read ``a,b`` as two names, and ``none`` or nothing as no name."""
    if value is None or (isinstance(value, str) and value.casefold() == "none"):
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class ProfileSettings(BaseModel, frozen=True, extra="forbid"):
    """How cells become profiles, and what these are compared with; made into options and the saved file."""

    statistics: Annotated[tuple[Statistic, ...], BeforeValidator(_names)] = Field(
        ("median", "mad"),
        min_length=1,
        title="Statistics",
        description="Of the cells of a well: median, mad (median absolute deviation), mean, std, count",
    )
    exclude: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        USUAL_FLAGS,
        title="Leave out cells",
        description="For which one of these columns of the cells table is true; none keeps every cell",
    )
    min_cells: int = Field(
        1, ge=1, le=1_000_000, title="Least cells", description="A well with fewer has a row, and no numbers in it"
    )
    normalisation: Literal["none", "z", "robust-z", "sphering"] = Field(
        "robust-z",
        title="Normalisation",
        description="robust-z: by median and MAD; z: by mean and standard deviation; sphering: decorrelated, too",
    )
    reference: Literal["negative", "negative-or-all", "all"] = Field(
        "negative",
        title="Compared with",
        description="The negative controls of the same plate, or all of its wells; negative-or-all takes all wells "
        "only where a plate has too few negative controls, and says so",
    )
    min_controls: int = Field(
        4,
        ge=2,
        le=1536,
        title="Least controls",
        description="Wells with a profile that a plate must have to be compared with",
    )
    sphering: Literal["ZCA-cor", "ZCA", "PCA-cor", "PCA"] = Field(
        "ZCA-cor",
        title="Sphering",
        description="ZCA keeps the measurements, PCA gives components (of one plate only); cor: of correlations",
    )
    epsilon: float = Field(
        1e-6,
        ge=0,
        le=1e3,
        title="Regularisation",
        description="Added to the singular values of the controls in sphering",
    )
    select: bool = Field(
        False,
        title="Select columns",
        description="Drop normalised columns that are missing in many wells, constant, or nearly the same as another",
    )
    max_missing: float = Field(
        0.05,
        ge=0,
        le=1,
        title="Most missing",
        description="Share of the wells in which a selected column may be missing",
    )
    max_correlation: float = Field(
        0.9, gt=0, le=1, title="Highest correlation", description="Absolute, of two selected columns over the wells"
    )

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        if self.select and self.normalisation == "none":
            raise ValueError("columns are selected of normalised profiles: choose a normalisation, or select=false")
        return self


COUNTS: Final = ("n_cells", "n_excluded")
"""Columns of a profile table beside its keys: cells that its numbers are made of, and cells that were left out."""


def profile_column(statistic: Statistic, measurement: str) -> str:
    """Name the column of a statistic of a measurement: ``median_area``."""
    return f"{statistic}_{measurement}"


def split_profile_column(column: str) -> tuple[str, str]:
    """Take the name of a profile's column apart: ``median``, ``area``; a component has no statistic."""
    statistic, _, measurement = column.partition("_")
    return (statistic, measurement) if statistic in STATISTICS and measurement else ("", column)


def profile_columns(profiles: pd.DataFrame) -> list[str]:
    """Name the columns of a profile table that hold numbers of cells, in their order."""
    return [str(c) for c in profiles if c not in (*WELL, "field", *COUNTS)]


@dataclass(frozen=True)
class CellGroups:
    """Which well each cell belongs to.

    Attributes
    ----------
    keys
        One row per well, sorted.
    codes
        (N,) the row of `keys` that each cell belongs to.
    used
        (N,) whether the cell counts.
    """

    keys: pd.DataFrame
    codes: npt.NDArray[np.intp]
    used: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        cells: pd.DataFrame,
        used: npt.NDArray[np.bool_],
        by: Sequence[str] = WELL,
        wells: pd.DataFrame | None = None,
    ) -> Self:
        """Group cells by the columns ``by``; each row of ``wells`` is a group even without a cell."""
        names = list(by)
        rows = cells[names] if wells is None else pd.concat([wells[names], cells[names]], ignore_index=True)
        number = np.zeros(len(rows), np.int64)
        for name in names:
            codes, values = pd.factorize(rows[name], sort=True)
            number = number * max(len(values), 1) + codes
        _, first, group = np.unique(number, return_index=True, return_inverse=True)
        return cls(rows.iloc[first].reset_index(drop=True), group[len(rows) - len(cells) :].astype(np.intp), used)

    def __len__(self) -> int:
        return len(self.keys)

    def count(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Count the cells of each group that are marked."""
        return np.bincount(self.codes[which], minlength=len(self)).astype(np.int64)

    def statistics(self, values: Floats, statistics: Sequence[Statistic]) -> dict[Statistic, Floats]:
        """Give each group its statistics of one measurement; cells without a finite number are left out.

        The standard deviation is that of a sample (n − 1); the MAD is the median of the absolute deviations from the
        median, not scaled.
        """
        there = self._order[np.isfinite(values[self._order])]
        codes, numbers = self.codes[there], values[there]
        n = np.bincount(codes, minlength=len(self))
        found: dict[Statistic, Floats] = {"count": n.astype(np.float64)}
        if {"median", "mad"} & set(statistics):
            found["median"] = _medians(numbers.copy(), n)
        if "mad" in statistics:
            found["mad"] = _medians(np.abs(numbers - found["median"][codes]), n)
        if {"mean", "std"} & set(statistics):
            found["mean"] = _divide(np.bincount(codes, numbers, len(self)), n)
        if "std" in statistics:
            squares = (numbers - found["mean"][codes]) ** 2
            found["std"] = np.sqrt(_divide(np.bincount(codes, squares, len(self)), n - 1))
        return {statistic: found[statistic] for statistic in statistics}

    @cached_property
    def _order(self) -> npt.NDArray[np.intp]:
        """The cells that count, those of a group beside each other."""
        used = np.flatnonzero(self.used)
        return used[np.argsort(self.codes[used], kind="stable")]


def _medians(numbers: Floats, n: npt.NDArray[np.intp]) -> Floats:
    """Give the median of each of the groups of n numbers that follow each other; the numbers are sorted in place."""
    ends = np.cumsum(n)
    starts = ends - n
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        numbers[start:end].sort()
    medians = np.full(len(n), np.nan)
    some = n > 0
    low, high = starts[some] + (n[some] - 1) // 2, starts[some] + n[some] // 2
    medians[some] = numbers[low] / 2 + numbers[high] / 2
    return medians


def _divide(total: npt.NDArray[np.generic], n: npt.NDArray[np.intp]) -> Floats:
    return np.asarray(np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0), np.float64)


def kept_cells(flags: pd.DataFrame, settings: ProfileSettings) -> npt.NDArray[np.bool_]:
    """Say which cells count: those that no column of ``settings.exclude`` marks.

    Parameters
    ----------
    flags
        The yes-or-no columns of a cells table.

    Raises
    ------
    SettingsError
        Where there is no such column.
    """
    kept = np.ones(len(flags), np.bool_)
    for name in settings.exclude:
        if name not in flags and name in USUAL_FLAGS:
            continue  # tables that were measured before there was this column
        if name not in flags or not pd.api.types.is_bool_dtype(flags[name]):
            there = [str(c) for c in flags if pd.api.types.is_bool_dtype(flags[c])]
            raise SettingsError(
                f"the cells have no yes-or-no column {name!r}; they have: {', '.join(there) or 'none'}. "
                "Set exclude to some of these, or to none."
            )
        kept &= ~flags[name].to_numpy(np.bool_)
    return kept


def profile_wells(
    cells: pd.DataFrame,
    settings: ProfileSettings | None = None,
    *,
    by: Sequence[str] = WELL,
    wells: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Give each well the statistics of its cells.

    Parameters
    ----------
    cells
        One row per cell: the columns ``by``, those of ``settings.exclude``, and measurements.
    wells
        Wells that have a row even without a cell: the columns ``by``.

    Returns
    -------
    DataFrame
        One row per well, sorted: ``by``, ``n_cells`` (that count), ``n_excluded`` (that do not), then for each
        measurement one column for each statistic, such as ``median_area``. Not a number where the well has fewer
        than ``settings.min_cells``, or no cell with a number.

    Raises
    ------
    SettingsError
        Where ``settings.exclude`` names a column that is not there.
    """
    settings = settings or ProfileSettings()
    groups = CellGroups.of(cells, kept_cells(cells, settings), by, wells)
    names = [name for name in feature_columns(cells) if not pd.api.types.is_bool_dtype(cells[name])]
    return assemble_profiles(groups, ((name, cells[name].to_numpy(np.float64)) for name in names), settings)


def assemble_profiles(
    groups: CellGroups, measurements: Iterable[tuple[str, Floats]], settings: ProfileSettings
) -> pd.DataFrame:
    """Make the profile table of measurements that come one after the other: never two are needed at once."""
    n_cells, n_excluded = groups.count(groups.used), groups.count(~groups.used)
    too_few = n_cells < settings.min_cells
    columns: dict[str, npt.NDArray[np.generic]] = {"n_cells": n_cells, "n_excluded": n_excluded}
    for column, numbers in _statistics_of(groups, measurements, settings):
        columns[column] = np.where(too_few, np.nan, numbers)
    return pd.concat([groups.keys, pd.DataFrame(columns)], axis=1)


def _statistics_of(
    groups: CellGroups, measurements: Iterable[tuple[str, Floats]], settings: ProfileSettings
) -> Iterator[tuple[str, Floats]]:
    for measurement, values in measurements:
        for statistic, numbers in groups.statistics(values, settings.statistics).items():
            yield profile_column(statistic, measurement), numbers
