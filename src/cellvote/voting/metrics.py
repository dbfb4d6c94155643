"""Metrics of held-out predictions, each with an interval by bootstrap over wells, not cells."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

Codes = npt.NDArray[np.int64]

N_BOOTSTRAP: Final = 2000


def score(truth: Codes, said: Codes, n_classes: int, clusters: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Compare what was said with the truth.

    Parameters
    ----------
    truth, said
        (N,) class numbers; −1 in ``said`` is no vote or a tie, and counts as wrong.
    clusters
        (N,) which well each belongs to: these are drawn anew for the interval.

    Returns
    -------
    dict
        ``accuracy``, ``balanced_accuracy``, ``f1_macro``, ``n``, ``ci95`` of the accuracy, ``confusion`` (rows:
        truth, columns: said) and ``abstained`` (how many of each class were given no class).
    """
    confusion = np.zeros((n_classes, n_classes), np.int64)
    decided = said >= 0
    np.add.at(confusion, (truth[decided], said[decided]), 1)
    abstained = np.bincount(truth[~decided], minlength=n_classes)
    per_class = confusion.sum(axis=1) + abstained
    right = np.diag(confusion)
    there = per_class > 0
    recall = right[there] / per_class[there]
    f1 = 2 * right / np.maximum(per_class + confusion.sum(axis=0), 1)
    return {
        "accuracy": float(right.sum() / len(truth)),
        "balanced_accuracy": float(recall.mean()),
        "f1_macro": float(f1[there].mean()),
        "n": len(truth),
        "ci95": _interval(truth == said, clusters),
        "confusion": confusion.tolist(),
        "abstained": abstained.tolist(),
    }


def _interval(right: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int64]) -> list[float] | None:
    """95 % interval of the share that is right, None with fewer than three clusters.

    Clusters are drawn anew (bootstrap). Where each holds one entry, or all entries are right, drawing them anew
    says too little: Wilson's interval of the clusters is taken.
    """
    _, cluster = np.unique(clusters, return_inverse=True)
    n = int(cluster.max()) + 1
    if n < 3:
        return None
    n_right, n_all = np.bincount(cluster, weights=right, minlength=n), np.bincount(cluster, minlength=n)
    if n == len(right) or n_right.sum() in {0, n_all.sum()}:
        found = binomtest(round(n * right.mean()), n).proportion_ci(0.95, "wilson")
        return [float(found.low), float(found.high)]
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP)
    shares = (draws @ n_right) / (draws @ n_all)
    low, high = np.percentile(shares, [2.5, 97.5])
    return [float(low), float(high)]


def expected_calibration_error(probabilities: npt.NDArray[np.float64], truth: Codes, n_bins: int = 15) -> float:
    """How far the stated probability is from the share that is right (Guo et al. 2017).

    Parameters
    ----------
    probabilities
        (N, K).
    truth
        (N,) class numbers.
    """
    stated = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, weights=stated - right, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(truth))


def codes_of(names: pd.Series, classes: tuple[str, ...]) -> Codes:
    """Number class names by their order; −1 for anything else (a tie, too few cells)."""
    return pd.Index(classes).get_indexer(pd.Index(names)).astype(np.int64)
