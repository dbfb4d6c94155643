"""What each cell puts into the box, counted by group; block by block, so that little memory is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import PredictionsError
from cellvote.voting.pooling import Pooling, certainty

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LEAST_PROBABILITY: Final = 1e-6
"""In a mean of logarithms, a class that a cell rules out counts as this likely: one cell has no veto."""

_BLOCK: Final = 2048
"""Cells looked at together: with 300 classes they stay in a core's cache."""

_SUM_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class Tally:
    """What lies in the boxes of G groups.

    Attributes
    ----------
    sums
        (G, K) sum of the ballots.
    weights
        (G,) sum of the cells' weights; their number where all cells count alike.
    n_cells
        (G,).
    bias
        (G, K) what the learned pooling adds to the logarithm of the shares, summed over cells; None without one.
    """

    method: str
    sums: Floats
    weights: Floats
    n_cells: Codes
    bias: Floats | None = None

    def merged(self, groups: Codes, n_groups: int) -> "Tally":
        """Put the boxes of finer groups together.

        Parameters
        ----------
        groups
            (G,) the coarser group of each.
        """

        def total(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            result = np.zeros((n_groups, *values.shape[1:]), values.dtype)
            np.add.at(result, groups, values)
            return result

        bias = None if self.bias is None else total(self.bias)
        return Tally(self.method, total(self.sums), total(self.weights), total(self.n_cells), bias)

    def shares(self) -> Floats:
        """(G, K) shares of the vote, each row summing to 1; all alike where no cell has any weight."""
        n_classes = self.sums.shape[1]
        weights = self.weights[:, None]
        known = weights > 0
        means = np.where(known, self.sums / np.where(known, weights, 1), 1 / n_classes)
        if self.method == "mean-log-probability":
            return _softmax(np.where(known, means, 0.0))
        if self.bias is not None:
            n_cells = np.maximum(self.n_cells, 1)[:, None]
            return _softmax(np.log(np.maximum(means, 1e-12)) + self.bias / n_cells)
        return means


def count_ballots(
    columns: list[npt.NDArray[np.floating[Any]]],
    groups: Codes,
    n_groups: int,
    method: str,
    *,
    pooling: Pooling | None = None,
    fold: Codes | None = None,
) -> Tally:
    """Let every cell vote, and count by group.

    Parameters
    ----------
    columns
        K arrays of (N,): the probabilities of each class.
    groups
        (N,) group of each cell, from 0.
    method
        One of `settings.METHODS`. ``mean-log-probability`` is the logarithmic opinion pool (Genest & Zidek, *Stat.
        Sci.* 1, 1986); ``confidence-weighted`` weights each cell by 1 − H/log K, H its entropy, after the entropy
        weighting of Misra, Bourlard & Tyagi (ICASSP 2003).
    pooling, fold
        For ``attention``: what was learned, and (N,) which fold held each cell out.

    Raises
    ------
    PredictionsError
        Where the probabilities of a cell do not sum to 1; the message names its row (``row N``).
    """
    n_classes = len(columns)
    tally = Tally(
        method,
        np.zeros((n_groups, n_classes)),
        np.zeros(n_groups),
        np.bincount(groups, minlength=n_groups).astype(np.int64),
        _biases(groups, n_groups, pooling, fold) if method == "attention" and pooling is not None else None,
    )
    in_order = bool((np.diff(groups) >= 0).all())
    order = None if in_order else np.argsort(groups, kind="stable")
    for rows, block in probability_blocks(columns, order):
        own = groups[rows]
        held_out = None if fold is None else fold[rows]
        if method == "majority":
            _add_majority(tally, block, own)
            continue
        ballots, weights = _ballots(block, method, pooling, held_out)
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        there = own[starts]
        tally.sums[there] += np.add.reduceat(ballots, starts, axis=1).T
        tally.weights[there] += (
            np.diff(starts, append=len(own)) if weights is None else np.add.reduceat(weights, starts)
        )
    return tally


def probability_blocks(
    columns: list[npt.NDArray[np.floating[Any]]], order: npt.NDArray[np.intp] | None = None
) -> Iterator[tuple[Any, Floats]]:
    """Give the cells in blocks: which rows, and their (K, B) probabilities, checked to sum to 1.

    Raises
    ------
    PredictionsError
        Where those of a cell do not.
    """
    n = len(columns[0]) if columns else 0
    dtype = np.result_type(np.float32, *{column.dtype for column in columns})
    buffer = np.empty((len(columns), min(n, _BLOCK)), dtype)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        rows: Any = slice(start, stop) if order is None else order[start:stop]
        block = buffer[:, : stop - start]
        for i, column in enumerate(columns):
            block[i] = column[rows]
        with np.errstate(invalid="ignore"):  # of infinities; they are refused
            total = block.sum(axis=0)
        wrong = ~(np.abs(total - 1) < _SUM_TOLERANCE)
        if wrong.any() or not block.min() >= 0:
            wrong |= ~(block.min(axis=0) >= 0)
            first = int(np.argmax(wrong))
            raise ProbabilitiesError(start + first if order is None else int(rows[first]))
        yield rows, block


class ProbabilitiesError(PredictionsError):
    """The probabilities of one cell are none.

    Attributes
    ----------
    row
        Which cell, counted from 0.
    """

    def __init__(self, row: int) -> None:
        super().__init__(f"the class probabilities of the cell in row {row} do not sum to 1.")
        self.row = row

    def naming(self, predictions: pd.DataFrame) -> PredictionsError:
        """Name the cell by its place."""
        row = predictions.iloc[self.row]
        where = ", ".join(f"{c} {row[c]}" for c in ("plate", "well", "field", "label_id") if c in row)
        return PredictionsError(f"the class probabilities of the cell {where or row.name} do not sum to 1.")


def _ballots(block: Floats, method: str, pooling: Pooling | None, fold: Codes | None) -> tuple[Floats, Floats | None]:
    """What each cell of a (K, B) block puts into the box, and its weight where cells do not count alike."""
    if method == "mean-probability":
        return block, None
    if method == "mean-log-probability":
        return np.log(np.maximum(block, LEAST_PROBABILITY)), None
    if method == "confidence-weighted":
        weights = certainty(block)
        return block * weights, weights
    if method == "attention" and pooling is not None:
        weights = pooling.weights(block, fold)
        return block * weights, weights
    raise ValueError(f"there is no way to vote called {method!r}")


def _add_majority(tally: Tally, block: Floats, groups: Codes) -> None:
    """Let each cell of a (K, B) block vote for its likeliest class; one that cannot decide splits its vote."""
    number, cell = np.nonzero(block == block.max(axis=0))
    split = np.bincount(cell, minlength=block.shape[1])
    np.add.at(tally.sums, (groups[cell], number), 1 / split[cell])
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    tally.weights[groups[starts]] += np.diff(starts, append=len(groups))


def _biases(groups: Codes, n_groups: int, pooling: Pooling, fold: Codes | None) -> Floats:
    held_out = np.full(len(groups), -1, np.int64) if fold is None else fold
    result = np.zeros((n_groups, len(pooling.whole.bias)))
    for number in np.unique(held_out):
        n_of_fold = np.bincount(groups[held_out == number], minlength=n_groups)
        result += n_of_fold[:, None] * np.asarray(pooling.of(int(number)).bias)
    return result


def _softmax(logarithms: Floats) -> Floats:
    raised = np.exp(logarithms - logarithms.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
