"""Attention pooling: which cells of a well to listen to, learned from wells whose class is known.

A small relative of attention-based multiple-instance learning (Ilse, Tomczak & Welling, ICML 2018): the attention of a
cell is a linear function of what its probabilities are like, so that a dozen wells can teach it. With nothing learned
it is the vote by mean probability, and a ridge draws it there.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

MOST_NAMED: Final = 50
"""With more classes than this, a cell is judged by how sure it is alone, not by the class that it resembles."""

_SPREAD_WEIGHT: Final = 2.0
_SPREAD_BIAS: Final = 1.0
"""Standard deviations of the normal priors, on logarithms: a cell may count e⁴ times as much as another, not more."""

MOST_FITS: Final = 10

_FLOOR: Final = 1e-3
_MOST_NUMBERS: Final = 2_000_000
_MOST_CELLS: Final = 500


class LearnedPooling(BaseModel, frozen=True):
    """Attention of a cell: exp(weight · description − offset); and what is added to the logarithm of each share."""

    weight: tuple[float, ...]
    bias: tuple[float, ...]
    offset: float = 0.0


class Pooling(BaseModel, frozen=True):
    """What was learned from all training wells, and what without the wells of each fold.

    A well that took part in training is pooled by what was learned without it.
    """

    whole: LearnedPooling
    folds: dict[int, LearnedPooling] = {}

    def of(self, fold: int) -> LearnedPooling:
        """What was learned without a fold; from all wells where it is none of the training's."""
        return self.folds.get(fold, self.whole)

    def weights(self, block: Floats, fold: Codes | None) -> Floats:
        """(B,) how much each cell of a (K, B) block counts."""
        description = describe_cells(block)
        if fold is None:
            return _attention(description, self.whole)
        result: Floats = np.empty(block.shape[1])
        for number in np.unique(fold):
            own = fold == number
            result[own] = _attention(description[:, own], self.of(int(number)))
        return result


def certainty(block: Floats) -> Floats:
    """(B,) 1 − H/log K of each cell of a (K, B) block, H its entropy: 0 for equal chances, 1 for certainty."""
    safe = np.maximum(block, 1e-12)
    return np.asarray(np.clip(1 + np.einsum("kb,kb->b", safe, np.log(safe)) / np.log(len(block)), 0.0, 1.0))


def describe_cells(block: Floats) -> Floats:
    """(D, B) what attention looks at: certainty, lead of the likeliest class and, unless many, every probability."""
    parts = [certainty(block)[None], _lead(block)[None]]
    return np.concatenate([*parts, block] if len(block) <= MOST_NAMED else parts)


def _lead(block: Floats) -> Floats:
    """(B,) by how much the likeliest class of each cell leads the next; row by row, which stay in a core's cache."""
    first: Floats = block[0].copy()
    second, lower = np.zeros_like(first), np.empty_like(first)
    for row in block[1:]:
        np.minimum(first, row, out=lower)
        np.maximum(second, lower, out=second)
        np.maximum(first, row, out=first)
    first -= second
    return first


def fit_pooling(
    columns: list[npt.NDArray[np.floating[Any]]], well: Codes, truth: Codes, fold: Codes | None = None
) -> Pooling:
    """Learn which cells to listen to.

    Parameters
    ----------
    columns
        K arrays of (N,): the probabilities of each class, of cells that the models never saw.
    well
        (N,) which well each is in, from 0.
    truth
        (W,) class of each well.
    fold
        (W,) fold of each well; with it, what each fold's wells are pooled by is learned from the others alone.
    """
    chosen = _some_cells(well, len(truth), len(columns))
    probabilities, well = np.stack([column[chosen] for column in columns], axis=1).astype(float), well[chosen]
    whole = _fit(probabilities, well, truth)
    folds: dict[int, LearnedPooling] = {}
    numbers, rank = np.unique(np.zeros(0) if fold is None else fold, return_inverse=True)
    for bunch in range(min(len(numbers), MOST_FITS)):  # of many folds, some are left out together
        others = rank % MOST_FITS != bunch
        if len(np.unique(truth[others])) > 1:
            keep = others[well]
            rows = np.cumsum(others) - 1
            learned = _fit(probabilities[keep], rows[well[keep]], truth[others])
            folds |= {int(number): learned for number in numbers[bunch::MOST_FITS]}
    return Pooling(whole=whole, folds=folds)


def _some_cells(well: Codes, n_wells: int, n_classes: int) -> npt.NDArray[np.intp]:
    """Choose evenly spaced cells of each well, sorted by well: enough to learn a few numbers from."""
    most = int(np.clip(_MOST_NUMBERS // max(1, n_wells * n_classes), 20, _MOST_CELLS))
    order = np.argsort(well, kind="stable")
    starts = np.flatnonzero(np.diff(well[order], prepend=-1))
    parts: Sequence[npt.NDArray[np.intp]] = np.split(order, starts[1:])
    return np.concatenate([p[np.linspace(0, len(p) - 1, min(most, len(p))).astype(int)] for p in parts])


def _fit(probabilities: Floats, well: Codes, truth: Codes) -> LearnedPooling:
    """Find the most probable attention and bias; ``well`` is sorted, and every well has a cell."""
    n_classes, n_wells = probabilities.shape[1], len(truth)
    block = np.ascontiguousarray(probabilities.T)
    described = describe_cells(block)
    safe = (1 - _FLOOR) * block + _FLOOR / n_classes
    starts = np.flatnonzero(np.diff(well, prepend=-1))
    rows = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(well)))
    own = truth[well[starts]]
    balance = (n_wells / np.bincount(own, minlength=n_classes).clip(1))[own]
    balance /= balance.sum() / n_wells
    wanted = np.zeros((n_classes, len(own)))
    wanted[own, np.arange(len(own))] = 1
    n_weights = len(described)

    def loss(values: Floats) -> tuple[float, Floats]:
        weight, bias = values[:n_weights], values[n_weights:]
        logits = weight @ described
        raised = np.exp(logits - np.maximum.reduceat(logits, starts)[rows])
        attention = raised / np.add.reduceat(raised, starts)[rows]
        pooled = np.add.reduceat(safe * attention, starts, axis=1)
        scores = np.log(pooled) + bias[:, None]
        scores -= scores.max(axis=0)
        log_shares = scores - np.log(np.exp(scores).sum(axis=0))
        prior = (weight @ weight) / _SPREAD_WEIGHT**2 / 2 + (bias @ bias) / _SPREAD_BIAS**2 / 2
        value = -(balance * log_shares[own, np.arange(len(own))]).sum() + prior
        residual = balance * (np.exp(log_shares) - wanted)
        pull = attention * np.einsum("kb,kb->b", safe, (residual / pooled)[:, rows])
        of_weight = described @ pull + weight / _SPREAD_WEIGHT**2
        return float(value), np.concatenate([of_weight, residual.sum(axis=1) + bias / _SPREAD_BIAS**2])

    found = minimize(loss, np.zeros(n_weights + n_classes), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weight, bias = found.x[:n_weights], found.x[n_weights:]
    offset = float(np.log(np.mean(np.exp(np.clip(weight @ described, -50, 50)))))
    return LearnedPooling(weight=tuple(weight.tolist()), bias=tuple(bias.tolist()), offset=offset)


def _attention(description: Floats, learned: LearnedPooling) -> Floats:
    """Weigh cells; a training cell weighs 1 on average, so that cells pooled by different folds can be put together."""
    return np.asarray(np.exp(np.clip(np.asarray(learned.weight) @ description - learned.offset, -50, 50)))
