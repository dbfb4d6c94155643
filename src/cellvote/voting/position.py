"""Whether a classifier may have learned the place of a well and not its cells."""

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cellvote.voting.evaluation import LEAST_GROUPS
from cellvote.voting.intervals import paired_difference
from cellvote.voting.metrics import Codes

CHANCE_P: Final = 0.1
"""The place tells something where guesses of the commonest class would be right as often with this probability."""


def compare_with_position(said: Codes, by_place: Codes, truth: Codes, groups: pd.Series) -> dict[str, Any]:
    """Compare the votes of wells with what their places suggest, well by well.

    Parameters
    ----------
    said, by_place, truth
        (W,) class numbers: the vote of the cells (−1 where there is none), what position alone suggests, and the truth.
    groups
        (W,) what was held out together.

    Returns
    -------
    dict
        ``difference_ci95``: how much more often the classifier is right than the place, with wells (or groups, where
        there are enough) drawn anew and both judged on the same ones; ``chance_p``: how likely somebody who knows
        nothing is right as often as the place; ``tied``: whether the place tells the class, and the classifier cannot
        be shown to be better.
    """
    clusters = np.arange(len(truth))
    if LEAST_GROUPS <= groups.nunique() < len(truth):
        clusters = np.asarray(pd.factorize(groups)[0])
    right, by_place_right = said == truth, by_place == truth
    difference = paired_difference(right, by_place_right, clusters)
    commonest = float(np.bincount(truth).max() / len(truth))
    p = float(binomtest(int(by_place_right.sum()), len(truth), commonest, alternative="greater").pvalue)
    ahead = difference[0] > 0 if difference else right.sum() > by_place_right.sum()
    return {"difference_ci95": difference, "chance_p": p, "tied": bool(p < CHANCE_P and not ahead)}


def position_warning(baselines: dict[str, Any], comparison: dict[str, Any] | None) -> list[str]:
    """Warn where the place on the plate alone does as well as the classifier.

    Parameters
    ----------
    baselines
        Those of the classifier, with ``position``.
    comparison
        What `compare_with_position` found; None where there is no place to compare with.
    """
    if not baselines.get("position") or not comparison or not comparison["tied"]:
        return []
    share = baselines["position"]["well"]["accuracy"]
    warning = (
        f"the position on the plate alone gets {share:.0%} of the held-out wells right"
        f"{_ahead(comparison['difference_ci95'])}: the classes are tied to "
        "places, so these figures cannot show that the classifier sees the cells and not the well. Look at wells "
        "elsewhere (a dose series, another plate), or scatter the classes over the plate."
    )
    return [warning]


def _ahead(interval: tuple[float, float] | None) -> str:
    """Say how far the classifier is ahead of the place, in percentage points."""
    if interval is None:
        return ""
    low, high = (f"{100 * end:+.0f}" for end in interval)
    same = interval[0] == interval[1] == 0
    return ", the classifier no more" if same else f", the classifier {low} to {high} points more (95 % interval)"
