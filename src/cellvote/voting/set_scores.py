"""How little a class fits, from the probabilities of all classes: the scores that conformal sets are cut by."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

_IDENTITY: Final = ("plate", "well", "field", "label_id", "treatment")


def score_classes(probabilities: Floats, score: str, chance: Floats | None = None) -> Floats:
    """(B, K) score of every class of every row; the higher, the less it fits.

    Parameters
    ----------
    probabilities
        (B, K), rows summing to 1.
    score
        ``lac``: 1 − p (Sadinle, Lei & Wasserman, *JASA* 114, 2019). ``aps``: the sum of the probabilities of all
        classes that are likelier, 0 for the likeliest, which therefore is in every set; ``aps-randomised``: that and
        a random part of the class's own, which takes the excess off (Romano, Sesia & Candès, NeurIPS 2020).
    chance
        (B,) that random part, as from `chance_of`.

    Notes
    -----
    Equally likely classes have equal scores, whatever their order.
    """
    if score == "lac":
        return 1 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    first_of_equals = np.ones(ranked.shape, bool)
    first_of_equals[:, 1:] = ranked[:, :-1] > ranked[:, 1:]
    before = np.maximum.accumulate(np.where(first_of_equals, before, 0.0), axis=1)
    result = np.empty_like(before)
    np.put_along_axis(result, order, before, axis=1)
    if score == "aps-randomised" and chance is not None:
        result += chance[:, None] * probabilities
    return np.round(result, 12)  # sums of the same numbers in another order


def chance_of(table: pd.DataFrame) -> Floats:
    """(N,) a number between 0 and 1 for each row, as good as random, and always the same for the same cell or well."""
    keys = [c for c in _IDENTITY if c in table]
    hashed: npt.NDArray[Any] = pd.util.hash_pandas_object(table[keys], index=False).to_numpy()
    return np.asarray(hashed / 2.0**64, np.float64)
