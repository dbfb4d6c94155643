"""Metrics of held-out predictions, each with an interval by bootstrap over wells, not cells."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from cellvote.voting.intervals import (
    LEAST_CLUSTERS,
    Floats,
    Interval,
    number_clusters,
    percentile_intervals,
    resample,
    wilson,
)

Codes = npt.NDArray[np.int64]

_AUC_BINS: Final = 500


def score(
    truth: Codes, said: Codes, n_classes: int, clusters: npt.NDArray[np.int64], scores: Floats | None = None
) -> dict[str, Any]:
    """Compare what was said with the truth.

    Parameters
    ----------
    truth, said
        (N,) class numbers; −1 in ``said`` is no vote or a tie, and counts as wrong.
    clusters
        (N,) which well (or plate, compound, …: what was held out whole) each belongs to: these are drawn anew for the
        intervals.
    scores
        (N,) how much speaks for the second of two classes, for the AUC.

    Returns
    -------
    dict
        ``accuracy``, ``balanced_accuracy``, ``f1_macro``, ``n``, ``ci95`` of the accuracy, ``confusion`` (rows:
        truth, columns: said), ``abstained`` (how many of each class were given no class), ``n_independent`` (how many
        clusters were drawn), ``ci95_balanced``, ``per_class`` (for each class ``n``, ``precision``, ``recall`` and
        ``f1``, each with its interval, null where it cannot be had), and of two classes ``auc`` and ``ci95_auc``.
    """
    confusion = np.zeros((n_classes, n_classes), np.int64)
    decided = said >= 0
    np.add.at(confusion, (truth[decided], said[decided]), 1)
    abstained = np.bincount(truth[~decided], minlength=n_classes)
    cluster, n_clusters = number_clusters(clusters)
    totals = _totals(truth, said, n_classes, cluster, n_clusters)
    figures = _figures(totals.sum(axis=0, keepdims=True), n_classes)[0]
    drawn: list[Interval] = [None] * len(figures)
    if n_clusters >= LEAST_CLUSTERS:
        drawn = percentile_intervals(resample(totals, lambda sums: _figures(sums, n_classes)))
        _widen_where_all_agree(drawn, figures, totals, n_classes, single=n_clusters == len(truth))
    k = n_classes
    result: dict[str, Any] = {
        "accuracy": float(figures[0]),
        "balanced_accuracy": float(figures[1]),
        "f1_macro": float(figures[2]),
        "n": len(truth),
        "ci95": drawn[0],
        "confusion": confusion.tolist(),
        "abstained": abstained.tolist(),
        "n_independent": n_clusters,
        "ci95_balanced": drawn[1],
        "per_class": [
            {
                "n": int(confusion[i].sum() + abstained[i]),
                **_named("recall", figures[3 + i], drawn[3 + i]),
                **_named("precision", figures[3 + k + i], drawn[3 + k + i]),
                **_named("f1", figures[3 + 2 * k + i], drawn[3 + 2 * k + i]),
            }
            for i in range(k)
        ],
    }
    if scores is not None and k == 2:
        result["auc"], result["ci95_auc"] = area_under_curve(truth, scores, cluster, n_clusters)
    return result


def _named(name: str, value: float, interval: Interval) -> dict[str, Any]:
    known = bool(np.isfinite(value))
    return {name: float(value) if known else None, f"{name}_ci95": interval if known else None}


def _totals(truth: Codes, said: Codes, n_classes: int, cluster: Codes, n_clusters: int) -> Floats:
    """(C, 3K) of each cluster: how many of each class are right, are true, and were said."""

    def count(codes: Codes, rows: npt.NDArray[np.bool_]) -> Floats:
        flat = np.bincount(cluster[rows] * n_classes + codes[rows], minlength=n_clusters * n_classes)
        return flat.reshape(n_clusters, n_classes).astype(np.float64)

    everything = np.ones(len(truth), bool)
    return np.concatenate([count(truth, truth == said), count(truth, everything), count(said, said >= 0)], axis=1)


def _figures(sums: Floats, n_classes: int) -> Floats:
    """(B, 3 + 3K): accuracy, balanced accuracy, macro F1; then recall, precision and F1 of each class.

    Not a number for what cannot be had: the recall of a class that is not there, the precision of one never said.
    """
    right, true, said = (sums[:, i * n_classes : (i + 1) * n_classes] for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision, f1 = right / true, right / said, 2 * right / (true + said)
        there = true > 0
        n_there = there.sum(axis=1)
        balanced = np.where(there, recall, 0).sum(axis=1) / n_there
        macro = np.where(there, f1, 0).sum(axis=1) / n_there
        accuracy = right.sum(axis=1) / true.sum(axis=1)
    f1 = np.where(there, f1, np.nan)
    return np.concatenate([np.stack([accuracy, balanced, macro], axis=1), recall, precision, f1], axis=1)


def _widen_where_all_agree(
    drawn: list[Interval], figures: Floats, totals: Floats, n_classes: int, *, single: bool
) -> None:
    """Take Wilson's interval of the clusters where drawing them anew says too little.

    Where each cluster holds one entry, or all are right (or wrong), every draw gives the same. The F1 then lies
    between the harmonic means of the ends of precision and recall.
    """
    sums, n = totals.sum(axis=0), n_classes
    there = totals > 0

    def of_share(at: int, clusters: npt.NDArray[np.bool_]) -> None:
        if np.isfinite(figures[at]) and (single or figures[at] in {0.0, 1.0}):
            drawn[at] = wilson(float(figures[at]), int(clusters.sum()))

    of_share(0, np.asarray(there.any(axis=1)))
    if figures[1] in {0.0, 1.0}:
        shares = [wilson(float(figures[1]), int(there[:, n + i].sum())) for i in range(n) if sums[n + i]]
        ends = np.array([share for share in shares if share])
        drawn[1] = [float(x) for x in ends.mean(axis=0)]
    for i in range(n):
        of_share(3 + i, there[:, n + i])
        of_share(3 + n + i, there[:, 2 * n + i])
        recall, precision = drawn[3 + i], drawn[3 + n + i]
        if figures[3 + 2 * n + i] in {0.0, 1.0} and recall and precision:
            drawn[3 + 2 * n + i] = [_harmonic(r, p) for r, p in zip(recall, precision, strict=True)]


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other > 0 else 0.0


def area_under_curve(
    truth: Codes, scores: Floats, cluster: Codes, n_clusters: int
) -> tuple[float | None, list[float] | None]:
    """Give the area under the ROC curve of two classes, and its interval by bootstrap over clusters.

    Each draw is scored on a histogram of the ranks of each cluster, so a million cells take no longer than their
    wells; the interval is moved by what the histogram rounds off.
    """
    positive = truth == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None, None
    ranks = rankdata(scores)
    exact = (ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    if n_clusters < LEAST_CLUSTERS:
        return float(exact), None
    bins = np.minimum((ranks / (len(ranks) + 1) * _AUC_BINS).astype(np.int64), _AUC_BINS - 1)
    flat = (cluster * 2 + positive) * _AUC_BINS + bins
    histogram = np.bincount(flat, minlength=n_clusters * 2 * _AUC_BINS).reshape(n_clusters, -1).astype(np.float64)

    def area(sums: Floats) -> Floats:
        negatives, positives = sums[:, :_AUC_BINS], sums[:, _AUC_BINS:]
        below = np.cumsum(negatives, axis=1) - negatives / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))
        return np.asarray(found)[:, None]

    rounded = float(area(histogram.sum(axis=0, keepdims=True))[0, 0])
    interval = percentile_intervals(resample(histogram, area))[0]
    if interval is None or rounded in {0.0, 1.0}:
        return float(exact), None
    return float(exact), [float(np.clip(end + exact - rounded, 0, 1)) for end in interval]


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
