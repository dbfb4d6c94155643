"""Two classes from a column of numbers: a cytokine that is produced or not, a dose that is high or low."""

from typing import Final

import numpy as np
import pandas as pd

from cellvote.errors import ClassesError

LOW: Final = "low"
HIGH: Final = "high"
RULES: Final = ("uniform", "kmeans", "quantile")
"""Where scikit-learn's `KBinsDiscretizer` cuts into two bins: half way between least and largest value (as report 000
did), between two clusters, or at the median."""


def numbers_in(values: pd.Series, column: str) -> pd.Series:
    """Read a plate-map column as numbers; gaps stay gaps.

    Raises
    ------
    ClassesError
        Where something in it is no number.
    """
    text = values.astype("str").str.strip()
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce").astype(float)
    wrong = text[(text != "") & ~np.isfinite(numbers)]
    if len(wrong):
        raise ClassesError(
            f"the column {column!r} holds {wrong.iloc[0]!r}, which is no number: it cannot be cut in two."
        )
    return numbers


def find_threshold(values: pd.Series, column: str, rule: str) -> float:
    """Say where a rule cuts a column in two.

    Parameters
    ----------
    values
        One for each imaged well, as text.
    rule
        One of `RULES`.

    Raises
    ------
    ClassesError
        Where there are not two different numbers.
    """
    from sklearn.preprocessing import KBinsDiscretizer

    numbers = numbers_in(values, column).dropna().to_numpy()
    if len(np.unique(numbers)) < 2:
        raise ClassesError(
            f"the column {column!r} has fewer than two different numbers: there is nothing to cut in two."
        )
    options = {"quantile_method": "averaged_inverted_cdf"} if rule == "quantile" else {}
    cutter = KBinsDiscretizer(2, encode="ordinal", strategy=rule, subsample=None, random_state=0, **options)
    return float(cutter.fit(numbers[:, None]).bin_edges_[0][1])


def cut_in_two(values: pd.Series, column: str, threshold: float) -> pd.Series:
    """Name each value `LOW` or `HIGH` (at the threshold and above); empty where there is none."""
    numbers = numbers_in(values, column)
    names = np.where(numbers >= threshold, HIGH, LOW)
    return pd.Series(np.where(numbers.isna(), "", names), index=values.index, dtype="str")
