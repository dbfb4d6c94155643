"""Dose response: how the share of a class goes with the dose, on wells that no model was trained on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from cellvote.plates.plate_map import CONCENTRATION_UM, CONTROL_TYPE, compound_column, dose_column
from cellvote.plates.wells import row_letters, well_position
from cellvote.reporting.well_table import VOTED
from cellvote.voting.vote import NO_VOTE, TIE, UNDECIDED

LEAST_DOSES: Final = 3
"""With fewer different doses there is no series."""

TRAINING: Final = "training well"
PLATE_ROW: Final = "plate row"

_UNIT_NAMES: Final = ("unit", "units", "concentrationunit", "concentrationunits", "doseunit", "doseunits")
_MOLAR: Final = {"pm": 1e-12, "nm": 1e-9, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "mm": 1e-3, "m": 1.0}


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of dose and share of a class.

    Attributes
    ----------
    name
        Of the series.
    n
        Points: wells, or doses where it is of the mean curve.
    n_doses
        Different doses.
    rho
        For each class; None where the share never changes, or there are fewer than three doses.
    """

    name: str
    n: int
    n_doses: int
    rho: dict[str, float | None]


@dataclass(frozen=True)
class DoseResponse:
    """What the wells say about dose.

    Attributes
    ----------
    classes
        Every class; ``positive`` is the one that is looked at first.
    column, unit
        The plate-map column with the dose, and its unit where the map names one.
    series_by
        What makes a series: the plate-map column with the compound, or ``plate row``.
    points
        One row per well with a dose: ``plate``, ``well``, ``series``, ``dose``, ``n_cells``, ``left_out`` (empty,
        or why the well is not in the figures) and ``share_NAME`` of each class.
    series
        One for each series with at least three doses.
    pooled
        Over all wells of all series, each well one point.
    mean_curve
        Over the mean share at each dose, each dose one point.
    reason
        Why there are no figures; empty where there are.
    """

    classes: tuple[str, ...]
    positive: str
    column: str = ""
    unit: str = ""
    series_by: str = ""
    points: pd.DataFrame = field(default_factory=pd.DataFrame)
    series: tuple[RankCorrelation, ...] = ()
    pooled: RankCorrelation | None = None
    mean_curve: RankCorrelation | None = None
    reason: str = ""

    def in_series(self) -> pd.DataFrame:
        """The points that the figures are made of."""
        names = {one.name for one in self.series}
        return self.points[(self.points["left_out"] == "") & self.points["series"].isin(names)]

    def n_left_out(self, why: str) -> int:
        """How many wells with a dose were left out for this reason."""
        return int((self.points["left_out"] == why).sum()) if len(self.points) else 0

    def summary(self) -> dict[str, Any]:
        """Give the figures as plain values, for ``--json``."""

        def plain(one: RankCorrelation | None) -> dict[str, Any] | None:
            if one is None:
                return None
            return {
                "n": one.n,
                "n_doses": one.n_doses,
                "spearman": one.rho[self.positive],
                "spearman_by_class": dict(one.rho),
            }

        return {
            "dose_column": self.column or None,
            "unit": self.unit or None,
            "class": self.positive,
            "series_by": self.series_by or None,
            "series": [{"name": one.name, **(plain(one) or {})} for one in self.series],
            "all_wells": plain(self.pooled),
            "mean_curve": plain(self.mean_curve),
            "wells_left_out": {why: self.n_left_out(why) for why in (TRAINING, NO_VOTE)},
            "reason": self.reason or None,
        }


def positive_class(classes: Sequence[str], plate_map: pd.DataFrame, truth: pd.DataFrame) -> str:
    """Choose the class to follow over the dose.

    The one called ``positive``; else the one that most wells of the control type ``positive`` belong to; else the
    last one.

    Parameters
    ----------
    truth
        ``plate``, ``well``, ``truth``.
    """
    for name in classes:
        if name.casefold() == "positive":
            return name
    named = [c for c in plate_map if _plain(str(c)) == "controltype"]
    column = CONTROL_TYPE if CONTROL_TYPE in named else next(iter(named), None)
    if column is not None:
        positive = plate_map[plate_map[column].astype("str").str.strip().str.casefold() == "positive"]
        counts = positive.merge(truth, on=["plate", "well"])["truth"].value_counts()
        best = [name for name in classes if len(counts) and counts.get(name, 0) == counts.max()]
        if len(best) == 1:
            return best[0]
    return classes[-1]


def dose_response(wells: pd.DataFrame, plate_map: pd.DataFrame, classes: Sequence[str], positive: str) -> DoseResponse:
    """Correlate the share of each class with the dose, series by series and over all of them.

    Wells that served as examples of a class are left out, so that a correlation is not learned by heart; so are
    wells with too few cells. They stay among the points, marked.

    Parameters
    ----------
    wells
        As from `well_table`.
    plate_map
        ``plate``, ``well``, then what was done to each well, as text.
    """
    nothing = DoseResponse(tuple(classes), positive)
    column = dose_column(plate_map)
    if column is None:
        return replace(nothing, reason="the plate map has no column with doses as numbers.")
    doses, unit, reason = _doses(plate_map, column)
    if reason:
        return replace(nothing, column=column, reason=reason)
    points, series_by = _points(wells, plate_map, doses, classes)
    named = replace(nothing, column=column, unit=unit, series_by=series_by, points=points)
    used = points[points["left_out"] == ""]
    series = []
    for name, rows in used.groupby("series", sort=True):
        if rows["dose"].nunique() >= LEAST_DOSES:
            series.append(_correlate(str(name), rows, classes))
    if not series:
        return replace(named, reason=_why_no_series(points))
    listed = used[used["series"].isin([one.name for one in series])]
    means = listed.groupby("dose", sort=True)[[f"share_{c}" for c in classes]].mean().reset_index()
    return replace(
        named,
        series=tuple(series),
        pooled=_correlate("all wells", listed, classes),
        mean_curve=_correlate("mean curve", means, classes),
    )


def mean_curve(points: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean of a column at each dose: ``dose`` and the column, by increasing dose."""
    return points.groupby("dose", sort=True)[column].mean().reset_index()


def wants_log_axis(doses: Sequence[float]) -> bool:
    """Whether doses span more than two decades, or so much that neighbours would run into each other.

    Doses below zero are logarithms already.
    """
    values = np.unique(np.asarray(doses, float))
    above = values[values > 0]
    if len(above) < 2 or values[0] < 0:
        return False
    return bool(above[-1] > 100 * above[0] or np.diff(values).min() < 0.025 * np.ptp(values))


def _correlate(name: str, rows: pd.DataFrame, classes: Sequence[str]) -> RankCorrelation:
    dose = rows["dose"].to_numpy(float)
    rho = {c: spearman(dose, rows[f"share_{c}"].to_numpy(float)) for c in classes}
    return RankCorrelation(name, len(rows), len(np.unique(dose)), rho)


def spearman(dose: npt.NDArray[np.float64], share: npt.NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where there is none to be had.

    Parameters
    ----------
    dose, share
        (N,).
    """
    if len(np.unique(dose)) < LEAST_DOSES or np.ptp(share) == 0:
        return None
    return float(stats.spearmanr(dose, share).statistic)


def _points(
    wells: pd.DataFrame, plate_map: pd.DataFrame, doses: pd.Series, classes: Sequence[str]
) -> tuple[pd.DataFrame, str]:
    compound = compound_column(plate_map)
    dosed = plate_map[["plate", "well"]].assign(dose=doses)
    names = plate_map[compound].astype("str") if compound is not None else pd.Series("", index=plate_map.index)
    if (names[doses.notna()] == "").all():
        several = len(plate_map["plate"].unique()) > 1
        names = pd.Series(
            [_row_name(p, w, several) for p, w in zip(plate_map["plate"], plate_map["well"], strict=True)],
            index=plate_map.index,
            dtype="str",
        )
        compound = None
    dosed["series"] = names.where(names != "", "(no compound)")
    dosed = dosed[doses.notna()]
    shares = [f"share_{c}" for c in classes]
    kept = wells[wells["state"].isin([VOTED, TIE, UNDECIDED, NO_VOTE])]
    table = dosed.merge(kept[["plate", "well", "n_cells", "state", "training", *shares]], on=["plate", "well"])
    left_out = pd.Series("", index=table.index, dtype="str").mask(table["state"] == NO_VOTE, NO_VOTE)
    table["left_out"] = left_out.mask(table["training"], TRAINING)
    table = table.sort_values(["series", "dose", "plate", "well"], ignore_index=True)
    by = PLATE_ROW if compound is None else compound
    return table[["plate", "well", "series", "dose", "n_cells", "left_out", *shares]], by


def _row_name(plate: str, well: str, several: bool) -> str:
    if not well:
        return plate or "(no well)"
    row = row_letters(well_position(well).row)
    return f"{plate} {row}" if several else row


def _doses(plate_map: pd.DataFrame, column: str) -> tuple[pd.Series, str, str]:
    """Read the doses as numbers in one unit: the numbers, the unit, and why that cannot be."""
    doses = pd.to_numeric(plate_map[column], errors="coerce").astype(float)
    doses = doses.where(np.isfinite(doses))
    if column == CONCENTRATION_UM:
        return doses, "µM", ""
    unit_column = next((c for c in plate_map if _plain(str(c)) in _UNIT_NAMES), None)
    if unit_column is None:
        return doses, "", ""
    units = plate_map[unit_column].astype("str").str.strip()
    there = [unit for unit in pd.unique(units[doses > 0]) if unit]
    if len(there) <= 1:
        return doses, "".join(there), ""
    factors = units.str.casefold().map(_MOLAR)
    if factors[doses > 0].isna().any():
        return doses, "", f"the doses are in units that cannot be compared: {', '.join(sorted(there))}."
    in_um = doses * factors.where(doses > 0, 1.0) / _MOLAR["um"]
    return in_um.map(lambda dose: float(f"{dose:.9g}")), "µM", ""  # 1000 nM and 1 µM are one dose


def _why_no_series(points: pd.DataFrame) -> str:
    if points.empty:
        return "no well with a dose has a vote."
    n_trained = int((points["left_out"] == TRAINING).sum())
    if n_trained == len(points):
        return (
            "every well with a dose was an example of a class in training, so a correlation with the dose would "
            "show what was taught."
        )
    trained = f" ({n_trained} of {len(points)} wells were training wells and are left out)" if n_trained else ""
    return f"no series has {LEAST_DOSES} different doses{trained}."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())
