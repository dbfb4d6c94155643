"""Which examples an epoch shows, in which batches."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
LEAST_BATCH = 2
"""Batch normalisation needs two examples."""

DRAWN = {"sampling": 0.0, "root-sampling": 0.5}
"""Balances by how often a class is drawn: as this power of the number of its examples."""


def downsampled(codes: IntArray, balance: str, random: np.random.Generator) -> IntArray:
    """Leave out examples of the larger classes, once for a whole run.

    Parameters
    ----------
    codes
        (N,) class numbers.
    balance
        ``downsample``: all to the size of the smallest (report 000); ``downsample-to-second``: the largest to the
        size of the second largest (report 001); else none are left out.

    Returns
    -------
    ndarray
        The rows that stay, in order.
    """
    rows = np.arange(len(codes))
    counts = np.bincount(codes)
    there = counts[counts > 0]
    if balance == "downsample":
        most = int(there.min())
    elif balance == "downsample-to-second" and len(there) > 1:
        most = int(np.sort(there)[-2])
    else:
        return rows
    kept = [random.permutation(rows[codes == code])[:most] for code in np.flatnonzero(counts)]
    return np.sort(np.concatenate(kept))


def epoch_batches(
    codes: IntArray,
    batch_size: int,
    random: np.random.Generator,
    *,
    balance: str = "none",
    plate: IntArray | None = None,
) -> list[IntArray]:
    """Deal the examples out into the batches of one epoch.

    Parameters
    ----------
    codes
        (N,) class numbers.
    balance
        How often each class is drawn, see `drawn_by_class`; by any other word each example is shown once.
    plate
        (N,) plate number of each example, where every batch is to hold one plate only.

    Returns
    -------
    list of ndarray
        Rows of ``codes``; none has fewer than two.
    """
    order = drawn_by_class(codes, balance, random) if balance in DRAWN else random.permutation(len(codes))
    groups = [order] if plate is None else [order[plate[order] == one] for one in np.unique(plate)]
    batches = [part for group in groups for part in _cut(group, batch_size)]
    if plate is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def _cut(rows: IntArray, batch_size: int) -> list[IntArray]:
    parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return [part for part in parts if len(part) >= LEAST_BATCH]


def drawn_by_class(codes: IntArray, balance: str, random: np.random.Generator) -> IntArray:
    """Draw as many rows as there are, an epoch showing small classes again and again.

    Parameters
    ----------
    codes
        (N,) class numbers.
    balance
        ``sampling``: each class as often as any other. ``root-sampling``: by the root of how many there are of it, so
        that less of a large class is left out for a small one.

    Returns
    -------
    ndarray
        (N,) rows, in random order; within a class each as often as may be.
    """
    classes, counts = np.unique(codes, return_counts=True)
    share = counts ** DRAWN[balance]
    each = np.ceil(len(codes) * share / share.sum()).astype(np.int64)
    drawn = [
        _repeated(np.flatnonzero(codes == code), n, random.permutation) for code, n in zip(classes, each, strict=True)
    ]
    return random.permutation(np.concatenate(drawn))[: len(codes)]


def _repeated(rows: IntArray, n: int, shuffle: Callable[[IntArray], IntArray]) -> IntArray:
    rounds = [shuffle(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(rounds)[:n]
