"""Flags of fields: figures held against rules, and against the other fields of the plate."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from cellvote.quality.settings import QualitySettings
from cellvote.study.field_flags import FLAGS

REASON: Final = "reason"
"""The column that says why a field is flagged."""

FOCUS_Z: Final = "focus_z"
"""Prefix of the columns with the power slope in robust standard deviations of its plate and channel."""

_MAD: Final = 1.4826
_LEAST_SPREAD: Final = 0.02
"""No plate is so even that a slope this little lower would mean anything."""


def flag_fields(figures: pd.DataFrame, channels: Sequence[str], settings: QualitySettings) -> pd.DataFrame:
    """Flag fields.

    Parameters
    ----------
    figures
        One row per field: ``plate``, ``well``, ``field``, then ``FIGURE_CHANNEL`` of each channel, as from
        `quality.figures.measure_field`.
    channels
        Those that are looked at.

    Returns
    -------
    DataFrame
        The same rows: ``plate``, ``well``, ``field``; ``empty``, ``out_of_focus``, ``saturated``, ``uneven``;
        ``reason`` (which channel, and by how much); then the figures, and ``focus_z_CHANNEL``: not a number where a
        channel shows nothing, or its plate has too few fields that do.
    """
    table = figures.copy()
    for channel in channels:
        table[f"{FOCUS_Z}_{channel}"] = _focus_z(table, channel, settings)
    rules: dict[str, Callable[[pd.DataFrame, str, QualitySettings], pd.Series]] = {
        "out_of_focus": _out_of_focus,
        "saturated": _saturated,
        "uneven": _uneven,
    }
    reasons = {"empty": _empty(table, channels, settings)}
    for flag, rule in rules.items():
        said = pd.concat([rule(table, channel, settings) for channel in channels], axis=1)
        reasons[flag] = said.apply(lambda row: "; ".join(text for text in row if text), axis=1).astype("str")
    place = figures[["plate", "well", "field"]]
    flags = pd.DataFrame({flag: reasons[flag] != "" for flag in FLAGS}, index=figures.index)
    reason = pd.concat([reasons[flag] for flag in FLAGS], axis=1)
    flags[REASON] = reason.apply(lambda row: "; ".join(text for text in row if text), axis=1).astype("str")
    return pd.concat([place, flags, table.drop(columns=list(place))], axis=1)


def _shows_something(table: pd.DataFrame, channel: str, settings: QualitySettings) -> pd.Series:
    return table[f"structure_percent_{channel}"] >= settings.least_structure_percent


def _focus_z(table: pd.DataFrame, channel: str, settings: QualitySettings) -> pd.Series:
    """Say how far each power slope lies from the usual one of its plate, in robust standard deviations."""
    slope = table[f"power_slope_{channel}"].where(_shows_something(table, channel, settings))
    of_plate = slope.groupby(table["plate"])
    away = slope - of_plate.transform("median")
    spread = _MAD * away.abs().groupby(table["plate"]).transform("median")
    return (away / spread.clip(lower=_LEAST_SPREAD)).where(of_plate.transform("count") >= settings.least_fields)


def _said(where: pd.Series, text: Callable[[int], str]) -> pd.Series:
    """Write a reason for the rows where something holds."""
    said = [text(i) if found else "" for i, found in enumerate(where.tolist())]
    return pd.Series(said, index=where.index, dtype="str")


def _percent(value: float) -> str:
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def _empty(table: pd.DataFrame, channels: Sequence[str], settings: QualitySettings) -> pd.Series:
    shows = pd.concat([_shows_something(table, channel, settings) for channel in channels], axis=1).any(axis=1)
    most = table[[f"structure_percent_{channel}" for channel in channels]].max(axis=1).to_numpy()
    largest = table[[f"maximum_{channel}" for channel in channels]].max(axis=1).to_numpy()
    smallest = table[[f"minimum_{channel}" for channel in channels]].min(axis=1).to_numpy()

    def text(i: int) -> str:
        if largest[i] == smallest[i]:
            return f"empty: all pixels are {largest[i]:g}"
        return f"empty: {_percent(most[i])} of the area stands out"

    return _said(~shows, text)


def _out_of_focus(table: pd.DataFrame, channel: str, settings: QualitySettings) -> pd.Series:
    slope, z = table[f"power_slope_{channel}"], table[f"{FOCUS_Z}_{channel}"]
    shows = _shows_something(table, channel, settings)
    usual = slope.where(shows).groupby(table["plate"]).transform("median")
    blurred = (z <= -settings.focus_z) & (usual - slope >= settings.focus_drop)
    if settings.lowest_slope is not None:
        blurred |= shows & (slope < settings.lowest_slope)

    def text(i: int) -> str:
        against = f", {-z.iloc[i]:.1f} robust SD below its plate" if np.isfinite(z.iloc[i]) else ""
        return f"out of focus in {channel}: power slope {slope.iloc[i]:.2f}{against}"

    return _said(blurred, text)


def _saturated(table: pd.DataFrame, channel: str, settings: QualitySettings) -> pd.Series:
    share, largest = table[f"saturated_percent_{channel}"], table[f"maximum_{channel}"]
    return _said(
        share > settings.most_saturated_percent,
        lambda i: f"saturated in {channel}: {_percent(share.iloc[i])} of pixels at {largest.iloc[i]:g}",
    )


def _uneven(table: pd.DataFrame, channel: str, settings: QualitySettings) -> pd.Series:
    trend, fit = table[f"trend_percent_{channel}"], table[f"trend_fit_{channel}"]
    return _said(
        (trend > settings.most_trend_percent) & (fit >= settings.least_trend_fit),
        lambda i: f"uneven in {channel}: illumination differs by {trend.iloc[i]:.0f} %",
    )
